"""A serial line with a gateway board: from its bytes to packets."""

import logging
import threading
import time
from collections.abc import Callable

from host.board.errors import describe
from host.board.port import Port
from host.errors import PortError
from host.receive.events import ControlFrame, UnknownModel
from host.receive.stream import StreamReceiver
from wire import BAUD
from wire.control import REPLY_BIT, Control, ErrorReply, Opcode, Packet
from wire.frame import QUIET_S
from wire.text import printable

log = logging.getLogger(__name__)

RETRY_S = 1.0
POLL_S = 0.1
PACKET_COUNTS = 256  # a gateway board numbers its packets modulo this
BOARD_FRAMES = 2  # before a warning: on a noisy line, a few bytes may seem to be the start of a frame
GARBAGE_BYTES = 1000  # before a warning


class PacketLine:
    """Finder of the packets in the bytes of one line. A repeated packet counts once.

    Frames that a board sends for itself are only counted: to find their ends takes its bundle.
    """

    def __init__(self) -> None:
        self._stream = StreamReceiver([])
        self._last: dict[int, tuple[int, bytes]] = {}  # number and data of the newest packet, by board
        self.packets = 0
        self.lost = 0  # between board and this machine, by the gaps in the board's count
        self.board_frames = 0
        self.errors: list[str] = []  # that boards have reported, each once

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
        if control.opcode != Opcode.PACKET | REPLY_BIT or len(control.data) < Packet.FORMAT.size:
            return None
        board, number = control.header.device, control.request
        last, data = self._last.get(board, (number - 1, b""))
        if (last, data) == (number, control.data):
            return None
        self.lost += (number - last - 1) % PACKET_COUNTS if number != last else 0  # equal: the board has restarted
        self._last[board] = number, control.data
        self.packets += 1
        return Packet.unpack(control.data)


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
        self.connected = False
        self.heard: float | None = None  # when a byte arrived last, by time.monotonic()
        self._on_packets, self._stopped = on_packets, stopped
        self._baud, self._dtr_rts = baud, dtr_rts
        self._warned: set[str] = set()
        self._errors = 0  # of the board's, logged

    def open(self) -> Port:
        """Open the port. Raises as Port does."""
        return Port(self.url, self._baud, self._dtr_rts)

    def run(self) -> None:
        """Read until stopped. Raises HostError for a URL or baud rate that no port can have."""
        before = ""
        while not self._stopped.is_set():
            try:
                with self.open() as port:
                    if before:
                        log.warning("%s is back", printable(self.url))
                    else:
                        log.info("%s: opened", printable(self.url))
                    before, self.connected = "", True
                    self._read(port)
            except PortError as error:
                self._take(b"")
                if str(error) != before:
                    log.warning("%s; waiting for it to come back", printable(str(error)))
                before, self.connected = str(error), False
                self._stopped.wait(RETRY_S)

    def _read(self, port: Port) -> None:
        quiet_since = time.monotonic()
        while not self._stopped.is_set():
            data = port.read(POLL_S)
            now = time.monotonic()
            if data:
                quiet_since = self.heard = now
            if data or now - quiet_since >= QUIET_S:
                self._take(data)
        self._take(b"")

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
