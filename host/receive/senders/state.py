"""State file: what a host remembers of its senders across restarts, in one SQLite file."""

import contextlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from host.errors import HostError
from host.receive.secured.devices import Accepted
from host.receive.senders.registry import Key
from host.receive.senders.rhythm import Rhythm
from host.receive.senders.track import Certainty, Image, Track
from host.receive.sources import Counter, Source, new_token

APPLICATION_ID = 0x494E4B4C  # "INKL", in the header of the file
VERSION = 2
_SCHEMA = """
CREATE TABLE source(device INTEGER, model_id TEXT, state TEXT NOT NULL, PRIMARY KEY(device, model_id)) WITHOUT ROWID;
CREATE TABLE image(
    device INTEGER, model_id TEXT, number INTEGER, chunk INTEGER, clean INTEGER NOT NULL, bits BLOB NOT NULL,
    PRIMARY KEY(device, model_id, number, chunk)
) WITHOUT ROWID;
"""
# Tables that files of version 1 lack. accepted: of devices with a key. link: the bit error rate of a device's link to a
# gateway. packet, record: what a site has given out, and for which packets (`host.site.outbox`).
_LATER = """
CREATE TABLE IF NOT EXISTS accepted(
    device INTEGER PRIMARY KEY, key_mark TEXT NOT NULL, counter INTEGER NOT NULL, boots INTEGER NOT NULL,
    uptime_s INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS link(
    device INTEGER, model_id TEXT, gateway TEXT, state TEXT NOT NULL, PRIMARY KEY(device, model_id, gateway)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS record(
    position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, content TEXT NOT NULL, handled INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS unhandled ON record(position) WHERE handled = 0;
CREATE TABLE IF NOT EXISTS packet(position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, record TEXT);
"""
_COUNTS = ("received", "images", "lost", "duplicates", "late", "top", "token")
_TRACK = ("newest", "first", "support", "idle", "gap")


Statement = tuple[str, Sequence[Sequence[Any]]]  # SQL, and the values of each of its executions


class StateFile:
    """The sources of a host in a file, and what it accepted of devices with a key. No other process can use the file.

    Each `save` is complete or not done at all, also if the process is killed. Times are Unix times in the file and
    those of `clock` in memory. for_keys: there are devices with a key. Then each save is on the disk when it returns,
    so that a power cut undoes nothing, and only its owner can read a new file, which contains what was encrypted.
    """

    def __init__(
        self,
        path: Path,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        for_keys: bool = False,
    ) -> None:
        """Open a state file, or make it. Raises HostError if it is in use, damaged, or of another program."""
        self.path, self._clock, self._wall_clock = path, clock, wall_clock
        self._saved: dict[Key, set[tuple[int, int]]] = {}  # numbers and chunks of the images in the file
        self._accepted: dict[int, Accepted] = {}  # as in the file
        try:
            if for_keys:
                with contextlib.suppress(OSError):  # SQLite names the reason
                    path.touch(mode=0o600)
            # A program may open the file in one thread and hand it over to another.
            self._file = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise self._error(error) from None
        try:
            self._open(for_keys)
        except sqlite3.Error as error:
            self._file.close()
            raise self._error(error) from None

    def load(self) -> dict[Key, Source]:
        """Return the sources in the file, by device and model_id. Raises HostError if the file is damaged."""
        before = self._wall_clock() - self._clock()  # Unix time at 0 of the clock
        sources: dict[Key, Source] = {}
        try:
            bits: dict[Key, dict[int, dict[int, tuple[np.ndarray, bool]]]] = {}
            for device, model_id, number, chunk, clean, blob in self._file.execute("SELECT * FROM image"):
                chunks = bits.setdefault((device, model_id), {}).setdefault(number, {})
                chunks[chunk] = np.frombuffer(blob, np.int8), bool(clean)
                self._saved.setdefault((device, model_id), set()).add((number, chunk))
            for device, model_id, state in self._file.execute("SELECT * FROM source"):
                key = int(device), str(model_id)
                self._saved.setdefault(key, set())
                sources[key] = _source(json.loads(state), bits.get(key, {}), before, self._clock())
        except (sqlite3.Error, ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._error(error) from None
        return sources

    def load_accepted(self) -> dict[int, Accepted]:
        """Return what was accepted of devices with a key, by device. Raises HostError if the file is damaged."""
        try:
            rows = self._file.execute("SELECT device, key_mark, counter, boots, uptime_s FROM accepted").fetchall()
            self._accepted = {int(device): Accepted(str(mark), *map(int, rest)) for device, mark, *rest in rows}
        except (sqlite3.Error, ValueError, TypeError) as error:
            raise self._error(error) from None
        return dict(self._accepted)

    def save(
        self,
        sources: Mapping[Key, Source],
        changed: set[Key],
        accepted: Mapping[int, Accepted] | None = None,
        others: Iterable[Statement] = (),
    ) -> None:
        """Write the changed ones of the sources, and delete those that are no longer there.

        accepted: of devices with a key; the file keeps that of others. others: changes of other tables. Raises
        HostError if the changes cannot be written, as on a full disk; the file then keeps what it had.
        """
        saved = dict(self._saved)
        try:
            self._file.execute("BEGIN")
            for key in changed & sources.keys():
                saved[key] = self._write(key, sources[key], saved.get(key, set()))
            for key in saved.keys() - sources.keys():
                del saved[key]
                for kind in ("source", "image"):
                    self._file.execute(f"DELETE FROM {kind} WHERE device = ? AND model_id = ?", key)
            new = {device: one for device, one in (accepted or {}).items() if self._accepted.get(device) != one}
            rows = [(device, *one) for device, one in new.items()]
            self._file.executemany("INSERT OR REPLACE INTO accepted VALUES(?, ?, ?, ?, ?)", rows)
            for statement, values in others:
                self._file.executemany(statement, values)
            self._file.execute("COMMIT")
        except sqlite3.Error as error:
            if self._file.in_transaction:
                self._file.execute("ROLLBACK")
            raise self._error(error) from None
        self._saved = saved
        self._accepted.update(new)

    def read(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query. Raises HostError if the file is damaged."""
        try:
            return self._file.execute(query).fetchall()
        except sqlite3.Error as error:
            raise self._error(error) from None

    def damaged(self) -> HostError:
        """Return the error that the contents of the file are not usable."""
        return _unusable(self.path, "its contents are damaged")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _open(self, for_keys: bool) -> None:
        execute = self._file.execute
        execute("PRAGMA locking_mode = EXCLUSIVE")
        execute("BEGIN EXCLUSIVE")
        (application,), (version,) = (
            execute("PRAGMA application_id").fetchone(),
            execute("PRAGMA user_version").fetchone(),
        )
        tables = execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if (application, version, tables) == (0, 0, 0):
            for statement in _SCHEMA.split(";"):
                execute(statement)
            execute(f"PRAGMA application_id = {APPLICATION_ID}")
        elif application != APPLICATION_ID:
            raise sqlite3.DatabaseError("it is a file of another program")
        elif version not in (1, VERSION):
            raise sqlite3.DatabaseError(f"it has version {version}, and this program reads up to version {VERSION}")
        for statement in _LATER.split(";"):
            execute(statement)
        execute(f"PRAGMA user_version = {VERSION}")
        execute("COMMIT")
        # With NORMAL, commits need no wait for the disk. A power cut may undo the last ones, but never tears the file.
        execute("PRAGMA journal_mode = WAL")
        execute(f"PRAGMA synchronous = {'FULL' if for_keys else 'NORMAL'}")

    def _write(self, key: Key, source: Source, saved: set[tuple[int, int]]) -> set[tuple[int, int]]:
        """Write a source, and the difference between its images and those saved before; return its images."""
        images = {
            (image.number, chunk): (clean, bits)
            for track in source.tracks
            for image in track.images.values()
            for chunk, (bits, clean) in image.chunks.items()
        }
        for number, chunk in saved - images.keys():
            self._file.execute(
                "DELETE FROM image WHERE device = ? AND model_id = ? AND number = ? AND chunk = ?",
                (*key, number, chunk),
            )
        for number, chunk in images.keys() - saved:
            clean, bits = images[number, chunk]
            self._file.execute(
                "INSERT INTO image VALUES(?, ?, ?, ?, ?, ?)", (*key, number, chunk, clean, bits.tobytes())
            )
        state = json.dumps(_state(source, self._wall_clock() - self._clock()))
        self._file.execute("INSERT OR REPLACE INTO source VALUES(?, ?, ?)", (*key, state))
        return set(images)

    def _error(self, error: Exception) -> HostError:
        if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
            return HostError(f"state file {self.path} is in use by another process: give each process its own file")
        if isinstance(error, sqlite3.OperationalError):
            return HostError(f"cannot use state file {self.path}: {error}")
        reason = error if isinstance(error, sqlite3.Error) else "its contents are damaged"
        return _unusable(self.path, reason)


def read_counter(path: Path, device: int, key_mark: str) -> int | None:
    """Return the largest counter that was accepted of a device with this key.

    None if there is none, or if the file is missing or in use by a receiving process, which keeps others out. Raises
    HostError if it is damaged.
    """
    if not path.exists():
        return None
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=0)) as file:
            query = "SELECT counter FROM accepted WHERE device = ? AND key_mark = ? AND counter >= 0"
            row = file.execute(query, (device, key_mark)).fetchone()
    except sqlite3.OperationalError:  # in use, or without the table
        return None
    except sqlite3.Error as error:
        raise _unusable(path, error) from None
    return int(row[0]) if row else None


def _unusable(path: Path, reason: object) -> HostError:
    return HostError(f"{path} is not a usable state file ({reason}): name another file, or delete it to begin anew")


def _state(source: Source, before: float) -> dict[str, Any]:
    """Return a source without the bits of its images, as JSON has it. `before` is added to all times."""
    counter = source.last_counter
    return {
        **{name: getattr(source, name) for name in _COUNTS},
        "certainty": int(source.certainty),
        "first_heard": source.first_heard + before,
        "heard": source.heard + before,
        "rhythm": source.rhythm.samples,
        "counter": counter and counter._replace(time=counter.time + before),
        "tracks": [
            {
                **{name: getattr(track, name) for name in _TRACK},
                "heard": track.heard + before,
                "began": track.began + before,
                "images": [[index, image.number, image.heard + before] for index, image in track.images.items()],
            }
            for track in source.tracks
        ],
    }


def _source(
    state: dict[str, Any], bits: dict[int, dict[int, tuple[np.ndarray, bool]]], before: float, now: float
) -> Source:
    """Return the source of a state; `before` is subtracted from all times, which are not after `now`."""

    def moment(unix: float) -> float:
        return min(float(unix) - before, now)

    tracks = [
        Track(
            **{name: int(track[name]) for name in _TRACK},
            heard=moment(track["heard"]),
            began=moment(track["began"]),
            images={
                int(index): Image(int(number), moment(heard), bits.get(number, {}))
                for index, number, heard in track["images"]
            },
        )
        for track in state["tracks"]
    ]
    return Source(
        received=int(state["received"]),
        images=int(state["images"]),
        lost=int(state["lost"]),
        duplicates=int(state["duplicates"]),
        late=int(state["late"]),
        top=int(state["top"]),
        token=str(state["token"]) if "token" in state else new_token(),
        certainty=Certainty(state["certainty"]),
        first_heard=moment(state["first_heard"]),
        heard=moment(state["heard"]),
        rhythm=Rhythm(map(float, state["rhythm"])),
        last_counter=_counter(state["counter"], moment),
        tracks=tracks,
    )


def _counter(saved: list[Any] | None, moment: Callable[[float], float]) -> Counter | None:
    """Return the counter in a state. One that an earlier version wrote has no time, and counts as reported long ago."""
    if not saved:
        return None
    value, images, lost, certainty, *time_of_report = saved
    reported = moment(time_of_report[0] if time_of_report else 0.0)
    return Counter(int(value), int(images), int(lost), Certainty(certainty), reported)
