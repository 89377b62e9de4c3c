"""A serial port by URL, read without waiting for more than has come."""

import io
import os
import select
from types import TracebackType
from urllib.parse import urlsplit

import serial

from host.errors import PortError

WRITE_TIMEOUT_S = 10.0
READ_BYTES = 1 << 16


class Port:
    """Anything that pyserial's serial_for_url opens: /dev/ttyUSB0, COM3, socket://HOST:PORT, loop://.

    dtr_rts: whether DTR and RTS are held while it is open, as the operating system does; a board's own USB may wait for
    DTR, while some adapters wire RTS to a board's reset. PortError when it cannot be opened, is in use, or has gone.
    """

    def __init__(self, url: str, baud: int = 115200, dtr_rts: bool = True) -> None:
        self.url = url
        self.baud = baud
        if url.startswith("socket://") and not _has_port(url):
            raise PortError(f"cannot open {url}: a socket is socket://HOST:PORT")
        try:
            self._serial = serial.serial_for_url(
                url, do_not_open=True, baudrate=baud, exclusive=True, write_timeout=WRITE_TIMEOUT_S
            )
            if not dtr_rts:
                self._serial.dtr = self._serial.rts = False
            self._serial.open()
        except (serial.SerialException, ValueError, OSError) as error:
            raise PortError(f"cannot open {url}: {_reason(error)}") from None
        try:
            self._fd = self._serial.fileno() if os.name == "posix" else None
        except io.UnsupportedOperation:
            self._fd = None

    def read(self, seconds: float) -> bytes:
        """What has come, as soon as there is any; nothing when nothing came for so many seconds."""
        try:
            if self._fd is None:
                return self._read_by_pyserial(seconds)
            ready, _, _ = select.select([self._fd], [], [], max(0.0, seconds))
            if not ready:
                return b""
            # Not serial.read(): it drops what it has when the line ends in the middle.
            data = os.read(self._fd, READ_BYTES)
        except (serial.SerialException, OSError) as error:
            raise PortError(f"lost {self.url}: {_reason(error)}") from None
        if not data:
            raise PortError(f"lost {self.url}: the line was closed (unplugged?)")
        return data

    def _read_by_pyserial(self, seconds: float) -> bytes:
        self._serial.timeout = max(0.0, seconds)
        return self._serial.read(max(1, self._serial.in_waiting))

    def write(self, data: bytes) -> None:
        """Send it all."""
        try:
            self._serial.write(data)
        except (serial.SerialException, OSError) as error:
            raise PortError(f"lost {self.url}: {_reason(error)}") from None

    def close(self) -> None:
        """Give the port back."""
        self._serial.close()

    def __enter__(self) -> "Port":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _has_port(url: str) -> bool:
    """Whether a socket:// URL names a port, without which pyserial's own words are a riddle."""
    try:
        return urlsplit(url).port is not None
    except ValueError:
        return False


def _reason(error: Exception) -> str:
    """The system's own words, which pyserial wraps in its own."""
    cause = error.__context__ if isinstance(error.__context__, OSError) else error
    return getattr(cause, "strerror", None) or str(error)
