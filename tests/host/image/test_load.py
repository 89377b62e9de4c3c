"""Image files for an encoder."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from host.errors import HostError
from host.image import load_image


def test_load_image_keeps_image_of_the_input_size(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (8, 6, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "p.png")
    assert np.array_equal(load_image(tmp_path / "p.png", (8, 6, 3)), pixels)


def test_load_image_crops_centrally_and_averages(tmp_path: Path) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (32, 44, 3), np.uint8)  # 24 columns of 32 rows are 6 : 8
    Image.fromarray(pixels).save(tmp_path / "p.png")
    expected = pixels[:, 10:34].reshape(8, 4, 6, 4, 3).mean(axis=(1, 3))
    loaded = load_image(tmp_path / "p.png", (8, 6, 3)).astype(float)
    assert np.abs(loaded - expected).max() <= 1


def test_load_image_converts_colour_and_orientation(tmp_path: Path) -> None:
    pixels = np.zeros((6, 8, 3), np.uint8)
    pixels[:3] = 200, 100, 50  # the upper half of the image that a camera held sideways stores
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate clockwise to turn upright
    Image.fromarray(pixels).save(tmp_path / "p.png", exif=exif)
    upright = load_image(tmp_path / "p.png", (8, 6, 3))
    assert (upright[:, 3:] == (200, 100, 50)).all() and (upright[:, :3] == 0).all()
    grey = load_image(tmp_path / "p.png", (8, 6, 1))
    assert grey.shape == (8, 6, 1) and (grey[:, 3:] == round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)).all()
    Image.fromarray(pixels[..., 0]).convert("P").save(tmp_path / "palette.gif")
    assert (load_image(tmp_path / "palette.gif", (6, 8, 3))[:3] == 200).all()


def test_load_image_scales_any_size_to_any_shape(tmp_path: Path) -> None:
    # At some of these sizes, rounding moves an edge of the window outside the image.
    for width in range(1, 120):
        Image.new("RGB", (width, 33), (9, 8, 7)).save(tmp_path / "p.bmp")
        for shape in [(32, 32, 3), (75, 100, 3), (41, 30, 3)]:
            assert (load_image(tmp_path / "p.bmp", shape) == (9, 8, 7)).all()


@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "bmp", "tiff"])
def test_load_image_reports_damaged_file_in_one_line(tmp_path: Path, kind: str) -> None:
    rng = np.random.default_rng(4)
    path = tmp_path / f"p.{kind}"
    Image.fromarray(rng.integers(0, 256, (9, 9, 3), np.uint8)).save(path)
    whole = path.read_bytes()
    for _ in range(150):
        damaged = np.frombuffer(whole, np.uint8).copy()
        damaged[rng.integers(0, min(len(damaged), 120), 3)] = rng.integers(0, 256, 3)
        path.write_bytes(damaged[: rng.integers(20, 2 * len(damaged))].tobytes())
        try:
            assert load_image(path, (8, 6, 3)).shape == (8, 6, 3)
        except HostError as error:
            assert "\n" not in str(error)


def test_load_image_reports_damaged_png_chunk(tmp_path: Path) -> None:
    path = tmp_path / "p.png"
    Image.fromarray(np.random.default_rng(5).integers(0, 256, (300, 300, 3), np.uint8)).save(path)
    head, tail = path.read_bytes().rsplit(b"IDAT", 1)  # the last of several; Pillow raises a SyntaxError
    path.write_bytes(head + b"I\xc3\xc1T" + tail)
    with pytest.raises(HostError, match="broken PNG"):
        load_image(path, (8, 6, 3))


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_load_image_takes_the_upper_8_of_16_bits(tmp_path: Path, suffix: str) -> None:
    levels = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1024 + 0x3FF
    Image.fromarray(levels).save(tmp_path / f"grey.{suffix}")
    expected = (levels >> 8).astype(np.uint8)[:, :, None]
    np.testing.assert_array_equal(load_image(tmp_path / f"grey.{suffix}", (8, 8, 1)), expected)
    np.testing.assert_array_equal(load_image(tmp_path / f"grey.{suffix}", (8, 8, 3)), expected.repeat(3, 2))


def test_load_image_refuses_floating_point_pixels(tmp_path: Path) -> None:
    Image.fromarray(np.ones((8, 8), np.float32)).save(tmp_path / "float.tiff")
    with pytest.raises(HostError, match=r"float\.tiff: pixels are floating-point numbers"):
        load_image(tmp_path / "float.tiff", (8, 8, 1))


def test_load_image_accepts_large_image_without_warning(tmp_path: Path) -> None:
    Image.new("1", (12000, 8000)).save(tmp_path / "p.png")
    with warnings.catch_warnings(action="error"):
        assert load_image(tmp_path / "p.png", (8, 6, 3)).shape == (8, 6, 3)


def test_load_image_reports_unusable_file(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("hello")
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(tmp_path / "whole.bmp")
    (tmp_path / "half.bmp").write_bytes((tmp_path / "whole.bmp").read_bytes()[:2000])
    for name, message in [
        ("none.png", "No such file or directory"),
        ("text.png", "not an image"),
        ("half.bmp", "truncated"),
    ]:
        with pytest.raises(HostError, match=message):
            load_image(tmp_path / name, (8, 6, 3))
    with pytest.raises(HostError, match="input has 4 channels"):
        load_image(tmp_path / "whole.bmp", (8, 6, 4))
