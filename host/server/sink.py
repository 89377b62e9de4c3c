"""Where records go: into the store, to those who watch the page, to the broker."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from host.errors import HostError
from host.site.records import AnyRecord
from host.store.store import RefusedRecordsError, Store

log = logging.getLogger(__name__)

MOST_WAITING = 100_000  # records, while the store cannot be written
RETRY_S = 5.0
PRUNE_EVERY_S = 1.0
Taker = Callable[[AnyRecord], None]


class Sink:
    """Where records go: first into the store, then to all takers. From any thread.

    publishers are takers of records that are made here, not of those that come from a broker.

    While the store cannot be written, as on a full disk, records wait in memory, up to MOST_WAITING; takers get them
    at once. `missed` counts those that never got into the store.
    """

    def __init__(self, store: Store) -> None:
        self.takers: list[Taker] = []
        self.publishers: list[Taker] = []
        self._store = store
        self._lock = threading.Lock()
        self._unwritten: deque[AnyRecord] = deque()
        self._retry = self._prune = 0.0  # due, by time.monotonic()
        self.problem = ""  # why the store cannot be written
        self.missed = 0

    @property
    def waiting(self) -> int:
        """Records that are not in the store yet."""
        return len(self._unwritten)

    def deliver(self, records: Sequence[AnyRecord]) -> None:
        """Write records, unless the store cannot be written, and hand them on. Call it often, also with none."""
        self._take(records, [*self.takers, *self.publishers])

    def deliver_published(self, records: Sequence[AnyRecord]) -> None:
        """Do the same with records that are at the broker already."""
        self._take(records, self.takers)

    def _take(self, records: Sequence[AnyRecord], takers: Sequence[Taker]) -> None:
        now = time.monotonic()
        with self._lock:
            self._unwritten.extend(records)
            if self._unwritten and now >= self._retry:
                self._write(now)
            if now >= self._prune and not self.problem:
                self._prune = now + PRUNE_EVERY_S
                self._clean()
            for record in records:
                for take in takers:
                    take(record)

    def close(self) -> None:
        """Try a last time to write what waits."""
        with self._lock:
            if self._unwritten:
                self._write(time.monotonic())
            if self._unwritten:
                self.missed += len(self._unwritten)
                log.error("%d records were not written: %s", len(self._unwritten), self.problem)

    def _write(self, now: float) -> None:
        try:
            self._store.write(self._unwritten)
        except RefusedRecordsError as error:
            log.warning("%s", error)
        except HostError as error:
            if not self.problem:
                log.error("%s; readings wait in memory", error)
            self.problem, self._retry = str(error), now + RETRY_S
            while len(self._unwritten) > MOST_WAITING:
                self._unwritten.popleft()
                self.missed += 1
            return
        if self.problem:
            log.warning("the store can be written again")
            self.problem, self._retry = "", 0.0
        self._unwritten.clear()

    def _clean(self) -> None:
        try:
            self._store.prune()
        except HostError as error:
            log.warning("%s", error)
