"""Sealed commands: with which key and counter, what is refused, and what an attacker on the line gets."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from host.board.board import Board
from host.board.errors import BoardError, DeviceError, KeyMismatchError
from host.board.sealing import MAX_AHEAD
from host.keys.key_file import KeyFile
from tests.host.board.conftest import raises
from tests.host.secured_board import COST, SecuredBoard
from tests.support.host import make_bundle
from tests.support.lines import answers, fake_line
from wire.bundle import Bundle
from wire.control import SEALED_BIT, Control, ErrorCode, Mode, ModeSetting, Opcode, reply
from wire.replies.key_state import KeyState

KEY, OTHER = bytes(range(16)), bytes(range(16, 32))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle whose images have the shape of the fake board's pixels."""
    return make_bundle(tmp_path_factory.mktemp("sealing") / "small", answer=True)


@pytest.fixture
def keys(tmp_path: Path) -> KeyFile:
    """A key file with KEY for device 7."""
    with KeyFile.edit(tmp_path / "keys.json") as file:
        file.add(7, KEY, permanent=True)
    return file


@contextmanager
def client(board: SecuredBoard, bundle: Bundle | None = None, keys: KeyFile | None = None) -> Iterator[Board]:
    """Yield the client of a fake board."""
    with fake_line(answers(board.answer)) as url, Board.open(url, bundle, timeout=0.5, keys=keys) as client:
        yield client


def opcodes(board: SecuredBoard) -> list[int]:
    return [command.opcode for command in board.received]


def test_pixels_are_sealed_for_a_board_with_a_key(bundle: Bundle, keys: KeyFile) -> None:
    board = SecuredBoard(key=KEY, model=bundle)
    with client(board, bundle, keys) as line:
        for _ in range(2):
            assert line.pixels().tobytes() == board.pixels
    assert opcodes(board) == [Opcode.INFO, Opcode.KEY, *2 * [Opcode.PIXELS | SEALED_BIT]]
    assert board.counter == 70_000, "PIXELS uses up no counter"


def test_mode_is_sealed(keys: KeyFile) -> None:
    board = SecuredBoard(key=KEY)
    with client(board, keys=keys) as line:
        line.info()
        assert line.mode(ModeSetting(Mode.ADAPTIVE, 9)) == ModeSetting(Mode.ADAPTIVE, 9) == line.mode()
    assert opcodes(board)[2:] == 2 * [Opcode.MODE | SEALED_BIT]


def test_run_by_radio_is_sealed_for_one_counter_after_another(bundle: Bundle, keys: KeyFile) -> None:
    board = SecuredBoard(key=KEY, model=bundle)
    image = np.zeros(bundle.input_shape, np.uint8)
    with client(board, bundle, keys) as line:
        for _ in range(3):
            cost, report = line.run_by_radio(image)
            assert cost == COST and report.air_micros == 61_000
    assert opcodes(board)[2:] == 3 * [Opcode.RUN | SEALED_BIT], "no seal was refused"
    assert board.counter == 70_003


@pytest.mark.parametrize("devices", [(), (8,)])
def test_nothing_is_sealed_without_a_key_of_the_board(bundle: Bundle, tmp_path: Path, devices: tuple[int, ...]) -> None:
    with KeyFile.edit(tmp_path / "keys.json") as file:
        for device in devices:
            file.add(device, KEY, permanent=True)
    board = SecuredBoard(model=bundle)
    with client(board, bundle, file) as line:
        line.pixels()
        line.pixels()
    assert opcodes(board) == [*([Opcode.INFO] if devices else []), Opcode.PIXELS, Opcode.PIXELS]


def test_a_seal_for_a_moved_counter_is_made_again(bundle: Bundle, keys: KeyFile) -> None:
    """The camera board has sent images in between, or has restarted."""
    board = SecuredBoard(key=KEY, model=bundle)
    with client(board, bundle, keys) as line:
        line.pixels()
        board.restart()
        assert line.pixels().tobytes() == board.pixels
        board.counter += MAX_AHEAD
        cost, _ = line.run_by_radio(np.zeros(bundle.input_shape, np.uint8))
        assert cost == COST
    assert board.executed.count(Opcode.PIXELS) == 2 and board.executed.count(Opcode.RUN) == 1


@pytest.mark.parametrize("ahead", [-1, -70_000, MAX_AHEAD + 1])
def test_no_seal_is_made_for_a_counter_that_is_not_near(bundle: Bundle, keys: KeyFile, ahead: int) -> None:
    board = SecuredBoard(key=KEY, model=bundle)

    def refuse(command: Control) -> bytes | None:
        if command.opcode != Opcode.PIXELS | SEALED_BIT:
            return None
        data = bytes((ErrorCode.NOT_AUTHENTIC, command.opcode)) + (70_000 + ahead).to_bytes(4, "big")
        return reply(Opcode.ERROR, command.request, data, 7, 0)

    board.before = refuse
    message = rf"^device 7 reports counter {70_000 + ahead} after 70000, to which no board jumps: "
    with client(board, bundle, keys) as line, raises(DeviceError, message):
        line.pixels()
    assert opcodes(board).count(Opcode.PIXELS | SEALED_BIT) == 1


def test_an_endless_run_of_counters_ends(bundle: Bundle, keys: KeyFile) -> None:
    board = SecuredBoard(key=KEY, model=bundle)

    def move(command: Control) -> None:
        board.counter += command.opcode == Opcode.PIXELS | SEALED_BIT

    board.before = move
    with client(board, bundle, keys) as line, raises(KeyMismatchError, "device 7 has a key, and"):
        line.pixels()
    assert 3 <= opcodes(board).count(Opcode.PIXELS | SEALED_BIT) <= 9


def test_a_board_whose_key_is_missing_names_the_file(bundle: Bundle, tmp_path: Path) -> None:
    board, file = SecuredBoard(key=KEY, model=bundle), KeyFile(tmp_path / "keys.json")
    message = rf"^device 7 has a key, and {file.path} has no key of it: .* --keys \(see inkling keys list\)"
    with client(board, bundle, file) as line:
        line.info()
        with raises(KeyMismatchError, message):
            line.pixels()
        with raises(KeyMismatchError, message):
            line.run_by_radio(np.zeros(bundle.input_shape, np.uint8))
        with raises(KeyMismatchError, message):
            line.run(np.zeros(bundle.input_shape, np.uint8))


def test_a_board_with_a_key_is_reported_without_a_key_file(bundle: Bundle) -> None:
    board = SecuredBoard(key=KEY, model=bundle)
    with client(board, bundle) as line, raises(BoardError, "only if it is sealed with the key .NOT_AUTHENTIC"):
        line.pixels()
    assert opcodes(board) == [Opcode.PIXELS], "nothing more is asked than before there were keys"


def test_a_board_with_another_key_names_the_file(bundle: Bundle, keys: KeyFile) -> None:
    board = SecuredBoard(key=OTHER, model=bundle)
    message = rf"^device 7 has a key, and {keys.path} has another key of it: "
    with client(board, bundle, keys) as line, raises(KeyMismatchError, message):
        line.pixels()


def test_an_interrupted_change_is_named(bundle: Bundle, keys: KeyFile) -> None:
    with KeyFile.edit(keys.path) as file:
        file.add_pending(7, OTHER, 0)
    board = SecuredBoard(key=OTHER, model=bundle)
    message = r"change of which was interrupted: finish it \(inkling keys rotate\)$"
    with client(board, bundle, file) as line, raises(KeyMismatchError, message):
        line.pixels()


def test_a_board_that_lost_its_key_gets_no_image(bundle: Bundle, keys: KeyFile) -> None:
    """Nobody can make this host go back to plain frames."""
    board = SecuredBoard(model=bundle)
    message = rf"^device 7 has no key, but {keys.path} has one of it: .* \(inkling keys add\)$"
    with client(board, bundle, keys) as line, raises(KeyMismatchError, message):
        line.run(np.zeros(bundle.input_shape, np.uint8))
    assert Opcode.RUN not in opcodes(board)


def test_a_revoked_board_gets_no_command(bundle: Bundle, keys: KeyFile) -> None:
    with KeyFile.edit(keys.path) as file:
        file.revoke(7)
    board = SecuredBoard(key=KEY, model=bundle)
    with client(board, bundle, file) as line, raises(KeyMismatchError, rf"^device 7 is revoked in {keys.path}: "):
        line.pixels()
    assert opcodes(board) == [Opcode.INFO]


def test_a_refusal_without_a_counter_is_one_line(bundle: Bundle, keys: KeyFile) -> None:
    board = SecuredBoard(key=KEY, model=bundle)

    def refuse(command: Control) -> bytes | None:
        data = bytes((ErrorCode.NOT_AUTHENTIC, command.opcode))
        return reply(Opcode.ERROR, command.request, data, 7, 0) if command.opcode & SEALED_BIT else None

    board.before = refuse
    with client(board, bundle, keys) as line, raises(DeviceError, "not compatible.* has 6 bytes of data, got 2$"):
        line.pixels()


def test_key_state_and_has_key(keys: KeyFile) -> None:
    board = SecuredBoard(key=KEY, permanent=False)
    with client(board) as line:
        state = line.key_state()
        assert state == KeyState(1, 70_000) and state.has_key and not state.is_permanent
        assert line.has_key(KEY, state.counter) and not line.has_key(OTHER, state.counter)
        board.key = None
        assert not line.has_key(KEY, state.counter)
