"""A task that runs until it is stopped, optionally in its own thread."""

import contextlib
import socket
import threading
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Background(ABC):
    """A task with `run`, `stop` and `close`. A `with` block runs it in a thread.

    `run` has to wait on `_wake`, among others, and to return when that becomes readable.
    """

    def __init__(self) -> None:
        self._wake, self._alarm = socket.socketpair()
        self._thread: threading.Thread | None = None

    @abstractmethod
    def run(self) -> None:
        """Run until `stop` is called."""

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
        """Make `run` return. Safe from any thread and from signal handlers."""
        with contextlib.suppress(OSError):
            self._alarm.send(b"!")

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the thread to end. Return True if it has ended."""
        if self._thread:
            self._thread.join(seconds)
        return self._thread is None or not self._thread.is_alive()

    def close(self) -> None:
        """Release resources. Call it after `run` has returned."""
        self._wake.close()
        self._alarm.close()
