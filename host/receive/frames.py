"""Frame parser: from the bytes of a frame of an image, complete or truncated, to its model and its event."""

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from host.receive.clash import has_restarted
from host.receive.events import AnswerFrame, FeatureFrame, nearest_answer
from host.receive.headers import HeaderDecoder
from host.receive.matching import MIN_LEAD, Match
from host.receive.senders.registry import Registry, Totals
from host.receive.sources import ANSWER, Place, Source
from wire.answer import ANSWER_BITS, CONFIDENCES
from wire.control import Control
from wire.frame import HEADER_BYTES, FeatureLayout, Header, check_crc
from wire.model import Model
from wire.payload import interleaver
from wire.replies.status import Status, parse_status


class FrameParser:
    """Parser of the frames of known models, which keeps track of their senders.

    Of models with equal model_id the last one counts, since no frame tells them apart.
    `headers` holds the headers that the devices may send next, `sources` the images received, by device and model_id.
    `clock` gives the time in seconds and never goes back.
    """

    def __init__(self, models: Sequence[Model], clock: Callable[[], float] = time.monotonic) -> None:
        self.headers = HeaderDecoder([*{model.model_id: model for model in models}.values()])
        self._model_bits = {model.model_id: model.model_bits for model in models}
        self._senders = Registry()
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
                self._expect(device, model_id, source)

    def take_status(self, control: Control) -> None:
        """Count the losses of a device by its own counter, if this is a status frame of a device that sends images.

        A restart while this host was off cannot be excluded. The counter counts for the model of which a frame was
        received last. See `Source.counter`.
        """
        status, device = parse_status(control), control.header.device
        if status is None or status.is_gateway:
            return
        now, last = self._clock(), self._statuses.get(device)
        self._statuses[device] = now, status
        known = [key for key in self.sources if key[0] == device]
        if known:
            key = max(known, key=lambda one: self.sources[one].heard)
            source = self.sources[key]
            if last:
                before, earlier = last
                restarted = has_restarted(earlier, status, now - before) or status.boots != earlier.boots
            else:
                restarted = source.last_counter is not None
            source.counter(status.counter, now, restarted)
            self._expect(device, key[1], source)

    def find_model(self, body: bytes, header: Header, size: int | None = None) -> tuple[Model | None, bool]:
        """Return the model of the feature frame in `body`, None if undecidable, and whether the frame is clean.

        Of several models with these model bits, it is the one for which the CRC-16 is correct, else the one that this
        device has used before. `size` restricts them to those whose frame has so many bytes.
        """
        models = self.headers.models(header)
        if size is not None:
            models = [model for model in models if model.chunk_layout(header.chunk).size == size]
        clean = next((model for model in models if is_clean(body, header, model)), None)
        return clean or self._only_or_used(models, header), clean is not None

    def parse(
        self,
        body: bytes,
        match: Match,
        model: Model,
        crc_ok: bool,
        sync_flips: int | None = None,
        snr_db: float | None = None,
        rssi_dbm: float | None = None,
    ) -> FeatureFrame:
        """Return the event for a feature frame and record it. `body` holds the received bytes, from the header on."""
        header = match.header
        layout = model.chunk_layout(header.chunk)
        bits = payload_bits(body, layout)
        place = self._record(header, model, crc_ok, header.chunk, bits, crc_ok)
        return FeatureFrame(model, match, bits, sync_flips, len(body) >= layout.size, crc_ok, place, snr_db, rssi_dbm)

    def parse_answer(
        self,
        match: Match,
        sync_flips: int | None = None,
        snr_db: float | None = None,
        rssi_dbm: float | None = None,
    ) -> AnswerFrame | None:
        """Return the event for an answer frame and record it; None if its model is undecidable or lacks its class."""
        header = match.header
        model = self._only_or_used(self.headers.models(header), header)
        if model is None or match.answers is None:
            return None
        distances = match.answers[: model.class_count * CONFIDENCES]
        if distances.min() > match.flips:  # the nearest answer is of a model with equal model bits and more classes
            return None
        answer, lead = nearest_answer(distances)
        word = np.unpackbits(np.frombuffer(answer.word.to_bytes(ANSWER_BITS // 8, "big"), np.uint8)).astype(np.int8)
        place = self._record(header, model, match.is_clear, ANSWER, word, lead >= MIN_LEAD)
        return AnswerFrame(model, match, distances, sync_flips, place, snr_db, rssi_dbm)

    def _only_or_used(self, models: list[Model], header: Header) -> Model | None:
        """Return the only one of the models, else the one that the header's device has used before, or None."""
        if len(models) == 1:
            return models[0]
        return next((model for model in models if (header.device, model.model_id) in self.sources), None)

    def _record(self, header: Header, model: Model, certain: bool, chunk: int, bits: np.ndarray, clean: bool) -> Place:
        """Record a frame of its source. The device becomes known if the header is certain, else with the next frame."""
        key, now = (header.device, model.model_id), self._clock()
        source = self._senders.add(key)
        answer_bits = ANSWER_BITS if chunk == ANSWER else model.answer_bits
        place = source.record(header.sequence, chunk, bits, clean, answer_bits, now)
        for device, model_id in self._senders.forget(now):
            model_bits = self._model_bits[model_id]
            if not any(other == device and self._model_bits[kept] == model_bits for other, kept in self.sources):
                self.headers.remove_device(device, model_bits)
        if certain or source.received > 1:
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


def payload_bits(body: bytes, layout: FeatureLayout) -> np.ndarray:
    """Return the payload bits (n_bits,) int8 in payload order, -1 = not received, of a frame from its header on."""
    bits = np.full(layout.n_bits, -1, np.int8)
    received = np.unpackbits(np.frombuffer(body[layout.payload], np.uint8))[: layout.n_bits]
    bits[interleaver(layout.n_bits)[: len(received)]] = received
    return bits
