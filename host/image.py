"""Pictures for an encoder: any file that Pillow reads, in the bundle's size."""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from host.errors import HostError

MODES = {1: "L", 3: "RGB"}
# Pixels. Where the edge of a window meets a pixel's centre, floating point would give the pixel to either side. An edge
# this little farther gives it to the window that begins there, as a board's integers do (firmware/lib/camera/fit.c).
# It is more than Pillow's single precision is off by, and too little for an edge to pass another centre.
NUDGE = 2.0**-10


def load_image(path: str | Path, shape: tuple[int, int, int]) -> np.ndarray:
    """The picture as uint8 (H, W, C): turned upright, cut centrally to the aspect ratio, averaged down.

    C is 3 (red, green, blue) or 1 (grey, ITU-R BT.601 luma). HostError when the file is no picture.
    """
    height, width, channels = shape
    if channels not in MODES:
        raise HostError(f"the bundle takes {channels} channels: a picture gives 1 or 3")
    try:
        # Pillow refuses what is no use. What is merely large or has odd metadata is no reason for its warnings.
        with warnings.catch_warnings(action="ignore"), Image.open(path) as picture:
            upright = ImageOps.exif_transpose(picture).convert(MODES[channels])
    except UnidentifiedImageError:
        raise HostError(f"{path}: not a picture that Pillow can read") from None
    except Exception as error:  # whatever a damaged file makes Pillow's readers raise: they have no common base
        reason = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
        raise HostError(f"{path}: {reason}") from None
    scale = min(upright.width / width, upright.height / height)
    left, top = (upright.width - width * scale) / 2, (upright.height - height * scale) / 2
    right, bottom = left + width * scale, top + height * scale
    # Rounding may put an edge a hair outside.
    window = (left + NUDGE, top + NUDGE, min(right + NUDGE, upright.width), min(bottom + NUDGE, upright.height))
    small = upright.resize((width, height), Image.Resampling.BOX, box=window)
    return np.asarray(small, np.uint8).reshape(shape)
