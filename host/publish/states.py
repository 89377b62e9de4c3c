"""The last state of each device, as it is retained at the broker: what its records say together."""

import re
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime

from host.site.records import AnyRecord, EventRecord, Json, ReadingRecord, StatusRecord

MAX_TEXT = 255  # characters of a state in Home Assistant
NONE_OF_THESE = "none of these"
# Noise passes as an answer frame about once in a million packets of its length. On a line, it has no CRC: three of one
# device within a day are no noise.
ANSWERS, ANSWERS_S = 3, 86400.0


def key_of(text: str) -> str:
    """Return a text as a name of letters, digits and _, for templates and identifiers; different for each text."""
    plain = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:32]
    return plain if plain and plain == text else f"{plain or 'x'}_{zlib.crc32(text.encode()):08x}"


@dataclass
class DeviceState:
    """What is known of one device."""

    site: str
    device: int
    proven: bool = False  # an authentic or undamaged frame was received: the device is no product of noise
    reading: ReadingRecord | None = None  # of the newest image
    status: StatusRecord | None = None
    silent: bool = False
    seen: float = 0.0  # Unix time in seconds
    tasks: set[str] = field(default_factory=set)  # all that have answered
    _answers: list[float] = field(default_factory=list)  # times of the latest answers of an unproven device

    def take(self, record: AnyRecord) -> bool:
        """Take a record of this device. Return True if the state has changed."""
        if isinstance(record, EventRecord):
            before, self.silent = self.silent, {"silent": True, "back": False}.get(record.event, self.silent)
            return self.silent != before
        self.silent = False
        if isinstance(record, StatusRecord):
            self.status, self.proven, self.seen = record, True, max(self.seen, record.time)  # it has a CRC-32 or a tag
            return True
        self.seen = max(self.seen, record.time, *(one.time for one in record.receptions))
        self.proven = self.proven or self._proves(record)
        self.tasks.update(record.tasks)
        if self.reading is None or not record.late or record.id == self.reading.id:
            self.reading = record
        return True

    def _proves(self, record: ReadingRecord) -> bool:
        if record.auth != "none" or record.crc_ok:
            return True
        if record.frame != "answer" or record.unsure or record.unexpected:
            return False
        self._answers = [time for time in self._answers if record.time - time < ANSWERS_S]
        if record.time not in self._answers:  # a further copy of an answer proves nothing
            self._answers.append(record.time)
        return len(self._answers) >= ANSWERS

    def as_json(self, alerts: tuple[str, ...] = ()) -> Json:
        """Return the state as it is published (docs/mqtt.md). alerts: classes that are reported each."""
        one, status = self.reading, self.status
        snrs = [each.snr_db for each in one.receptions if each.snr_db is not None] if one else []
        labels = _labels(one) if one else set()
        return {
            "kind": "state",
            "site": self.site,
            "device": self.device,
            "last_seen": datetime.fromtimestamp(self.seen, UTC).isoformat(timespec="seconds"),
            "silent": self.silent,
            "reading": one.id if one else None,
            "bundle": one.bundle if one else None,
            "label": _text(one.label) if one else None,
            "confidence": one.confidence if one else None,
            "answered_by": one.answered_by if one else None,
            "unsure": one.unsure if one else None,
            "auth": one.auth if one else None,
            "ber": one.ber if one else None,
            "snr_db": max(snrs) if snrs else (status.snr_db if status else None),
            "lost_total": one.lost_total if one else None,
            "battery_v": status.battery_v if status else None,
            "tasks": {
                key_of(name): _text(answer.label) or NONE_OF_THESE
                for name, answer in (one.tasks if one else {}).items()
            },
            "alerts": {key_of(label): label in labels for label in alerts},
        }


def _labels(reading: ReadingRecord) -> set[str | None]:
    """Return the classes that a reading shows for sure."""
    return set() if reading.unsure else {reading.label, *(answer.label for answer in reading.tasks.values())}


def _text(label: str | None) -> str | None:
    return None if label is None else label[:MAX_TEXT]
