"""`inkling capture` on a board whose camera plays recorded frames."""

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
from host.board.board import Board
from host.cli import capture as capture_command
from host.image import load_image
from inkling.cli import main
from tests.firmware.camera.native_camera import write_frame
from tests.support import ROOT
from tests.support.firmware import REPLY_SECONDS, bundle_path, program
from wire.bundle import load
from wire.control import Mode, ModeSetting

pytestmark = pytest.mark.emulated


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two golden images, enlarged to a camera's size."""
    folder = tmp_path_factory.mktemp("frames")
    images = np.load(load(bundle_path()).golden_path)["images"]
    for n in range(2):
        write_frame(folder / f"{n}.ppm", np.asarray(Image.fromarray(images[n]).resize((160, 120))))
    return folder


@pytest.fixture(scope="module")
def url(frames: Path) -> Iterator[str]:
    with emulator.native(program("native_camera"), "--camera", str(frames)) as url:
        yield url


class SimulatedClock:
    """Fake of the module `time`, in which only sleeping takes time."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def arguments(url: str, *options: str | Path) -> list[str]:
    words = ["capture", "--port", url, "--bundle", bundle_path(), "--timeout", REPLY_SECONDS, *options]
    return [str(word) for word in words]


def set_mode(url: str, mode: Mode) -> None:
    with Board.open(url, timeout=REPLY_SECONDS) as board:
        board.mode(ModeSetting(mode, 0))


@pytest.mark.parametrize(
    ("mode", "decided"), [(Mode.FEATURES, ("by host", "clean")), (Mode.ANSWER, ("by board", "answer"))]
)
def test_capture_classifies_and_saves_the_image(
    url: str, frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], mode: Mode, decided: tuple[str, str]
) -> None:
    file = tmp_path / "seen.png"
    set_mode(url, mode)
    assert main(arguments(url, "--save", file)) == 0
    printed = capsys.readouterr().out
    bundle = load(bundle_path())
    assert printed.split()[0] in bundle.classes and all(words in printed for words in decided)
    with Image.open(file) as image:
        assert image.size == (256, 256)
        seen = np.asarray(image)[::8, ::8]
    assert any(np.array_equal(seen, load_image(frame, bundle.input_shape)) for frame in frames.iterdir())


def test_capture_every_prints_a_json_line_per_interval(
    url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimulatedClock()
    set_mode(url, Mode.FEATURES)
    monkeypatch.setattr(capture_command, "time", clock)
    assert main(arguments(url, "--every", "60", "--count", "3", "--chunk", "1", "--json")) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == 3 and all(line["crc_ok"] and line["encode_cycles"] > 0 for line in lines)
    assert clock.now == 120, "between three captures"
    assert lines[0]["class"] == lines[2]["class"], "the recording has two frames"


def test_capture_every_runs_until_interrupted(url: str) -> None:
    command = [sys.executable, "-m", "host", *arguments(url, "--every", "0.2", "--json")]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert child.stdout
        assert json.loads(child.stdout.readline()) and json.loads(child.stdout.readline())
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=REPLY_SECONDS)
    finally:
        child.kill()
    assert child.returncode == 130 and "Traceback" not in errors


def test_capture_reports_mistakes_in_one_line(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mistakes: list[tuple[list[str | Path], str]] = [
        (["--chunk", "9"], f"has chunks 0..{len(load(bundle_path()).chunks) - 1}, not 9"),
        (["--save", tmp_path / "no" / "seen.png"], "No such file"),
        (["--save", tmp_path / "seen.unknown"], "unknown format; use a suffix such as .png"),
    ]
    for options, message in mistakes:
        assert main(arguments(url, *options)) == 1
        error = capsys.readouterr().err
        assert error.startswith("inkling: ") and message in error and error.count("\n") == 1


def test_capture_reports_a_missing_camera_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with emulator.native(program("native")) as url:
        assert main(arguments(url)) == 1
    assert capsys.readouterr().err == (
        "inkling: the board reported an error: it has no camera, or the camera returned no image (CAMERA)\n"
    )


@pytest.mark.parametrize("name", ["seen.heic", "seen", "seen.xbm"])
def test_capture_checks_the_format_of_the_file_before_a_port_is_opened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert main(arguments("/dev/none", "--save", tmp_path / name)) == 1
    error = capsys.readouterr().err
    assert error.startswith("inkling: cannot write an image as ") and error.count("\n") == 1
