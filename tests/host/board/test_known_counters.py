"""The counter that a board claims at the start of a connection, against those that the host knows."""

from pathlib import Path

import numpy as np
import pytest

from host.board.board import Board
from host.board.errors import BoardError, DeviceError
from host.board.sealing import MAX_AHEAD
from host.errors import HostError
from host.keys.key_file import KeyFile, state_path, taken_path
from host.keys.taken import TakenImages
from host.receive.secured.devices import Accepted, key_mark
from host.receive.senders.state import StateFile, read_counter
from tests.host.secured_board import SecuredBoard
from tests.support.host import make_bundle
from tests.support.lines import answers, fake_line
from wire.bundle import Bundle
from wire.control import SEALED_BIT, Control, ErrorCode, Opcode, reply
from wire.secure.keys import Keys

KEY, OTHER = bytes(range(16)), bytes(range(16, 32))
MARK = key_mark(Keys.derive(KEY))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("counters") / "small", answer=True)


@pytest.fixture
def keys(tmp_path: Path) -> KeyFile:
    """A key file with KEY for device 7, whose board had counter 100 then."""
    with KeyFile.edit(tmp_path / "keys.json") as file:
        file.add(7, KEY, permanent=True, counter=100)
    return file


def accept(keys: KeyFile, counter: int, mark: str = MARK) -> None:
    """Write the state file of a host that accepted this counter."""
    file = StateFile(state_path(keys.path), for_keys=True)
    file.save({}, set(), {7: Accepted(mark, counter)})
    file.close()


def pixels(keys: KeyFile, bundle: Bundle, counter: int) -> SecuredBoard:
    """Send a sealed command to a board with a counter, and return the board. Raises as the client does."""
    board = SecuredBoard(key=KEY, model=bundle, counter=counter)
    try:
        with fake_line(answers(board.answer)) as url, Board.open(url, bundle, timeout=0.5, keys=keys) as line:
            line.pixels()
    except DeviceError:
        assert Opcode.PIXELS not in board.executed and len(board.received) == 2, "INFO and KEY: nothing was sealed"
        raise
    return board


@pytest.mark.parametrize(("accepted", "counter"), [(499, 500), (499, 500 + MAX_AHEAD), (None, 100), (None, 10_000_000)])
def test_counters_that_a_board_can_have_are_taken(
    keys: KeyFile, bundle: Bundle, accepted: int | None, counter: int
) -> None:
    if accepted is not None:
        accept(keys, accepted)
    assert pixels(keys, bundle, counter).executed[-1] == Opcode.PIXELS


@pytest.mark.parametrize(("accepted", "counter"), [(499, 499), (499, 0), (None, 99), (50, 99)])
def test_a_counter_below_the_known_ones_is_refused(
    keys: KeyFile, bundle: Bundle, accepted: int | None, counter: int
) -> None:
    if accepted is not None:
        accept(keys, accepted)
    lowest = max(100, (accepted or 0) + 1)
    with pytest.raises(DeviceError) as raised:
        pixels(keys, bundle, counter)
    text = str(raised.value)
    assert f"device 7 reports counter {counter}, but {lowest} was reached with this key" in text
    assert "inkling keys rotate" in text and "\n" not in text


def test_a_counter_far_above_the_authentic_ones_is_refused(keys: KeyFile, bundle: Bundle) -> None:
    accept(keys, 499)
    with pytest.raises(DeviceError) as raised:
        pixels(keys, bundle, 501 + MAX_AHEAD)
    text = str(raised.value)
    assert f"reports counter {501 + MAX_AHEAD}, more than {MAX_AHEAD} above 500, the last" in text
    assert "hear a status frame of it first" in text and "\n" not in text


def test_images_that_were_taken_are_a_reference_too(keys: KeyFile, bundle: Bundle) -> None:
    TakenImages(taken_path(keys.path)).add(7, MARK, 899)
    accept(keys, 499)
    for counter in (899, 901 + MAX_AHEAD):
        with pytest.raises(DeviceError, match=f"reports counter {counter}"):
            pixels(keys, bundle, counter)
    assert pixels(keys, bundle, 900).executed


def test_a_board_may_be_far_ahead_while_another_process_receives(keys: KeyFile, bundle: Bundle) -> None:
    """Only that process knows how far it has come; the command before may be weeks ago."""
    TakenImages(taken_path(keys.path)).add(7, MARK, 899)
    accept(keys, 499)
    receiving = StateFile(state_path(keys.path), for_keys=True)
    assert pixels(keys, bundle, 10_000_000).executed
    with pytest.raises(DeviceError, match="reports counter 899, but 900 was reached"):
        pixels(keys, bundle, 899)
    receiving.close()
    with pytest.raises(DeviceError, match=f"more than {MAX_AHEAD} above 900"):
        pixels(keys, bundle, 10_000_000)


def test_counters_of_another_key_are_no_reference(keys: KeyFile, bundle: Bundle) -> None:
    accept(keys, 499, key_mark(Keys.derive(OTHER)))
    assert pixels(keys, bundle, 100).executed


def test_run_stores_the_images_that_it_received(keys: KeyFile, bundle: Bundle) -> None:
    board = SecuredBoard(key=KEY, model=bundle, counter=700)
    image = np.zeros(bundle.input_shape, np.uint8)
    with fake_line(answers(board.answer)) as url, Board.open(url, bundle, timeout=0.5, keys=keys) as line:
        for _ in range(3):
            assert line.run(image)[0]
        line.run_by_radio(image)  # its frame goes to a gateway
        assert line.capture()[0] and line.not_stored == ""
        taken = TakenImages(taken_path(keys.path))
        assert [taken.count(7, MARK, counter, counter) for counter in range(699, 706)] == [0, 1, 1, 1, 0, 1, 0]
        taken_path(keys.path).write_text("{")
        assert line.run(image)[0] and "count images of device 7 as lost" in line.not_stored
        taken_path(keys.path).unlink()
        assert line.run(image)[0] and line.not_stored == ""
    assert TakenImages(taken_path(keys.path)).newest(7, MARK) == 706


@pytest.mark.parametrize(
    ("code", "used"),
    [
        (ErrorCode.AIR_TIME, 1), (ErrorCode.CAMERA, 1), (ErrorCode.ENGINE, 1), (ErrorCode.BAD_LENGTH, 1),
        (ErrorCode.OVERRUN, 0), (ErrorCode.TOO_LONG, 0), (ErrorCode.MEMORY, 0),
    ],
)  # fmt: skip
def test_counters_of_commands_that_failed_are_stored(keys: KeyFile, bundle: Bundle, code: ErrorCode, used: int) -> None:
    board = SecuredBoard(key=KEY, model=bundle, counter=700)
    image = np.zeros(bundle.input_shape, np.uint8)

    failed: list[Control] = []

    def failing(command: Control) -> bytes | None:
        if command.opcode != Opcode.RUN | SEALED_BIT or board.counter != 700 + len(failed):
            return None
        failed.append(command)
        board.counter += used
        return reply(Opcode.ERROR, command.request, bytes((code, Opcode.RUN)), 7, 0)

    board.before = failing
    with fake_line(answers(board.answer)) as url, Board.open(url, bundle, timeout=0.5, keys=keys) as line:
        for send in (line.run, line.run_by_radio):
            with pytest.raises(BoardError):
                send(image)
            if not used:
                break
        board.before = lambda _command: None
        sent = len(board.received)
        assert line.run(image)[0]
        assert len(board.received) == sent + 1, "its counter was known"
    taken = TakenImages(taken_path(keys.path))
    assert taken.count(7, MARK, 700, 700 + 2 * used - 1) == 2 * used
    assert taken.newest(7, MARK) == 700 + 2 * used


def test_state_file_is_read_while_it_is_closed_and_after_a_crash_only(keys: KeyFile) -> None:
    path = state_path(keys.path)
    assert read_counter(path, 7, MARK) is None and not path.exists()
    file = StateFile(path, for_keys=True)
    file.save({}, set(), {7: Accepted(MARK, 499)})
    assert read_counter(path, 7, MARK) is None, "the process that has it open keeps others out"
    crashed = path.with_name("crashed")  # what a killed process leaves
    for suffix in ("", "-wal"):
        crashed.with_name(f"crashed{suffix}").write_bytes(path.with_name(f"{path.name}{suffix}").read_bytes())
    file.close()
    for left in (path, crashed):
        assert [read_counter(left, 7, MARK), read_counter(left, 8, MARK), read_counter(left, 7, "")] == [
            499,
            None,
            None,
        ]
    path.write_bytes(b"no database " * 100)
    with pytest.raises(HostError, match="is not a usable state file"):
        read_counter(path, 7, MARK)
