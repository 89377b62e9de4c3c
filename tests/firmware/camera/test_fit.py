"""A camera frame scaled on the board and on the host: firmware/lib/camera/fit.c against host/image/load.py."""

import io
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from host.image import load_image
from tests.firmware.camera.camera_library import (
    FLAGS,
    FORMATS,
    GREY,
    RGB565,
    RGB888,
    SOURCE,
    CameraImage,
    FitTarget,
    Shape,
    Size,
    expand,
    fit,
    library,
    pack,
    photo,
)
from tests.support import ROOT

CAMERA_SIZES = [(96, 96), (120, 160), (144, 176), (240, 240), (240, 320), (296, 400), (480, 640)]
SHAPES = [(32, 32, 3), (32, 32, 1), (24, 40, 1), (40, 24, 3), (48, 48, 1), (64, 64, 3), (96, 96, 1)]


def host_pixels(frame: bytes, size: Size, form: int, shape: Shape) -> np.ndarray:
    """Return the frame as the host scales it, from a lossless image file."""
    file = io.BytesIO()
    Image.fromarray(expand(frame, size, form)).save(file, "bmp")
    return load_image(file, shape)  # type: ignore[arg-type]  # Pillow opens it like a file's path


def difference(rgb: np.ndarray, form: int, shape: Shape) -> int:
    """Return the largest difference between board and host in grey levels."""
    frame, size = pack(rgb, form), (rgb.shape[0], rgb.shape[1])
    return int(np.abs(fit(frame, size, form, shape).astype(int) - host_pixels(frame, size, form, shape)).max())


def noisy_photo(size: Size) -> np.ndarray:
    """Return a photograph, uint8 (H, W, 3), with a sensor's noise."""
    noisy = photo(size) + np.random.default_rng(size[0]).normal(0, 4, (*size, 3))
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("form", FORMATS)
def test_fit_crop_of_camera_sizes_equals_the_host(form: int, shape: Shape) -> None:
    for size in CAMERA_SIZES:
        assert difference(noisy_photo(size), form, shape) == 0, size


sides = st.integers(1, 200)


@settings(deadline=None, max_examples=300)
@given(
    size=st.tuples(sides, sides) | st.sampled_from(CAMERA_SIZES),
    form=st.sampled_from(FORMATS),
    shape=st.tuples(st.integers(1, 100), st.integers(1, 100), st.sampled_from([1, 3])) | st.sampled_from(SHAPES),
    seed=st.integers(0, 2**32 - 1),
)
def test_fit_crop_of_any_size_equals_the_host(size: Size, form: int, shape: Shape, seed: int) -> None:
    """Noise has no correlation between neighbours, so it shows a window that is one pixel off.

    For some frames that are taller than wide or cropped at top and bottom, Pillow averages columns first, which rounds
    differently.
    """
    rgb = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    columns_first = size[0] > size[1] or size[0] * shape[1] > size[1] * shape[0]
    assert difference(rgb, form, shape) <= int(columns_first)


def test_fit_crop_keeps_the_level_of_a_flat_frame() -> None:
    for level in range(256):
        rgb = np.full((33, 47, 3), level, np.uint8)
        for form in (GREY, RGB888):
            assert (fit(pack(rgb, form), (33, 47), form, (8, 7, 3)) == level).all()


def test_fit_crop_expands_rgb565_from_black_to_white() -> None:
    ramp = np.linspace(0, 255, 64).astype(np.uint8).reshape(1, 64, 1).repeat(3, axis=2)
    expanded = expand(pack(ramp, RGB565), (1, 64), RGB565)
    assert (expanded[0, 0] == 0).all() and (expanded[0, -1] == 255).all()
    assert np.array_equal(fit(pack(ramp, RGB565), (1, 64), RGB565, (1, 64, 3)), expanded)


def test_fit_whole_squeezes_instead_of_cropping() -> None:
    rgb = np.random.default_rng(3).integers(0, 256, (24, 40, 3), np.uint8)
    squeezed = Image.fromarray(rgb).resize((16, 16), Image.Resampling.BOX, box=(2.0**-10, 2.0**-10, 40, 24))
    fitted = fit(pack(rgb, RGB888), (24, 40), RGB888, (16, 16, 3), whole=True)
    assert np.array_equal(fitted, np.asarray(squeezed))


@pytest.mark.parametrize(
    ("image", "target"),
    [((0, 8, RGB888), (8, 8, 3)), ((8, 16385, GREY), (8, 8, 1)), ((8, 8, 0), (8, 8, 3)), ((8, 8, 4), (8, 8, 3))]
    + [((8, 8, RGB888), shape) for shape in [(0, 8, 3), (8, 0, 3), (8, 8, 2), (8, 8, 0), (16385, 8, 3)]],
)
def test_fit_refuses_invalid_images_and_targets(image: tuple[int, int, int], target: Shape) -> None:
    height, width, form = image
    for function in (library().fit_crop, library().fit_whole):
        assert not function(CameraImage(None, width, height, form), FitTarget(None, *target, None))


def test_fit_stays_within_its_buffers(tmp_path: Path) -> None:
    """Sizes of all aspect ratios, under the sanitizers, in buffers of exactly the size needed."""
    program = tmp_path / "fit"
    sources = [ROOT / "tests" / "firmware" / "c" / "fit_app.c", *sorted(SOURCE.glob("*.c"))]
    sanitizers = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    subprocess.run(["gcc", *FLAGS, "-O1", *sanitizers, *sources, "-o", program], check=True)
    rng = np.random.default_rng(7)
    cases, expected = b"", b""
    for _ in range(400):
        (height, width, h, w), form = rng.integers(1, 60, 4).tolist(), int(rng.choice(FORMATS))
        channels, whole = int(rng.choice([1, 3])), int(rng.integers(2))
        frame = pack(rng.integers(0, 256, (height, width, 3), np.uint8), form)
        cases += struct.pack("=7H", height, width, form, h, w, channels, whole) + frame
        expected += fit(frame, (height, width), form, (h, w, channels), bool(whole)).tobytes()
    done = subprocess.run([program], input=cases, capture_output=True, check=False)
    assert (done.returncode, done.stderr, done.stdout) == (0, b"", expected)
