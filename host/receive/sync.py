"""Search for sync words, with a limited number of flipped bits."""

import numpy as np

from host.receive.matching import KNOWN_SYNC_MAX_FLIPS
from wire.frame import SYNC

_ONES = np.array([value.bit_count() for value in range(256)], np.uint8)
# Row k: number of flipped bits of each byte value as byte k of the sync word.
_FLIPS = _ONES[np.arange(256) ^ np.frombuffer(SYNC, np.uint8)[:, None]]


def find_syncs(data: bytes) -> list[tuple[int, int]]:
    """Return offset and flipped bits of every complete sync word within KNOWN_SYNC_MAX_FLIPS, in order."""
    places = len(data) - len(SYNC) + 1
    if places < 1:
        return []
    received = np.frombuffer(data, np.uint8)
    flips = sum(_FLIPS[k][received[k : k + places]] for k in range(len(SYNC)))
    starts = np.flatnonzero(flips <= KNOWN_SYNC_MAX_FLIPS)
    return list(zip(starts.tolist(), flips[starts].tolist(), strict=True))
