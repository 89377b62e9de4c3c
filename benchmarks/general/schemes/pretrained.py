"""The pretrained network on the host: embeddings of perfect images, and of WebP and JPEG files of few bytes."""

import os
from bisect import bisect_right
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.command import kept_array
from benchmarks.general.data.problems import ImageSet, Problem
from benchmarks.general.schemes.heads import fit_head
from benchmarks.goodput.compressed import FORMATS, Format, decoded
from train.classifiers.embedding import BATCH, Network, embed

# WebP and JPEG as in the comparison over links, but of any quality.
KINDS = {form.kind.lower(): form for form in FORMATS[:2]}
RESOLUTIONS = (64, 48, 32, 24, 16, 8)  # from the largest
QUALITIES = range(0, 100)
GREY = 128  # replaces an image that is too large at every resolution
OnProgress = Callable[[int], None]


@dataclass(frozen=True)
class Embedder:
    """The pretrained network, and the height and width to which images are enlarged for it."""

    network: Network
    size: int


@dataclass(frozen=True, eq=False)
class File:
    """A compressed image: its pixels uint8 (R, R, 3), and its bytes without and with what all files have in common."""

    pixels: np.ndarray
    bare_bytes: int
    file_bytes: int


def perfect(embedder: Embedder, images: ImageSet, file: Path, on_progress: OnProgress) -> np.ndarray:
    """Return the embeddings (N, D) of the images themselves, which are kept in `file`."""

    def make() -> np.ndarray:
        parts = []
        for first in range(0, len(images.images), BATCH):
            parts.append(embed(embedder.network, images.images[first : first + BATCH], embedder.size))
            on_progress(len(parts[-1]))
        return np.concatenate(parts).astype(np.float16)

    return kept_array(file, make)


def compressed(
    embedder: Embedder, images: np.ndarray, kind: str, budget: int, resolution: int, on_progress: OnProgress
) -> np.ndarray:
    """Return a structured array (N,) of images uint8 (N, H, W, 3), each the best file within `budget` bare bytes.

    Its fields: embedding (D,) float16, bare_bytes and file_bytes. The resolution is the given one, or the largest below
    it that fits.
    """
    found = []
    with ThreadPoolExecutor(os.cpu_count()) as workers:
        for first in range(0, len(images), BATCH):
            part = images[first : first + BATCH]
            files = list(workers.map(partial(best_file, kind=kind, budget=budget, resolution=resolution), part))
            enlarged = np.stack([_scaled(file.pixels, embedder.size) for file in files])
            embeddings = embed(embedder.network, enlarged, embedder.size)
            fields = [("embedding", np.float16, embeddings.shape[1:]), ("bare_bytes", "i4"), ("file_bytes", "i4")]
            rows = np.empty(len(files), fields)
            rows["embedding"] = embeddings
            rows["bare_bytes"] = [file.bare_bytes for file in files]
            rows["file_bytes"] = [file.file_bytes for file in files]
            found.append(rows)
            on_progress(len(part))
    return np.concatenate(found)


def best_resolution(
    embedder: Embedder, images: ImageSet, problem: Problem, kind: str, budget: int, on_progress: OnProgress
) -> int:
    """Return the resolution at which the taught images of a problem are classified best when left out."""

    def accuracy(resolution: int) -> float:
        files = compressed(embedder, images.images[problem.taught], kind, budget, resolution, on_progress)
        return fit_head(files["embedding"], problem.taught_labels).figures["accuracy"]

    return max(RESOLUTIONS, key=accuracy)


def best_file(image: np.ndarray, kind: str, budget: int, resolution: int) -> File:
    """Return an image's file of the highest quality within a budget of bare bytes, at a resolution or a smaller one.

    Nothing is sent if the image is too large at every resolution.
    """
    for side in RESOLUTIONS[RESOLUTIONS.index(resolution) :]:
        if (file := _best_quality(_scaled(image, side), KINDS[kind], budget)) is not None:
            return file
    return File(np.full((RESOLUTIONS[-1], RESOLUTIONS[-1], 3), GREY, np.uint8), 0, 0)


def _best_quality(pixels: np.ndarray, form: Format, budget: int) -> File | None:
    """Return the file of the highest quality whose bare bytes fit, None if that of the lowest does not.

    Sizes grow with quality but for single bytes, so bisection finds a quality at or near the highest.
    """

    def encoded(quality: int) -> tuple[bytes, int]:
        at = replace(form, options={**form.options, "quality": quality})
        content = at.encode(pixels)
        return content, at.bare_bytes(pixels, content)

    if encoded(QUALITIES[0])[1] > budget:
        return None
    # Bisection returns a quality after one that fits, or the first one.
    highest = max(0, bisect_right(QUALITIES, budget, key=lambda quality: encoded(quality)[1]) - 1)
    content, bare = encoded(QUALITIES[highest])
    return File(decoded(content), bare, len(content))


def _scaled(pixels: np.ndarray, side: int) -> np.ndarray:
    """Return pixels uint8 (H, W, 3) at the size (side, side, 3)."""
    return np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC))
