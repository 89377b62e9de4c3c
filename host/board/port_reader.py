"""Reading of a port for as long as a program runs, through its losses and returns."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from host.board.port import Port
from host.errors import PortError
from wire import BAUD
from wire.frame import QUIET_S
from wire.text import printable

log = logging.getLogger(__name__)

RETRY_S = 1.0
POLL_S = 0.1


@dataclass
class PortState:
    """What is known of a port, for other threads to read."""

    name: str  # its URL
    connected: bool = False
    heard: float | None = None  # when something arrived last, by time.monotonic()
    problem: str = ""  # why it is not connected


@dataclass(frozen=True)
class PortEvents:
    """What a PortReader calls, in its thread.

    data: gets the bytes, and b"" once after a silence or at the end of a connection. lost: gets the reason, each once.
    found: the port is back.
    """

    data: Callable[[bytes], None]
    lost: Callable[[str], None]
    found: Callable[[], None]


class PortReader:
    """Reader of one port, which waits for it while it is missing. `run` is for a thread of its own."""

    def __init__(
        self,
        state: PortState,
        events: PortEvents,
        stopped: threading.Event,
        baud: int = BAUD,
        dtr_rts: bool = True,
    ) -> None:
        self.state = state
        self._events, self._stopped = events, stopped
        self._baud, self._dtr_rts = baud, dtr_rts

    def open(self) -> Port:
        """Open the port. Raises as Port does."""
        return Port(self.state.name, self._baud, self._dtr_rts)

    def run(self) -> None:
        """Read until stopped. Raises HostError for a URL or baud rate that no port can have."""
        while not self._stopped.is_set():
            try:
                with self.open() as port:
                    self.state.connected = True
                    if self.state.problem:
                        self.state.problem = ""
                        self._events.found()
                    else:
                        log.info("%s: opened", printable(self.state.name))
                    self._read(port)
            except PortError as error:
                self.state.connected = False
                if self.state.problem != str(error):
                    self.state.problem = str(error)
                    self._events.lost(str(error))
                self._stopped.wait(RETRY_S)

    def _read(self, port: Port) -> None:
        last, flushed = time.monotonic(), True
        try:
            while not self._stopped.is_set():
                data = port.read(POLL_S)
                now = time.monotonic()
                if data:
                    self.state.heard = last = now
                    flushed = False
                    self._events.data(data)
                elif not flushed and now - last >= QUIET_S:
                    flushed = True
                    self._events.data(b"")
        finally:
            if not flushed:
                self._events.data(b"")
