"""The cost of the encoder on emulated processors against the committed baseline, and the benchmark that measures it."""

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
RENEW = "python -m benchmarks.device --accept saves the present costs as the baseline"
COST = Cost(1_000_000, 40_000, 20_000, 23_000, 50_000, 25_000, 800)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    if firmware_tools.bundle_path().resolve() != SHIPPED:
        pytest.skip("INKLING_BUNDLE names another bundle than that of the baseline")
    return load_bundle(SHIPPED)


@pytest.mark.slow
@pytest.mark.emulated
@pytest.mark.parametrize("target", TARGETS)
def test_cost_has_not_grown_by_more_than_5_percent(target: str, bundle: Bundle) -> None:
    processor, baseline = TARGETS[target], load()
    before = baseline.find(target, "aot", bundle.model_id)
    assert before, f"the baseline is of model {baseline.model_id}, {SHIPPED} is {bundle.model_id}: {RENEW}"
    now = measure(firmware_tools.program(processor.environment), processor.environment, "aot", bundle)
    worse, compiler = "; ".join(grown(before.cost, now)), compiler_version(processor)
    if compiler == before.compiler:
        assert not worse, f"{target}: {worse}. If that is intended: {RENEW}"
    elif worse:
        warnings.warn(f"{target}, {compiler} instead of the baseline's {before.compiler}: {worse}", stacklevel=1)


def test_grown_reports_growth_above_5_percent() -> None:
    assert grown(COST, COST) == []
    assert grown(COST, replace(COST, instructions=1_050_000, stack_bytes=1)) == []
    larger = replace(COST, instructions=1_050_001, encoder_ram_bytes=24_200)
    assert grown(COST, larger) == [
        "instructions grew from 1,000,000 to 1,050,001 (+5.0 %)",
        "encoder_ram_bytes grew from 23,000 to 24,200 (+5.2 %)",
    ]


def test_load_returns_every_program() -> None:
    baseline = load()
    assert baseline.bundle == SHIPPED.name
    for target, processor in TARGETS.items():
        assert set(baseline.measured[target]) == set(processor.variants)
    whole = device_results.whole_model(baseline.whole_model)
    assert (whole.figures["instructions"], whole.figures["arena_bytes"]) == (29_900_000, 54_996)
    assert (whole.figures["firmware_flash_bytes"], whole.accuracy) == (204_552, 0.8702)


def test_accept_keeps_costs_that_were_not_measured_now(tmp_path: Path) -> None:
    first = Measured(COST, "gcc 1", "2026-01-01", "python -m benchmarks.device")
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


@pytest.mark.slow
@pytest.mark.emulated
def test_run_writes_figures(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        device, "build", lambda environment, flags="", **_options: firmware_tools.program(environment, flags)
    )
    monkeypatch.setattr(device, "tflm_available", lambda: False)
    earlier = Measured(COST, "gcc 1", "2026-01-01", "python -m benchmarks.device")
    whole = load().whole_model
    baseline = Baseline(bundle.name, bundle.model_id, {"cortex-m4": {"aot": earlier, "tflm": earlier}}, whole)
    monkeypatch.setattr(device_baseline, "load", lambda: baseline)
    device.run([SHIPPED], tmp_path, False, Console(width=200))
    printed = capsys.readouterr().out
    assert "TFLite Micro, CMSIS-NN: not measured, no TFLite Micro in PLATFORMIO_LIB_EXTRA_DIRS" in printed
    assert "1,000,000" in printed and "29,900,000" in printed
    costs = json.loads((tmp_path / "device.json").read_text())
    details = json.loads((tmp_path / "device_details.json").read_text())[bundle.name]
    assert list(costs) == [bundle.name]
    assert {target: list(variants) for target, variants in costs[bundle.name].items()} == {
        "cortex-m4": ["aot", "aot_bakenn_add"], "rv32imc": ["aot"],
    }  # fmt: skip
    for cost in [cost for variants in costs[bundle.name].values() for cost in variants.values()]:
        assert list(cost) == list(asdict(COST))
        assert all(isinstance(figure, int) and figure > 0 for figure in cost.values())
        assert cost["arena_bytes"] <= cost["encoder_ram_bytes"] < cost["static_ram_bytes"]
        assert cost["model_flash_bytes"] < cost["firmware_flash_bytes"]
        assert cost["instructions"] > bundle.manifest["encoder_macs"]
    cortex_m4 = costs[bundle.name]["cortex-m4"]
    assert cortex_m4["aot_bakenn_add"]["instructions"] > 1.1 * cortex_m4["aot"]["instructions"]
    section = device_results.section(bundle.name, costs, details, baseline)
    assert "(earlier): measured earlier: gcc 1, 2026-01-01" in section and "times fewer instructions" in section
    assert "due to our own ADD kernel" in section
    assert device_results.draw(tmp_path, bundle.name, costs, details, baseline) == ["device.png"]
    assert (tmp_path / "device.png").stat().st_size > 5000


@pytest.mark.slow
@pytest.mark.emulated
def test_measure_and_main_report_errors_in_one_line(bundle: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    environment = TARGETS["cortex-m4"].environment
    with pytest.raises(HostError, match="has engine aot, not tflm: build it again"):
        measure(firmware_tools.program(environment), environment, "tflm", bundle)
    for arguments, message in (
        (["/nowhere"], "device: bundle /nowhere: no such folder\n"),
        ([str(bundle.path.parent), "--accept"], "--accept works with bundles/cifar10 only\n"),
    ):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("sys.argv", ["device", *arguments])
            try:
                assert device.main() == 1
            except SystemExit as end:
                assert end.code == 2
        assert capsys.readouterr().err.endswith(message)
