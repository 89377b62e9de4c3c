"""Pictures for an encoder: any file that Pillow reads, in the bundle's size."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from host.errors import HostError

MODES = {1: "L", 3: "RGB"}


def load_image(path: str | Path, shape: tuple[int, int, int]) -> np.ndarray:
    """The picture as uint8 (H, W, C): turned upright, cut centrally to the aspect ratio, averaged down.

    C is 3 (red, green, blue) or 1 (grey, ITU-R BT.601 luma). HostError when the file is no picture.
    """
    height, width, channels = shape
    if channels not in MODES:
        raise HostError(f"the bundle takes {channels} channels: a picture gives 1 or 3")
    try:
        with Image.open(path) as picture:
            upright = ImageOps.exif_transpose(picture).convert(MODES[channels])
    except UnidentifiedImageError:
        raise HostError(f"{path}: not a picture that Pillow can read") from None
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise HostError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    scale = min(upright.width / width, upright.height / height)
    left, top = (upright.width - width * scale) / 2, (upright.height - height * scale) / 2
    window = (left, top, left + width * scale, top + height * scale)
    small = upright.resize((width, height), Image.Resampling.BOX, box=window)
    return np.asarray(small, np.uint8).reshape(shape)
