"""Pictures as JPEG and WebP, as small as the encoders make them: what a link without a codec of its own would carry."""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

JPEG_SCAN = b"\xff\xda"  # start of scan: what comes before is the same for every picture, given fixed tables
JPEG_SCAN_HEADER, JPEG_END = 2 + 12, 2
RIFF_BYTES = 20  # "RIFF", size, "WEBP", "VP8 ", size; the chunk may end in a pad byte
VP8_CONSTANT = 7  # start code, width, height


@dataclass(frozen=True)
class Format:
    """One way to compress a picture. `options` are Pillow's, found to give the smallest files of all tried."""

    name: str
    title: str
    kind: str  # JPEG or WEBP
    options: dict[str, int | bool]

    def encode(self, image: np.ndarray) -> bytes:
        """uint8 (H, W, 3) -> a whole file."""
        return _saved(image, self.kind, self.options)

    def bare_bytes(self, image: np.ndarray, file: bytes) -> int:
        """What is left of a picture's file once both ends know its size and tables, which never change."""
        if self.kind == "WEBP":
            return int.from_bytes(file[RIFF_BYTES - 4 : RIFF_BYTES], "little") - VP8_CONSTANT
        # Huffman tables made for one picture cannot be known before: the standard ones, then. Same pixels.
        fixed = _saved(image, self.kind, {**self.options, "optimize": False})
        return len(fixed) - fixed.index(JPEG_SCAN) - JPEG_SCAN_HEADER - JPEG_END


# Tried on training images: 4:4:4 and progressive JPEGs are larger, as are WebPs of a lower method. JPEG's second
# quality is there because its smallest gives away more in accuracy than it saves in bytes.
FORMATS = (
    Format("webp", "WebP, quality 0", "WEBP", {"quality": 0, "method": 6}),
    Format("jpeg5", "JPEG, quality 5", "JPEG", {"quality": 5, "subsampling": 2, "optimize": True}),
    Format("jpeg1", "JPEG, quality 1", "JPEG", {"quality": 1, "subsampling": 2, "optimize": True}),
)


def decoded(file: bytes) -> np.ndarray:
    """A file's pixels, uint8 (H, W, 3)."""
    return np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))


def pixels(images: np.ndarray, form: Format) -> np.ndarray:
    """uint8 (N, H, W, 3) -> the same pictures after compression, uint8 (N, H, W, 3)."""
    return np.stack([decoded(form.encode(image)) for image in images])


def sizes(images: np.ndarray, form: Format, each: Callable[[], None]) -> tuple[np.ndarray, np.ndarray]:
    """Bytes of each picture's file, and of its bare form, int64 (N,); `each` is called after every picture."""
    whole, bare = np.empty(len(images), np.int64), np.empty(len(images), np.int64)
    for i, image in enumerate(images):
        file = form.encode(image)
        whole[i], bare[i] = len(file), form.bare_bytes(image, file)
        each()
    return whole, bare


def _saved(image: np.ndarray, kind: str, options: dict[str, int | bool]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind, **options)
    return file.getvalue()
