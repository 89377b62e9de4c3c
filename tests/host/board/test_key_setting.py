"""Giving keys to boards: a crash or a lost reply at any point loses neither key, and no key is used twice."""

import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from host.board.board import Board
from host.board.errors import DeviceError, KeyMismatchError
from host.board.key_setting import KeyChange, Outcome, add_key, find_key, rotate_key
from host.errors import HostError
from host.keys.key_file import KeyFile
from tests.host.board.conftest import raises
from tests.host.secured_board import SecuredBoard
from tests.support.lines import answers, fake_line
from wire.control import SEALED_BIT, Control, ErrorCode, Opcode, reply

KEY, OTHER = bytes(range(16)), bytes(range(16, 32))
Change = Callable[[Board, Path], KeyChange]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def store(path: Path, key: bytes = KEY) -> None:
    with KeyFile.edit(path) as file:
        file.add(7, key, permanent=True)


def change(board: SecuredBoard, path: Path, how: Change = add_key, timeout: float = 0.1) -> KeyChange:
    """Change the key of a fake board."""
    with fake_line(answers(board.answer)) as url, Board.open(url, timeout=timeout) as line:
        return how(line, path)


def agree(board: SecuredBoard, path: Path) -> bool:
    """Return True if the board has the only key that the file has of it."""
    return KeyFile.load(path).devices[7].candidates == [board.key]


@pytest.mark.parametrize("permanent", [True, False])
def test_add_gives_a_random_key(path: Path, permanent: bool) -> None:
    keys = set()
    for _ in range(2):
        path.unlink(missing_ok=True)
        board = SecuredBoard(permanent=permanent)
        assert change(board, path) == KeyChange(7, Outcome.NEW, permanent)
        assert agree(board, path) and KeyFile.load(path).devices[7].permanent == permanent
        keys.add(board.key)
    assert len(keys) == 2 and all(key and len(key) == 16 for key in keys)


def test_add_leaves_a_board_that_has_its_key(path: Path) -> None:
    store(path)
    board = SecuredBoard(key=KEY)
    assert change(board, path) == KeyChange(7, Outcome.KEPT, True)
    assert board.key == KEY and agree(board, path)


def test_add_refuses_a_board_whose_key_the_file_lacks(path: Path) -> None:
    with raises(
        KeyMismatchError,
        rf"^device 7 has a key, and {path} has no key of it: .*erase the board's flash \(see docs/security.md\)$",
    ):
        change(SecuredBoard(key=KEY), path)
    store(path, OTHER)
    before = path.read_bytes()
    with raises(KeyMismatchError, f"^device 7 has a key, and {path} has another key of it: "):
        change(SecuredBoard(key=KEY), path)
    assert path.read_bytes() == before


def test_add_never_gives_a_used_key_to_a_board_that_lost_it(path: Path) -> None:
    """Its counter begins anew, and would meet the old key for the second time."""
    board = SecuredBoard(permanent=False)
    change(board, path)
    first = board.key
    board.restart()
    assert change(board, path).outcome == Outcome.NEW
    assert board.key not in (None, first) and agree(board, path)


def test_add_refuses_a_revoked_board(path: Path) -> None:
    store(path)
    with KeyFile.edit(path) as file:
        file.revoke(7)
    with raises(KeyMismatchError, r"^device 7 is revoked in .* \(inkling keys rotate\)"):
        change(SecuredBoard(key=KEY), path)
    assert KeyFile.load(path).devices[7].revoked


def test_old_firmware_is_named(path: Path) -> None:
    with raises(DeviceError, "does not know this command: flash newer firmware"):
        change(SecuredBoard(knows_key=False), path)
    assert not path.exists()


def test_rotate_replaces_the_key_and_ends_a_revocation(path: Path) -> None:
    store(path)
    with KeyFile.edit(path) as file:
        file.revoke(7)
    board = SecuredBoard(key=KEY)
    assert change(board, path, rotate_key) == KeyChange(7, Outcome.ROTATED, True)
    assert board.key != KEY and agree(board, path) and not KeyFile.load(path).devices[7].revoked
    assert [c.opcode for c in board.received if len(c.data) >= 16] == [Opcode.KEY | SEALED_BIT], "never plain"


def test_rotate_needs_a_key(path: Path) -> None:
    store(path)
    with raises(KeyMismatchError, r"^device 7 has no key: give it one \(inkling keys add\)$"):
        change(SecuredBoard(), path, rotate_key)
    with raises(KeyMismatchError, "has another key of it"):
        change(SecuredBoard(key=OTHER), path, rotate_key)


class PowerCut(BaseException):
    """Not an Exception: nothing in the program handles it."""


def crash_points(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Return a function that lets the host crash before its n-th write of the key file or command, from 0."""
    left = [0]
    write, save = Board._send, KeyFile.save

    def count() -> None:
        left[0] -= 1
        if left[0] == -1:
            raise PowerCut

    def send(*arguments: object) -> object:
        count()
        return write(*arguments)  # type: ignore[arg-type]

    def saved(file: KeyFile) -> None:
        count()
        save(file)

    monkeypatch.setattr(Board, "_send", send)
    monkeypatch.setattr(KeyFile, "save", saved)
    return lambda n: left.__setitem__(0, n)


@pytest.mark.parametrize("how", [add_key, rotate_key])
def test_a_crash_of_the_host_at_any_point_loses_no_key(
    path: Path, monkeypatch: pytest.MonkeyPatch, how: Change
) -> None:
    """A traceback, which such a crash may leave, shows no key either."""
    crash_before, crashes = crash_points(monkeypatch), 0
    for n in range(30):
        crash_before(1000)
        path.unlink(missing_ok=True)
        board = SecuredBoard(key=KEY if how == rotate_key else None)
        if how == rotate_key:
            store(path)
        crash_before(n)
        try:
            change(board, path, how)
        except PowerCut as crash:
            crashes += 1
            shown = "".join(traceback.format_exception(crash))
            secrets = [repr(key)[2:-1] for key in (KEY, board.key) if key]
            assert "PowerCut" in shown and not any(secret in shown for secret in secrets)
        else:
            break
        crash_before(1000)
        if board.key is not None:
            assert board.key in KeyFile.load(path).devices[7].candidates, f"lost by a crash at point {n}"
        change(board, path, add_key if board.key is None or how == add_key else rotate_key)
        assert agree(board, path), f"not finished after a crash at point {n}"
    assert crashes >= 6 and agree(board, path)


@pytest.mark.parametrize("executes", [True, False])
@pytest.mark.parametrize(
    ("how", "lost"),
    [*((add_key, n) for n in range(4)), *((rotate_key, n) for n in range(5))],  # all commands
)
def test_lost_commands_and_replies_lose_no_key(path: Path, how: Change, executes: bool, lost: int) -> None:
    """From one point on, the line loses each command, or each reply, until the change is given up or done."""
    board = SecuredBoard(key=KEY if how == rotate_key else None)
    if how == rotate_key:
        store(path)

    def lose(command: Control) -> bytes | None:
        if len(board.received) <= lost:
            return None
        if executes:
            board.execute(command)
        return b""

    board.before = lose
    with pytest.raises(HostError) as error:
        change(board, path, how, timeout=0.02)
    if path.exists() and len(KeyFile.load(path).devices[7].candidates) > (how == rotate_key):
        assert "keeps the new key as pending: the same command finishes the change" in str(error.value)
    if board.key is not None:
        assert board.key in KeyFile.load(path).devices[7].candidates
    board.before = lambda _command: None
    change(board, path, how)
    assert agree(board, path)


@pytest.mark.parametrize("how", [add_key, rotate_key])
def test_a_single_lost_reply_is_no_failure(path: Path, how: Change) -> None:
    """The command is repeated, and the board refuses the repetition: it has the key already."""
    board, lost = SecuredBoard(key=KEY if how == rotate_key else None), list[bytes]()
    if how == rotate_key:
        store(path)

    def lose(command: Control) -> bytes | None:
        is_set = command.opcode & ~SEALED_BIT == Opcode.KEY and len(command.data) in (16, 28)
        if not is_set or lost:
            return None
        lost.append(board.execute(command))
        return b""

    board.before = lose
    assert change(board, path, how).outcome in (Outcome.NEW, Outcome.ROTATED)
    assert lost and agree(board, path)


def test_a_board_that_does_not_take_a_key_is_reported(path: Path) -> None:
    board = SecuredBoard()

    def refuse(command: Control) -> bytes | None:
        if len(command.data) != 16:
            return None
        return reply(Opcode.ERROR, command.request, bytes((ErrorCode.BAD_LENGTH, Opcode.KEY)), 7, 0)

    board.before = refuse
    with raises(DeviceError, rf"BAD_LENGTH\); {path} keeps the new key as pending: the same command finishes"):
        change(board, path)


def test_find_key_survives_images_in_between(path: Path) -> None:
    store(path)
    board = SecuredBoard(key=KEY)
    with fake_line(answers(board.answer)) as url, Board.open(url, timeout=0.3) as line:
        state = line.key_state()
        board.counter += 3
        assert find_key(line, KeyFile.load(path), state) == KEY


TEXT_KEY = b"Zq9 Wx7 Vb5 Kj3."


@pytest.mark.parametrize("late", [False, True])
def test_no_error_quotes_a_key_that_comes_back(path: Path, monkeypatch: pytest.MonkeyPatch, late: bool) -> None:
    """A key may consist of printable characters, and its echo may look like a line of text, also a late one."""
    monkeypatch.setattr("secrets.token_bytes", lambda _count: TEXT_KEY)
    board, errors = SecuredBoard(), []

    def echo(command: Control) -> bytes | None:
        sent = [one for one in board.received if one.data == TEXT_KEY]
        return b"\n" + TEXT_KEY + b"\n" if sent and (command not in sent or not late) else b"" if sent else None

    board.before = echo
    set_key = Board.set_key

    def noted(*arguments: object) -> None:
        try:
            set_key(*arguments)  # type: ignore[arg-type]
        except DeviceError as error:
            errors.append(str(error))
            raise

    monkeypatch.setattr(Board, "set_key", noted)
    with pytest.raises(HostError) as raised:
        change(board, path)
    errors.append(str(raised.value))
    assert len(errors) == 2 and "no valid reply" in errors[1] and "pending" in errors[1]
    assert not any(TEXT_KEY[n : n + 4].decode() in error for n in range(13) for error in errors)
    assert KeyFile.load(path).devices[7].candidates == [TEXT_KEY]
