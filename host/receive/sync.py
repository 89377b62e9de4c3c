"""Where frames may start: every byte at which the sync word stands, give or take some flipped bits."""

import numpy as np

from host.receive.headers import SYNC_LOOK_FLIPS
from wire.frame import SYNC

_ONES = np.array([value.bit_count() for value in range(256)], np.uint8)
# Row k: how many bits each byte value has flipped when it came as byte k of the sync word.
_FLIPS = _ONES[np.arange(256) ^ np.frombuffer(SYNC, np.uint8)[:, None]]


def find_syncs(data: bytes) -> list[tuple[int, int]]:
    """Offset and flipped bits of every sync word within SYNC_LOOK_FLIPS, in order; whole ones only."""
    places = len(data) - len(SYNC) + 1
    if places < 1:
        return []
    received = np.frombuffer(data, np.uint8)
    flips = sum(_FLIPS[k][received[k : k + places]] for k in range(len(SYNC)))
    starts = np.flatnonzero(flips <= SYNC_LOOK_FLIPS)
    return list(zip(starts.tolist(), flips[starts].tolist(), strict=True))
