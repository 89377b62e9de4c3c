"""A serial port by URL, whose `read` returns as soon as any bytes are available."""

import io
import os
import re
import select
import sys
import time
from types import TracebackType
from urllib.parse import urlsplit

import serial

from host.errors import HostError, PortError
from wire import BAUD
from wire.system import holders, is_closed, keep_alive, reason

if sys.platform == "win32":
    TerminalError = OSError
else:
    from termios import error as TerminalError  # which is not an OSError

WRITE_TIMEOUT_S = 10.0
READ_BYTES = 1 << 16
SHARED_S = 0.01  # pause after another program has taken what arrived


class Port:
    """A port that pyserial's serial_for_url opens: /dev/ttyUSB0, COM3, socket://HOST:PORT, loop://.

    dtr_rts: assert DTR and RTS while the port is open, as the operating system does. The USB of some boards waits for
    DTR; some adapters connect RTS to a board's reset. Raises PortError if the port is missing, in use or disconnected,
    and HostError for a URL or a baud rate that no port can have.
    """

    def __init__(self, url: str, baud: int = BAUD, dtr_rts: bool = True) -> None:
        self.url = url
        self.baud = baud
        self._taken = 0  # wake-ups at which another program was faster to read what had arrived
        if url.startswith("socket://") and not _has_port_number(url):
            raise HostError(f"cannot open {url}: expected socket://HOST:PORT")
        try:
            self._serial = _configured(url, baud)
            if not dtr_rts:
                self._serial.dtr = self._serial.rts = False
            if url.startswith("socket://"):
                # open() discards what a UART received before. A peer may send as soon as it is connected.
                self._serial.reset_input_buffer = lambda: None  # type: ignore[method-assign]
            self._serial.open()
        except (OSError, TerminalError) as error:  # TerminalError: unplugged while being opened
            raise PortError(f"cannot open {url}: {reason(error, url)}") from None
        except (ValueError, re.error) as error:
            raise HostError(f"cannot open {url}: {error}") from None
        except OverflowError:  # the only number that the operating system gets
            raise HostError(f"cannot open {url}: invalid baud rate {baud}") from None
        line = getattr(self._serial, "_socket", None)  # of socket:// and rfc2217://; pyserial has no public name for it
        if line is not None:
            keep_alive(line, acknowledges=True)
        try:
            self._fd = self._serial.fileno() if os.name == "posix" else None
        except io.UnsupportedOperation:
            self._fd = None

    def read(self, timeout_s: float) -> bytes:
        """Return the available bytes, after waiting up to `timeout_s` for the first; b"" if there are none."""
        deadline = time.monotonic() + timeout_s
        try:
            if self._fd is None:
                return self._read_by_pyserial(timeout_s)
            while select.select([self._fd], [], [], max(0.0, deadline - time.monotonic()))[0]:
                # Serial.read() would drop the bytes that it has when the port is disconnected.
                data = _read_now(self._fd)
                if data:
                    return data
                if is_closed(self._fd):
                    raise self._disconnected("the line was closed (unplugged?)")
                self._taken += 1
                time.sleep(SHARED_S)
        except (OSError, TerminalError) as error:
            raise self._disconnected(reason(error, self.url)) from None
        return b""

    def _read_by_pyserial(self, timeout_s: float) -> bytes:
        self._serial.timeout = max(0.0, timeout_s)
        return self._serial.read(max(1, self._serial.in_waiting))

    def other_readers(self) -> list[str]:
        """Return the programs that take bytes from this port, too. Empty where the system does not tell."""
        return holders(self.url) if self._taken else []

    def write(self, data: bytes) -> None:
        """Send all bytes."""
        try:
            self._serial.write(data)
        except (OSError, TerminalError) as error:
            raise self._disconnected(reason(error, self.url)) from None

    def close(self) -> None:
        """Close the port."""
        self._serial.close()

    def __enter__(self) -> "Port":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _disconnected(self, cause: str) -> PortError:
        return PortError(f"lost {self.url}: {cause}")


def _configured(url: str, baud: int) -> serial.Serial:
    """Return a port that is not open yet. Raises ValueError for an invalid URL."""
    if baud < 1:  # pyserial takes 0, which hangs up
        raise ValueError(f"invalid baud rate {baud}")
    # RFC 2217 has no limit for a write.
    limit_s = None if url.startswith("rfc2217://") else WRITE_TIMEOUT_S
    return serial.serial_for_url(url, do_not_open=True, baudrate=baud, exclusive=True, write_timeout=limit_s)


def _read_now(fd: int) -> bytes:
    """Return the available bytes; b"" if another program has taken them, or if the line is closed."""
    try:
        return os.read(fd, READ_BYTES)
    except BlockingIOError:
        return b""


def _has_port_number(url: str) -> bool:
    """Return True if a socket:// URL has a valid port number. (pyserial's own message is unclear.)"""
    try:
        return urlsplit(url).port is not None
    except ValueError:
        return False
