"""The check of ONNX files: what it accepts, what it refuses, and that it agrees with the onnx package."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from google.protobuf.message import DecodeError
from hypothesis import example, given, settings
from hypothesis import strategies as st
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from host.classify.decoder import Decoder
from host.classify.onnx_check import MAX_DEPTH, MAX_FIELDS, OPERATORS, OnnxError, check
from host.errors import HostError
from tests.support.host import make_bundle


def tensor(external: bool = False) -> TensorProto:
    """Return a tensor, by request in another file."""
    made = numpy_helper.from_array(np.arange(4, dtype=np.float32), "weights")
    if external:
        made.data_location = TensorProto.EXTERNAL
        made.external_data.add(key="location", value="/etc/passwd")
    return made


def model(*nodes: NodeProto, initializers: tuple[TensorProto, ...] = ()) -> ModelProto:
    """Return a model of these nodes."""
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])
    graph = helper.make_graph([*nodes], "graph", [value], [value], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


def node(operator: str = "Add", domain: str = "", **attributes: object) -> NodeProto:
    """Return a node."""
    made = helper.make_node(operator, ["x", "y"], ["z"], domain=domain)
    made.attribute.extend(helper.make_attribute(name, value) for name, value in attributes.items())
    return made


def subgraph(*nodes: NodeProto, initializers: tuple[TensorProto, ...] = ()) -> GraphProto:
    """Return a graph for an attribute."""
    return helper.make_graph([*nodes], "inner", [], [], initializers)


def sparse(external: bool) -> onnx.SparseTensorProto:
    """Return a sparse tensor whose values are in another file by request."""
    return helper.make_sparse_tensor(tensor(external), numpy_helper.from_array(np.arange(4), "indices"), [9])


def with_external(place: str) -> ModelProto:
    """Return a model with one external tensor in a place."""
    if place == "initializer":
        return model(node(), initializers=(tensor(), tensor(external=True)))
    if place == "location only":
        made = model(node(), initializers=(tensor(),))
        made.graph.initializer[0].data_location = TensorProto.EXTERNAL
        return made
    if place == "external data only":
        made = model(node(), initializers=(tensor(),))
        made.graph.initializer[0].external_data.add(key="location", value="weights.bin")
        return made
    if place == "sparse initializer":
        made = model(node())
        made.graph.sparse_initializer.append(sparse(external=True))
        return made
    if place == "function":
        made = model(node())
        inner = node("Constant", value=tensor(external=True))
        made.functions.append(helper.make_function("", "f", [], ["z"], [inner], []))
        return made
    attributes: dict[str, object] = {
        "attribute": tensor(external=True),
        "sparse attribute": sparse(external=True),
        "list": [tensor(), tensor(external=True)],
        "graph": subgraph(node("Constant", value=tensor(external=True))),
        "graphs": [subgraph(), subgraph(initializers=(tensor(external=True),))],
    }
    return model(node("Constant", value=attributes[place]))


PLACES = [
    "initializer", "location only", "external data only", "sparse initializer", "function", "attribute",
    "sparse attribute", "list", "graph", "graphs",
]  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_check_refuses_external_data_everywhere(place: str) -> None:
    with pytest.raises(OnnxError, match=r"^a tensor is in an external file$"):
        check(with_external(place).SerializeToString())


def test_check_accepts_tensors_in_the_file() -> None:
    made = model(node(), node("Constant", value=tensor()), node("Constant", value=sparse(external=False)))
    made.graph.initializer.append(tensor())
    made.graph.initializer[0].data_location = TensorProto.DEFAULT
    made.graph.doc_string = "a text"
    check(made.SerializeToString())


@pytest.mark.parametrize(
    ("operator", "domain", "message"),
    [
        ("If", "", "the operator 'If', which is not allowed"),
        ("Loop", "ai.onnx", "the operator 'Loop'"),
        ("RandomUniform", "", "the operator 'RandomUniform'"),
        ("Add", "com.microsoft", "an operator of the domain 'com.microsoft'"),
        ("Add\n" * 30, "", r"the operator 'Add\\nAdd"),
    ],
)
def test_check_refuses_operators_outside_its_list(operator: str, domain: str, message: str) -> None:
    for made in (model(node(operator, domain)), model(node(value=subgraph(node(operator, domain))))):
        with pytest.raises(OnnxError, match=message) as error:
            check(made.SerializeToString())
        assert "\n" not in str(error.value) and len(str(error.value)) < 120
    check(model(node("Add", "ai.onnx")).SerializeToString())


def test_operators_are_of_the_standard_domain() -> None:
    assert not [name for name in OPERATORS if not onnx.defs.has(name)]


def test_check_refuses_overlong_numbers_that_mean_external() -> None:
    """2^32 + 1 is EXTERNAL to a parser that keeps 32 bits."""
    location = bytes([14 << 3, 0x81, 0x80, 0x80, 0x80, 0x10])
    made = model(node()).SerializeToString()
    content = bytes([5 << 3 | 2, len(location)]) + location  # an initializer
    graph = bytes([7 << 3 | 2, len(content)]) + content  # merged with the other graph
    parsed = onnx.load_from_string(made + graph)
    assert parsed.graph.initializer[0].data_location == TensorProto.EXTERNAL
    with pytest.raises(OnnxError, match="external file"):
        check(made + graph)


def test_check_refuses_nesting_without_end() -> None:
    inner = node()
    for _ in range(MAX_DEPTH):
        inner = node(value=subgraph(inner))
    with pytest.raises(OnnxError, match=f"nested more than {MAX_DEPTH} deep"):
        check(model(inner).SerializeToString())


def test_check_refuses_fields_without_end() -> None:
    name = bytes([2 << 3 | 2, 0])  # of the graph
    for count, fits in ((MAX_FIELDS - 1, True), (MAX_FIELDS, False)):
        made = onnx.ModelProto().SerializeToString() + b"\x3a" + _varint(2 * count) + name * count
        if fits:
            check(made)
            continue
        with pytest.raises(OnnxError, match=f"^it has more than {MAX_FIELDS} fields$"):
            check(made)


def _varint(value: int) -> bytes:
    return bytes([value & 0x7F | 0x80, value >> 7 & 0x7F | 0x80, value >> 14])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is empty"),
        (b"\x18\x00\x00\x00ORTM" + bytes(40), "onnxruntime's own format"),
        (b"no onnx", "wire type"),
        (b"\x3a\x7f", "it is truncated"),
        (b"\x3a", "it is truncated"),
        (b"\x00\x00", "field number"),
        (b"\xff\xff\xff\xff\xff\x0f", "integer too long"),
        (b"\x38\x01", "field 7 of a model is not a message"),
        (bytes([0xA2, 1, 0]), "a model has an unknown field, 20"),  # training_info
    ],
)
def test_check_refuses_what_is_no_onnx_file(content: bytes, message: str) -> None:
    with pytest.raises(OnnxError, match=message):
        check(content)


@pytest.mark.parametrize("place", ["initializer", "attribute"])
def test_decoder_never_opens_external_files(tmp_path: Path, place: str) -> None:
    bundle = make_bundle(tmp_path / "b")
    bundle.decoder_path.write_bytes(with_external(place).SerializeToString())
    with pytest.raises(HostError, match=r"decoder.onnx is refused: a tensor is in an external file$"):
        Decoder(bundle)


def tensors_and_nodes(graph: GraphProto) -> Iterator[TensorProto | NodeProto]:
    """Iterate over all tensors and nodes of a graph, as the onnx package reads them."""
    yield from graph.initializer
    for entry in graph.sparse_initializer:
        yield from (entry.values, entry.indices)
    for item in graph.node:
        yield item
        for attribute in item.attribute:
            yield from _of_attribute(attribute)


def _of_attribute(attribute: AttributeProto) -> Iterator[TensorProto | NodeProto]:
    yield from (attribute.t, *attribute.tensors)
    for entry in (attribute.sparse_tensor, *attribute.sparse_tensors):
        yield from (entry.values, entry.indices)
    for graph in (attribute.g, *attribute.graphs):
        yield from tensors_and_nodes(graph)


SEEDS = [with_external(place).SerializeToString() for place in PLACES] + [
    model(node(), node("Constant", value=tensor()), initializers=(tensor(),)).SerializeToString(),
    model(node("If", then_branch=subgraph(node("Mul")))).SerializeToString(),
]


@settings(max_examples=400, deadline=None)
@given(
    seed=st.sampled_from(SEEDS),
    changes=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=6),
    cut=st.none() | st.integers(0, 400),
    extra=st.binary(max_size=12),
)
@example(seed=b"", changes=[], cut=None, extra=b"")
def test_check_accepts_nothing_that_onnx_reads_as_unsafe(
    seed: bytes, changes: list[tuple[int, int]], cut: int | None, extra: bytes
) -> None:
    """Damaged files: `check` raises nothing but OnnxError, and what it accepts is safe in the eyes of onnx."""
    content = bytearray(seed)
    for position, value in changes:
        if content:
            content[position % len(content)] = value
    data = bytes(content[:cut]) + extra
    try:
        check(data)
        parsed = onnx.load_from_string(data)
    except (OnnxError, DecodeError):
        return
    functions = [item for function in parsed.functions for item in function.node]
    graphs = [parsed.graph, helper.make_graph(functions, "functions", [], [])]
    for item in (item for graph in graphs for item in tensors_and_nodes(graph)):
        if isinstance(item, NodeProto):
            assert item.op_type in OPERATORS and item.domain in ("", "ai.onnx")
        else:
            assert item.data_location == TensorProto.DEFAULT and not item.external_data
