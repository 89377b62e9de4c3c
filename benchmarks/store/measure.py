"""Times of the store's queries with cold caches, rates of writing and deleting, and bytes per reading."""

import datetime
import os
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks.progress import progress_bar
from benchmarks.store.contents import (
    BEGIN,
    CLASSES,
    COPIES,
    DEVICES,
    HOUR_S,
    LABELLED,
    PERIOD_H,
    RARE,
    SITES,
    copy,
    later,
    records,
    site_of,
)
from host.site.records import AnyRecord
from host.store.query import ReadingQuery, RecordQuery, StatusQuery
from host.store.retention import Retention
from host.store.store import Store

END = BEGIN + COPIES * PERIOD_H * HOUR_S
DAY_S = 86_400
BATCH = 250  # records that `inkling serve` writes at once, every 250 ms, at 1,000 records per second
WRITTEN, DELETED = 20_000, 20_000  # readings that are written to, and deleted from, the full store
FOREVER = Retention(None, None, None, None, None, None, None, None)


@dataclass(frozen=True)
class Query:
    """One query of the interface, with arguments that change from one repetition to the next."""

    name: str
    run: Callable[[Store, int], Any]  # store, number of the repetition


def measure(folder: Path, readings: int, repeats: int, seed: int, kept: bool, console: Console) -> dict:
    """Fill a store, measure it, and return the figures. kept: use the store in the folder if there is one."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"store-{readings}-{seed}.sqlite3"
    written = records(readings // COPIES, seed)
    if not (kept and path.is_file()):
        fill(path, written, console)
    with Store(path, FOREVER) as store:
        size = store.size()
    figures: dict[str, Any] = {
        "readings": size.readings,
        "statuses": size.statuses,
        "events": size.events,
        "devices": SITES * DEVICES,
        "sites": SITES,
        "days": round(COPIES * PERIOD_H / 24, 1),
        "file_bytes": size.file_bytes,
        "bytes_per_reading": round(size.file_bytes / size.readings, 1),
        "bytes_by_table": bytes_by_table(path, size.readings),
        "queries_ms": {},
    }
    for query in queries():
        cold, warm, cpu = times(path, query, repeats)
        row = {
            "cold_median": median_ms(cold),
            "cold_max": round(1e3 * max(cold), 1),
            "warm_median": median_ms(warm),
            "cpu_median": median_ms(cpu),
        }
        figures["queries_ms"][query.name] = row
        console.print(f"{query.name:<40}", *row.values(), highlight=False)
    figures["writing"] = writing(path, later(written, COPIES))
    figures["deleting"] = deleting(path)
    console.print(figures["writing"], figures["deleting"])
    return {
        **figures,
        "repeats": repeats,
        "seed": seed,
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[2], 1),
        "sqlite": sqlite3.sqlite_version,
        "command": f"python -m benchmarks.store --readings {readings} --repeats {repeats} --seed {seed}",
        "date": datetime.date.today().isoformat(),
    }


def fill(path: Path, written: list[AnyRecord], console: Console) -> None:
    """Write the first hundredth of a store, and copy it COPIES - 1 times."""
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()
    with Store(path, FOREVER) as store:
        for begin in range(0, len(written), BATCH):
            store.write(written[begin : begin + BATCH])
        ids = [one.id for one in written if one.kind == "reading"]
        for number, id in enumerate(ids[:: max(1, len(ids) // LABELLED)][:LABELLED]):
            store.set_label(id, f"label{number % 4}")
    with progress_bar(console) as bar:
        task = bar.add_task("copying", total=COPIES - 1)
        for number in range(1, COPIES):
            copy(path, number)
            bar.advance(task)
    with Store(path, FOREVER) as store:  # the devices as they were last seen
        store.write(later(written[-2000:], COPIES - 1))


def queries() -> list[Query]:
    """Return the queries that are measured."""
    busy, other = 0, 60  # devices, numbered over all sites

    def device(store: Store, number: int, **more: Any) -> Any:  # noqa: ANN401 - fields of ReadingQuery
        one = other + number
        return store.readings(ReadingQuery(site=site_of(one), device=one % DEVICES, **more))

    def span(days: float, one: int | None = None) -> Callable[[Store, int], Any]:
        def run(store: Store, number: int) -> Any:  # noqa: ANN401
            chosen = other + number if one is None else one
            until = END - number * DAY_S / 10
            return store.history(site_of(chosen), chosen % DEVICES, until - days * DAY_S, until, 200)

        return run

    def at(number: int) -> float:
        return BEGIN + (0.1 + 0.15 * number) * (END - BEGIN)

    return [
        Query("devices", lambda store, n: store.devices()),
        Query("newest 50 readings", lambda store, n: store.readings()),
        Query("newest 50 of a site", lambda store, n: store.readings(ReadingQuery(site=f"site{n % SITES}"))),
        Query("newest 50 of a device", device),
        Query("50 readings before a time", lambda store, n: store.readings(ReadingQuery(until=at(n)))),
        Query("50 of a device before a time", lambda store, n: device(store, n, until=at(n))),
        Query("newest 50 of a class", lambda store, n: store.readings(ReadingQuery(label=CLASSES[n]))),
        Query("newest 50 of a rare class", lambda store, n: store.readings(ReadingQuery(label=RARE))),
        Query("newest 50 of a class and device", lambda store, n: device(store, n, label=CLASSES[n])),
        Query(
            "newest 50 of a class and site",
            lambda store, n: store.readings(ReadingQuery(site=f"site{n % SITES}", label=CLASSES[n])),
        ),
        Query("50 with a human's label", lambda store, n: store.readings(ReadingQuery(human_label=f"label{n % 4}"))),
        Query("labels with their counts", lambda store, n: store.labels()),
        Query("one reading by its id", lambda store, n: store.reading(f"site1-{n}-s{10 + 20 * n:02d}-0")),
        Query("history of a device, a day, 200 buckets", span(1)),
        Query("history of a device, a month", span(30)),
        Query("history of a device, a year", span(365)),
        Query("history of the busiest device, a day", span(1, busy)),
        Query("history of the busiest device, a month", span(30, busy)),
        Query("history of the busiest device, a year", span(365, busy)),
        Query("newest 50 statuses of a device", lambda store, n: store.statuses(StatusQuery("site1", n))),
        Query("newest 50 events of a site", lambda store, n: store.events(RecordQuery("site1"))),
        Query("size", lambda store, n: store.size()),
    ]


def times(path: Path, query: Query, repeats: int) -> tuple[list[float], list[float], list[float]]:
    """Return the seconds of a query with empty caches and at once again, and of CPU time in the second case.

    Opening the store is not included.
    """
    seconds: tuple[list[float], list[float], list[float]] = ([], [], [])
    for number in range(repeats):
        drop_caches(path)
        with Store(path, read_only=True) as store:
            began = [(time.perf_counter(), time.process_time())]
            for _ in range(2):
                assert query.run(store, number) is not None, f"{query.name} has found nothing"
                began.append((time.perf_counter(), time.process_time()))
        (cold, _), (warm, cpu), (end, cpu_end) = began
        for values, value in zip(seconds, (warm - cold, end - warm, cpu_end - cpu), strict=True):
            values.append(value)
    return seconds


def drop_caches(path: Path) -> None:
    """Let the system forget what it has read of a store: the next query reads the disk."""
    for file in path.parent.glob(f"{path.name}*"):
        with open(file, "rb") as stream:
            os.fsync(stream.fileno())
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def writing(path: Path, new: list[AnyRecord]) -> dict:
    """Return the rate of writing to the full store, in batches, and the times of a batch."""
    new, seconds = new[:WRITTEN], []
    with Store(path, FOREVER) as store:
        cpu = time.process_time()
        for begin in range(0, len(new), BATCH):
            started = time.perf_counter()
            store.write(new[begin : begin + BATCH])
            seconds.append(time.perf_counter() - started)
        cpu = time.process_time() - cpu
    return {
        "records": len(new),
        "batch": BATCH,
        "records_per_s": round(len(new) / sum(seconds)),
        "records_per_cpu_s": round(len(new) / cpu),
        "batch_median_ms": median_ms(seconds),
        "batch_max_ms": round(1e3 * max(seconds), 1),
    }


def deleting(path: Path) -> dict:
    """Return the rate at which retention deletes the oldest readings, and the time of a step."""
    with Store(path, FOREVER) as store:
        before = store.size().readings
    most = before - DELETED
    seconds = []
    with Store(path, Retention(None, None, None, None, most, None, None, None)) as store:
        more = True
        while more and store.size().readings > most:
            started = time.perf_counter()
            more = store.prune(0)  # one step
            seconds.append(time.perf_counter() - started)
        after = store.size().readings
    return {
        "readings": before - after,
        "readings_per_s": round((before - after) / sum(seconds)),
        "step_median_ms": median_ms(seconds),
        "step_max_ms": round(1e3 * max(seconds), 1),
    }


def bytes_by_table(path: Path, readings: int) -> dict[str, float]:
    """Return the bytes per reading of each table and index, the largest first; empty if SQLite cannot tell."""
    file = sqlite3.connect(path)
    try:
        # Sums of SQLite's own (aggregate = TRUE) overflow at 2 GB.
        query = "SELECT name, sum(pgsize) FROM dbstat GROUP BY name ORDER BY 2 DESC"
        return {name: round(size / readings, 1) for name, size in file.execute(query) if size >= readings / 2}
    except sqlite3.OperationalError:
        return {}
    finally:
        file.close()


def median_ms(seconds: list[float]) -> float:
    """Return the median in milliseconds."""
    return round(1e3 * float(np.median(seconds)), 1)
