"""Check of a board: encodes a golden image and compares the payload with the bundle's, byte by byte.

python -m tests.support.golden_frame URL BUNDLE     # prints the result, or fails with one line
"""

import sys

import numpy as np
import serial

from tests.support.firmware import RunningBoard
from wire.bundle import load
from wire.payload import interleave


def main(url: str, bundle_path: str) -> None:
    """Run the check. Raises SystemExit with a message if it fails."""
    bundle = load(bundle_path)
    golden = np.load(bundle.golden_path)
    expected = interleave(golden["payload"][0].tobytes(), bundle.chunk_bits(0))
    board = RunningBoard(url)
    board.bundle = bundle
    try:
        frame, _ = board.run(golden["images"][0].tobytes())
    except (AssertionError, serial.SerialException) as error:
        sys.exit(f"no frame: {error}")
    finally:
        board.line.close()
    if frame[12:-2] != expected:
        sys.exit(f"the payload is {frame[12:-2].hex()}, not {expected.hex()}")
    print(f"{len(expected)} bytes of payload, equal")


if __name__ == "__main__":
    main(*sys.argv[1:])
