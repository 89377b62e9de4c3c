"""Frame parser: from the bytes of a frame of an image, complete or truncated, to its model and its event."""

from collections.abc import Sequence

import numpy as np

from host.receive.events import AnswerFrame, FeatureFrame, nearest_answer
from host.receive.headers import HeaderDecoder
from host.receive.matching import MIN_LEAD, Match
from host.receive.sources import ANSWER, Source
from wire.answer import ANSWER_BITS, CONFIDENCES
from wire.frame import HEADER_BYTES, SEQUENCES, FeatureLayout, Header, check_crc
from wire.model import Model
from wire.payload import interleaver


class FrameParser:
    """Parser of the frames of known models, which keeps track of their senders.

    Of models with equal model_id the last one counts, since no frame tells them apart.
    `headers` holds the headers that the devices may send next, `sources` the images received, by device and model_id.
    """

    def __init__(self, models: Sequence[Model]) -> None:
        self.headers = HeaderDecoder([*{model.model_id: model for model in models}.values()])
        self.sources: dict[tuple[int, str], Source] = {}

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
        source = self._source(header, model)
        place = source.record(header.sequence, header.chunk, bits, crc_ok, model.answer_bits)
        if crc_ok or source.received > 1:
            self.headers.add_device(header.device, header.model, source.newest % SEQUENCES)
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
        source = self._source(header, model)
        place = source.record(header.sequence, ANSWER, word, lead >= MIN_LEAD, ANSWER_BITS)
        if match.is_clear or source.received > 1:
            self.headers.add_device(header.device, header.model, source.newest % SEQUENCES)
        return AnswerFrame(model, match, distances, sync_flips, place, snr_db, rssi_dbm)

    def _only_or_used(self, models: list[Model], header: Header) -> Model | None:
        """Return the only one of the models, else the one that the header's device has used before, or None."""
        if len(models) == 1:
            return models[0]
        return next((model for model in models if (header.device, model.model_id) in self.sources), None)

    def _source(self, header: Header, model: Model) -> Source:
        return self.sources.setdefault((header.device, model.model_id), Source())


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
