"""`inkling keys`: what it shows, what it changes, and that no key is ever shown."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from host.cli.keys.parsers import DEMANDS, MAX_DEVICE
from host.keys import key_file
from host.keys.key_file import KeyFile
from host.keys.policy import Auth
from tests.conftest import RunInkling
from tests.host.cli.process import finish, run, start
from tests.host.secured_board import SecuredBoard
from tests.support.host import make_frame
from tests.support.lines import answers, fake_line, sends, stays_silent
from wire.bundle import Bundle
from wire.frame import ANY_DEVICE

KEY, OTHER = bytes(range(16)), bytes(range(16, 32))


@contextmanager
def line(board: SecuredBoard) -> Iterator[str]:
    with fake_line(answers(board.answer)) as url:
        yield url


@pytest.fixture
def stored(default_keys: Path) -> Path:
    """The default key file, with keys of devices 7 and 9."""
    with KeyFile.edit(default_keys) as file:
        file.add(7, KEY, permanent=True)
        file.add(9, OTHER, permanent=False)
    return default_keys


def test_names_of_demands_and_numbers_are_those_of_the_library() -> None:
    assert list(key_file.DEMANDS) == list(DEMANDS) and MAX_DEVICE == ANY_DEVICE - 1


def test_add_gives_a_key_and_stores_it(run_inkling: RunInkling, default_keys: Path) -> None:
    board = SecuredBoard()
    with line(board) as url:
        done = run_inkling("keys", "add", "--port", url)
    assert done == (0, f"device 7 has a new key, in {default_keys}\n", "")
    assert board.key and KeyFile.load(default_keys).devices[7].candidates == [board.key]
    with line(board) as url:
        done = run_inkling("keys", "add", "--port", url)
    assert done == (0, f"device 7 already has its key, in {default_keys}\n", "")


def test_add_warns_of_a_board_without_permanent_memory(run_inkling: RunInkling, tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    with line(SecuredBoard(permanent=False)) as url:
        code, out, err = run_inkling("keys", "add", "--port", url, "--keys", path)
    assert (code, out) == (0, f"device 7 has a new key, in {path}\n")
    assert err == (
        "inkling: device 7 has no permanent memory that works: when it restarts, it loses its key and sends plain "
        "frames, which this host refuses; then give it a new key (inkling keys add)\n"
    )


def test_add_addresses_the_given_device(run_inkling: RunInkling, default_keys: Path) -> None:
    board = SecuredBoard()
    with line(board) as url:
        code, _, _ = run_inkling("keys", "add", "--port", url, "--device", 7)
    assert code == 0 and {command.header.device for command in board.received} == {7}
    with fake_line(stays_silent) as url:
        code, out, err = run_inkling("keys", "add", "--port", url, "--device", 8, "--timeout", 0.05)
    assert (code, out) == (1, "") and err.startswith(f"inkling: {url}: the board does not respond: ")
    assert KeyFile.load(default_keys).devices.keys() == {7}


def test_add_finishes_an_interrupted_change(run_inkling: RunInkling, stored: Path) -> None:
    with KeyFile.edit(stored) as file:
        file.add_pending(7, OTHER, 0)
    with line(SecuredBoard(key=OTHER)) as url:
        done = run_inkling("keys", "add", "--port", url)
    assert done == (0, f"device 7 has its key: an interrupted change is finished, in {stored}\n", "")


def test_two_commands_at_once_lose_no_key(default_keys: Path) -> None:
    boards = [SecuredBoard(device=device) for device in (7, 8)]
    with line(boards[0]) as first, line(boards[1]) as second:
        commands = [start("keys", "add", "--port", url) for url in (first, second)]
        assert [finish(command)[0] for command in commands] == [0, 0]
    stored = KeyFile.load(default_keys).devices
    assert [stored[board.device].candidates for board in boards] == [[board.key] for board in boards]


def test_rotate_gives_another_key(run_inkling: RunInkling, stored: Path) -> None:
    board = SecuredBoard(key=KEY)
    with line(board) as url:
        done = run_inkling("keys", "rotate", "--port", url)
    assert done == (0, f"device 7 has a new key in place of the old one, in {stored}\n", "")
    assert board.key != KEY and KeyFile.load(stored).devices[7].candidates == [board.key]


@pytest.mark.parametrize("command", ["add", "rotate"])
def test_a_key_file_that_is_refused_touches_no_board(run_inkling: RunInkling, stored: Path, command: str) -> None:
    stored.chmod(0o644)
    board = SecuredBoard(key=KEY)
    with line(board) as url:
        code, out, err = run_inkling("keys", command, "--port", url)
    error = f"inkling: key file {stored}: others can read or write it (mode 644): chmod 600 {stored}\n"
    assert (code, out, err) == (1, "", error) and not board.received


def test_revoke_and_require_change_the_file(run_inkling: RunInkling, stored: Path) -> None:
    assert run_inkling("keys", "require", 7, "full") == (
        0, "device 7: its frames must be `full` from now on\n", ""
    )  # fmt: skip
    assert KeyFile.load(stored).policies[7].require == Auth.FULL
    code, out, err = run_inkling("keys", "revoke", 7)
    assert (code, err) == (0, "") and out.startswith("device 7 is revoked: this host refuses its frames from now on;")
    assert "the board keeps sending them" in out and "erased" in out
    policies = KeyFile.load(stored).policies
    assert policies[7].keys is None and policies[9].keys is not None


def test_remove_needs_yes_and_leaves_the_other_devices(run_inkling: RunInkling, stored: Path) -> None:
    before = stored.read_bytes()
    code, out, err = run_inkling("keys", "remove", 7)
    assert (code, out) == (1, "") and err.count("\n") == 1 and stored.read_bytes() == before
    assert f"without its key in {stored}, this host takes plain frames of device 7" in err and "add --yes" in err
    code, out, err = run_inkling("keys", "remove", 7, "--yes")
    assert (code, err) == (0, "") and out.startswith("device 7 has no key any more: this host takes its plain frames")
    assert KeyFile.load(stored).devices.keys() == {9}


def test_receive_takes_plain_frames_of_a_removed_device(run_inkling: RunInkling, stored: Path, bundle: Bundle) -> None:
    """Both before and after, the board sends plain frames."""
    data = make_frame(bundle, 1, device=7) + make_frame(bundle, 2, device=8)
    for step, devices in ((("require", 7, "header"), [8]), (("remove", 7, "--yes"), [7, 8])):
        assert run_inkling("keys", *step)[0] == 0
        with fake_line(sends(data, hold=True)) as url:
            options = ("--bundle", bundle.path, "--json", "-", "--count", len(devices))
            _, out, err = run_inkling("receive", "--port", url, *options)
        rows = [json.loads(row) for row in out.splitlines()]
        assert [row["device"] for row in rows if "event" not in row] == devices, err


@pytest.mark.parametrize("words", [("revoke", 5), ("remove", 5), ("remove", 5, "--yes"), ("require", 5, "full")])
def test_changes_of_an_unknown_device_are_one_line(run_inkling: RunInkling, stored: Path, words: tuple) -> None:
    error = f"inkling: {stored} has no key of device 5; it has: 7, 9\n"
    assert run_inkling("keys", *words) == (1, "", error)
    stored.unlink()
    assert run_inkling("keys", *words) == (1, "", f"inkling: {stored} has no key of device 5; it has: none\n")
    assert not stored.exists()


@pytest.mark.parametrize("number", ["255", "-1", "x", "7.0"])
def test_revoke_refuses_an_impossible_device(run_inkling: RunInkling, number: str) -> None:
    code, _, err = run_inkling("keys", "revoke", "--", number)
    assert code == 2 and f"must be a device number, 0 to 254, got '{number}'" in err and err.count("\n") == 1


def test_list_shows_the_file(run_inkling: RunInkling, stored: Path) -> None:
    with KeyFile.edit(stored) as file:
        file.demand(7, Auth.FULL)
        file.revoke(9)
        file.add_pending(3, KEY, 0)
    code, out, err = run_inkling("keys", "list")
    assert (code, err) == (0, "") and out.replace("\n", "").startswith(f"key file {stored}: 3 devices")
    rows = [[cell.strip() for cell in row.split("│")[1:-1]] for row in out.splitlines() if row.startswith("│")]
    made = {device: keys.likely.made for device, keys in file.devices.items()}
    assert rows == [
        ["3", made[3], "header", "pending", "unknown"],
        ["7", made[7], "full", "in use", "yes"],
        ["9", made[9], "header", "revoked", "no"],
    ]
    code, out, err = run_inkling("keys", "list", "--json")
    values = [json.loads(one) for one in out.splitlines()]
    assert all(one.pop("time") for one in values)
    assert values == [
        {"device": 3, "made": made[3], "require": "header", "revoked": False, "pending": True, "permanent": None},
        {"device": 7, "made": made[7], "require": "full", "revoked": False, "pending": False, "permanent": True},
        {"device": 9, "made": made[9], "require": "header", "revoked": True, "pending": False, "permanent": False},
    ]


@pytest.mark.parametrize(
    ("board", "text", "values"),
    [
        (SecuredBoard(), "has no key", {"has_key": False, "in_file": False, "permanent": False}),
        (SecuredBoard(key=KEY), "has its key, counter 70000", {"has_key": True, "in_file": True, "permanent": True}),
        (
            SecuredBoard(key=OTHER, permanent=False),
            "has another key, counter 70000, not permanent",
            {"has_key": True, "in_file": False, "permanent": False},
        ),
        (SecuredBoard(key=OTHER, device=9), "has its key", {"has_key": True, "in_file": True, "permanent": True}),
        (SecuredBoard(key=KEY, device=1), "another key", {"has_key": True, "in_file": False, "permanent": True}),
    ],
)
def test_list_asks_the_board(
    run_inkling: RunInkling, stored: Path, board: SecuredBoard, text: str, values: dict
) -> None:
    before = stored.read_bytes()
    with line(board) as url:
        code, out, err = run_inkling("keys", "list", "--port", url)
    assert (code, err) == (0, "")
    (row,) = [row for row in out.splitlines() if row.startswith(f"│ {board.device} ")]
    assert text.split()[1] in row, "the rest is in the lines below"
    with line(board) as url:
        code, out, err = run_inkling("keys", "list", "--port", url, "--json")
    reported = {one["device"]: one.get("board") for one in map(json.loads, out.splitlines())}
    assert reported.pop(board.device) == {**values, "counter": 70_000}
    assert set(reported.values()) == {None} and stored.read_bytes() == before


def test_list_without_a_file_is_empty(run_inkling: RunInkling, default_keys: Path, tmp_path: Path) -> None:
    code, out, err = run_inkling("keys", "list")
    assert (code, err) == (0, "") and out.replace("\n", "") == f"key file {default_keys}: 0 devices"
    missing = tmp_path / "missing.json"
    error = f"inkling: key file {missing}: missing.json cannot be read (No such file or directory)\n"
    assert run_inkling("keys", "list", "--keys", missing) == (1, "", error)


def test_no_command_shows_a_key(stored: Path, run_inkling: RunInkling) -> None:
    """Neither in outputs nor in errors: of all commands, with boards that have and lack the key, and a torn file."""
    texts: list[str] = []
    for board in (SecuredBoard(), SecuredBoard(key=KEY), SecuredBoard(key=OTHER)):
        for words in (["list", "--json"], ["list"], ["add"], ["rotate"]):
            with line(board) as url:
                texts += run_inkling("keys", *words, "--port", url)[1:]
    keys = {key for device in KeyFile.load(stored).devices.values() for key in device.candidates} | {KEY, OTHER}
    stored.write_text(stored.read_text()[:-30])
    for words in (["list"], ["revoke", "7"], ["remove", "7"], ["require", "7", "full"], ["add", "--port", "loop://"]):
        code, _, err = run("keys", *words, "--keys", stored)
        assert code == 1 and "is not JSON" in err
        texts.append(err)
    assert len(keys) >= 3 and len(texts) == 29
    assert not any(key.hex()[n : n + 8] in text for key in keys for n in range(25) for text in texts)
