"""The C implementation against the Python: equal vectors, equal frames, nothing written outside a buffer."""

import json
from ctypes import CDLL, Structure, c_char_p, c_int8, create_string_buffer
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import wire_c
from tests.support.wire_c import BAD_FIELD, NO_ROOM, OK, GuardedBuffer
from tests.wire import make_vectors
from wire import bch, control, frame, payload
from wire.crc import crc16, crc32

VECTORS = json.loads(make_vectors.PATH.read_text(encoding="utf-8"))
WRITERS = {
    "info": ("wire_info_write", wire_c.Info),
    "run": ("wire_run_cost_write", wire_c.RunCost),
    "radio": ("wire_radio_report_write", wire_c.RadioReport),
    "answer by radio": ("wire_radio_report_write", wire_c.RadioReport),
    "bench": ("wire_bench_result_write", wire_c.BenchResult),
}
# Names in control.Info -> names in C.
COUNTS = {"symbols": "symbol_count", "chunks": "chunk_count", "classes": "class_count"}


@pytest.fixture(scope="module")
def c(tmp_path_factory: pytest.TempPathFactory) -> CDLL:
    return wire_c.compile_library(tmp_path_factory.mktemp("wire"))


def feature(c: CDLL, model: wire_c.Model, fields: dict, capacity: int, sync: bool) -> tuple[int, int, GuardedBuffer]:
    """Call wire_feature_frame with a guarded buffer. Returns length, status and the buffer."""
    out = GuardedBuffer(capacity)
    outputs = [*fields["latent"], *fields.get("scores", ())]
    result = c.wire_feature_frame(
        out.start, capacity, model, fields["device"], fields["sequence"], fields["chunk"],
        (c_int8 * len(outputs))(*outputs), sync,
    )  # fmt: skip
    return result.length, result.status, out


def model_of(vector: dict) -> wire_c.Model:
    return wire_c.model(
        vector["model_number"], vector["symbol_table"], vector["symbol_order"], vector["chunks"], vector["bits"],
        VECTORS["answer_weights"], len(vector.get("scores", ())), len(vector["latent"]),
    )  # fmt: skip


def test_codes_match_vectors(c: CDLL) -> None:
    for vector in VECTORS["bch"]:
        assert wire_c.encode_header(c, vector["word"]).hex() == vector["block"]
    for vector in VECTORS["crc16"]:
        data = bytes.fromhex(vector["data"])
        assert c.wire_crc16(vector["initial"], data, len(data)) == vector["crc"]
    for vector in VECTORS["crc32"]:
        data = bytes.fromhex(vector["data"])
        assert c.wire_crc32(0, data, len(data)) == vector["crc"]


@pytest.mark.parametrize("vector", VECTORS["features"], ids=lambda v: f"{v['bits']}bit-{len(v['levels'])}")
def test_feature_frame_matches_vectors(c: CDLL, vector: dict) -> None:
    for sync, expected in ((True, vector["frame"]), (False, vector["lora"])):
        length, status, out = feature(c, model_of(vector), vector, len(expected) // 2, sync)
        assert (status, out.bytes()[:length].hex()) == (OK, expected)


@pytest.mark.parametrize("vector", VECTORS["payloads"], ids=lambda v: f"{len(v['levels'])}x{v['bits']}")
def test_payload_matches_vectors(c: CDLL, vector: dict) -> None:
    """The latent values are level - 128, and the table is the identity."""
    symbols, bits = vector["levels"], vector["bits"]
    model = wire_c.model(0, [*range(256)], [*range(len(symbols))], [[0, len(symbols)]], bits)
    fields = {"device": 0, "sequence": 0, "chunk": 0, "latent": [level - 128 for level in symbols]}
    length, _, out = feature(c, model, fields, 4096, sync=False)
    assert out.bytes()[8 : length - 2].hex() == vector["interleaved"]
    assert c.wire_interleaver_step(len(symbols) * bits) == vector["step"]


@pytest.mark.parametrize("vector", VECTORS["replies"], ids=lambda v: v["kind"])
def test_reply_matches_vectors(c: CDLL, vector: dict) -> None:
    if vector["kind"] == "mode":  # two bytes, which the firmware writes itself
        data = bytes(vector["fields"].values())
    else:
        data = write_data(c, vector["kind"], vector["fields"])
    assert data.hex() == vector["data"]
    out = GuardedBuffer(len(vector["frame"]) // 2)
    result = c.wire_reply_frame(
        out.start, out.capacity, vector["device"], vector["model_number"], vector["opcode"], vector["request"],
        data, len(data),
    )  # fmt: skip
    assert (result.status, result.length) == (OK, out.capacity)
    assert out.bytes().hex() == vector["frame"] and out.intact(result.length)


def write_data(c: CDLL, kind: str, fields: dict) -> bytes:
    """Return the data of a reply as the C writes it. Nothing must be written after it."""
    size = len(make_vectors.reply_data()[kind][1])
    out = create_string_buffer(b"\xa5" * (size + 8), size + 8)
    if kind == "error":
        c.wire_error_write(out, fields["code"], fields["opcode"])
    elif kind == "packet":
        quarters = round(4 * fields["rssi_dbm"]), round(4 * fields["snr_db"])
        c.wire_packet_head_write(out, wire_c.PacketHead(fields["crc_ok"], *quarters))
        assert out.raw[control.Packet.FORMAT.size :] == b"\xa5" * (size + 8 - control.Packet.FORMAT.size)
        return out.raw[: control.Packet.FORMAT.size] + bytes.fromhex(fields["payload"])
    else:
        name, structure = WRITERS[kind]
        values = structure()
        for key, value in fields.items():
            set_field(values, key, value)
        getattr(c, name)(out, values)
    assert out.raw[size:] == b"\xa5" * 8
    return out.raw[:size]


def set_field(values: Structure, key: str, value: Any) -> None:  # noqa: ANN401 - a field of any reply
    """Set the C field, or fields, of a Python field."""
    if key == "input_shape":
        for name, size in zip(("height", "width", "channels"), value, strict=True):
            setattr(values, name, size)
    elif key == "firmware_version":
        values.firmware_version[:] = value
    elif key != "wire_version":  # a constant in C
        setattr(values, COUNTS.get(key, key), value.encode() if isinstance(value, str) else value)


@pytest.mark.parametrize("vector", VECTORS["statuses"], ids=lambda v: v["device"])
def test_status_matches_vectors(c: CDLL, vector: dict) -> None:
    fields = {key: value for key, value in vector["fields"].items() if key != "setting"}
    out = create_string_buffer(b"\xa5" * 28, 28)
    c.wire_status_write(out, wire_c.BoardStatus(**fields))
    assert out.raw[20:] == b"\xa5" * 8
    frame_out = GuardedBuffer(len(vector["frame"]) // 2)
    number = vector["model_number"]
    c.wire_reply_frame(frame_out.start, frame_out.capacity, vector["device"], number, 0x88, 0, out.raw[:20], 20)
    assert frame_out.bytes().hex() == vector["frame"] == "1acffc1d" + vector["lora"]


def test_status_keeps_its_fields_apart(c: CDLL) -> None:
    """A mode or threshold that is out of range does not change another field."""
    out = create_string_buffer(20)
    c.wire_status_write(out, wire_c.BoardStatus(mode=0xFF, threshold=0))
    assert out.raw[13] == 0x70
    c.wire_status_write(out, wire_c.BoardStatus(threshold=0xFF))
    assert out.raw[13] == 0x0F


@pytest.mark.parametrize("text", [b"", b"seven__", b"exactly8", b"much longer than eight"])
def test_info_pads_and_truncates_texts(c: CDLL, text: bytes) -> None:
    info = wire_c.Info(engine=text, target=b"t" * 40)
    out = create_string_buffer(71)
    c.wire_info_write(out, info)
    unpacked = control.Info.unpack(out.raw)
    assert unpacked.engine.encode() == text[:8]
    assert unpacked.target == "t" * 24


@given(st.integers(0, (1 << 24) - 1))
def test_bch_encode_matches_python(c: CDLL, word: int) -> None:
    assert wire_c.encode_header(c, word) == bch.HEADER.encode(word)


@given(st.binary(max_size=300), st.integers(0, 0xFFFF), st.data())
def test_crcs_match_python_in_parts(c: CDLL, text: bytes, initial: int, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(text)))
    left, right = text[:cut], text[cut:]
    assert c.wire_crc16(c.wire_crc16(initial, left, cut), right, len(right)) == crc16(text, initial)
    assert c.wire_crc32(c.wire_crc32(0, left, cut), right, len(right)) == crc32(text)


def test_interleaver_step_matches_python(c: CDLL) -> None:
    for n_bits in [*range(2, 4097), 8 * 65535, 8 * 65535 + 16]:
        assert c.wire_interleaver_step(n_bits) == payload.interleaver(n_bits)[1]
    assert c.wire_interleaver_step(1) == 1


@given(
    data=st.data(), bits=st.integers(1, 8), size=st.integers(1, 300), number=st.integers(0, (1 << 32) - 1),
    classes=st.integers(0, 40),
)  # fmt: skip
@settings(max_examples=150)
def test_feature_frame_matches_python(
    c: CDLL, data: st.DataObject, bits: int, size: int, number: int, classes: int
) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 1 << 30)))
    latent = rng.integers(-128, 128, size)
    table = rng.integers(0, 1 << bits, 256)
    order = rng.permutation(size)[: data.draw(st.integers(1, size))]
    first = data.draw(st.integers(0, len(order) - 1))
    count = data.draw(st.integers(1, len(order) - first))
    chunk = data.draw(st.integers(0, 15))
    fields = {
        "device": data.draw(st.integers(0, 255)), "sequence": data.draw(st.integers(0, 31)), "chunk": chunk,
        "latent": latent.tolist(), "scores": rng.integers(100, 128, classes).tolist(),
    }  # fmt: skip
    sync = data.draw(st.booleans())
    chunks = [[0, 1]] * chunk + [[first, count]]
    model = wire_c.model(number, table.tolist(), order.tolist(), chunks, bits, VECTORS["answer_weights"], classes, size)

    packed = payload.pack(table[latent[order[first : first + count]] + 128], bits)
    n_bits = count * bits
    if classes:
        packed = make_vectors.answer_of(fields["scores"]).word.to_bytes(2, "big") + packed
        n_bits += 16
    header = frame.Header(frame.FrameType.FEATURE, fields["device"], fields["sequence"], number & 31, chunk)
    expected = frame.feature_frame(header, packed, n_bits, number, sync)
    length, status, out = feature(c, model, fields, len(expected), sync)
    assert (status, out.bytes()[:length]) == (OK, expected)
    assert out.intact(length)


@pytest.mark.parametrize("sync", [True, False])
def test_feature_frame_respects_capacity(c: CDLL, sync: bool) -> None:
    vector = VECTORS["features"][6]
    needed = len(vector["frame" if sync else "lora"]) // 2
    for capacity in range(needed + 20):
        length, status, out = feature(c, model_of(vector), vector, capacity, sync)
        expected = (needed, OK) if capacity >= needed else (0, NO_ROOM)
        assert (length, status) == expected
        assert out.intact(length)


@pytest.mark.parametrize("wrong", [{"sequence": 32}, {"sequence": 255}, {"chunk": 3}, {"chunk": 15}, {"chunk": 255}])
def test_feature_frame_refuses_wrong_fields(c: CDLL, wrong: dict) -> None:
    vector = VECTORS["features"][0]
    length, status, out = feature(c, model_of(vector), vector | wrong, 200, sync=True)
    assert (length, status) == (0, BAD_FIELD) and out.intact(0)


def test_feature_frame_refuses_empty_chunk(c: CDLL) -> None:
    vector = VECTORS["features"][0] | {"chunks": [[0, 0]], "chunk": 0}
    length, status, out = feature(c, model_of(vector), vector, 200, sync=True)
    assert (length, status) == (0, BAD_FIELD) and out.intact(0)


@given(
    st.integers(0, 255), st.integers(0, 255), st.integers(0, 255), st.integers(0, (1 << 32) - 1),
    st.binary(max_size=80),
)  # fmt: skip
def test_reply_matches_python(c: CDLL, opcode: int, request: int, device: int, number: int, data: bytes) -> None:
    expected = control.reply(opcode, request, data, device, number)
    out = GuardedBuffer(len(expected))
    result = c.wire_reply_frame(out.start, out.capacity, device, number, opcode, request, c_char_p(data), len(data))
    assert (result.status, result.length, out.bytes()) == (OK, len(expected), expected)
    assert out.intact(result.length)


@pytest.mark.parametrize("size", [0, 1, 2, 17, 71])
def test_reply_respects_capacity(c: CDLL, size: int) -> None:
    needed = 20 + size
    for capacity in range(needed + 20):
        out = GuardedBuffer(capacity)
        result = c.wire_reply_frame(out.start, capacity, 1, 2, 0x81, 3, bytes(size), size)
        expected = (needed, OK) if capacity >= needed else (0, NO_ROOM)
        assert (result.length, result.status) == expected
        assert out.intact(result.length)


def test_reply_combines_status_flags(c: CDLL) -> None:
    out = GuardedBuffer(30)
    result = c.wire_reply_frame(out.start, 30, 1, 2, 0x81, 3, bytes(65536), 65536)
    assert (result.length, result.status) == (0, NO_ROOM | BAD_FIELD) and out.intact(0)
