"""`inkling decode`: packets of many sites from a broker in, records to the broker out, nothing lost and nothing twice.

A packet stays at the broker until the records that it is part of are in the site's state file and at the broker. So a
process can be killed at any point: the next one with its name and its states gets what was not finished again, and
gives it the same ids. A site whose files cannot be used is refused and tried again, while the others go on.
"""

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from host.classify.classifier import Classifier
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
from host.server.refused_sites import RefusedSites, Unsettled
from host.site.engine import Site, SiteSettings
from host.site.packets import GatewayPacket
from host.site.records import AnyRecord
from host.tasks.files import load_all as load_tasks
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
        if settings.keys and not settings.keys.is_dir():  # without it, all devices would be plain
            raise HostError(f"there is no folder of key files {settings.keys}: make it, or correct its name")
        self._decoders = Decoders()
        # What is wrong with bundles or tasks is no fault of a site.
        Classifier.of(settings.bundles, load_tasks(settings.bundles, settings.tasks), self._decoders)
        self._settings = settings
        self.stopped = threading.Event()
        self._packets: queue.SimpleQueue[tuple[GatewayPacket, Delivery]] = queue.SimpleQueue()
        filters = topics.packet_filters(settings.remainder, settings.partitions)
        self.subscriber = Subscriber(
            broker, settings.client, filters, lambda packet, delivery: self._packets.put((packet, delivery))
        )
        self.publisher = Publisher(broker, f"{settings.client}-out", settings.home_assistant, UNLIMITED)
        self._sites: dict[str, Site] = {}
        self._unsettled: dict[tuple[str, str], Unsettled] = {}  # packets of these sites, by site and packet id
        self._refused = RefusedSites(self.subscriber.acknowledge)
        self._checked = 0.0
        self.packets = self.records = self.too_many_sites = 0

    @property
    def lost(self) -> int:
        """Packets of refused sites that were lost, as too many waited."""
        return self._refused.lost

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
            self._checked = now
            for name in self._refused.due():
                self._site(name)
            active = {*self._sites}
        names = sorted(active | {name for name, _ in self._unsettled})
        for name in names:
            try:
                self._publish(self._sites[name].poll())
            except HostError as error:
                self._refuse(name, error)
        # Not before: the next poll of a site says that its records are handled.
        if self._wait_for_broker():
            done = [
                delivery
                for name in names
                if name in self._sites
                for packet in self._sites[name].settled()
                if (settled := self._unsettled.pop((name, packet), None))
                for delivery in settled.deliveries
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
            if site:
                self._take(site, Unsettled(packet, [delivery]))
                active.add(packet.site)
            elif packet.site in self._refused:
                self._refused.hold(packet, [delivery])
            else:
                self.subscriber.acknowledge([delivery])
        return active

    def _take(self, site: Site, one: Unsettled) -> None:
        """Give a packet to its site."""
        self._unsettled.setdefault((site.name, one.packet.id), Unsettled(one.packet)).deliveries += one.deliveries
        site.take(one.packet)

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
        """Return the engine of a site; None for one that is refused, or if there are too many sites."""
        if name in self._sites:
            return self._sites[name]
        if not self._refused.is_due(name):
            return None
        if name not in self._refused and len(self._sites) + len(self._refused) >= MAX_SITES:
            if not self.too_many_sites:
                log.warning("more than %d sites: spread them over more partitions", MAX_SITES)
            self.too_many_sites += 1
            return None
        try:
            site = self._open(name)
        except HostError as error:
            self._refused.refuse(name, str(error))
            return None
        self._sites[name] = site
        self.publisher.restore(site.remembered())
        log.info("site %s: decoded here", name)
        for one in self._refused.accept(name):
            self._take(site, one)
        return site

    def _open(self, name: str) -> Site:
        """Return a new engine of a site. Raises HostError."""
        settings = self._settings
        trust: dict[str, Any] = {}
        if settings.keys:
            path = settings.keys / f"{name}.json"
            keys = KeyFile.load(path, new=True)
            taken = TakenImages(taken_path(path)) if keys.policies else None
            trust = {"policies": keys.policies, "counters": keys.counters, "taken": taken}
        state = settings.state / f"{name}.sqlite3"
        site_settings = SiteSettings(
            state=state, tasks=settings.tasks, settle_s=settings.settle_s, decoders=self._decoders, **trust
        )
        return Site(name, settings.bundles, site_settings)

    def _refuse(self, name: str, error: HostError) -> None:
        """Refuse a site that fails while it is decoded. What is not settled is taken again from its last state."""
        self._sites.pop(name).abandon()
        self._refused.fail(name, str(error))
        for key in [key for key in self._unsettled if key[0] == name]:
            one = self._unsettled.pop(key)
            self._refused.hold(one.packet, one.deliveries)
