"""Random bit flips."""

import numpy as np


def damaged(packet: bytes, ber: float, rng: np.random.Generator) -> bytes:
    """Return a packet with flipped bits."""
    mask = np.packbits(rng.random(8 * len(packet)) < ber)
    return (np.frombuffer(packet, np.uint8) ^ mask).tobytes()
