"""A board at the other end of a port: asks it for information, runs its encoder on a picture, times it."""

import math
import time
from collections.abc import Iterator
from types import TracebackType
from typing import TypeVar

import numpy as np

from host.board import TIMEOUT_S
from host.board.errors import (
    PASSING,
    RECEIVE_FAULTS,
    BoardError,
    DeviceError,
    GarbledReplyError,
    SilentBoardError,
    WrongModelError,
)
from host.board.port import Port
from host.receive.events import ControlFrame, Event, FeatureFrame, UnknownModel
from host.receive.stream import MAX_REPLY_BYTES, StreamReceiver
from wire.bundle import Bundle
from wire.control import (
    LONGEST_PREFIX,
    REPLY_BIT,
    BenchResult,
    Control,
    ErrorReply,
    Info,
    Opcode,
    RadioReport,
    RunCost,
    command,
    run_data,
)
from wire.frame import ANY_DEVICE, WIRE_VERSION, FrameType, Header

ATTEMPTS = 3
EMPTY_REPLY_BYTES = 20
BITS_A_BYTE = 10  # on a serial line, with start and stop bit
# An answer comes in one go. Once half of it is there, this much silence means that the rest is lost; once all
# its bytes are, that what could not be read is damaged. (A USB adapter may hold bytes back for 16 ms.)
QUIET_S, GRACE_S = 0.25, 0.05

FIRST_REQUEST, LAST_REQUEST = 32, 255

RADIO_S = 15.0  # the longest packet's time on the air, at SF12, 4/8, 125 kHz

Reply = TypeVar("Reply", Info, BenchResult, RunCost, RadioReport, ErrorReply)


class Board:
    """A client of one board. Every wait is bounded; every fault is a DeviceError or a PortError of one line.

    `bundle` is needed for pictures only: `run`, `capture` and `pixels`. `number` addresses one board among several on
    a line; without it any board answers, and its first clean answer sets `number`. `timeout`: how many seconds a board
    may think.
    """

    def __init__(
        self, port: Port, bundle: Bundle | None = None, timeout: float = TIMEOUT_S, number: int | None = None
    ) -> None:
        self.port = port
        self.bundle = bundle
        self.number = number
        self._address = ANY_DEVICE if number is None else number
        self._timeout = timeout
        self._receiver = StreamReceiver([bundle] if bundle else [])
        self._request = LAST_REQUEST
        self._heard = 0  # bytes since the last command

    @classmethod
    def open(
        cls,
        url: str,
        bundle: Bundle | None = None,
        baud: int = 115200,
        timeout: float = TIMEOUT_S,
        number: int | None = None,
    ) -> "Board":
        """Open a port, by any URL that pyserial knows, for the board behind it."""
        return cls(Port(url, baud), bundle, timeout, number)

    def close(self) -> None:
        """Give the port back."""
        self.port.close()

    def __enter__(self) -> "Board":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def info(self) -> Info:
        """What the board is and runs. Asked for up to three times."""
        info = _unpack(Info, self._ask(Opcode.INFO, b"", self._timeout, Info.FORMAT.size).data)
        if info.wire_version != WIRE_VERSION:
            raise DeviceError(f"the board speaks wire version {info.wire_version}, this program version {WIRE_VERSION}")
        return info

    def check(self, info: Info) -> None:
        """WrongModelError when the board's model is not the bundle's."""
        if self.bundle and info.model_number != self.bundle.number:
            raise WrongModelError(
                f"the board runs model {info.model_id}, but bundle {self.bundle.name} is model "
                f"{self.bundle.model_id}: give the board's own bundle, or flash firmware built from this one"
            )

    def bench(self, repeats: int) -> BenchResult:
        """Time 1..100 runs of the encoder on whatever picture is on the board; each may take the timeout."""
        wait = self._timeout * (1 + repeats)
        return _unpack(BenchResult, self._ask(Opcode.BENCH, bytes((repeats,)), wait, BenchResult.FORMAT.size).data)

    def run(self, image: np.ndarray, chunk: int = 0, cost: bool = False) -> tuple[FeatureFrame | None, RunCost | None]:
        """Send a picture, uint8 (H, W, C), and take what the board makes of it.

        The frame is None when it did not come through, and so is the cost, which comes only when asked for.
        Nothing is repeated. ValueError when the picture is not of the bundle's shape.
        """
        self._need_picture(image)
        return self._picture(Opcode.RUN, image.tobytes(), chunk, cost)

    def capture(self, chunk: int = 0, cost: bool = False) -> tuple[FeatureFrame | None, RunCost | None]:
        """Have the board take a picture with its camera; what comes of it is as of `run`, the camera's time apart."""
        return self._picture(Opcode.CAPTURE, b"", chunk, cost)

    def pixels(self) -> np.ndarray:
        """The picture on the board, uint8 (H, W, C); after `capture`, what the camera saw. Asked for up to 3 times."""
        bundle = self._known_bundle()
        size = math.prod(bundle.input_shape)
        self._receiver.longest_reply = max(MAX_REPLY_BYTES, size + EMPTY_REPLY_BYTES)
        try:
            data = self._ask(Opcode.PIXELS, b"", self._timeout + BITS_A_BYTE * size / self.port.baud, size).data
        finally:
            self._receiver.longest_reply = MAX_REPLY_BYTES
        if len(data) != size:
            raise GarbledReplyError(f"the board's picture has {len(data)} bytes, not the {size} of the bundle's input")
        return np.frombuffer(data, np.uint8).reshape(bundle.input_shape)

    def _picture(
        self, opcode: Opcode, pixels: bytes, chunk: int, cost: bool
    ) -> tuple[FeatureFrame | None, RunCost | None]:
        """Send RUN or CAPTURE, and take frame and cost."""
        bundle = self._known_bundle()
        size = bundle.chunk_layout(chunk).serial_size
        if cost:
            size += EMPTY_REPLY_BYTES + RunCost.FORMAT.size
        request = self._new_request()
        numbers = range(ANY_DEVICE + 1) if self.number is None else (self.number,)
        model, sequence = bundle.model_bits, request % 32
        self._receiver.expect(Header(FrameType.FEATURE, n, sequence, model, chunk) for n in numbers)
        data = run_data(chunk, pixels, cost)
        frame: FeatureFrame | None = None
        paid: RunCost | None = None
        for event in self._send(opcode, request, data, self._timeout, size):
            match event:
                case FeatureFrame() if self._is_mine(event.header, sequence) and event.chunk == chunk:
                    frame = event
                    if event.crc_ok:
                        self.number = event.device
                case UnknownModel() if self._is_mine(event.header, sequence):
                    raise WrongModelError(
                        f"the board does not run model {bundle.model_id} (bundle {bundle.name}): give "
                        "the bundle that `python -m host info` shows, or flash firmware built from this one"
                    )
                case ControlFrame(control) if self._is_reply(control, opcode, request):
                    paid = _unpack(RunCost, control.data)
            if frame and (paid or not cost):
                break
        if not self._heard:
            raise self._failure()
        return frame, paid

    def run_by_radio(self, image: np.ndarray, chunk: int = LONGEST_PREFIX) -> tuple[RunCost, RadioReport]:
        """Send a picture, uint8 (H, W, C), which the board sends on by its radio; what that cost, once it is out.

        Without a chunk it is the longest prefix that the air time left allows. Nothing is repeated: when the reply
        is lost, the packet may be out. ValueError when the picture is not of the bundle's shape.
        """
        self._need_picture(image)
        request, size = self._new_request(), EMPTY_REPLY_BYTES + RunCost.FORMAT.size + RadioReport.FORMAT.size
        data = run_data(chunk, image.tobytes(), by_radio=True)
        for event in self._send(Opcode.RUN, request, data, self._timeout + RADIO_S, size):
            if isinstance(event, ControlFrame) and self._is_reply(event.control, Opcode.RUN, request):
                self.number = event.control.header.device
                cost = _unpack(RunCost, event.control.data)
                return cost, _unpack(RadioReport, event.control.data[RunCost.FORMAT.size :])
        raise self._failure()

    def _known_bundle(self) -> Bundle:
        if self.bundle is None:
            raise ValueError("needs a bundle")
        return self.bundle

    def _need_picture(self, image: np.ndarray) -> None:
        if image.shape != self._known_bundle().input_shape or image.dtype != np.uint8:
            raise ValueError(f"needs a bundle and a picture of its shape, got {image.dtype} {image.shape}")

    def _ask(self, opcode: Opcode, data: bytes, timeout: float, reply_bytes: int) -> Control:
        """Send a command until its reply comes, a bounded number of times."""
        request = self._new_request()
        failure: DeviceError | None = None
        for _ in range(ATTEMPTS):
            try:
                for event in self._send(opcode, request, data, timeout, EMPTY_REPLY_BYTES + reply_bytes):
                    if isinstance(event, ControlFrame) and self._is_reply(event.control, opcode, request):
                        self.number = event.control.header.device
                        return event.control
                failure = self._failure()
            except BoardError as error:
                if error.code not in PASSING:
                    raise
                failure = error
        assert failure is not None
        raise failure

    def _send(self, opcode: Opcode, request: int, data: bytes, timeout: float, size: int) -> Iterator[Event]:
        """Send a command, and yield what comes until nothing more of an answer of `size` bytes can come."""
        self._receiver.feed(self.port.read(0))  # what came too late for the command before
        self._receiver.flush()
        frame = command(opcode, request, data, self._address)
        self.port.write(frame)
        deadline = time.monotonic() + timeout + BITS_A_BYTE * len(frame) / self.port.baud
        self._heard = 0
        while (left := deadline - time.monotonic()) > 0:
            if 2 * self._heard >= size:
                left = min(left, GRACE_S if self._heard >= size else QUIET_S)
            received = self.port.read(left)
            if not received:
                break
            self._heard += len(received)
            for event in self._receiver.feed(received):
                if isinstance(event, ControlFrame) and event.control.request != request:
                    size += EMPTY_REPLY_BYTES + len(event.control.data)  # said besides: no part of the answer
                yield event
        yield from self._receiver.flush()

    def _is_mine(self, header: Header, sequence: int) -> bool:
        return header.sequence == sequence and self.number in (None, header.device)

    def _is_reply(self, control: Control, opcode: Opcode, request: int) -> bool:
        """Whether this answers the command; BoardError when it refuses it."""
        if control.opcode == Opcode.ERROR:
            reply = _unpack(ErrorReply, control.data)
            # What it says unasked is of other things, unless of a command that broke before its number had come.
            unnumbered = (control.request, reply.opcode) == (0, 0) and reply.code in RECEIVE_FAULTS
            if control.request == request or unnumbered:
                raise BoardError(reply)
        return (control.opcode, control.request) == (opcode | REPLY_BIT, request)

    def _new_request(self) -> int:
        """Never 0, which is what a board says unasked; modulo 32, as the sequence of frames, without a gap."""
        self._request = FIRST_REQUEST if self._request == LAST_REQUEST else self._request + 1
        return self._request

    def _failure(self) -> DeviceError:
        url, baud = self.port.url, self.port.baud
        if self._heard:
            return GarbledReplyError(
                f"{url}: {self._heard} bytes came back, but no whole reply: noise, or not {baud} baud?"
            )
        return SilentBoardError(f"{url}: the board is silent: is it running, and this its port?")


def _unpack(kind: type[Reply], data: bytes) -> Reply:
    try:
        return kind.unpack(data)
    except ValueError as error:
        raise GarbledReplyError(f"the board's firmware does not fit this program: {error}") from None
