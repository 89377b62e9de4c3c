"""The process that runs a bundle's ONNX file: its limits, and files that pass the check but misbehave."""

import errno
import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from host.classify import network, onnx_check
from host.classify.decoder import Decoder
from host.errors import HostError
from tests.support.host import make_bundle, weights
from wire.bundle import Bundle

LEVEL = 7  # of the first symbol, which makes a decoder misbehave; the decoder is loaded with symbols that are missing


def constant(name: str, value: object, dtype: type = np.float32) -> TensorProto:
    """Return a constant of the graph."""
    return numpy_helper.from_array(np.array(value, dtype), name)


def node(operator: str, inputs: str, output: str, **attributes: object) -> NodeProto:
    """Return a node; the names of its inputs are separated by spaces."""
    made = helper.make_node(operator, inputs.split(), [output])
    made.attribute.extend(helper.make_attribute(name, value) for name, value in attributes.items())
    return made


def with_nodes(bundle: Bundle, nodes: list[NodeProto], **constants: TensorProto) -> Bundle:
    """Add nodes to a bundle's decoder, which compute `x` (1, 1) from `level` (1, 1), max(first symbol, 0).

    `x` is added to the logits.
    """
    model = onnx.load(bundle.decoder_path)
    graph = model.graph
    graph.node[-1].output[0] = "plain"
    graph.initializer.extend(
        [constant("begin", [0, 0], np.int64), constant("end", [1, 1], np.int64), *constants.values()]
    )
    graph.node.extend([node("Slice", "received begin end", "level"), *nodes, node("Add", "plain x", "logits")])
    onnx.save(model, str(bundle.decoder_path))
    return bundle


def grown(size: int) -> list[NodeProto]:
    """Return nodes that make a square matrix of ones `m` of (size * level + 1) rows."""
    return [
        node("Mul", "level size", "scaled"),
        node("Add", "scaled one", "count"),
        node("Cast", "count", "rows", to=TensorProto.INT64),
        node("Concat", "rows rows", "shapes", axis=1),
        node("Reshape", "shapes flat", "shape"),
        node("Expand", "one shape", "m"),
    ]


def grown_constants(size: int) -> dict[str, TensorProto]:
    """Return the constants that `grown` needs."""
    return {"size": constant("size", size), "one": constant("one", [[1]]), "flat": constant("flat", [-1], np.int64)}


def slow(bundle: Bundle) -> Bundle:
    """Make a bundle's decoder compute for minutes if the first symbol is LEVEL."""
    powers = [node("MatMul", f"{'m' if i == 0 else f'm{i}'} m", f"m{i + 1}") for i in range(3000)]
    last = node("Slice", "m3000 begin end", "x")
    return with_nodes(bundle, [*grown(200), *powers, last], **grown_constants(200))


def first_symbol(level: int) -> np.ndarray:
    """Return symbols (1, 128), zeros but for the first one."""
    return np.array([[level, *[0] * 127]])


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return make_bundle(tmp_path / "b")


def one_line(decoder: Decoder, level: int) -> str:
    """Decode symbols that are refused, and return the message."""
    with pytest.raises(HostError) as error:
        decoder.logits(first_symbol(level), np.zeros(1))
    assert "\n" not in str(error.value) and len(str(error.value)) < 500
    return str(error.value)


def test_decoder_that_computes_for_ever_is_stopped(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "CPU_SECONDS", 1.0)
    decoder = Decoder(slow(bundle))
    started = time.process_time()
    assert one_line(decoder, LEVEL) == f"bundle {bundle.path}: decoder.onnx needs more than 1 s of CPU time"
    assert time.process_time() - started < 1, "the time passes in the other process"
    assert one_line(decoder, 0).endswith("decoder.onnx has been stopped")


def test_decoder_that_takes_long_to_load_is_stopped(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "CPU_SECONDS", 1.0)
    powers = [node("MatMul", f"{'large' if i == 0 else f'm{i}'} large", f"m{i + 1}") for i in range(3000)]
    large = constant("large", np.ones((1000, 1000)))  # onnxruntime computes with constants when it loads a file
    with pytest.raises(HostError, match=r"decoder\.onnx needs more than 1 s of CPU time$"):
        Decoder(with_nodes(bundle, [*powers, node("Slice", "m3000 begin end", "x")], large=large))


def test_decoder_that_needs_much_memory_is_refused(bundle: Bundle) -> None:
    decoder = Decoder(with_nodes(bundle, [*grown(3000), node("Slice", "m begin end", "x")], **grown_constants(3000)))
    plain = decoder.logits(first_symbol(0), np.zeros(1))
    np.testing.assert_allclose(plain, first_symbol(0) @ weights(0) + 1, atol=1e-3)
    assert "decoder.onnx cannot be run: " in one_line(decoder, LEVEL)  # 1.8 GB
    np.testing.assert_array_equal(decoder.logits(first_symbol(0), np.zeros(1)), plain)


def test_decoder_that_doubles_a_tensor_without_end_is_refused(bundle: Bundle) -> None:
    doubled = [node("Concat", f"{'level' if i == 0 else f'm{i}'} " * 2, f"m{i + 1}", axis=0) for i in range(50)]
    with pytest.raises(HostError, match=r"decoder\.onnx (cannot be run: |ended its process)"):
        Decoder(with_nodes(bundle, [*doubled, node("Slice", "m50 begin end", "x")]))


def test_decoder_with_another_shape_for_some_symbols_is_refused(bundle: Bundle) -> None:
    nodes = [*grown(1), node("ReduceSum", "m one_axis", "x", keepdims=1)]  # (rows, 1): logits of (rows, 10)
    axis = {"one_axis": constant("one_axis", [1], np.int64)}
    decoder = Decoder(with_nodes(bundle, nodes, **grown_constants(1), **axis))
    assert one_line(decoder, LEVEL).endswith("decoder.onnx gives float32 (8, 10) for 1 images, not float32 (1, 10)")
    assert decoder.logits(first_symbol(0), np.zeros(1)).shape == (1, 10)


@pytest.mark.parametrize("operator", ["Log", "Reciprocal"])
def test_decoder_that_gives_no_finite_numbers_is_refused(bundle: Bundle, operator: str) -> None:
    nodes = [node("Sub", "seven level", "rest"), node(operator, "rest", "x")]
    decoder = Decoder(with_nodes(bundle, nodes, seven=constant("seven", [[LEVEL]])))
    assert np.isfinite(decoder.logits(first_symbol(LEVEL - 1), np.zeros(1))).all()
    assert one_line(decoder, LEVEL).endswith("decoder.onnx gives values that are not finite")


def test_decoder_that_gives_texts_is_refused(bundle: Bundle) -> None:
    model = onnx.load(bundle.decoder_path)
    model.graph.node[-1].output[0] = "plain"
    model.graph.node.append(node("Cast", "plain", "logits", to=TensorProto.STRING))
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.STRING
    onnx.save(model, str(bundle.decoder_path))
    with pytest.raises(HostError, match=r"decoder\.onnx gives object \(2, 10\) for 2 images, not float32 \(2, 10\)$"):
        Decoder(bundle)


def test_names_in_a_fault_are_printable(bundle: Bundle) -> None:
    model = onnx.load(bundle.decoder_path)
    model.graph.node[0].input[0] = "\x1b[2J missing"
    onnx.save(model, str(bundle.decoder_path))
    with pytest.raises(HostError, match=r"decoder\.onnx cannot be run: .*missing") as error:
        Decoder(bundle)
    assert str(error.value).isprintable()


def test_process_opens_no_file_even_if_the_check_is_passed(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(np.ones(10, np.float32).tobytes())
    outside = constant("outside", np.zeros(10))
    outside.ClearField("raw_data")
    outside.data_location = TensorProto.EXTERNAL
    for key, value in (("location", str(secret)), ("offset", "0"), ("length", "40")):
        outside.external_data.add(key=key, value=value)
    model = onnx.load(bundle.decoder_path)
    model.graph.initializer.append(outside)
    model.graph.node[-1].output[0] = "plain"
    model.graph.node.append(node("Add", "plain outside", "logits"))
    bundle.decoder_path.write_bytes(model.SerializeToString())
    monkeypatch.setattr(onnx_check, "check", lambda content: None)
    with pytest.raises(HostError, match=rf"decoder\.onnx cannot be run: .*{errno.EMFILE}$"):
        Decoder(bundle)


def test_signal_ends_the_wait_for_a_decoder(bundle: Bundle) -> None:
    """A handler's exception comes through at once, as Ctrl-C's does, and the process is gone."""
    decoder = Decoder(slow(bundle))
    process = decoder._network._process

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        started = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            decoder.logits(first_symbol(LEVEL), np.zeros(1))
        assert 0.4 < time.monotonic() - started < 5
    finally:
        signal.signal(signal.SIGALRM, before)
    assert process.returncode == -signal.SIGKILL


def test_process_ends_with_its_decoder(bundle: Bundle) -> None:
    decoder = Decoder(bundle)
    process = decoder._network._process
    assert process.poll() is None and os.getsid(process.pid) == process.pid, "no Ctrl-C of the terminal"
    del decoder
    assert process.returncode == -signal.SIGKILL


def test_decoder_reports_a_process_that_is_killed(bundle: Bundle) -> None:
    decoder = Decoder(bundle)
    decoder._network._process.kill()
    assert "decoder.onnx ended its process (status -9): it may need more than 512 MiB" in one_line(decoder, 0)


def test_decoder_reports_a_process_that_cannot_start(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", fail)
    with pytest.raises(HostError, match="cannot start a process to decode in: Resource temporarily unavailable"):
        Decoder(bundle)


def test_batches_of_any_size(bundle: Bundle) -> None:
    decoder, rng = Decoder(bundle), np.random.default_rng(0)
    for count in (0, 1, network.BATCH, 2 * network.BATCH + 3):
        symbols = rng.integers(-1, 8, (count, 128))
        found = decoder.logits(symbols, np.full(count, 0.25))
        assert found.shape == (count, 10) and found.dtype == np.float32
        np.testing.assert_allclose(found, np.maximum(symbols, 0) @ weights(0) - 0.25, atol=1e-3)
