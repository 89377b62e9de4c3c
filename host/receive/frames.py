"""Frame parser: from the bytes of a frame, complete or truncated, to its model, its sender and its event."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from host.keys.policy import Auth, DevicePolicy
from host.receive.clash import START_TOLERANCE_S, has_restarted, start_tolerance
from host.receive.events import AnswerFrame, ControlFrame, FeatureFrame, Refused, nearest_answer
from host.receive.headers import HeaderDecoder
from host.receive.matching import MIN_LEAD, Match, Proof
from host.receive.secured.devices import Refusal
from host.receive.secured.gate import Gate
from host.receive.senders.registry import Registry, Totals
from host.receive.sources import ANSWER, Place, Source
from wire.answer import ANSWER_BITS, CONFIDENCES
from wire.control import Control
from wire.frame import HEADER_BYTES, FeatureLayout, Header, check_crc
from wire.model import Model
from wire.payload import interleaver
from wire.replies.status import Status
from wire.secure.frames import SecuredLayout


class FrameParser:
    """Parser of the frames of known models, which keeps track of their senders.

    Of models with equal model_id the last one counts, since no frame tells them apart.
    `headers` holds the headers that plain devices may send next, `sources` the images received, by device and model_id,
    and `gate` the devices with a policy. `clock`, `policies` and `require` are as for a Gate.
    """

    def __init__(
        self,
        models: Sequence[Model],
        clock: Callable[[], float] = time.monotonic,
        policies: Mapping[int, DevicePolicy] | None = None,
        require: Auth = Auth.NONE,
    ) -> None:
        different = [*{model.model_id: model for model in models}.values()]
        self.headers = HeaderDecoder(different)
        self.gate = Gate(different, policies or {}, require, clock)
        self._model_bits = {model.model_id: model.model_bits for model in models}
        self._senders = Registry(frozenset(policies or ()))
        self._clock = clock
        self._statuses: dict[int, tuple[float, Status]] = {}  # the last one of each device, and when it came

    @property
    def sources(self) -> dict[tuple[int, str], Source]:
        """The senders, by device and model_id."""
        return self._senders.sources

    @property
    def totals(self) -> Totals:
        """The counts of all senders, including those that were forgotten."""
        return self._senders.totals()

    def restore(self, sources: Mapping[tuple[int, str], Source]) -> None:
        """Go on with the sources of an earlier run. Those of models that are not known are left out."""
        for (device, model_id), source in sources.items():
            if model_id in self._model_bits:
                self.sources[device, model_id] = source
                if self.gate.device(device) is None:
                    self._expect(device, model_id, source)

    def decode(self, block: bytes, sync_flips: int) -> Match | None:
        """Decode the `gate.header_bytes` after a sync word, or fewer but at least 8 at the end of a stream."""
        return self.gate.decode(block, sync_flips) or self.headers.decode(block[:HEADER_BYTES], sync_flips)

    def decode_packet(self, packet: bytes) -> Match | None:
        """Decode the header of a radio packet, of 8 bytes or more."""
        match = self.gate.decode(packet[: self.gate.header_bytes], size=len(packet))
        return match or self.headers.decode_packet(packet[:HEADER_BYTES], len(packet))

    def control_event(
        self, control: Control, snr_db: float | None = None, rssi_dbm: float | None = None
    ) -> ControlFrame:
        """Return the event for a control frame. If it is a status frame, it counts for its sender, or is refused."""
        status = self.take_status(control)
        event = ControlFrame(control, snr_db=snr_db, rssi_dbm=rssi_dbm)
        if isinstance(status, Refusal):
            return replace(event, refusal=status)
        return replace(event, status=status)

    def take_status(self, control: Control) -> Status | Refusal | None:
        """Return the status in a status frame of a device, or why it is refused; None for other control frames.

        The losses of a device that sends images are counted by its own counter, for the model of which a frame was
        received last: see `Source.counter` and, of a device with a key, `Source.advance`.
        """
        number = control.header.device
        device = self.gate.device(number)
        before = device.known_counter if device else None
        status = self.gate.open_status(control)
        if not isinstance(status, Status) or status.is_gateway:
            return status
        now, last = self._clock(), self._statuses.get(number)
        self._statuses[number] = now, status
        key = self._heard_last(number)
        if key is None:
            return status
        source = self.sources[key]
        if device is None:
            restarted = _restarted(last, status, now) if last else _may_have_restarted(source, status, now)
            source.counter(status.counter, now, restarted)
            self._expect(*key, source)
        elif before is not None and device.known_counter is not None:
            started = status.uptime_s < now - source.heard + START_TOLERANCE_S
            taken = self.gate.taken(number, before + 1, device.known_counter)
            restarted = _restarted(last, status, now) if last else started
            source.advance(before, device.known_counter, now, restarted, taken)
        return status

    def _heard_last(self, device: int) -> tuple[int, str] | None:
        """Return the source of a device that was heard last."""
        known = [key for key in self.sources if key[0] == device]
        return max(known, key=lambda one: self.sources[one].heard) if known else None

    def find_model(self, body: bytes, match: Match, size: int | None = None) -> tuple[Model | None, bool]:
        """Return the model of the feature frame in `body`, None if undecidable, and whether the frame is clean.

        Of several models with these model bits, it is the one for which the CRC-16 is correct, else the one that this
        device has used before. `size` restricts them to those whose frame has so many bytes. A proof names the model.
        """
        if match.proof:
            return match.proof.model, _is_whole_and_authentic(body, match.proof, match.header.chunk)
        header = match.header
        models = self.headers.models(header)
        if size is not None:
            models = [model for model in models if model.chunk_layout(header.chunk).size == size]
        clean = next((model for model in models if is_clean(body, header, model)), None)
        return clean or self.only_or_used(models, header), clean is not None

    def parse(
        self,
        body: bytes,
        match: Match,
        model: Model,
        crc_ok: bool,
        sync_flips: int | None = None,
        snr_db: float | None = None,
        rssi_dbm: float | None = None,
    ) -> FeatureFrame | Refused:
        """Return the event for a feature frame and record it. `body` holds the received bytes, from the header on."""
        header, layout, proof = match.header, frame_layout(match, model), match.proof
        received = body[layout.payload]
        if proof:
            if refusal := self.gate.refusal_with(proof, Auth.FULL if crc_ok else Auth.HEADER):
                return Refused(header.device, refusal)
            received = proof.board.crypt(proof.counter, header.chunk, received)
        bits = payload_bits(received, layout.n_bits)
        if proof and not crc_ok and self.contradicts(proof, header, model, bits):
            return Refused(header.device, Refusal.CONTRADICTION)
        place = self.record(match, model, crc_ok, header.chunk, bits, crc_ok)
        return FeatureFrame(model, match, bits, sync_flips, len(body) >= layout.size, crc_ok, place, snr_db, rssi_dbm)

    def parse_answer(
        self,
        match: Match,
        sync_flips: int | None = None,
        snr_db: float | None = None,
        rssi_dbm: float | None = None,
    ) -> AnswerFrame | Refused | None:
        """Return the event for an answer frame and record it; None if its model is undecidable or lacks its class."""
        header, proof = match.header, match.proof
        if proof and (refusal := self.gate.refusal_with(proof, Auth.FULL)):
            return Refused(header.device, refusal)
        model = proof.model if proof else self.only_or_used(self.headers.models(header), header)
        if model is None or match.answers is None:
            return None
        distances = match.answers[: model.class_count * CONFIDENCES]
        # Without a proof, the nearest answer may be of a model with equal model bits and more classes.
        if proof is None and distances.min() > match.flips:
            return None
        answer, lead = nearest_answer(distances)
        word = np.unpackbits(np.frombuffer(answer.word.to_bytes(ANSWER_BITS // 8, "big"), np.uint8)).astype(np.int8)
        place = self.record(match, model, match.is_clear, ANSWER, word, lead >= MIN_LEAD)
        return AnswerFrame(model, match, distances, sync_flips, place, snr_db, rssi_dbm)

    def contradicts(self, proof: Proof, header: Header, model: Model, bits: np.ndarray) -> bool:
        """Return True if a damaged payload is unlike the other frames of its image: one of them is forged."""
        source, device = self.sources.get((header.device, model.model_id)), self.gate.device(header.device)
        if source is None or device is None or proof.counter > device.counter:
            return False
        return source.contradicts(proof.counter, header.chunk, bits, model.answer_bits)

    def only_or_used(self, models: list[Model], header: Header) -> Model | None:
        """Return the only one of the models, else the one that the header's device has used before, or None."""
        if len(models) == 1:
            return models[0]
        return next((model for model in models if (header.device, model.model_id) in self.sources), None)

    def record(self, match: Match, model: Model, certain: bool, chunk: int, bits: np.ndarray, clean: bool) -> Place:
        """Record a frame of its source. The device becomes known if the header is certain, else with the next frame."""
        key, now = (match.header.device, model.model_id), self._clock()
        source = self._senders.add(key)
        if match.proof:
            before = self.gate.accept(match.proof, now)
            counter = match.proof.counter
            taken = 0 if before is None else self.gate.taken(match.header.device, before + 1, counter - 1)
            place = source.record_counter(counter, before, chunk, bits, clean, now, taken)
        else:
            answer_bits = ANSWER_BITS if chunk == ANSWER else model.answer_bits
            place = source.record(match.header.sequence, chunk, bits, clean, answer_bits, now)
        for device, model_id in self._senders.forget(now):
            model_bits = self._model_bits[model_id]
            if not any(other == device and self._model_bits[kept] == model_bits for other, kept in self.sources):
                self.headers.remove_device(device, model_bits)
        if match.proof is None and (certain or source.received > 1):
            self._expect(*key, source)
        return place

    def _expect(self, device: int, model_id: str, source: Source) -> None:
        """Make a device known, or update the headers that are expected of it."""
        established = self._senders.is_established(source)
        self.headers.add_device(device, self._model_bits[model_id], source.expected_after, established)


def is_clean(body: bytes, header: Header, model: Model) -> bool:
    """Return True if the frame in `body`, from its header on, is complete and its CRC-16 correct for this model.

    The CRC-16 is checked with the corrected header, so the result concerns the payload alone.
    """
    size = model.chunk_layout(header.chunk).size
    if len(body) < size:
        return False
    return check_crc(header.encode() + body[HEADER_BYTES:size], model.number)


def _is_whole_and_authentic(body: bytes, proof: Proof, chunk: int) -> bool:
    """Return True if the secured frame in `body`, from its header on, is complete and its payload tag correct."""
    layout = SecuredLayout(proof.model.chunk_bits(chunk))
    payload, tag = body[layout.payload], body[layout.payload.stop : layout.size]
    return len(body) >= layout.size and tag == proof.board.payload_tag(proof.counter, chunk, payload)


def frame_layout(match: Match, model: Model) -> FeatureLayout | SecuredLayout:
    """Return the layout of a feature frame of this model, by its header."""
    chunk = match.header.chunk
    return SecuredLayout(model.chunk_bits(chunk)) if match.proof else model.chunk_layout(chunk)


def payload_bits(payload: bytes, n_bits: int) -> np.ndarray:
    """Return the bits (n_bits,) int8 in payload order, -1 = not received, of the first bytes of a payload as sent."""
    bits = np.full(n_bits, -1, np.int8)
    received = np.unpackbits(np.frombuffer(payload, np.uint8))[:n_bits]
    bits[interleaver(n_bits)[: len(received)]] = received
    return bits


def _may_have_restarted(source: Source, status: Status, now: float) -> bool:
    """Return True if a board may have started since its last status frame, which an earlier run received."""
    if source.last_counter is None:
        return False
    elapsed = now - source.last_counter.time
    return status.uptime_s < elapsed + start_tolerance(elapsed)


def _restarted(last: tuple[float, Status], status: Status, now: float) -> bool:
    """Return True if a board has started since its last status frame, which came at the time that is given with it."""
    before, earlier = last
    return has_restarted(earlier, status, now - before) or status.boots != earlier.boots
