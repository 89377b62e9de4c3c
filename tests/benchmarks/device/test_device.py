"""The cost of the encoder on emulated processors against the committed baseline, and the benchmark that measures it."""

import json
import re
import warnings
from dataclasses import asdict, replace
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from rich.console import Console

from benchmarks.command import ResultsError
from benchmarks.device import baseline as device_baseline
from benchmarks.device import cli as device
from benchmarks.device import curve
from benchmarks.device import page as device_results
from benchmarks.device.baseline import Baseline, Measured, accept, grown, load, save
from benchmarks.device.classifier import bundle_of
from benchmarks.device.measure import TARGETS, Cost, compiler_version, measure
from firmware.tools import core_dir
from firmware.tools.model import generate
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
    other = {"other": {"cortex-m4": {"aot": asdict(COST)}}}
    for name in ("device.json", "device_details.json"):
        (tmp_path / name).write_text(json.dumps(other))
    device.run([SHIPPED], tmp_path, False, Console(width=200))
    printed = capsys.readouterr().out
    assert "TFLite Micro, CMSIS-NN: not measured, no TFLite Micro in PLATFORMIO_LIB_EXTRA_DIRS" in printed
    assert "1,000,000" in printed and "29,900,000" in printed
    costs = json.loads((tmp_path / "device.json").read_text())
    details = json.loads((tmp_path / "device_details.json").read_text())
    assert list(costs) == list(details) == ["other", bundle.name]  # measured before, and stays
    assert costs.pop("other") == details.pop("other") == other["other"]
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
    assert "due to our own ADD kernel" in section and f"\n| {bundle.name} | cifar10 |" in section
    assert device_results.draw(tmp_path, bundle.name, costs, details, baseline) == ["device.png"]
    assert (tmp_path / "device.png").stat().st_size > 5000


def test_curve_compares_hosts_with_the_best_board_at_the_same_cost(tmp_path: Path) -> None:
    def cost(instructions: int) -> dict:
        return {"cortex-m4": {"aot": asdict(replace(COST, instructions=instructions))}}

    def facts(host: float, board: float | None, payload: int | None) -> dict:
        return {"dataset": "cifar10", "accuracy": host, "accuracy_board": board, "payload_bytes": payload}

    device = {"two": cost(2_000_000), "board2": cost(2_100_000), "four": cost(4_000_000), "big": cost(9_000_000)}
    details = {"two": facts(0.80, 0.70, 48), "board2": facts(0.74, 0.74, None), "four": facts(0.85, 0.72, 48),
               "big": facts(0.9, 0.9, None)}  # fmt: skip
    (found,) = curve.networks(device, details).values()
    assert [(one.name, best.name) for one, best in curve.gains(found)] == [("two", "board2"), ("four", "board2")]
    text = "\n".join(curve.section(device, details))
    assert "| two | 2.00 M | 80.00 % | board2 | 2.10 M | 74.00 % | +6.00 points |" in text
    assert curve.draw(tmp_path, device, details) == ["device-cifar10.png"] and "(device-cifar10.png)" in text
    assert curve.section({}, {}) == curve.draw(tmp_path, {}, {}) == []


def small_classifier(file: Path, softmax: bool = True) -> np.ndarray:
    """Write a .tflite file as an old converter does: images of 4 x 4 x 1 to 3 classes; return its weights (3, 16)."""
    weights = np.random.default_rng(0).integers(-127, 128, (3, 16)).astype(np.int8)

    def tensor(name: str, shape: list[int], kind: int, buffer: int, scale: float) -> schema.TensorT:
        one = schema.TensorT()
        one.name, one.shape, one.type, one.buffer = name, shape, kind, buffer
        one.shapeSignature = [-1, *shape[1:]] if not buffer else None
        quantization = schema.QuantizationParametersT()
        quantization.scale, quantization.zeroPoint = [scale], [-128 if name in ("image", "shares") else 0]
        one.quantization = quantization
        return one

    def operator(code: int, inputs: list[int], output: int) -> schema.OperatorT:
        one = schema.OperatorT()
        one.opcodeIndex, one.inputs, one.outputs = code, inputs, [output]
        return one

    int8, int32 = schema.TensorType.INT8, schema.TensorType.INT32
    graph = schema.SubGraphT()
    graph.tensors = [
        tensor("image", [1, 4, 4, 1], int8, 0, 1.0), tensor("shape", [2], int32, 1, 1.0),
        tensor("flat", [1, 16], int8, 0, 1.0), tensor("weights", [3, 16], int8, 2, 0.01),
        tensor("scores", [1, 3], int8, 0, 4.0), tensor("shares", [1, 3], int8, 0, 1 / 256),
    ]  # fmt: skip
    graph.tensors[2].quantization.zeroPoint = [-128]
    linear, last = operator(1, [2, 3, -1], 4), operator(2, [4], 5)
    linear.builtinOptions, linear.builtinOptionsType = (
        schema.FullyConnectedOptionsT(),
        schema.BuiltinOptions.FullyConnectedOptions,
    )
    last.builtinOptions, last.builtinOptionsType = schema.SoftmaxOptionsT(), schema.BuiltinOptions.SoftmaxOptions
    last.builtinOptions.beta = 1.0
    graph.operators, graph.inputs = [operator(0, [0, 1], 2), linear, last], [0]
    graph.outputs = [5]
    if not softmax:
        graph.operators, graph.outputs = graph.operators[:2], [4]
    model = schema.ModelT()
    model.version, model.subgraphs, model.buffers = 3, [graph], [schema.BufferT() for _ in range(3)]
    model.buffers[1].data = list(np.array([1, 16], "<i4").tobytes())
    model.buffers[2].data = list(weights.tobytes())
    model.operatorCodes = []
    kinds = schema.BuiltinOperator
    for kind in (kinds.RESHAPE, kinds.FULLY_CONNECTED, kinds.SOFTMAX):
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = kind
        code.version = 1
        model.operatorCodes.append(code)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    file.write_bytes(bytes(builder.Output()))
    return weights


@pytest.mark.parametrize("softmax", [True, False])
def test_bundle_of_a_classifier_answers_by_its_scores(tmp_path: Path, softmax: bool) -> None:
    weights = small_classifier(tmp_path / "small.tflite", softmax)
    bundle = load_bundle(bundle_of(tmp_path / "small.tflite", tmp_path / "bundle", ["ant", "bee", "cat"]))
    assert (bundle.name, bundle.input_shape, bundle.class_count, bundle.heads) == ("small", (4, 4, 1), 3, ())
    with np.load(bundle.golden_path) as golden:
        expected = (golden["images"].reshape(-1, 16).astype(int) @ weights.T.astype(int)).argmax(1)
        # Scores saturate and are rounded to steps of 4 / 0.01 products: near-ties may go the other way.
        assert (golden["answers"][:, 0] == expected).mean() > 0.6 and len(set(golden["answers"][:, 0])) > 1
    generate(bundle.path, tmp_path / "model", "portable", "tflm")
    operators = (tmp_path / "model" / "inkling_model_ops.h").read_text()
    assert re.findall(r"resolver\.Add(\w+)", operators) == ["FullyConnected", "Reshape"]
    with pytest.raises(HostError, match="for 2 classes"):
        bundle_of(tmp_path / "small.tflite", tmp_path / "other", ["ant", "bee"])
    (tmp_path / "text.tflite").write_text("text")
    with pytest.raises(HostError, match=r"text.tflite is not a .tflite file"):
        bundle_of(tmp_path / "text.tflite", tmp_path / "other")


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


def test_damaged_figures_are_refused_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "build", lambda *_, **__: pytest.fail("built a firmware"))
    (tmp_path / "device.json").write_text("{")
    with pytest.raises(ResultsError, match=r"device\.json cannot be read") as error:
        device.run([SHIPPED], tmp_path, False, Console())
    assert "\n" not in str(error.value)
