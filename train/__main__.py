"""Command line of the training."""

import argparse
import sys
from pathlib import Path

from train.errors import TrainError

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
        usage="%(prog)s [classifier] config [--out OUT] [--threads THREADS]",
        description="Train a codec through a bit-flipping channel or, with the word classifier, a base classifier. "
        "Interrupt it at will: the same command goes on.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", type=Path, help="a TOML file, as in configs/ or configs/classifiers/")
    parser.add_argument("--out", type=Path, help="the run's folder (default: runs/NAME)")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: all cores)")
    args = parser.parse_args(arguments[base_classifier:])
    try:
        import torch

        if args.threads > 0:
            torch.set_num_threads(args.threads)
        if base_classifier:
            _classifier(args.config, args.out)
        else:
            _codec(args.config, args.out)
    except (TrainError, OSError) as error:  # OSError: a folder that cannot be made, a full disk
        print(f"train: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ntrain: interrupted; the same command goes on after the last finished epoch", file=sys.stderr)
        return 130
    return 0


def _codec(file: Path, out: Path | None) -> None:
    from train import settings

    if "system" in settings.read(file):
        _system(file, out)
    else:
        _inkling(file, out)


def _system(file: Path, out: Path | None) -> None:
    from train.codecs.deployable import Deployable
    from train.datasets import load as load_data
    from train.system_run import SystemRun, load

    config = load(file)
    data = load_data(config.data.name, config.data.size, config.data.grey)
    folder = out or Path("runs") / config.name
    run = SystemRun(config, data, folder)
    model = run.state.model
    print(
        f"{config.name}: {config.system}, {len(data.x_train):,} training images ({config.data.holdout:,} held out), "
        f"encoder {model.encoder_macs():,} MACs, {model.symbols} symbols of {config.quantizer.bits} bits"
    )
    run.go()
    for_a_board = config.schedule.qat_epochs and isinstance(model, Deployable)
    export = f"; next: python -m export {folder} -o build/bundles/{config.name}" if for_a_board else ""
    print(f"done: {folder}/best.pt{export}")


def _inkling(file: Path, out: Path | None) -> None:
    from train.config import load
    from train.datasets import load as load_data
    from train.run import Run

    config = load(file)
    data = load_data(config.data.name, config.data.size, config.data.grey)
    folder = out or Path("runs") / config.name
    run = Run(config, data, folder)
    h, w, _ = run.state.model.input_shape
    print(
        f"{config.name}: {len(data.x_train):,} training images ({config.data.holdout:,} held out), "
        f"encoder {run.state.model.encoder.macs(h, w):,} MACs, "
        f"{run.state.model.symbols} symbols of {config.quantizer.bits} bits"
    )
    run.go()
    print(f"done: {folder}/best.pt; next: python -m export {folder} -o bundles/{config.name}")


def _classifier(file: Path, out: Path | None) -> None:
    from train.classifier_run import ClassifierRun, load
    from train.datasets import load as load_data

    config = load(file)
    data = load_data(config.data.name, config.data.size, config.data.grey)
    folder = out or Path("runs") / config.name
    run = ClassifierRun(config, data, folder)
    print(f"{config.name}: {len(data.x_train):,} training images ({config.data.holdout:,} held out)")
    run.go()
    print(f"done: {folder}/best.pt")


if __name__ == "__main__":
    sys.exit(main())
