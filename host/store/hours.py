"""Totals of a device by hour and by day, and the history of a device: what its charts show."""

import json
import math
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from host.store.rows import Names, task_labels

HOUR_S = 3600
DAY_S = 86_400
# Tables of totals, and the seconds of their rows, which are numbered from 1970 in a column with the table's name.
SPANS = {"day": DAY_S, "hour": HOUR_S}
MICROSECONDS = 1_000_000  # keys of records are Unix times in microseconds
MAX_KEY = (1 << 63) - 1
# A history is made from single readings if there are at most so many; else from hours, which takes less time.
MAX_SINGLE = 10_000
OWN = ""  # in place of the task, for the classes of the bundle itself
_COLUMNS = (
    "readings", "by_board", "lost", "ber", "snr_db", "snr_readings", "battery_v", "battery_statuses", "classes",
)  # fmt: skip


@dataclass(frozen=True)
class ClassCount:
    """The number of readings with one class."""

    task: str | None  # None: the bundle's own classes
    label: str | None  # None: none of the task's classes
    count: int


@dataclass(frozen=True)
class HistoryBucket:
    """Readings and statuses of a device from `start` up to, but without, `end`. Means are None without values."""

    start: float  # Unix time in seconds
    end: float
    readings: int
    by_board: int  # of these, answered by the board
    lost: int  # images lost before them
    ber: float | None  # mean
    snr_db: float | None  # mean, of the best reception of each reading
    battery_v: float | None  # mean, of the statuses
    classes: tuple[ClassCount, ...]  # the most frequent first


@dataclass
class Totals:
    """Sums over readings and statuses, which can be taken back."""

    readings: int = 0
    by_board: int = 0
    lost: int = 0
    ber: float = 0.0
    snr_db: float = 0.0
    snr_readings: int = 0
    battery_v: float = 0.0
    battery_statuses: int = 0
    classes: Counter[int] = field(default_factory=Counter)  # by key of the class

    def add_reading(
        self, by_board: bool, lost: int, ber: float, snr_db: float | None, classes: Iterable[int], sign: int = 1
    ) -> None:
        """Add a reading; with `sign` -1, take it back."""
        self.readings += sign
        self.by_board += sign * by_board
        self.lost += sign * lost
        self.ber += sign * ber
        if snr_db is not None:
            self.snr_db += sign * snr_db
            self.snr_readings += sign
        for one in classes:
            self.classes[one] += sign

    def add_battery(self, battery_v: float | None, sign: int = 1) -> None:
        """Add the voltage of a status; with `sign` -1, take it back."""
        if battery_v is not None:
            self.battery_v += sign * battery_v
            self.battery_statuses += sign

    def add(self, other: "Totals") -> None:
        """Add other totals."""
        for name in _COLUMNS[:-1]:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for one, count in other.classes.items():
            self.classes[one] += count


def hour_of(key: int) -> int:
    """Return the number of the hour, counted from 1970, of a key."""
    return key // (HOUR_S * MICROSECONDS)


def add_to_totals(connection: sqlite3.Connection, changes: Mapping[tuple[int, int], Totals]) -> None:
    """Add to the totals of devices in hours, which are the keys, and in the days of these hours."""
    days: defaultdict[tuple[int, int], Totals] = defaultdict(Totals)
    for (device, hour), change in changes.items():
        _add(connection, "hour", device, hour, change)
        days[device, hour * HOUR_S // DAY_S].add(change)
    for (device, day), change in days.items():
        _add(connection, "day", device, day, change)


def _add(connection: sqlite3.Connection, span: str, device: int, number: int, change: Totals) -> None:
    query = f"SELECT {', '.join(_COLUMNS[:-1])}, '[' || classes || ']' FROM {span} WHERE device = ? AND {span} = ?"
    row = connection.execute(query, (device, number)).fetchone()
    totals = _totals(row) if row else Totals()
    totals.add(change)
    classes = json.dumps({str(one): count for one, count in totals.classes.items() if count})
    values = [getattr(totals, name) for name in _COLUMNS[:-1]]
    columns = f"device, {span}, {', '.join(_COLUMNS)}"
    marks = ", ".join("?" * (2 + len(_COLUMNS)))
    connection.execute(f"INSERT OR REPLACE INTO {span}({columns}) VALUES({marks})", (device, number, *values, classes))


def history(
    connection: sqlite3.Connection, names: Names, device: int, since: float, until: float, buckets: int
) -> list[HistoryBucket]:
    """Return at most `buckets` buckets of equal length over a time, the oldest first, empty ones included.

    Buckets of a day or more are made of whole days (UTC), and shorter ones of an hour or more of whole hours: then they
    are longer than asked for, and the first begins up to a day or an hour earlier. So are those of a time with more
    than MAX_SINGLE readings, or of which readings have been deleted.
    """
    query = "SELECT max(deleted_until) FROM total WHERE kind IN ('reading', 'status')"
    (deleted_until,) = connection.execute(query).fetchone()
    width = (until - since) / buckets
    if width < HOUR_S and since * MICROSECONDS >= deleted_until:
        query = "SELECT sum(readings) FROM hour WHERE device = ? AND hour >= ? AND hour < ?"
        hours = device, int(since // HOUR_S), math.ceil(until / HOUR_S)
        if (connection.execute(query, hours).fetchone()[0] or 0) <= MAX_SINGLE:
            totals = _single(connection, names, device, since, until, buckets)
            return [_bucket(connection, names, since + n * width, width, totals.get(n)) for n in range(buckets)]
    span = "day" if width >= DAY_S else "hour"
    seconds = SPANS[span]
    first, last = int(since // seconds), math.ceil(until / seconds)
    each = max(1, math.ceil((last - first) / buckets))
    sums = ", ".join(f"sum({name})" for name in _COLUMNS[:-1])
    query = f"""SELECT ({span} - ?1) / ?2, {sums}, '[' || group_concat(classes) || ']' FROM {span}
        WHERE device = ?3 AND {span} >= ?1 AND {span} < ?4 GROUP BY 1"""
    totals = {number: _totals(row) for number, *row in connection.execute(query, (first, each, device, last))}
    return [
        _bucket(connection, names, float((first + n * each) * seconds), float(each * seconds), totals.get(n))
        for n in range(math.ceil((last - first) / each))
    ]


def _single(
    connection: sqlite3.Connection, names: Names, device: int, since: float, until: float, buckets: int
) -> dict[int, Totals]:
    """Return the totals of single readings and statuses by the number of their bucket."""
    totals: defaultdict[int, Totals] = defaultdict(Totals)
    begin, end = math.ceil(since * MICROSECONDS), math.ceil(until * MICROSECONDS)

    def bucket(key: int) -> Totals:
        return totals[(key - begin) * buckets // (end - begin)]

    query = "SELECT task, label, key FROM class"
    classes = {(task, label): key for task, label, key in connection.execute(query)}
    span = device, begin, end
    query = """SELECT reading.key, answered_by, lost, ber, snr_db, class, tasks FROM reading
        WHERE device = ? AND key >= ? AND key < ?"""
    for key, answered_by, lost, ber, snr_db, own, tasks in connection.execute(query, span):
        shown = [] if own is None else [own]
        shown += [classes[task, label or ""] for task, label in task_labels(tasks).items()]
        bucket(key).add_reading(names.of("text", connection, answered_by) == "board", lost, ber, snr_db, shown)
    query = "SELECT key, battery_v FROM status WHERE device = ? AND key >= ? AND key < ?"
    for key, battery_v in connection.execute(query, span):
        bucket(key).add_battery(battery_v)
    return totals


def _totals(row: Sequence) -> Totals:
    """Return the totals of columns, the last of which is a JSON list of counts by class."""
    *sums, classes = row
    found: dict[str, int] = {}  # a month of hours has 10,000 counts: a Counter of integers takes four times as long
    for counts in json.loads(classes):
        for one, count in counts.items():
            found[one] = found.get(one, 0) + count
    by_class = Counter({int(one): count for one, count in found.items()})
    return Totals(**dict(zip(_COLUMNS[:-1], sums, strict=True)), classes=by_class)


def _bucket(
    connection: sqlite3.Connection, names: Names, start: float, width: float, found: Totals | None
) -> HistoryBucket:
    def mean(total: float, count: int) -> float | None:
        return total / count if count else None

    totals = found or Totals()
    counts = []
    for one, count in totals.classes.most_common():
        task, label = names.of("class", connection, one)
        counts.append(ClassCount(task or None, label or None, count))
    return HistoryBucket(
        start,
        start + width,
        totals.readings,
        totals.by_board,
        totals.lost,
        mean(totals.ber, totals.readings),
        mean(totals.snr_db, totals.snr_readings),
        mean(totals.battery_v, totals.battery_statuses),
        tuple(counts),
    )
