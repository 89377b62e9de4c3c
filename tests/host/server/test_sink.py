"""Where records go while the store cannot be written, and what cannot be stored at all."""

import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from host.errors import HostError
from host.server import sink as sink_module
from host.server.sink import Sink
from host.site.records import AnyRecord, EventRecord
from host.store.store import Store


def event(number: int, text: str = "nothing from device 3") -> EventRecord:
    return EventRecord(f"e{number}", "home", time.time(), "silent", text, 3)  # an old one would be deleted


class FullDisk(Store):
    """A store that cannot be written while `full`."""

    full = False

    def write(self, records: Iterable[AnyRecord]) -> None:
        if self.full:
            raise HostError("store s: the disk is full")
        super().write(records)


@pytest.fixture
def store(tmp_path: Path) -> FullDisk:
    return FullDisk(tmp_path / "s.sqlite3")


def test_deliver_writes_and_then_hands_on(store: FullDisk) -> None:
    sink, seen = Sink(store), []
    sink.takers.append(lambda record: seen.append((record.id, len(store.events()))))
    sink.publishers.append(lambda record: seen.append(("published", 0)))
    sink.deliver([event(1)])
    sink.deliver_published([event(2)])
    assert seen == [("e1", 1), ("published", 0), ("e2", 2)]


def test_records_wait_while_the_disk_is_full(store: FullDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sink_module, "RETRY_S", 0.0)
    sink, seen = Sink(store), []
    sink.takers.append(lambda record: seen.append(record.id))
    store.full = True
    sink.deliver([event(1)])
    sink.deliver([event(2)])
    assert (sink.waiting, sink.problem, seen) == (2, "store s: the disk is full", ["e1", "e2"])
    store.full = False
    sink.deliver([])
    assert (sink.waiting, sink.problem, len(store.events())) == (0, "", 2)
    sink.close()
    assert sink.missed == 0


def test_close_counts_what_was_never_written(store: FullDisk) -> None:
    sink = Sink(store)
    store.full = True
    sink.deliver([event(1)])
    sink.close()
    assert sink.missed == 1


def test_records_that_cannot_be_stored_hold_nothing_up(store: FullDisk) -> None:
    sink = Sink(store)
    sink.deliver([event(1), event(2, "\x1b[31m"), event(3)])
    assert (sink.waiting, sink.problem, len(store.events())) == (0, "", 2)
