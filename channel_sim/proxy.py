"""The live proxy: sits between a board and a host and corrupts what the board sends. POSIX only (select)."""

import contextlib
import io
import os
import select
import socket
import threading
from types import TracebackType
from urllib.parse import urlsplit

import serial

from channel_sim.channel import Channel
from channel_sim.ends import listen
from channel_sim.stream import Statistics, Stream

READ_BYTES = 1 << 16
# A host that does not read is a wire that nobody listens to: beyond this, bytes fall on the floor.
MAX_UNREAD_BYTES = 1 << 20


class ProxyError(Exception):
    """One line that says which end is missing or has gone."""


class Proxy:
    """Passes bytes between a board and a host; the uplink (board -> host) goes through a channel.

    `with Proxy("socket://localhost:4000", BitFlips(0.05), seed=1) as proxy:` runs it in a thread; the host
    then opens `proxy.url`. The damage depends only on the channel, the seed and the bytes that the board
    has sent since the proxy was opened, not on their timing, and goes on while no host is there.

    board_url: anything that pyserial's serial_for_url opens and that has a file descriptor (a device, socket://).
    listen_on: tcp://HOST:PORT (port 0: any free one) or pty. Raises ProxyError when an end cannot be opened,
    ValueError for a channel that needs whole frames. `failure` is a line of text once the board has gone.
    """

    def __init__(
        self,
        board_url: str,
        channel: Channel,
        seed: int = 0,
        listen_on: str = "tcp://127.0.0.1:0",
        baud: int = 115200,
    ) -> None:
        self._stream = Stream(channel, seed)
        self._board_url = board_url
        self._board = _open_board(board_url, baud)
        try:
            self._host = listen(listen_on)
        except (OSError, ValueError) as error:
            self._board.close()
            raise ProxyError(str(error)) from None
        self._wake, self._alarm = socket.socketpair()
        self._up, self._down = bytearray(), bytearray()  # to the host, to the board
        self._thread: threading.Thread | None = None
        self.url = self._host.url
        self.bytes_down = 0
        self.failure: str | None = None

    @property
    def statistics(self) -> Statistics:
        """What the uplink has gone through so far."""
        return self._stream.statistics

    def __enter__(self) -> "Proxy":
        self._thread = threading.Thread(target=self.run, name="channel_sim.proxy", daemon=True)
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
        """Close both ends."""
        self._host.close()
        self._board.close()
        self._wake.close()
        self._alarm.close()

    def run(self) -> None:
        """Pass bytes until `stop` is called or the board has gone (then `failure` says so)."""
        try:
            while self._step():
                pass
        except OSError as error:
            self.failure = f"the board at {self._board_url} has gone: {error.strerror or error}"
            self._host.hang_up()

    def _step(self) -> bool:
        """Wait for bytes and pass them on; False when it is time to stop. OSError when the board has gone."""
        stop, board = self._wake.fileno(), self._board.fileno()
        host, knock = self._host.fd, self._host.waiting_fd
        sources = [fd for fd in (stop, board, knock) if fd is not None]
        if host is not None and len(self._down) < MAX_UNREAD_BYTES:
            sources.append(host)
        sinks = ([board] if self._down else []) + ([host] if self._up and host is not None else [])
        ready, _, _ = select.select(sources, sinks, [])
        if stop in ready:
            return False
        if board in ready:
            self._read_board(board)
        if knock in ready:
            self._host.accept()
        elif host in ready:
            self._read_host(host)
        self._write_host()
        _send(board, self._down)
        return True

    def _read_board(self, board: int) -> None:
        data = os.read(board, READ_BYTES)
        if not data:
            raise ConnectionResetError(0, "the line was closed")
        damaged = self._stream.feed(data)
        if self._host.fd is not None and len(self._up) < MAX_UNREAD_BYTES:
            self._up += damaged

    def _read_host(self, host: int) -> None:
        try:
            data = os.read(host, READ_BYTES)
        except ConnectionError:
            data = b""
        if not data:
            self._host.hang_up()
        self._down += data
        self.bytes_down += len(data)

    def _write_host(self) -> None:
        if self._host.fd is None:
            self._up.clear()
            return
        try:
            _send(self._host.fd, self._up)
        except ConnectionError:
            self._host.hang_up()


def _send(fd: int, waiting: bytearray) -> None:
    """Write what goes without waiting, and take it out of the buffer."""
    if waiting:
        with contextlib.suppress(BlockingIOError):
            del waiting[: os.write(fd, waiting)]


def _open_board(url: str, baud: int) -> serial.SerialBase:
    try:
        if url.startswith("socket://") and urlsplit(url).port is None:
            raise ValueError("a socket is socket://HOST:PORT")
        board = serial.serial_for_url(url, baudrate=baud, exclusive=True)
    except (serial.SerialException, ValueError, OSError) as error:
        raise ProxyError(f"cannot open the board at {url}: {_reason(error)}") from None
    try:
        fd = board.fileno()
    except io.UnsupportedOperation:
        board.close()
        raise ProxyError(f"cannot wait on {url}: give a serial device or socket://HOST:PORT") from None
    if url.startswith("socket://"):
        # pyserial keeps its socket to itself, but the option belongs to the connection, not to the number.
        with socket.socket(fileno=os.dup(fd)) as line:
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return board


def _reason(error: Exception) -> str:
    """The system's own words, which pyserial wraps in its own."""
    cause = error.__context__ if isinstance(error.__context__, OSError) else error
    return getattr(cause, "strerror", None) or str(error)
