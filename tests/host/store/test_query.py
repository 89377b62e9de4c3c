"""Queries: what they find, in which order, page by page, and by which index."""

import random
from dataclasses import replace

import pytest

from host.site.records import AnyRecord, ReadingRecord, TaskAnswer
from host.store.query import ReadingQuery, RecordQuery, StatusQuery, _AtDevices, _ranges
from host.store.store import Store
from tests.host.store.records import TIME, event, reading, status

N = 300


def some_readings() -> list[ReadingRecord]:
    """Return readings of 6 devices at 2 sites, in the order of their times."""
    rng = random.Random(1)
    made = []
    for number in range(N):
        label = rng.choice(["cat", "dog", "fox", None])
        tasks = (
            {} if label else {"animals": TaskAnswer(rng.choice(["fox", None]), 0, 0.5), "b": TaskAnswer("fox", 1, 1.0)}
        )
        site = rng.choice(["barn", "home", "home"])
        made.append(reading(number, device=rng.randrange(3), site=site, label=label, tasks=tasks))
    return made


@pytest.fixture
def filled(store: Store) -> Store:
    """A store of these readings, some of them with a label."""
    records = some_readings()
    store.write(random.Random(2).sample(records, N))
    for record in records[::7]:
        store.set_label(record.id, "seven" if record.image_number % 2 else "fourteen")
    return store


def matches(query: ReadingQuery, record: ReadingRecord) -> bool:
    human = {0: "fourteen", 7: "seven"}.get(record.image_number % 14)
    labels = {record.label, *(one.label for one in record.tasks.values())}
    return (
        query.site in (None, record.site)
        and query.device in (None, record.device)
        and (query.since is None or query.since <= record.time)
        and (query.until is None or record.time < query.until)
        and (query.label is None or query.label in labels)
        and query.human_label in (None, human)
        and (not query.labelled or human is not None)
    )


QUERIES = [
    ReadingQuery(site=site, device=device, since=since, until=until, label=label, human_label=human, labelled=labelled)
    for site in (None, "home", "nowhere")
    for device in (None, 1)
    for since, until in ((None, None), (TIME + 40, TIME + 200.5))
    for label in (None, "fox", "ox")
    for human, labelled in ((None, False), ("seven", False), (None, True))
]


@pytest.mark.parametrize(("limit", "scanned"), [(1, 400), (10, 3), (1000, 50)])
def test_readings_are_those_that_match_newest_first(
    filled: Store, monkeypatch: pytest.MonkeyPatch, limit: int, scanned: int
) -> None:
    monkeypatch.setattr("host.store.query._SCANNED", scanned)
    records = some_readings()[::-1]
    for query in QUERIES:
        expected = [record for record in records if matches(query, record)]
        assert filled.readings(replace(query, limit=limit)) == expected[:limit], query


def test_readings_continue_after_a_page(filled: Store) -> None:
    for query in QUERIES:
        expected = filled.readings(replace(query, limit=1000))
        pages, before = [], None
        while page := filled.readings(replace(query, limit=7, before=before)):
            pages += page
            before = page[-1].id
        assert pages == expected
    assert filled.readings(ReadingQuery(before="gone")) == []


def test_stream_is_the_same_oldest_first(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("host.store.rows.BATCH", 11)
    monkeypatch.setattr("host.store.query._SCANNED", 20)
    for query in QUERIES:
        expected = filled.readings(replace(query, limit=1000))[::-1]
        assert [one for one, _ in filled.stream(query)] == expected
        assert [one for one, _ in filled.stream(query, limit=13)] == expected[-13:]
    assert {label for _, label in filled.stream(ReadingQuery())} == {None, "seven", "fourteen"}


def test_queries_use_indexes(filled: Store) -> None:
    others = [StatusQuery("home", 1), StatusQuery("home"), RecordQuery("home"), RecordQuery("home", 3)]
    with filled._database.reading() as connection:
        for query in [*others, *QUERIES]:
            table = {ReadingQuery: "reading", StatusQuery: "status", RecordQuery: "event"}[type(query)]
            found = _ranges(connection, table, query)  # type: ignore[arg-type]
            ranges = [each for one in found for each in (one.ranges() if isinstance(one, _AtDevices) else [one])]
            for one in ranges:
                statement = f"SELECT {one.column} FROM {one.table} WHERE {one.where}{one.column} >= ? ORDER BY 1 DESC"
                plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", (*one.values, 0))]
                assert plan[0].startswith("SEARCH"), (query, plan)
                labelled = isinstance(query, ReadingQuery) and (query.labelled or query.human_label)
                assert labelled or "TEMP B-TREE" not in "".join(plan), (query, plan)


def test_statuses_and_events_are_those_that_match(store: Store) -> None:
    statuses = [status(n, device=n % 3, site="home" if n % 2 else "barn", gateway=n % 5 == 0) for n in range(30)]
    events = [event(n, site="home" if n % 2 else "barn", device=n % 3 or None) for n in range(30)]
    records: list[AnyRecord] = [*statuses, *events]
    store.write(random.Random(3).sample(records, len(records)))
    assert store.statuses(StatusQuery("home", 1, limit=99)) == [
        one for one in statuses[::-1] if (one.site, one.device) == ("home", 1)
    ]
    assert store.statuses(StatusQuery(gateway=True)) == [one for one in statuses[::-1] if one.gateway]
    assert store.events(RecordQuery("barn", limit=4)) == [one for one in events[::-1] if one.site == "barn"][:4]
    assert store.events(RecordQuery("home", 2)) == [
        one for one in events[::-1] if (one.site, one.device) == ("home", 2)
    ]
    assert store.events(RecordQuery(since=TIME + 5, until=TIME + 8)) == events[7:4:-1]
    assert store.events(RecordQuery(before=events[10].id, limit=3)) == events[9:6:-1]
