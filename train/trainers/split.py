"""Training of the codecs that split a base classifier (train/codecs/split), all through the same channel."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from train import evaluate, settings
from train.classifiers.architectures import Classifier, build_configured
from train.codecs.deployable import DeployableCodec
from train.codecs.fakequant import calibrate
from train.codecs.split.registry import SPLIT_CODECS
from train.codecs.split.split_codec import SplitCodec
from train.compute_device import CPU
from train.config import ClassifierConfig, SplitRunConfig
from train.data.datasets import Dataset
from train.data.sampling import held_out_count, split_holdout
from train.errors import TrainError, unknown_name
from train.impairment import draw_impairment
from train.run_files import load_weights, read_best
from train.temperature import fit_temperature
from train.trainers.classifier import ClassifierTrainer, load_classifier, load_pretrained
from train.trainers.int8 import calibration_images, int8_encoder
from train.trainers.optimizer import Phase
from train.trainers.resuming import check_data
from train.trainers.trainer import Trainer
from wire.answer import ANSWER_BITS
from wire.lora import MAX_PACKET_BYTES
from wire.payload import payload_bytes

FINE_TUNING = "fine-tuning"  # phase in which the base classifier is trained, too
RUNS = Path("runs")
PRETRAINED = Path("pretrained")  # base classifiers that come with the project


@dataclass(frozen=True, kw_only=True)
class SplitConfig(SplitRunConfig):
    """A run of a split codec."""

    @classmethod
    def from_dict(cls, values: object, where: str = "config") -> Self:
        """Return the checked config of plain dictionaries, as `as_dict` gives them."""
        config = super().from_dict(values, where)
        if config.system not in SPLIT_CODECS:
            raise unknown_name(f"{where}: unknown system", config.system, SPLIT_CODECS)
        config.build_options(where)
        return config

    def build_options(self, where: str = "config") -> SplitCodec.Options:
        """Return the checked options of the split codec."""
        return settings.build(SPLIT_CODECS[self.system].Options, self.options, f"{where}: options")


class SplitTrainer(Trainer[SplitConfig, SplitCodec]):
    """Trainer of a split codec: its stages, one after the other, in the epochs of the schedule."""

    def build(self) -> SplitCodec:
        """Build the codec around its trained base classifier."""
        classifier = base_classifier(self.config, self.data, self.device)
        torch.manual_seed(self.config.seed)  # again: training the classifier uses random numbers
        codec = create_codec(self.config, classifier, self.data)
        # The optimizer takes what has gradients now; `loss` freezes the classifier for the epochs before [fine_tune].
        codec.classifier.requires_grad_(self.config.fine_tune is not None)
        return codec

    def phases(self) -> list[Phase]:
        """Return the codec's stages, then the epochs of [fine_tune] and the int8 epochs, if any.

        Each has its own warm-up and decay.
        """
        s, stages, fine_tune = self.config.schedule, self.state.model.stages, self.config.fine_tune
        frozen_epochs = s.epochs - (fine_tune.epochs if fine_tune else 0)
        ends = np.rint(np.cumsum([0.0, *(stage.share for stage in stages)]) * frozen_epochs).astype(int)
        phases = [
            Phase(stage.name, int(end - start), s.lr, self._end_lr(), s.warmup_epochs)
            for stage, start, end in zip(stages, ends[:-1], ends[1:], strict=True)
        ]
        if fine_tune:
            end_lr = min(self._end_lr(), fine_tune.lr)
            phases.append(Phase(FINE_TUNING, fine_tune.epochs, fine_tune.lr, end_lr, s.warmup_epochs))
        return [*(phase for phase in phases if phase.epochs), *self._int8_phases()]

    def loss(self, images: Tensor, index: Tensor, phase: Phase, rng: np.random.Generator) -> Tensor:
        """Return the loss of the codec's stage; fine-tuning and int8 epochs continue the last stage."""
        model, continues = self.state.model, phase.int8 or phase.name == FINE_TUNING
        model.classifier.requires_grad_(self.config.fine_tune is not None and continues)
        link, bits = self.config.link.whole_payloads(), model.quantizer.bits
        impairment = draw_impairment(link, len(index), model.n_symbols, bits, rng, model.has_answer)
        stage = model.stages[-1].name if continues else phase.name
        return model.loss(stage, images, self.labels[index], impairment.to(self.device))

    def adapt(self, model: SplitCodec) -> None:
        """Fit the temperature of the board's confidence, in training too."""
        if model.has_answer:
            logits = evaluate.board_logits(model, self.x_held)
            temperature = fit_temperature(logits, torch.from_numpy(self.y_held))
            for codec in (model, self.state.model):
                codec.get_buffer("temperature").fill_(temperature)

    def evaluate(self, model: SplitCodec, images: np.ndarray, labels: np.ndarray) -> dict[str, float]:
        """Return the accuracy by BER, which encoder and decoder are given, and the board's own if it answers."""
        accuracies = evaluate.accuracies_given_ber(model, images, labels)
        if model.has_answer:
            board = evaluate.board_logits(model, images).argmax(1).numpy()
            accuracies["board"] = float((board == labels).mean())
        return accuracies

    def score(self, accuracies: dict[str, float]) -> float:
        """Return the mean of the clean and noisy accuracies."""
        return evaluate.score(accuracies)


def base_classifier(config: SplitConfig, data: Dataset, device: torch.device = CPU) -> Classifier:
    """Return the base classifier of a split codec's config, trained here if there is no trained one.

    Raises TrainError if it is for other data, or was trained on images that the split codec holds out.
    """
    base = ClassifierConfig.load(Path(config.classifier))
    for setting in ("name", "size", "grey", "test_share"):
        own, other = getattr(config.data, setting), getattr(base.data, setting)
        if own != other:
            raise TrainError(f"{config.classifier} has data.{setting} = {other}, {config.name} has {own}")
    held, needed = (held_out_count(c.data.holdout, len(data.x_train)) for c in (base, config))
    if held < needed:
        sizes = f"{held} training images out, {config.name} {needed}"
        raise TrainError(f"{config.classifier} holds {sizes}: it was trained on some of these (data.holdout)")
    return load_or_train_classifier(Path(config.classifier), data, device)


def load_or_train_classifier(file: Path, data: Dataset, device: torch.device = CPU) -> Classifier:
    """Return the classifier of the config NAME.toml, in evaluation mode.

    It comes from the config's checkpoint, else from its run, else from pretrained/NAME.pt, else it is trained here.
    NAME.pt is a copy of a run's best.pt, and is used only if that run had the same config.
    """
    base = ClassifierConfig.load(file)
    if base.checkpoint:
        return build_configured(base, len(data.classes), data.x_train.shape[3]).eval()
    folder, pretrained = RUNS / base.name, PRETRAINED / f"{base.name}.pt"
    if (folder / "best.pt").exists():
        classifier, run_config, _ = load_classifier(folder, data)
        if run_config != base:
            raise TrainError(f"{folder} holds a run of another config: move it away to train it again")
        return classifier
    if pretrained.exists():
        shipped = load_pretrained(pretrained, base, data)
        if shipped is not None:
            return shipped
        print(f"{pretrained} was trained by another config than {file}, and is not used")
    print(f"training the base classifier {base.name} first")
    ClassifierTrainer(base, data, folder, device).run()
    return load_classifier(folder, data)[0]


def create_codec(config: SplitConfig, classifier: Classifier, data: Dataset) -> SplitCodec:
    """Return the split codec around a classifier, freshly initialised."""
    height, width, channels = data.x_train.shape[1:]
    codec = SPLIT_CODECS[config.system](classifier, (height, width, channels), config.quantizer, config.build_options())
    if config.schedule.qat_epochs and not isinstance(codec, DeployableCodec):
        raise TrainError(f"schedule.qat_epochs is for int8 encoders, {config.system} has none")
    size = payload_bytes(codec.n_symbols * codec.quantizer.bits + ANSWER_BITS * codec.has_answer, 1)
    if "lora" in config.link.channels and size > MAX_PACKET_BYTES:
        raise TrainError(f"link.channels: lora carries up to {MAX_PACKET_BYTES} bytes, and the payload has {size:,}")
    return codec


def load_split_codec(folder: Path, data: Dataset) -> tuple[SplitCodec, SplitConfig, dict[str, Any]]:
    """Load a finished run: the codec in evaluation mode, its config, and the record of best.pt.

    The encoder computes in int8 if it was trained so. Raises TrainError if the run is not finished, or was trained on
    other data.
    """
    config = SplitConfig.from_run(folder)
    saved = read_best(folder, "last epoch")
    check_data(folder, data)
    # The run's weights replace those of the base classifier, whose checkpoint need not be here.
    base = replace(ClassifierConfig.load(Path(config.classifier)), checkpoint=None)
    codec = create_codec(config, build_configured(base, len(data.classes), data.x_train.shape[3]), data)
    if config.schedule.qat_epochs:
        int8_encoder(codec).fold()
    load_weights(codec, saved["model"], folder / "best.pt")
    if config.schedule.qat_epochs:
        train, _ = split_holdout(data, config.data.holdout)
        calibrate(int8_encoder(codec), calibration_images(data, train))
    return codec.eval(), config, saved
