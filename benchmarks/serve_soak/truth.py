"""What gateways heard, as the simulated air knows it, beside what the store has in the end."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from host.site.records import ReadingRecord, StatusRecord
from wire import bch
from wire.frame import HEADER_BYTES, AnswerHeader, Header
from wire.replies.status import Status, parse_status, parse_status_packet

# A reading has the time at which a gateway had the packet: this much after the air at most, on a busy machine.
SAME_IMAGE_S = 5.0


@dataclass
class Sent:
    """One image or status that was on the air."""

    site: str
    device: int
    number: int  # sequence number of an image; seconds that a status says its board has run
    status: bool
    time: float  # Unix time in seconds, of its first reception
    undamaged: int = 0  # gateways that heard it so


@dataclass
class Truth:
    """Everything that any gateway heard. `take` may be called from any thread, with the packets of one air in order."""

    gateways: frozenset[int]  # their devices
    sent: list[Sent] = field(default_factory=list)
    _newest: dict[tuple[str, int], tuple[bytes, Sent]] = field(default_factory=dict)  # of a device, with its packet
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, site: str, sender: int, receiver: int, packet: bytes, received: bytes) -> None:
        """Take one packet, which one station received."""
        if receiver not in self.gateways or sender in self.gateways:
            return
        with self._lock:
            before, one = self._newest.get((site, sender), (b"", None))
            if one is None or before != packet:
                one = Sent(site, sender, *_number_of(packet), time.time())
                self._newest[site, sender] = packet, one
                self.sent.append(one)
            one.undamaged += packet == received

    def compare(self, readings: Iterable[ReadingRecord], statuses: Iterable[StatusRecord]) -> dict[str, int]:
        """Return counts of what was heard, and of what the store lacks, has twice, or has wrongly."""
        times: defaultdict[tuple[str, int, int], list[float]] = defaultdict(list)
        for reading in readings:
            times[reading.site, reading.device, reading.sequence].append(reading.time)
        stored_statuses = {(one.site, one.device, one.uptime_s) for one in statuses if not one.gateway}
        counts = {
            "images": sum(not one.status for one in self.sent),
            "images_undamaged": 0,
            "undamaged_lost": 0,
            "damaged_lost": 0,
            "twice": 0,
            "statuses_undamaged": 0,
            "statuses_lost": 0,
            "misread": sum(map(len, times.values())),  # readings of a number that was not on the air then
        }
        for one in self.sent:
            key = one.site, one.device, one.number
            if one.status:
                counts["statuses_undamaged"] += one.undamaged > 0
                counts["statuses_lost"] += one.undamaged > 0 and key not in stored_statuses
                continue
            found = sum(abs(value - one.time) < SAME_IMAGE_S for value in times[key])
            counts["images_undamaged"] += one.undamaged > 0
            counts["undamaged_lost" if one.undamaged else "damaged_lost"] += not found
            counts["twice"] += found > 1
            counts["misread"] -= found
        return counts


def _number_of(packet: bytes) -> tuple[int, bool]:
    """Return the number of the image or status in an undamaged packet, and whether it is a status."""
    control = parse_status_packet(packet)
    if control is not None:
        status = parse_status(control)
        assert isinstance(status, Status)
        return status.uptime_s, True
    answer = AnswerHeader.decode(packet[:HEADER_BYTES]) if len(packet) == HEADER_BYTES else None
    if answer is not None:
        return answer[0].sequence, False
    header = bch.HEADER.decode(packet[:HEADER_BYTES])
    assert header is not None
    return Header.from_word(header[0]).sequence, False
