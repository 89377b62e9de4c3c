"""The live proxy: sits between a board and a host and corrupts what the board sends. POSIX only (select)."""

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
from wire.bundle import Bundle

READ_BYTES = 1 << 16
# A host that does not read is a wire that nobody listens to: beyond this, bytes fall on the floor.
MAX_UNREAD_BYTES = 1 << 20
# A frame that stops in the middle is settled after this much silence, as `host receive` does it.
QUIET_S = 0.5
RETRY_S = 0.5
# How long a host may take for what the board has sent before it went.
DRAIN_S = 2.0


class Proxy(Background):
    """Passes bytes between a board and a host; the uplink (board -> host) goes through a channel.

    `with Proxy("socket://localhost:4000", BitFlips(0.05), seed=1) as proxy:` runs it in a thread; the host
    then opens `proxy.url`. The damage depends only on the channel, the seed and the bytes that the board
    has sent since the proxy was opened, not on their timing, and goes on while no host is there. Only a
    channel of whole frames looks at the time: of a frame that stops for QUIET_S, what has come goes on as it is.

    board, host: `pty`, `tcp://HOST:PORT` (listens; port 0: any free one), `socket://HOST:PORT` (connects), or
    a device. downlink: a channel by the byte for what the host sends. bundles: of the boards' models; they tell
    where frames are, for the statistics and for channels that need whole ones. reconnect: an end that is missing
    or goes is waited for; channel, statistics and recording go on meanwhile. Without it, `run` ends when
    an end goes, and `failure` is a line of text; a host at a listening end may come and go in any case.
    What passes is written to `recorder` if one is put there before `run`.

    Raises ProxyError when an end cannot be opened, ValueError for a channel that cannot be used.
    """

    def __init__(
        self,
        board: str,
        channel: Channel,
        seed: int = 0,
        listen_on: str = "tcp://127.0.0.1:0",
        baud: int = 115200,
        *,
        downlink: Channel | None = None,
        bundles: Sequence[Bundle] = (),
        reconnect: bool = False,
    ) -> None:
        self._uplink = Stream(channel, seed, bundles)
        downlink = downlink or Compose()
        if not all(stage.by_byte for stage in downlink.stages()):
            raise ChannelError("a downlink carries no feature frames: give it a channel that works by the byte")
        self._downlink = Stream(downlink, (seed, 1))  # other numbers than the uplink's
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
        """What the uplink has gone through so far."""
        return self._uplink.statistics

    @property
    def downlink(self) -> Statistics:
        """What the downlink has gone through so far."""
        return self._downlink.statistics

    @property
    def bytes_down(self) -> int:
        """Bytes that hosts have sent so far."""
        return self._downlink.statistics.bytes_in

    def close(self) -> None:
        """Close both ends."""
        self.host.close()
        self.board.close()
        super().close()

    def run(self) -> None:
        """Pass bytes until `stop` is called or an end has gone for good (then `failure` says so)."""
        try:
            while self._step():
                pass
            self._settle()
        except (ProxyError, ValueError) as error:  # an end has gone, or the channel cannot carry such a frame
            self.failure = str(error)
            self._drain()
            self.host.hang_up()

    def _step(self) -> bool:
        """Wait for bytes and pass them on; False when it is time to stop. ProxyError when an end has gone."""
        stop, board, host = self._wake.fileno(), self.board, self.host
        sources = [stop, board.fd, board.waiting_fd, host.waiting_fd]
        if len(self._down) < MAX_UNREAD_BYTES:
            sources.append(host.fd)
        sinks = [board.fd if self._down else None, host.fd if self._up else None]
        ready, _, _ = select.select(_there(sources), _there(sinks), [], self._patience())
        if stop in ready:
            return False
        if board.waiting_fd in ready:
            board.accept()
        elif board.fd in ready:
            self._read_board()
        elif self._uplink.held_bytes and time.monotonic() - self._last_time >= QUIET_S:
            self._settle()
        if host.waiting_fd in ready:
            host.accept()
        elif host.fd in ready:
            self._read_host()
        self._write(host, self._up)
        self._write(board, self._down)
        self._look_for_missing()
        return True

    def _patience(self) -> float | None:
        """Seconds until there is something to do without any byte; None when only bytes can bring it."""
        times = []
        if self._uplink.held_bytes:
            times.append(self._last_time + QUIET_S)
        if any(_missing(end) for end in (self.board, self.host)):
            times.append(self._next_try)
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _look_for_missing(self) -> None:
        """Try to open what has gone, now and then."""
        missing = [end for end in (self.board, self.host) if _missing(end)]
        if not missing or time.monotonic() < self._next_try:
            return
        for end in missing:
            with contextlib.suppress(OSError):
                end.open()
        self._next_try = time.monotonic() + RETRY_S

    def _read_board(self) -> None:
        data = self._read(self.board)
        if data:
            self._last_time = time.monotonic()
            self._first_time = self._first_time or self._last_time
            self.statistics.seconds = self._last_time - self._first_time
            self._pass_up(data, self._uplink.feed(data))

    def _settle(self) -> None:
        if self._uplink.held_bytes:
            self._pass_up(b"", self._uplink.settle())

    def _pass_up(self, received: bytes, sent: bytes) -> None:
        if self.recorder:
            self.recorder.passed("up", received, sent)
        if self.host.fd is not None and len(self._up) < MAX_UNREAD_BYTES:
            self._up += sent
        else:
            self.statistics.bytes_unheard += len(sent)

    def _read_host(self) -> None:
        data = self._read(self.host)
        if data:
            sent = self._downlink.feed(data)
            if self.recorder:
                self.recorder.passed("down", data, sent)
            if self.board.fd is not None:
                self._down += sent
            else:
                self.downlink.bytes_unheard += len(sent)

    def _read(self, end: Endpoint) -> bytes:
        """What has come; nothing when the end has just gone."""
        try:
            data = os.read(end.fd, READ_BYTES)
        except BlockingIOError:
            return b""
        except OSError as error:
            self._gone(end, error.strerror)
            return b""
        if not data:
            self._gone(end, "the line was closed")
        return data

    def _write(self, end: Endpoint, waiting: bytearray) -> None:
        """Write what goes without waiting, and take it out of the buffer."""
        if waiting and end.fd is not None:
            try:
                del waiting[: os.write(end.fd, waiting)]
            except BlockingIOError:
                pass
            except OSError as error:
                self._gone(end, error.strerror)

    def _gone(self, end: Endpoint, why: str) -> None:
        """Forget the end's peer. ProxyError when that is the end of all."""
        end.hang_up()
        said = f"the {'board' if end is self.board else 'host'} at {end.url} has gone: {why}"
        if end is self.board:
            self.downlink.bytes_unheard += len(self._down)
            self._down.clear()
            self._settle()
        else:
            self.statistics.bytes_unheard += len(self._up)
            self._up.clear()
            if end.listens:
                return
        if not self._reconnect:
            raise ProxyError(said)
        self.last_reset = said
        self.statistics.resets += 1
        self._next_try = 0.0

    def _drain(self) -> None:
        """Give the host what is left for it."""
        until = time.monotonic() + DRAIN_S
        with contextlib.suppress(ProxyError):
            while self._up and self.host.fd is not None and time.monotonic() < until:
                ready, _, _ = select.select([self._wake], [self.host.fd], [], max(0.0, until - time.monotonic()))
                if ready:
                    return
                self._write(self.host, self._up)


def _there(fds: Sequence[int | None]) -> list[int]:
    return [fd for fd in fds if fd is not None]


def _missing(end: Endpoint) -> bool:
    """Whether it is up to the proxy to open this end again."""
    return end.fd is None and not end.listens
