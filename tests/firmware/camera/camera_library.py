"""firmware/lib/camera as a shared library, and camera frames, for tests against host/image/load.py."""

import subprocess
from ctypes import CDLL, POINTER, Structure, c_bool, c_char_p, c_int, c_uint8, c_uint16, c_uint32, create_string_buffer
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from matplotlib import cbook
from PIL import Image

from tests.support import ROOT

SOURCE = ROOT / "firmware" / "lib" / "camera"
FLAGS = ["-std=c11", "-pedantic", "-Wall", "-Wextra", "-Wdouble-promotion", "-Wconversion", "-Werror", f"-I{SOURCE}"]
GREY, RGB565, RGB888 = FORMATS = 1, 2, 3
CANARY = b"\xa5" * 16

Size = tuple[int, int]  # height, width
Shape = tuple[int, int, int]  # height, width, channels


class CameraImage(Structure):
    _fields_ = [("pixels", c_char_p), ("width", c_uint16), ("height", c_uint16), ("format", c_int)]


class FitTarget(Structure):
    _fields_ = [
        ("pixels", POINTER(c_uint8)),
        ("height", c_uint16),
        ("width", c_uint16),
        ("channels", c_uint8),
        ("sums", POINTER(c_uint32)),
    ]


@cache
def library() -> CDLL:
    """Compile and load the library, and declare its functions."""
    with TemporaryDirectory(prefix="inkling-camera-") as folder:
        file = Path(folder) / "camera.so"
        sources = sorted(SOURCE.glob("*.c"))
        subprocess.run(["gcc", *FLAGS, "-O2", "-shared", "-fPIC", *sources, "-o", file], check=True)
        lib = CDLL(str(file))
    for name in ("fit_crop", "fit_whole"):
        function = getattr(lib, name)
        function.argtypes = [POINTER(CameraImage), POINTER(FitTarget)]
        function.restype = c_bool
    lib.motion_thumbnail.argtypes = [POINTER(CameraImage), POINTER(c_uint8)]
    lib.motion_differs.argtypes = [c_char_p, c_char_p, c_uint32]
    lib.motion_thumbnail.restype = lib.motion_differs.restype = c_bool
    return lib


def fit(frame: bytes, size: Size, form: int, shape: Shape, whole: bool = False) -> np.ndarray:
    """Return the pixels, uint8 of `shape`, that fit_crop or fit_whole makes of a frame of this size and format."""
    height, width, channels = shape
    n_values = height * width * channels
    pixels = create_string_buffer(bytes(n_values) + CANARY, n_values + len(CANARY))
    sums = (c_uint32 * (width * channels))()
    target = FitTarget((c_uint8 * len(pixels)).from_buffer(pixels), height, width, channels, sums)
    image = CameraImage(frame, size[1], size[0], form)
    assert getattr(library(), "fit_whole" if whole else "fit_crop")(image, target)
    assert pixels.raw[-len(CANARY) :] == CANARY
    return np.frombuffer(pixels.raw[: -len(CANARY)], np.uint8).reshape(shape)


def pack(rgb: np.ndarray, form: int) -> bytes:
    """Return an image, uint8 (H, W, 3), as a camera sends it in a format. Grey takes the red channel."""
    if form == RGB888:
        return rgb.tobytes()
    if form == GREY:
        return rgb[..., 0].tobytes()
    red, green, blue = (rgb[..., c].astype(np.uint16) >> (8 - bits) for c, bits in enumerate((5, 6, 5)))
    return (red << 11 | green << 5 | blue).astype(">u2").tobytes()


def expand(frame: bytes, size: Size, form: int) -> np.ndarray:
    """Return a frame as uint8 (H, W, 3). RGB565 is expanded to 8 bits by repeating the upper bits."""
    if form == RGB888:
        return np.frombuffer(frame, np.uint8).reshape(*size, 3)
    if form == GREY:
        return np.repeat(np.frombuffer(frame, np.uint8).reshape(*size, 1), 3, axis=2)
    words = np.frombuffer(frame, ">u2").reshape(size).astype(np.uint32)
    red, green, blue = words >> 11, words >> 5 & 63, words & 31
    return np.stack([red << 3 | red >> 2, green << 2 | green >> 4, blue << 3 | blue >> 2], -1).astype(np.uint8)


def photo(size: Size) -> np.ndarray:
    """Return a photograph, float (H, W, 3)."""
    file = cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    with Image.open(str(file)) as image:
        return np.asarray(image.convert("RGB").resize(size[::-1], Image.Resampling.BICUBIC), float)
