"""Training steps and failures for test_parallel.py: `torchrun -m tests.train.parallel_steps WHAT FOLDER`."""

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch

from inkling.cli import main_of
from inkling.commands import Command
from train import parallel
from train.config import ClassifierConfig, CodecConfig
from train.data import datasets
from train.errors import TrainError
from train.impairment import Impairment
from train.trainers.classifier import ClassifierTrainer
from train.trainers.codec import CodecTrainer
from train.trainers.split import SplitConfig, SplitTrainer
from train.trainers.trainer import Trainer

STEPS = 3


def trainer(file: Path, folder: Path) -> Trainer:
    """Return the trainer of a config, whose name begins with its kind, in double precision.

    Deep networks multiply the rounding of float32 until it hides an error.
    """
    created: Trainer
    if file.stem.startswith("classifier"):
        classifier = ClassifierConfig.load(file)
        created = ClassifierTrainer(classifier, datasets.load(classifier.data.name), folder)
    elif file.stem.startswith("codec"):
        codec = CodecConfig.load(file)
        created = CodecTrainer(codec, datasets.load(codec.data.name), folder)
    else:
        split = SplitConfig.load(file)
        created = SplitTrainer(split, datasets.load(split.data.name), folder)
    created.bf16 = False
    created.state.model.double()
    created.state.average.double()
    return created


def double(impairment: Impairment, device: torch.device) -> Impairment:
    """Return an impairment on a device, in double precision."""
    return Impairment(*(x.double() if x.is_floating_point() else x for x in vars(impairment).values()))


def steps(file: Path, folder: Path) -> dict[str, Any]:
    """Train some steps of a config's last float phase; return their losses, and gradients and buffers of the first."""
    run = trainer(file, folder)
    batch = run.views.batch
    with (
        mock.patch.object(Impairment, "to", double),
        mock.patch.object(run.views, "batch", lambda index: batch(index).double()),
    ):
        return _steps(run)


def _steps(run: Trainer) -> dict[str, Any]:
    phase, rng = [phase for phase in run.plan if not phase.int8][-1], np.random.default_rng(3)
    torch.manual_seed(4)
    run.views.choose(0)
    run.state.model.train()
    result: dict[str, Any] = {"losses": []}
    for number in range(STEPS):
        size = run.config.schedule.batch
        index = parallel.part(torch.arange(number * size, (number + 1) * size))
        result["losses"].append(run._train_step(number, index, phase, rng))
        if not number:
            named = run.state.model.named_parameters()
            result["gradients"] = {name: p.grad.clone() for name, p in named if p.grad is not None}
            result["buffers"] = {name: buffer.clone() for name, buffer in run.state.model.named_buffers()}
    return result


def parser(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("what", choices=("steps", "fail", "killed"))
    parser.add_argument("folder", type=Path)


def run(options: argparse.Namespace) -> int:
    """Save the steps of all configs in the folder, or let the second process fail while the first waits for it."""
    torch.set_num_threads(1)
    with parallel.joined():
        if options.what == "steps":
            for file in sorted(options.folder.glob("*.toml")):
                result = steps(file, options.folder / "runs" / file.stem)
                if parallel.is_first():
                    torch.save(result, options.folder / f"{file.stem}.pt")
        elif parallel.rank() == 1 and options.what == "fail":
            raise TrainError("the second process fails")
        elif parallel.rank() == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        parallel.wait()
    return 0


COMMAND = Command("steps", "tests.train.parallel_steps:parser", "tests.train.parallel_steps:run", "train")

if __name__ == "__main__":
    sys.exit(main_of(COMMAND, "python -m tests.train.parallel_steps"))
