"""The figures of the receiver at its limits, on few frames."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.receiver import cli, measure, page
from benchmarks.receiver.measure import Settings
from host.receive.events import Event
from host.receive.stream import StreamReceiver
from tests.support.host import make_bundle
from wire.bundle import Bundle, BundleError
from wire.frame import FrameType, Header, feature_frame


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("receiver") / "default")


def silent(_: int) -> None:
    """Ignore progress."""


def settings(bundle: Bundle, frames: int = 1, noise_bytes: int = 1, runs: int = 1) -> Settings:
    return Settings(bundle, frames, noise_bytes, runs, seed=0)


def codec_file(folder: Path, bundle: Bundle) -> Path:
    rows = {"0.01": (0.80, 0.801), "0.1": (0.70, 0.6995)}
    by_ber = {ber: {"accuracy": a, "accuracy_true_ber_given": b} for ber, (a, b) in rows.items()}
    file = folder / "codec.json"
    file.write_text(json.dumps({"model_id": bundle.model_id, "payload_bytes": {"48": {"by_ber": by_ber}}}))
    return file


@pytest.mark.slow
def test_header_loss_counts_lost_and_false_frames(bundle: Bundle) -> None:
    assert measure.header_loss(settings(bundle, 200), 0.0, 50, silent) == (0.0, 0)
    loss, false = measure.header_loss(settings(bundle, 300), 0.2, 1, silent)
    assert 0.4 < loss < 1 and false <= 3
    assert measure.header_loss(settings(bundle, 2000), 0.05, 50, silent)[0] <= 0.02
    assert measure.header_loss(settings(bundle, 2000), 0.1, 50, silent)[0] <= 0.1
    assert measure.mistaken(settings(bundle, 300), 0.0, silent) == 0
    assert measure.mistaken(settings(bundle, 1500), 0.1, silent) < 0.01


def test_header_loss_new_device_is_that_of_the_code_alone(bundle: Bundle) -> None:
    assert measure.header_loss_new_device(settings(bundle, 300), 0.0, silent) == 0
    # At most 6 of 32 flips in the sync and 7 of 63 in the codeword: 68.2 % of the frames at a BER of 0.1.
    assert measure.header_loss_new_device(settings(bundle, 2000), 0.1, silent) == pytest.approx(0.318, abs=0.04)


def test_false_frames_counts_frames_found_in_noise(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    assert measure.false_frames(settings(bundle, noise_bytes=300_000), 50, silent) == 0
    phantom = feature_frame(Header(FrameType.FEATURE, 3, 1, bundle.model_bits, 0), bytes(48), 384, bundle.number)

    class PhantomReceiver(StreamReceiver):
        def feed(self, data: bytes) -> list[Event]:
            return super().feed(phantom + data if len(data) > 1000 else data)

    monkeypatch.setattr(measure, "StreamReceiver", PhantomReceiver)
    assert measure.false_frames(settings(bundle, noise_bytes=300_000), 0, silent) == 1


def test_estimates_follow_bers(bundle: Bundle) -> None:
    estimated = measure.estimates(settings(bundle, runs=20), [1e-2] * 20 + [1e-1] * 10, silent)
    assert estimated.shape == (20, 30)
    assert estimated[:, 19].mean() == pytest.approx(1e-2, rel=0.25)
    assert estimated[:, 29].mean() == pytest.approx(1e-1, rel=0.15)
    assert len(np.unique(estimated[:, 19])) > 10, "each run has its own flips"


def test_cost_of_estimating_is_that_of_the_worst_ber(bundle: Bundle, tmp_path: Path) -> None:
    cost, by_ber = cli.cost_of_estimating(codec_file(tmp_path, bundle), bundle)
    assert cost == pytest.approx(0.1) and by_ber["0.1"] == pytest.approx(-0.05)
    (tmp_path / "codec.json").write_text(json.dumps({"model_id": "00000000"}))
    with pytest.raises(BundleError, match="make bench-codec"):
        cli.cost_of_estimating(tmp_path / "codec.json", bundle)
    with pytest.raises(BundleError, match="make bench-codec"):
        cli.cost_of_estimating(tmp_path / "none.json", bundle)


@pytest.mark.slow
def test_main_writes_and_prints_figures(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "deep" / "receiver.json"
    few = ["--frames", "200", "--noise", "100000", "--runs", "3", "--soak", "3000", "--seed", "1"]
    files = ["--bundle", str(bundle.path), "--codec", str(codec_file(tmp_path, bundle)), "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["receiver", *few, *files])
    assert cli.main() == 0
    figures = json.loads(out.read_text())
    assert figures["overhead_bytes"] == {"serial": 14, "lora": 10}
    for key in ("header_loss", "header_loss_50_devices", "header_loss_new_device"):
        assert list(figures[key]) == ["0.01", "0.05", "0.1"]
    assert set(figures["ber_estimate"]) == {"0.001", "0.003", "0.01", "0.03", "0.05", "0.1"}
    assert figures["lora_frames_per_minute"] >= 20_000
    assert {"frames", "lost_clean", "crashes", "rss_growth_bytes"} <= set(figures["soak"])
    assert figures["false_frames_per_1e7_bytes"] == max(figures["false_frames_per_1e7_bytes_of"].values())
    printed = capsys.readouterr().out
    assert "The receiver at its limits" in printed and str(out) in printed.replace("\n", "")  # long paths wrap
    assert page.section(figures).count("\n| ") == len(page.rows(figures)) + 2
    assert "of those of a new one" in page.section(figures)


def test_main_without_codec_figures_prints_one_line(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["receiver", "--bundle", str(bundle.path), "--codec", str(tmp_path / "none.json")])
    assert cli.main() == 1
    message = capsys.readouterr().err
    assert message.startswith("receiver: ") and message.count("\n") == 1 and "make bench-codec" in message
