"""Something that runs until it is told to stop, in a thread of its own if need be."""

import contextlib
import socket
import threading
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Background(ABC):
    """`with` starts `run` in a thread, stops it on the way out and closes what it had.

    `run` waits on `_wake`, among others, and returns when that can be read.
    """

    def __init__(self) -> None:
        self._wake, self._alarm = socket.socketpair()
        self._thread: threading.Thread | None = None

    @abstractmethod
    def run(self) -> None:
        """Work until `stop` is called."""

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.run, name=type(self).__module__, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self.wait()
        self.close()

    def stop(self) -> None:
        """Make `run` return; safe from any thread and from a signal handler."""
        with contextlib.suppress(OSError):
            self._alarm.send(b"!")

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the thread to end; True when it has."""
        if self._thread:
            self._thread.join(seconds)
        return self._thread is None or not self._thread.is_alive()

    def close(self) -> None:
        """Close what is open. Call it after `run` has returned."""
        self._wake.close()
        self._alarm.close()
