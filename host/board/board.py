"""Client of a board on a port: requests information, runs the encoder on images, and times it."""

import math

import numpy as np

from host.board import TIMEOUT_S
from host.board.command_line import EMPTY_REPLY_BYTES, unpack
from host.board.errors import DeviceError, GarbledReplyError, WrongModelError
from host.board.port import Port
from host.board.sealed_line import SealedLine
from host.board.sealing import Sealer
from host.keys.key_file import KeyFile
from host.receive.events import AnswerFrame, ControlFrame, FeatureFrame, ImageFrame, UnknownModel
from host.receive.stream import MAX_REPLY_BYTES
from wire import BAUD
from wire.bundle import Bundle
from wire.control import (
    LONGEST_PREFIX,
    BenchResult,
    Control,
    Info,
    ModeSetting,
    Opcode,
    RadioReport,
    RunCost,
    run_data,
)
from wire.frame import ANY_DEVICE, HEADER_BYTES, SEQUENCES, SYNC, WIRE_VERSION, FrameType, Header
from wire.secure.frames import HEADER_TAG_BYTES, SecuredLayout

ANSWER_BYTES = len(SYNC) + HEADER_BYTES
RADIO_S = 15.0  # air time of the longest packet, at SF12, 4/8, 125 kHz

# A frame and its cost; None for what was not requested or was lost.
Features = tuple[FeatureFrame | None, RunCost | None]
ByMode = tuple[FeatureFrame | AnswerFrame | None, RunCost | None]


class Board(SealedLine):
    """Client of one board. Every wait is bounded; failures raise DeviceError or PortError.

    The bundle is needed for images only (`run`, `capture`, `pixels`, `run_by_radio`).
    """

    @classmethod
    def open(
        cls,
        url: str,
        bundle: Bundle | None = None,
        baud: int = BAUD,
        timeout: float = TIMEOUT_S,
        device: int | None = None,
        keys: KeyFile | None = None,
    ) -> "Board":
        """Open a port, by any URL that pyserial knows, and return the client of the board on it."""
        return cls(Port(url, baud), bundle, timeout, device, keys)

    def info(self) -> Info:
        """Return the board's firmware, model and memory. The command is sent up to three times."""
        info = unpack(Info, self._ask(Opcode.INFO, b"", self._timeout, Info.FORMAT.size).data)
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
        return unpack(BenchResult, self._ask(Opcode.BENCH, bytes((repeats,)), timeout, BenchResult.FORMAT.size).data)

    def mode(self, setting: ModeSetting | None = None) -> ModeSetting:
        """Return the board's mode and threshold, set before if `setting` is given. A reset of the board undoes it."""
        data = setting.pack() if setting else b""
        size = ModeSetting.FORMAT.size
        reply = self._sealed(lambda sealer: self._ask(Opcode.MODE, data, self._timeout, size, sealer))
        return unpack(ModeSetting, reply.data)

    def run(self, image: np.ndarray, chunk: int = 0, cost: bool = False) -> Features:
        """Send an image, uint8 (H, W, C), and return the frame of a chunk of its features and, on request, the cost.

        The command is sent once. Raises ValueError if the image does not have the bundle's input shape.
        """
        self._check_image(image)
        return _features(self._receive_frame(Opcode.RUN, image.tobytes(), chunk, cost, by_mode=False))

    def run_by_mode(self, image: np.ndarray, chunk: int = 0, cost: bool = False) -> ByMode:
        """Do the same as `run`, but return what the board's mode says: its answer, or the chunk of features."""
        self._check_image(image)
        return self._receive_frame(Opcode.RUN, image.tobytes(), chunk, cost, by_mode=True)

    def capture(self, chunk: int = 0, cost: bool = False) -> Features:
        """Let the board take an image with its camera. Returns the same as `run`; the cost excludes the camera."""
        return _features(self._receive_frame(Opcode.CAPTURE, b"", chunk, cost, by_mode=False))

    def capture_by_mode(self, chunk: int = 0, cost: bool = False) -> ByMode:
        """Do the same as `capture`, but return what the board's mode says."""
        return self._receive_frame(Opcode.CAPTURE, b"", chunk, cost, by_mode=True)

    def pixels(self) -> np.ndarray:
        """Return the image in the board's memory, uint8 (H, W, C). The command is sent up to three times."""
        bundle = self._require_bundle()
        size = math.prod(bundle.input_shape)
        data = self._sealed(lambda sealer: self._ask_pixels(size, sealer)).data
        if len(data) != size:
            raise GarbledReplyError(f"the board's image has {len(data)} bytes, but the input of the bundle has {size}")
        return np.frombuffer(data, np.uint8).reshape(bundle.input_shape)

    def _ask_pixels(self, size: int, sealer: Sealer | None) -> Control:
        self._receiver.longest_reply = max(MAX_REPLY_BYTES, size + EMPTY_REPLY_BYTES)
        try:
            return self._ask(Opcode.PIXELS, b"", self._timeout + self._line_s(size), size, sealer)
        finally:
            self._receiver.longest_reply = MAX_REPLY_BYTES

    def run_by_radio(
        self, image: np.ndarray, chunk: int = LONGEST_PREFIX, by_mode: bool = False
    ) -> tuple[RunCost, RadioReport]:
        """Send an image, uint8 (H, W, C), whose frame the board sends by its radio. Returns when the frame is sent.

        Without a chunk, the board sends the longest prefix that its air time allows, or with `by_mode` what its mode
        says. The command is sent once: if the reply is lost, the packet may have been sent. Raises ValueError if the
        image does not have the bundle's shape.
        """
        self._check_image(image)
        data = run_data(chunk, image.tobytes(), by_radio=True, by_mode=by_mode)
        return self._send_for_image(lambda sealer: self._send_by_radio(data, sealer))

    def _send_by_radio(self, data: bytes, sealer: Sealer | None) -> tuple[RunCost, RadioReport]:
        request, size = self._next_request(), EMPTY_REPLY_BYTES + RunCost.FORMAT.size + RadioReport.FORMAT.size
        for event in self._send(Opcode.RUN, request, data, self._timeout + RADIO_S, size, sealer):
            if isinstance(event, ControlFrame) and self._is_reply(event.control, Opcode.RUN, request):
                self.device = event.control.header.device
                if sealer:
                    sealer.use()
                cost = unpack(RunCost, event.control.data)
                return cost, unpack(RadioReport, event.control.data[RunCost.FORMAT.size :])
        raise self._no_reply()

    def _receive_frame(self, opcode: Opcode, pixels: bytes, chunk: int, cost: bool, by_mode: bool) -> ByMode:
        """Send RUN or CAPTURE, and return frame and cost."""
        return self._send_for_image(lambda sealer: self._receive_once(opcode, pixels, chunk, cost, by_mode, sealer))

    def _receive_once(
        self, opcode: Opcode, pixels: bytes, chunk: int, cost: bool, by_mode: bool, sealer: Sealer | None
    ) -> ByMode:
        bundle, request = self._require_bundle(), self._next_request()
        sequence = (request if sealer is None else sealer.counter) % SEQUENCES
        expected = self._expected(bundle, sequence, chunk, by_mode)
        if sealer:
            self._receiver.expect_counter(sealer.device, sealer.counter)
        else:
            self._receiver.expect(expected)
        size = min(_frame_bytes(bundle, header, sealer is not None) for header in expected)
        if cost:
            size += EMPTY_REPLY_BYTES + RunCost.FORMAT.size
        data = run_data(chunk, pixels, cost, by_mode=by_mode)
        frame: FeatureFrame | AnswerFrame | None = None
        run_cost: RunCost | None = None
        for event in self._send(opcode, request, data, self._timeout, size, sealer):
            match event:
                case FeatureFrame() if event.chunk == chunk and self._is_of(event, sequence, sealer):
                    frame = event
                    if event.crc_ok or event.match.is_clear:
                        self.device = event.device
                case AnswerFrame() if by_mode and self._is_of(event, sequence, sealer):
                    frame = event
                    if event.match.is_clear:
                        self.device = event.device
                case UnknownModel() if self._is_of(event, sequence):
                    raise WrongModelError(
                        f"the board does not run model {bundle.model_id} (bundle {bundle.name}): pass the bundle of "
                        "the model that `inkling info` shows, or flash firmware built from this one"
                    )
                case ControlFrame(control) if self._is_reply(control, opcode, request):
                    run_cost = unpack(RunCost, control.data)
            if frame and (run_cost or not cost):
                break
        if not self._received:
            raise self._no_reply()
        if frame is None and (failure := self._reported_failure()):
            raise failure  # no bit errors: it crashed, or restarted
        if sealer:
            if frame:
                self._take(sealer.counter)
            sealer.use(is_certain=frame is not None or run_cost is not None)
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

    def _is_of(self, event: ImageFrame | UnknownModel, sequence: int, sealer: Sealer | None = None) -> bool:
        """Return True if this may be what a command returns: by sequence number or, if it was sealed, by counter."""
        if sealer and isinstance(event, ImageFrame):
            return event.match.proof is not None and event.match.proof.counter == sealer.counter
        return event.header.sequence == sequence and self.device in (None, event.header.device)


def _frame_bytes(bundle: Bundle, header: Header, is_secured: bool) -> int:
    """Return the size in bytes of a frame with this header on a line."""
    if header.type == FrameType.ANSWER:
        return ANSWER_BYTES + HEADER_TAG_BYTES * is_secured
    if is_secured:
        return SecuredLayout(bundle.chunk_bits(header.chunk)).serial_size
    return bundle.chunk_layout(header.chunk).serial_size


def _features(returned: ByMode) -> Features:
    frame, cost = returned
    assert not isinstance(frame, AnswerFrame), "answers are received by mode only"
    return frame, cost
