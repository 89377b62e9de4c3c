"""CAPTURE and PIXELS on a board whose camera plays recorded frames, and on boards without a camera."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from host.board.board import Board
from host.board.errors import BoardError
from host.image import load_image
from tests.firmware.camera.camera_board import SANITIZED, camera_board, program, write_frame
from tests.firmware.camera.camera_c import RGB565, expand, pack
from tests.support import firmware as firmware_tools
from tests.support import train as train_support
from wire.control import ErrorCode, Opcode, RunCost

NAMES = ["a.pgm", "b.ppm", "c-160x120.rgb565"]
GREY_CONFIG = """
seed = 5

[data]
name = "npz:{npz}"
holdout = 16
crop_padding = 1

[encoder]
layers = ["conv4s2 6", "sep4s2 8", "sep4s2 12", "head 8"]

[decoder]
width = 16
blocks = 1

[link]
chunks = [[0, 120], [0, 40]]

[schedule]
epochs = 1
qat_epochs = 1
batch = 32
lr = 1e-2
warmup_epochs = 0.2
"""


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    """Three frames of 120 x 160, from one that is plain to one that is noise; uint8 (3, 120, 160, 3)."""
    rng = np.random.default_rng(5)
    slope = np.linspace(0, 255, 160)[None, :, None] * np.linspace(0.2, 1, 120)[:, None, None]
    frames = [slope * (1, 0.8, 0.6), slope[:, ::-1] * (0.5, 1, 0.7), rng.integers(0, 256, (120, 160, 3))]
    return np.stack(frames).astype(np.uint8)


@pytest.fixture(scope="module")
def folder(pictures: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("frames")
    for name, rgb in zip(NAMES, pictures, strict=True):
        write_frame(folder / name, rgb)
    (folder / "notes.txt").write_text("passed over")
    return folder


@pytest.fixture(scope="module")
def device(folder: Path) -> Iterator[Board]:
    with camera_board(folder, SANITIZED) as device:
        yield device


def expected(folder: Path, shape: tuple[int, int, int]) -> list[np.ndarray]:
    """What the host makes of the three frames."""
    size, raw = (120, 160), folder / NAMES[2]
    lossless = folder.parent / "raw.png"
    Image.fromarray(expand(raw.read_bytes(), size, RGB565)).save(lossless)
    return [load_image(file, shape) for file in (folder / NAMES[0], folder / NAMES[1], lossless)]


def test_the_encoder_gets_the_host_s_pixels_of_each_frame_in_turn(device: Board, folder: Path) -> None:
    wanted = expected(folder, device.bundle.input_shape)
    for n in range(7):
        device.capture()
        assert np.array_equal(device.pixels(), wanted[n % 3])


def test_a_picture_from_the_camera_is_a_picture_from_the_host(device: Board) -> None:
    for chunk in range(len(device.bundle.chunks)):
        frame, cost = device.capture(chunk, cost=True)
        again, _ = device.run(device.pixels(), chunk)
        assert frame and again and frame.crc_ok and again.crc_ok
        assert np.array_equal(frame.symbols, again.symbols)
        assert cost and 0 < cost.encode_cycles <= cost.total_cycles
    assert device.capture(0, cost=False)[1] is None


def test_pixels_without_a_camera_are_those_that_were_sent() -> None:
    with firmware_tools.boot("native") as board:
        pixels = np.resize(np.arange(256, dtype=np.uint8), board.bundle.input_shape)
        board.run(pixels.tobytes())
        board.send(board.command(Opcode.PIXELS))
        assert board.reply().data == pixels.tobytes()


def test_pixels_of_a_run_that_is_refused_are_there_all_the_same() -> None:
    with firmware_tools.boot("native") as board:
        pixels = np.resize(np.arange(256, dtype=np.uint8), board.bundle.input_shape)
        board.send(board.command(Opcode.RUN, b"\0\x0f" + pixels.tobytes()))
        assert board.error() == (ErrorCode.BAD_ARGUMENT, Opcode.RUN, board.request)
        board.send(board.command(Opcode.PIXELS))
        assert board.reply().data == pixels.tobytes()


def test_a_board_without_a_camera_says_so() -> None:
    with firmware_tools.boot("native") as board:
        board.send(board.command(Opcode.CAPTURE, b"\0\0"))
        assert board.error() == (ErrorCode.CAMERA, Opcode.CAPTURE, board.request)
        board.info()
    refused = subprocess.run(
        [firmware_tools.program("native"), "--camera", "."], capture_output=True, text=True, timeout=10, check=False
    )
    assert refused.returncode == 1 and refused.stderr.startswith("inkling: this build has no camera")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", ErrorCode.BAD_LENGTH),
        (b"\0", ErrorCode.BAD_LENGTH),
        (b"\0\0\0", ErrorCode.BAD_LENGTH),
        (b"\4\0", ErrorCode.BAD_ARGUMENT),
        (b"\0\x0f", ErrorCode.BAD_ARGUMENT),
        (b"\2\0", ErrorCode.RADIO),
    ],
)
def test_a_wrong_capture_is_refused_before_the_camera_is_asked(device: Board, data: bytes, code: ErrorCode) -> None:
    device.capture()
    before = device.pixels()
    with pytest.raises(BoardError) as refusal:
        device._ask(Opcode.CAPTURE, data, 2.0, RunCost.FORMAT.size)
    assert refusal.value.code == code
    assert np.array_equal(device.pixels().ravel()[1:], before.ravel()[1:])  # a third byte of data is a pixel
    with pytest.raises(BoardError, match="BAD_LENGTH"):
        device._ask(Opcode.PIXELS, b"\0", 2.0, 0)


def test_a_folder_that_changes_and_files_that_are_broken(tmp_path: Path, pictures: np.ndarray) -> None:
    """What is no frame gives ERROR CAMERA, and the next picture is the next file's."""
    frames, spoiled = tmp_path / "frames", np.full((8, 8, 3), 7, np.uint8)
    frames.mkdir()
    write_frame(frames / "a.ppm", pictures[0])
    good = (frames / "a.ppm").read_bytes()
    broken = {
        "b.ppm": good[:-1],
        "c.ppm": good + b"\0",
        "d.ppm": b"",
        "e.ppm": b"P6",
        "f.ppm": b"P3\n1 1\n255\n1 2 3\n",
        "g.ppm": b"P6\n0 0\n255\n",
        "h.ppm": b"P6\n160 120\n65535\n" + bytes(160 * 120 * 6),
        "i.ppm": b"P6\n99999 99999\n255\n",
        "j-8x8.rgb565": pack(spoiled, RGB565)[:-1],
        "k.rgb565": pack(spoiled, RGB565),
        "l-20000x1.rgb565": bytes(40000),
        "x.rgb565": pack(spoiled, RGB565),
    }
    with camera_board(frames, SANITIZED) as device:
        for name, data in broken.items():
            (frames / name).write_bytes(data)
        (frames / "m.ppm").mkdir()
        for _ in range(2):
            assert device.capture()[0] is not None
            for _ in range(len(broken) + 1):
                with pytest.raises(BoardError, match="CAMERA"):
                    device.capture()
        for file in sorted(frames.iterdir()):
            file.rmdir() if file.is_dir() else file.unlink()
        with pytest.raises(BoardError, match="CAMERA"):
            device.capture()
        (frames / "z.ppm").write_bytes(b"P6 # a comment with 3 numbers\n# 9 9\n2\n2 255\n" + bytes(range(60, 72)))
        assert device.capture()[0] is not None
        assert device.pixels()[0, 0].tolist() == [60, 61, 62]


def test_without_a_folder_there_is_no_picture() -> None:
    child = subprocess.Popen([program(), "--port", "tcp:0"], stdout=subprocess.PIPE, text=True)
    try:
        url = child.stdout.readline().split()[1]
        with Board.open(url) as device, pytest.raises(BoardError, match="CAMERA"):
            device._ask(Opcode.CAPTURE, b"\0\0", 2.0, 0)
    finally:
        child.kill()
        child.communicate()


@pytest.fixture(scope="module")
def grey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of a small codec for grey pictures of 24 x 40."""
    folder = tmp_path_factory.mktemp("grey")
    images, labels = train_support.golden()
    oblong = [np.asarray(Image.fromarray(image).convert("L").resize((40, 24))) for image in images]
    train_support.write_npz(folder / "grey.npz", np.stack(oblong), labels, copies=4)
    config = folder / "grey.toml"
    config.write_text(GREY_CONFIG.format(npz=folder / "grey.npz"))
    trained = train_support.run("train", config, "--out", folder / "run", "--threads", 1)
    assert trained.returncode == 0, trained.stderr
    exported = train_support.run("export", folder / "run", "-o", folder / "bundle")
    assert exported.returncode == 0, exported.stderr
    return folder / "bundle"


def test_a_grey_oblong_encoder_gets_its_pixels_too(grey: Path, folder: Path) -> None:
    with camera_board(folder, SANITIZED, grey) as device:
        shape = device.bundle.input_shape
        assert shape == (24, 40, 1)
        for wanted in expected(folder, shape):
            frame, _ = device.capture()
            assert np.array_equal(device.pixels(), wanted)
            again, _ = device.run(wanted)
            assert frame and again and np.array_equal(frame.symbols, again.symbols)
