"""`inkling train`: train a codec, a preview network, a split codec or a base classifier from a config file."""

import argparse
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:  # torch takes seconds to import, which --help and a mistyped setting need not wait for
    from train.codecs.codec import Codec
    from train.config import ClassifierConfig, CodecConfig, GeneralConfig, PreviewConfig, RunConfig
    from train.data.datasets import Dataset
    from train.data.listing import Listing
    from train.trainers.trainer import Trainer

    T = TypeVar("T", bound=Trainer)
    Created = tuple[Trainer, str, str | None]

CLASSIFIER = "classifier"  # a word before the config, not a sub-command: `inkling train CONFIG` works without one
BUNDLES = Path("build", "bundles")
TORCHRUN = "TORCHELASTIC_RUN_ID"  # environment variable that torchrun sets


def parser(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.usage = (
        "%(prog)s [classifier] CONFIG [--set NAME=VALUE] [--out DIR] [--strict] [--threads N] [--device DEVICE]"
    )
    parser.description = (
        "Trains a codec through a channel that flips bits, a preview network of a trained codec, or with the word "
        "classifier a base classifier. An interrupted run is resumed by the same command."
    )
    parser.epilog = """examples:
  inkling train configs/cifar10.toml && inkling export runs/cifar10 -o build/bundles/mine
  inkling train configs/cifar10.toml --set schedule.epochs=20 --set seed=1 --out runs/short
  inkling train classifier configs/classifiers/cifar10-mobilenet_v2.toml
  torchrun --nproc-per-node 2 -m train configs/cifar10.toml       # on two GPUs (docs/training.md)"""
    add = parser.add_argument
    add("words", nargs="+", metavar="CONFIG", help="TOML file, as in configs/ (docs/settings.md lists all settings)")
    add(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting in place of the file's, as in schedule.epochs=5 (can be repeated)",
    )
    add("--out", type=Path, metavar="DIR", help="folder of the run (default: runs/NAME)")
    add("--strict", action="store_true", help="stop at an image that cannot be read (default: leave it out)")
    add("--threads", type=int, default=0, metavar="N", help="CPU threads (default: all cores)")
    add("--device", help="cpu, cuda, cuda:1 (default: cuda where available, else cpu)")


def run(options: argparse.Namespace) -> int:
    """Train and return the exit status. Raises InklingError."""
    if TORCHRUN not in os.environ:
        return _run(options)
    from train import parallel

    with parallel.joined():
        return _run(options)


def _run(options: argparse.Namespace) -> int:
    trainer, description, bundle = create(options)
    _train(trainer, description, bundle)
    return 0


def create(options: argparse.Namespace) -> "Created":
    """Return the trainer of a config, its description, and the name of the bundle that `inkling export` makes of it.

    options: as `parser` adds them. Raises InklingError.
    """
    from train.config import GENERAL, PREVIEW, SPLIT_CODEC

    # Settings and data are checked before torch is imported and images are read: a mistake is reported at once.
    kind, config = load(options)
    if kind == GENERAL:
        return _general(cast("GeneralConfig", config), options)
    if kind == PREVIEW:
        return _preview(cast("PreviewConfig", config), options)
    listing = _look_up(config, options)
    if _is_classifier(options):
        return _classifier(cast("ClassifierConfig", config), options)
    if kind == SPLIT_CODEC:
        return _split(options)
    return _codec(cast("CodecConfig", config), listing, options)


def load(options: argparse.Namespace) -> "tuple[str | None, RunConfig]":
    """Return kind and config of a run, with its settings and the files that it names checked. Raises TrainError."""
    from train import settings
    from train.config import (
        BASE_CLASSIFIER,
        GENERAL,
        PREVIEW,
        SPLIT_CODEC,
        ClassifierConfig,
        CodecConfig,
        GeneralConfig,
        PreviewConfig,
        SplitRunConfig,
        kind_of,
    )
    from train.errors import TrainError

    is_classifier, file = _is_classifier(options), Path(options.words[-1])
    if not is_classifier and len(options.words) > 1:
        raise TrainError(f"expected CONFIG or {CLASSIFIER} CONFIG, got {' '.join(options.words)}")
    kind = kind_of(settings.read_toml(file))
    if kind and (kind == BASE_CLASSIFIER) != is_classifier:
        command = ["inkling", "train", *([] if is_classifier else [CLASSIFIER]), str(file)]
        raise TrainError(f"{file} configures a {kind}; use: {shlex.join(command)}")
    if kind in (GENERAL, PREVIEW) and TORCHRUN in os.environ:
        raise TrainError(f"{file} configures a {kind}, which torchrun cannot train; use: inkling train {file}")
    if is_classifier:
        return kind, ClassifierConfig.load(file, options.set)
    if kind == SPLIT_CODEC:
        split = SplitRunConfig.load(file, options.set)
        ClassifierConfig.load(Path(split.classifier)).find_checkpoint()
        return kind, split
    if kind == GENERAL:
        return kind, GeneralConfig.load(file, options.set)
    if kind == PREVIEW:
        return kind, PreviewConfig.load(file, options.set)
    codec = CodecConfig.load(file, options.set)
    if codec.teacher:
        codec.teacher.find()
    return kind, codec


def _is_classifier(options: argparse.Namespace) -> bool:
    return options.words[:-1] == [CLASSIFIER]


def _look_up(config: "RunConfig", options: argparse.Namespace) -> "Listing | None":
    """Check data set and folder of a run, and print the number of images; None if the data must be downloaded first."""
    from train.data.datasets import look_up
    from train.data.listing import check_fit, images_per_class
    from train.trainers.resuming import config_of_run

    listing = look_up(config.data)
    if listing:
        check_fit(config, listing)
        config_of_run(_folder(config, options), config, len(listing.y_train))
        per_class = images_per_class(listing.classes, listing.y_train)
        print(f"{config.data.name}: {per_class} to train on; {len(listing.y_test):,} test images")
    return listing


def _codec(config: "CodecConfig", listing: "Listing | None", options: argparse.Namespace) -> "Created":
    from train.codecs.codec import Codec
    from train.trainers.codec import CodecTrainer

    if listing:
        Codec(config, listing.shape, len(listing.classes))  # a mistake in its layers is found before images are read
    trainer = _create_trainer(CodecTrainer, config, options, _images(config, options))
    return trainer, _described(trainer.state.model), config.name


def _described(model: "Codec") -> str:
    """Print what a board needs for a codec's encoder, and return a description of the codec."""
    from train.codecs.cost import estimate

    print(estimate(model.encoder, model.input_shape, model.n_symbols))
    macs = model.encoder.macs(*model.input_shape[:2])
    return f"encoder {macs:,} MACs, {model.n_symbols} symbols of {model.quantizer.bits} bits"


def _general(config: "GeneralConfig", options: argparse.Namespace) -> "Created":
    from train.data.pool import load_pool
    from train.trainers.general import GeneralTrainer

    trainer = _create_trainer(GeneralTrainer, config, options, load_pool(config, strict=options.strict))
    embedding = f"embedding of {trainer.targets.shape[2]} values"
    return trainer, f"{_described(trainer.state.model)}, {embedding}", config.name


def _preview(config: "PreviewConfig", options: argparse.Namespace) -> "Created":
    from train.data.pool import load_pool
    from train.trainers.preview import PreviewTrainer, general_config

    trainer = _create_trainer(PreviewTrainer, config, options, load_pool(general_config(config), strict=options.strict))
    weights = sum(weight.numel() for weight in trainer.state.model.parameters())
    return trainer, f"preview network of {weights:,} weights for the codec {config.codec}", Path(config.codec).name


def _split(options: argparse.Namespace) -> "Created":
    from train.codecs.deployable import DeployableCodec
    from train.trainers.split import SplitConfig, SplitTrainer

    config = SplitConfig.load(Path(options.words[-1]), options.set)
    trainer = _create_trainer(SplitTrainer, config, options, _images(config, options))
    model = trainer.state.model
    macs, symbols = f"{model.encoder_macs():,} MACs", f"{model.n_symbols} symbols of {config.quantizer.bits} bits"
    exported = config.schedule.qat_epochs and isinstance(model, DeployableCodec)
    return trainer, f"{config.system}, encoder {macs}, {symbols}", config.name if exported else None


def _classifier(config: "ClassifierConfig", options: argparse.Namespace) -> "Created":
    from train.trainers.classifier import ClassifierTrainer

    trainer = _create_trainer(ClassifierTrainer, config, options, _images(config, options))
    return trainer, config.architecture, None


def _folder(config: "RunConfig", options: argparse.Namespace) -> Path:
    return options.out or Path("runs") / config.name


def _images(config: "RunConfig", options: argparse.Namespace) -> "Dataset":
    from train import parallel
    from train.data.datasets import load_for

    with parallel.first_alone():  # it may download them
        return load_for(config.data, strict=options.strict)


def _create_trainer(kind: "type[T]", config: "RunConfig", options: argparse.Namespace, data: "Dataset") -> "T":
    import torch

    from train import parallel
    from train.compute_device import choose_device

    if options.threads > 0:
        torch.set_num_threads(options.threads)
    device = choose_device(parallel.local_device(options.device))
    return kind(config, data, _folder(config, options), device)


def _train(trainer: "Trainer", description: str, bundle: str | None) -> None:
    """Train to the end; name the next command if `inkling export` makes this bundle, or adds to it."""
    name, held = trainer.config.name, len(trainer.y_held)
    images = f"{len(trainer.data.x_train):,} training images ({held:,} held out)"
    print(f"{name}: {images}, {description}; on {trainer.device} in {'bfloat16' if trainer.bf16 else 'float32'}")
    trainer.run()
    export = ["inkling", "export", str(trainer.folder), "-o", str(BUNDLES / (bundle or name))]
    print(f"done: {trainer.folder}/best.pt{f'; next: {shlex.join(export)}' if bundle else ''}")
