"""Commands to a board on a port, and the replies to them. Every wait is bounded."""

import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self, TypeVar

from host.board import TIMEOUT_S
from host.board.errors import (
    RECEIVE_ERRORS,
    TRANSIENT,
    BoardError,
    DeviceError,
    GarbledReplyError,
    SilentBoardError,
)
from host.board.port import Port
from host.board.sealing import Sealer
from host.keys.key_file import KeyFile
from host.receive.board_text import last_line, recognize
from host.receive.events import ControlFrame, Event
from host.receive.stream import StreamReceiver
from wire.bundle import Bundle
from wire.control import (
    REPLY_BIT,
    BenchResult,
    Control,
    ErrorReply,
    Info,
    ModeSetting,
    Opcode,
    RadioReport,
    RunCost,
    command,
)
from wire.frame import ANY_DEVICE, SEQUENCES
from wire.replies.key_state import KeyState
from wire.secure.commands import next_counter

ATTEMPTS = 3
EMPTY_REPLY_BYTES = 20
BITS_PER_BYTE = 10  # on a serial line, with start and stop bit
# A board sends without pauses. Once half of the expected bytes have arrived, a pause of QUIET_S means that the rest is
# lost. Once all have arrived, a pause of GRACE_S means that some are damaged: a USB adapter may delay bytes by 16 ms.
QUIET_S, GRACE_S = 0.25, 0.05

MAX_HEARD_BYTES = 1 << 16  # kept since the last command

FIRST_REQUEST, LAST_REQUEST = SEQUENCES, 255

Reply = TypeVar("Reply", Info, BenchResult, RunCost, RadioReport, ModeSetting, ErrorReply, KeyState)


class CommandLine:
    """A line on which commands are sent to one board. Failures raise DeviceError or PortError.

    bundle: of the board's model, to receive its frames.
    timeout: the maximum time in seconds that the board takes to respond.
    device: the number of the board, if there are several on the line. If None, any board responds, and its first clean
        response sets `device`.
    keys: a key file: commands for its devices are sealed, and only secured frames of them are taken.
    """

    def __init__(
        self,
        port: Port,
        bundle: Bundle | None = None,
        timeout: float = TIMEOUT_S,
        device: int | None = None,
        keys: KeyFile | None = None,
    ) -> None:
        self.port = port
        self.bundle = bundle
        self.device = device
        self.keys = keys
        self._address = ANY_DEVICE if device is None else device
        self._timeout = timeout
        self._receiver = StreamReceiver([bundle] if bundle else [], policies=keys.policies if keys else None)
        self._request = LAST_REQUEST
        self._received = 0  # bytes since the last command
        self._sent = b""  # the last command
        self._heard = bytearray()  # since the command was first sent, and just before
        self._sent_key = False  # a command contained a key: from then on, no message quotes what an echo may bring

    def close(self) -> None:
        """Close the port."""
        self.port.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _line_s(self, n_bytes: int) -> float:
        """Return the time in seconds that bytes take on the serial line."""
        return BITS_PER_BYTE * n_bytes / self.port.baud

    def _ask(
        self, opcode: Opcode, data: bytes, timeout: float, reply_bytes: int, sealer: Sealer | None = None
    ) -> Control:
        """Send a command up to ATTEMPTS times, on request sealed, and return its reply."""
        request = self._next_request()
        failure: DeviceError | None = None
        for _ in range(ATTEMPTS):
            try:
                for event in self._send(opcode, request, data, timeout, EMPTY_REPLY_BYTES + reply_bytes, sealer):
                    if isinstance(event, ControlFrame) and self._is_reply(event.control, opcode, request):
                        self.device = event.control.header.device
                        return event.control
                failure = self._no_reply()
            except BoardError as error:
                if error.code not in TRANSIENT and not (sealer and sealer.corrects(error)):
                    raise
                failure = error
        assert failure is not None
        raise failure

    def _send(
        self, opcode: Opcode, request: int, data: bytes, timeout: float, size: int, sealer: Sealer | None = None
    ) -> Iterator[Event]:
        """Send a command, and yield events until no more of at least `size` bytes that it returns can arrive."""
        self._sent_key |= opcode == Opcode.KEY and bool(data)
        late = self.port.read(0)  # what earlier commands return, or what the board says since the port was opened
        self._hear(late)
        self._receiver.feed(late)
        self._receiver.flush()
        sealed = sealer.command(opcode, request, data) if sealer else None
        self._sent = frame = sealed or command(opcode, request, data, self._address)
        self.port.write(frame)
        deadline = time.monotonic() + timeout + self._line_s(len(frame))
        self._received = 0
        while (wait := deadline - time.monotonic()) > 0:
            if 2 * self._received >= size:
                wait = min(wait, GRACE_S if self._received >= size else QUIET_S)
            received = self.port.read(wait)
            if not received:
                break
            self._received += len(received)
            self._hear(received)
            for event in self._receiver.feed(received):
                if isinstance(event, ControlFrame) and event.control.request != request:
                    self._received -= EMPTY_REPLY_BYTES + len(event.control.data)  # unsolicited: no part of these
                yield event
        yield from self._receiver.flush()

    def _is_reply(self, control: Control, opcode: Opcode, request: int) -> bool:
        """Return True if this replies to the command. Raises BoardError if it reports that the command failed."""
        if control.opcode == Opcode.ERROR:
            reply = unpack(ErrorReply, control.data)
            # Unsolicited errors are unrelated, except for a command that was damaged before its request number.
            unnumbered = (control.request, reply.opcode) == (0, 0) and reply.code in RECEIVE_ERRORS
            if control.request == request or unnumbered:
                raise BoardError(reply, _next_counter(control.data))
        return (control.opcode, control.request) == (opcode | REPLY_BIT, request)

    def _next_request(self) -> int:
        """Return the next request number.

        Never 0, the number of unsolicited messages. Modulo 32, the numbers have no gap, as sequence numbers of frames.
        """
        self._request = FIRST_REQUEST if self._request == LAST_REQUEST else self._request + 1
        self._heard.clear()
        return self._request

    def _hear(self, data: bytes) -> None:
        if not self._sent_key:
            self._heard += data[: MAX_HEARD_BYTES - len(self._heard)]

    def _reported_failure(self) -> GarbledReplyError | None:
        """Return an error if the board has said in plain text why it does not reply."""
        cause = recognize(bytes(self._heard))
        return GarbledReplyError(f"{self.port.url}: {cause}") if cause else None

    def _no_reply(self) -> DeviceError:
        url, baud = self.port.url, self.port.baud
        if names := self.port.other_readers():
            return GarbledReplyError(f"{url}: {', '.join(names)} also reads this port and takes replies: close it")
        if failure := self._reported_failure():
            return failure
        if self._received:
            heard, received = bytes(self._heard), f"{url}: received {self._received} bytes but no valid reply"
            if self._sent in heard and not heard.replace(self._sent, b""):
                return GarbledReplyError(
                    f"{url}: only this program's own command comes back: the line echoes (TX and RX connected to each "
                    "other?), and no board replies"
                )
            if text := last_line(heard):
                return GarbledReplyError(
                    f"{received}, but text at the right baud rate ({baud}), such as {text!r}: another program is on "
                    "this port, or the board runs other firmware; flash it (inkling flash)"
                )
            return GarbledReplyError(f"{received}: check the baud rate ({baud}), and the line for noise")
        return SilentBoardError(f"{url}: the board does not respond: check that it is running and on this port")


def _next_counter(error: bytes) -> int | None:
    try:
        return next_counter(error)
    except ValueError as fault:
        raise GarbledReplyError(f"the board's firmware is not compatible with this program: {fault}") from None


def unpack(kind: type[Reply], data: bytes) -> Reply:
    """Parse the data of a reply. Raises GarbledReplyError if it is too short."""
    try:
        return kind.unpack(data)
    except ValueError as error:
        raise GarbledReplyError(f"the board's firmware is not compatible with this program: {error}") from None
