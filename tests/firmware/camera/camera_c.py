"""firmware/lib/camera as a shared library, and recorded frames, for tests that hold it against host/image.py."""

import subprocess
from ctypes import CDLL, POINTER, Structure, c_bool, c_char_p, c_int, c_uint8, c_uint16, c_uint32, create_string_buffer
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

from tests.support import ROOT

SOURCE = ROOT / "firmware" / "lib" / "camera"
FLAGS = ["-std=c11", "-pedantic", "-Wall", "-Wextra", "-Wdouble-promotion", "-Wconversion", "-Werror", f"-I{SOURCE}"]
GREY, RGB565, RGB888 = FORMATS = 1, 2, 3
CANARY = b"\xa5" * 16


class Picture(Structure):
    _fields_ = [("pixels", c_char_p), ("width", c_uint16), ("height", c_uint16), ("format", c_int)]


class Target(Structure):
    _fields_ = [
        ("pixels", POINTER(c_uint8)),
        ("height", c_uint16),
        ("width", c_uint16),
        ("channels", c_uint8),
        ("sums", POINTER(c_uint32)),
    ]


@cache
def library() -> CDLL:
    """The compiled library, declared."""
    file = Path(mkdtemp(prefix="inkling-camera-")) / "camera.so"
    subprocess.run(["gcc", *FLAGS, "-O2", "-shared", "-fPIC", *sorted(SOURCE.glob("*.c")), "-o", file], check=True)
    lib = CDLL(str(file))
    for name in ("fit_crop", "fit_whole"):
        function = getattr(lib, name)
        function.argtypes = [POINTER(Picture), POINTER(Target)]
        function.restype = c_bool
    lib.motion_thumbnail.argtypes = [POINTER(Picture), POINTER(c_uint8)]
    lib.motion_differs.argtypes = [c_char_p, c_char_p, c_uint32]
    lib.motion_thumbnail.restype = lib.motion_differs.restype = c_bool
    return lib


def fit(frame: bytes, size: tuple[int, int], form: int, shape: tuple[int, int, int], whole: bool = False) -> np.ndarray:
    """What fit_crop (or fit_whole) makes of a frame of this (height, width); uint8 of `shape`, (H, W, C)."""
    height, width, channels = shape
    pixels = create_string_buffer(height * width * channels + len(CANARY))
    pixels[-len(CANARY) :] = CANARY
    sums = (c_uint32 * (width * channels))()
    target = Target((c_uint8 * len(pixels)).from_buffer(pixels), height, width, channels, sums)
    picture = Picture(frame, size[1], size[0], form)
    assert getattr(library(), "fit_whole" if whole else "fit_crop")(picture, target)
    assert pixels.raw[-len(CANARY) :] == CANARY
    return np.frombuffer(pixels.raw[: -len(CANARY)], np.uint8).reshape(shape)


def pack(rgb: np.ndarray, form: int) -> bytes:
    """A picture, uint8 (H, W, 3), as a camera gives it in a format. Of grey, the red counts."""
    if form == RGB888:
        return rgb.tobytes()
    if form == GREY:
        return rgb[..., 0].tobytes()
    red, green, blue = (rgb[..., c].astype(np.uint16) >> (8 - bits) for c, bits in enumerate((5, 6, 5)))
    return (red << 11 | green << 5 | blue).astype(">u2").tobytes()


def expand(frame: bytes, size: tuple[int, int], form: int) -> np.ndarray:
    """A frame as uint8 (H, W, 3); the bits of RGB565 are filled up to 8 with their own upper ones."""
    if form == RGB888:
        return np.frombuffer(frame, np.uint8).reshape(*size, 3)
    if form == GREY:
        return np.repeat(np.frombuffer(frame, np.uint8).reshape(*size, 1), 3, axis=2)
    words = np.frombuffer(frame, ">u2").reshape(size).astype(np.uint32)
    red, green, blue = words >> 11, words >> 5 & 63, words & 31
    return np.stack([red << 3 | red >> 2, green << 2 | green >> 4, blue << 3 | blue >> 2], -1).astype(np.uint8)
