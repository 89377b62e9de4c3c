"""Native boards whose camera plays recorded frames."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from firmware.tools import emulator
from host.board.board import Board
from tests.firmware.camera.camera_library import RGB565, pack
from tests.support.firmware import REPLY_SECONDS, SANITIZED, bundle_path, program
from wire.bundle import load

PERIOD_S = 1
PERIODIC = f"{SANITIZED} -D INKLING_PERIOD_S={PERIOD_S} -D INKLING_MODE=0"  # flags: sends features by itself


def write_frame(file: Path, rgb: np.ndarray) -> None:
    """Write uint8 (H, W, 3) in the format of the file's name: .ppm, .pgm or WIDTHxHEIGHT.rgb565."""
    if file.suffix == ".rgb565":
        file.write_bytes(pack(rgb, RGB565))
    else:
        Image.fromarray(rgb).convert("L" if file.suffix == ".pgm" else "RGB").save(file)


class Recording:
    """A folder of frames for `--camera`, which can be replaced as a whole while the board plays it."""

    def __init__(self, folder: Path, *frames: np.ndarray) -> None:
        self._folder, self._version = folder, 0
        folder.mkdir()
        self.path = folder / "now"
        self.replace(*frames)

    def replace(self, *frames: np.ndarray) -> None:
        """Play these frames from now on, after the last one played by name: 00.ppm, 01.ppm and so on."""
        self._version += 1
        version = self._folder / str(self._version)
        version.mkdir()
        for n, frame in enumerate(frames):
            write_frame(version / f"{n:02d}.ppm", frame)
        link = self._folder / "next"
        link.symlink_to(version)
        os.replace(link, self.path)


def sanitized_camera() -> Path:
    """Return the native board with a camera, built with the compiler's sanitizers."""
    return program("native_camera", SANITIZED)


@contextmanager
def camera_board(folder: Path, elf: Path | None = None, bundle: Path | None = None) -> Iterator[Board]:
    """Run a board whose camera plays the folder and yield a connection to it."""
    board = emulator.native(elf or sanitized_camera(), "--camera", str(folder))
    with board as url, Board.open(url, load(bundle or bundle_path()), timeout=REPLY_SECONDS) as client:
        yield client
