"""The figures of the receiver at its limits, on few frames."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.command import RESULTS, ResultsError, read_json
from benchmarks.receiver import cli, measure, page
from benchmarks.receiver.measure import Settings
from host.keys.policy import DevicePolicy
from host.receive.events import Event
from host.receive.stream import StreamReceiver
from tests.host.secured import KEYS
from tests.support import ROOT
from tests.support.host import make_bundle
from wire.bundle import Bundle, BundleError
from wire.frame import FrameType, Header, feature_frame
from wire.secure.limits import max_tag_flips, refused


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("receiver") / "default")


def silent(_: int) -> None:
    """Ignore progress."""


def settings(bundle: Bundle, frames: int = 1, noise_bytes: int = 1, runs: int = 1, secured: bool = False) -> Settings:
    return Settings(bundle, frames, noise_bytes, runs, seed=0, secured=secured)


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


@pytest.mark.slow
def test_secured_header_loss_is_that_of_the_tag(bundle: Bundle) -> None:
    assert measure.header_loss(settings(bundle, 200, secured=True), 0.0, 50, silent) == (0.0, 0)
    for devices in (1, 50):
        loss, false = measure.header_loss(settings(bundle, 1500, secured=True), 0.1, devices, silent)
        # Refused by the tag, and not found in the few cases in which a plain frame is not found either.
        assert refused(max_tag_flips(1), 0.1) - 0.02 < loss < refused(max_tag_flips(1), 0.1) + 0.04 and false == 0
    assert measure.mistaken(settings(bundle, 500, secured=True), 0.1, silent) == 0
    # Header and sync by their codes, as of a plain device, and a tag with at most 6 of 64 flips: see docs/SPEC.md.
    assert measure.header_loss_new_device(settings(bundle, 1500, secured=True), 0.0, silent) == 0
    alone = 1 - (1 - 0.318) * (1 - refused(6, 0.1))
    assert measure.header_loss_new_device(settings(bundle, 8000, secured=True), 0.1, silent) == pytest.approx(
        alone, abs=0.06
    )
    assert measure.false_frames(settings(bundle, noise_bytes=300_000, secured=True), 50, silent) == 0


def test_secured_header_loss_counts_frames_of_a_receiver_with_another_key(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = {0: DevicePolicy(KEYS)}
    monkeypatch.setattr(measure, "policies", lambda settings, devices: other)
    assert measure.header_loss(settings(bundle, 50, secured=True), 0.0, 1, silent) == (1.0, 0)


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
    secured = measure.estimates(settings(bundle, runs=20, secured=True), [1e-2] * 20, silent)
    assert secured[:, 19].mean() == pytest.approx(1e-2, rel=0.25)


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
    files += ["--kept", str(tmp_path / "kept")]
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
    assert page.section(figures, None).count("\n| ") == len(page.rows(figures)) + 2
    assert "of those of a new one" in page.section(figures, None)


@pytest.mark.slow
def test_main_measures_secured_frames_for_a_column_of_their_own(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / page.SECURED_FILE
    few = ["--frames", "50", "--noise", "50000", "--runs", "2", "--soak", "2000", "--seed", "1", "--secured"]
    files = ["--bundle", str(bundle.path), "--out", str(out), "--kept", str(tmp_path / "kept")]
    monkeypatch.setattr(sys, "argv", ["receiver", *few, *files])
    assert cli.main() == 0
    secured = json.loads(out.read_text())
    monkeypatch.setattr(cli, "measure", None)
    monkeypatch.setattr(cli, "soak", None)
    assert cli.main() == 0 and json.loads(out.read_text()) == secured, "the same command reads what it kept"
    assert secured["overhead_bytes"] == {"serial": 24, "lora": 20} and secured["command"].endswith(" --secured")
    assert "accuracy_cost_of_estimated_ber" not in secured and "lora_frames_per_minute" not in secured
    assert next(iter(secured["false_frames_per_1e7_bytes_of"])) == "random bytes, 1 known"
    assert (secured["soak"]["frames"], secured["soak"]["lost_clean"], secured["soak"]["crashes"]) == (2000, 0, 0)
    plain = {**read_json(ROOT / RESULTS / page.FILE), "model_id": bundle.model_id}
    (tmp_path / page.FILE).write_text(json.dumps(plain))
    text = page.section(*page.read(tmp_path))
    assert "| overhead of a frame | 14 bytes serial, 10 bytes LoRa | 24 bytes serial, 20 bytes LoRa |" in text
    assert text.count("\n| ") == len(page.rows(plain)) + 2
    assert "| simulated LoRa frames per minute, slowest SF |" in text and text.count(" | - |") == 3
    assert "*Secured*" in text and secured["command"] in text


def test_page_without_secured_figures_has_one_column(tmp_path: Path) -> None:
    plain = read_json(ROOT / RESULTS / page.FILE)
    (tmp_path / page.FILE).write_text(json.dumps(plain))
    assert page.read(tmp_path) == (plain, None)
    assert "| figure | value |" in page.section(plain, None) and "Secured" not in page.section(plain, None)


def test_page_refuses_secured_figures_of_another_model(tmp_path: Path) -> None:
    (tmp_path / page.FILE).write_text(json.dumps({"model_id": "0000000a"}))
    (tmp_path / page.SECURED_FILE).write_text(json.dumps({"model_id": "0000000b"}))
    with pytest.raises(ResultsError, match="is of model 0000000b, not 0000000a"):
        page.read(tmp_path)


def test_main_without_codec_figures_prints_one_line(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        sys,
        "argv",
        ["receiver", "--bundle", str(bundle.path), "--codec", str(tmp_path / "none.json"), "--kept", str(tmp_path)],
    )
    assert cli.main() == 1
    message = capsys.readouterr().err
    assert message.startswith("receiver: ") and message.count("\n") == 1 and "make bench-codec" in message
