"""An image file as an encoder's input: as a viewer shows it, scaled to the bundle's input shape."""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from host.errors import HostError
from host.image.appearance import as_shown
from wire.text import printable

MODES = {1: "L", 3: "RGB"}
# In pixels. If the edge of a window coincides with a pixel's centre, floating point may assign the pixel to either
# side. Edges moved by this much assign it to the window that begins there, as a board's integer arithmetic does
# (firmware/lib/camera/fit.c). It exceeds the error of Pillow's single precision, and no edge passes another centre.
NUDGE = 2.0**-10


def load_image(path: str | Path, shape: tuple[int, int, int]) -> np.ndarray:
    """Load an image as uint8 (H, W, C): as a viewer shows it, cropped centrally to the aspect ratio, averaged down.

    C is 3 (red, green, blue) or 1 (grey, ITU-R BT.601 luma). Transparent pixels are white. Raises HostError if the file
    cannot be read as an image.
    """
    height, width, channels = shape
    if channels not in MODES:
        raise HostError(f"the bundle's input has {channels} channels; images are supported with 1 or 3")
    try:
        # Pillow's warnings concern large images and odd metadata. Images that it cannot use raise errors.
        with warnings.catch_warnings(action="ignore"), Image.open(path) as image:
            upright = as_shown(image).convert(MODES[channels])
    except UnidentifiedImageError:
        raise HostError(f"{printable(path)}: not an image that Pillow can read") from None
    except Exception as error:  # Pillow's readers have no common error class for damaged files
        reason = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
        raise HostError(f"{printable(path)}: {reason}") from None
    scale = min(upright.width / width, upright.height / height)
    left, top = (upright.width - width * scale) / 2, (upright.height - height * scale) / 2
    right, bottom = left + width * scale, top + height * scale
    # Rounding may move an edge slightly outside the image.
    window = (left + NUDGE, top + NUDGE, min(right + NUDGE, upright.width), min(bottom + NUDGE, upright.height))
    small = upright.resize((width, height), Image.Resampling.BOX, box=window)
    return np.asarray(small, np.uint8).reshape(shape)
