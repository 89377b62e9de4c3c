"""SQLite file of the store: its location, its connections, and its errors as one line."""

import contextlib
import os
import queue
import sqlite3
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from host.errors import HostError
from host.keys.lock import locked
from host.store.schema import SchemaError, check_current, migrate

BUSY_S = 10.0  # wait for a lock of another process
CACHE_KIB = 32_768  # of the writer: the ends of all indexes, for some hundred devices
WAL_BYTES = 64 << 20  # the file of new pages is cut to this size once they are in the main file


def default_path() -> Path:
    """Return the store that commands use unless another is named. It need not exist."""
    if sys.platform == "win32":
        folder = os.environ.get("LOCALAPPDATA") or os.path.expanduser("~\\AppData\\Local")
    else:
        folder = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return Path(folder) / "inkling" / "readings.sqlite3"


class Database:
    """One file, with one connection that writes and as many that read as there are threads that read at once.

    Every sqlite3.Error is raised as HostError. A transaction that fails changes nothing.
    """

    def __init__(self, path: Path, read_only: bool = False) -> None:
        """Open a store. Unless `read_only`, make it if it is missing and convert it if it is older.

        Raises HostError if another process writes it, or if it is damaged, of another program or another version.
        """
        self.path = path
        self.lock = threading.RLock()  # of the connection that writes
        self._idle: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue()
        self._resources = contextlib.ExitStack()
        self._writer: sqlite3.Connection | None = None
        with self._errors(), contextlib.ExitStack() as opening:
            if read_only:
                if not path.is_file():
                    raise HostError(f"there is no store {path}: inkling serve makes it, or name another with --store")
                check_current(connection := self._connect())
                self._idle.put(connection)
            else:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._become_only_writer(opening)
                if not path.exists():
                    path.touch(mode=0o600)  # readings of secured frames are stored as they were decrypted
                self._writer = sqlite3.connect(path, BUSY_S, isolation_level=None, check_same_thread=False)
                opening.callback(self._writer.close)
                self._writer.execute("PRAGMA secure_delete = OFF")  # some builds overwrite what they delete
                migrate(self._writer)
                # Commits need no wait for the disk: a power cut may undo the last ones, but tears nothing.
                self._writer.execute("PRAGMA synchronous = NORMAL")
                self._writer.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
                self._writer.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            self._resources = opening.pop_all()

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection in a transaction, which ends with the block, and is undone if the block raises."""
        if self._writer is None:
            raise HostError(f"store {self.path} is closed, or open for reading only")
        with self.lock, self._errors():
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection that no other thread uses, in a transaction: all queries see the same state."""
        with self._errors():
            try:
                connection = self._idle.get_nowait()
            except queue.Empty:
                connection = self._connect()
            try:
                connection.execute("BEGIN")
                yield connection
            except BaseException:
                connection.close()
                raise
            connection.execute("COMMIT")
            self._idle.put(connection)

    def vacuum(self, pages: int) -> None:
        """Give up to so many free pages back to the file system."""
        if self._writer:
            with self.lock, self._errors():
                self._writer.execute(f"PRAGMA incremental_vacuum({pages})").fetchall()

    def close(self) -> None:
        """Close the connections that are not in use, and let another process write."""
        with self._errors(), self.lock:
            self._writer = None
            while not self._idle.empty():
                self._idle.get_nowait().close()
            self._resources.close()

    def _connect(self) -> sqlite3.Connection:
        uri = f"{self.path.absolute().as_uri()}?mode=ro"
        return sqlite3.connect(uri, BUSY_S, isolation_level=None, check_same_thread=False, uri=True)

    def _become_only_writer(self, opening: contextlib.ExitStack) -> None:
        try:
            opening.enter_context(locked(self.path))
        except HostError:
            raise HostError(f"store {self.path} is in use by another process: give each process its own") from None

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except SchemaError as error:
            raise HostError(f"store {self.path} cannot be used: {error}") from None
        except sqlite3.Error as error:
            raise HostError(f"store {self.path} {_reason(error)}") from None
        except OSError as error:
            raise HostError(f"store {self.path} cannot be used: {error.strerror}") from None


def _reason(error: sqlite3.Error) -> str:
    code = error.sqlite_errorcode & 0xFF if hasattr(error, "sqlite_errorcode") else None
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return "is locked by another process: end it, or try again"
    if code == sqlite3.SQLITE_FULL:
        return "cannot be written: the disk is full"
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return f"is damaged or no store ({error}): move it away to begin anew"
    return f"cannot be used: {error}"
