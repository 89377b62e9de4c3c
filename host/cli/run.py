"""`inkling run`: send pictures to a board and show what comes back."""

import argparse
import time
from dataclasses import asdict

import numpy as np

from host.board.board import Board
from host.board.errors import BoardError, GarbledReplyError
from host.classify.classifier import Classifier
from host.cli.arguments import open_port
from host.cli.output import JsonLines, Screen, reading_parts
from host.image import load_image
from wire import bundle as bundles
from wire.bundle import Bundle
from wire.control import LONGEST_PREFIX, ErrorCode, RadioReport, RunCost

AIR_PATIENCE_S = 60  # for air time, of which a node that opening the port has reset has none


def run(options: argparse.Namespace) -> int:
    """Send the pictures one after the other; the exit status."""
    bundle = bundles.load(options.bundle)
    if options.chunk is not None:
        bundle.chunk_symbols(options.chunk)  # checks --chunk before anything is sent
    pictures = [(path, load_image(path, bundle.input_shape)) for path in options.images]
    screen = Screen("-" if options.json else None)
    json_lines = JsonLines("-") if options.json else None
    with Board(open_port(options), bundle, options.timeout) as device:
        try:
            device.check(device.info())
        except GarbledReplyError as error:
            screen.note(f"going on without checking the board's model: {error}")
        if options.by_radio:
            return _send_on(device, pictures, options.chunk, screen, json_lines)
        return _classify(device, bundle, pictures, options.chunk or 0, screen, json_lines)


def _send_on(
    device: Board,
    pictures: list[tuple[str, np.ndarray]],
    chunk: int | None,
    screen: Screen,
    json_lines: JsonLines | None,
) -> int:
    """Have the board encode the pictures and send them by its radio; the exit status."""
    width = max(len(path) for path, _ in pictures)
    for path, pixels in pictures:
        cost, sent = _when_allowed(device, pixels, LONGEST_PREFIX if chunk is None else chunk, screen)
        screen.line(f"{path:<{width}}  by radio: {_air_text(sent)}  {_cost_text(cost)}")
        if json_lines:
            json_lines.write(image=path, **asdict(sent), **asdict(cost))
    return 0


def _when_allowed(device: Board, pixels: np.ndarray, chunk: int, screen: Screen) -> tuple[RunCost, RadioReport]:
    """As `run_by_radio`, as soon as the duty cycle allows it; BoardError if it does not for AIR_PATIENCE_S."""
    deadline, told = time.monotonic() + AIR_PATIENCE_S, False
    while True:
        try:
            return device.run_by_radio(pixels, chunk)
        except BoardError as error:
            if error.code != ErrorCode.AIR_TIME or time.monotonic() > deadline:
                raise
        if not told:
            screen.note(f"the board has no air time for this yet: waiting for up to {AIR_PATIENCE_S} s")
            told = True
        time.sleep(1)


def _classify(
    device: Board,
    bundle: Bundle,
    pictures: list[tuple[str, np.ndarray]],
    chunk: int,
    screen: Screen,
    json_lines: JsonLines | None,
) -> int:
    """Have the board encode the pictures and classify what comes back; the exit status."""
    reader, lost = Classifier.of([bundle]), 0
    width = max(len(path) for path, _ in pictures)
    for path, pixels in pictures:
        frame, cost = device.run(pixels, chunk, cost=True)
        if frame is None:
            lost += 1
            screen.line(f"{path:<{width}}  ", ("lost on the way", "red"))
            if json_lines:
                json_lines.write(**{"image": path, "class": None})
            continue
        reading = reader.read(frame)
        screen.line(f"{path:<{width}}  ", *reading_parts(reading), f"  {_cost_text(cost)}")
        if json_lines:
            json_lines.write(image=path, **reading.as_json(), **(asdict(cost) if cost else {}))
    return 1 if lost else 0


def _air_text(sent: RadioReport) -> str:
    return f"chunk {sent.chunk}, {sent.air_micros / 1e3:.1f} ms of air time, {sent.left_micros / 1e3:.1f} ms left"


def _cost_text(cost: RunCost | None) -> str:
    if cost is None:
        return "cost lost on the way"
    milliseconds = cost.microseconds / 1000
    return f"{cost.encode_cycles} cycles to encode, {cost.total_cycles} in all, {milliseconds:.1f} ms"
