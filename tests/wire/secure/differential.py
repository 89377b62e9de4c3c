"""AES, counter mode and CMAC of the C library against `cryptography`, in random cases.

    python -m tests.wire.secure.differential --cases 1000000

A case is a key, a first block and a message of 0..80 bytes. Both sides encrypt the message in counter mode and compute
its CMAC. Prints the number of differing cases; the exit status is 1 if there are any.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from ctypes import CDLL
from pathlib import Path
from typing import NamedTuple

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.ciphers.modes import CTR
from cryptography.hazmat.primitives.cmac import CMAC

from tests.wire.secure import secured_c

MAX_BYTES = 80


class Case(NamedTuple):
    """One random case."""

    key: bytes
    first: bytes
    message: bytes


def cases(count: int, seed: int) -> Iterator[Case]:
    """Yield random cases. The first block's last two bytes are 0, as in every keystream of the wire."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        text = rng.bytes(30 + int(rng.integers(MAX_BYTES + 1)))
        yield Case(text[:16], text[16:30] + bytes(2), text[30:])


def by_c(library: CDLL, case: Case) -> bytes:
    """Return the encrypted message and its CMAC, by the C library."""
    encrypted = secured_c.ctr(library, case.key, case.first, case.message)
    return encrypted + secured_c.cmac(library, case.key, case.message)


def by_cryptography(case: Case) -> bytes:
    """Return the same by `cryptography`."""
    cmac = CMAC(AES128(case.key))
    cmac.update(case.message)
    return Cipher(AES128(case.key), CTR(case.first)).encryptor().update(case.message) + cmac.finalize()


def differences(library: CDLL, count: int, seed: int) -> int:
    """Return the number of random cases in which the two differ."""
    return sum(by_c(library, case) != by_cryptography(case) for case in cases(count, seed))


def main() -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(description="Compare AES, counter mode and CMAC in C with cryptography.")
    parser.add_argument("--cases", type=int, default=1_000_000, help="number of random cases (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="random seed (default: %(default)s)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = differences(secured_c.compile_library(Path(folder)), arguments.cases, arguments.seed)
    print(f"{found} of {arguments.cases} cases differ")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
