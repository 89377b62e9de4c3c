"""A classifier for compressed pictures, so that JPEG and WebP meet the codec at their best.

A ResNet-20 trained on clean pictures fails on such coarse ones. It is fine-tuned here on training images that were
cropped, flipped and then compressed in the same way; the epoch is chosen on training images held out, and the test
images are classified once. Interrupted, the same command goes on after the last whole epoch.
"""

import argparse
import datetime
import json
import math
import sys
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch.nn import functional as F

from benchmarks.goodput.compressed import FORMATS, Format, pixels, sizes
from train.classifiers import teacher
from train.config import DataConfig, TeacherConfig
from train.data.augment import Views, as_input
from train.data.datasets import Dataset, load
from train.errors import TrainError
from train.trainers import classifier as classifier_run
from train.trainers.run_files import read, write

DATA = DataConfig("cifar10")
START = TeacherConfig("models/resnet_cifar10_akamaster/resnet20-12fca82f.th", depth=20)
BATCH = 128
PEAK_RATE, MOMENTUM, DECAY = 0.05, 0.9, 5e-4
WARM_UP = 0.15  # of all steps


def main() -> int:
    """Parse the command line; train and judge a classifier for each format."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.goodput.compressed_classifier", description=__doc__)
    names = [form.name for form in FORMATS]
    parser.add_argument("--formats", nargs="+", choices=names, default=names, help="default: all")
    parser.add_argument("--epochs", type=int, default=6, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="default: %(default)s")
    parser.add_argument("--out", type=Path, default=Path("build/bench/compressed"), help="default: %(default)s")
    args = parser.parse_args()
    if min(args.epochs, args.threads) < 1 or args.seed < 0:
        parser.error("--epochs and --threads must be at least 1, --seed at least 0")
    torch.set_num_threads(args.threads)
    console = Console() if sys.stdout.isatty() else Console(width=160)
    try:
        data = load(DATA.name, say=console.print)
        args.out.mkdir(parents=True, exist_ok=True)
        for form in (form for form in FORMATS if form.name in args.formats):
            _judge(form, data, args.epochs, args.seed, args.out, console)
    except (TrainError, OSError) as error:
        print(f"compressed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ncompressed: interrupted; the same command goes on", file=sys.stderr)
        return 130
    return 0


def _judge(form: Format, data: Dataset, epochs: int, seed: int, out: Path, console: Console) -> None:
    """Train, then classify the test images, and write what came of each: NAME.npz and NAME.json."""
    model, best = _fine_tune(form, data, epochs, seed, out / f"{form.name}.pt", console)
    with _bar(console) as bar:
        task = bar.add_task(f"{form.title}: test images", total=len(data.x_test))
        whole, bare = sizes(data.x_test, form, lambda: bar.advance(task))
    right = classifier_run.right(model, pixels(data.x_test, form), data.y_test)
    report = {
        "title": form.title,
        "options": form.options,
        "accuracy": float(right.mean()),
        "bytes_mean": float(whole.mean()),
        "bare_bytes_mean": float(bare.mean()),
        "classifier": f"ResNet-{START.depth}",
        "held_out": DATA.holdout,
        "held_out_accuracy": best["accuracy"],
        "epoch_chosen": best["epoch"],
        "epochs": epochs,
        "seed": seed,
        "date": datetime.date.today().isoformat(),
        "command": "python -m benchmarks.goodput.compressed_classifier "
        f"--formats {form.name} --epochs {epochs} --seed {seed}",
    }
    np.savez(out / f"{form.name}.npz", bytes=whole, bare_bytes=bare, right=right)
    (out / f"{form.name}.json").write_text(json.dumps(report, indent=1) + "\n")
    console.print(
        f"{form.title}: {whole.mean():.1f} bytes, {bare.mean():.1f} bare, test accuracy {100 * right.mean():.2f} %",
        highlight=False,
    )


def _fine_tune(
    form: Format, data: Dataset, epochs: int, seed: int, file: Path, console: Console
) -> tuple[teacher.CifarResNet, dict]:
    """The classifier of the best epoch, in evaluation mode, and which epoch that was."""
    count = len(data.x_train) - DATA.holdout
    held_out, labels = pixels(data.x_train[count:], form), torch.from_numpy(data.y_train)
    model = teacher.load(START, len(data.classes)).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), PEAK_RATE, MOMENTUM, weight_decay=DECAY, nesterov=True)
    views = Views(data.x_train[:count], DATA, seed)
    done, best, steps = 0, {"accuracy": 0.0, "epoch": 0, "model": model.state_dict()}, math.ceil(count / BATCH)
    if file.is_file():
        saved = read(file)
        if (saved["seed"], saved["epochs"]) != (seed, epochs):
            raise TrainError(f"{file} is of another seed or number of epochs: remove it to train again")
        done, best = saved["done"], saved["best"]
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
    with _bar(console) as bar:
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
            accuracy = classifier_run.accuracy(model, held_out, data.y_train[count:])
            if accuracy > best["accuracy"]:
                best = {"accuracy": accuracy, "epoch": epoch + 1, "model": _copy(model)}
            write(file, {"seed": seed, "epochs": epochs, "done": epoch + 1, "best": best,
                         "model": model.state_dict(), "optimizer": optimizer.state_dict()})  # fmt: skip
            console.print(
                f"{form.title}: epoch {epoch + 1}/{epochs}  loss {loss.item():.3f}  held-out {100 * accuracy:.2f} %",
                highlight=False,
            )
    model.load_state_dict(best["model"])
    return model.eval(), best


def _rate(progress: float) -> float:
    """Linear warm-up, then half a cosine down to nothing."""
    if progress < WARM_UP:
        return PEAK_RATE * progress / WARM_UP
    return PEAK_RATE * 0.5 * (1 + math.cos(math.pi * (progress - WARM_UP) / (1 - WARM_UP)))


def _copy(model: teacher.CifarResNet) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def _bar(console: Console) -> Progress:
    columns = (TextColumn("{task.description:<34}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


if __name__ == "__main__":
    sys.exit(main())
