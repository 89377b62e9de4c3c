"""Retention: by age, number and bytes; labelled readings stay; steps are small, and the file shrinks."""

import pytest

from host.site.records import AnyRecord
from host.store import retention
from host.store.query import ReadingQuery
from host.store.retention import DAY_S, Retention
from host.store.store import Store
from tests.host.store.records import TIME, event, reading, status

FOREVER = Retention(None, None, None, None, None, None, None, None)


def fill(store: Store, count: int = 1000) -> None:
    records: list[AnyRecord] = [reading(n, time=TIME + n * DAY_S / 10) for n in range(count)]
    records += [status(n, time=TIME + n * DAY_S) for n in range(100)]
    records += [event(n, time=TIME + n * DAY_S) for n in range(100)]
    store.write(records)
    for number in (0, 1, 600):
        store.set_label(f"home-3-{number}", "keep")


def pruned(store: Store, **changes: object) -> Store:
    """Reopen a store with this retention, 100 days after TIME, and prune it."""
    store.close()
    again = Store(store.path, Retention(**{**vars(FOREVER), **changes}), wall_clock=lambda: TIME + 100 * DAY_S)
    while again.prune():
        pass
    return again


def images(store: Store) -> list[int]:
    return [one.image_number for one in store.readings(ReadingQuery(limit=2000))][::-1]


def test_prune_deletes_by_age(store: Store) -> None:
    fill(store)
    with pruned(store, readings_days=50, statuses_days=20, events_days=10) as store:
        assert images(store) == [0, 1, *range(500, 1000)]
        size = store.size()
        assert (size.readings, size.statuses, size.events, size.labelled) == (502, 20, 10, 3)
        assert [len(store.statuses()), len(store.events())] == [20, 10]
        assert store.readings(ReadingQuery(label="cat", until=TIME + 40 * DAY_S, limit=9))[-1].image_number == 0


def test_prune_deletes_by_number(store: Store) -> None:
    fill(store)
    with pruned(store, readings=300, statuses=30, events=1000) as store:
        assert images(store) == [0, 1, 600, *range(703, 1000)]
        size = store.size()
        assert (size.readings, size.statuses, size.events) == (300, 30, 100)


def test_prune_deletes_by_bytes_and_the_file_shrinks(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "VACUUM_PAGES", 2)
    fill(store, 5000)
    before = store.size().file_bytes
    with pruned(store, file_bytes=before // 2) as store:
        after = store.size()
        assert before // 4 < after.file_bytes < 0.65 * before and 0 < after.readings < 2500
        assert images(store)[:3] == [0, 1, 600]
    with pruned(store, file_bytes=1) as store:  # less than the labelled readings take
        assert images(store) == [0, 1, 600]


def test_prune_keeps_all_without_limits(store: Store) -> None:
    fill(store)
    with pruned(store) as store:
        assert store.size().readings == 1000 and not store.prune()


def test_prune_works_in_small_steps(store: Store) -> None:
    fill(store)
    store.close()
    with Store(store.path, Retention(**{**vars(FOREVER), "readings": 100})) as store:
        assert store.prune(0) and store.size().readings == 1000 - retention.STEP


def test_prune_finds_what_is_old_and_new(store: Store) -> None:
    fill(store)
    with pruned(store, readings_days=50) as store:
        store.write([reading(7, id="late", time=TIME + DAY_S)])
        store.set_label("home-3-1", None)
        while store.prune():
            pass
        assert images(store) == [0, *range(500, 1000)]


def test_prune_deletes_old_hours(store: Store) -> None:
    fill(store)
    with pruned(store, hours_days=40, readings=0) as store:
        buckets = store.history("home", 3, TIME, TIME + 100 * DAY_S, 20)
        cutoff = TIME + 60 * DAY_S
        assert {one.readings > 0 for one in buckets if one.end < cutoff} == {False}
        assert {one.readings > 0 for one in buckets if one.start > cutoff} == {True}
