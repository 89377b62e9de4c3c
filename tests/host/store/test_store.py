"""Writing: what comes back is what was written, once; later records replace earlier ones; devices stay current."""

import itertools
import os
import random
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host.errors import HostError
from host.site.records import AnyRecord, ReadingRecord, TaskAnswer
from host.store.query import ReadingQuery
from host.store.store import Store
from tests.host.store.records import TIME, event, reading, readings, receptions, status

NUMBERS = itertools.count()


UNLIMITED = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)


@UNLIMITED
@given(st.lists(readings, min_size=1, max_size=5, unique_by=lambda record: record.id))
def test_store_returns_what_was_written(store: Store, drawn: list[ReadingRecord]) -> None:
    records: list[ReadingRecord] = [
        replace(record, id=f"{record.id} {next(NUMBERS)}") for record in drawn
    ]  # of no earlier example
    store.write(records)
    assert [store.reading(record.id) for record in records] == records
    with Store(store.path, read_only=True) as reader:  # another process has no names in memory
        assert [reader.reading(record.id) for record in records] == records


def test_store_returns_statuses_and_events(store: Store) -> None:
    records: list[AnyRecord] = [
        status(2),
        status(1, gateway=True, battery_v=None),
        event(4),
        event(3, device=None, gateway=None),
    ]
    store.write(records)
    assert store.statuses() == records[:2] and store.events() == records[2:]


def contents(store: Store) -> object:
    return store.readings(), store.devices(), store.history("home", 3, TIME - 1, TIME + 100, 5), store.size().readings


def test_write_is_idempotent(store: Store) -> None:
    records: list[AnyRecord] = [reading(n, receptions=receptions(n % 3)) for n in range(9)]
    records += [status(n, battery_v=3.0 + n / 8) for n in range(5)]
    records.append(event())
    store.write(records)
    before = contents(store)
    store.write(records)
    store.write(reversed(records))
    assert contents(store) == before
    assert (store.size().readings, store.size().statuses, store.size().events) == (9, 5, 1)


def test_write_replaces_a_reading_and_keeps_its_label(store: Store) -> None:
    store.write([reading(1, receptions=receptions(1), label="cat"), reading(2, label="cat")])
    store.set_label("home-3-1", "fox")
    later = reading(1, receptions=receptions(2), label="dog", tasks={"animals": TaskAnswer("fox", 1, 0.5)}, ber=0.5)
    store.write([later])
    assert store.reading(later.id) == later and store.labels_of([later.id]) == {later.id: "fox"}
    (bucket,) = store.history("home", 3, TIME, TIME + 10, 1)
    assert {(one.task, one.label): one.count for one in bucket.classes} == {
        (None, "cat"): 1, (None, "dog"): 1, ("animals", "fox"): 1,
    }  # fmt: skip
    assert (bucket.readings, bucket.ber) == (2, pytest.approx((0.5 + 0.01) / 2))
    assert store.devices()[0].readings == 2


@UNLIMITED
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=1, max_size=20), st.integers(1, 7))
def test_write_keeps_the_fullest_of_each_image(store: Store, states: list[tuple[int, int]], size: int) -> None:
    """In whatever order and batches the states of some images arrive, and however often."""
    site = f"site{next(NUMBERS)}"
    records = [
        reading(image, site=site, receptions=receptions(count), label=f"{count}", lost=count, ber=count / 8)
        for image, count in states
    ]
    expected: dict[str, ReadingRecord] = {}
    for record in records:
        if record.id not in expected or len(expected[record.id].receptions) <= len(record.receptions):
            expected[record.id] = record
    for begin in range(0, len(records), size):
        store.write(records[begin : begin + size])
    assert {one.id: one for one in store.readings(ReadingQuery(site))} == expected
    for label in "01234":
        found = store.readings(ReadingQuery(site, label=label))
        assert {one.id for one in found} == {one.id for one in expected.values() if one.label == label}
    (bucket,) = store.history(site, 3, TIME, TIME + 60, 1)
    assert bucket.readings == len(expected)
    assert bucket.lost == sum(one.lost for one in expected.values())
    assert bucket.ber == sum(one.ber for one in expected.values()) / len(expected)


def test_write_keeps_readings_of_one_time_apart(store: Store) -> None:
    records = [reading(0, device=device, time=TIME) for device in range(200)]
    store.write(random.Random(0).sample(records, 200))
    assert {one.device for one in store.readings(ReadingQuery(label="cat", limit=500))} == set(range(200))


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (reading(5, id=""), "id or site is empty"), (reading(5, id=" x"), "has spaces around it"),
        (reading(5, time=-1.0), "time is -1.0"), (reading(5, time=1e12), "time is 1000000000000.0"),
        (reading(5, label="a\x1bb"), "label is 'a\\x1bb', which is not printable"),
        (reading(5, label="\ud800"), "label is '\\ud800', which is not printable"),
        (reading(5, label="x" * 201), "label has 201 characters, more than 200"),
        (reading(5, label=""), "the name of a class or task is empty"),
        (reading(5, tasks={"a\nb": TaskAnswer(None, None, None)}), "task is 'a\\nb'"),
        (reading(5, tasks={"a": TaskAnswer("\n", None, None)}), "label is '\\n'"),
        (reading(5, ber=float("nan")), "ber is nan"), (reading(5, lost=1 << 63), "lost is 9223372036854775808"),
        (reading(5, symbols=(256,)), "symbols has a value"), (reading(5, receptions=receptions(1001)), "1001 recept"),
        (status(5, battery_v=float("inf")), "battery_v is inf"), (event(5, text="x" * 2001), "text has 2001 charac"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_write_leaves_out_what_cannot_be_stored(store: Store, bad: AnyRecord, reason: str) -> None:
    with pytest.raises(HostError, match="1 records were not stored, the first is ") as error:
        store.write([reading(1), bad, reading(2)])
    assert reason in str(error.value) and str(error.value).isprintable()
    assert [one.image_number for one in store.readings()] == [2, 1]
    assert store.size().readings == 2


def test_devices_show_the_last_reading_and_status(store: Store) -> None:
    last, stated = reading(9, label="dog"), status(20, snr_db=-9.0)
    store.write([last, stated, reading(4, label="cat"), status(3), reading(1, device=1, site="barn")])
    store.write([status(5, device=8, gateway=True)])
    barn, home, gateway = store.devices()
    assert (barn.site, barn.number, gateway.number, gateway.gateway, gateway.reading) == ("barn", 1, 8, True, None)
    assert (home.first_seen, home.last_seen, home.readings) == (TIME + 3, TIME + 20, 2)
    assert home.reading == replace(last, symbols=()) and home.status == stated
    assert (home.snr_db, barn.snr_db, gateway.snr_db) == (-9.0, -7.5, -3.0)
    assert [one.number for one in store.devices("home")] == [3, 8]


def test_devices_show_silence_until_the_device_is_back(store: Store) -> None:
    def silent_since() -> float | None:
        return store.devices()[0].silent_since

    store.write([reading(1), event(60, event="silent")])
    assert silent_since() == TIME + 60
    store.write([reading(2), event(70, event="clash"), event(71, event="back", device=4)])
    assert silent_since() == TIME + 60
    store.write([event(80, event="back")])
    assert silent_since() is None
    store.write([event(90, event="silent"), reading(95)])
    assert silent_since() is None
    store.write([event(91, event="silent", id="late")])
    assert silent_since() is None


def test_forgotten_devices_are_listed_again_once_they_are_seen(store: Store) -> None:
    store.write([reading(1), status(1)])
    store.forget_device("home", 3)
    assert store.devices() == [] and len(store.readings()) == 1
    store.write([reading(2)])
    assert [(one.readings, one.status) for one in store.devices()] == [(1, None)]
    with pytest.raises(HostError, match="site 'home' has no device 4"):
        store.forget_device("home", 4)


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such modes")
def test_new_stores_are_private(store: Store) -> None:
    assert store.path.stat().st_mode & 0o777 == 0o600
