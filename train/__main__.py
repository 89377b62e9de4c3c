"""Command line of the training."""

import argparse
import sys
from pathlib import Path

from train.config import load as load_config
from train.datasets import load as load_data
from train.errors import TrainError


def main() -> int:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(
        prog="python -m train",
        description="Train a codec through a bit-flipping channel. Interrupt it at will: the same command goes on.",
        epilog="example: python -m train configs/cifar10.toml && python -m export runs/cifar10 -o bundles/mine",
    )
    parser.add_argument("config", type=Path, help="a TOML file, as in configs/")
    parser.add_argument("--out", type=Path, help="the run's folder (default: runs/NAME)")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: all cores)")
    args = parser.parse_args()
    try:
        config = load_config(args.config)
        data = load_data(config.data.name, config.data.size, config.data.grey)
        import torch

        from train.run import Run

        if args.threads > 0:
            torch.set_num_threads(args.threads)
        folder = args.out or Path("runs") / config.name
        run = Run(config, data, folder)
        h, w, _ = run.state.model.input_shape
        print(
            f"{config.name}: {len(data.x_train):,} training images ({config.data.holdout:,} held out), "
            f"encoder {run.state.model.encoder.macs(h, w):,} MACs, "
            f"{run.state.model.symbols} symbols of {config.quantizer.bits} bits"
        )
        if run.resume():
            print(f"going on after epoch {run.state.epoch} of {run.total_epochs}")
        run.train()
        print(f"done: {folder}/best.pt; next: python -m export {folder} -o bundles/{config.name}")
    except (TrainError, OSError) as error:  # OSError: a folder that cannot be made, a full disk
        print(f"train: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ntrain: interrupted; the same command goes on after the last finished epoch", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
