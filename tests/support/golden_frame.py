"""Check of a board: encodes a golden image and compares answer and payload with the bundle's, byte by byte.

python -m tests.support.golden_frame URL BUNDLE     # prints the results, or fails with one line
"""

import sys

import numpy as np
import serial

from tests.support.firmware import RunningBoard
from wire.answer import Answer
from wire.bundle import load
from wire.control import Mode
from wire.frame import SYNC, AnswerHeader
from wire.payload import interleave


def main(url: str, bundle_path: str) -> None:
    """Run the check. Raises SystemExit with a message if it fails."""
    bundle = load(bundle_path)
    golden = np.load(bundle.golden_path)
    pixels = golden["images"][0].tobytes()
    board = RunningBoard(url, bundle=bundle)
    try:
        if bundle.answer:
            check_answer(board, pixels, Answer(*golden["answers"][0].tolist()))
        if bundle.chunks:
            check_payload(board, pixels, interleave(golden["payload"][0].tobytes(), bundle.chunk_bits(0)))
    except (AssertionError, serial.SerialException) as error:
        sys.exit(f"no frame: {error}")
    finally:
        board.line.close()


def check_answer(board: RunningBoard, pixels: bytes, expected: Answer) -> None:
    """Let the board answer, and compare. The board keeps its mode."""
    before = board.mode()
    board.mode(Mode.ANSWER, before.threshold)
    decoded = AnswerHeader.decode(board.run_by_mode(pixels)[len(SYNC) :])
    board.mode(before.mode, before.threshold)
    if decoded is None or decoded[0].answer != expected:
        sys.exit(f"the answer is {decoded and decoded[0].answer}, not {expected}")
    print(f"class {expected.index}, confidence level {expected.confidence}, equal")


def check_payload(board: RunningBoard, pixels: bytes, expected: bytes) -> None:
    """Let the board send all features, and compare the payload as sent."""
    frame, _ = board.run(pixels)
    if frame[12:-2] != expected:
        sys.exit(f"the payload is {frame[12:-2].hex()}, not {expected.hex()}")
    print(f"{len(expected)} bytes of payload, equal")


if __name__ == "__main__":
    main(*sys.argv[1:])
