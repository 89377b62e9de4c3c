"""Feature frames, control frames and the committed test vectors."""

import json
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire import make_vectors
from wire import bch, control, frame, payload
from wire.answer import Answer

NUMBERS = st.integers(0, (1 << 32) - 1)
HEADERS = st.builds(
    frame.Header,
    st.sampled_from(frame.FrameType),
    st.integers(0, 255),
    st.integers(0, 31),
    st.integers(0, 31),
    st.integers(0, 15),
)
ANSWERS = st.builds(
    frame.AnswerHeader,
    st.integers(0, 255),
    st.integers(0, 31),
    st.integers(0, 31),
    st.builds(Answer, st.integers(0, 4095), st.integers(0, 15)),
)


def test_vectors_match_code() -> None:
    assert json.loads(make_vectors.PATH.read_text(encoding="utf-8")) == make_vectors.build()


@given(HEADERS)
def test_header_round_trip(header: frame.Header) -> None:
    assert frame.Header.from_word(header.word()) == header
    assert bch.HEADER.decode(header.encode()) == (header.word(), 0)


def test_header_word_bit_order() -> None:
    header = frame.Header(frame.FrameType.COMMAND, 0b10110011, 0b01101, 0b11001, 0b0101)
    assert f"{header.word():024b}" == "10" + "10110011" + "01101" + "11001" + "0101"


@pytest.mark.parametrize(
    "fields",
    [(4, 0, 0, 0, 0), (0, 256, 0, 0, 0), (0, 0, 32, 0, 0), (0, 0, 0, 32, 0), (0, 0, 0, 0, 16), (0, -1, 0, 0, 0)],
)
def test_header_refuses_field_out_of_range(fields: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match="header field"):
        frame.Header(*fields)


@given(ANSWERS)
def test_answer_header_round_trip(header: frame.AnswerHeader) -> None:
    assert frame.AnswerHeader.from_word(header.word()) == header
    assert frame.AnswerHeader.decode(header.encode()) == (header, 0)
    assert bch.HEADER.encode(int.from_bytes(header.encode()[:3], "big")) != header.encode()


def test_answer_header_word_bit_order() -> None:
    header = frame.AnswerHeader(0b10110011, 0b01101, 0b11001, Answer(0b110000010011, 0b0101))
    expected = "11" + "10110011" + "11001" + "110000010011" + "01101" + "0101"
    assert f"{header.word():036b}" == expected
    assert frame.header_part(header.device, header.sequence, header.model) | frame.answer_part(
        header.answer.index, header.answer.confidence
    ) == int(expected, 2)


def test_answer_parts_of_arrays() -> None:
    devices, sequences = np.array([0, 7, 255]), np.array([31, 0, 9])
    parts = frame.header_part(devices, sequences, np.array([0, 20, 31]))
    assert parts.tolist() == [
        frame.header_part(0, 31, 0), frame.header_part(7, 0, 20), frame.header_part(255, 9, 31),
    ]  # fmt: skip
    assert frame.answer_part(np.array([4095, 0]), np.array([15, 1])).tolist() == [(1 << 21) - 1 - (31 << 4), 1]


@given(ANSWERS, st.lists(st.integers(0, 62), unique=True, max_size=5))
def test_answer_header_decode_corrects_five_flips(header: frame.AnswerHeader, positions: list[int]) -> None:
    value = int.from_bytes(header.encode(), "big") ^ sum(1 << 63 - position for position in positions)
    assert frame.AnswerHeader.decode(value.to_bytes(8, "big")) == (header, len(positions))


@given(HEADERS)
def test_answer_header_decode_refuses_other_frames(header: frame.Header) -> None:
    assert frame.AnswerHeader.decode(header.encode()) is None


@pytest.mark.parametrize("kind", range(3))
def test_answer_header_refuses_other_type(kind: int) -> None:
    word = kind << 34 | 12345
    assert frame.AnswerHeader.decode(bch.ANSWER.encode(word)) is None
    with pytest.raises(ValueError, match=f"the type of an answer frame is 3, got {kind}"):
        frame.AnswerHeader.from_word(word)


@pytest.mark.parametrize("fields", [(256, 0, 0), (0, 32, 0), (0, 0, 32), (-1, 0, 0)])
def test_answer_header_refuses_field_out_of_range(fields: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="header field"):
        frame.AnswerHeader(*fields, Answer(0, 0))


@given(ANSWERS)
def test_answer_frame_is_sync_and_header(header: frame.AnswerHeader) -> None:
    assert frame.answer_frame(header) == frame.SYNC + header.encode()
    assert frame.answer_frame(header, sync=False) == header.encode()


@given(HEADERS, st.binary(min_size=1, max_size=60), NUMBERS, st.data())
def test_feature_frame_parts(header: frame.Header, data: bytes, number: int, draw: st.DataObject) -> None:
    n_bits = 8 * len(data)
    whole = frame.feature_frame(header, data, n_bits, number)
    lora = frame.feature_frame(header, data, n_bits, number, sync=False)
    layout = frame.FeatureLayout(n_bits)
    assert whole == frame.SYNC + lora
    assert (len(lora), len(whole)) == (layout.size, layout.serial_size)
    assert lora[:8] == header.encode()
    assert payload.deinterleave(lora[layout.payload], n_bits) == data
    assert frame.check_crc(lora, number)
    position = draw.draw(st.integers(0, 8 * len(lora) - 1))
    damaged = bytearray(lora)
    damaged[position // 8] ^= 0x80 >> position % 8
    assert not frame.check_crc(bytes(damaged), number)
    assert not frame.check_crc(lora, number ^ 1)


def test_feature_layout_default_sizes() -> None:
    assert frame.FeatureLayout(128 * 3).serial_size == 62
    assert frame.FeatureLayout(64 * 3).serial_size == 38


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255), st.binary(max_size=80), st.binary(max_size=9))
def test_command_round_trip(opcode: int, request_number: int, device: int, data: bytes, more: bytes) -> None:
    whole = control.command(opcode, request_number, data, device)
    assert whole[:4] == frame.SYNC
    block = whole[4:]
    assert control.control_size(block) == len(block)
    parsed = control.parse_control(block + more)
    assert parsed == control.Control(
        frame.Header(frame.FrameType.COMMAND, device, request_number % 32, 0, 0), opcode, request_number, data
    )
    assert int.from_bytes(block[-4:], "big") == zlib.crc32(block[:-4])
    assert all(control.parse_control(block[:cut]) is None for cut in range(len(block)))


@given(st.binary(max_size=30), st.data())
def test_parse_control_refuses_single_flip(data: bytes, draw: st.DataObject) -> None:
    block = bytearray(control.reply(0x81, 3, data, device=7, model_number=0x5EED1234)[4:])
    position = draw.draw(st.integers(0, 8 * len(block) - 1))
    block[position // 8] ^= 0x80 >> position % 8
    assert control.parse_control(bytes(block)) is None


@given(st.binary(max_size=100))
def test_parse_control_refuses_garbage(garbage: bytes) -> None:
    assert control.parse_control(garbage) is None


def test_parse_control_refuses_header_that_is_not_a_codeword() -> None:
    body = bytearray(control.command(control.Opcode.INFO, 1)[4:-4])
    body[7] ^= 1  # outside the code, but inside the 64 bits that are compared
    assert control.parse_control(bytes(body) + zlib.crc32(body).to_bytes(4, "big")) is None


def test_reply_header_has_device_and_model() -> None:
    parsed = control.parse_control(control.reply(0xFF, 40, b"\6\2", device=7, model_number=0x5EED123F)[4:])
    assert parsed is not None
    assert parsed.header == frame.Header(frame.FrameType.REPLY, 7, 40 % 32, 0x1F, 0)
    assert control.ErrorReply.unpack(parsed.data) == control.ErrorReply(control.ErrorCode.BAD_LENGTH, 2)


def test_command_refuses_too_much_data() -> None:
    with pytest.raises(ValueError, match="65535"):
        control.command(control.Opcode.RUN, 0, bytes(65536))


Reply = (
    control.Info
    | control.RunCost
    | control.RadioReport
    | control.BenchResult
    | control.ErrorReply
    | control.ModeSetting
)
REPLIES: dict[str, type[Reply]] = {
    "info": control.Info,
    "run": control.RunCost,
    "radio": control.RadioReport,
    "bench": control.BenchResult,
    "error": control.ErrorReply,
    "mode": control.ModeSetting,
}


@pytest.mark.parametrize("kind", REPLIES)
def test_reply_data_round_trip_and_extension(kind: str) -> None:
    reply_class = REPLIES[kind]
    _, data, fields = make_vectors.reply_data()[kind]
    unpacked = reply_class.unpack(data)
    assert vars(unpacked) == fields and unpacked.pack() == data
    assert reply_class.unpack(data + b"later fields") == unpacked
    with pytest.raises(ValueError, match=f"{kind.upper()} reply has at least {len(data)} bytes"):
        reply_class.unpack(data[:-1])


@pytest.mark.parametrize("crc_ok", [True, False])
def test_packet_round_trip(crc_ok: bool) -> None:
    packet = control.Packet(crc_ok, -131.75, 9.25, bytes(range(256))[:255])
    assert control.Packet.unpack(packet.pack()) == packet
    assert control.Packet.unpack(packet.pack()[:5]).payload == b""
    with pytest.raises(ValueError, match="PACKET reply has at least 5 bytes"):
        control.Packet.unpack(packet.pack()[:4])


def test_info_model_id() -> None:
    _, data, _ = make_vectors.reply_data()["info"]
    assert control.Info.unpack(data).model_id == "5eed1234"


def test_run_data_layout() -> None:
    pixels = np.arange(12, dtype=np.uint8).tobytes()
    assert control.run_data(3, pixels, wants_cost=True) == b"\x01\x03" + pixels
    assert control.run_data(0, pixels) == b"\0\0" + pixels
    assert control.run_data(control.LONGEST_PREFIX, pixels, by_radio=True) == b"\x02\xff" + pixels
    assert control.run_data(1, pixels, by_mode=True) == b"\x04\x01" + pixels
    assert control.run_data(1, pixels, wants_cost=True, by_radio=True, by_mode=True) == b"\x07\x01" + pixels
