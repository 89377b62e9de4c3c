"""Readings, statuses and events of a year at four sites, for the benchmark of the store."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from host.site.records import AnyRecord, EventRecord, ReadingRecord, Reception, StatusRecord, TaskAnswer
from host.store.schema import FILL_DAYS

COPIES = 100  # the whole time is so many times that of the readings that are written
SITES, DEVICES = 4, 50  # devices of each site
BUSY_SHARE = 0.3  # of all readings are of the first device
BEGIN = 1_764_500_400  # Unix time, a full hour
PERIOD_H = 88  # hours that are written; a hundred of them are a year
HOUR_S = 3600
N_SYMBOLS, LEVELS = 384, 8  # 144 bytes
CLASSES = tuple(f"class{number}" for number in range(20))
RARE, RARE_DEVICES = "rare", (3, 8)  # class of one reading of each of these devices in the written time
TASK = "animals"
LABELLED = 20  # readings of the written time with a human's label


def site_of(device: int) -> str:
    """Return the site of a device, which is numbered over all sites."""
    return f"site{device // DEVICES}"


def records(readings: int, seed: int) -> list[AnyRecord]:
    """Return the records of the first PERIOD_H hours in the order of their times, with about so many readings."""
    rng = np.random.default_rng(seed)
    busy = round(BUSY_SHARE * readings)
    each = (readings - busy) // (SITES * DEVICES - 1)
    made: list[AnyRecord] = []
    for device in range(SITES * DEVICES):
        count = each if device else busy
        times = BEGIN + (np.arange(count) + rng.random(count) * 0.5) * PERIOD_H * HOUR_S / max(1, count)
        made += _readings(device, times, rng)
        made += [_status(device, hour, rng) for hour in range(PERIOD_H)]
    made += [_event(number) for number in range(SITES * PERIOD_H)]
    return sorted(made, key=lambda record: record.time)


def _readings(device: int, times: np.ndarray, rng: np.random.Generator) -> Iterator[ReadingRecord]:
    count, total = len(times), 0
    symbols = rng.integers(0, LEVELS, (count, N_SYMBOLS), np.uint8)
    bers = 10 ** rng.uniform(-4, -1, (count, 3))
    snrs, lost = rng.integers(-80, 40, (count, 3)) / 4, rng.poisson(0.05, count)
    labels, heard = rng.integers(0, len(CLASSES), count), rng.choice([1, 1, 1, 2, 2, 3], count)
    confidences = rng.random(count)
    general = device % 2 == 1
    for number, time in enumerate(times.tolist()):
        total += int(lost[number])
        label = RARE if number == 0 and device in RARE_DEVICES else CLASSES[labels[number]]
        confidence = float(confidences[number])
        yield ReadingRecord(
            id=f"{site_of(device)}-{device % DEVICES}-s00-{number}",
            site=site_of(device),
            time=time,
            device=device % DEVICES,
            bundle="general64" if general else "cifar100",
            model_id="0a1b2c3d" if general else "4e5f6071",
            image_number=number,
            sequence=number % 32,
            frame="features",
            label=None if general else label,
            index=None if general else int(labels[number]),
            confidence=None if general else confidence,
            answered_by="host",
            unsure=False,
            auth="none",
            ber=float(bers[number].min()),
            payload_ber=float(bers[number].min()),
            symbols=tuple(symbols[number].tolist()),
            answer_word=None,
            receptions=tuple(
                Reception(f"gateway{g}", time + 0.01 * g, float(bers[number, g]), False, float(snrs[number, g]), -100.0)
                for g in range(heard[number])
            ),
            crc_ok=False,
            lost=int(lost[number]),
            lost_certainty="exact",
            lost_total=total,
            lost_total_certainty="about",
            duplicate=False,
            late=False,
            unexpected=False,
            tasks={TASK: TaskAnswer(label, int(labels[number]), confidence)} if general else {},
        )


def _status(device: int, hour: int, rng: np.random.Generator) -> StatusRecord:
    return StatusRecord(
        f"{site_of(device)}-{device % DEVICES}-status-s00-{hour}", site_of(device),
        BEGIN + HOUR_S * (hour + device / 500), device % DEVICES, False, hour, HOUR_S * hour, 1, "power-on", "features",
        0, 3.0 + float(rng.random()), 1.5, HOUR_S, "gateway0", -3.25, -101.0,
    )  # fmt: skip


def _event(number: int) -> EventRecord:
    site, hour = f"site{number % SITES}", number // SITES
    time, event = BEGIN + HOUR_S * hour + 7.0, "silent" if hour % 2 else "back"
    return EventRecord(f"{site}-event-s00-{hour}", site, time, event, f"device 7 is {event}", 7, False, {"s": 300})


def copy(path: Path, number: int) -> None:
    """Copy the rows of the first PERIOD_H hours of a store to the hours of a later period, 1 to COPIES - 1."""
    shift_s = number * PERIOD_H * HOUR_S
    values = {
        "h": number * PERIOD_H, "s": shift_s, "us": shift_s * 1_000_000, "session": f"-s{number:02d}-",
        "end": (BEGIN + PERIOD_H * HOUR_S) * 1_000_000, "end_h": BEGIN // HOUR_S + PERIOD_H,
    }  # fmt: skip
    changes = {
        "key": "key + :us", "reading": "reading + :us", "time": "time + :s", "hour": "hour + :h",
        "id": "replace(id, '-s00-', :session)",
    }  # fmt: skip
    file = sqlite3.connect(path, isolation_level=None)
    file.execute("PRAGMA synchronous = OFF")
    file.execute("PRAGMA cache_size = -500000")
    file.execute("BEGIN")
    for table, where in (
        ("reading", "key < :end"), ("reception", "reading < :end"), ("status", "key < :end"), ("event", "key < :end"),
        ("shown", "class IN (SELECT key FROM class) AND reading < :end"),
        ("hour", "device IN (SELECT key FROM device) AND hour < :end_h"),
    ):  # fmt: skip
        names = [name for _, name, *_ in file.execute(f"PRAGMA table_info({table})")]
        columns = ", ".join(f'"{name}"' for name in names)
        copied = ", ".join(changes.get(name, f'"{name}"') for name in names)
        file.execute(f"INSERT INTO {table}({columns}) SELECT {copied} FROM {table} WHERE {where}", values)
    file.execute("UPDATE total SET count = count + count / :n", {"n": number})
    if number == COPIES - 1:  # a day has hours of two periods
        file.execute("DELETE FROM day")
        file.execute(FILL_DAYS)
    file.execute("COMMIT")
    file.close()


def later(records: list[AnyRecord], number: int) -> list[AnyRecord]:
    """Return records as `copy` would shift them, for another period."""
    shift_s = number * PERIOD_H * HOUR_S
    session = f"-s{number:02d}-"
    return [replace(one, id=one.id.replace("-s00-", session), time=one.time + shift_s) for one in records]
