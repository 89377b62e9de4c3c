"""`inkling train`: train a codec, a split codec or a base classifier from a config file."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:  # torch takes seconds to import, which --help and a mistyped setting need not wait for
    from train.config import RunConfig
    from train.trainers.trainer import Trainer

    T = TypeVar("T", bound=Trainer)

CLASSIFIER = "classifier"  # a word before the config, not a sub-command: `inkling train CONFIG` works without one


def parser(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.usage = "%(prog)s [classifier] CONFIG [--out DIR] [--threads N] [--device DEVICE]"
    parser.description = (
        "Trains a codec through a channel that flips bits, or with the word classifier a base classifier. "
        "An interrupted run is resumed by the same command."
    )
    parser.epilog = """examples:
  inkling train configs/cifar10.toml && inkling export runs/cifar10 -o build/bundles/mine
  inkling train classifier configs/classifiers/cifar10-mobilenet_v2.toml"""
    add = parser.add_argument
    add("words", nargs="+", metavar="CONFIG", help="TOML file, as in configs/ (docs/settings.md lists all settings)")
    add("--out", type=Path, metavar="DIR", help="folder of the run (default: runs/NAME)")
    add("--threads", type=int, default=0, metavar="N", help="CPU threads (default: all cores)")
    add("--device", help="cpu, cuda, cuda:1 (default: cuda where available, else cpu)")


def run(options: argparse.Namespace) -> int:
    """Train and return the exit status. Raises InklingError."""
    from train import settings
    from train.errors import TrainError

    classifier, config = options.words[:-1] == [CLASSIFIER], Path(options.words[-1])
    if not classifier and len(options.words) > 1:
        raise TrainError(f"expected CONFIG or {CLASSIFIER} CONFIG, got {' '.join(options.words)}")
    # Settings are checked before torch is imported: a mistyped one is reported at once.
    values = settings.read_toml(config)
    if {"system", "encoder"} & values.keys() if classifier else "architecture" in values:
        word = "" if classifier else f"{CLASSIFIER} "
        raise TrainError(f"{config} configures another kind of run; use: inkling train {word}{config}")
    if classifier:
        _classifier(config, options)
    elif "system" in values:
        _split(config, options)
    else:
        _codec(config, options)
    return 0


def _codec(file: Path, options: argparse.Namespace) -> None:
    from train.config import CodecConfig

    config = CodecConfig.load(file)
    from train.trainers.codec import CodecTrainer

    trainer = _create_trainer(CodecTrainer, config, options)
    model = trainer.state.model
    macs = model.encoder.macs(*model.input_shape[:2])
    _train(
        trainer, f"encoder {macs:,} MACs, {model.n_symbols} symbols of {config.quantizer.bits} bits", "build/bundles"
    )


def _split(file: Path, options: argparse.Namespace) -> None:
    from train.config import SplitRunConfig

    SplitRunConfig.load(file)
    from train.codecs.deployable import DeployableCodec
    from train.trainers.split import SplitConfig, SplitTrainer

    config = SplitConfig.load(file)
    trainer = _create_trainer(SplitTrainer, config, options)
    model = trainer.state.model
    exportable = bool(config.schedule.qat_epochs) and isinstance(model, DeployableCodec)
    _train(
        trainer,
        f"{config.system}, encoder {model.encoder_macs():,} MACs, "
        f"{model.n_symbols} symbols of {config.quantizer.bits} bits",
        "build/bundles" if exportable else None,
    )


def _classifier(file: Path, options: argparse.Namespace) -> None:
    from train.config import ClassifierConfig

    config = ClassifierConfig.load(file)
    from train.trainers.classifier import ClassifierTrainer

    _train(_create_trainer(ClassifierTrainer, config, options), config.architecture, None)


def _create_trainer(kind: "type[T]", config: "RunConfig", options: argparse.Namespace) -> "T":
    import torch

    from train.compute_device import choose_device
    from train.data.datasets import load

    if options.threads > 0:
        torch.set_num_threads(options.threads)
    device = choose_device(options.device)
    data = load(config.data.name, config.data.size, config.data.grey)
    return kind(config, data, options.out or Path("runs") / config.name, device)


def _train(trainer: "Trainer", description: str, bundles: str | None) -> None:
    name, held = trainer.config.name, len(trainer.y_held)
    images = f"{len(trainer.data.x_train):,} training images ({held:,} held out)"
    print(f"{name}: {images}, {description}; on {trainer.device}")
    trainer.run()
    export = f"; next: inkling export {trainer.folder} -o {bundles}/{name}" if bundles else ""
    print(f"done: {trainer.folder}/best.pt{export}")
