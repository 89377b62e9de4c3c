"""`inkling capture`: let a board take images with its camera, and classify them."""

import argparse
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from host.board.board import Board
from host.classify.classifier import Classifier
from host.cli.arguments import open_board
from host.cli.output import Output, Part, reading_parts
from host.cli.preview import write_whole
from host.cli.run import LOST, check_model, note_not_stored
from host.errors import HostError
from host.image.png import encoded
from host.tasks.files import load_all as load_tasks
from wire.bundle import load as load_bundle

MIN_SAVED_PIXELS = 256  # longer side of a saved image


def run(options: argparse.Namespace) -> int:
    """Take images one after another and return the exit status."""
    bundle = load_bundle(options.bundle)
    if bundle.chunks:
        bundle.chunk_symbols(options.chunk)  # checks --chunk before anything is sent
    if options.save:
        _as_file(np.zeros(bundle.input_shape, np.uint8), options.save.suffix)  # checks --save before anything is sent
    classifier = Classifier.of([bundle], load_tasks([bundle], options.task))
    output = Output("-" if options.json else None)
    with open_board(options, bundle) as board:
        check_model(board, output)
        return _capture_all(board, classifier, options, output)


def _capture_all(board: Board, classifier: Classifier, options: argparse.Namespace, output: Output) -> int:
    count = options.count or (None if options.every else 1)
    captured = lost = 0
    while True:
        next_start = time.monotonic() + (options.every or 0.0)
        frame, cost = board.capture_by_mode(options.chunk, cost=True)
        note_not_stored(board, output)
        captured += 1
        values: dict[str, Any] = {"class": None}
        parts: list[Part] = [LOST]
        if frame is None:
            lost += 1
        else:
            reading = classifier.read(frame)
            values, parts = reading.as_json(), reading_parts(reading)
        output.json_line(**values, **(asdict(cost) if cost else {}))
        output.line(*parts)
        if options.save:
            save(board.pixels(), options.save)
        if captured == count:
            return 1 if lost or output.missed else 0
        time.sleep(max(0.0, next_start - time.monotonic()))


def save(pixels: np.ndarray, file: Path) -> None:
    """Write an image, uint8 (H, W, 1 or 3), with each pixel enlarged to a square, completely or not at all.

    Raises HostError if it cannot be written.
    """
    write_whole(_as_file(pixels, file.suffix), file)


def _as_file(pixels: np.ndarray, suffix: str) -> bytes:
    """Return an enlarged image as a file. Raises HostError if no format that Pillow writes has the suffix."""
    height, width, channels = pixels.shape
    factor = -(-MIN_SAVED_PIXELS // max(height, width))
    image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
    kind = Image.registered_extensions().get(suffix.lower())
    try:
        if kind not in Image.SAVE:
            raise ValueError("unknown format; use a suffix such as .png")
        return encoded(image.resize((width * factor, height * factor), Image.Resampling.NEAREST), kind)
    except (OSError, ValueError, KeyError) as error:  # of formats for other images, such as .xbm
        raise HostError(f"cannot write an image as {suffix or 'a file without suffix'}: {error}") from None
