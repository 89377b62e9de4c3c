"""Engine of a site: bytes of its lines and packets of its gateways in, records out."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from host.classify.classifier import Classifier, Received
from host.classify.decoder import Decoders
from host.errors import HostError
from host.keys.policy import Auth, DevicePolicy
from host.keys.taken import TakenImages
from host.receive.copies.receiver import CopiesReceiver, Copy, Outcome
from host.receive.events import AnswerFrame, ControlFrame, FeatureFrame, Refused, UnknownModel
from host.receive.frames import FrameParser
from host.receive.senders.registry import Key, Totals
from host.receive.senders.state import StateFile
from host.site.events import EventLog
from host.site.groups import Groups
from host.site.line import Line
from host.site.memory import Memory
from host.site.packets import GatewayPacket
from host.site.readings import Arrival, Readings
from host.site.records import AnyRecord, ReadingRecord
from host.tasks.files import load_all as load_tasks
from host.tasks.task import Task
from wire.bundle import Bundle


@dataclass(frozen=True)
class SiteSettings:
    """Settings of a site."""

    policies: Mapping[int, DevicePolicy] = field(default_factory=dict)  # of devices with a key
    require: Auth = Auth.NONE  # of the frames of all devices
    counters: Mapping[int, int] = field(default_factory=dict)  # from which on the images of a device have its key
    taken: TakenImages | None = None  # images that other commands received
    state: Path | None = None  # state file; without it, a restart begins anew
    tasks: Sequence[str] = ()  # of general bundles
    settle_s: float = 0.25  # for so long, copies by other gateways are awaited
    decoders: Decoders = field(default_factory=Decoders)  # shared with other sites


class Site:
    """A site: at most 255 devices, which several lines and gateways receive.

    `take` and `Line.feed` accept what is received, `poll` returns what it means. A call of `poll` also says that the
    records of the call before are handled: those that are not are given out again by the next run. All calls come from
    one thread. clock: seconds, never going back; wall_clock: Unix time. Raises HostError if a bundle, the tasks or the
    state file cannot be used.
    """

    def __init__(
        self,
        name: str,
        bundles: Sequence[Bundle],
        settings: SiteSettings,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._bundles, self._clock, self._wall_clock = bundles, clock, wall_clock
        self._lag = 0.0  # seconds since the packets that are being handled were received
        self._parser = FrameParser(bundles, lambda: clock() - self._lag, settings.policies, settings.require)
        self._copies = CopiesReceiver(self._parser)
        self._classifier = Classifier.of(bundles, load_tasks(bundles, settings.tasks), settings.decoders)
        self._state = StateFile(settings.state, clock, wall_clock, bool(settings.policies)) if settings.state else None
        with contextlib.ExitStack() as undo:  # a file that stays open would keep out whoever tries again
            undo.callback(self.abandon)
            self._memory = Memory(self._state, self._classifier, clock)
            if self._state:
                self._parser.restore(self._state.load())
                self._parser.gate.restore(self._state.load_accepted())
            for device, counter in settings.counters.items():
                self._parser.gate.expect_counter(device, counter)
            if settings.taken:
                self._parser.gate.use_taken(settings.taken)
            undo.pop_all()
        self._readings = Readings(name, self._memory.outbox)
        models = ", ".join(f"{bundle.name} {bundle.model_id}" for bundle in bundles)
        self._log = EventLog(name, models, clock, wall_clock)
        self._groups = Groups(settings.settle_s)
        self._arrivals: list[Arrival] = []
        self._changed: set[Key] = set()
        self._settled: list[str] = []
        self._again: dict[str, AnyRecord] = {record.id: record for record in self._memory.outbox.unhandled()}
        self._save_error = self._reported_error = ""

    @property
    def totals(self) -> Totals:
        """The counts of all devices."""
        return self._parser.totals

    @property
    def foreign(self) -> int:
        """Packets that are not a frame of a known model."""
        return self._copies.foreign

    def remembered(self) -> list[AnyRecord]:
        """Return the latest records, of earlier runs too, as far as the state file has them."""
        return list(self._memory.outbox.records.values())

    def line(self, name: str) -> Line:
        """Return a new line, a port's byte stream. Gateways on it are called `name/number`."""
        return Line(self, name, self._bundles, self._parser, self._log, self._wall_clock)

    def take(self, packet: GatewayPacket) -> None:
        """Take a packet of a gateway. One that is delivered again gives the record again that it is part of."""
        outbox = self._memory.outbox
        if outbox.knows(packet.id):
            self._settled.append(packet.id)
            if record := outbox.record(packet.id):
                self._again[record.id] = record
        elif packet.id not in self._groups:
            self._groups.add(packet, self._clock(), self._wall_clock() - packet.time)

    def take_frame(self, frame: FeatureFrame | AnswerFrame, line: str) -> None:
        """Take an image's frame of a board on a line."""
        self._log.hear_image(frame, line)
        self._arrive(Received([frame], [line]), (self._wall_clock(),))

    def use_task(self, task: Task) -> None:
        """Use a task of a general bundle from the next frame on, in place of one with its name."""
        bundle = next((one for one in self._bundles if one.model_id == task.model_id), None)
        if bundle is not None:
            self._classifier.use_task(bundle, task)

    def poll(self) -> list[AnyRecord]:
        """Settle what is due, and return all records since the last call, in order.

        They are in the state file when it returns.
        """
        return self._poll(self._groups.due(self._clock()))

    def flush(self) -> list[AnyRecord]:
        """Settle everything at once, and return as `poll` does."""
        return self._poll(self._groups.flush())

    def settled(self) -> list[str]:
        """Return the ids of the packets whose outcome was saved since the last call: a broker may forget them."""
        settled, self._settled = self._settled, []
        return settled

    def close(self) -> None:
        """Save what is left and close the state file. All records are handled; packets not settled are dropped."""
        if self._state:
            self._save(final=True)
            self._state.close()

    def abandon(self) -> None:
        """Close the state file as it is, after a call has raised HostError: the next run begins with the last save."""
        if self._state:
            self._state.close()

    def _poll(self, groups: list[list[GatewayPacket]]) -> list[AnyRecord]:
        outbox = self._memory.outbox
        for group in groups:
            # Packets that waited at a gateway or a broker count at the time at which they were received: else images
            # would seem to come at once, and copies that waited elsewhere would be new images.
            self._lag = max(0.0, self._wall_clock() - min(one.time for one in group))
            copies = [Copy(one.payload, one.snr_db, one.rssi_dbm, one.crc_ok) for one in group]
            for outcome in self._copies.take(copies):
                self._settle(outcome, [group[i] for i in outcome.copies])
        self._lag = 0.0
        self._log.check()
        records: dict[str, AnyRecord] = {record.id: record for record in self._log.records()}
        for reading in self._classified():
            records[reading.id] = reading
        for record in records.values():
            outbox.add(record)
        if self._changed or records or outbox.has_changes:
            self._save()
        again, self._again = self._again, {}
        for record_id in records:
            again.pop(record_id, None)
        return [*again.values(), *records.values(), *self._save_events()]

    def _classified(self) -> Iterator[ReadingRecord]:
        """Iterate over the records of all images since the last call."""
        arrivals, self._arrivals = self._arrivals, []
        readings = self._classifier.read_received([arrival.received for arrival in arrivals])
        for arrival, reading in zip(arrivals, readings, strict=True):
            record = self._readings.record(arrival, reading)
            self._memory.outbox.settle([packet.id for packet in arrival.packets], record.id)
            yield record

    def _arrive(self, received: Received, times: tuple[float, ...], packets: Sequence[GatewayPacket] = ()) -> None:
        """Take frames of one image, each of which came in a packet, or none of them."""
        frame = received.frames[0]
        key = frame.device, frame.model.model_id
        self._arrivals.append(Arrival(received, times, tuple(packets), self._parser.sources[key].token))
        self._changed.add(key)

    def _settle(self, outcome: Outcome, packets: Sequence[GatewayPacket]) -> None:
        """Take the outcome of packets that are copies of one."""
        event, ids = outcome.event, [packet.id for packet in packets]
        self._settled += ids
        if outcome.frames:
            frame = outcome.frames[0]
            gateways = [packet.gateway for packet in packets]
            received = Received(outcome.frames, gateways, outcome.combined)
            self._log.hear_image(frame, *_line_of(packets))
            self._arrive(received, tuple(packet.time for packet in packets), packets)
            return
        record_id = None
        if isinstance(event, ControlFrame):
            best = max(packets, key=lambda one: -1e9 if one.snr_db is None else one.snr_db)
            record_id = self._log.hear_radio_status(event, best.gateway, *_line_of(packets))
        elif isinstance(event, Refused):
            self._log.refused(event.device, event.reason)
        elif isinstance(event, UnknownModel):
            self._log.unknown_model(event)
        self._memory.outbox.settle(ids, record_id)

    def _save(self, final: bool = False) -> None:
        changed, self._changed = self._changed, set()
        if not self._state:
            return
        try:
            others = self._memory.changes(changed, final)
            self._state.save(self._parser.sources, changed, self._parser.gate.accepted, others)
            self._save_error = self._reported_error = ""
        except HostError as error:
            self._changed |= changed
            self._save_error = str(error)

    def _save_events(self) -> list[AnyRecord]:
        """Return the event that the state cannot be saved, once for each reason. It is not in the file itself."""
        if self._save_error == self._reported_error:
            return []
        self._reported_error = self._save_error
        return [self._log.state_not_saved(self._save_error)]


def _line_of(packets: Sequence[GatewayPacket]) -> tuple[str, int | None]:
    """Return line and number of the first of the packets' gateways that is on a line; no line and None without one."""
    for packet in packets:
        line, slash, number = packet.gateway.rpartition("/")
        if slash and number.isdecimal():
            return line, int(number)
    return "", None
