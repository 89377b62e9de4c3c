"""Check the learning rates of the compared systems on held-out training images: is another one better?

Each experiment is trained with its config's peak learning rate times each factor, for a share of its epochs, and scored
as model selection does: the mean held-out accuracy without errors and at BER 1e-2, 5e-2 and 1e-1. Test images are not
used. An interrupted training is resumed; a finished one is not repeated. One JSON per experiment.
"""

import argparse
import datetime
import sys
from dataclasses import replace
from fnmatch import fnmatch
from functools import partial
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from benchmarks import command
from benchmarks.accuracy import models
from benchmarks.accuracy.experiments import CONFIGS, PLAIN, Experiment, experiments
from benchmarks.accuracy.measure import hardware
from train import evaluate
from train.compute_device import choose_device
from train.config import CodecConfig
from train.data.datasets import Dataset, load_for
from train.data.sampling import held_out_count
from train.errors import TrainError
from train.run_files import read_best
from train.trainers.codec import CodecTrainer
from train.trainers.split import SplitConfig, SplitTrainer
from train.trainers.trainer import Trainer

FACTORS = (0.5, 1.0, 2.0)


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line, train, and write the scores. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy.learning_rates", description=__doc__)
    parser.add_argument("--experiments", default="*", metavar="PATTERN", help="names like cifar10-*; default: all")
    parser.add_argument(
        "--factors",
        type=factor,
        nargs="+",
        default=FACTORS,
        metavar="F",
        help="of the learning rate (default: 0.5 1 2)",
    )
    command.add_count(parser, "--epochs", 10, "float epochs of each training, if its config has not fewer")
    parser.add_argument("--device", help="training device: cpu, cuda, cuda:1 (default: cuda if available, else cpu)")
    command.add_path(parser, "--configs", CONFIGS, "folder of the systems' configs")
    command.add_path(parser, "--out", command.RESULTS / "learning_rates", "folder for the figures")
    return command.execute("learning_rates", partial(run, parser.parse_args(arguments)), resumable=True)


def factor(text: str) -> float:
    """Parse a number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number above 0, got {text!r}")
    return value


def run(args: argparse.Namespace) -> None:
    """Check the chosen experiments, and print a table of their scores."""
    chosen = [one for one in experiments(args.configs) if fnmatch(one.name, args.experiments) and one.system != PLAIN]
    if not chosen:
        raise TrainError(f"no experiment is called {args.experiments}")
    device, table = choose_device(args.device), Table("experiment", "learning rate", "held-out score", "")
    for experiment in chosen:
        config = models.config_of(experiment)
        assert isinstance(config, CodecConfig | SplitConfig)
        data = load_for(config.data)
        scores = {
            f"{rate.schedule.lr:g}": _score(rate, data, device)
            for rate in (shortened(config, args.epochs, by) for by in sorted({1.0, *args.factors}))
        }
        best = max(scores, key=lambda rate: scores[rate]["score"])
        own = f"{config.schedule.lr:g}"
        command.write_json(args.out / f"{experiment.name}.json", _report(experiment, config, scores, best, data, args))
        for rate, found in scores.items():
            marks = [*(["config's"] if rate == own else []), *(["best"] if rate == best else [])]
            table.add_row(experiment.name, rate, f"{100 * found['score']:.2f} %", ", ".join(marks))
    Console().print(table)


def shortened(config: CodecConfig | SplitConfig, epochs: int, by: float) -> CodecConfig | SplitConfig:
    """Return a config of at most that many float epochs, with `by` times the learning rate.

    The other epochs are shortened by the same share, to at least one.
    """
    s = config.schedule
    share = min(1.0, epochs / s.epochs)
    schedule = replace(s, epochs=round(s.epochs * share), qat_epochs=_part(s.qat_epochs, share), lr=s.lr * by)
    name = f"{config.name}-{schedule.epochs}-epochs-lr-{schedule.lr:g}"
    if isinstance(config, SplitConfig) and config.fine_tune:
        tuned = replace(config.fine_tune, epochs=_part(config.fine_tune.epochs, share))
        return replace(config, name=name, schedule=schedule, fine_tune=tuned)
    return replace(config, name=name, schedule=schedule)


def _part(epochs: int, share: float) -> int:
    return max(1, round(epochs * share)) if epochs else 0


def _score(config: CodecConfig | SplitConfig, data: Dataset, device: torch.device) -> dict[str, Any]:
    """Train what is not trained yet; return score and held-out accuracies of its best.pt."""
    folder = models.RUNS / "learning_rates" / config.name
    if models.epochs_done(folder) < config.schedule.epochs + config.schedule.qat_epochs:
        print(f"training {folder}")
        trainer: Trainer[Any, Any]
        if isinstance(config, SplitConfig):
            trainer = SplitTrainer(config, data, folder, device)
        else:
            trainer = CodecTrainer(config, data, folder, device)
        trainer.resume()
        trainer.train()  # not `run`, which looks at the test images
    held_out = read_best(folder, "last epoch")["held_out"]
    return {"score": round(evaluate.score(held_out), 6), "held_out": held_out}


def _report(
    experiment: Experiment,
    config: CodecConfig | SplitConfig,
    scores: dict[str, dict[str, Any]],
    best: str,
    data: Dataset,
    args: argparse.Namespace,
) -> dict[str, Any]:
    short = shortened(config, args.epochs, 1.0).schedule
    factors = " ".join(f"{by:g}" for by in args.factors)
    return {
        "experiment": experiment.name,
        "system": experiment.system,
        "learning_rate": f"{config.schedule.lr:g}",
        "best": best,
        "scores": scores,
        "epochs": short.epochs + short.qat_epochs,
        "held_out_images": held_out_count(config.data.holdout, len(data.x_train)),
        "seed": config.seed,
        "hardware": hardware(set()),
        "command": f"python -m benchmarks.accuracy.learning_rates --experiments {experiment.name} --factors {factors} "
        f"--epochs {args.epochs}",
        "date": datetime.date.today().isoformat(),
    }


if __name__ == "__main__":
    sys.exit(main())
