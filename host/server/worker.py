"""The work of one site: what its inputs receive goes through the site's engine, and records come out."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence

from host.errors import HostError
from host.site.engine import Site
from host.site.line import Line
from host.site.packets import GatewayPacket
from host.site.records import AnyRecord
from host.tasks.task import Task

log = logging.getLogger(__name__)

POLL_S = 0.05  # delay of what waits for the copies of other gateways, and of silences
MOST_AT_ONCE = 500  # pieces of input between two polls
# Input that waits, beyond which inputs have to wait, too: a serial port's own buffer, the network and the broker hold
# back what follows.
MOST_WAITING = 4096
Work = Callable[[], None]


class SiteWorker(threading.Thread):
    """Thread that owns a site's engine. Its other methods may be called from any thread.

    deliver: gets all records, and returns when they are safe. `on_settled` then gets the ids of their packets.
    """

    def __init__(self, site: Site, deliver: Callable[[Sequence[AnyRecord]], None]) -> None:
        super().__init__(name=f"site {site.name}", daemon=True)
        self.site = site
        self.on_settled: Callable[[Iterable[str]], None] = lambda ids: None
        self._deliver = deliver
        self._work: queue.Queue[Work | None] = queue.Queue(MOST_WAITING)
        self.failure: BaseException | None = None

    def feed(self, line: Line, data: bytes) -> None:
        """Take bytes of a line; none: the line has been silent."""
        self._put(lambda: line.feed(data) if data else line.flush())

    def lost(self, line: Line, reason: str) -> None:
        """Take note that a line is lost."""
        self._put(lambda: line.lost(reason))

    def found(self, line: Line) -> None:
        """Take note that a line is back."""
        self._put(line.found)

    def take(self, packet: GatewayPacket) -> None:
        """Take a gateway's packet."""
        self._put(lambda: self.site.take(packet))

    def use_task(self, task: Task) -> None:
        """Use a task from the next frame on, in place of one with its name."""
        self._put(lambda: self.site.use_task(task))

    def finish(self) -> None:
        """Do all that has been put, hand out the last records, and end."""
        self._put(None)
        self.join()

    def run(self) -> None:
        """Work until `finish`."""
        try:
            more = True
            while more:
                more = self._some()
                records = self.site.poll() if more else self.site.flush()
                self._deliver(records)
                self.on_settled(self.site.settled())
        except HostError as error:
            self.failure = error
        except BaseException as error:
            log.exception("site %s ended", self.site.name)
            self.failure = error

    def _put(self, work: Work | None) -> None:
        while self.failure is None:
            try:
                self._work.put(work, timeout=1.0)
                return
            except queue.Full:
                continue

    def _some(self) -> bool:
        """Do what comes for POLL_S, or MOST_AT_ONCE pieces. Return False at the end."""
        deadline = time.monotonic() + POLL_S
        for _ in range(MOST_AT_ONCE):
            try:
                work = self._work.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return True
            if work is None:
                return False
            work()
        return True
