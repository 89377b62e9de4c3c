"""Records of readings: what all frames of an image so far say, with every reception."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from host.classify.classifier import Reading, Received
from host.classify.decoder import Prediction
from host.receive.events import NO_ANSWER, AnswerFrame, FeatureFrame
from host.site.outbox import Outbox
from host.site.packets import GatewayPacket
from host.site.records import ReadingRecord, Reception, TaskAnswer

MAX_IMAGES = 4096  # whose receptions are known; those of one device are few
ANSWER = -1  # in place of a chunk's number


@dataclass(frozen=True)
class Arrival:
    """Frames of one image that came together."""

    received: Received
    times: tuple[float, ...]  # Unix time of each, in seconds
    packets: tuple[GatewayPacket, ...]  # that they came in; none of a board on a line
    token: str  # of their source


@dataclass
class _Image:
    """What is known of an image before its next frame."""

    first: ReadingRecord
    heard: set[tuple[int, str]] = field(default_factory=set)  # chunks and gateways


class Readings:
    """Maker of the records of readings. The record of an image keeps its id, its time and all receptions."""

    def __init__(self, site: str, outbox: Outbox) -> None:
        self._site, self._outbox = site, outbox
        self._images: OrderedDict[str, _Image] = OrderedDict()

    def record(self, arrival: Arrival, reading: Reading) -> ReadingRecord:
        """Return the record of a reading."""
        frames, gateways = arrival.received.frames, arrival.received.gateways
        new = self._new(arrival, reading)
        image, before = self._images.get(new.id), self._outbox.reading(new.id)
        heard = {(_chunk(frame), gateway) for frame, gateway in zip(frames, gateways, strict=True)}
        if image is None and before is not None:  # of an earlier run, whose bits are gone
            image = _Image(before)
            if new.duplicate:
                new = replace(before, lost_total=new.lost_total, receptions=new.receptions, ber=new.ber)
        if image is None:
            image = self._images[new.id] = _Image(new)
            record = replace(new, duplicate=new.duplicate and before is None)
        else:
            earlier = before or image.first
            record = replace(
                new,
                time=image.first.time,
                lost=image.first.lost,
                lost_certainty=image.first.lost_certainty,
                unexpected=image.first.unexpected,
                late=image.first.late,
                receptions=(*earlier.receptions, *new.receptions),
                ber=min(earlier.ber, new.ber),
                crc_ok=_any_ok([earlier.crc_ok, new.crc_ok])
                if earlier.frame == new.frame
                else _of_features(earlier, new),
                # A copy by another gateway is no repetition.
                duplicate=new.duplicate and heard <= image.heard,
            )
        image.heard |= heard
        self._images[record.id] = image
        self._images.move_to_end(record.id)
        if len(self._images) > MAX_IMAGES:
            self._images.popitem(last=False)
        return record

    def _new(self, arrival: Arrival, reading: Reading) -> ReadingRecord:
        """Return the record as if no other frame of the image had come."""
        frame, prediction = reading.frame, reading.class_prediction
        received = arrival.received
        parts = zip(received.frames, received.gateways, arrival.times, reading.link_bers, strict=True)
        by_radio = [packet.crc_ok for packet in arrival.packets] or [None] * len(received.frames)
        receptions = tuple(
            Reception(gateway, seconds, _rounded(ber), _crc_ok(one, radio_crc), one.snr_db, one.rssi_dbm)
            for (one, gateway, seconds, ber), radio_crc in zip(parts, by_radio, strict=True)
        )
        place = frame.place
        return ReadingRecord(
            id=f"{arrival.token}-{frame.device}-{frame.image_number}",
            site=self._site,
            time=min(arrival.times),
            device=frame.device,
            bundle=frame.model.name,
            model_id=frame.model.model_id,
            image_number=frame.image_number,
            sequence=frame.sequence,
            frame="features" if isinstance(frame, FeatureFrame) else "answer",
            label=prediction.label if prediction else None,
            index=prediction.index if prediction else None,
            confidence=round(prediction.confidence, 4) if prediction else None,
            answered_by=reading.answered_by.value,
            unsure=reading.unsure,
            auth=reading.auth.name.lower(),
            ber=_rounded(reading.ber),
            payload_ber=_rounded(reading.payload_ber),
            symbols=tuple(reading.symbols.tolist()) if isinstance(frame, FeatureFrame) else (),
            answer_word=None if reading.answer_word == NO_ANSWER else reading.answer_word,
            receptions=receptions,
            crc_ok=frame.crc_ok if isinstance(frame, FeatureFrame) else _any_ok([one.crc_ok for one in receptions]),
            lost=place.lost,
            lost_certainty=place.certainty.words,
            lost_total=place.lost_so_far,
            lost_total_certainty=place.certainty_so_far.words,
            duplicate=place.duplicate,
            late=place.late,
            unexpected=place.unexpected,
            tasks={name: _task_answer(one) for name, one in reading.tasks.items()},
        )


def _chunk(frame: FeatureFrame | AnswerFrame) -> int:
    return frame.chunk if isinstance(frame, FeatureFrame) else ANSWER


def _crc_ok(frame: FeatureFrame | AnswerFrame, radio_crc: bool | None) -> bool | None:
    """Return whether a frame is undamaged; None if nothing says so. radio_crc: of the packet that it came in.

    An answer has no CRC of its own. A packet of another network, with a correct CRC, is hardly ever an answer without
    a single bit error.
    """
    if isinstance(frame, FeatureFrame):
        return frame.crc_ok
    return None if radio_crc is None else radio_crc and int(frame.distances.min()) == 0


def _any_ok(values: Sequence[bool | None]) -> bool | None:
    """Return whether one of several copies is undamaged; None if nothing says so of any."""
    known = [value for value in values if value is not None]
    return any(known) if known else None


def _of_features(earlier: ReadingRecord, new: ReadingRecord) -> bool | None:
    """Return crc_ok of the one that has features, of two readings of an image of which the other has an answer."""
    return new.crc_ok if new.frame == "features" else earlier.crc_ok


def _rounded(ber: float) -> float:
    return float(f"{ber:.4g}")


def _task_answer(prediction: Prediction | None) -> TaskAnswer:
    if prediction is None:
        return TaskAnswer(None, None, None)
    return TaskAnswer(prediction.label, prediction.index, round(prediction.confidence, 4))
