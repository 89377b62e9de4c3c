"""A board alone: the bundle's trunk with an answer head, trained from scratch on the taught images.

It computes in float, which is in its favour. Learning rate, weight decay and the candidates for the number of steps
were chosen on classes of Tiny ImageNet that no problem has.
"""

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.command import kept_array
from benchmarks.general.data.problems import ImageSet, Problem
from train.codecs.encoder import SCORE_SCALE, Encoder
from train.config import DataConfig
from train.data.augment import Views, as_input
from train.data.sampling import stratified
from train.trainers.optimizer import Phase, adamw

STEPS = {5: (600, 200), 20: (1000, 400), 100: (2000, 1000)}  # images per class -> candidates; of equal ones the first
BATCH, LR, WEIGHT_DECAY, LABEL_SMOOTHING, WARMUP, CLIP = 64, 1e-2, 0.5, 0.1, 0.1, 2.0
HELD_OUT = 5  # one taught image in so many chooses the number of steps
TEST_BATCH = 250


@dataclass(frozen=True, eq=False)
class Training:
    """One training: images uint8 (N, H, W, 3) and labels (N,) to train and to judge on."""

    layers: tuple[str, ...]
    n_classes: int
    images: np.ndarray
    labels: np.ndarray
    judged: np.ndarray
    judged_labels: np.ndarray
    steps: int
    flip: bool
    seed: int


def board_layers(layers: Sequence[str]) -> tuple[str, ...]:
    """Return the layers of a classifier with the trunk of an encoder with latent heads."""
    return (*(line for line in layers if not line.startswith("head ")), "pool", "answer")


def accuracies(
    layers: tuple[str, ...],
    images: ImageSet,
    problems: Sequence[Problem],
    folder: Path,
    on_progress: Callable[[], None],
) -> tuple[np.ndarray, dict[str, int]]:
    """Return the test accuracy of each problem (P,), and the steps by number of images per class.

    The first problem of each number of images chooses the steps, on a part of its taught images that is held out.
    Every training is kept in `folder` when it is done. `on_progress` is called after each problem.
    """
    first = {problem.shots: problem for problem in reversed(problems)}
    choices = {
        folder / f"scratch-{shots}-{steps}-held-out.npy": _choosing(layers, images, problem, steps)
        for shots, problem in first.items()
        for steps in STEPS[shots]
    }
    held_out = dict(zip(choices, _all_kept(choices, lambda: None), strict=True))
    chosen = {
        shots: max(STEPS[shots], key=lambda steps: held_out[folder / f"scratch-{shots}-{steps}-held-out.npy"])
        for shots in first
    }
    trainings = {
        folder / f"scratch-{problem.name}-{chosen[problem.shots]}.npy": Training(
            layers,
            problem.n_classes,
            images.images[problem.taught],
            problem.taught_labels,
            images.images[problem.test],
            problem.test_labels,
            chosen[problem.shots],
            images.flip,
            problem.seed,
        )
        for problem in problems
    }
    return np.array(_all_kept(trainings, on_progress)), {str(shots): chosen[shots] for shots in sorted(chosen)}


def _choosing(layers: tuple[str, ...], images: ImageSet, problem: Problem, steps: int) -> Training:
    """Return a training on all taught images of a problem but one in HELD_OUT, on which it is judged."""
    order = stratified(problem.taught_labels, len(problem.taught))
    count = len(order) // HELD_OUT
    held_out, rest = order[:count], order[count:]
    return Training(
        layers,
        problem.n_classes,
        images.images[problem.taught[rest]],
        problem.taught_labels[rest],
        images.images[problem.taught[held_out]],
        problem.taught_labels[held_out],
        steps,
        images.flip,
        problem.seed,
    )


def _all_kept(trainings: Mapping[Path, Training], on_progress: Callable[[], None]) -> list[float]:
    """Return the accuracy of every training, from its file or by training it: as many at a time as there are cores."""
    missing = {file: training for file, training in trainings.items() if not file.is_file()}
    for _ in range(len(trainings) - len(missing)):
        on_progress()
    if missing:
        # Small networks use several cores badly. Fork would copy the state of PyTorch's threads. Workers, too,
        # receive Ctrl-C: they end at once, without a traceback.
        stop = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
        with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn"), initializer=stop) as workers:
            running = {workers.submit(train, training): file for file, training in missing.items()}
            try:
                for done in as_completed(running):
                    kept_array(running[done], partial(np.array, done.result()))
                    on_progress()
            finally:
                workers.shutdown(wait=False, cancel_futures=True)
    return [float(np.load(file)) for file in trainings]


def train(training: Training) -> float:
    """Train a classifier on one core, and return its accuracy on the images to judge on."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _train(training)
    finally:
        torch.set_num_threads(threads)


def _train(training: Training) -> float:
    torch.manual_seed(training.seed)
    rng = np.random.default_rng([training.seed, 29])
    height, width, channels = training.images.shape[1:]
    model = Encoder((height, width, channels), training.layers, training.n_classes)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = adamw(model, WEIGHT_DECAY)
    views = Views(training.images, DataConfig("taught images", flip=training.flip), training.seed)
    labels = torch.from_numpy(training.labels)
    phase, batch = Phase("float", 1, LR, warmup_epochs=WARMUP), min(BATCH, len(labels))
    model.train()
    order, view = torch.zeros(0, dtype=torch.int64), 0
    for step in range(training.steps):
        if len(order) < batch:  # the last images of a view, too few for a batch, wait for another view
            views.choose(view)
            order, view = torch.from_numpy(rng.permutation(len(labels))), view + 1
        index, order = order[:batch], order[batch:]
        for group in optimizer.param_groups:
            group["lr"] = phase.learning_rate(step, training.steps)
        logits = model.scores(views.batch(index)) * SCORE_SCALE
        loss = F.cross_entropy(logits, labels[index], label_smoothing=LABEL_SMOOTHING)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
    model.eval()
    with torch.no_grad():
        parts = torch.from_numpy(training.judged).split(TEST_BATCH)
        predicted = np.concatenate([model.scores(as_input(part)).argmax(1).numpy() for part in parts])
    return float((predicted == training.judged_labels).mean())
