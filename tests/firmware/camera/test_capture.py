"""CAPTURE and PIXELS on boards whose camera plays recorded frames, and on boards without a camera."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from firmware.tools import emulator
from firmware.tools.build import build
from host.board.board import Board
from host.board.errors import BoardError
from host.image import load_image
from tests.firmware.camera.camera_library import RGB565, Shape, expand, pack
from tests.firmware.camera.native_camera import camera_board, sanitized_camera, write_frame
from tests.support import train as train_support
from tests.support.firmware import REPLY_SECONDS, SANITIZED, boot, bundle_path, program
from tests.support.once import made_once
from wire.bundle import load
from wire.control import ErrorCode, Opcode, RunCost

pytestmark = pytest.mark.emulated

NAMES = ["a.pgm", "b.ppm", "c-160x120.rgb565"]
GREY_CONFIG = {
    "name": "grey",
    "seed": 5,
    "encoder": {"layers": ["conv4s2 6", "sep4s2 8", "sep4s2 12", "head 8"]},
    "decoder": {"width": 16, "blocks": 1},
    "link": {"chunks": [[0, 120], [0, 40]]},
    "schedule": {"epochs": 1, "qat_epochs": 1, "batch": 32, "lr": 0.01, "warmup_epochs": 0.2},
}


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    """Two smooth frames and one of noise, uint8 (3, 120, 160, 3)."""
    rng = np.random.default_rng(5)
    slope = np.linspace(0, 255, 160)[None, :, None] * np.linspace(0.2, 1, 120)[:, None, None]
    smooth = [slope * (1, 0.8, 0.6), slope[:, ::-1] * (0.5, 1, 0.7)]
    return np.stack([*smooth, rng.integers(0, 256, (120, 160, 3))]).astype(np.uint8)


@pytest.fixture(scope="module")
def folder(frames: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("frames")
    for name, rgb in zip(NAMES, frames, strict=True):
        write_frame(folder / name, rgb)
    (folder / "notes.txt").write_text("ignored")
    return folder


@pytest.fixture(scope="module")
def board(folder: Path) -> Iterator[Board]:
    with camera_board(folder) as board:
        yield board


def host_pixels(folder: Path, shape: Shape) -> list[np.ndarray]:
    """Return the three frames as the host scales them."""
    size, raw = (120, 160), folder / NAMES[2]
    lossless = folder.parent / "raw.png"
    Image.fromarray(expand(raw.read_bytes(), size, RGB565)).save(lossless)
    return [load_image(file, shape) for file in (folder / NAMES[0], folder / NAMES[1], lossless)]


def test_capture_gives_the_encoder_the_hosts_pixels_of_each_frame(board: Board, folder: Path) -> None:
    expected = host_pixels(folder, load(bundle_path()).input_shape)
    for n in range(7):
        board.capture()
        assert np.array_equal(board.pixels(), expected[n % 3])


def test_capture_equals_run_with_the_same_pixels(board: Board) -> None:
    for chunk in range(len(load(bundle_path()).chunks)):
        frame, cost = board.capture(chunk, cost=True)
        again, _ = board.run(board.pixels(), chunk)
        assert frame and again and frame.crc_ok and again.crc_ok
        assert np.array_equal(frame.symbols, again.symbols)
        assert cost and 0 < cost.encode_cycles <= cost.total_cycles
    assert board.capture(0, cost=False)[1] is None


def test_pixels_without_a_camera_returns_the_pixels_of_run() -> None:
    with boot("native") as board:
        pixels = np.resize(np.arange(256, dtype=np.uint8), board.bundle.input_shape)
        board.run(pixels.tobytes())
        board.send(board.command(Opcode.PIXELS))
        assert board.reply().data == pixels.tobytes()


def test_pixels_returns_the_pixels_of_a_refused_run() -> None:
    with boot("native") as board:
        pixels = np.resize(np.arange(256, dtype=np.uint8), board.bundle.input_shape)
        board.send(board.command(Opcode.RUN, b"\0\x0f" + pixels.tobytes()))
        assert board.error() == (ErrorCode.BAD_ARGUMENT, Opcode.RUN, board.request)
        board.send(board.command(Opcode.PIXELS))
        assert board.reply().data == pixels.tobytes()


def test_capture_without_a_camera_is_refused() -> None:
    with boot("native") as board:
        board.send(board.command(Opcode.CAPTURE, b"\0\0"))
        assert board.error() == (ErrorCode.CAMERA, Opcode.CAPTURE, board.request)
        board.info()
    refused = subprocess.run(
        [program("native"), "--camera", "."], capture_output=True, text=True, timeout=REPLY_SECONDS, check=False
    )
    assert refused.returncode == 1 and refused.stderr.startswith("inkling: this build has no camera")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", ErrorCode.BAD_LENGTH),
        (b"\0", ErrorCode.BAD_LENGTH),
        (b"\0\0\0", ErrorCode.BAD_LENGTH),
        (b"\x08\0", ErrorCode.BAD_ARGUMENT),
        (b"\0\x0f", ErrorCode.BAD_ARGUMENT),
        (b"\2\0", ErrorCode.RADIO),
    ],
)
def test_capture_with_bad_data_is_refused_before_the_camera_is_used(board: Board, data: bytes, code: ErrorCode) -> None:
    board.capture()
    before = board.pixels()
    with pytest.raises(BoardError) as refusal:
        board._ask(Opcode.CAPTURE, data, REPLY_SECONDS, RunCost.FORMAT.size)
    assert refusal.value.code == code
    assert np.array_equal(board.pixels().ravel()[1:], before.ravel()[1:])  # a third byte of data is a pixel
    with pytest.raises(BoardError, match="BAD_LENGTH"):
        board._ask(Opcode.PIXELS, b"\0", REPLY_SECONDS, 0)


def test_capture_refuses_broken_files_and_follows_changes_of_the_folder(tmp_path: Path, frames: np.ndarray) -> None:
    """A broken file gives ERROR CAMERA, and the next capture plays the next file."""
    folder, small = tmp_path / "frames", np.full((8, 8, 3), 7, np.uint8)
    folder.mkdir()
    write_frame(folder / "a.ppm", frames[0])
    good = (folder / "a.ppm").read_bytes()
    broken = {
        "b.ppm": good[:-1],
        "c.ppm": good + b"\0",
        "d.ppm": b"",
        "e.ppm": b"P6",
        "f.ppm": b"P3\n1 1\n255\n1 2 3\n",
        "g.ppm": b"P6\n0 0\n255\n",
        "h.ppm": b"P6\n160 120\n65535\n" + bytes(160 * 120 * 6),
        "i.ppm": b"P6\n99999 99999\n255\n",
        "j-8x8.rgb565": pack(small, RGB565)[:-1],
        "k.rgb565": pack(small, RGB565),
        "l-20000x1.rgb565": bytes(40000),
        "x.rgb565": pack(small, RGB565),
    }
    with camera_board(folder) as board:
        for name, data in broken.items():
            (folder / name).write_bytes(data)
        (folder / "m.ppm").mkdir()
        for _ in range(2):
            assert board.capture()[0] is not None
            for _ in range(len(broken) + 1):
                with pytest.raises(BoardError, match="CAMERA"):
                    board.capture()
        (folder / "z.ppm").write_bytes(b"P6 # a comment with 3 numbers\n# 9 9\n2\n2 255\n" + bytes(range(60, 72)))
        assert board.capture()[0] is not None
        assert board.pixels()[0, 0].tolist() == [60, 61, 62]


def test_capture_without_a_folder_is_refused() -> None:
    with (
        emulator.native(sanitized_camera()) as url,
        Board.open(url, timeout=REPLY_SECONDS) as board,
        pytest.raises(BoardError, match="CAMERA"),
    ):
        board._ask(Opcode.CAPTURE, b"\0\0", REPLY_SECONDS, 0)


@pytest.fixture(scope="module")
def grey_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train and export a small codec for grey images of 24 x 40."""
    from export import pipeline  # here, because only this test needs torch
    from train.config import CodecConfig
    from train.data import datasets
    from train.trainers.codec import CodecTrainer

    def make(folder: Path) -> None:
        images, labels = train_support.golden()
        oblong = [np.asarray(Image.fromarray(image).convert("L").resize((40, 24))) for image in images]
        npz = train_support.write_npz(folder / "grey.npz", np.stack(oblong), labels, copies=4)
        data = {"name": f"npz:{npz}", "holdout": 16, "crop_padding": 1}
        config = CodecConfig.from_dict({**GREY_CONFIG, "data": data})
        CodecTrainer(config, datasets.load(config.data.name), folder / "run").train()
        (folder / "scratch").mkdir()
        pipeline.export(folder / "run", folder / "bundle", len(images), folder / "scratch")

    return made_once(tmp_path_factory, "camera-grey", make) / "bundle"


@pytest.mark.training
@pytest.mark.slow
def test_capture_for_a_grey_oblong_encoder(grey_bundle: Path, folder: Path, tmp_path: Path) -> None:
    shape = load(grey_bundle).input_shape
    assert shape == (24, 40, 1)
    elf = build("native_camera", bundle=grey_bundle, build_dir=tmp_path, flags=SANITIZED)
    with camera_board(folder, elf, grey_bundle) as board:
        for expected in host_pixels(folder, shape):
            frame, _ = board.capture()
            assert np.array_equal(board.pixels(), expected)
            again, _ = board.run(expected)
            assert frame and again and np.array_equal(frame.symbols, again.symbols)
