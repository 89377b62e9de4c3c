"""The other commands with boards that have a key: with the key, without it, and with a wrong key file."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from host.keys.key_file import KeyFile
from host.keys.policy import Auth
from tests.conftest import RunInkling
from tests.host.secured_board import SecuredBoard
from tests.support.lines import answers, fake_line, sends
from wire.bundle import Bundle
from wire.control import SEALED_BIT, Opcode

KEY, OTHER = bytes(range(16)), bytes(range(16, 32))


def store(path: Path, device: int = 7) -> None:
    with KeyFile.edit(path) as file:
        file.add(device, KEY, permanent=True)


@pytest.mark.parametrize(
    ("board", "in_file", "text"),
    [
        (SecuredBoard(knows_key=False), False, "none: its firmware knows no keys"),
        (SecuredBoard(before=lambda one: bytes(9) if one.opcode == Opcode.KEY else None), False, "unknown: no valid"),
        (SecuredBoard(), False, "none "),
        (SecuredBoard(), True, "none, but the key file has one"),
        (SecuredBoard(key=KEY), True, "yes; one in the key file"),
        (SecuredBoard(key=KEY, permanent=False), False, "yes, until it restarts; none in the key file"),
    ],
)
def test_info_shows_the_state_of_the_key(
    run_inkling: RunInkling, default_keys: Path, board: SecuredBoard, in_file: bool, text: str
) -> None:
    if in_file:
        store(default_keys)
    with fake_line(answers(board.answer)) as url:
        code, out, err = run_inkling("info", "--port", url, "--timeout", 0.2)
    (row,) = [row for row in out.splitlines() if row.startswith("│ device key ")]
    assert (code, err) == (0, "") and f"│ {text}" in row


def test_mode_is_sealed_with_the_key_of_the_file(run_inkling: RunInkling, tmp_path: Path) -> None:
    path, board = tmp_path / "keys.json", SecuredBoard(key=KEY)
    store(path)
    with fake_line(answers(board.answer)) as url:
        done = run_inkling("mode", "answer", "--port", url, "--keys", path)
    assert done == (0, "device 7: mode answer\n", "")
    assert board.received[-1].opcode == Opcode.MODE | SEALED_BIT
    with fake_line(answers(board.answer)) as url:
        assert run_inkling("mode", "--port", url) == (0, "device 7: mode answer\n", ""), "the board takes it plain, too"
    assert board.received[-1].opcode == Opcode.MODE


@pytest.mark.parametrize("words", [("mode", "--port"), ("info", "--port")])
def test_a_key_file_that_is_missing_or_unusable_is_one_line(
    run_inkling: RunInkling, default_keys: Path, words: tuple[str, ...], tmp_path: Path
) -> None:
    store(default_keys)
    default_keys.chmod(0o640)
    code, _, err = run_inkling(*words, "loop://")
    assert (code, err.count("\n")) == (1, 1) and f"chmod 600 {default_keys}" in err
    code, _, err = run_inkling(*words, "loop://", "--keys", tmp_path / "missing.json")
    assert (code, err.count("\n")) == (1, 1) and "missing.json cannot be read (No such file or directory)" in err


@pytest.fixture
def picture(tmp_path: Path, bundle: Bundle) -> Path:
    """The file of an image."""
    Image.fromarray(np.zeros(bundle.input_shape, np.uint8)).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def test_run_and_capture_take_secured_frames(
    run_inkling: RunInkling, default_keys: Path, bundle: Bundle, picture: Path, tmp_path: Path
) -> None:
    store(default_keys)
    board, seen = SecuredBoard(key=KEY, model=bundle), tmp_path / "seen.png"
    commands = [
        ("run", picture, picture),
        ("run", picture, "--by-radio"),
        ("capture", "--count", 2, "--every", 0.01, "--save", seen),
    ]
    for command in commands:
        with fake_line(answers(board.answer)) as url:
            code, out, err = run_inkling(*command, "--port", url, "--bundle", bundle.path, "--json")
        readings = [json.loads(row) for row in out.splitlines()]
        assert code == 0 and len(err.splitlines()) == len(readings)
        assert all("class" not in one or (one["class"] and one["auth"] == "full") for one in readings)
    assert board.executed.count(Opcode.RUN) == 3 and board.executed.count(Opcode.CAPTURE) == 2
    assert Opcode.RUN not in {one.opcode for one in board.received} and seen.exists()


@pytest.mark.parametrize("words", [("run", "{picture}"), ("run", "{picture}", "--by-radio"), ("capture",)])
@pytest.mark.parametrize("has_file", [False, True])
def test_a_board_whose_key_is_missing_is_one_line(
    run_inkling: RunInkling, default_keys: Path, bundle: Bundle, picture: Path, words: tuple[str, ...], has_file: bool
) -> None:
    if has_file:
        store(default_keys, device=9)
    board = SecuredBoard(key=KEY, model=bundle)
    command = [word.format(picture=picture) for word in words]
    with fake_line(answers(board.answer)) as url:
        code, out, err = run_inkling(*command, "--port", url, "--bundle", bundle.path)
    assert (code, out) == (1, "") and err == (
        f"inkling: device 7 has a key, and {default_keys} has no key of it: name the right key file with --keys (see "
        "inkling keys list), or erase the board's flash (see docs/security.md)\n"
    )


@pytest.mark.parametrize(
    ("change", "key", "message"),
    [
        (lambda file: file.revoke(7), KEY, "device 7 is revoked in"),
        (lambda file: file.demand(7, Auth.FULL), None, "device 7 has no key, but"),
        (lambda file: file.add_pending(7, OTHER, 0), OTHER, "a change of which was interrupted"),
    ],
)
def test_a_board_that_does_not_agree_with_the_file_is_one_line(
    run_inkling: RunInkling,
    default_keys: Path,
    bundle: Bundle,
    picture: Path,
    change: Callable[[KeyFile], None],
    key: bytes | None,
    message: str,
) -> None:
    store(default_keys)
    with KeyFile.edit(default_keys) as file:
        change(file)
    board = SecuredBoard(key=key, model=bundle)
    with fake_line(answers(board.answer)) as url:
        code, out, err = run_inkling("run", picture, "--port", url, "--bundle", bundle.path)
    assert (code, out, err.count("\n")) == (1, "", 1) and message in err and str(default_keys) in err
    assert not {Opcode.RUN, Opcode.CAPTURE} & set(board.executed)


def test_receive_takes_secured_frames_with_the_key_that_was_added(
    run_inkling: RunInkling, default_keys: Path, bundle: Bundle
) -> None:
    """After a rotation, the frames with the old key are refused."""
    board = SecuredBoard(model=bundle)
    with fake_line(answers(board.answer)) as url:
        assert run_inkling("keys", "add", "--port", url)[0] == 0
    plain, old = bundle.frame(board.symbols(), 7, 0), board.frame(0, is_answer=False, request=0)
    with fake_line(answers(board.answer)) as url:
        assert run_inkling("keys", "rotate", "--port", url)[0] == 0
    for _ in range(2):
        board.counter += 1
        new = board.frame(0, is_answer=False, request=0)
        with fake_line(sends(plain + old + new + new[:30], hold=True)) as url:
            arguments = ("receive", "--port", url, "--bundle", bundle.path, "--count", 1, "--json", "-")
            code, out, err = run_inkling(*arguments)
        events = [json.loads(row) for row in out.splitlines()]
        assert code == 0 and [one["auth"] for one in events if "auth" in one] == ["full"]
        assert "not authentic are refused" in err and "2 refused" in err
    assert default_keys.with_name("keys.json.state").exists()
