"""Client of a board on a port: requests information, runs the encoder on images, and times it."""

import math
import time
from collections.abc import Iterator
from types import TracebackType
from typing import TypeVar

import numpy as np

from host.board import TIMEOUT_S
from host.board.errors import (
    RECEIVE_ERRORS,
    TRANSIENT,
    BoardError,
    DeviceError,
    GarbledReplyError,
    SilentBoardError,
    WrongModelError,
)
from host.board.port import Port
from host.receive.events import AnswerFrame, ControlFrame, Event, FeatureFrame, UnknownModel
from host.receive.stream import MAX_REPLY_BYTES, StreamReceiver
from wire import BAUD
from wire.bundle import Bundle
from wire.control import (
    LONGEST_PREFIX,
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
    run_data,
)
from wire.frame import ANY_DEVICE, HEADER_BYTES, SEQUENCES, SYNC, WIRE_VERSION, FrameType, Header

ATTEMPTS = 3
EMPTY_REPLY_BYTES = 20
ANSWER_BYTES = len(SYNC) + HEADER_BYTES
BITS_PER_BYTE = 10  # on a serial line, with start and stop bit
# A board sends without pauses. Once half of the expected bytes have arrived, a pause of QUIET_S means that the rest is
# lost. Once all have arrived, a pause of GRACE_S means that some are damaged: a USB adapter may delay bytes by 16 ms.
QUIET_S, GRACE_S = 0.25, 0.05

FIRST_REQUEST, LAST_REQUEST = SEQUENCES, 255

RADIO_S = 15.0  # air time of the longest packet, at SF12, 4/8, 125 kHz

Reply = TypeVar("Reply", Info, BenchResult, RunCost, RadioReport, ModeSetting, ErrorReply)
Returned = tuple[FeatureFrame | AnswerFrame | None, RunCost | None]  # None for what was not requested or was lost


class Board:
    """Client of one board. Every wait is bounded; failures raise DeviceError or PortError.

    bundle: needed for images only (`run`, `capture`, `pixels`, `run_by_radio`).
    timeout: the maximum time in seconds that the board takes to respond.
    device: the number of the board, if there are several on the line. If None, any board responds, and its first clean
        response sets `device`.
    """

    def __init__(
        self, port: Port, bundle: Bundle | None = None, timeout: float = TIMEOUT_S, device: int | None = None
    ) -> None:
        self.port = port
        self.bundle = bundle
        self.device = device
        self._address = ANY_DEVICE if device is None else device
        self._timeout = timeout
        self._receiver = StreamReceiver([bundle] if bundle else [])
        self._request = LAST_REQUEST
        self._received = 0  # bytes since the last command

    @classmethod
    def open(
        cls,
        url: str,
        bundle: Bundle | None = None,
        baud: int = BAUD,
        timeout: float = TIMEOUT_S,
        device: int | None = None,
    ) -> "Board":
        """Open a port, by any URL that pyserial knows, and return the client of the board on it."""
        return cls(Port(url, baud), bundle, timeout, device)

    def close(self) -> None:
        """Close the port."""
        self.port.close()

    def __enter__(self) -> "Board":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def info(self) -> Info:
        """Return the board's firmware, model and memory. The command is sent up to three times."""
        info = _unpack(Info, self._ask(Opcode.INFO, b"", self._timeout, Info.FORMAT.size).data)
        if info.wire_version != WIRE_VERSION:
            raise DeviceError(
                f"the board uses wire version {info.wire_version}, this program version {WIRE_VERSION}: "
                "use the same release of Inkling for both"
            )
        return info

    def check(self, info: Info) -> None:
        """Raise WrongModelError if the board does not run the bundle's model."""
        if self.bundle and info.model_number != self.bundle.number:
            raise WrongModelError(
                f"the board runs model {info.model_id}, but bundle {self.bundle.name} is model "
                f"{self.bundle.model_id}: pass the board's own bundle, or flash firmware built from this one"
            )

    def bench(self, repeats: int) -> BenchResult:
        """Time 1 to 100 runs of the encoder on the image in the board's memory. Each may take `timeout` seconds."""
        timeout = self._timeout * (1 + repeats)
        return _unpack(BenchResult, self._ask(Opcode.BENCH, bytes((repeats,)), timeout, BenchResult.FORMAT.size).data)

    def mode(self, setting: ModeSetting | None = None) -> ModeSetting:
        """Return the board's mode and threshold, set before if `setting` is given. A reset of the board undoes it."""
        data = setting.pack() if setting else b""
        return _unpack(ModeSetting, self._ask(Opcode.MODE, data, self._timeout, ModeSetting.FORMAT.size).data)

    def run(self, image: np.ndarray, chunk: int = 0, cost: bool = False, by_mode: bool = False) -> Returned:
        """Send an image, uint8 (H, W, C), and return its frame and, on request, the cost; None for what was lost.

        The frame holds the features of a chunk, or with `by_mode` what the board's mode says. The command is sent once.
        Raises ValueError if the image does not have the bundle's input shape.
        """
        self._check_image(image)
        return self._receive_frame(Opcode.RUN, image.tobytes(), chunk, cost, by_mode)

    def capture(self, chunk: int = 0, cost: bool = False, by_mode: bool = False) -> Returned:
        """Let the board take an image with its camera. Returns the same as `run`; the cost excludes the camera."""
        return self._receive_frame(Opcode.CAPTURE, b"", chunk, cost, by_mode)

    def pixels(self) -> np.ndarray:
        """Return the image in the board's memory, uint8 (H, W, C). The command is sent up to three times."""
        bundle = self._require_bundle()
        size = math.prod(bundle.input_shape)
        self._receiver.longest_reply = max(MAX_REPLY_BYTES, size + EMPTY_REPLY_BYTES)
        try:
            data = self._ask(Opcode.PIXELS, b"", self._timeout + self._line_s(size), size).data
        finally:
            self._receiver.longest_reply = MAX_REPLY_BYTES
        if len(data) != size:
            raise GarbledReplyError(f"the board's image has {len(data)} bytes, but the input of the bundle has {size}")
        return np.frombuffer(data, np.uint8).reshape(bundle.input_shape)

    def run_by_radio(
        self, image: np.ndarray, chunk: int = LONGEST_PREFIX, by_mode: bool = False
    ) -> tuple[RunCost, RadioReport]:
        """Send an image, uint8 (H, W, C), whose frame the board sends by its radio. Returns when the frame is sent.

        Without a chunk, the board sends the longest prefix that its air time allows, or with `by_mode` what its mode
        says. The command is sent once: if the reply is lost, the packet may have been sent. Raises ValueError if the
        image does not have the bundle's shape.
        """
        self._check_image(image)
        request, size = self._next_request(), EMPTY_REPLY_BYTES + RunCost.FORMAT.size + RadioReport.FORMAT.size
        data = run_data(chunk, image.tobytes(), by_radio=True, by_mode=by_mode)
        for event in self._send(Opcode.RUN, request, data, self._timeout + RADIO_S, size):
            if isinstance(event, ControlFrame) and self._is_reply(event.control, Opcode.RUN, request):
                self.device = event.control.header.device
                cost = _unpack(RunCost, event.control.data)
                return cost, _unpack(RadioReport, event.control.data[RunCost.FORMAT.size :])
        raise self._no_reply()

    def _receive_frame(self, opcode: Opcode, pixels: bytes, chunk: int, cost: bool, by_mode: bool) -> Returned:
        """Send RUN or CAPTURE, and return frame and cost."""
        bundle, request = self._require_bundle(), self._next_request()
        sequence = request % SEQUENCES
        expected = self._expected(bundle, sequence, chunk, by_mode)
        self._receiver.expect(expected)
        size = min(
            ANSWER_BYTES if header.type == FrameType.ANSWER else bundle.chunk_layout(chunk).serial_size
            for header in expected
        )
        if cost:
            size += EMPTY_REPLY_BYTES + RunCost.FORMAT.size
        data = run_data(chunk, pixels, cost, by_mode=by_mode)
        frame: FeatureFrame | AnswerFrame | None = None
        run_cost: RunCost | None = None
        for event in self._send(opcode, request, data, self._timeout, size):
            match event:
                case FeatureFrame() if event.chunk == chunk and self._is_of(event.header, sequence):
                    frame = event
                    if event.crc_ok:
                        self.device = event.device
                case AnswerFrame() if by_mode and self._is_of(event.header, sequence):
                    frame = event
                    if not event.header_flips:
                        self.device = event.device
                case UnknownModel() if self._is_of(event.header, sequence):
                    raise WrongModelError(
                        f"the board does not run model {bundle.model_id} (bundle {bundle.name}): pass the bundle of "
                        "the model that `inkling info` shows, or flash firmware built from this one"
                    )
                case ControlFrame(control) if self._is_reply(control, opcode, request):
                    run_cost = _unpack(RunCost, control.data)
            if frame and (run_cost or not cost):
                break
        if not self._received:
            raise self._no_reply()
        return frame, run_cost

    def _expected(self, bundle: Bundle, sequence: int, chunk: int, by_mode: bool) -> list[Header]:
        """Return the headers of the frames that the board may return."""
        kinds: list[tuple[FrameType, int]] = []
        if bundle.chunks or not by_mode:
            bundle.chunk_symbols(chunk)  # raises ChunkError
            kinds.append((FrameType.FEATURE, chunk))
        if by_mode and bundle.answer:
            kinds.append((FrameType.ANSWER, 0))
        devices = range(ANY_DEVICE + 1) if self.device is None else (self.device,)
        return [Header(kind, device, sequence, bundle.model_bits, c) for kind, c in kinds for device in devices]

    def _require_bundle(self) -> Bundle:
        if self.bundle is None:
            raise ValueError("a bundle is required")
        return self.bundle

    def _check_image(self, image: np.ndarray) -> None:
        shape = self._require_bundle().input_shape
        if image.shape != shape or image.dtype != np.uint8:
            raise ValueError(f"image must be uint8 {shape}, got {image.dtype} {image.shape}")

    def _line_s(self, n_bytes: int) -> float:
        """Return the time in seconds that bytes take on the serial line."""
        return BITS_PER_BYTE * n_bytes / self.port.baud

    def _ask(self, opcode: Opcode, data: bytes, timeout: float, reply_bytes: int) -> Control:
        """Send a command up to ATTEMPTS times and return its reply."""
        request = self._next_request()
        failure: DeviceError | None = None
        for _ in range(ATTEMPTS):
            try:
                for event in self._send(opcode, request, data, timeout, EMPTY_REPLY_BYTES + reply_bytes):
                    if isinstance(event, ControlFrame) and self._is_reply(event.control, opcode, request):
                        self.device = event.control.header.device
                        return event.control
                failure = self._no_reply()
            except BoardError as error:
                if error.code not in TRANSIENT:
                    raise
                failure = error
        assert failure is not None
        raise failure

    def _send(self, opcode: Opcode, request: int, data: bytes, timeout: float, size: int) -> Iterator[Event]:
        """Send a command, and yield events until no more of at least `size` bytes that it returns can arrive."""
        self._receiver.feed(self.port.read(0))  # what earlier commands return late
        self._receiver.flush()
        frame = command(opcode, request, data, self._address)
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
            for event in self._receiver.feed(received):
                if isinstance(event, ControlFrame) and event.control.request != request:
                    size += EMPTY_REPLY_BYTES + len(event.control.data)  # unsolicited: not part of these
                yield event
        yield from self._receiver.flush()

    def _is_of(self, header: Header, sequence: int) -> bool:
        """Return True if a frame with this header may be what the command with this sequence number returns."""
        return header.sequence == sequence and self.device in (None, header.device)

    def _is_reply(self, control: Control, opcode: Opcode, request: int) -> bool:
        """Return True if this replies to the command. Raises BoardError if it reports that the command failed."""
        if control.opcode == Opcode.ERROR:
            reply = _unpack(ErrorReply, control.data)
            # Unsolicited errors are unrelated, except for a command that was damaged before its request number.
            unnumbered = (control.request, reply.opcode) == (0, 0) and reply.code in RECEIVE_ERRORS
            if control.request == request or unnumbered:
                raise BoardError(reply)
        return (control.opcode, control.request) == (opcode | REPLY_BIT, request)

    def _next_request(self) -> int:
        """Return the next request number.

        Never 0, the number of unsolicited messages. Modulo 32, the numbers have no gap, as sequence numbers of frames.
        """
        self._request = FIRST_REQUEST if self._request == LAST_REQUEST else self._request + 1
        return self._request

    def _no_reply(self) -> DeviceError:
        url, baud = self.port.url, self.port.baud
        if self._received:
            return GarbledReplyError(
                f"{url}: received {self._received} bytes but no valid reply: "
                f"check the baud rate ({baud}), and the line for noise"
            )
        return SilentBoardError(f"{url}: the board does not respond: check that it is running and on this port")


def _unpack(kind: type[Reply], data: bytes) -> Reply:
    try:
        return kind.unpack(data)
    except ValueError as error:
        raise GarbledReplyError(f"the board's firmware is not compatible with this program: {error}") from None
