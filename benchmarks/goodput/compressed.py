"""Images as the smallest JPEG and WebP files, for the comparison with standard image compression."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

COMPRESSED = Path("build/bench/compressed")  # folder of the classifiers of compressed images
DATASETS = ("cifar10", "cifar100")  # for which classifiers of compressed images can be trained
JPEG_SCAN = b"\xff\xda"  # start of scan; with fixed tables, everything before it is the same for every image
JPEG_SCAN_HEADER, JPEG_END = 2 + 12, 2
RIFF_BYTES = 20  # "RIFF", size, "WEBP", "VP8 ", size; the chunk may end in a pad byte
VP8_CONSTANT = 7  # start code, width, height


@dataclass(frozen=True)
class Format:
    """One way to compress an image. `options` are Pillow's, those with the smallest files of all tried."""

    name: str
    title: str
    kind: str  # JPEG or WEBP
    options: dict[str, int | bool]

    def encode(self, image: np.ndarray) -> bytes:
        """Return the file of an image uint8 (H, W, 3)."""
        return _file(image, self.kind, self.options)

    def bare_bytes(self, image: np.ndarray, file: bytes) -> int:
        """Return the bytes of an image's file without its size and tables, which are the same for every image."""
        if self.kind == "WEBP":
            return int.from_bytes(file[RIFF_BYTES - 4 : RIFF_BYTES], "little") - VP8_CONSTANT
        # A receiver cannot know Huffman tables that were made for one image, so the standard tables. Same pixels.
        fixed = _file(image, self.kind, {**self.options, "optimize": False})
        return len(fixed) - fixed.index(JPEG_SCAN) - JPEG_SCAN_HEADER - JPEG_END


# Tried on training images: 4:4:4 and progressive JPEGs are larger, as are WebPs of a lower method. JPEG has a second
# quality because its smallest loses more in accuracy than it saves in bytes.
FORMATS = (
    Format("webp", "WebP, quality 0", "WEBP", {"quality": 0, "method": 6}),
    Format("jpeg5", "JPEG, quality 5", "JPEG", {"quality": 5, "subsampling": 2, "optimize": True}),
    Format("jpeg1", "JPEG, quality 1", "JPEG", {"quality": 1, "subsampling": 2, "optimize": True}),
)


def classifier_command(dataset: str, form: Format) -> str:
    """Return the command that trains the classifier of one data set and format."""
    data = "" if dataset == DATASETS[0] else f" --data {dataset}"
    return f"python -m benchmarks.goodput.compressed_classifier{data} --formats {form.name}"


def classifiers(dataset: str, folder: Path, log: Callable[[str], None]) -> Iterator[tuple[Format, Path]]:
    """Yield the formats whose classifier is in `folder`, with its file without the ending; `log` gets the others."""
    if dataset not in DATASETS:
        log(f"without JPEG and WebP: their classifiers are for {' and '.join(DATASETS)}, not {dataset}")
        return
    for form in FORMATS:
        file = folder / dataset / form.name
        if file.with_suffix(".npz").is_file():
            yield form, file
        else:
            log(f"without {form.title}: run {classifier_command(dataset, form)} to include it")


def decoded(file: bytes) -> np.ndarray:
    """Return the pixels of a file, uint8 (H, W, 3)."""
    return np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))


def pixels(images: np.ndarray, form: Format) -> np.ndarray:
    """Return images uint8 (N, H, W, 3) after compression, uint8 (N, H, W, 3)."""
    return np.stack([decoded(form.encode(image)) for image in images])


def sizes(images: np.ndarray, form: Format, on_progress: Callable[[], None]) -> tuple[np.ndarray, np.ndarray]:
    """Return the bytes of each image's file and of its bare form, int64 (N,); `on_progress` is called per image."""
    whole, bare = np.empty(len(images), np.int64), np.empty(len(images), np.int64)
    for i, image in enumerate(images):
        file = form.encode(image)
        whole[i], bare[i] = len(file), form.bare_bytes(image, file)
        on_progress()
    return whole, bare


def _file(image: np.ndarray, kind: str, options: dict[str, int | bool]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind, **options)
    return file.getvalue()
