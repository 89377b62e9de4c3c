"""The other commands with boards that have a key: with the key, without it, and with a wrong key file."""

from pathlib import Path

import pytest

from host.keys.key_file import KeyFile
from tests.conftest import RunInkling
from tests.host.secured_board import SecuredBoard
from tests.support.lines import answers, fake_line
from wire.control import SEALED_BIT, Opcode

KEY, OTHER = bytes(range(16)), bytes(range(16, 32))


def store(path: Path, device: int = 7) -> None:
    with KeyFile.edit(path) as file:
        file.add(device, KEY, permanent=True)


@pytest.mark.parametrize(
    ("board", "in_file", "text"),
    [
        (SecuredBoard(knows_key=False), False, "none: its firmware knows no keys"),
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
        code, out, err = run_inkling("info", "--port", url)
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
