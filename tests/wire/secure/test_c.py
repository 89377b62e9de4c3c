"""Secured frames and sealed commands of the C library against Python: equal bytes, nothing written outside a buffer."""

import json
from ctypes import CDLL, create_string_buffer

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import wire_c
from tests.support.wire_c import BAD_FIELD, COMMAND, ERROR, NO_ROOM, OK, CommandReceiver
from tests.wire import make_vectors as plain_vectors
from tests.wire.secure import make_vectors, secured_c
from tests.wire.secure.test_frames import COUNTERS, VECTORS
from wire import control, payload
from wire.answer import Answer
from wire.control import ErrorCode, Opcode
from wire.secure.commands import SEAL_BYTES, next_counter, sealed_command
from wire.secure.frames import SecuredDevice
from wire.secure.keys import Keys
from wire.secure.status import SECURED_STATUS, open_status

KEY = make_vectors.KEY
KEYS = Keys.derive(KEY)
DEVICE, BODY = 7, 40
WEIGHTS = json.loads(plain_vectors.PATH.read_text(encoding="utf-8"))["answer_weights"]
NUMBERS = st.integers(0, (1 << 32) - 1)


@pytest.fixture(scope="module")
def c(tmp_path_factory: pytest.TempPathFactory) -> CDLL:
    return secured_c.compile_library(tmp_path_factory.mktemp("wire"))


def model(classes: int, number: int = 0) -> wire_c.Model:
    """Return a model without latent heads."""
    return wire_c.model(number, [], [], [], 1, WEIGHTS, classes)


@pytest.mark.parametrize("vector", VECTORS["features"], ids=lambda v: f"{v['bits']}bit-{len(v['levels'])}")
def test_feature_frames_match_vectors(c: CDLL, vector: dict) -> None:
    classes, outputs = len(vector.get("scores", ())), [*vector["latent"], *vector.get("scores", ())]
    keys = secured_c.keys(c, bytes.fromhex(vector["device_key"]))
    board = wire_c.model(
        vector["model_number"], vector["symbol_table"], vector["symbol_order"], vector["chunks"], vector["bits"],
        WEIGHTS, classes, len(vector["latent"]),
    )  # fmt: skip
    for sync, expected in ((True, vector["frame"]), (False, vector["lora"])):
        for capacity in (len(expected) // 2, len(expected) // 2 + 3):
            length, status, out = secured_c.feature_frame(
                c, keys, board, vector["device"], vector["counter"], vector["chunk"], outputs, capacity, sync
            )
            assert (length, status) == (len(expected) // 2, OK) and out.intact(length)
            assert out.bytes()[:length].hex() == expected


@pytest.mark.parametrize("vector", VECTORS["answers"], ids=lambda v: f"{v['classes']}classes")
def test_answer_frames_match_vectors(c: CDLL, vector: dict) -> None:
    keys = secured_c.keys(c, bytes.fromhex(vector["device_key"]))
    answer = wire_c.Answer(vector["index"], vector["confidence"])
    board = model(vector["classes"], vector["model_number"])
    for sync, expected in ((True, vector["frame"]), (False, vector["frame"][8:])):
        size = len(expected) // 2
        length, status, out = secured_c.answer_frame(
            c, keys, board, vector["device"], vector["counter"], answer, size, sync
        )
        assert (length, status, out.bytes().hex()) == (size, OK, expected) and out.intact(length)


@given(data=st.data(), bits=st.integers(1, 8), size=st.integers(1, 300), counter=COUNTERS, number=NUMBERS)
@settings(max_examples=100)
def test_feature_frame_matches_python(
    c: CDLL, data: st.DataObject, bits: int, size: int, counter: int, number: int
) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 1 << 30)))
    classes, chunk, device = (data.draw(st.integers(0, limit)) for limit in (20, 15, 254))
    outputs = rng.integers(-128, 128, size + classes).tolist()
    table = rng.integers(0, 1 << bits, 256)
    board = wire_c.model(
        number, table.tolist(), range(size), [[0, 1]] * chunk + [[0, size]], bits, WEIGHTS, classes, size
    )
    packed = payload.pack(table[np.array(outputs[:size]) + 128], bits)
    if classes:
        packed = plain_vectors.answer_of(outputs[size:]).word.to_bytes(2, "big") + packed
    n_bits, key = size * bits + 16 * (classes > 0), rng.bytes(16)
    expected = SecuredDevice(Keys.derive(key), device, number, classes).feature_frame(counter, chunk, packed, n_bits)
    length, status, out = secured_c.feature_frame(
        c, secured_c.keys(c, key), board, device, counter, chunk, outputs, len(expected)
    )
    assert status == OK and out.bytes() == expected and out.intact(length)


@given(st.integers(1, 4096), st.data(), COUNTERS, NUMBERS, st.integers(0, 254))
def test_answer_frame_matches_python(
    c: CDLL, classes: int, data: st.DataObject, counter: int, number: int, device: int
) -> None:
    answer = Answer(data.draw(st.integers(0, classes - 1)), data.draw(st.integers(0, 15)))
    length, status, out = secured_c.answer_frame(
        c, secured_c.keys(c, KEY), model(classes, number), device, counter, wire_c.Answer(*vars(answer).values()), 20
    )
    assert (length, status) == (20, OK) and out.intact(length)
    assert out.bytes() == SecuredDevice(KEYS, device, number, classes).answer_frame(counter, answer)


@pytest.mark.parametrize(("sync", "needed"), [(True, 25), (False, 21)])
def test_feature_frame_respects_capacity(c: CDLL, sync: bool, needed: int) -> None:
    board = wire_c.model(5, [0] * 256, [0], [[0, 1]], 1)
    for capacity in range(needed + 4):
        length, status, out = secured_c.feature_frame(c, secured_c.keys(c, KEY), board, 1, 2, 0, [3], capacity, sync)
        assert (length, status) == ((needed, OK) if capacity >= needed else (0, NO_ROOM))
        assert out.intact(length)


@pytest.mark.parametrize(("sync", "needed"), [(True, 20), (False, 16)])
def test_answer_frame_respects_capacity(c: CDLL, sync: bool, needed: int) -> None:
    for capacity in range(needed + 4):
        length, status, out = secured_c.answer_frame(
            c, secured_c.keys(c, KEY), model(9), 1, 2, wire_c.Answer(3, 4), capacity, sync
        )
        assert (length, status) == ((needed, OK) if capacity >= needed else (0, NO_ROOM))
        assert out.intact(length)


@pytest.mark.parametrize(("chunk", "count"), [(1, 1), (15, 1), (16, 1), (255, 1), (0, 0)])
def test_feature_frame_refuses_missing_chunk(c: CDLL, chunk: int, count: int) -> None:
    board = wire_c.model(5, [0] * 256, [0], [[0, count]], 1)
    length, status, out = secured_c.feature_frame(c, secured_c.keys(c, KEY), board, 1, 2, chunk, [3], 60)
    assert (length, status) == (0, BAD_FIELD) and out.intact(0)


@pytest.mark.parametrize(("index", "confidence", "classes"), [(0, 0, 0), (9, 0, 9), (0, 16, 9), (4095, 0, 4095)])
def test_answer_frame_refuses_wrong_fields(c: CDLL, index: int, confidence: int, classes: int) -> None:
    length, status, out = secured_c.answer_frame(
        c, secured_c.keys(c, KEY), model(classes), 1, 2, wire_c.Answer(index, confidence), 60
    )
    assert (length, status) == (0, BAD_FIELD) and out.intact(0)


@pytest.mark.parametrize("vector", VECTORS["statuses"], ids=lambda v: str(v["counter"]))
def test_status_frames_match_vectors(c: CDLL, vector: dict) -> None:
    frame = control.parse_control(bytes.fromhex(vector["frame"])[4:])
    assert frame is not None and frame.opcode == SECURED_STATUS
    key, number = bytes.fromhex(vector["device_key"]), vector["model_number"]
    status = open_status(Keys.derive(key), frame, number)
    assert status is not None and vars(status) == {name: vector[name] for name in vars(status)}
    keys = secured_c.keys(c, key)
    assert secured_c.secured_status(c, keys, status.pack(), vector["device"], number) == frame.data


class SealReceiver(CommandReceiver):
    """A parser that takes seals, of a board with a key."""

    def __init__(self, library: CDLL, device: int = DEVICE, body_capacity: int = BODY, key: bytes = KEY) -> None:
        super().__init__(library, device, body_capacity)
        self.keys = secured_c.keys(library, key)

    def accepts(self, frame: bytes, counter: int) -> bool:
        """Receive a whole command and check its seal against the counter of the next image."""
        (event,) = self.feed(frame)
        assert event[0] == COMMAND
        return bool(self.library.wire_seal_check(self.parser, self.keys, counter))


@pytest.mark.parametrize("vector", VECTORS["commands"], ids=lambda v: f"opcode{v['opcode']}")
def test_sealed_commands_match_vectors(c: CDLL, vector: dict) -> None:
    board = SealReceiver(c, vector["device"], 48, bytes.fromhex(vector["device_key"]))
    whole = bytes.fromhex(vector["frame"])
    (event,) = board.feed(whole)
    seal = whole[-4 - SEAL_BYTES : -4]
    assert event == (COMMAND, 0, vector["opcode"] | 0x40, vector["request"], bytes.fromhex(vector["data"]) + seal)
    assert c.wire_seal_check(board.parser, board.keys, vector["counter"])
    assert c.wire_parser_max_data(board.parser) == 50  # without the seal


@given(COUNTERS, st.integers(0, 254), st.integers(0, 255), st.binary(max_size=BODY + 2), st.integers(0, 0x3F))
def test_sealed_command_of_python_is_accepted(
    c: CDLL, counter: int, device: int, request_number: int, data: bytes, opcode: int
) -> None:
    board = SealReceiver(c, device)
    whole = sealed_command(KEYS, device, counter, opcode, request_number, data)
    assert board.accepts(whole, counter)
    assert not board.accepts(whole, (counter + 1) % 2**32) and not board.accepts(whole, counter ^ 1 << 31)


def test_seal_covers_opcode_request_data_device_and_key(c: CDLL) -> None:
    opcode, data = Opcode.CAPTURE, b"\x01\x00"
    genuine = control.parse_control(sealed_command(KEYS, DEVICE, 99, opcode, 5, data)[4:])
    assert genuine is not None
    seal = genuine.data[-SEAL_BYTES:]
    board = SealReceiver(c)
    assert board.accepts(control.command(0x44, 5, data + seal, DEVICE), 99)
    assert board.accepts(control.command(0x44, 5, data + seal, 255), 99), "the number of the addressed board"
    for other in (
        control.command(0x45, 5, data + seal, DEVICE),
        control.command(0x44, 6, data + seal, DEVICE),
        control.command(0x44, 5, b"\x03\x00" + seal, DEVICE),
        control.command(0x44, 5, data + b"\x00" + seal, DEVICE),
        control.command(0x44, 5, data[:1] + seal, DEVICE),
        sealed_command(KEYS, DEVICE, 100, opcode, 5, data),
    ):
        assert not board.accepts(other, 99)
    assert not SealReceiver(c, DEVICE + 1).accepts(control.command(0x44, 5, data + seal, 255), 99)
    assert not SealReceiver(c, key=bytes(16)).accepts(control.command(0x44, 5, data + seal, DEVICE), 99)


@given(st.integers(0, 8 * SEAL_BYTES - 1))
def test_seal_with_a_flipped_bit_is_refused(c: CDLL, position: int) -> None:
    genuine = control.parse_control(sealed_command(KEYS, DEVICE, 99, Opcode.PIXELS, 5)[4:])
    assert genuine is not None
    seal = int.from_bytes(genuine.data, "big") ^ 1 << position
    assert not SealReceiver(c).accepts(control.command(0x45, 5, seal.to_bytes(SEAL_BYTES, "big"), DEVICE), 99)


def test_plain_command_after_a_sealed_one_is_refused(c: CDLL) -> None:
    board = SealReceiver(c)
    assert board.accepts(sealed_command(KEYS, DEVICE, 99, Opcode.PIXELS, 5), 99)
    assert not board.accepts(control.command(Opcode.PIXELS, 5, b"", DEVICE), 99)


def test_sealed_command_without_a_whole_seal_is_not_sealed(c: CDLL) -> None:
    for size in range(SEAL_BYTES):
        board = SealReceiver(c)
        event, *_ = board.feed(control.command(0x45, 5, bytes(size), DEVICE))
        assert event == (COMMAND, 0, 0x45, 5, bytes(size))
        assert not c.wire_parser_is_sealed(board.parser)
        assert board.accepts(sealed_command(KEYS, DEVICE, 3, Opcode.PIXELS, 5), 3)


def test_sealed_command_may_have_as_many_data_bytes_as_a_plain_one(c: CDLL) -> None:
    whole = sealed_command(KEYS, DEVICE, 3, Opcode.RUN, 5, bytes(BODY + 2))
    board = SealReceiver(c)
    assert board.accepts(whole, 3) and board.body.intact(BODY)
    event, *_ = board.feed(sealed_command(KEYS, DEVICE, 3, Opcode.RUN, 5, bytes(BODY + 3)))
    assert event[:4] == (ERROR, ErrorCode.TOO_LONG, 0x42, 5)


def test_only_opcodes_of_sealed_commands_have_a_seal(c: CDLL) -> None:
    board = CommandReceiver(c, DEVICE, BODY)
    for opcode in range(256):
        (event,) = board.feed(control.command(opcode, 5, bytes(20), DEVICE))
        sealed = 0x40 <= opcode < 0x80
        assert event == (COMMAND, 0, opcode, 5, bytes(20))
        assert board.parser.length == 20 - SEAL_BYTES * sealed
        assert c.wire_parser_is_sealed(board.parser) == sealed


def test_sealed_command_for_another_board_is_skipped_whole(c: CDLL) -> None:
    board = SealReceiver(c)
    inner = control.command(Opcode.INFO, 1, b"", DEVICE)
    foreign = control.command(0x45, 5, inner[:11], DEVICE + 1)  # too short for a seal
    assert board.feed(foreign) == []
    assert board.feed(sealed_command(KEYS, DEVICE + 1, 3, Opcode.RUN, 5, inner)) == []
    assert bytes(board.parser.seal) == bytes(SEAL_BYTES)
    assert board.accepts(sealed_command(KEYS, DEVICE, 3, Opcode.PIXELS, 5), 3)


def test_sealed_command_names_its_board() -> None:
    with pytest.raises(ValueError, match=r"^a sealed command names its board, not any"):
        sealed_command(KEYS, 255, 3, Opcode.PIXELS, 5)


@pytest.mark.parametrize("opcode", [-1, 0x40, 0x45, Opcode.ERROR])
def test_sealed_command_refuses_opcode_that_cannot_be_sealed(opcode: int) -> None:
    with pytest.raises(ValueError, match=r"^commands up to 0x3f can be sealed, got"):
        sealed_command(KEYS, DEVICE, 3, opcode, 5)


def test_refusal_names_the_next_counter(c: CDLL) -> None:
    data = create_string_buffer(b"\xa5" * 8, 8)
    c.wire_not_authentic_write(data, 0x44, 0x01020304)
    assert data.raw.hex() == "12" + "44" + "01020304" + "a5a5"
    assert next_counter(data.raw[:6]) == 0x01020304
    assert control.ErrorReply.unpack(data.raw[:6]) == control.ErrorReply(ErrorCode.NOT_AUTHENTIC, 0x44)
    assert next_counter(bytes([ErrorCode.BAD_LENGTH, 0x44])) is None
    with pytest.raises(ValueError, match="has 6 bytes of data, got 5"):
        next_counter(data.raw[:5])
