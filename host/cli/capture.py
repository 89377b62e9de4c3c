"""`inkling capture`: have a board look with its camera, and show what it sees."""

import argparse
import time
from dataclasses import asdict

import numpy as np
from PIL import Image

from host.board.board import Board
from host.board.errors import GarbledReplyError
from host.classify.classifier import Classifier
from host.cli.arguments import open_port
from host.cli.output import JsonLines, Screen, reading_parts
from host.errors import HostError
from wire import bundle as bundles
from wire.bundle import Bundle

CAMERA_S = 5.0  # a camera's start, until its exposure has settled
SHOWN_PIXELS = 256  # a saved picture's longer side, at least


def run(options: argparse.Namespace) -> int:
    """Have pictures taken one after the other; the exit status."""
    bundle = bundles.load(options.bundle)
    bundle.chunk_symbols(options.chunk)  # checks --chunk before anything is sent
    screen = Screen("-" if options.json else None)
    with Board(open_port(options), bundle, options.timeout) as device:
        try:
            device.check(device.info())
        except GarbledReplyError as error:
            screen.note(f"going on without checking the board's model: {error}")
        return _look(device, bundle, options, screen)


def _look(device: Board, bundle: Bundle, options: argparse.Namespace, screen: Screen) -> int:
    json_lines = JsonLines("-") if options.json else None
    count = options.count or (None if options.every else 1)
    reader, taken, lost = Classifier.of([bundle]), 0, 0
    while True:
        due = time.monotonic() + (options.every or 0.0)
        frame, cost = device.capture(options.chunk, cost=True)
        taken += 1
        if frame is None:
            lost += 1
            screen.line(("lost on the way", "red"))
        else:
            reading = reader.read(frame)
            screen.line(*reading_parts(reading))
        if json_lines:
            found = {"class": None} if frame is None else reading.as_json()
            json_lines.write(**found, **(asdict(cost) if cost else {}))
        if options.save:
            save(device.pixels(), options.save)
        if taken == count:
            return 1 if lost else 0
        time.sleep(max(0.0, due - time.monotonic()))


def save(pixels: np.ndarray, file: str) -> None:
    """Write an encoder's picture, uint8 (H, W, 1 or 3), each pixel as a square that can be seen."""
    height, width, channels = pixels.shape
    times = -(-SHOWN_PIXELS // max(height, width))
    picture = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
    try:
        picture.resize((width * times, height * times), Image.Resampling.NEAREST).save(file)
    except (OSError, ValueError) as error:  # ValueError: the name ends in nothing that Pillow writes
        raise HostError(f"cannot write {file}: {getattr(error, 'strerror', None) or error}") from None
