"""A serial port by URL, whose `read` returns as soon as any bytes are available."""

import io
import os
import select
from types import TracebackType
from urllib.parse import urlsplit

import serial

from host.errors import PortError
from wire import BAUD

WRITE_TIMEOUT_S = 10.0
READ_BYTES = 1 << 16


class Port:
    """A port that pyserial's serial_for_url opens: /dev/ttyUSB0, COM3, socket://HOST:PORT, loop://.

    dtr_rts: assert DTR and RTS while the port is open, as the operating system does. The USB of some boards waits for
    DTR; some adapters connect RTS to a board's reset. Raises PortError if the port is missing, busy or disconnected.
    """

    def __init__(self, url: str, baud: int = BAUD, dtr_rts: bool = True) -> None:
        self.url = url
        self.baud = baud
        if url.startswith("socket://") and not _has_port_number(url):
            raise PortError(f"cannot open {url}: expected socket://HOST:PORT")
        try:
            self._serial = serial.serial_for_url(
                url, do_not_open=True, baudrate=baud, exclusive=True, write_timeout=WRITE_TIMEOUT_S
            )
            if not dtr_rts:
                self._serial.dtr = self._serial.rts = False
            if url.startswith("socket://"):
                # open() discards what a UART received before. A peer may send as soon as it is connected.
                self._serial.reset_input_buffer = lambda: None  # type: ignore[method-assign]
            self._serial.open()
        except (serial.SerialException, ValueError, OSError) as error:
            raise PortError(f"cannot open {url}: {_reason(error)}") from None
        except OverflowError:  # the only number that the operating system gets
            raise PortError(f"cannot open {url}: invalid baud rate {baud}") from None
        try:
            self._fd = self._serial.fileno() if os.name == "posix" else None
        except io.UnsupportedOperation:
            self._fd = None

    def read(self, timeout_s: float) -> bytes:
        """Return the available bytes, after waiting up to `timeout_s` for the first; b"" if there are none."""
        try:
            if self._fd is None:
                return self._read_by_pyserial(timeout_s)
            ready, _, _ = select.select([self._fd], [], [], max(0.0, timeout_s))
            if not ready:
                return b""
            # Serial.read() would drop the bytes that it has when the port is disconnected.
            data = os.read(self._fd, READ_BYTES)
        except (serial.SerialException, OSError) as error:
            raise self._disconnected(_reason(error)) from None
        if not data:
            raise self._disconnected("the line was closed (unplugged?)")
        return data

    def _read_by_pyserial(self, timeout_s: float) -> bytes:
        self._serial.timeout = max(0.0, timeout_s)
        return self._serial.read(max(1, self._serial.in_waiting))

    def write(self, data: bytes) -> None:
        """Send all bytes."""
        try:
            self._serial.write(data)
        except (serial.SerialException, OSError) as error:
            raise self._disconnected(_reason(error)) from None

    def close(self) -> None:
        """Close the port."""
        self._serial.close()

    def __enter__(self) -> "Port":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _disconnected(self, reason: str) -> PortError:
        return PortError(f"lost {self.url}: {reason}")


def _has_port_number(url: str) -> bool:
    """Return True if a socket:// URL has a valid port number. (pyserial's own message is unclear.)"""
    try:
        return urlsplit(url).port is not None
    except ValueError:
        return False


def _reason(error: Exception) -> str:
    """Return the operating system's message, which pyserial wraps in its own."""
    cause = error.__context__ if isinstance(error.__context__, OSError) else error
    return getattr(cause, "strerror", None) or str(error)
