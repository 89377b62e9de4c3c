"""For the tests of cameras: recorded frames, and boards as processes that play them."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from PIL import Image

from firmware.tools import emulator
from firmware.tools.build import build
from host.board.board import Board
from tests.firmware.camera.camera_c import RGB565, pack
from tests.support.firmware import bundle_path
from wire.bundle import load

SANITIZED = "-g -fsanitize=address,undefined -fno-sanitize-recover=all"


def write_frame(file: Path, rgb: np.ndarray) -> None:
    """Writes uint8 (H, W, 3) as the file's name says: .ppm, .pgm or WIDTHxHEIGHT.rgb565."""
    if file.suffix == ".rgb565":
        file.write_bytes(pack(rgb, RGB565))
    else:
        Image.fromarray(rgb).convert("L" if file.suffix == ".pgm" else "RGB").save(file)


@cache
def program(flags: str = "", environment: str = "native_camera", bundle: Path | None = None) -> Path:
    """The built firmware of an environment with more build flags, once a test run."""
    return build(environment, bundle=bundle, build_dir=mkdtemp(prefix="inkling-build-"), flags=flags)


@contextmanager
def camera_board(folder: Path, flags: str = "", bundle: Path | None = None) -> Iterator[Board]:
    """A board whose camera plays the folder, and its client."""
    board = emulator.native(program(flags, bundle=bundle), "--camera", str(folder))
    with board as url, Board.open(url, load(bundle or bundle_path())) as device:
        yield device
