"""Fine-tuning of a classifier on images that are compressed in one format."""

import datetime
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from torch import nn
from torch.nn import functional as F

from benchmarks import command
from benchmarks.goodput.compressed import Format, classifier_command, pixels, sizes
from benchmarks.progress import progress_bar
from train.classifiers import teacher
from train.config import DataConfig, TeacherConfig
from train.data.augment import Views, as_input
from train.data.datasets import Dataset
from train.errors import TrainError
from train.run_files import load_tensors, save_tensors
from train.trainers import classifier as classifier_trainer

# The classifiers of clean images that are fine-tuned. CIFAR-100's is the teacher of configs/cifar100.toml.
START = {
    "cifar10": TeacherConfig("models/resnet_cifar10_akamaster/resnet20-12fca82f.th", depth=20),
    "cifar100": TeacherConfig("runs/cifar100-resnet20/best.pt", depth=20),
}
BATCH = 128
PEAK_RATE, MOMENTUM, DECAY = 0.05, 0.9, 5e-4
WARM_UP = 0.15  # of all steps


@dataclass(frozen=True)
class Settings:
    """Settings of the fine-tuning."""

    dataset: str  # a key of START
    epochs: int
    seed: int
    out: Path  # folder of this data set's classifiers

    @property
    def data(self) -> DataConfig:
        """The data set, split into training and held-out images, and its augmentation."""
        return DataConfig(self.dataset, holdout=2500)


def make(form: Format, data: Dataset, settings: Settings, console: Console) -> None:
    """Train, classify the test images, and write NAME.npz (per image) and NAME.json (report) to `out`."""
    out, epochs, seed = settings.out, settings.epochs, settings.seed
    model, best = _fine_tune(form, data, settings, console)
    with progress_bar(console) as bar:
        task = bar.add_task(f"{form.title}: test images", total=len(data.x_test))
        whole, bare = sizes(data.x_test, form, lambda: bar.advance(task))
    correct = classifier_trainer.correct(model, pixels(data.x_test, form), data.y_test)
    report = {
        "title": form.title,
        "options": form.options,
        "accuracy": float(correct.mean()),
        "bytes_mean": float(whole.mean()),
        "bare_bytes_mean": float(bare.mean()),
        "classifier": f"ResNet-{START[settings.dataset].depth}",
        "held_out": settings.data.holdout,
        "held_out_accuracy": best["accuracy"],
        "epoch_chosen": best["epoch"],
        "epochs": epochs,
        "seed": seed,
        "date": datetime.date.today().isoformat(),
        "command": f"{classifier_command(settings.dataset, form)} --epochs {epochs} --seed {seed}",
    }
    np.savez(out / f"{form.name}.npz", bytes=whole, bare_bytes=bare, correct=correct)
    command.write_json(out / f"{form.name}.json", report)
    console.print(
        f"{form.title}: {whole.mean():.1f} bytes, {bare.mean():.1f} bare, test accuracy {100 * correct.mean():.2f} %",
        highlight=False,
    )


def _fine_tune(form: Format, data: Dataset, settings: Settings, console: Console) -> tuple[nn.Module, dict]:
    """Return the classifier of the best epoch, in evaluation mode, and that epoch's number and accuracy."""
    file, epochs, seed = settings.out / f"{form.name}.pt", settings.epochs, settings.seed
    count = len(data.x_train) - settings.data.holdout
    held_out, labels = pixels(data.x_train[count:], form), torch.from_numpy(data.y_train)
    model = teacher.load(START[settings.dataset], data)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # PyTorch's stub lacks this overload
    optimizer = torch.optim.SGD(model.parameters(), PEAK_RATE, MOMENTUM, weight_decay=DECAY, nesterov=True)
    views = Views(data.x_train[:count], settings.data, seed)
    done, steps = 0, math.ceil(count / BATCH)
    best: dict[str, Any] = {"accuracy": 0.0, "epoch": 0, "model": model.state_dict()}
    if file.is_file():
        saved = load_tensors(file)
        if (saved["seed"], saved["epochs"]) != (seed, epochs):
            raise TrainError(
                f"{file} is of seed {saved['seed']} and {saved['epochs']} epochs, not {seed} and {epochs}: "
                "remove it to train again"
            )
        done, best = saved["done"], saved["best"]
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
    with progress_bar(console) as bar:
        task = bar.add_task(f"{form.title}: fine-tuning", total=epochs * steps, completed=done * steps)
        for epoch in range(done, epochs):
            views.choose(epoch)
            order = torch.from_numpy(np.random.default_rng([seed, 2, epoch]).permutation(count))
            model.train()
            for step, index in enumerate(order.split(BATCH)):
                for group in optimizer.param_groups:
                    group["lr"] = _rate((epoch * steps + step) / (epochs * steps))
                cut = (views.batch(index) * 255).round().byte().permute(0, 2, 3, 1).numpy()
                loss = F.cross_entropy(model(as_input(torch.from_numpy(pixels(cut, form)))), labels[index])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                bar.advance(task)
            accuracy = classifier_trainer.accuracy(model, held_out, data.y_train[count:])
            if accuracy > best["accuracy"]:
                best = {"accuracy": accuracy, "epoch": epoch + 1, "model": _copy(model)}
            state = {"seed": seed, "epochs": epochs, "done": epoch + 1, "best": best}
            save_tensors(file, {**state, "model": model.state_dict(), "optimizer": optimizer.state_dict()})
            console.print(
                f"{form.title}: epoch {epoch + 1}/{epochs}  loss {loss.item():.3f}  held-out {100 * accuracy:.2f} %",
                highlight=False,
            )
    model.load_state_dict(best["model"])
    return model.eval(), best


def _rate(progress: float) -> float:
    """Return the learning rate: linear warm-up, then half a cosine down to zero."""
    if progress < WARM_UP:
        return PEAK_RATE * progress / WARM_UP
    return PEAK_RATE * 0.5 * (1 + math.cos(math.pi * (progress - WARM_UP) / (1 - WARM_UP)))


def _copy(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}
