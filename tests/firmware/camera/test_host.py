"""`python -m host capture` as a user runs it, on a board whose camera plays recorded frames."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from firmware.tools import emulator
from inkling.cli import main
from host.image import load_image
from tests.firmware.camera.camera_board import program, write_frame
from tests.support import ROOT
from tests.support import firmware as firmware_tools
from wire.bundle import load


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two golden pictures, enlarged as a camera would see them."""
    folder = tmp_path_factory.mktemp("frames")
    images = np.load(load(firmware_tools.bundle_path()).golden_path)["images"]
    for n in range(2):
        write_frame(folder / f"{n}.ppm", np.asarray(Image.fromarray(images[n]).resize((160, 120))))
    return folder


@pytest.fixture(scope="module")
def url(frames: Path) -> Iterator[str]:
    with emulator.native(program(), "--camera", str(frames)) as url:
        yield url


def capture(url: str, *options: str | Path) -> list[str]:
    return ["capture", "--port", url, "--bundle", str(firmware_tools.bundle_path()), *map(str, options)]


def test_a_picture_is_taken_classified_and_saved(
    url: str, frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "seen.png"
    assert main(capture(url, "--save", file)) == 0
    said = capsys.readouterr().out
    bundle = load(firmware_tools.bundle_path())
    assert said.split()[0] in bundle.classes and "clean" in said
    with Image.open(file) as picture:
        assert picture.size == (256, 256)
        seen = np.asarray(picture)[::8, ::8]
    assert any(np.array_equal(seen, load_image(frame, bundle.input_shape)) for frame in frames.iterdir())


def test_json_lines_of_several_pictures(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(capture(url, "--every", "0.1", "--count", "3", "--chunk", "1", "--json")) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == 3 and all(line["crc_ok"] and line["encode_cycles"] > 0 for line in lines)
    assert lines[-1]["time"] - lines[0]["time"] > 0.15
    assert lines[0]["class"] == lines[2]["class"]  # two frames take turns


def test_it_goes_on_until_it_is_interrupted(url: str) -> None:
    command = [sys.executable, "-m", "host", *capture(url, "--every", "0.2", "--json")]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    assert json.loads(child.stdout.readline()) and json.loads(child.stdout.readline())
    child.send_signal(signal.SIGINT)
    _, complaint = child.communicate(timeout=20)
    assert child.returncode == 130 and "Traceback" not in complaint


def test_mistakes_are_one_line(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for options, complaint in [
        (["--chunk", "9"], "has chunks 0..2, not 9"),
        (["--save", tmp_path / "no" / "seen.png"], "No such file"),
        (["--save", tmp_path / "seen.unknown"], "unknown file extension"),
    ]:
        assert main(capture(url, *options)) == 1
        said = capsys.readouterr().err
        assert said.startswith("inkling: ") and complaint in said and said.count("\n") == 1


def test_a_board_without_a_camera_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with emulator.native(firmware_tools.program("native")) as url:
        assert main(capture(url)) == 1
    assert capsys.readouterr().err == (
        "inkling: the board refused: it has no camera, or the camera gave no picture (CAMERA)\n"
    )
