"""Packets on disk until the broker has them."""

import contextlib
import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from host.errors import HostError
from host.mqtt import topics
from host.mqtt.sender import Message
from host.site.packets import GatewayPacket

log = logging.getLogger(__name__)

VERSION = 1  # of the file, as PRAGMA user_version
# INTEGER PRIMARY KEY with AUTOINCREMENT: a number is never used twice, also after the newest packet was deleted.
SCHEMA = """
CREATE TABLE packets (
    key INTEGER PRIMARY KEY AUTOINCREMENT, site TEXT NOT NULL, gateway TEXT NOT NULL, boot TEXT NOT NULL,
    number INTEGER NOT NULL, time REAL NOT NULL, payload BLOB NOT NULL, crc_ok INTEGER, snr_db REAL, rssi_dbm REAL
);
CREATE INDEX packets_time ON packets (time);
"""
COLUMNS = "site, gateway, boot, number, time, payload, crc_ok, snr_db, rssi_dbm"
ROW_BYTES = 100  # of a packet on disk, beside its payload
CLOCK_STEP_S = 10.0  # a larger difference between the two clocks means that the system's clock was set
AGE_CHECK_S = 60.0


def _steady_clock() -> float:
    """Return seconds of a clock that nobody sets, and that counts suspensions where the system has such a clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class PacketBuffer:
    """Outbox on disk: one SQLite file for one process. What `add` has taken survives a kill of the process.

    The oldest packets are dropped when there are more than `most_bytes`, or when they are older than `most_s`. A
    machine without a battery-backed clock may receive packets before its clock is set: their times are corrected then.
    Raises HostError if the file cannot be used.
    """

    def __init__(
        self,
        path: Path,
        most_bytes: int,
        most_s: float,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = _steady_clock,
    ) -> None:
        self.path = path
        self._most_bytes, self._most_s = most_bytes, most_s
        self._clock, self._steady = clock, steady
        self._offset = clock() - steady()
        self._boots: set[str] = set()  # of packets of this process
        self._lock = threading.Lock()
        self._taken = 0  # key of the newest packet taken
        self._aged = float("-inf")  # when the ages were looked at
        self.dropped = 0  # by size or age
        self.not_stored = 0  # because of the disk
        with self._naming():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._open()

    def _open(self) -> None:
        self._database = sqlite3.connect(self.path, timeout=1.0, isolation_level=None, check_same_thread=False)
        run = self._database.execute
        # Only this process: two would send the same packets. In WAL mode, a commit survives a kill without waiting for
        # the disk; a loss of power may cost the last second.
        run("PRAGMA locking_mode = EXCLUSIVE")
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = NORMAL")
        version = run("PRAGMA user_version").fetchone()[0]
        if version == 0:
            self._database.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT")
        elif version != VERSION:
            raise HostError(f"{self.path} is of another version of Inkling ({version}): name another file by --buffer")
        count, size = run("SELECT count(*), coalesce(sum(length(payload)), 0) FROM packets").fetchone()
        self._count, self._bytes = count, size + count * ROW_BYTES

    def add(self, packets: Sequence[GatewayPacket]) -> None:
        """Add packets, all or none: if the disk does not take them, they are counted."""
        with self._lock:
            self._follow_clock()
            self._boots.update(packet.boot for packet in packets)
            rows = [
                (p.site, p.gateway, p.boot, p.number, p.time, p.payload, p.crc_ok, p.snr_db, p.rssi_dbm)
                for p in packets
            ]
            try:
                with self._transaction():
                    self._database.executemany(f"INSERT INTO packets ({COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?)", rows)
            except sqlite3.Error as error:
                if not self.not_stored:
                    log.warning("cannot write %s (%s): packets are lost", self.path, error)
                self.not_stored += len(packets)
                return
            self._count += len(packets)
            self._bytes += sum(ROW_BYTES + len(packet.payload) for packet in packets)
            self._drop_oldest()

    def take(self, most: int) -> Sequence[Message]:
        """Return the next packets, in the order of their arrival."""
        with self._lock:
            rows = self._database.execute(
                f"SELECT key, {COLUMNS} FROM packets WHERE key > ? ORDER BY key LIMIT ?", (self._taken, max(0, most))
            ).fetchall()
            if rows:
                self._taken = rows[-1][0]
        return [_message(*row) for row in rows]

    def sent(self, keys: Iterable[int]) -> None:
        """Delete packets."""
        with self._lock:
            try:
                self._delete("key = ?", [(key,) for key in keys])
            except sqlite3.Error as error:  # they are sent again, with the same ids
                log.warning("cannot delete packets in %s (%s)", self.path, error)

    def rewind(self) -> None:
        """Begin again with the oldest packet. Those that are too old are dropped."""
        with self._lock:
            self._taken, self._aged = 0, float("-inf")
            self._drop_oldest()

    @property
    def waiting(self) -> int:
        """The number of packets on disk."""
        return self._count

    def close(self) -> None:
        """Close the file. Packets that arrive later are counted as not stored."""
        with self._lock:
            self._database.close()

    def _drop_oldest(self) -> None:
        before, now = self._count, self._steady()
        if now - self._aged >= AGE_CHECK_S:
            self._aged = now
            self._delete("time < ?", [(self._clock() - self._most_s,)])
        while self._bytes > self._most_bytes and self._count:
            # A tenth at once, so that a full buffer is not emptied packet by packet.
            (key,) = self._database.execute(
                "SELECT max(key) FROM (SELECT key FROM packets ORDER BY key LIMIT ?)", (1 + self._count // 10,)
            ).fetchone()
            self._delete("key <= ?", [(key,)])
        if dropped := before - self._count:
            if not self.dropped:
                log.warning("packets have waited too long, or are too many: dropping the oldest")
            self.dropped += dropped

    def _delete(self, condition: str, values: Sequence[tuple[float]]) -> None:
        command = f"DELETE FROM packets WHERE {condition} RETURNING length(payload)"
        with self._transaction():
            sizes = [size for value in values for (size,) in self._database.execute(command, value)]
        self._count -= len(sizes)
        self._bytes -= sum(sizes) + ROW_BYTES * len(sizes)

    def _follow_clock(self) -> None:
        """If the clock of the system was set, correct the times of the packets of this process."""
        offset = self._clock() - self._steady()
        step = offset - self._offset
        if abs(step) < CLOCK_STEP_S:
            return
        self._offset = offset
        with self._transaction():
            self._database.executemany(
                "UPDATE packets SET time = time + ? WHERE boot = ?", [(step, boot) for boot in self._boots]
            )

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN")
        try:
            yield
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    @contextlib.contextmanager
    def _naming(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if "locked" in str(error):
                raise HostError(f"{self.path} is in use by another process: name another file by --buffer") from None
            raise HostError(
                f"cannot use {self.path} ({error}): move it away, or name another file by --buffer"
            ) from None
        except OSError as error:
            raise HostError(f"cannot make {error.filename or self.path}: {error.strerror}") from None


def _message(
    key: int,
    site: str,
    gateway: str,
    boot: str,
    number: int,
    time: float,
    payload: bytes,
    crc_ok: int | None,
    snr_db: float | None,
    rssi_dbm: float | None,
) -> Message:
    """Return the message of a packet, from its row."""
    packet = GatewayPacket(
        site, gateway, boot, number, time, payload, None if crc_ok is None else bool(crc_ok), snr_db, rssi_dbm
    )
    return Message(key, topics.packets(site, gateway), json.dumps(packet.as_json()).encode())
