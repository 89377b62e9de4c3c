"""The command parser of a board: for any input, it stays within its buffers and finds the next command."""

from collections.abc import Iterator
from ctypes import CDLL

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import wire_c
from tests.support.wire_c import COMMAND, ERROR, NONE, CommandReceiver
from wire import bch, control, frame
from wire.answer import Answer
from wire.control import ErrorCode
from wire.crc import crc32
from wire.secure.commands import SEAL_BYTES

DEVICE, BODY = 7, 40
MAX_DATA = BODY + 2
TYPE_AND_DEVICE_BITS = 10  # of a header, its first ones
GOOD = control.command(control.Opcode.RUN, 5, b"\1\0" + bytes(range(BODY)), DEVICE)
GOOD_EVENT = (COMMAND, 0, control.Opcode.RUN, 5, b"\1\0" + bytes(range(BODY)))
Event = tuple[int, int, int, int, bytes]


@pytest.fixture(scope="module")
def c(tmp_path_factory: pytest.TempPathFactory) -> CDLL:
    return wire_c.compile_library(tmp_path_factory.mktemp("wire"))


def error(code: int, opcode: int = 0, request: int = 0) -> Event:
    return ERROR, code, opcode, request, b""


def expected_events(stream: bytes) -> Iterator[Event]:
    """Yield the events that docs/SPEC.md specifies for a stream without silences, read as a whole."""
    at = 0
    while (at := stream.find(frame.SYNC, at)) >= 0 and len(stream) >= at + 12:
        at += 4
        header = stream[at : at + 8]
        word = int.from_bytes(header[:3], "big")
        if is_answer(header):
            at += 8
            continue
        if bch.HEADER.encode(word) != header:
            if names_this_board(header):
                yield error(ErrorCode.BAD_HEADER)
            continue  # the search resumes right after the sync
        at += 8
        fields = frame.Header.from_word(word)
        if fields.type != frame.FrameType.COMMAND:
            continue
        if len(stream) < at + 4:
            return
        length, opcode, request = int.from_bytes(stream[at : at + 2], "big"), stream[at + 2], stream[at + 3]
        is_addressed = fields.device in (DEVICE, frame.ANY_DEVICE)
        end = at + 4 + length
        room = MAX_DATA + (SEAL_BYTES if opcode & ~0x3F == control.SEALED_BIT and length >= SEAL_BYTES else 0)
        if is_addressed and length > room:
            yield error(ErrorCode.TOO_LONG, opcode, request)
            at += 4
            continue
        if len(stream) < end + 4:
            return
        correct = crc32(stream[at - 8 : end]).to_bytes(4, "big") == stream[end : end + 4]
        if is_addressed and correct:
            yield COMMAND, 0, opcode, request, stream[at + 4 : end]
        elif is_addressed:
            yield error(ErrorCode.BAD_CRC, opcode, request)
        at = end + 4


def names_this_board(header: bytes) -> bool:
    """Return True if a damaged header, as received, begins like that of a command for this board."""
    fields = frame.Header.from_word(int.from_bytes(header[:3], "big"))
    return fields.type == frame.FrameType.COMMAND and fields.device in (DEVICE, frame.ANY_DEVICE)


def is_answer(block: bytes) -> bool:
    """Return True if 8 bytes are an undamaged answer frame."""
    decoded = frame.AnswerHeader.decode(block)
    return decoded is not None and decoded[0].encode() == block


def flipped(whole: bytes, position: int) -> bytes:
    """Return the frame with one bit flipped."""
    damaged = bytearray(whole)
    damaged[position // 8 % len(whole)] ^= 0x80 >> position % 8
    return bytes(damaged)


BYTES = st.integers(0, 255)
COMMANDS = st.builds(
    control.command,
    BYTES | st.integers(control.SEALED_BIT, 2 * control.SEALED_BIT - 1),
    BYTES,
    st.binary(max_size=MAX_DATA + SEAL_BYTES + 5),
    st.sampled_from([DEVICE, 255, 8, 0]),
)
ANSWERS = st.builds(
    lambda device, sequence, index: frame.answer_frame(frame.AnswerHeader(device, sequence, 20, Answer(index, 9))),
    BYTES, st.integers(0, 31), st.integers(0, 4095),
)  # fmt: skip
PIECES = st.one_of(
    st.binary(max_size=30),
    COMMANDS,
    st.just(GOOD),
    st.builds(lambda whole, cut: whole[: cut % len(whole)], COMMANDS, st.integers(0, 100)),
    st.builds(lambda whole, cut: whole[cut % len(whole) :], COMMANDS, st.integers(0, 100)),
    st.builds(flipped, COMMANDS, st.integers(0, 800)),
    st.builds(control.reply, BYTES, BYTES, st.binary(max_size=20), st.just(DEVICE), st.just(0x5EED1234)),
    ANSWERS,
    st.builds(flipped, ANSWERS, st.integers(0, 95)),
    st.just(frame.SYNC),
    st.just(frame.SYNC[:3]),
)


@given(st.lists(PIECES, max_size=12))
@settings(max_examples=400)
def test_parser_gives_events_of_specification(c: CDLL, pieces: list[bytes]) -> None:
    stream = b"".join(pieces)
    receiver = CommandReceiver(c, DEVICE, BODY)
    assert receiver.feed(stream) == list(expected_events(stream))
    assert receiver.body.intact(BODY)


@given(st.lists(PIECES, max_size=8))
@settings(max_examples=200)
def test_parser_accepts_command_after_silence(c: CDLL, pieces: list[bytes]) -> None:
    receiver = CommandReceiver(c, DEVICE, BODY)
    receiver.feed(b"".join(pieces))
    if c.wire_parser_timeout(receiver.parser) == ERROR:
        assert receiver.parser.error == ErrorCode.TIMEOUT
    assert c.wire_parser_timeout(receiver.parser) == NONE
    assert receiver.feed(GOOD) == [GOOD_EVENT]


@given(st.binary(max_size=200))
def test_parser_skips_garbage_without_sync(c: CDLL, garbage: bytes) -> None:
    receiver = CommandReceiver(c, DEVICE, BODY)
    if frame.SYNC not in garbage + frame.SYNC[:3]:
        assert receiver.feed(garbage + GOOD) == [GOOD_EVENT]


@given(COMMANDS)
def test_parser_round_trip(c: CDLL, whole: bytes) -> None:
    receiver = CommandReceiver(c, DEVICE, BODY)
    assert receiver.feed(whole + whole) == 2 * list(expected_events(whole))


@pytest.mark.parametrize("body", [0, 1, 2, 3, 16, 100])
def test_parser_respects_body_capacity(c: CDLL, body: int) -> None:
    for length in range(body + 6):
        receiver = CommandReceiver(c, DEVICE, body)
        data = bytes(range(1, length + 1))
        events = receiver.feed(control.command(9, 4, data))
        if length <= body + 2:
            assert events == [(COMMAND, 0, 9, 4, data)]
            assert receiver.body.intact(max(0, length - 2))
        else:
            assert events == [error(ErrorCode.TOO_LONG, 9, 4)]
            assert receiver.body.intact(0)


def test_parser_leaves_body_unchanged_by_short_commands(c: CDLL) -> None:
    receiver = CommandReceiver(c, DEVICE, BODY)
    receiver.feed(control.command(control.Opcode.INFO, 1) + control.command(control.Opcode.BENCH, 2, b"\x0a"))
    assert receiver.body.intact(0)


def test_parser_ignores_command_for_another_device(c: CDLL) -> None:
    receiver = CommandReceiver(c, DEVICE, BODY)
    other = control.command(control.Opcode.RUN, 1, bytes(5000), DEVICE + 1)
    assert receiver.feed(other) == [] and receiver.body.intact(0)
    assert receiver.feed(flipped(other, 400)) == []
    assert receiver.feed(GOOD) == [GOOD_EVENT]
    receiver.feed(other[:100])
    assert c.wire_parser_timeout(receiver.parser) == NONE
    assert receiver.feed(GOOD) == [GOOD_EVENT]
    receiver.feed(other[:100])
    assert c.wire_parser_overrun(receiver.parser) == NONE
    assert receiver.feed(GOOD) == [GOOD_EVENT]


def test_parser_reports_fault_after_command_for_another_device(c: CDLL) -> None:
    receiver = CommandReceiver(c, DEVICE, BODY)
    other = control.command(control.Opcode.INFO, 1, b"", DEVICE + 1)
    receiver.feed(other + GOOD[:8])
    assert receiver.event(c.wire_parser_timeout(receiver.parser)) == error(ErrorCode.TIMEOUT)


@pytest.mark.parametrize("cut", range(1, len(GOOD)))
def test_parser_times_out_after_truncated_command(c: CDLL, cut: int) -> None:
    receiver = CommandReceiver(c, DEVICE, BODY)
    assert receiver.feed(GOOD[:cut]) == []
    known = (control.Opcode.RUN, 5) if cut >= 16 else (0, 0)
    code = c.wire_parser_timeout(receiver.parser)
    assert code == (ERROR if cut >= 6 else NONE)
    assert code == NONE or receiver.event(code) == error(ErrorCode.TIMEOUT, *known)
    assert receiver.feed(GOOD) == [GOOD_EVENT]


@pytest.mark.parametrize("cut", range(12))
def test_parser_finds_command_after_truncated_header(c: CDLL, cut: int) -> None:
    """The header then contains a sync; this board reports it only if two intact bytes name the board."""
    receiver = CommandReceiver(c, DEVICE, BODY)
    lead = [error(ErrorCode.BAD_HEADER)] if cut >= 6 else []
    assert receiver.feed(GOOD[:cut] + GOOD) == [*lead, GOOD_EVENT]


@pytest.mark.parametrize("position", range(64))
def test_parser_refuses_flip_in_header(c: CDLL, position: int) -> None:
    receiver = CommandReceiver(c, DEVICE, BODY)
    lead = [error(ErrorCode.BAD_HEADER)] if position >= TYPE_AND_DEVICE_BITS else []  # otherwise it names another
    assert receiver.feed(flipped(GOOD, 32 + position) + GOOD) == [*lead, GOOD_EVENT]


@pytest.mark.parametrize("position", range(64))
def test_one_board_of_a_line_at_most_reports_a_damaged_header(c: CDLL, position: int) -> None:
    """Also that of a truncated one, at each of its bytes."""
    boards = [CommandReceiver(c, device, BODY) for device in range(255)]
    damaged = flipped(GOOD, 32 + position)[:12]
    events = [board.parser.device for board in boards if board.feed(damaged)]
    assert len(events) <= 1 and (position < TYPE_AND_DEVICE_BITS or events == [DEVICE])
    boards = [CommandReceiver(c, device, BODY) for device in range(255)]
    for board in boards:
        board.feed(damaged[: 4 + position // 8])
    events = [board.parser.device for board in boards if c.wire_parser_timeout(board.parser) == ERROR]
    assert len(events) <= 1


@pytest.mark.parametrize("length", [0, 1, BODY + 2])
def test_parser_gives_a_command_time_for_its_data(c: CDLL, length: int) -> None:
    receiver = CommandReceiver(c, DEVICE, BODY)
    whole = control.command(control.Opcode.RUN, 5, bytes(length), DEVICE)
    receiver.feed(whole[:15])
    assert (receiver.parser.begun, c.wire_parser_limit_ms(receiver.parser)) == (1, 2000)
    receiver.feed(whole[15:16])
    assert c.wire_parser_limit_ms(receiver.parser) == 2000 + 2 * length
    receiver.feed(whole[16:] + whole[:4])
    assert (receiver.parser.begun, c.wire_parser_limit_ms(receiver.parser)) == (2, 2000)


@pytest.mark.parametrize("cut", range(len(GOOD)))
def test_parser_leaves_the_body_alone_during_a_command_for_another_device(c: CDLL, cut: int) -> None:
    for device in (DEVICE, DEVICE + 1, 255):
        receiver = CommandReceiver(c, DEVICE, BODY)
        receiver.feed(control.command(control.Opcode.RUN, 5, bytes(MAX_DATA), device)[:cut])
        assert c.wire_parser_idle(receiver.parser) == (cut < 4 or (cut >= 12 and device == DEVICE + 1))


@pytest.mark.parametrize("position", range(32))
def test_parser_skips_frame_with_flip_in_sync(c: CDLL, position: int) -> None:
    receiver = CommandReceiver(c, DEVICE, BODY)
    assert receiver.feed(flipped(GOOD, position) + GOOD) == [GOOD_EVENT]


def test_parser_skips_echoed_replies(c: CDLL) -> None:
    receiver = CommandReceiver(c, DEVICE, BODY)
    echo = control.reply(control.Opcode.ERROR, 1, b"\1\0", DEVICE, 0x5EED1234)
    assert receiver.feed(echo + GOOD) == [GOOD_EVENT]


def test_parser_skips_answer_frames(c: CDLL) -> None:
    receiver = CommandReceiver(c, DEVICE, BODY)
    answer = frame.answer_frame(frame.AnswerHeader(DEVICE, 1, 20, Answer(3, 12)))
    assert receiver.feed(answer + answer + GOOD) == [GOOD_EVENT]


@pytest.mark.parametrize("position", range(64))
def test_parser_skips_damaged_answer_frame(c: CDLL, position: int) -> None:
    receiver = CommandReceiver(c, DEVICE, BODY)
    answer = frame.answer_frame(frame.AnswerHeader(DEVICE, 1, 20, Answer(3, 12)))
    assert receiver.feed(flipped(answer, 32 + position) + GOOD) == [GOOD_EVENT]


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_parser_reports_codeword_of_another_type_if_it_names_this_board(c: CDLL, kind: int) -> None:
    """A codeword of the answers' code whose type is not 3 is no answer frame."""
    receiver = CommandReceiver(c, DEVICE, BODY)
    block = bch.ANSWER.encode(kind << 34 | DEVICE << 26)
    lead = [error(ErrorCode.BAD_HEADER)] if names_this_board(block) else []
    assert receiver.feed(frame.SYNC + block + GOOD) == [*lead, GOOD_EVENT]


def test_parser_takes_sync_in_pixels_as_data(c: CDLL) -> None:
    receiver = CommandReceiver(c, DEVICE, BODY)
    whole = control.command(control.Opcode.RUN, 1, frame.SYNC * 8)
    assert receiver.feed(whole) == [(COMMAND, 0, control.Opcode.RUN, 1, frame.SYNC * 8)]


def test_reset_drops_command_without_event(c: CDLL) -> None:
    for cut in range(len(GOOD)):
        receiver = CommandReceiver(c, DEVICE, BODY)
        receiver.feed(GOOD[:cut])
        c.wire_parser_reset(receiver.parser)
        assert c.wire_parser_timeout(receiver.parser) == NONE
        assert receiver.feed(GOOD) == [GOOD_EVENT]


@pytest.mark.parametrize(("body", "most"), [(0, 2), (3072, 3074), (65533, 65535), (65534, 65535), (1 << 20, 65535)])
def test_max_data_is_limited_by_length_field_and_body(c: CDLL, body: int, most: int) -> None:
    parser = wire_c.Parser()
    c.wire_parser_init(parser, DEVICE, None, body)
    assert c.wire_parser_max_data(parser) == most
