"""`inkling decode`: packets of many sites from a broker in, records to the broker out, nothing lost and nothing twice.

A packet stays at the broker until the records that it is part of are in the site's state file and at the broker. So a
process can be killed at any point: the next one with its name and its states gets what was not finished again, and
gives it the same ids.
"""

import contextlib
import logging
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from host.classify.decoder import Decoders
from host.errors import HostError
from host.gateway.subscriber import Delivery, Subscriber
from host.keys.key_file import KeyFile, taken_path
from host.keys.lock import locked
from host.keys.taken import TakenImages
from host.mqtt import topics
from host.mqtt.broker import Broker
from host.publish.home_assistant import HomeAssistant
from host.publish.mqtt import Publisher
from host.site.engine import Site, SiteSettings
from host.site.packets import GatewayPacket
from host.site.records import AnyRecord
from wire.bundle import Bundle

log = logging.getLogger(__name__)

COLLECT_S = 0.05  # of packets, before they are decoded together
MOST_AT_ONCE = 1000  # packets
CHECK_S = 1.0  # between looks at sites from which nothing comes: for silences
MAX_SITES = 4096  # each has a file open
WAIT_S = 0.02  # between looks whether the broker has the records
UNLIMITED = 1 << 30  # records: they are waited for, not dropped
STANDBY_S = 1.0
FLUSH_S = 5.0


@dataclass(frozen=True)
class DecodeSettings:
    """Settings of one decoder. keys: folder of key files, SITE.json; sites without one have plain devices."""

    remainder: int  # of its partition
    partitions: int
    bundles: Sequence[Bundle]
    state: Path  # folder, shared with whoever takes over
    keys: Path | None = None
    tasks: Sequence[str] = ()
    settle_s: float = SiteSettings.settle_s
    home_assistant: HomeAssistant | None = None

    @property
    def client(self) -> str:
        """The name of the partition's decoder at the broker."""
        return f"decode-{self.remainder}-of-{self.partitions}"


class Decoder:
    """Decoder of one partition. Raises HostError if its settings do not fit."""

    def __init__(self, settings: DecodeSettings, broker: Broker) -> None:
        self._settings = settings
        self.stopped = threading.Event()
        self._packets: queue.SimpleQueue[tuple[GatewayPacket, Delivery]] = queue.SimpleQueue()
        filters = topics.packet_filters(settings.remainder, settings.partitions)
        self.subscriber = Subscriber(
            broker, settings.client, filters, lambda packet, delivery: self._packets.put((packet, delivery))
        )
        self.publisher = Publisher(broker, f"{settings.client}-out", settings.home_assistant, UNLIMITED)
        self._decoders = Decoders()
        self._sites: dict[str, Site] = {}
        self._deliveries: defaultdict[tuple[str, str], list[Delivery]] = defaultdict(list)  # by site and packet id
        self._checked = 0.0
        self.packets = self.records = self.refused_sites = 0

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the partition, after waiting for another process that does: this one then takes over."""
        folder = self._settings.state
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HostError(f"cannot make {folder}: {error.strerror}") from None
        with contextlib.ExitStack() as held:
            waits = False
            while not self.stopped.is_set():
                try:
                    held.enter_context(locked(folder / self._settings.client, wait_s=0.0))
                    break
                except OSError as error:
                    raise HostError(f"cannot lock {folder}: {error.strerror}") from None
                except HostError:
                    if not waits:
                        log.info("another process decodes this partition: waiting to take over")
                    waits = True
                    self.stopped.wait(STANDBY_S)
            yield

    def run(self) -> None:
        """Decode until `stopped`; then finish what has arrived, as far as the broker takes it."""
        self.publisher.start()
        self.subscriber.start()
        try:
            while not self.stopped.is_set():
                if not (self.subscriber.alive and self.publisher.sender.alive):
                    raise HostError("the connection to the broker ended by a fault of this program, shown above")
                self._step()
        finally:
            self.subscriber.close(FLUSH_S)
            self.publisher.close(FLUSH_S)
            for site in self._sites.values():
                site.close()

    def _step(self) -> None:
        active = self._collect()
        now = time.monotonic()
        if now - self._checked >= CHECK_S:
            self._checked, active = now, {*self._sites}
        waiting = {name for name, _ in self._deliveries}
        names = sorted(active | waiting)
        for name in names:
            self._publish(self._sites[name].poll())
        # Not before: the next poll of a site says that its records are handled.
        if self._wait_for_broker():
            done = [
                delivery
                for name in names
                for packet in self._sites[name].settled()
                for delivery in self._deliveries.pop((name, packet), [])
            ]
            self.subscriber.acknowledge(done)

    def _collect(self) -> set[str]:
        """Take what arrives for COLLECT_S, and return the sites that it is of."""
        active: set[str] = set()
        deadline = time.monotonic() + COLLECT_S
        for _ in range(MOST_AT_ONCE):
            try:
                packet, delivery = self._packets.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                break
            self.packets += 1
            site = self._site(packet.site)
            if site is None:
                self.subscriber.acknowledge([delivery])
                continue
            self._deliveries[packet.site, packet.id].append(delivery)
            site.take(packet)
            active.add(packet.site)
        return active

    def _publish(self, records: Sequence[AnyRecord]) -> None:
        self.records += len(records)
        for record in records:
            self.publisher.publish(record)

    def _wait_for_broker(self) -> bool:
        """Wait until the broker has all records. Return False if this process has to end before."""
        ended = 0.0
        while self.publisher.waiting:
            if self.stopped.is_set():
                ended = ended or time.monotonic()
                if time.monotonic() - ended >= FLUSH_S:
                    return False
            time.sleep(WAIT_S if self.publisher.sender.online else STANDBY_S / 4)
        return True

    def _site(self, name: str) -> Site | None:
        """Return the engine of a site; None, and count it, if there are too many."""
        if name in self._sites:
            return self._sites[name]
        if len(self._sites) >= MAX_SITES:
            if not self.refused_sites:
                log.warning("more than %d sites: spread them over more partitions", MAX_SITES)
            self.refused_sites += 1
            return None
        settings = self._settings
        trust: dict[str, Any] = {}
        if settings.keys:
            path = settings.keys / f"{name}.json"
            keys = KeyFile.load(path)
            taken = TakenImages(taken_path(path)) if keys.policies else None
            trust = {"policies": keys.policies, "counters": keys.counters, "taken": taken}
        state = settings.state / f"{name}.sqlite3"
        site_settings = SiteSettings(
            state=state, tasks=settings.tasks, settle_s=settings.settle_s, decoders=self._decoders, **trust
        )
        self._sites[name] = Site(name, settings.bundles, site_settings)
        log.info("site %s: decoded here", name)
        return self._sites[name]
