"""Training of the systems that split a base classifier (train/codecs), all through the same channel."""

import dataclasses
import importlib
import pkgutil
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

import train.codecs
from train import evaluate, settings
from train.classifiers.architectures import Classifier, build
from train.codecs.deployable import DeployableCodec
from train.codecs.fakequant import calibrate
from train.codecs.split.split_codec import SplitCodec
from train.config import (
    DataConfig,
    LinkConfig,
    QuantizerConfig,
    ScheduleConfig,
    data_rules,
    quantizer_rules,
    schedule_rules,
)
from train.data.datasets import Dataset
from train.errors import TrainError
from train.impairment import draw
from train.trainers import classifier as classifier_run
from train.trainers.compute_device import CPU
from train.trainers.run_files import fill, read_best, saved_config
from train.trainers.trainer import Phase, Trainer, calibration_images, split

# One channel for every system, so that they are compared under equal terms; no prefixes, which only Inkling's own has.
CHANNEL = LinkConfig(prefix_share=0.0, chunks=())
RUNS = Path("runs")
PRETRAINED = Path("pretrained")  # base classifiers that the project ships


@dataclass(frozen=True)
class SplitConfig:
    """All of one system's training. `options` are those of the dataclass `Options` in the system's file."""

    name: str
    system: str
    classifier: str  # the base classifier's config, a TOML file; trained first where it is neither there nor ships
    data: DataConfig
    schedule: ScheduleConfig
    quantizer: QuantizerConfig = field(default_factory=QuantizerConfig)
    options: dict[str, Any] = field(default_factory=dict)
    seed: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Plain dictionaries and lists, for JSON."""
        return dataclasses.asdict(self)


def systems() -> list[str]:
    """Names of the systems: the files of train/codecs that define a `System` and its `Options`."""
    names = [module.name for module in pkgutil.iter_modules(train.codecs.__path__)]
    return [name for name in names if hasattr(importlib.import_module(f"train.codecs.{name}"), "Options")]


def module_of(system: str) -> ModuleType:
    """The file of a system. Raises TrainError for an unknown one."""
    if system not in systems():
        raise TrainError(f"unknown system {system!r}; known: {', '.join(systems())}")
    return importlib.import_module(f"train.codecs.{system}")


def from_dict(values: object, where: str = "config") -> SplitConfig:
    """A checked `SplitConfig` from plain dictionaries, as `as_dict` gives them."""
    config = settings.build(SplitConfig, values, where)
    settings.build(module_of(config.system).Options, config.options, f"{where}: options")
    settings.check(
        {
            **settings.name_and_seed(config),
            **data_rules(config.data),
            **quantizer_rules(config.quantizer),
            **schedule_rules(config.schedule),
        },
        where,
    )
    return config


def load(path: Path) -> SplitConfig:
    """Read and check a TOML config; a `TrainError` of one line names what is wrong and where."""
    return from_dict(settings.read(path), str(path))


def base_classifier(config: SplitConfig, data: Dataset, device: torch.device = CPU) -> Classifier:
    """The base classifier of a system's config, trained here where it is neither there nor ships."""
    base = classifier_run.load(Path(config.classifier))
    if base.data.name != config.data.name:
        raise TrainError(f"{config.classifier} is for {base.data.name}, {config.name} for {config.data.name}")
    if base.data.holdout < config.data.holdout:
        sizes = f"{base.data.holdout} training images out, {config.name} {config.data.holdout}"
        raise TrainError(f"{config.classifier} holds {sizes}: it was trained on some of these (data.holdout)")
    return ready_classifier(Path(config.classifier), data, device)


def ready_classifier(file: Path, data: Dataset, device: torch.device = CPU) -> Classifier:
    """The classifier (evaluating) of the config NAME.toml: of its run, else pretrained/NAME.pt, else trained here.

    NAME.pt is a copy of such a run's best.pt, and is used where that run had this very config.
    """
    base = classifier_run.load(file)
    folder, shipped = RUNS / base.name, PRETRAINED / f"{base.name}.pt"
    if (folder / "best.pt").exists():
        classifier, found, _ = classifier_run.load_classifier(folder, data)
        if found != base:
            raise TrainError(f"{folder} holds a run of another config: move it away to train it again")
        return classifier
    if shipped.exists():
        classifier = classifier_run.load_shipped(shipped, base, data)
        if classifier is not None:
            return classifier
        print(f"{shipped} was trained by another config than {file}, and is not used")
    print(f"base classifier {base.name} first")
    classifier_run.ClassifierRun(base, data, folder, device).go()
    return classifier_run.load_classifier(folder, data)[0]


def create(config: SplitConfig, classifier: Classifier, data: Dataset) -> SplitCodec:
    """The system around a classifier, freshly initialised."""
    module = module_of(config.system)
    height, width, channels = data.x_train.shape[1:]
    options = settings.build(module.Options, config.options, "options")
    model = module.System(classifier, (height, width, channels), config.quantizer, options)
    if config.schedule.qat_epochs and not isinstance(model, DeployableCodec):
        raise TrainError(f"schedule.qat_epochs is for encoders in int8, and {config.system} has none")
    return model


class SplitTrainer(Trainer[SplitConfig, SplitCodec]):
    """A system's stages, one after the other, in the epochs of the schedule."""

    parse = staticmethod(from_dict)

    def build(self) -> SplitCodec:
        """The system around its trained base classifier."""
        classifier = base_classifier(self.config, self.data, self.device)
        torch.manual_seed(self.config.seed)  # again: the start must not depend on whether the classifier was there
        return create(self.config, classifier, self.data)

    def phases(self) -> list[Phase]:
        """The system's stages, each with its own warm-up and decay, then the int8 epochs where there are any."""
        s, stages = self.config.schedule, self.state.model.stages
        ends = np.rint(np.cumsum([0.0, *(stage.share for stage in stages)]) * s.epochs).astype(int)
        phases = [
            Phase(stage.name, int(end - start), s.lr, self._end_lr(), s.warmup_epochs)
            for stage, start, end in zip(stages, ends[:-1], ends[1:], strict=True)
        ]
        return [*(phase for phase in phases if phase.epochs), *self._int8()]

    def loss(self, pictures: Tensor, index: Tensor, phase: Phase, rng: np.random.Generator) -> Tensor:
        """The loss of the system's stage; int8 epochs go on with its last one."""
        model = self.state.model
        link = draw(CHANNEL, len(index), model.n_symbols, model.quantizer.bits, rng).to(self.device)
        stage = model.stages[-1].name if phase.int8 else phase.name
        return model.loss(stage, pictures, self.labels[index], link)

    def evaluate(self, model: SplitCodec) -> dict[str, float]:
        """Held-out accuracy by BER, of which both ends are told."""
        return told_at_both_ends(model, self.x_held, self.y_held)

    def score(self, figures: dict[str, float]) -> float:
        """The mean of clean and noisy accuracies."""
        return evaluate.score(figures)


def load_config(folder: Path) -> SplitConfig:
    """The config of a run's folder."""
    return from_dict(saved_config(folder), str(folder / "config.json"))


def told_at_both_ends(model: SplitCodec, images: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Accuracy by BER on images uint8 (N, H, W, 3), labels (N,): not every encoder sends the same over every link."""
    return {
        f"{ber:g}": evaluate.accuracy(model, evaluate.encode(model, images, given_ber=ber), labels, ber)
        for ber in evaluate.BER_GRID
    }


def load_system(folder: Path, data: Dataset) -> tuple[SplitCodec, SplitConfig, dict[str, Any]]:
    """A finished run -> system (evaluating, in int8 where trained so), its config, best.pt's record.

    Raises TrainError without one.
    """
    config = load_config(folder)
    saved = read_best(folder, "last epoch")
    base = classifier_run.load(Path(config.classifier))
    model = create(config, build(base.architecture, len(data.classes)), data)
    if config.schedule.qat_epochs:
        model.encoder.fold()
    fill(model, saved["model"], folder / "best.pt")
    if config.schedule.qat_epochs:
        calibrate(model.encoder, calibration_images(data, split(data, config.data.holdout)[0]))
    return model.eval(), config, saved
