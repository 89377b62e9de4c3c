"""`inkling receive` after `run` and `capture` on a board with a key: what these received is not lost."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from host.keys.key_file import KeyFile, state_path, taken_path
from tests.conftest import RunInkling
from tests.host.secured_board import SecuredBoard
from tests.support.host import make_bundle
from tests.support.lines import answers, fake_line, sends
from wire.bundle import Bundle

KEY = bytes(range(16))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("taken") / "small", answer=True)


@pytest.fixture
def board(default_keys: Path, bundle: Bundle) -> SecuredBoard:
    """A board with a key, which the default key file has, too."""
    with KeyFile.edit(default_keys) as file:
        file.add(7, KEY, permanent=True, counter=70_000)
    return SecuredBoard(key=KEY, model=bundle)


@pytest.fixture
def picture(tmp_path: Path, bundle: Bundle) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, bundle.input_shape, np.uint8)
    Image.fromarray(pixels.squeeze()).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def receive(run_inkling: RunInkling, board: SecuredBoard, bundle: Bundle) -> dict:
    """Let the board send an image by itself, and return the reading of a new process that receives it."""
    frame = board.frame(0, False, 0)
    board.counter += 1
    with fake_line(sends(frame, hold=True)) as url:
        options = ("--bundle", bundle.path, "--json", "-", "--count", 1, "--require-auth", "header")
        code, out, err = run_inkling("receive", "--port", url, *options)
    assert code == 0, err
    return next(row for row in map(json.loads, out.splitlines()) if "event" not in row)


def test_images_of_run_and_capture_are_not_lost(
    run_inkling: RunInkling, board: SecuredBoard, bundle: Bundle, picture: Path, default_keys: Path
) -> None:
    assert receive(run_inkling, board, bundle)["lost"] == 0
    for words in (("run", picture, picture), ("capture", "--count", 3, "--every", 0.01)):
        with fake_line(answers(board.answer)) as url:
            code, _, err = run_inkling(*words, "--port", url, "--bundle", bundle.path)
        assert code == 0, err
    board.counter += 4  # images that nobody receives
    reading = receive(run_inkling, board, bundle)
    assert (reading["image_number"], reading["lost"], reading["lost_total"]) == (70_010, 4, 4)
    assert reading["lost_total_certainty"] == "exact"
    assert state_path(default_keys).exists()


def test_run_says_that_it_cannot_store_its_images(
    run_inkling: RunInkling, board: SecuredBoard, bundle: Bundle, picture: Path, default_keys: Path
) -> None:
    taken_path(default_keys).mkdir()
    with fake_line(answers(board.answer)) as url:
        code, out, err = run_inkling("run", picture, "--port", url, "--bundle", bundle.path)
    assert (code, out) == (1, "") and err.count("\n") == 1 and "is not a usable file of images taken" in err
    taken_path(default_keys).rmdir()
    write = board.execute

    def spoil(command: object) -> bytes:
        taken_path(default_keys).mkdir(exist_ok=True)
        return write(command)  # type: ignore[arg-type]

    with fake_line(answers(lambda command: spoil(command) if command.opcode & 0x40 else board.answer(command))) as url:
        code, out, err = run_inkling("run", picture, picture, "--port", url, "--bundle", bundle.path)
    assert code == 1 and out.count("\n") == 2 and "auth full" in out
    assert err.count("\n") == 1 and "count images of device 7 as lost" in err and "1 images not stored so far" in err
