"""Reading ahead of a busy program, so that the times of arrival are those of the bytes, not of their handling."""

import contextlib
import queue
import threading
import time
from types import TracebackType

from host.board.port import Port

POLL_S = 0.1
MOST_WAITING = 256  # pieces of up to 64 KiB; beyond, the port's own buffer has to hold what arrives


class ReadAhead:
    """Reader of an open port in a thread of its own, until the end of the block. The port must outlast the block."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._pieces: queue.Queue[tuple[bytes, float] | BaseException] = queue.Queue(MOST_WAITING)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"read {port.url}", daemon=True)

    def __enter__(self) -> "ReadAhead":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._stopped.set()
        self._thread.join()

    def read(self, timeout_s: float) -> tuple[bytes, float]:
        """Return the next bytes and the time.monotonic() of their arrival; b"" and the present time if there are none.

        Waits up to `timeout_s`. Raises PortError if the port was disconnected after all bytes that were returned.
        """
        try:
            piece = self._pieces.get(timeout=timeout_s)
        except queue.Empty:
            return b"", time.monotonic()
        if isinstance(piece, BaseException):
            raise piece
        return piece

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                if data := self._port.read(POLL_S):
                    self._put((data, time.monotonic()))
        except BaseException as error:  # raised again by `read`
            self._put(error)

    def _put(self, piece: tuple[bytes, float] | BaseException) -> None:
        while not self._stopped.is_set():
            with contextlib.suppress(queue.Full):
                self._pieces.put(piece, timeout=POLL_S)
                return
