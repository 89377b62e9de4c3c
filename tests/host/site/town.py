"""A site for tests, with a clock that a test sets, and what its gateways receive."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from host.keys.policy import DevicePolicy
from host.site.engine import Site, SiteSettings
from host.site.packets import GatewayPacket
from host.site.records import AnyRecord, EventRecord, ReadingRecord
from tests.support.host import damaged, make_frame
from wire.bundle import Bundle
from wire.frame import SYNC

START = 1_790_000_000.0  # Unix time at 0 of the clock


@dataclass
class Town:
    """A site with a clock that a test sets, which can be killed and started again."""

    bundle: Bundle
    state: Path | None = None
    policies: dict[int, DevicePolicy] = field(default_factory=dict)
    now: float = 0.0

    def __post_init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._rng = np.random.default_rng(0)
        self.start()

    def start(self) -> None:
        """Start the site's process, on another clock than before."""
        settings = SiteSettings(self.policies, state=self.state)
        self.site = Site("home", [self.bundle], settings, lambda: self.now, lambda: START + self.now)

    def kill(self) -> None:
        """End the process without closing anything: what is not in the state file is gone."""
        if self.site._state:
            self.site._state.close()

    def packet(self, payload: bytes, gateway: str = "north", ber: float = 0.0, snr_db: float = -8.0) -> GatewayPacket:
        """Return a packet as a gateway publishes it."""
        number = self._numbers[gateway] = self._numbers.get(gateway, 0) + 1
        received = damaged(payload, ber, self._rng)
        return GatewayPacket("home", gateway, "b0", number, START + self.now, received, received == payload, snr_db)

    def hear(self, payload: bytes, *gateways: str, ber: float = 0.0) -> list[AnyRecord]:
        """Let gateways receive a packet, and return the records once it is settled."""
        for gateway in gateways or ("north",):
            self.site.take(self.packet(payload, gateway, ber))
        self.now += 1.0
        return self.site.poll()

    def introduce(self, *gateways: str) -> None:
        """Let gateways be heard, by a frame of the device that several of them receive."""
        for sequence in range(3):
            self.hear(packet(self.bundle, sequence), *gateways)


def packet(bundle: Bundle, sequence: int, device: int = 7, chunk: int = 0) -> bytes:
    """Return a feature frame as a radio sends it."""
    return make_frame(bundle, sequence, device=device, chunk=chunk)[len(SYNC) :]


def readings(records: list[AnyRecord]) -> list[ReadingRecord]:
    """Return the readings among records."""
    return [record for record in records if isinstance(record, ReadingRecord)]


def events(records: list[AnyRecord]) -> list[str]:
    """Return the names of the events among records."""
    return [record.event for record in records if isinstance(record, EventRecord)]
