"""The live proxy between a board and a host: corrupts the bytes from the board. POSIX only (select)."""

import contextlib
import os
import select
import time
from collections.abc import Sequence

from channel_sim.channels.channel import Channel, ChannelError, Compose
from channel_sim.live.background import Background
from channel_sim.live.endpoints import Endpoint, ProxyError, open_endpoint
from channel_sim.live.recording import Recorder
from channel_sim.live.stream import Statistics, Stream
from wire import BAUD
from wire.bundle import Bundle
from wire.frame import QUIET_S
from wire.system import is_closed

READ_BYTES = 1 << 16
# Bytes for a host that does not read are dropped beyond this.
MAX_UNREAD_BYTES = 1 << 20
# An incomplete frame is passed on after this much silence, as in `inkling receive`.
RETRY_S = 0.5
# Time for the host to read the rest after the board has disappeared.
DRAIN_S = 2.0


class Proxy(Background):
    """Passes bytes between a board and a host. The uplink (board -> host) goes through a channel.

    `with Proxy("socket://localhost:4000", BitFlips(0.05), seed=1) as proxy:` runs it in a thread; the host then opens
    `proxy.url`. The damage depends only on the channel, the seed and the bytes from the board since the proxy was
    opened, not on timing, and continues while no host is connected. Only channels that need whole frames depend on
    time: the bytes of a frame that stalls for QUIET_S are passed on unchanged.

    board, host: `pty`, `tcp://HOST:PORT` (listens; port 0: any free one), `socket://HOST:PORT` (connects), or a
    device. downlink: a channel, working by the byte, for bytes from the host. bundles: of the boards' models, by which
    frames are found for the statistics and for channels that need whole frames. reconnect: wait for an endpoint that
    is missing or disappears, while channel, statistics and recording continue. Without it, `run` ends when an endpoint
    disappears, and `failure` is a line of text; a host at a listening endpoint may always come and go. All traffic is
    written to `recorder` if one is set before `run`.

    Raises ProxyError if an endpoint cannot be opened, ChannelError for a channel that cannot be used.
    """

    def __init__(
        self,
        board: str,
        channel: Channel,
        seed: int = 0,
        listen_on: str = "tcp://127.0.0.1:0",
        baud: int = BAUD,
        *,
        downlink: Channel | None = None,
        bundles: Sequence[Bundle] = (),
        reconnect: bool = False,
    ) -> None:
        self._uplink = Stream(channel, seed, bundles)
        downlink = downlink or Compose()
        if not all(stage.by_byte for stage in downlink.stages()):
            raise ChannelError("a downlink carries no feature frames: use a channel that works by the byte")
        self._downlink = Stream(downlink, (seed, 1))  # independent of the uplink
        self._reconnect = reconnect
        self.board = open_endpoint("board", board, baud, reconnect)
        try:
            self.host = open_endpoint("host", listen_on, baud, reconnect)
        except ProxyError:
            self.board.close()
            raise
        super().__init__()
        self._up, self._down = bytearray(), bytearray()  # to the host, to the board
        self._first_time = self._last_time = 0.0  # of bytes from the board
        self._next_try = 0.0
        self.url = self.host.url
        self.recorder: Recorder | None = None
        self.failure: str | None = None
        self.last_reset = ""

    @property
    def statistics(self) -> Statistics:
        """Statistics of the uplink so far."""
        return self._uplink.statistics

    @property
    def downlink(self) -> Statistics:
        """Statistics of the downlink so far."""
        return self._downlink.statistics

    @property
    def bytes_down(self) -> int:
        """Number of bytes from hosts so far."""
        return self._downlink.statistics.bytes_in

    def close(self) -> None:
        """Close both endpoints."""
        self.host.close()
        self.board.close()
        super().close()

    def run(self) -> None:
        """Pass bytes until `stop` is called or an endpoint is lost for good, which sets `failure`."""
        try:
            while self._step():
                pass
            self._flush()
        except (ProxyError, ValueError) as error:  # an endpoint is lost, or the channel cannot carry such a frame
            self.failure = str(error)
            self._drain()
            self.host.hang_up()

    def _step(self) -> bool:
        """Wait for bytes and pass them on. Return False to stop. Raises ProxyError if an endpoint is lost for good."""
        stop, board, host = self._wake.fileno(), self.board, self.host
        sources = [stop, board.fd, board.waiting_fd, host.waiting_fd]
        if len(self._down) < MAX_UNREAD_BYTES:
            sources.append(host.fd)
        sinks = [board.fd if self._down else None, host.fd if self._up else None]
        ready, _, _ = select.select(_present(sources), _present(sinks), [], self._wait_s())
        if stop in ready:
            return False
        if board.waiting_fd in ready:
            board.accept()
        elif board.fd in ready:
            self._read_board()
        elif self._uplink.held_bytes and time.monotonic() - self._last_time >= QUIET_S:
            self._flush()
        if host.waiting_fd in ready:
            host.accept()
        elif host.fd in ready:
            self._read_host()
        self._write(host, self._up)
        self._write(board, self._down)
        self._reopen_missing()
        return True

    def _wait_s(self) -> float | None:
        """Return the seconds until a stalled frame or a missing endpoint needs attention; None if there is none."""
        times = []
        if self._uplink.held_bytes:
            times.append(self._last_time + QUIET_S)
        if any(_missing(endpoint) for endpoint in (self.board, self.host)):
            times.append(self._next_try)
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _reopen_missing(self) -> None:
        """Try to reopen missing endpoints at intervals."""
        missing = [endpoint for endpoint in (self.board, self.host) if _missing(endpoint)]
        if not missing or time.monotonic() < self._next_try:
            return
        for endpoint in missing:
            with contextlib.suppress(OSError):
                endpoint.open()
        self._next_try = time.monotonic() + RETRY_S

    def _read_board(self) -> None:
        data = self._read(self.board)
        if data:
            self._last_time = time.monotonic()
            self._first_time = self._first_time or self._last_time
            self.statistics.seconds = self._last_time - self._first_time
            self._pass_up(data, self._uplink.feed(data))

    def _flush(self) -> None:
        if self._uplink.held_bytes:
            self._pass_up(b"", self._uplink.flush())

    def _pass_up(self, received: bytes, sent: bytes) -> None:
        if self.recorder:
            self.recorder.passed("up", received, sent)
        if self.host.fd is not None and len(self._up) < MAX_UNREAD_BYTES:
            self._up += sent
        else:
            self.statistics.bytes_dropped += len(sent)

    def _read_host(self) -> None:
        data = self._read(self.host)
        if data:
            sent = self._downlink.feed(data)
            if self.recorder:
                self.recorder.passed("down", data, sent)
            if self.board.fd is not None:
                self._down += sent
            else:
                self.downlink.bytes_dropped += len(sent)

    def _read(self, endpoint: Endpoint) -> bytes:
        """Read available bytes; none if the endpoint has just disappeared."""
        try:
            data = os.read(endpoint.fd, READ_BYTES) if endpoint.fd is not None else b""
        except BlockingIOError:
            return b""
        except OSError as error:
            self._gone(endpoint, error.strerror or str(error))
            return b""
        if not data and endpoint.fd is not None and is_closed(endpoint.fd):
            self._gone(endpoint, "the line was closed")
        return data

    def _write(self, endpoint: Endpoint, waiting: bytearray) -> None:
        """Write as much as possible without waiting, and remove it from the buffer."""
        if waiting and endpoint.fd is not None:
            try:
                del waiting[: os.write(endpoint.fd, waiting)]
            except BlockingIOError:
                pass
            except OSError as error:
                self._gone(endpoint, error.strerror or str(error))

    def _gone(self, endpoint: Endpoint, reason: str) -> None:
        """Disconnect a lost peer. Raises ProxyError if the proxy cannot continue."""
        endpoint.hang_up()
        message = f"lost the {'board' if endpoint is self.board else 'host'} at {endpoint.url}: {reason}"
        if endpoint is self.board:
            self.downlink.bytes_dropped += len(self._down)
            self._down.clear()
            self._flush()
        else:
            self.statistics.bytes_dropped += len(self._up)
            self._up.clear()
            if endpoint.listens:
                return
        if not self._reconnect:
            raise ProxyError(message)
        self.last_reset = message
        self.statistics.resets += 1
        self._next_try = 0.0

    def _drain(self) -> None:
        """Write the remaining bytes to the host."""
        deadline = time.monotonic() + DRAIN_S
        with contextlib.suppress(ProxyError):
            while self._up and self.host.fd is not None and time.monotonic() < deadline:
                ready, _, _ = select.select([self._wake], [self.host.fd], [], max(0.0, deadline - time.monotonic()))
                if ready:
                    return
                self._write(self.host, self._up)


def _present(fds: Sequence[int | None]) -> list[int]:
    return [fd for fd in fds if fd is not None]


def _missing(endpoint: Endpoint) -> bool:
    """Return True if the proxy has to reopen this endpoint."""
    return endpoint.fd is None and not endpoint.listens
