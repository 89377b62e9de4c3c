"""What the comparison measures: a cell's trained model, ready to send the test images and to classify what arrives."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.accuracy.experiments import INKLING, PLAIN, Experiment
from benchmarks.delivery import Delivery
from train import config, evaluate
from train.classifiers.architectures import Classifier, feature_shape
from train.codecs.codec import Codec
from train.codecs.split.plain import Plain
from train.codecs.split.split_codec import SplitCodec, frozen
from train.data.augment import as_input
from train.data.datasets import Dataset
from train.errors import TrainError
from train.trainers import classifier as classifier_run
from train.trainers import codec as run
from train.trainers import split as system_run
from train.trainers.run_files import read_log, saved_config
from train.trainers.split import RUNS
from train.trainers.trainer import RunConfig, Trainer
from wire.bundle import Bundle
from wire.payload import payload_bytes

BLOCK = 500  # images; between two of them a sender hears from the receiver
Each = Callable[[int], None]  # told how many more images are done


class Model(Protocol):
    """A trained system that has the test images. `feature_values`: floats in what the paper would send."""

    encoder_macs: int
    feature_values: int
    arithmetic: str  # of the encoder, as it was measured

    def figures(self, labels: np.ndarray, ber: float, seed: int, each: Each) -> dict[str, float]:
        """Accuracies over a link, `payload_bytes` and what was lost; labels (N,) of the images, seed of the flips."""


@dataclass(frozen=True)
class Framed:
    """Symbols in Inkling's frames, to Inkling's receiver, which estimates the bit error rate for the decoder.

    encode: which images, the rate that the receiver last reported or None -> levels (n, S); decode: symbols
    (N, S), BER (N,) -> logits (N, classes), both as tensors.
    """

    link: Bundle
    encode: Callable[[slice, float | None], np.ndarray]
    decode: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    encoder_macs: int
    feature_values: int
    arithmetic: str

    def figures(self, labels: np.ndarray, ber: float, seed: int, each: Each) -> dict[str, float]:
        """See Model.figures."""
        delivery = Delivery(self.link, 0, ber, seed)
        for first in range(0, len(labels), BLOCK):
            levels = self.encode(slice(first, first + BLOCK), delivery.reported_ber)
            delivery.send(levels, lambda: each(1))
        return {**delivery.figures(self._classes, labels), "payload_bytes": self.link.chunk_bytes(0)}

    @torch.inference_mode()
    def _classes(self, symbols: np.ndarray, told: np.ndarray) -> np.ndarray:
        parts = zip(torch.from_numpy(symbols).split(BLOCK), torch.from_numpy(told).float().split(BLOCK), strict=True)
        return torch.cat([self.decode(*part).argmax(1) for part in parts]).numpy()


@dataclass(frozen=True)
class Packets:
    """`train.codecs.split.plain`: packets that are dropped unless their CRC is right; nothing to tell anyone."""

    plain: Plain
    images: np.ndarray
    encoder_macs: int
    feature_values: int
    arithmetic: str = "float32, features rounded to int8"

    def figures(self, labels: np.ndarray, ber: float, seed: int, each: Each) -> dict[str, float]:
        """See Model.figures. A picture without any packet is still classified: nothing counts as undelivered."""
        rng = np.random.default_rng([seed, round(ber * 1e6)])
        right = lost = payload = 0.0
        for first in range(0, len(labels), BLOCK):
            part = self.images[first : first + BLOCK]
            logits, sizes, lost_share = self.plain.logits(part, ber, rng)
            right += (np.asarray(logits).argmax(1) == labels[first : first + BLOCK]).sum()
            payload += np.sum(sizes)
            lost += lost_share * len(part)
            each(len(part))
        n = len(labels)
        return {
            "accuracy": float(right / n),
            "accuracy_sent": float(right / n),
            "packets_lost": float(lost / n),
            "payload_bytes": float(payload / n),
        }


@dataclass(frozen=True)
class Ready:
    """A cell's model of one seed; the base classifier's accuracy on the same images; seconds of training by run."""

    model: Model
    classifier_accuracy: float | None
    seconds: dict[str, float]


def own_config(cell: Experiment) -> config.CodecConfig | system_run.SplitConfig | classifier_run.ClassifierConfig:
    """A cell's config, that of the base classifier for `plain`."""
    loaders = {INKLING: config.load, PLAIN: classifier_run.load}
    return loaders.get(cell.system, system_run.load)(cell.config)


def recipe(cell: Experiment) -> dict[str, Any]:
    """All that the figures of a cell follow from, its seeds aside: config and base classifier's, as JSON has them."""
    base = classifier_run.load(cell.classifier).as_dict() if cell.classifier else None
    own = None if cell.system == PLAIN else {k: v for k, v in own_config(cell).as_dict().items() if k != "seed"}
    return json.loads(json.dumps({"system": cell.system, "config": own, "classifier": base}))


def folder(cell: Experiment, seed: int) -> Path:
    """A cell's run: where `python -m train` puts it, and beside it for other seeds than the config's."""
    own = own_config(cell)
    return RUNS / (own.name if seed == own.seed else f"{own.name}-seed{seed}")


def epochs_done(where: Path) -> int:
    """The last epoch in a run's log."""
    log = read_log(where)
    return log[-1]["epoch"] if log else 0


def trained_on(cell: Experiment, seed: int) -> set[str]:
    """The devices that a cell's run was trained on, as its log names them."""
    return {epoch.get("device", "cpu") for epoch in read_log(folder(cell, seed))}  # older logs are the CPU's


def prepare(
    cell: Experiment, seed: int, data: Dataset, images: np.ndarray, labels: np.ndarray, device: torch.device
) -> Ready:
    """Train what is not trained yet, and load it, with the test images that it will send; labels (N,) of these."""
    own, where = own_config(cell), folder(cell, seed)
    if cell.classifier is None:
        _train(run.CodecTrainer, replace(own, seed=seed), data, where, device)
        codec = run.load_best(where, run.load_config(where), data)[0]
        return Ready(inkling(cell.name, codec, images), None, {"system": _seconds(where)})
    base_config = classifier_run.load(cell.classifier)
    base, base_folder = system_run.ready_classifier(cell.classifier, data, device), RUNS / base_config.name
    right = classifier_run.accuracy(base, images, labels)
    # A base classifier that ships was trained before: its seconds are not known here.
    seconds = {"classifier": _seconds(base_folder)} if (base_folder / "best.pt").exists() else {}
    if cell.system == PLAIN:
        return Ready(plain(base, data, images), right, seconds)
    _train(system_run.SplitTrainer, replace(own, seed=seed), data, where, device)
    model = system_run.load_system(where, data)[0]
    if not _alike(model.classifier, frozen(base)):
        raise TrainError(f"{where} was trained around another {base_config.name}: move it away to train it again")
    arithmetic = "int8" if own.schedule.qat_epochs else "float32"
    return Ready(split_codec(cell.name, model, images, arithmetic), right, {**seconds, "system": _seconds(where)})


def _train(kind: type[Trainer], wanted: RunConfig, data: Dataset, where: Path, device: torch.device) -> None:
    if (where / "config.json").exists() and kind.parse(saved_config(where), str(where)) != wanted:
        raise TrainError(f"{where} holds a run of another config: move it away to train it again")
    total = wanted.schedule.epochs + wanted.schedule.qat_epochs
    if epochs_done(where) < total:
        print(f"training {where}: {total} epochs")
        kind(wanted, data, where, device).go()


def _alike(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.allclose(a.float(), b.float(), rtol=1e-3, atol=1e-5) for a, b in pairs)


def _seconds(where: Path) -> float:
    return round(sum(epoch["seconds"] for epoch in read_log(where)), 1)


def inkling(name: str, codec: Codec, images: np.ndarray) -> Framed:
    """Inkling's codec with its int8 encoder, rounded as training rounds it. Its features are its own latent."""
    levels = evaluate.encode(codec, images).numpy()
    link = stand_in(name, codec.n_symbols, codec.quantizer.bits, codec.input_shape, codec.latent_shape)
    macs = codec.encoder.macs(*codec.input_shape[:2])
    return Framed(link, lambda part, _: levels[part], codec.decode, macs, int(np.prod(codec.latent_shape)), "int8")


def split_codec(name: str, model: SplitCodec, images: np.ndarray, arithmetic: str) -> Framed:
    """A system that splits a classifier. Its features are those of the classifier's stem."""

    def encode(part: slice, told: float | None) -> np.ndarray:
        pictures = as_input(torch.from_numpy(images[part]))
        return model.send(pictures, None if told is None else torch.full((len(pictures),), told)).numpy()

    link = stand_in(name, model.n_symbols, model.quantizer.bits, model.input_shape, model.latent_shape)
    return Framed(link, encode, model.decode, model.encoder_macs(), int(np.prod(model.feature_shape)), arithmetic)


def plain(classifier: Classifier, data: Dataset, images: np.ndarray) -> Packets:
    """Its tables come from the training images. Its features are those of the classifier's stem."""
    height, width, channels = data.x_train.shape[1:]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        classifier.features(torch.zeros(1, channels, height, width))
    values = int(np.prod(feature_shape(classifier, height, width)))
    return Packets(Plain.fit(classifier, data.x_train), images, counter.get_total_flops() // 2, values)


def stand_in(name: str, symbols: int, bits: int, input_shape: tuple[int, ...], latent_shape: tuple[int, ...]) -> Bundle:
    """What frames and receiver ask of a bundle, for a model that has none: the whole payload as its only chunk."""
    return Bundle(
        path=Path(name),
        manifest={"payload_bytes": payload_bytes(symbols, bits)},
        name=name,
        classes=[],
        input_shape=input_shape,
        latent_shape=latent_shape,
        bits_per_symbol=bits,
        symbol_table=np.zeros(256, np.uint8),
        symbol_order=np.arange(symbols, dtype=np.uint16),
        chunks=[(0, symbols)],
        model_id=hashlib.sha256(name.encode()).hexdigest()[:8],
    )
