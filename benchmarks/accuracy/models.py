"""The trained systems of the comparison, each with the test images that it sends and classifies."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.accuracy.experiments import BOARD, INKLING, PLAIN, Experiment
from benchmarks.delivery import Delivery
from benchmarks.encoding import ANSWER, Encoded
from export.evaluation.runs import answers_of
from host.classify.classifier import LogitsModel
from train import evaluate
from train.classifiers.architectures import Classifier, feature_shape
from train.codecs.codec import Codec
from train.codecs.deployable import Payload, SymbolCodec
from train.codecs.split.plain import Plain
from train.codecs.split.split_codec import SplitCodec, frozen
from train.config import ClassifierConfig, CodecConfig, RunConfig
from train.data.augment import as_input
from train.data.datasets import Dataset
from train.errors import TrainError
from train.run_files import read_log
from train.trainers.classifier import accuracy as classifier_accuracy
from train.trainers.codec import CodecTrainer, load_codec
from train.trainers.split import RUNS, SplitConfig, SplitTrainer, load_or_train_classifier, load_split_codec
from train.trainers.trainer import Trainer
from wire.answer import ANSWER_BITS, CONFIDENCES, FULL_WEIGHT, AnswerHead
from wire.model import Model

BLOCK = 500  # images that are sent before the sender is given a new estimate of the BER

OnProgress = Callable[[int], None]  # called with the number of images done since the last call


class TrainedSystem(Protocol):
    """A trained system with the test images. `feature_values` counts the floats of what the paper would send."""

    @property
    def encoder_macs(self) -> int: ...

    @property
    def feature_values(self) -> int: ...

    @property
    def arithmetic(self) -> str:
        """The arithmetic in which the encoder is measured."""

    def figures(self, labels: np.ndarray, ber: float, seed: int, on_progress: OnProgress) -> dict[str, float]:
        """Return accuracies, `payload_bytes` and losses; labels (N,) of the images, random seed of the bit flips."""


@dataclass(frozen=True)
class TorchDecoder:
    """Decoder of a trained system, as the host's classifier uses it.

    decode: symbols (N, S), BER (N,), answer words (N,) -> logits (N, classes), all tensors.
    """

    decode: Callable[[Tensor, Tensor, Tensor | None], Tensor]
    classes: tuple[str, ...]
    batch: int = BLOCK

    @torch.inference_mode()
    def logits(self, symbols: np.ndarray, ber: np.ndarray, answers: np.ndarray | None = None) -> np.ndarray:
        """See LogitsModel.logits."""
        words = None if answers is None else torch.from_numpy(answers)
        return self.decode(torch.from_numpy(symbols), torch.from_numpy(ber).float(), words).float().numpy()


@dataclass(frozen=True)
class FramedSystem:
    """A system whose symbols or answers travel in Inkling's frames to the host's receiver and classifier.

    encode: the images to send, the BER that the receiver last reported or None -> what the board computes.
    """

    model: Model
    encode: Callable[[slice, float | None], Encoded]
    decoder: LogitsModel
    encoder_macs: int
    feature_values: int
    arithmetic: str

    def figures(self, labels: np.ndarray, ber: float, seed: int, on_progress: OnProgress) -> dict[str, float]:
        """See TrainedSystem.figures."""
        chunk = 0 if self.model.chunks else ANSWER
        delivery, answered = Delivery(self.model, self.decoder, chunk, ber, seed), 0
        for first in range(0, len(labels), BLOCK):
            part = slice(first, first + BLOCK)
            encoded = self.encode(part, delivery.reported_ber)
            if encoded.classes is not None:
                answered += int((encoded.classes == labels[part]).sum())
            delivery.send(encoded, labels[part], on_progress)
        board = {"accuracy_board": answered / len(labels)} if self.model.answer else {}
        size = self.model.chunk_bytes(0) if self.model.chunks else ANSWER_BITS // 8
        return {**delivery.figures(), **board, "payload_bytes": size}


@dataclass(frozen=True)
class PacketSystem:
    """`train.codecs.split.plain`: packets that are dropped when their CRC is wrong; no BER is estimated."""

    plain: Plain
    images: np.ndarray
    encoder_macs: int
    feature_values: int
    arithmetic: str = "float32, features rounded to int8"

    def figures(self, labels: np.ndarray, ber: float, seed: int, on_progress: OnProgress) -> dict[str, float]:
        """See TrainedSystem.figures. An image is classified even if all its packets are lost, and counts as sent."""
        rng = np.random.default_rng([seed, round(ber * 1e6)])
        correct = lost = payload = 0.0
        for first in range(0, len(labels), BLOCK):
            part = self.images[first : first + BLOCK]
            logits, sizes, lost_share = self.plain.logits(part, ber, rng)
            correct += (np.asarray(logits).argmax(1) == labels[first : first + BLOCK]).sum()
            payload += np.sum(sizes)
            lost += lost_share * len(part)
            on_progress(len(part))
        n = len(labels)
        return {
            "accuracy": float(correct / n),
            "accuracy_sent": float(correct / n),
            "packets_lost": float(lost / n),
            "payload_bytes": float(payload / n),
        }


@dataclass(frozen=True)
class Prepared:
    """An experiment's system of one seed, its base classifier's accuracy on the test images, and its training time."""

    system: TrainedSystem
    classifier_accuracy: float | None
    seconds: dict[str, float]  # by part: system, classifier


Config = CodecConfig | SplitConfig | ClassifierConfig


def config_of(experiment: Experiment) -> Config:
    """Return an experiment's config; for `plain`, that of its base classifier."""
    loaders: dict[str, Callable[[Path], Config]] = dict.fromkeys((INKLING, BOARD), CodecConfig.load)
    loaders[PLAIN] = ClassifierConfig.load
    return loaders.get(experiment.system, SplitConfig.load)(experiment.config)


def recipe(experiment: Experiment) -> dict[str, Any]:
    """Return the configs that determine an experiment's figures, without the seed, as JSON values."""
    base = ClassifierConfig.load(experiment.classifier).as_dict() if experiment.classifier else None
    config = None
    if experiment.system != PLAIN:
        config = {key: value for key, value in config_of(experiment).as_dict().items() if key != "seed"}
    return json.loads(json.dumps({"system": experiment.system, "config": config, "classifier": base}))


def is_recipe(stored: Any, experiment: Experiment) -> bool:  # noqa: ANN401 - whatever a file holds
    """Return True if stored figures have an experiment's recipe; settings that did not exist then have defaults."""
    return _filled(stored) == recipe(experiment)


def _filled(stored: Any) -> Any:  # noqa: ANN401
    try:
        config, base = stored["config"], stored["classifier"]
        if config:
            kind = SplitConfig if "system" in config else CodecConfig
            config = {key: value for key, value in kind.from_dict(config).as_dict().items() if key != "seed"}
        if base:
            base = ClassifierConfig.from_dict(base).as_dict()
        return json.loads(json.dumps({**stored, "config": config, "classifier": base}))
    except (TrainError, KeyError, TypeError):  # figures of a setting that no longer exists
        return None


def run_folder(experiment: Experiment, seed: int) -> Path:
    """Return the folder of an experiment's run: that of `python -m train`, or NAME-seedN for another seed."""
    config = config_of(experiment)
    return RUNS / (config.name if seed == config.seed else f"{config.name}-seed{seed}")


def epochs_done(folder: Path) -> int:
    """Return the last epoch in a run's log, 0 if there is none."""
    log = read_log(folder)
    return log[-1]["epoch"] if log else 0


def trained_on(experiment: Experiment, seed: int) -> set[str]:
    """Return the devices that an experiment's run was trained on, as its log names them."""
    return {epoch.get("device", "cpu") for epoch in read_log(run_folder(experiment, seed))}  # older logs: CPU only


def prepare(
    experiment: Experiment, seed: int, data: Dataset, images: np.ndarray, labels: np.ndarray, device: torch.device
) -> Prepared:
    """Train what is not trained yet, and load it with the test images and their labels (N,)."""
    config, folder = config_of(experiment), run_folder(experiment, seed)
    if experiment.classifier is None:
        _train(CodecTrainer, replace(config, seed=seed), data, folder, device)
        codec = load_codec(folder, CodecConfig.from_run(folder), data)[0]
        return Prepared(inkling(experiment.name, codec, images, data.classes), None, {"system": _seconds(folder)})
    base_config = ClassifierConfig.load(experiment.classifier)
    base, base_folder = load_or_train_classifier(experiment.classifier, data, device), RUNS / base_config.name
    accuracy = classifier_accuracy(base, images, labels)
    # A base classifier that the project ships has no log here, so its training time is not known.
    seconds = {"classifier": _seconds(base_folder)} if (base_folder / "best.pt").exists() else {}
    if experiment.system == PLAIN:
        return Prepared(plain(base, data, images), accuracy, seconds)
    _train(SplitTrainer, replace(config, seed=seed), data, folder, device)
    split = load_split_codec(folder, data)[0]
    trained_base = isinstance(config, SplitConfig) and config.fine_tune is not None
    if not trained_base and not _alike(split.classifier, frozen(base)):
        raise TrainError(f"{folder} was trained around another {base_config.name}: move it away to train it again")
    arithmetic = "int8" if config.schedule.qat_epochs else "float32"
    system = split_codec(experiment.name, split, images, data.classes, arithmetic)
    return Prepared(system, accuracy, {**seconds, "system": _seconds(folder)})


def _train(kind: type[Trainer], config: RunConfig, data: Dataset, folder: Path, device: torch.device) -> None:
    if (folder / "config.json").exists() and type(config).from_run(folder) != config:
        raise TrainError(f"{folder} holds a run of another config: move it away to train it again")
    total = config.schedule.epochs + config.schedule.qat_epochs
    if epochs_done(folder) < total:
        print(f"training {folder}: {total} epochs")
        kind(config, data, folder, device).run()


def _alike(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.allclose(a.float(), b.float(), rtol=1e-3, atol=1e-5) for a, b in pairs)


def _seconds(folder: Path) -> float:
    return round(sum(epoch["seconds"] for epoch in read_log(folder)), 1)


def inkling(name: str, codec: Codec, images: np.ndarray, classes: tuple[str, ...]) -> FramedSystem:
    """Return Inkling's codec, its int8 encoder rounded as in training.

    Its features are its own latent; those of a board that only answers, its class scores.
    """
    model = wire_model(name, codec, len(classes))
    whole = encoded(evaluate.encode(codec, images), model)
    return FramedSystem(
        model,
        lambda part, _: whole[part],
        TorchDecoder(codec.decode, classes),
        codec.encoder.macs(*codec.input_shape[:2]),
        model.latent_size or model.class_count,
        "int8",
    )


def split_codec(
    name: str, codec: SplitCodec, images: np.ndarray, classes: tuple[str, ...], arithmetic: str
) -> FramedSystem:
    """Return a codec that splits a classifier. Its features are those of the classifier's stem."""
    model = wire_model(name, codec, len(classes))

    def encode(part: slice, ber: float | None) -> Encoded:
        batch = as_input(torch.from_numpy(images[part]))
        return encoded(codec.send(batch, None if ber is None else torch.full((len(batch),), ber)), model)

    return FramedSystem(
        model,
        encode,
        TorchDecoder(codec.decode, classes),
        codec.encoder_macs(),
        int(np.prod(codec.feature_shape)),
        arithmetic,
    )


def plain(classifier: Classifier, data: Dataset, images: np.ndarray) -> PacketSystem:
    """Return `plain` on a base classifier, fitted to the training images. Its features are those of the stem."""
    height, width, channels = data.x_train.shape[1:]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        classifier.features(torch.zeros(1, channels, height, width))
    values = int(np.prod(feature_shape(classifier, height, width)))
    return PacketSystem(Plain.fit(classifier, data.x_train), images, counter.get_total_flops() // 2, values)


def encoded(payload: Payload, model: Model) -> Encoded:
    """Return what the board computes, given the content of payloads (n,)."""
    symbols = payload.symbols.numpy()
    if payload.answers is None:
        return Encoded(symbols)
    return Encoded(symbols, *answers_of(payload.answers.numpy(), model.class_count))


def wire_model(name: str, codec: SymbolCodec, n_classes: int) -> Model:
    """Return the model of a codec without a bundle, for frames and the receiver: one chunk, the whole payload.

    A codec that only answers has none.
    """
    answer = AnswerHead(np.full(256, FULL_WEIGHT, np.uint16), np.zeros(CONFIDENCES)) if codec.has_answer else None
    return Model(
        name=name,
        model_id=hashlib.sha256(name.encode()).hexdigest()[:8],
        input_shape=codec.input_shape,
        heads=tuple(codec.heads),
        bits_per_symbol=codec.quantizer.bits,
        symbol_table=np.zeros(256, np.uint8),
        symbol_order=np.arange(codec.n_symbols, dtype=np.uint16),
        chunks=[(0, codec.n_symbols)] if codec.n_symbols else [],
        answer=answer,
        class_count=n_classes if answer else 0,
        threshold=0,
    )
