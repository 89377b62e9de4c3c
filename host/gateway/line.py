"""A serial line with a gateway board: from its bytes to packets."""

import logging
import threading
import time
from collections.abc import Callable

from host.board.errors import describe
from host.board.port import Port
from host.board.port_reader import PortEvents, PortReader, PortState
from host.receive.events import ControlFrame, UnknownModel
from host.receive.radio import PacketUnpacker
from host.receive.stream import StreamReceiver
from wire import BAUD
from wire.control import Control, ErrorReply, Opcode, Packet
from wire.text import printable

log = logging.getLogger(__name__)

BOARD_FRAMES = 2  # before a warning: on a noisy line, a few bytes may seem to be the start of a frame
GARBAGE_BYTES = 1000  # before a warning


class PacketLine:
    """Finder of the packets in the bytes of one line. A repeated packet counts once.

    Frames that a board sends for itself are only counted: to find their ends takes its bundle.
    """

    def __init__(self) -> None:
        self._stream = StreamReceiver([])
        self._unpacker = PacketUnpacker()
        self.board_frames = 0
        self.errors: list[str] = []  # that boards have reported, each once

    @property
    def packets(self) -> int:
        """Packets so far."""
        return self._unpacker.packets

    @property
    def lost(self) -> int:
        """Packets lost so far between board and this machine, by the gaps in the board's count."""
        return self._unpacker.lost

    @property
    def garbage_bytes(self) -> int:
        """Bytes that belong to no frame."""
        return self._stream.garbage_bytes

    def feed(self, data: bytes) -> list[Packet]:
        """Return the packets in the next bytes; without bytes, those at the end of what came before a silence."""
        packets = []
        for event in self._stream.feed(data) if data else self._stream.flush():
            if isinstance(event, UnknownModel):
                self.board_frames += 1
            elif isinstance(event, ControlFrame) and (packet := self._packet(event.control)):
                packets.append(packet)
        return packets

    def _packet(self, control: Control) -> Packet | None:
        if control.opcode == Opcode.ERROR and len(control.data) >= ErrorReply.FORMAT.size:
            text = f"board {control.header.device} reported an error: {describe(ErrorReply.unpack(control.data))}"
            if text not in self.errors:
                self.errors.append(text)
        return self._unpacker.unpack(control)


class LineReader:
    """Reader of one port, which waits for it while it is missing. `run` is for a thread of its own.

    on_packets: gets the packets, and the Unix time of their arrival in seconds.
    """

    def __init__(
        self,
        url: str,
        on_packets: Callable[[list[Packet], float], None],
        stopped: threading.Event,
        baud: int = BAUD,
        dtr_rts: bool = True,
    ) -> None:
        self.url = url
        self.line = PacketLine()
        events = PortEvents(self._take, self._lost, self._found)
        self._reader = PortReader(PortState(url), events, stopped, baud, dtr_rts)
        self._on_packets, self._baud = on_packets, baud
        self._warned: set[str] = set()
        self._errors = 0  # of the board's, logged

    @property
    def state(self) -> PortState:
        """What is known of the port."""
        return self._reader.state

    def open(self) -> Port:
        """Open the port. Raises as Port does."""
        return self._reader.open()

    def run(self) -> None:
        """Read until stopped. Raises HostError for a URL or baud rate that no port can have."""
        self._reader.run()

    def _lost(self, reason: str) -> None:
        log.warning("%s; waiting for it to come back", printable(reason))

    def _found(self) -> None:
        log.warning("%s is back", printable(self.url))

    def _take(self, data: bytes) -> None:
        if packets := self.line.feed(data):
            self._on_packets(packets, time.time())
        for text in self.line.errors[self._errors :]:
            log.warning("%s: %s", printable(self.url), text)
        self._errors = len(self.line.errors)
        if self.line.board_frames >= BOARD_FRAMES:
            self._warn(
                "a board on it sends frames of its own, which are skipped: only a host with its bundle can find their "
                "ends; connect it to inkling receive, and only gateway boards here"
            )
        if self.line.garbage_bytes >= GARBAGE_BYTES:
            self._warn(f"many bytes belong to no frame: check the baud rate ({self._baud}), and the line for noise")

    def _warn(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            log.warning("%s: %s", printable(self.url), text)
