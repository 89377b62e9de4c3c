"""Classifier: from received frames to readings, as commands and benchmarks run it."""

import time
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

import numpy as np

from host.classify.ber import BerEstimator, payload_ber
from host.classify.combine import ImageBits
from host.classify.decoder import Decoders, Prediction, softmax
from host.classify.general import TaskModel, TaskPredictions, TaskSet
from host.keys.policy import Auth
from host.receive.events import NO_ANSWER, AnswerFrame, FeatureFrame
from host.receive.senders.registry import MAX_SOURCES
from wire.answer import Answer
from wire.bundle import Bundle
from wire.model import Model

# Images of a device that further frames can be added to: those that may be late, of two boards with its number.
MAX_IMAGES = 16
MAX_GATEWAYS = 32  # per device


class AnsweredBy(StrEnum):
    """Who decided on the class of an image."""

    BOARD = "board"
    HOST = "host"


@dataclass(frozen=True, eq=False)
class Reading:
    """Reading of an image, from this frame and the earlier frames of the same image.

    The board's answer counts until features arrive; then the host decides, with the answer as one of its inputs.
    A general bundle's reading has predictions of tasks instead of a class.
    """

    frame: FeatureFrame | AnswerFrame
    class_prediction: Prediction | None  # None for a general bundle
    ber: float  # of the link, estimated up to this frame
    payload_ber: float  # given to the decoder
    symbols: np.ndarray  # (S,) given to the decoder, -1 = not received
    frames: int  # number of frames of this image so far
    answered_by: AnsweredBy = AnsweredBy.HOST
    unsure: bool = False  # an answer that another class fits nearly as well
    answer_word: int = NO_ANSWER  # given to the decoder
    tasks: TaskPredictions = field(default_factory=dict)
    auth: Auth = Auth.NONE  # of the image, by all of its frames so far
    image_id: str = ""  # the same for all frames of an image, and for no other image of the model
    link_bers: tuple[float, ...] = ()  # of each link on which these frames came, in their order

    @property
    def prediction(self) -> Prediction:
        """The predicted class. Raises ValueError if the bundle is a general one, which has only tasks."""
        if self.class_prediction is None:
            raise ValueError(f"bundle {self.frame.model.name} has no classes of its own")
        return self.class_prediction

    def as_json(self) -> dict[str, Any]:
        """Return the fields of the reading's JSON line. Those of feature frames are null for an answer frame.

        A general bundle's reading also has what its tasks are taught from: symbols and bit error rate for the decoder.
        """
        frame, prediction = self.frame, self.class_prediction
        features = frame if isinstance(frame, FeatureFrame) else None
        return {
            "device": frame.device,
            "sequence": frame.sequence,
            "frame": "features" if features else "answer",
            "chunk": features and features.chunk,
            "bundle": frame.model.name,
            "model_id": frame.model.model_id,
            **_prediction_values("class", prediction),
            "answered_by": self.answered_by.value,
            "unsure": self.unsure,
            "auth": self.auth.name.lower(),
            "ber": float(f"{self.ber:.4g}"),
            "snr_db": frame.snr_db,
            "rssi_dbm": frame.rssi_dbm,
            "crc_ok": features and features.crc_ok,
            "lost": frame.lost,
            "lost_certainty": frame.place.certainty.words,
            "lost_total": frame.place.lost_so_far,
            "lost_total_certainty": frame.place.certainty_so_far.words,
            "duplicate": frame.place.duplicate,
            "late": frame.place.late,
            "unexpected": frame.place.unexpected,
            "image_number": frame.image_number,
            "frames": self.frames,
            "received_bits": features and features.received_bits,
            "payload": features and features.payload.hex(),
            **({} if prediction else self._general_values()),
        }

    def _general_values(self) -> dict[str, Any]:
        return {
            "image_id": self.image_id,
            "symbols": self.symbols.tolist(),
            "payload_ber": float(f"{self.payload_ber:.4g}"),
            "tasks": {name: _prediction_values("label", prediction) for name, prediction in self.tasks.items()},
        }


def _prediction_values(label: str, prediction: Prediction | None) -> dict[str, Any]:
    if prediction is None:
        return {label: None, "index": None, "confidence": None}
    return {label: prediction.label, "index": prediction.index, "confidence": round(prediction.confidence, 4)}


class LogitsModel(Protocol):
    """Interface of a decoder. `batch` is the number of images that it decodes fastest together."""

    @property
    def batch(self) -> int: ...

    @property
    def classes(self) -> Sequence[str]: ...

    def logits(self, symbols: np.ndarray, ber: np.ndarray, answers: np.ndarray | None = None) -> np.ndarray:
        """Map symbols (N, S), bit error rates (N,) and answer words (N,) to logits (N, classes), as Decoder does."""


@dataclass(frozen=True, eq=False)
class Received:
    """The frames of one image that came together: one, or its copies by several gateways.

    gateways: that received them; empty for a host that does not tell them apart. combined: an undamaged frame that the
    copies together make.
    """

    frames: Sequence[FeatureFrame | AnswerFrame]
    gateways: Sequence[str] = ("",)
    combined: FeatureFrame | None = None


@dataclass(frozen=True, eq=False)
class _Combined:
    """A frame, and the combination of its image's frames so far."""

    frame: FeatureFrame | AnswerFrame
    ber: float
    payload_ber: float
    symbols: np.ndarray
    frames: int
    answer_word: int
    answer: Answer | None  # that decides, as no features have been received
    unsure: bool
    auth: Auth
    link_bers: tuple[float, ...]


class _Device:
    """The latest images of one device and model, and the bit error rates of its links, by gateway."""

    def __init__(self) -> None:
        self.estimators: dict[str, BerEstimator] = {}
        self._images: OrderedDict[int, ImageBits] = OrderedDict()

    def estimator(self, gateway: str) -> BerEstimator:
        """Return the estimator of the link to a gateway. Beyond MAX_GATEWAYS, the oldest one is dropped."""
        if gateway not in self.estimators:
            self.estimators[gateway] = BerEstimator()
            if len(self.estimators) > MAX_GATEWAYS:
                del self.estimators[next(iter(self.estimators))]
        return self.estimators[gateway]

    def image(self, number: int, model: Model) -> ImageBits:
        """Return the bits of an image by its number, without any if it is new."""
        image = self._images.pop(number, None) or ImageBits(model)
        self._images[number] = image
        if len(self._images) > MAX_IMAGES:
            self._images.popitem(last=False)
        return image


class Classifier:
    """Classifier of frames, with a bit error rate estimate per device, model and gateway.

    Frames of one image (same device, model and sequence number) are combined before decoding: chunks side by side,
    copies of a chunk by the log-likelihood ratio of each bit, copies of an answer by the likelihood of each answer.
    """

    def __init__(self, decoders: Mapping[str, LogitsModel], general: Mapping[str, TaskSet] | None = None) -> None:
        """Create a classifier of decoders by model_id, and of the tasks of general bundles by model_id."""
        self._decoders = decoders
        self._general = dict(general or {})
        self._start = f"{time.time_ns() // 1_000_000:x}"  # begins the image ids: image numbers begin anew
        self._devices: OrderedDict[tuple[int, str], _Device] = OrderedDict()  # the one heard last is the last one

    @classmethod
    def of(
        cls, bundles: Iterable[Bundle], tasks: Sequence[TaskModel] = (), decoders: Decoders | None = None
    ) -> "Classifier":
        """Return a classifier of bundles; of those with equal model_id, the last one counts, as in a FrameParser.

        tasks: of the general bundles among them. decoders: shared with other classifiers. Raises HostError if a decoder
        cannot be run.
        """
        shared = decoders or Decoders()
        by_id = {bundle.model_id: bundle for bundle in bundles}
        return cls(
            {model_id: shared.of(bundle) for model_id, bundle in by_id.items() if not bundle.embedding},
            {model_id: TaskSet.of(bundle, tasks, shared) for model_id, bundle in by_id.items() if bundle.embedding},
        )

    def use_task(self, bundle: Bundle, task: TaskModel) -> None:
        """Use a task of a general bundle from now on, in place of one with its name. Raises HostError as `of` does."""
        self._general[bundle.model_id] = self._general[bundle.model_id].with_task(bundle, task)

    def read(self, frame: FeatureFrame | AnswerFrame) -> Reading:
        """Classify one frame."""
        return self.read_all([frame])[0]

    def read_all(self, frames: Sequence[FeatureFrame | AnswerFrame]) -> list[Reading]:
        """Classify frames in the order of their arrival, as `read` does one by one. Decoding runs in batches."""
        return self.read_received([Received([frame]) for frame in frames])

    def read_received(self, images: Sequence[Received]) -> list[Reading]:
        """Classify what came of images, in the order of its arrival. Decoding runs in batches."""
        combined = [self._combine(image) for image in images]
        by_model: dict[str, list[int]] = defaultdict(list)
        predictions: dict[int, Prediction] = {}
        for position, item in enumerate(combined):
            if item.answer is None:
                by_model[item.frame.model.model_id].append(position)
            else:
                predictions[position] = self._by_board(item.frame.model, item.answer)
        by_task: dict[int, TaskPredictions] = {}
        for model_id, positions in by_model.items():
            items = [combined[position] for position in positions]
            symbols = np.array([item.symbols for item in items])
            bers = np.array([item.payload_ber for item in items])
            if model_id in self._general:
                by_task.update(zip(positions, self._general[model_id].predict(symbols, bers), strict=True))
            else:
                decoded = self.decode(model_id, symbols, bers, np.array([item.answer_word for item in items]))
                predictions.update(zip(positions, decoded, strict=True))
        return [
            Reading(
                item.frame,
                predictions.get(position),
                item.ber,
                item.payload_ber,
                item.symbols,
                item.frames,
                AnsweredBy.HOST if item.answer is None else AnsweredBy.BOARD,
                item.unsure,
                item.answer_word,
                by_task.get(position, {}),
                item.auth,
                f"{self._start}-{item.frame.device}-{item.frame.image_number}",
                item.link_bers,
            )
            for position, item in enumerate(combined)
        ]

    def decode(
        self, model_id: str, symbols: np.ndarray, ber: np.ndarray, answers: np.ndarray | None = None
    ) -> list[Prediction]:
        """Classify symbols (N, S), -1 = not received, in batches of the decoder's size.

        ber (N,) are bit error rates, `answers` (N,) answer words, NO_ANSWER = not received (the default).
        """
        decoder = self._decoders[model_id]
        words = np.full(len(symbols), NO_ANSWER) if answers is None else answers
        predictions: list[Prediction] = []
        for first in range(0, len(symbols), decoder.batch):
            part = slice(first, first + decoder.batch)
            logits = decoder.logits(symbols[part], ber[part], words[part]).astype(np.float64)
            for row, index in zip(softmax(logits), logits.argmax(axis=1).tolist(), strict=True):
                predictions.append(Prediction(index, decoder.classes[index], float(row[index])))
        return predictions

    def _by_board(self, model: Model, answer: Answer) -> Prediction:
        assert model.answer is not None, "only models with an answer head send answers"
        label = self._decoders[model.model_id].classes[answer.index]
        return Prediction(answer.index, label, float(model.answer.probability[answer.confidence]))

    def estimators(self, device: int, model_id: str) -> Mapping[str, BerEstimator]:
        """Return the estimators of the bit error rates of a device's links, by gateway."""
        known = self._devices.get((device, model_id))
        return known.estimators if known else {}

    def restore(self, device: int, model_id: str, gateway: str, estimator: BerEstimator) -> None:
        """Go on with an estimator of an earlier run."""
        self._device(device, model_id).estimators[gateway] = estimator

    def _combine(self, received: Received) -> _Combined:
        """Add the frames to their image. An undamaged one says what the others say, and they are left out."""
        frames = received.frames
        device = self._device(frames[0].device, frames[0].model.model_id)
        bers = tuple(
            device.estimator(gateway).update(frame) for frame, gateway in zip(frames, received.gateways, strict=True)
        )
        whole = received.combined or next((one for one in frames if isinstance(one, FeatureFrame) and one.crc_ok), None)
        shown, ber = whole or frames[bers.index(min(bers))], min(bers)
        image = device.image(shown.image_number, shown.model)
        expected = payload_ber(shown, ber)
        for frame, own in [(whole, ber)] if whole else zip(frames, bers, strict=True):
            image.add(frame, payload_ber(frame, own))
        answer, unsure = (None, False) if image.has_features else image.answer()
        rest = image.ber() if image.has_features else expected
        word, auth = image.answer_word(), image.auth()
        return _Combined(shown, ber, rest, image.symbols(), image.frames, word, answer, unsure, auth, bers)

    def _device(self, device: int, model_id: str) -> _Device:
        """Return the state of a device. Beyond MAX_SOURCES, that of the one heard least recently is dropped."""
        known = self._devices.pop((device, model_id), None) or _Device()
        self._devices[device, model_id] = known
        if len(self._devices) > MAX_SOURCES:
            self._devices.popitem(last=False)
        return known
