"""What the encoder costs on emulated processors, against the committed baseline; and the benchmark that tells it."""

import json
import warnings
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.device import baseline as device_baseline
from benchmarks.device import cli as device
from benchmarks.device import page as device_results
from benchmarks.device.baseline import Baseline, Measured, accept, grown, load, save
from benchmarks.device.measure import TARGETS, Cost, compiler_version, measure
from firmware.tools import core_dir
from host.errors import HostError
from tests.support import firmware as firmware_tools
from wire.bundle import Bundle
from wire.bundle import load as load_bundle

SHIPPED = core_dir.ROOT / "bundles" / "cifar10"
RENEW = "python -m benchmarks.device --accept makes the present costs the baseline"
COST = Cost(1_000_000, 40_000, 20_000, 23_000, 50_000, 25_000, 800)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    if firmware_tools.bundle_path().resolve() != SHIPPED:
        pytest.skip("INKLING_BUNDLE names another bundle than the baseline is of")
    return load_bundle(SHIPPED)


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_has_grown_by_more_than_5_percent(target: str, bundle: Bundle) -> None:
    about, baseline = TARGETS[target], load()
    before = baseline.find(target, "aot", bundle.model_id)
    assert before, f"the baseline is of model {baseline.model_id}, {SHIPPED} is {bundle.model_id}: {RENEW}"
    now = measure(firmware_tools.program(about.environment), about.environment, "aot", bundle)
    worse, compiler = "; ".join(grown(before.cost, now)), compiler_version(about)
    if compiler == before.compiler:
        assert not worse, f"{target}: {worse}. If it must be: {RENEW}"
    elif worse:
        warnings.warn(f"{target}, {compiler} instead of the baseline's {before.compiler}: {worse}", stacklevel=1)


def test_growth_is_told_from_5_percent_on() -> None:
    assert grown(COST, COST) == []
    assert grown(COST, replace(COST, instructions=1_050_000, stack_bytes=1)) == []
    larger = replace(COST, instructions=1_050_001, encoder_ram_bytes=24_200)
    assert grown(COST, larger) == [
        "instructions grew from 1,000,000 to 1,050,001 (+5.0 %)",
        "encoder_ram_bytes grew from 23,000 to 24,200 (+5.2 %)",
    ]


def test_the_committed_baseline_holds_every_program() -> None:
    baseline = load()
    assert baseline.bundle == SHIPPED.name
    for target, about in TARGETS.items():
        assert set(baseline.measured[target]) == set(about.engines)
    whole = device_results.whole_model(baseline.whole_model)
    assert (whole.figures["instructions"], whole.figures["arena_bytes"]) == (29_900_000, 54_996)
    assert (whole.figures["firmware_flash_bytes"], whole.accuracy) == (204_552, 0.8702)


def test_accepting_keeps_what_was_not_measured_now(tmp_path: Path) -> None:
    first = Measured(COST, "gcc 1", "2026-01-01", "make bench-device")
    second = replace(first, cost=replace(COST, instructions=5), date="2026-02-02")
    old = Baseline("b", "0000000a", {"cortex-m4": {"aot": first, "tflm": first}}, {"name": "whole"})
    new = accept(old, "b", "0000000a", {"cortex-m4": {"aot": second}, "rv32imc": {"aot": second}})
    assert new.measured == {"cortex-m4": {"aot": second, "tflm": first}, "rv32imc": {"aot": second}}
    save(new, tmp_path / "baseline.json")
    assert load(tmp_path / "baseline.json") == new
    assert new.find("cortex-m4", "tflm", "0000000a") == first and new.find("cortex-m4", "tflm", "0000000b") is None
    other = accept(old, "c", "0000000b", {"cortex-m4": {"aot": second}})
    assert other.measured == {"cortex-m4": {"aot": second}} and other.whole_model == {"name": "whole"}
    (tmp_path / "baseline.json").write_text("{}")
    with pytest.raises(HostError, match=r"baseline .*baseline.json: KeyError"):
        load(tmp_path / "baseline.json")


def test_the_benchmark_writes_its_figures(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(device, "build", lambda environment, **_options: firmware_tools.program(environment))
    monkeypatch.setattr(device, "tflm_in_reach", lambda: False)
    earlier = Measured(COST, "gcc 1", "2026-01-01", "make bench-device")
    whole = load().whole_model
    baseline = Baseline(bundle.name, bundle.model_id, {"cortex-m4": {"aot": earlier, "tflm": earlier}}, whole)
    monkeypatch.setattr(device_baseline, "load", lambda: baseline)
    device.run([SHIPPED], tmp_path, False, Console(width=200))
    said = capsys.readouterr().out
    assert "cortex-m4, TFLite Micro, CMSIS-NN: no TFLite Micro in PLATFORMIO_LIB_EXTRA_DIRS, not measured now" in said
    assert "1,000,000" in said and "29,900,000" in said
    costs = json.loads((tmp_path / "device.json").read_text())
    details = json.loads((tmp_path / "device_details.json").read_text())[bundle.name]
    assert list(costs) == [bundle.name]
    assert {target: list(engines) for target, engines in costs[bundle.name].items()} == {
        "cortex-m4": ["aot"], "rv32imc": ["aot"],
    }  # fmt: skip
    for engines in costs[bundle.name].values():
        assert list(engines["aot"]) == list(asdict(COST))
        assert all(isinstance(figure, int) and figure > 0 for figure in engines["aot"].values())
        assert engines["aot"]["arena_bytes"] <= engines["aot"]["encoder_ram_bytes"] < engines["aot"]["static_ram_bytes"]
        assert engines["aot"]["model_flash_bytes"] < engines["aot"]["firmware_flash_bytes"]
        assert engines["aot"]["instructions"] > bundle.manifest["encoder_macs"]
    section = device_results.section(bundle.name, costs, details, baseline)
    assert "(earlier): measured earlier: gcc 1, 2026-01-01" in section and "times fewer instructions" in section
    assert device_results.draw(tmp_path, bundle.name, costs, details, baseline) == ["device.png"]
    assert (tmp_path / "device.png").stat().st_size > 5000


def test_a_wrong_engine_or_bundle_is_one_line(bundle: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    environment = TARGETS["cortex-m4"].environment
    with pytest.raises(HostError, match="was to have engine tflm and has aot"):
        measure(firmware_tools.program(environment), environment, "tflm", bundle)
    for arguments, told in (
        (["/nowhere"], "device: bundle /nowhere: no such folder\n"),
        ([str(bundle.path.parent), "--accept"], "--accept is for bundles/cifar10 alone\n"),
    ):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("sys.argv", ["device", *arguments])
            try:
                assert device.main() == 1
            except SystemExit as end:
                assert end.code == 2
        assert capsys.readouterr().err.endswith(told)
