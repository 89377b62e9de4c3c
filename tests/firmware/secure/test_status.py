"""Images and status frames of a board with a key, on a simulated board (tests/firmware/c/watch_machine.c)."""

from pathlib import Path

from tests.firmware.status.simulated_board import INPUT_BYTES, SimulatedBoard
from wire.control import REPLY_BIT, Control, ErrorCode, Opcode, run_data
from wire.control import command as plain_command
from wire.frame import FrameType, Header
from wire.replies.status import ResetCause
from wire.secure.commands import sealed_command
from wire.secure.keys import Keys
from wire.secure.status import SECURED_STATUS, open_status

KEYS = Keys.derive(b"\xa5" * 16)  # of watch_machine.c
DEVICE, NUMBER = 7, 0x5EED1234
WATCH = ("-DINKLING_PERIOD_S=10",)
RADIO = ("-DINKLING_RADIO=1",)


def opened(board: SimulatedBoard) -> object:
    """Return the last status frame, opened with the key."""
    header = Header(FrameType.REPLY, DEVICE, 0, NUMBER % 32, 0)
    opcode = board.get("status_opcode") | REPLY_BIT
    return open_status(KEYS, Control(header, opcode, 0, board.status_data), NUMBER)


def test_board_with_a_key_secures_its_status_frames(tmp_path: Path) -> None:
    board = SimulatedBoard(tmp_path, key=1)
    board.step(2)
    assert board.get("statuses") == 1 and opened(board) == board.status
    assert board.status.counter == 0 and board.status.boots == 1


def test_node_with_a_key_secures_its_status_frames(tmp_path: Path) -> None:
    board = SimulatedBoard(tmp_path, *RADIO, key=1)
    board.step(2)
    assert board.get("statuses") == 1 and opened(board) == board.status


def test_board_without_a_key_sends_plain_status_frames(tmp_path: Path) -> None:
    board = SimulatedBoard(tmp_path)
    board.step(2)
    assert board.get("status_opcode") == Opcode.STATUS != SECURED_STATUS & ~REPLY_BIT


def test_unsolicited_images_have_the_whole_counter_as_their_number(tmp_path: Path) -> None:
    board = SimulatedBoard(tmp_path, *WATCH, key=1)
    numbers = []
    for _ in range(70):
        board.step(10)
        numbers.append(board.get("number"))
    assert numbers == list(range(70))


def test_board_with_a_key_and_worn_memory_sends_no_image(tmp_path: Path) -> None:
    """Its counter would come again after a restart. It reports the error instead, and never a plain image."""
    board = SimulatedBoard(tmp_path, *WATCH, key=1, worn=1)
    for _ in range(3):
        board.set(error=0)
        board.step(10)
        assert board.get("error") == ErrorCode.MEMORY
    assert board.get("frames") == 0 and board.get("captures") == 3


def test_board_without_a_key_and_worn_memory_goes_on(tmp_path: Path) -> None:
    board = SimulatedBoard(tmp_path, *WATCH, worn=1)
    board.step(10)
    assert (board.get("frames"), board.get("error")) == (1, 0)


def sealed_run(counter: int) -> bytes:
    return sealed_command(KEYS, DEVICE, counter, Opcode.RUN, 5, run_data(0, bytes(INPUT_BYTES)))


def test_board_with_a_key_and_worn_memory_executes_no_run(tmp_path: Path) -> None:
    board = SimulatedBoard(tmp_path, key=1, worn=1)
    board.receive(sealed_run(0))
    assert (board.get("error"), board.get("commands")) == (ErrorCode.MEMORY, 0)
    board.receive(plain_command(Opcode.RUN, 5, run_data(0, bytes(INPUT_BYTES)), DEVICE))
    assert (board.get("error"), board.get("commands")) == (ErrorCode.NOT_AUTHENTIC, 0)
    board.receive(plain_command(Opcode.INFO, 5))
    assert board.get("commands") == 1


def test_board_in_its_back_off_knows_its_key(tmp_path: Path) -> None:
    """It writes its counter for a command that the host sends, and not for itself."""
    board = SimulatedBoard(tmp_path, key=1, reset_cause=ResetCause.CRASH, kept=5)
    board.step(2)
    assert (board.get("statuses"), board.get("writes")) == (0, 0)
    board.receive(plain_command(Opcode.RUN, 5, run_data(0, bytes(INPUT_BYTES)), DEVICE))
    assert (board.get("error"), board.get("commands"), board.get("writes")) == (ErrorCode.NOT_AUTHENTIC, 0, 0)
    board.receive(sealed_run(0))
    assert (board.get("commands"), board.get("writes")) == (1, 1)
    board.receive(sealed_run(0))
    assert (board.get("error"), board.get("commands")) == (ErrorCode.NOT_AUTHENTIC, 1)
    board.receive(sealed_run(1))
    assert (board.get("commands"), board.get("writes")) == (2, 1)
    board.step(3600)
    board.step(3600)
    assert board.get("writes") == 1, "this boot has been counted"
    assert board.status.boots == 1


def test_key_and_counter_survive_deep_sleep(tmp_path: Path) -> None:
    board = SimulatedBoard(tmp_path, *WATCH, key=1)
    board.step(10)
    board.set(key=0)  # it is not read again
    board.restart(ResetCause.DEEP_SLEEP)
    board.step(10)
    assert board.get("number") == 1
    board.receive(plain_command(Opcode.PIXELS, 5))
    assert board.get("error") == ErrorCode.NOT_AUTHENTIC
