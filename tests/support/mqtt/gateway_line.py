"""A fake gateway board on a TCP port: it sends the packets that a test gives it."""

import queue
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.support.lines import fake_line
from wire.control import Opcode, Packet, reply


class FakeGateway:
    """A board that numbers its packets as firmware does. They wait while nobody is connected."""

    def __init__(self, board: int = 9) -> None:
        self._board, self._number = board, 0
        self._frames: queue.Queue[bytes | None] = queue.Queue()

    def receive(self, payload: bytes, crc_ok: bool = True) -> None:
        """Hand over a packet, as if it had just been received by radio."""
        data = Packet(crc_ok, -124.25, -8.5, payload).pack()
        self.say(reply(Opcode.PACKET | 0x80, self._number % 256, data, self._board, 0))
        self._number += 1

    def say(self, data: bytes) -> None:
        """Send any bytes."""
        self._frames.put(data)

    def hang_up(self) -> None:
        """Close the connection, as an unplugged cable does."""
        self._frames.put(None)

    def _serve(self, connection: socket.socket) -> None:
        while (data := self._frames.get()) is not None:
            try:
                connection.sendall(data)
            except OSError:  # the other end is gone: it has not read this
                self._frames.queue.appendleft(data)
                raise


@contextmanager
def fake_gateway(board: int = 9, connections: int = 9) -> Iterator[tuple[FakeGateway, str]]:
    """Yield a board and the URL of its port."""
    gateway = FakeGateway(board)
    scripts: list[Callable[[socket.socket], None]] = [gateway._serve] * connections
    with fake_line(*scripts) as url:
        try:
            yield gateway, url
        finally:
            for _ in scripts:
                gateway.hang_up()
