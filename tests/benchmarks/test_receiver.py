"""The figures of the receiver at its limits: that they count what they say, on few frames."""

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from benchmarks.receiver import cli as limits
from host.receive.stream import StreamReceiver
from tests.support.host import make_bundle
from wire.bundle import Bundle, BundleError
from wire.frame import FrameType, Header, feature_frame


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("limits") / "default")


def silent(_: int) -> None:
    """No progress bar."""


def codec_file(folder: Path, bundle: Bundle) -> Path:
    rows = {"0.01": (0.80, 0.801), "0.1": (0.70, 0.6995)}
    by_ber = {ber: {"accuracy": a, "accuracy_true_ber_told": b} for ber, (a, b) in rows.items()}
    file = folder / "codec.json"
    file.write_text(json.dumps({"model_id": bundle.model_id, "payload_bytes": {"48": {"by_ber": by_ber}}}))
    return file


def test_header_loss_counts_lost_and_false_frames(bundle: Bundle) -> None:
    assert limits.header_loss(bundle, 0.0, 50, 200, 0, silent) == (0.0, 0)
    loss, false = limits.header_loss(bundle, 0.2, 1, 300, 0, silent)
    assert 0.4 < loss < 1 and false <= 3
    assert limits.header_loss(bundle, 0.05, 50, 2000, 0, silent)[0] <= 0.02
    assert limits.header_loss(bundle, 0.1, 50, 2000, 0, silent)[0] <= 0.1
    assert limits.mistaken(bundle, 0.0, 300, 0, silent) == 0 and limits.mistaken(bundle, 0.1, 1500, 0, silent) < 0.01


def test_a_receiver_that_sees_frames_in_noise_is_noticed(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    assert limits.false_frames(bundle, 50, 300_000, 0, silent) == 0
    phantom = feature_frame(Header(FrameType.FEATURE, 3, 1, bundle.model_bits, 0), bytes(48), 384, bundle.number)

    class Dreamer(StreamReceiver):
        def feed(self, data: bytes) -> list:
            return super().feed(phantom + data if len(data) > 1000 else data)

    monkeypatch.setattr(limits, "StreamReceiver", Dreamer)
    assert limits.false_frames(bundle, 0, 300_000, 0, silent) == 1


def test_estimates_follow_the_rates(bundle: Bundle) -> None:
    found = limits.estimates(bundle, [1e-2] * 20 + [1e-1] * 10, 20, 0, silent)
    assert found.shape == (20, 30)
    assert found[:, 19].mean() == pytest.approx(1e-2, rel=0.25)
    assert found[:, 29].mean() == pytest.approx(1e-1, rel=0.15)
    assert len(np.unique(found[:, 19])) > 10, "each run has its own flips"


def test_the_cost_of_estimating_is_that_of_the_worst_rate(bundle: Bundle, tmp_path: Path) -> None:
    cost, by_ber = limits.cost_of_estimating(codec_file(tmp_path, bundle), bundle)
    assert cost == pytest.approx(0.1) and by_ber["0.1"] == pytest.approx(-0.05)
    (tmp_path / "codec.json").write_text(json.dumps({"model_id": "00000000"}))
    with pytest.raises(BundleError, match="make bench"):
        limits.cost_of_estimating(tmp_path / "codec.json", bundle)
    with pytest.raises(BundleError, match="make bench"):
        limits.cost_of_estimating(tmp_path / "none.json", bundle)


def test_the_command_writes_what_it_prints(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "deep" / "link.json"
    few = ["--frames", "200", "--noise", "100000", "--runs", "3", "--soak", "3000", "--seed", "1"]
    files = ["--bundle", str(bundle.path), "--codec", str(codec_file(tmp_path, bundle)), "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["limits", *few, *files])
    assert limits.main() == 0
    figures = json.loads(out.read_text())
    assert figures["overhead_bytes"] == {"serial": 14, "lora": 10}
    assert list(figures["header_loss"]) == ["0.01", "0.05", "0.1"]
    assert set(figures["ber_estimate"]) == {"0.001", "0.003", "0.01", "0.03", "0.05", "0.1"}
    assert figures["lora_frames_per_minute"] >= 20_000
    assert {"frames", "lost_clean", "crashes", "rss_growth_bytes"} <= set(figures["soak"])
    assert figures["false_frames_per_1e7_bytes"] == max(figures["false_frames_per_1e7_bytes_of"].values())
    printed = capsys.readouterr().out
    assert "The receiver at its limits" in printed and str(out) in printed
    limits.show(figures, Console(file=io.StringIO()))
    assert limits.section(figures).count("\n| ") == len(limits.rows(figures)) + 2


def test_without_the_codecs_figures_it_is_one_line(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(sys, "argv", ["limits", "--bundle", str(bundle.path), "--codec", str(tmp_path / "none.json")])
    assert limits.main() == 1
    said = capsys.readouterr().err
    assert said.startswith("limits: ") and said.count("\n") == 1 and "make bench" in said
