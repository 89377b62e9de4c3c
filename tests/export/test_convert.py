"""Conversion of an encoder with several outputs, and of its decoder: order, one scale, the files' contents."""

import copy

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from export import convert
from export.convert import HALF_FROM
from export.errors import ExportError
from export.inspect_tflite import operators
from host.classify import onnx_check
from host.errors import HostError
from host.reference import ReferenceEncoder, int8_pixels
from tests.export.conftest import Converted
from tests.support import ROOT
from tests.support.codec import ALONE, CLASSES, CONFIG, HEADS, images, make_codec
from train.codecs.fakequant import int8_parameters
from wire.answer import answer_word

pytestmark = pytest.mark.training

SHAPES = [*HEADS, (1, 1, CLASSES)]
SIZES = np.cumsum([np.prod(shape) for shape in SHAPES])[:-1]


def pixels(count: int) -> np.ndarray:
    """Return random images uint8 (count, 16, 16, 3)."""
    return np.random.default_rng(5).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)


def separate_outputs(converted: Converted, count: int) -> tuple[list[np.ndarray], list[tuple[float, int]]]:
    """Return the outputs int8 (count, size) of the encoder before it got one scale, and each one's quantization."""
    interpreter = Interpreter(
        model_path=str(converted.separate), experimental_op_resolver_type=OpResolverType.BUILTIN_REF
    )
    interpreter.allocate_tensors()
    outputs = interpreter.get_output_details()
    rows = []
    for image in int8_pixels(pixels(count)):
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image[None])
        interpreter.invoke()
        rows.append([interpreter.get_tensor(output["index"]).ravel() for output in outputs])
    columns = [np.stack(column) for column in zip(*rows, strict=True)]
    return columns, [(float(o["quantization"][0]), int(o["quantization"][1])) for o in outputs]


# Outputs


def test_outputs_of_every_file_are_the_heads_in_order_then_the_scores(converted: Converted) -> None:
    reference = ReferenceEncoder(converted.files.encoder_tflite)
    assert reference.shapes == SHAPES
    interpreter = Interpreter(model_path=str(converted.files.float_tflite))
    assert [tuple(output["shape"]) for output in interpreter.get_output_details()] == [(1, *shape) for shape in SHAPES]
    graph = onnx.load(str(converted.files.encoder_onnx)).graph
    assert [output.name for output in graph.output] == ["latent_0", "latent_1", "latent_2", "scores"]
    assert convert.output_names(make_codec(base=CONFIG)) == ["latent_0"]
    assert convert.output_names(make_codec(base=ALONE)) == ["scores"]


def test_int8_outputs_are_those_of_training_in_their_places(converted: Converted) -> None:
    """The heads have equal numbers of dimensions and may be swapped: compare values, head by head."""
    x = images(8)
    scale, zero_point = ReferenceEncoder(converted.files.encoder_tflite).output_quantization
    as_pixels = (x.permute(0, 2, 3, 1).numpy() * 255).round().astype(np.uint8)
    x = torch.from_numpy(as_pixels).permute(0, 3, 1, 2) / 255
    found = np.split(ReferenceEncoder(converted.files.encoder_tflite).outputs(as_pixels), SIZES, axis=1)
    with torch.no_grad():
        expected = converted.codec.encoder.outputs(x)
    for integers, real in zip(found, expected, strict=True):
        values = (integers.astype(np.float32) - zero_point) * scale
        flat = real.permute(0, 2, 3, 1).flatten(1).numpy()
        assert abs(values - flat).max() < 4 * scale and abs(values - flat).mean() < 0.6 * scale
        assert flat.std() > 3 * scale


def test_share_scale_gives_all_outputs_the_range_that_holds_each(converted: Converted) -> None:
    _, separate = separate_outputs(converted, 1)
    assert len(set(separate)) > 1
    low = min(scale * (-128 - zero) for scale, zero in separate)
    high = max(scale * (127 - zero) for scale, zero in separate)
    scale, zero_point = ReferenceEncoder(converted.files.encoder_tflite).output_quantization
    assert (scale, zero_point) == (pytest.approx(int8_parameters(low, high)[0]), int8_parameters(low, high)[1])
    shared = converted.codec.encoder.layers[-1].get_submodule("range")
    trained = int8_parameters(float(shared.get_buffer("low")), float(shared.get_buffer("high")))
    # Each output's own range ends at whole steps of its zero point, up to half a step outside of its values.
    assert scale == pytest.approx(trained[0], rel=1 / 255) and abs(zero_point - trained[1]) <= 1


def test_share_scale_moves_no_value_by_more_than_a_step(converted: Converted) -> None:
    separate, quantizations = separate_outputs(converted, 30)
    reference = ReferenceEncoder(converted.files.encoder_tflite)
    scale, zero_point = reference.output_quantization
    together = np.split(reference.outputs(pixels(30)), SIZES, axis=1)
    wider = 0
    for before, (own_scale, own_zero), after in zip(separate, quantizations, together, strict=True):
        one, other = (before.astype(float) - own_zero) * own_scale, (after.astype(float) - zero_point) * scale
        inside = (before > -128) & (before < 127)  # a clipped value has its true one after the edit
        assert inside.mean() > 0.9
        assert abs(one - other)[inside].max() <= scale
        wider += scale > 1.01 * own_scale
    assert wider >= 1


def test_share_scale_changes_nothing_but_the_outputs(converted: Converted) -> None:
    before, after = operators(converted.separate), operators(converted.files.encoder_tflite)
    assert [op.name for op in before] == [op.name for op in after]
    scale, zero_point = ReferenceEncoder(converted.files.encoder_tflite).output_quantization
    changed = [new for old, new in zip(before, after, strict=True) if old != new]
    assert len(changed) <= len(SHAPES)
    assert all((op.scale, op.zero_point) == (pytest.approx(scale), zero_point) for op in changed)


def test_share_scale_refuses_output_that_is_no_convolutions(converted: Converted) -> None:
    def sum_as_output(model) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - a generated class
        graph = model.subgraphs[0]
        (added,) = (op.outputs[0] for op in graph.operators if len(op.inputs) == 2)
        graph.outputs = [*graph.outputs[:-1], added]

    with pytest.raises(ExportError, match="an output of the converted encoder does not come from a convolution"):
        convert.rewrite(converted.separate.read_bytes(), sum_as_output, convert.share_scale)


def test_output_quantization_refuses_outputs_of_several_scales(converted: Converted) -> None:
    with pytest.raises(HostError, match=r"the outputs of the encoder have several scales: \[\(0\.0") as caught:
        _ = ReferenceEncoder(converted.separate).output_quantization
    assert "\n" not in str(caught.value)


def test_in_order_sorts_outputs_by_number_and_leaves_one_output(converted: Converted) -> None:
    names: list[bytes] = []

    def shuffle(model) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - a generated class
        graph = model.subgraphs[0]
        for number, index in zip((10, 9, 2, 0), graph.outputs, strict=True):
            graph.tensors[index].name = b"StatefulPartitionedCall:%d" % number

    def read(model) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - a generated class
        graph = model.subgraphs[0]
        names.extend(graph.tensors[index].name for index in graph.outputs)

    convert.rewrite(converted.files.encoder_tflite.read_bytes(), shuffle, convert.in_order, read)
    assert [name.split(b":")[1] for name in names] == [b"0", b"2", b"9", b"10"]


def test_rewrite_without_edits_keeps_the_bytes_that_the_encoder_computes(converted: Converted) -> None:
    file = converted.files.encoder_tflite
    copied = file.with_name("copied.tflite")
    copied.write_bytes(convert.rewrite(file.read_bytes()))
    np.testing.assert_array_equal(
        ReferenceEncoder(copied).outputs(pixels(3)), ReferenceEncoder(file).outputs(pixels(3))
    )


# Decoder


def test_decoder_file_has_the_documented_inputs_and_takes_any_batch(converted: Converted) -> None:
    session = onnxruntime.InferenceSession(str(converted.files.decoder_onnx), providers=["CPUExecutionProvider"])
    assert [(node.name, node.type, node.shape[1:]) for node in session.get_inputs()] == [
        ("symbols", "tensor(int64)", [186]), ("ber", "tensor(float)", []), ("answer", "tensor(int64)", []),
    ]  # fmt: skip
    assert [node.name for node in session.get_outputs()] == ["logits"]
    rng = np.random.default_rng(0)
    for n in (1, 3, 17):
        symbols = rng.integers(-1, 8, (n, 186))
        ber = rng.choice(np.array([0, 1e-3, 0.1], np.float32), n)
        answer = rng.choice(np.array([-1, answer_word(3, 9), 77]), n)
        (logits,) = session.run(None, {"symbols": symbols, "ber": ber, "answer": answer})
        with torch.no_grad():
            expected = converted.codec.decode(*map(torch.from_numpy, (symbols, ber, answer)))
        np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-3)


def test_decoder_file_of_a_codec_without_answer_head_has_no_answer(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("decoder") / "decoder.onnx"
    codec = make_codec().eval()
    convert.decoder_onnx(codec, file)
    assert [node.name for node in onnx.load(str(file)).graph.input] == ["symbols", "ber"]


def test_decoder_file_stores_large_weights_as_float16_and_all_others_as_they_are(converted: Converted) -> None:
    graph = onnx.load(str(converted.files.decoder_onnx)).graph
    large = [w for w in graph.initializer if np.prod(w.dims) >= HALF_FROM]
    kinds = {w.name: w.data_type for w in large if w.data_type != onnx.TensorProto.INT64}
    assert len(kinds) >= 10 and set(kinds.values()) == {onnx.TensorProto.FLOAT16}
    names = [name.removesuffix(".half") for name in kinds]
    assert any("classify.weight" in name for name in names) and any("stages.0.blocks" in name for name in names)
    casts = {node.input[0] for node in graph.node if node.op_type == "Cast"}
    assert set(kinds) <= casts
    small = [w for w in graph.initializer if 1 < np.prod(w.dims) < HALF_FROM]
    assert onnx.TensorProto.FLOAT16 not in {w.data_type for w in small}


def test_store_as_half_keeps_weights_that_float16_would_round(converted: Converted) -> None:
    model = onnx.load(str(converted.files.decoder_onnx))
    exact = np.full(HALF_FROM, 0.1, np.float32)  # no float16 value
    model.graph.initializer.append(onnx.numpy_helper.from_array(exact, "exact"))
    convert._store_as_half(model)
    (kept,) = (w for w in model.graph.initializer if w.name == "exact")
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(kept), exact)


def test_decoder_file_has_neither_external_data_nor_paths_nor_traces(converted: Converted) -> None:
    file = converted.files.decoder_onnx
    model, content = onnx.load(str(file), load_external_data=False), file.read_bytes()
    assert all(not w.external_data and w.data_location == onnx.TensorProto.DEFAULT for w in model.graph.initializer)
    for word in (str(ROOT), "site-packages", "stack_trace", ".py", "/root", "/home"):
        assert word.encode() not in content, word
    assert not any(node.doc_string or node.metadata_props for node in model.graph.node)
    assert [entry.domain for entry in model.opset_import] == [""]


def test_decoder_file_has_only_operators_that_hosts_run(converted: Converted) -> None:
    onnx_check.check(converted.files.decoder_onnx.read_bytes())


def test_decoder_file_repeats_byte_for_byte(converted: Converted) -> None:
    again = converted.files.decoder_onnx.with_name("again.onnx")
    convert.decoder_onnx(copy.deepcopy(converted.codec), again)
    assert again.read_bytes() == converted.files.decoder_onnx.read_bytes()
