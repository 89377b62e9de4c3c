"""Damaged, truncated, foreign and random commands: one error reply each, and the next command works."""

import random
import time
from collections.abc import Iterator

import numpy as np
import pytest

from tests.support.firmware import RunningBoard
from wire.control import ErrorCode, Opcode
from wire.frame import SYNC
from wire.payload import interleave

pytestmark = pytest.mark.emulated

UNKNOWN = 0


@pytest.fixture(autouse=True)
def board_still_works(board: RunningBoard) -> Iterator[None]:
    """Check after each test that the board has nothing more to send, answers and encodes correctly."""
    yield
    assert board.is_silent()
    frame, _ = board.run(image(board))
    packed = np.load(board.bundle.golden_path)["payload"][0].tobytes()
    assert frame[12:-2] == interleave(packed, board.bundle.chunk_bits(0))


def image(board: RunningBoard) -> bytes:
    return np.load(board.bundle.golden_path)["images"][0].tobytes()


def test_truncated_command_times_out(board: RunningBoard) -> None:
    whole = board.command(Opcode.RUN, bytes(2) + image(board))
    for size in (6, 11, 12, 16, 18, len(whole) - 1):
        board.send(whole[:size])
        started = time.monotonic()
        code, opcode, request = board.error()
        assert code == ErrorCode.TIMEOUT
        assert time.monotonic() - started > 0.8
        assert (opcode, request) == ((Opcode.RUN, board.request) if size >= 16 else (UNKNOWN, 0))


def test_slow_command_times_out(board: RunningBoard) -> None:
    """A byte every 0.8 s is no silence; a command without data has 2 s."""
    whole = board.command(Opcode.INFO)
    started = time.monotonic()
    board.send(whole[:-5])
    for byte in whole[-5:-1]:
        time.sleep(0.8)
        board.send(bytes((byte,)))
    assert board.error() == (ErrorCode.TIMEOUT, Opcode.INFO, board.request)
    assert time.monotonic() - started > 1.8


@pytest.mark.parametrize("device", [0, 2, 254])
def test_damaged_and_truncated_headers_of_other_devices_are_ignored(board: RunningBoard, device: int) -> None:
    """Several boards on a line would otherwise reply at the same time."""
    other = board.command(Opcode.INFO, device=device)
    for damaged in (other[:11] + bytes((other[11] ^ 1,)) + other[12:], SYNC + bytes(20), SYNC + other[:6]):
        board.send(damaged)
        assert board.is_silent()
    for size in (4, 5, 6, 11):
        board.send(other[:size])
        time.sleep(1.2)
        assert board.is_silent()


def test_whole_command_after_a_truncated_one_is_executed(board: RunningBoard) -> None:
    board.send(board.command(Opcode.RUN, bytes(2) + image(board))[:500])
    assert board.error()[0] == ErrorCode.TIMEOUT
    assert board.info().wire_version == 1


def test_truncated_command_swallows_at_most_the_next_one(board: RunningBoard) -> None:
    """A truncated command directly followed by another one gives an error; then the board listens again."""
    board.send(board.command(Opcode.BENCH, b"\x01")[:-3] + board.command(Opcode.INFO))
    assert board.error()[0] == ErrorCode.BAD_CRC


def test_command_with_any_damaged_byte_is_refused(board: RunningBoard) -> None:
    whole = board.command(Opcode.BENCH, b"\x01")
    for position in range(4, len(whole)):
        broken = bytearray(whole)
        broken[position] ^= 0x10
        board.send(bytes(broken))
        if position == len(SYNC):  # the header names another device
            assert board.is_silent()
            continue
        expected = {ErrorCode.BAD_HEADER} if position < 12 else {ErrorCode.BAD_CRC}
        if position in (12, 13):  # the length field: too long, or the missing bytes never arrive
            expected = {ErrorCode.TOO_LONG, ErrorCode.TIMEOUT}
        assert board.error()[0] in expected, position


def test_command_with_damaged_sync_is_ignored(board: RunningBoard) -> None:
    whole = bytearray(board.command(Opcode.INFO))
    whole[0] ^= 1
    board.send(bytes(whole))
    assert board.is_silent()


def test_too_long_command_is_refused(board: RunningBoard) -> None:
    board.send(board.command(Opcode.RUN, bytes(3) + image(board)))
    assert board.error() == (ErrorCode.TOO_LONG, Opcode.RUN, board.request)


@pytest.mark.parametrize("opcode", [0x00, 0x06, 0x08, 0x7F, 0x81, 0xFF])
def test_unknown_command_is_refused(board: RunningBoard, opcode: int) -> None:
    board.send(board.command(opcode))
    assert board.error() == (ErrorCode.UNKNOWN_COMMAND, opcode, board.request)


@pytest.mark.parametrize(
    ("opcode", "size"),
    [(Opcode.INFO, 1), (Opcode.RUN, 0), (Opcode.RUN, 1), (Opcode.RUN, 2), (Opcode.RUN, 1000), (Opcode.BENCH, 0),
     (Opcode.BENCH, 2), (Opcode.MODE, 1), (Opcode.MODE, 3)],
)  # fmt: skip
def test_command_of_wrong_length_is_refused(board: RunningBoard, opcode: int, size: int) -> None:
    board.send(board.command(opcode, bytes(size)))
    assert board.error() == (ErrorCode.BAD_LENGTH, opcode, board.request)


@pytest.mark.parametrize("repeats", [0, 101, 255])
def test_bench_refuses_bad_argument(board: RunningBoard, repeats: int) -> None:
    board.send(board.command(Opcode.BENCH, bytes((repeats,))))
    assert board.error() == (ErrorCode.BAD_ARGUMENT, Opcode.BENCH, board.request)


@pytest.mark.parametrize(("mode", "threshold"), [(3, 0), (255, 0), (0, 16), (2, 255)])
def test_mode_refuses_bad_argument_and_changes_nothing(board: RunningBoard, mode: int, threshold: int) -> None:
    before = board.mode()
    board.send(board.command(Opcode.MODE, bytes((mode, threshold))))
    assert board.error() == (ErrorCode.BAD_ARGUMENT, Opcode.MODE, board.request)
    assert board.mode() == before


@pytest.mark.parametrize(("flags", "chunk"), [(0, 16), (0, 255), (8, 0), (0x80, 0)])
def test_run_refuses_bad_argument(board: RunningBoard, flags: int, chunk: int) -> None:
    board.send(board.command(Opcode.RUN, bytes((flags, chunk)) + image(board)))
    assert board.error() == (ErrorCode.BAD_ARGUMENT, Opcode.RUN, board.request)


@pytest.mark.parametrize(
    ("opcode", "by_radio", "answer"), [(Opcode.RUN, True, ErrorCode.RADIO), (Opcode.CAPTURE, False, ErrorCode.CAMERA)]
)
def test_command_for_a_missing_radio_or_camera_is_refused(
    board: RunningBoard, opcode: int, by_radio: bool, answer: ErrorCode
) -> None:
    pixels = image(board) if opcode == Opcode.RUN else b""
    board.send(board.command(opcode, bytes((2 if by_radio else 0, 0)) + pixels))
    assert board.error() == (answer, opcode, board.request)


def test_run_refuses_a_chunk_that_the_model_lacks(board: RunningBoard) -> None:
    board.send(board.command(Opcode.RUN, bytes((0, len(board.bundle.chunks))) + image(board)))
    assert board.error()[0] == ErrorCode.BAD_ARGUMENT


def test_commands_to_other_devices_are_ignored(board: RunningBoard) -> None:
    board.send(board.command(Opcode.INFO, device=2))
    board.send(board.command(Opcode.RUN, bytes(2) + image(board), device=0))
    board.send(board.command(0x55, bytes(5000), device=77))
    assert board.is_silent()
    board.send(board.command(Opcode.INFO, device=1))
    assert board.reply().opcode == 0x81


def test_garbage_before_and_between_commands_is_ignored(board: RunningBoard) -> None:
    noise = random.Random(5)
    for size in (1, 7, 64, 300):
        garbage = bytes(noise.randrange(256) for _ in range(size)).replace(SYNC[:1], b"\0")
        board.send(garbage + board.command(Opcode.INFO))
        assert board.reply().opcode == 0x81


def test_sync_word_inside_a_false_start_is_found(board: RunningBoard) -> None:
    board.send(SYNC[:2] + SYNC[:3] + board.command(Opcode.INFO))
    assert board.reply().opcode == 0x81
    board.send(SYNC + b"abc" + board.command(Opcode.INFO))
    assert board.reply().opcode == 0x81
    board.send(board.command(Opcode.INFO)[:7] + board.command(Opcode.INFO))
    assert board.error()[0] == ErrorCode.BAD_HEADER
    assert board.reply().opcode == 0x81
