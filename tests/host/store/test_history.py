"""Histories: from single readings, from hours and from days, which agree."""

import random
from collections import Counter
from dataclasses import replace

import pytest

from host.errors import HostError
from host.site.records import ReadingRecord, TaskAnswer
from host.store import hours
from host.store.hours import HistoryBucket
from host.store.retention import Retention
from host.store.store import Store
from tests.host.store.records import TIME, reading, receptions, status

HOUR_S, DAY_S = 3600, 86_400
BEGIN = TIME - TIME % HOUR_S


def some_readings(count: int = 200) -> list[ReadingRecord]:
    """Return readings of one device over 10 hours."""
    rng = random.Random(4)
    return [
        reading(
            number,
            time=BEGIN + rng.random() * 10 * HOUR_S,
            label=rng.choice(["cat", "dog"]),
            lost=rng.randrange(3),
            ber=rng.randrange(8) / 64,
            answered_by=rng.choice(["board", "host"]),
            receptions=receptions(rng.randrange(4)),
            tasks=rng.choice([{}, {"animals": TaskAnswer("fox", 0, 0.5)}, {"animals": TaskAnswer(None, None, None)}]),
        )
        for number in range(count)
    ]


def expected(records: list[ReadingRecord], start: float, end: float) -> dict:
    """Return what a bucket must hold."""
    inside = [one for one in records if start <= one.time < end]
    snrs = [max(each.snr_db or 0.0 for each in one.receptions) for one in inside if one.receptions]
    classes: Counter[tuple[str | None, str | None]] = Counter((None, one.label) for one in inside)
    classes += Counter((task, answer.label) for one in inside for task, answer in one.tasks.items())
    return {
        "readings": len(inside),
        "by_board": sum(one.answered_by == "board" for one in inside),
        "lost": sum(one.lost for one in inside),
        "ber": sum(one.ber for one in inside) / len(inside) if inside else None,
        "snr_db": sum(snrs) / len(snrs) if snrs else None,
        "classes": classes,
    }


def held(bucket: HistoryBucket) -> dict:
    """Return what a bucket holds."""
    values = {name: getattr(bucket, name) for name in ("readings", "by_board", "lost", "ber", "snr_db")}
    return {**values, "classes": Counter({(one.task, one.label): one.count for one in bucket.classes})}


def test_history_of_single_readings_has_the_buckets_asked_for(store: Store) -> None:
    records = some_readings()
    store.write(records)
    buckets = store.history("home", 3, BEGIN + 100, BEGIN + 20_100, 40)
    assert [(one.start, one.end) for one in buckets] == [
        (BEGIN + 100 + 500 * n, BEGIN + 600 + 500 * n) for n in range(40)
    ]
    assert all(held(one) == expected(records, one.start, one.end) for one in buckets)
    assert sum(one.readings for one in buckets) > 90


@pytest.mark.parametrize(("asked", "hours_each"), [(200, 1), (10, 1), (5, 2), (3, 4), (1, 10)])
def test_history_of_many_readings_has_whole_hours(
    store: Store, monkeypatch: pytest.MonkeyPatch, asked: int, hours_each: int
) -> None:
    monkeypatch.setattr(hours, "MAX_SINGLE", 20)
    records = some_readings()
    store.write(records)
    buckets = store.history("home", 3, BEGIN + 7, BEGIN + 10 * HOUR_S, asked)
    assert [one.end - one.start for one in buckets] == [hours_each * HOUR_S] * -(-10 // hours_each)
    assert buckets[0].start == BEGIN and len(buckets) <= asked
    assert all(held(one) == expected(records, one.start, one.end) for one in buckets)


@pytest.mark.parametrize(("asked", "days_each"), [(60, 1), (59, 2), (20, 3), (1, 60)])
def test_history_of_long_times_has_whole_days(store: Store, asked: int, days_each: int) -> None:
    begin = BEGIN - BEGIN % DAY_S
    records = [replace(one, time=begin + (one.time - BEGIN) * 60 * 2.4) for one in some_readings()]
    store.write(records[:100])
    store.write(records[50:])
    buckets = store.history("home", 3, begin + 7, begin + 60 * DAY_S, asked)
    assert [one.end - one.start for one in buckets] == [days_each * DAY_S] * -(-60 // days_each)
    assert buckets[0].start == begin and len(buckets) <= asked
    assert all(held(one) == expected(records, one.start, one.end) for one in buckets)


def test_history_outlasts_the_readings(store: Store) -> None:
    records = sorted(some_readings(), key=lambda one: one.time)
    store.write(records)
    store.close()
    with Store(store.path, Retention(readings=50)) as smaller:
        while smaller.prune():
            pass
        assert len(smaller.readings()) == 50
        buckets = smaller.history("home", 3, BEGIN, BEGIN + 10 * HOUR_S, 200)
        assert len(buckets) == 10 and all(held(one) == expected(records, one.start, one.end) for one in buckets)
        late = records[-1].time - 600  # nothing of this has been deleted
        assert len(smaller.history("home", 3, late, late + 600, 200)) == 200


def test_history_has_the_mean_voltage(store: Store) -> None:
    store.write([status(0, battery_v=3.0), status(1, battery_v=4.0), status(2, battery_v=None), status(3, 4)])
    store.write([status(0, battery_v=3.5)])
    (bucket,) = store.history("home", 3, BEGIN, BEGIN + HOUR_S, 1)
    assert (bucket.battery_v, bucket.readings, bucket.ber, bucket.classes) == (3.75, 0, None, ())


def test_history_of_an_unknown_device_is_empty(store: Store) -> None:
    assert store.history("home", 3, 0, 1) == []
    for since, until, buckets in ((5, 5, 1), (-1, 5, 1), (0, 5, 0)):
        with pytest.raises(HostError, match="the end must be after the start"):
            store.history("home", 3, since, until, buckets)
