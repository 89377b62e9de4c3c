"""Parsing of copies of one frame: recorded once, with one event for each copy."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from host.keys.policy import Auth
from host.receive.events import AnswerFrame, FeatureFrame, Refused
from host.receive.frames import FrameParser, frame_layout, payload_bits
from host.receive.matching import Match
from host.receive.secured.devices import Refusal
from wire.answer import CONFIDENCES

# A copy of a frame: the packet, its own match, and the radio's SNR and RSSI.
Heard = tuple[bytes, Match, float | None, float | None]
# The frames of all copies, and the undamaged one that they make together; or why there is none.
Parsed = tuple[Sequence[FeatureFrame | AnswerFrame], FeatureFrame | None] | Refused | None


def parse_copies(parser: FrameParser, heard: Sequence[Heard], match: Match, combined: bytes) -> Parsed:
    """Return the frames of copies of one feature frame, which count once, and the frame that they make together.

    match: of the frame as it was sent. combined: the likelier bits of all copies. The frame that they make counts
    if it is undamaged and no copy is; it is None otherwise. None if the model is undecidable.
    """
    found = [parser.find_model(packet, own, len(packet)) for packet, own, _, _ in heard]
    together = parser.find_model(combined, match, len(combined))
    model = next((one for one, clean in (*found, together) if clean), together[0])
    if model is None:
        return None
    cleans = [clean and one is model for one, clean in found]
    is_clean = any(cleans) or (together[1] and together[0] is model)
    header, proof, layout = match.header, match.proof, frame_layout(match, model)
    if proof and (refusal := parser.gate.refusal_with(proof, Auth.FULL if is_clean else Auth.HEADER)):
        return Refused(header.device, refusal)

    def bits_of(packet: bytes) -> np.ndarray:
        payload = packet[layout.payload]
        return payload_bits(
            proof.board.crypt(proof.counter, header.chunk, payload) if proof else payload, layout.n_bits
        )

    best = heard[cleans.index(True)][0] if any(cleans) else combined
    bits = bits_of(best)
    if proof and not is_clean and parser.contradicts(proof, header, model, bits):
        return Refused(header.device, Refusal.CONTRADICTION)
    place = parser.record(match, model, is_clean, header.chunk, bits, is_clean)
    frames = [
        FeatureFrame(model, own, bits_of(packet), None, True, clean, place, snr_db, rssi_dbm)
        for (packet, own, snr_db, rssi_dbm), clean in zip(heard, cleans, strict=True)
    ]
    made = is_clean and not any(cleans)
    return frames, FeatureFrame(model, match, bits, None, True, True, place) if made else None


def parse_answers(parser: FrameParser, heard: Sequence[Heard], weights: np.ndarray) -> Parsed:
    """Return the frames of copies of one answer frame, which count once. weights (copies,): of their bits.

    None if the model is undecidable or lacks the class.
    """
    match = heard[0][1]
    distances = [own.answers for _, own, _, _ in heard if own.answers is not None]
    total = weights @ np.array(distances, float)
    best = int(total.argmin())
    # The likeliest answer by all copies, as one frame's: with the mean of the flips, and nearer than any other.
    mean = np.round(total / weights.sum()).astype(np.uint8)
    nearer = mean <= mean[best]
    nearer[best] = False
    mean[nearer] = mean[best] + 1
    frame = parser.parse_answer(match._replace(flips=int(mean[best]), answers=mean))
    if not isinstance(frame, AnswerFrame):
        return frame
    return [
        replace(
            frame,
            match=own._replace(flips=int(flips[best])),
            distances=flips[: frame.model.class_count * CONFIDENCES],
            snr_db=snr_db,
            rssi_dbm=rssi_dbm,
        )
        for (_, own, snr_db, rssi_dbm), flips in zip(heard, distances, strict=True)
    ], None
