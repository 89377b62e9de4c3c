"""`python -m host capture`: have a board look with its camera, and show what it sees."""

import argparse
import time
from dataclasses import asdict

import numpy as np
from PIL import Image

from host.board.board import TIMEOUT_S, Board
from host.board.errors import GarbledReplyError
from host.classify.classifier import Classifier
from host.cli.arguments import add_port, at_least_one, open_port, seconds
from host.cli.output import JsonLines, Screen, reading_parts
from host.errors import HostError
from wire import bundle as bundles
from wire.bundle import Bundle

EXAMPLES = """examples:
  python -m host capture --port /dev/ttyUSB0 --bundle bundles/cifar10
  python -m host capture --port /dev/ttyUSB0 --bundle bundles/cifar10 --save seen.png --every 2
"""
CAMERA_S = 5.0  # a camera's start, until its exposure has settled
SHOWN_PIXELS = 256  # a saved picture's longer side, at least


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "capture",
        help="have a board take a picture and classify what it sends back",
        description="Has a board take a picture with its camera, and classifies the symbols that it sends. "
        "Exits with 1 when a frame was lost.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add_port(parser)
    add("--bundle", required=True, metavar="DIR", help="of the model that the board runs")
    add("--save", metavar="FILE", help="write what the encoder was given to FILE, enlarged; a PNG, for one")
    add("--every", type=seconds, metavar="S", help="go on, a picture every S seconds, until Ctrl-C")
    add("--count", type=at_least_one, metavar="N", help="end after N pictures (default 1, with --every no end)")
    add("--chunk", type=int, default=0, metavar="N", help="which chunk of the symbols (default 0: all)")
    add("--json", action="store_true", help="print JSON lines to standard output")
    add("--timeout", type=seconds, default=TIMEOUT_S + CAMERA_S, metavar="S", help="seconds to wait for an answer (7)")
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Have pictures taken one after the other; the exit status."""
    bundle = bundles.load(options.bundle)
    if not 0 <= options.chunk < len(bundle.chunks):
        raise HostError(f"bundle {bundle.name} has chunks 0..{len(bundle.chunks) - 1}, not {options.chunk}")
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
