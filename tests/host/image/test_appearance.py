"""Images as a viewer shows them: sample depths, transparency, palettes, orientation and colour profiles."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from host.errors import HostError
from host.image import load_image

WHITE = (255, 255, 255)


def tiff(bits: int, samples: bytes, photometric: int = 1, sample_format: int = 1) -> bytes:
    """Return an uncompressed grey TIFF of 2 x 1 pixels."""
    tags = [(256, 2), (257, 1), (258, bits), (259, 1), (262, photometric), (273, 8), (277, 1), (278, 1)]
    tags += [(279, len(samples)), (339, sample_format)]
    directory = b"".join(struct.pack("<HHIHH", tag, 3, 1, value, 0) for tag, value in tags)
    padded = samples + b"\0" * (len(samples) % 2)
    return b"II*\0" + struct.pack("<I", 8 + len(padded)) + padded + struct.pack("<H", len(tags)) + directory + b"\0" * 4


def png(depth: int, colour: int, row: bytes, **chunks: bytes) -> bytes:
    """Return a PNG of 2 x 1 pixels with further chunks before its pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    parts = [(b"IHDR", struct.pack(">IIBBBBB", 2, 1, depth, colour, 0, 0, 0))]
    parts += [(name.encode(), data) for name, data in chunks.items()]
    parts += [(b"IDAT", zlib.compress(b"\0" + row)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(name, data) for name, data in parts)


def u16(*values: int) -> bytes:
    return struct.pack(f">{len(values)}H", *values)


def pixels(path: Path, content: bytes, channels: int = 1) -> list[int]:
    """Return the values of the two pixels of an image file with this content."""
    path.write_bytes(content)
    return load_image(path, (1, 2, channels)).ravel().tolist()


DEPTHS = {
    "16-bit PNG": (png(16, 0, u16(0x1234, 0x8000)), [0x12, 128]),
    "16-bit PGM": (b"P5 2 1 65535\n" + u16(0x1234, 0x8000), [0x12, 128]),
    "16-bit PGM in text": (b"P2 2 1 65535\n4660 32768\n", [0x12, 128]),
    "10-bit PGM": (b"P5 2 1 1023\n" + u16(0, 512), [0, 128]),
    "4-bit PGM": (b"P5 2 1 15\n\x00\x08", [0, 136]),
    "16-bit TIFF": (tiff(16, struct.pack("<HH", 0x1234, 0x8000)), [0x12, 128]),
    "16-bit TIFF, 0 is white": (tiff(16, struct.pack("<HH", 0x1234, 0x8000), photometric=0), [0xED, 127]),
    "8-bit TIFF, 0 is white": (tiff(8, b"\x12\x80", photometric=0), [0xED, 127]),
    "12-bit TIFF": (tiff(12, bytes([0x12, 0x38, 0x00])), [0x12, 128]),
    "4-bit TIFF": (tiff(4, b"\x08"), [0, 136]),
}


@pytest.mark.parametrize("case", DEPTHS)
def test_load_image_scales_samples_by_the_range_of_the_format(tmp_path: Path, case: str) -> None:
    content, expected = DEPTHS[case]
    assert pixels(tmp_path / "image", content) == expected


NO_RANGE = {
    "signed 8-bit TIFF": (tiff(8, b"\x00\x80", sample_format=2), "signed integers, whose black and white are unknown"),
    "signed 16-bit TIFF": (tiff(16, b"\0\0\0\x80", sample_format=2), "signed integers, whose black and white are"),
    "signed 32-bit TIFF": (tiff(32, bytes(8), sample_format=2), "signed integers, whose black and white are unknown"),
    "unsigned 32-bit TIFF": (tiff(32, bytes(8)), "integers whose black and white are unknown; save it with 8 or 16"),
    "float TIFF": (tiff(32, struct.pack("<ff", 0, 1), sample_format=3), "floating-point numbers"),
    "PFM": (b"Pf 2 1 -1\n" + struct.pack("<ff", 0, 1), "floating-point numbers"),
    "16-bit FITS": (
        b"".join(
            line.ljust(80)
            for line in (
                b"SIMPLE  =                    T", b"BITPIX  =                   16", b"NAXIS   =                    2",
                b"NAXIS1  =                    2", b"NAXIS2  =                    1", b"END",
            )
        ).ljust(2880) + bytes(2880),
        "integers whose black and white are unknown",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", NO_RANGE)
def test_load_image_refuses_samples_without_a_range(tmp_path: Path, case: str) -> None:
    content, message = NO_RANGE[case]
    with pytest.raises(HostError, match=f"image: pixels are {message}"):
        pixels(tmp_path / "image", content)


CLEAR_LEVELS = {  # the first pixel is transparent, the second is not, although it may be close
    "16-bit grey": (png(16, 0, u16(0x1234, 0x1235), tRNS=u16(0x1234)), [255, 0x12]),
    "8-bit grey": (png(8, 0, b"\x08\x09", tRNS=u16(8)), [255, 9]),
    "4-bit grey": (png(4, 0, b"\x8f", tRNS=u16(8)), [255, 255]),
    "4-bit grey, black": (png(4, 0, b"\x08", tRNS=u16(0)), [255, 136]),
    "2-bit grey": (png(2, 0, b"\x90", tRNS=u16(2)), [255, 85]),
    "1-bit grey": (png(1, 0, b"\x40", tRNS=u16(0)), [255, 255]),
    "8-bit colour": (png(8, 2, bytes([8, 8, 8, 9, 9, 9]), tRNS=u16(8, 8, 8)), [255, 9]),
    "16-bit colour": (png(16, 2, u16(0x800, 0x800, 0x800, 0, 0, 0), tRNS=u16(0x800, 0x800, 0x800)), [255, 0]),
    "palette": (png(8, 3, b"\x01\x00", PLTE=bytes([9, 9, 9, 1, 1, 1]), tRNS=b"\xff\x00"), [255, 9]),
    "16-bit grey and alpha": (png(16, 4, u16(0, 0, 0x1200, 0xFFFF)), [255, 0x12]),
}


@pytest.mark.parametrize("case", CLEAR_LEVELS)
def test_load_image_shows_transparent_pixels_of_a_png_as_white(tmp_path: Path, case: str) -> None:
    content, expected = CLEAR_LEVELS[case]
    assert pixels(tmp_path / "image", content) == expected
    assert pixels(tmp_path / "image", content, channels=3) == np.repeat(expected, 3).tolist()


@pytest.mark.parametrize("suffix", ["png", "webp", "tiff", "ico", "tga", "gif"])
def test_load_image_shows_transparent_parts_as_white(tmp_path: Path, suffix: str) -> None:
    rgba = np.zeros((16, 16, 4), np.uint8)
    rgba[:, :8, :3], rgba[:, 8:] = 77, (0, 100, 200, 255)  # the left half is transparent, whatever colour it has
    Image.fromarray(rgba).save(tmp_path / f"p.{suffix}", lossless=True)  # lossless is of WebP
    loaded = load_image(tmp_path / f"p.{suffix}", (16, 16, 3))
    assert (loaded[:, :8] == WHITE).all() and (loaded[:, 8:] == (0, 100, 200)).all()


def test_load_image_blends_half_transparent_pixels_with_white(tmp_path: Path) -> None:
    Image.new("RGBA", (8, 8), (0, 100, 200, 128)).save(tmp_path / "p.png")
    assert np.abs(load_image(tmp_path / "p.png", (8, 8, 3)).astype(int) - (127, 177, 227)).max() <= 1


@pytest.mark.parametrize(("suffix", "shown"), [("bmp", (0, 100, 200)), ("tga", (0, 100, 200)), ("png", WHITE)])
def test_load_image_ignores_alpha_that_a_format_often_leaves_at_0(
    tmp_path: Path, suffix: str, shown: tuple[int, int, int]
) -> None:
    Image.new("RGBA", (8, 8), (0, 100, 200, 0)).save(tmp_path / f"p.{suffix}")
    assert (load_image(tmp_path / f"p.{suffix}", (8, 8, 3)) == shown).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("suffix", "options"),
    [("png", {}), ("tiff", {}), ("tiff", {"compression": "tiff_lzw"}), ("jpg", {}), ("webp", {"lossless": True})],
)
def test_load_image_turns_upright(tmp_path: Path, orientation: int, suffix: str, options: dict[str, Any]) -> None:
    upright = np.zeros((64, 96), np.uint8)
    upright[:32, :48], upright[:32, 48:], upright[32:, :48] = 40, 90, 200  # four fields, all different
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.T, 6: upright.T[::-1], 7: upright.T[::-1, ::-1], 8: upright.T[:, ::-1],
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / f"p.{suffix}", exif=exif, **options)
    loaded = load_image(tmp_path / f"p.{suffix}", (64, 96, 1))[..., 0].astype(int)
    assert np.abs(loaded - upright).max() <= 3


def test_load_image_shows_image_with_damaged_exif(tmp_path: Path) -> None:
    Image.new("L", (8, 8), 90).save(tmp_path / "p.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\xff" + b"\x12" * 40)
    assert (load_image(tmp_path / "p.jpg", (8, 8, 1)) == 90).all()


def test_load_image_converts_lab_to_grey_and_colour(tmp_path: Path) -> None:
    Image.new("LAB", (8, 8), (128, 128, 128)).save(tmp_path / "p.tiff")
    colour, grey = (load_image(tmp_path / "p.tiff", (8, 8, channels)) for channels in (3, 1))
    assert grey.min() > 100 and grey.max() < 140
    assert np.abs(colour.mean(axis=2) - grey[..., 0]).max() < 3


def fixed(values: np.ndarray) -> bytes:
    """Return numbers in the fixed point of profiles."""
    return b"".join(struct.pack(">i", round(float(value) * 65536)) for value in values)


def profile(tags: dict[bytes, bytes], space: bytes) -> bytes:
    """Return a display profile of a colour space with white D50 and these tags."""
    white = fixed(np.array([0.9642, 1.0, 0.8249]))
    tags = {b"desc": b"desc" + bytes(4) + struct.pack(">I", 5) + b"wide\0" + bytes(78)} | tags
    tags[b"wtpt"] = b"XYZ \0\0\0\0" + white
    table, data, start = b"", b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += name + struct.pack(">II", start + len(data), len(content))
        data += content + bytes(-len(content) % 4)
    header = struct.pack(">I4sI4s4s4s", start + len(data), b"lcms", 0x02100000, b"mntr", space, b"XYZ ")
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + white
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + data


def curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))


def profile_of(rgb: tuple[float, ...], gamma: float) -> bytes:
    """Return a profile with primaries of these xy coordinates, adapted to white D50, and one gamma."""
    xy = np.array(rgb).reshape(3, 2)
    xyz = np.stack([xy[:, 0] / xy[:, 1], np.ones(3), (1 - xy.sum(1)) / xy[:, 1]])
    columns = xyz * np.linalg.solve(xyz, np.array([0.9642, 1.0, 0.8249]))
    tags: dict[bytes, bytes] = {}
    for letter, column in zip(b"rgb", columns.T, strict=True):
        tags |= {b"%cXYZ" % letter: b"XYZ \0\0\0\0" + fixed(column), b"%cTRC" % letter: curve(gamma)}
    return profile(tags, b"RGB ")


WIDE_GAMUT = (0.7347, 0.2653, 0.1152, 0.8264, 0.1566, 0.0177)  # xy of the primaries of Adobe's Wide Gamut RGB


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tiff"])
def test_load_image_applies_the_colour_profile(tmp_path: Path, suffix: str) -> None:
    wide = profile_of(WIDE_GAMUT, gamma=2.2)
    shown = np.array((200, 90, 60))
    image = Image.new("RGB", (16, 16), tuple(shown.tolist()))
    to_wide = (ImageCms.createProfile("sRGB"), ImageCms.ImageCmsProfile(io.BytesIO(wide)))
    stored = ImageCms.profileToProfile(image, *to_wide)
    assert stored is not None and np.abs(np.asarray(stored)[0, 0].astype(int) - shown).max() > 20
    stored.save(tmp_path / f"p.{suffix}", icc_profile=wide, lossless=True, quality=95)
    loaded = load_image(tmp_path / f"p.{suffix}", (8, 8, 3)).astype(int)
    assert np.abs(loaded - shown).max() <= 6


def test_load_image_applies_the_profile_before_the_white_ground(tmp_path: Path) -> None:
    image = Image.new("RGBA", (8, 8), (200, 90, 60, 0))
    image.paste((200, 90, 60, 255), (0, 0, 4, 8))
    plain = image.convert("RGB")
    for name, each in (("clear", image), ("plain", plain)):
        each.save(tmp_path / f"{name}.png", icc_profile=profile_of(WIDE_GAMUT, gamma=2.2))
    loaded = load_image(tmp_path / "clear.png", (8, 8, 3))
    assert (loaded[:, 4:] == WHITE).all()
    np.testing.assert_array_equal(loaded[:, :4], load_image(tmp_path / "plain.png", (8, 8, 3))[:, :4])


def test_load_image_applies_a_colour_profile_to_palette_and_grey(tmp_path: Path) -> None:
    dark = profile_of((0.64, 0.33, 0.30, 0.60, 0.15, 0.06), gamma=1.0)
    Image.new("L", (8, 8), 55).save(tmp_path / "grey.png", icc_profile=dark)
    Image.new("RGB", (8, 8), (55, 55, 55)).quantize(2).save(tmp_path / "palette.png", icc_profile=dark)
    for name in ("grey", "palette"):
        loaded = load_image(tmp_path / f"{name}.png", (8, 8, 3)).astype(int)
        assert np.abs(loaded - 128).max() <= 4, name  # (55 / 255) ** (1 / 2.2) * 255, nearly


@pytest.mark.parametrize(("mode", "level"), [("L", 55), ("LA", (55, 255)), ("I;16", 55 * 257)])
def test_load_image_applies_a_grey_profile(tmp_path: Path, mode: str, level: int | tuple[int, ...]) -> None:
    linear = profile({b"kTRC": curve(1.0)}, b"GRAY")
    Image.new(mode, (8, 8), level).save(tmp_path / "p.png", icc_profile=linear)
    assert np.abs(load_image(tmp_path / "p.png", (8, 8, 1)).astype(int) - 128).max() <= 4


def test_load_image_leaves_srgb_and_useless_profiles_bit_for_bit(tmp_path: Path) -> None:
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (8, 8, 3), np.uint8))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    damaged = profile_of(WIDE_GAMUT, gamma=2.2)[:140]
    for content in (srgb, damaged, b"no profile"):
        image.save(tmp_path / "p.png", icc_profile=content)
        np.testing.assert_array_equal(load_image(tmp_path / "p.png", (8, 8, 3)), np.asarray(image))


@pytest.mark.parametrize(("gamma", "shown"), [(1.0, 128), (1 / 2.2, 55), (0.45, 55)])
def test_load_image_applies_the_gamma_of_a_png(tmp_path: Path, gamma: float, shown: int) -> None:
    content = png(8, 0, b"\x37\xff", gAMA=struct.pack(">I", round(gamma * 100_000)))
    first, second = pixels(tmp_path / "image", content)
    assert abs(first - shown) <= 1 and second == 255
    marked = png(8, 0, b"\x37\xff", sRGB=b"\0", gAMA=struct.pack(">I", round(gamma * 100_000)))
    assert pixels(tmp_path / "image", marked) == [55, 255]
