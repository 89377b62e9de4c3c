"""Outbox of a site: the records it has given out lately, and of which packets, as the state file keeps them.

A process that is killed between saving its state and publishing gives the same records out again when it is started,
and for each packet that is delivered to it again.
"""

import json
from collections import OrderedDict
from collections.abc import Iterable, Iterator

from host.receive.senders.state import StateFile, Statement
from host.site.records import AnyRecord, ReadingRecord, record_of
from wire.checks import ContentError
from wire.files import to_json

# Of this many packets and records, the results are known: a broker delivers at most as many again as it sends ahead of
# their acknowledgement. A record takes some kB of memory, and a decoder has thousands of sites.
MAX_KEPT = 2_000


class Outbox:
    """The latest records by id, and the packets they came of by id."""

    def __init__(self, state: StateFile | None) -> None:
        """Load what the state file has. Raises HostError if it is damaged."""
        self.records: OrderedDict[str, AnyRecord] = OrderedDict()
        self._packets: OrderedDict[str, str | None] = OrderedDict()  # packet -> record, None without one
        self._new_packets: dict[str, str | None] = {}
        self._new_records: dict[str, AnyRecord] = {}
        self._unhandled: list[AnyRecord] = []
        if state:
            self._load(state)

    @property
    def has_changes(self) -> bool:
        """True if something was noted since `changes` was called."""
        return bool(self._new_packets or self._new_records)

    def unhandled(self) -> list[AnyRecord]:
        """Return the records of an earlier run that it may not have published, once."""
        records, self._unhandled = self._unhandled, []
        return records

    def knows(self, packet: str) -> bool:
        """Return True if the outcome of a packet is known."""
        return packet in self._packets

    def record(self, packet: str) -> AnyRecord | None:
        """Return the record that a known packet is part of; None if it has none, or if it is long ago."""
        return self.records.get(self._packets.get(packet) or "")

    def reading(self, record: str) -> ReadingRecord | None:
        """Return a reading by its id."""
        found = self.records.get(record)
        return found if isinstance(found, ReadingRecord) else None

    def settle(self, packets: Iterable[str], record: str | None) -> None:
        """Note the outcome of packets."""
        for packet in packets:
            self._packets[packet] = self._new_packets[packet] = record
            if len(self._packets) > MAX_KEPT:
                self._packets.popitem(last=False)

    def add(self, record: AnyRecord) -> None:
        """Note a record, in place of an earlier one with its id."""
        self.records[record.id] = self._new_records[record.id] = record
        self.records.move_to_end(record.id)
        if len(self.records) > MAX_KEPT:
            self.records.popitem(last=False)

    def changes(self) -> Iterator[Statement]:
        """Iterate over the changes of the state file since the last call. The records before are handled."""
        records = [(record.id, to_json(record.as_json())) for record in self._new_records.values()]
        packets = [*self._new_packets.items()]
        self._new_records, self._new_packets = {}, {}
        yield "UPDATE record SET handled = 1 WHERE handled = 0", [()]
        yield "INSERT OR REPLACE INTO record(id, content, handled) VALUES(?, ?, 0)", records
        yield "INSERT OR REPLACE INTO packet(id, record) VALUES(?, ?)", packets
        for table, count in (("record", len(records)), ("packet", len(packets))):
            if count:
                newest = f"(SELECT max(position) FROM {table})"
                yield f"DELETE FROM {table} WHERE position <= {newest} - {MAX_KEPT}", [()]

    def _load(self, state: StateFile) -> None:
        try:
            for content, handled in state.read("SELECT content, handled FROM record ORDER BY position"):
                record = record_of(json.loads(content))
                self.records[record.id] = record
                if not handled:
                    self._unhandled.append(record)
            for packet, record_id in state.read("SELECT id, record FROM packet ORDER BY position"):
                self._packets[str(packet)] = None if record_id is None else str(record_id)
        except (ContentError, ValueError):
            raise state.damaged() from None
