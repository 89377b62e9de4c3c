"""Command line of the training."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from train.errors import TrainError

if TYPE_CHECKING:  # torch takes seconds to import, --help should not
    from train.trainers.trainer import RunConfig, Trainer

    L = TypeVar("L", bound=Trainer)

EPILOG = """examples:
  python -m train configs/cifar10.toml && python -m export runs/cifar10 -o bundles/mine
  python -m train classifier configs/classifiers/cifar10-mobilenet_v2.toml"""


def main() -> int:
    """Parse the command line and train."""
    arguments = sys.argv[1:]
    # A word before the config, not a sub-command: `python -m train CONFIG` came first and stays.
    base_classifier = arguments[:1] == ["classifier"]
    parser = argparse.ArgumentParser(
        prog="python -m train",
        usage="%(prog)s [classifier] config [--out OUT] [--threads THREADS] [--device DEVICE]",
        description="Train a codec through a bit-flipping channel or, with the word classifier, a base classifier. "
        "Interrupt it at will: the same command goes on.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", type=Path, help="a TOML file, as in configs/ or configs/classifiers/")
    parser.add_argument("--out", type=Path, help="the run's folder (default: runs/NAME)")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: all cores)")
    parser.add_argument("--device", help="cpu, cuda, cuda:1 (default: cuda where there is one, else cpu)")
    args = parser.parse_args(arguments[base_classifier:])
    try:
        import torch

        if args.threads > 0:
            torch.set_num_threads(args.threads)
        if base_classifier:
            _classifier(args)
        else:
            _codec(args)
    except (TrainError, OSError) as error:  # OSError: a folder that cannot be made, a full disk
        print(f"train: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ntrain: interrupted; the same command goes on after the last finished epoch", file=sys.stderr)
        return 130
    return 0


def _codec(args: argparse.Namespace) -> None:
    from train import settings

    if "system" in settings.read(args.config):
        _system(args)
    else:
        _inkling(args)


def _system(args: argparse.Namespace) -> None:
    from train.codecs.deployable import DeployableCodec
    from train.trainers.split import SplitTrainer, load

    run = _ready(SplitTrainer, load(args.config), args)
    config, model = run.config, run.state.model
    _go(
        run,
        f"{config.system}, encoder {model.encoder_macs():,} MACs, "
        f"{model.n_symbols} symbols of {config.quantizer.bits} bits",
        "build/bundles" if config.schedule.qat_epochs and isinstance(model, DeployableCodec) else None,
    )


def _inkling(args: argparse.Namespace) -> None:
    from train.config import load
    from train.trainers.codec import CodecTrainer

    run = _ready(CodecTrainer, load(args.config), args)
    model = run.state.model
    macs = model.encoder.macs(*model.input_shape[:2])
    _go(run, f"encoder {macs:,} MACs, {model.n_symbols} symbols of {run.config.quantizer.bits} bits", "bundles")


def _classifier(args: argparse.Namespace) -> None:
    from train.trainers.classifier import ClassifierTrainer, load

    run = _ready(ClassifierTrainer, load(args.config), args)
    _go(run, run.config.architecture, None)


def _ready(kind: "type[L]", config: "RunConfig", args: argparse.Namespace) -> "L":
    from train.data.datasets import load
    from train.trainers.compute_device import choose

    device = choose(args.device)
    data = load(config.data.name, config.data.size, config.data.grey)
    return kind(config, data, args.out or Path("runs") / config.name, device)


def _go(run: "Trainer", what: str, bundles: str | None) -> None:
    name, held = run.config.name, run.config.data.holdout
    print(f"{name}: {len(run.data.x_train):,} training images ({held:,} held out), {what}; on {run.device}")
    run.go()
    export = f"; next: python -m export {run.folder} -o {bundles}/{name}" if bundles else ""
    print(f"done: {run.folder}/best.pt{export}")


if __name__ == "__main__":
    sys.exit(main())
