"""`inkling run`: send images to a board and classify what it returns."""

import argparse
import time
from collections.abc import Callable
from dataclasses import asdict

import numpy as np

from host.board.board import Board
from host.board.errors import BoardError, GarbledReplyError
from host.classify.classifier import Classifier, Reading
from host.cli.arguments import open_board
from host.cli.mode import describe, set_mode
from host.cli.output import Output, reading_parts
from host.cli.preview import PreviewFile
from host.errors import HostError
from host.image import load_image
from host.receive.events import AnswerFrame, FeatureFrame
from host.tasks.files import load_all as load_tasks
from wire.bundle import load as load_bundle
from wire.control import ANSWER_SENT, LONGEST_PREFIX, ErrorCode, RadioReport, RunCost

AIR_TIME_WAIT_S = 60  # a node has no air time after a reset, and opening its port may reset it
LOST = ("frame lost", "red")

Images = list[tuple[str, np.ndarray]]  # path; pixels, uint8 (H, W, C)
Read = Callable[[FeatureFrame | AnswerFrame], Reading]


def run(options: argparse.Namespace) -> int:
    """Send the images one after another and return the exit status."""
    bundle = load_bundle(options.bundle)
    if options.chunk is not None:
        bundle.chunk_symbols(options.chunk)  # checks --chunk before anything is sent
    if options.preview and len(options.images) > 1:
        raise HostError(f"--preview is of one image, and {len(options.images)} are given")
    preview = PreviewFile(options.preview, bundle) if options.preview else None
    tasks = load_tasks([bundle], options.task)
    output = Output("-" if options.json else None)
    images = _load(options.images, bundle.input_shape, output)
    missing = len(options.images) - len(images)
    if not images:
        return 1
    with open_board(options, bundle) as board:
        check_model(board, output)
        if options.mode is not None or options.threshold is not None:
            output.note(f"device {board.device}: {describe(set_mode(board, options.mode, options.threshold))}")
        if options.by_radio:
            status = _send_by_radio(board, images, LONGEST_PREFIX if options.chunk is None else options.chunk, output)
        else:
            read = _reader(Classifier.of([bundle], tasks), preview)
            status = _classify(board, read, images, options.chunk or 0, output)
    if missing:
        output.note(f"{missing} of {len(options.images)} images could not be read and were not sent")
    return 1 if missing else status


def _load(paths: list[str], shape: tuple[int, int, int], output: Output) -> Images:
    """Load the images that can be read. For each of the others, print a note and a JSON line with the error."""
    images: Images = []
    for path in paths:
        try:
            images.append((path, load_image(path, shape)))
        except HostError as error:
            output.note(str(error))
            output.json_line(**{"image": path, "class": None, "error": str(error)})
    return images


def _reader(classifier: Classifier, preview: PreviewFile | None) -> Read:
    """Return a function that classifies a frame and writes its preview, if one is wanted."""

    def read(frame: FeatureFrame | AnswerFrame) -> Reading:
        reading = classifier.read(frame)
        if preview:
            preview.write(reading)
        return reading

    return read


def check_model(board: Board, output: Output) -> None:
    """Raise WrongModelError if the board does not run the bundle's model. If its reply is damaged, print a note."""
    try:
        board.check(board.info())
    except GarbledReplyError as error:
        output.note(f"the model of the board was not checked: {error}")


def note_not_stored(board: Board, output: Output) -> None:
    """Count an image of a board with a key that could not be stored as received, and note the reason."""
    if board.not_stored:
        output.miss("images not stored", board.not_stored)


def _send_by_radio(board: Board, images: Images, chunk: int, output: Output) -> int:
    width = max(len(path) for path, _ in images)
    for path, pixels in images:
        cost, report = _wait_for_air_time(board, pixels, chunk, output)
        output.json_line(image=path, **asdict(report), **asdict(cost))
        output.line(f"{path:<{width}}  by radio: {_air_text(report)}  {_cost_text(cost)}")
    return 1 if output.missed else 0


def _wait_for_air_time(board: Board, pixels: np.ndarray, chunk: int, output: Output) -> tuple[RunCost, RadioReport]:
    """Call `run_by_radio` as soon as the duty cycle allows it. Raises BoardError after AIR_TIME_WAIT_S."""
    deadline, noted = time.monotonic() + AIR_TIME_WAIT_S, False
    while True:
        try:
            return board.run_by_radio(pixels, chunk, by_mode=True)
        except BoardError as error:
            if error.code != ErrorCode.AIR_TIME or time.monotonic() > deadline:
                raise
        if not noted:
            output.note(f"the board has no air time for this yet: waiting up to {AIR_TIME_WAIT_S} s")
            noted = True
        time.sleep(1)


def _classify(board: Board, read: Read, images: Images, chunk: int, output: Output) -> int:
    """Let the board encode the images, read its frames, and return the exit status."""
    lost = 0
    width = max(len(path) for path, _ in images)
    for path, pixels in images:
        frame, cost = board.run_by_mode(pixels, chunk, cost=True)
        note_not_stored(board, output)
        if frame is None:
            lost += 1
            output.json_line(**{"image": path, "class": None})
            output.line(f"{path:<{width}}  ", LOST)
            continue
        reading = read(frame)
        output.json_line(image=path, **reading.as_json(), **(asdict(cost) if cost else {}))
        output.line(f"{path:<{width}}  ", *reading_parts(reading), f"  {_cost_text(cost)}")
    return 1 if lost or output.missed else 0


def _air_text(report: RadioReport) -> str:
    air_ms, left_ms = report.air_micros / 1e3, report.left_micros / 1e3
    sent = "answer" if report.chunk == ANSWER_SENT else f"chunk {report.chunk}"
    return f"{sent}, {air_ms:.1f} ms of air time, {left_ms:.1f} ms left"


def _cost_text(cost: RunCost | None) -> str:
    if cost is None:
        return "cost lost"
    return f"{cost.encode_cycles} cycles to encode, {cost.total_cycles} in total, {cost.microseconds / 1e3:.1f} ms"
