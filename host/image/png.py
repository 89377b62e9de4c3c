"""Images as files, in memory."""

import io

import numpy as np
from PIL import Image


def png_of(pixels: np.ndarray) -> bytes:
    """Return an image, uint8 (H, W, 1 or 3), as a PNG file."""
    return encoded(Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels), "PNG")


def encoded(image: Image.Image, kind: str) -> bytes:
    """Return an image as a file of one of Pillow's formats. Raises OSError if the format cannot hold it."""
    content = io.BytesIO()
    image.save(content, kind)
    return content.getvalue()
