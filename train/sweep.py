"""`inkling sweep`: train a config with several values of its settings, and rank them by their held-out images.

Optuna keeps the trials in a journal file, proposes the next one, and stops those that fall behind.
"""

import argparse
import copy
import itertools
import json
import math
import re
import shlex
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from train.errors import TrainError

if TYPE_CHECKING:  # optuna and torch take seconds to import, which --help and a mistyped setting need not wait for
    import optuna

    Grid = dict[str, list[str]]  # setting -> values as TOML

JOURNAL, SWEPT = "journal.log", "swept"
# A trial is stopped if it is behind the median of at least so many others at the same epoch, after a warm-up.
STARTUP_TRIALS, WARMUP_SHARE = 3, 0.2


def parser(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.usage = (
        "%(prog)s [classifier] CONFIG --set NAME=VALUE,VALUE [--set NAME=VALUE] [--trials N] [--out DIR] [--strict] "
        "[--threads N] [--device DEVICE]"
    )
    parser.description = (
        "Trains a config once for each combination of values, and ranks the runs by their accuracy on held-out images. "
        "Runs that fall behind are stopped early. An interrupted sweep is resumed by the same command."
    )
    parser.epilog = """examples:
  inkling sweep configs/cifar10-hour.toml --set quantizer.bits=2,3,4
  inkling sweep configs/cifar10.toml --set schedule.lr=1e-3,3e-3,1e-2 --set schedule.ema=0.99,0.998 --trials 4
  inkling sweep classifier configs/classifiers/cifar10-resnet20.toml --set schedule.lr=3e-3,6e-3"""
    add = parser.add_argument
    add("words", nargs="+", metavar="CONFIG", help="TOML file, as for inkling train")
    add(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUES",
        help="values of a setting, between commas; a single value holds for all runs (can be repeated)",
    )
    add("--trials", type=int, metavar="N", help="try so many combinations, which Optuna chooses (default: all)")
    add("--out", type=Path, metavar="DIR", help="folder of journal and runs (default: runs/NAME-sweep)")
    add("--strict", action="store_true", help="stop at an image that cannot be read (default: leave it out)")
    add("--threads", type=int, default=0, metavar="N", help="CPU threads (default: all cores)")
    add("--device", help="cpu, cuda, cuda:1 (default: cuda where available, else cpu)")


def run(options: argparse.Namespace) -> int:
    """Train all trials and print their ranking. Return the exit status. Raises InklingError."""
    grid, fixed = values_of(options.set)
    if not grid:
        raise TrainError("no setting has several values: give --set NAME=VALUE,VALUE, or use inkling train")
    if options.trials is not None and options.trials < 1:
        raise TrainError(f"--trials {options.trials}: must be at least 1")
    count = math.prod(map(len, grid.values()))
    sweep = Sweep(options, grid, fixed, min(options.trials or count, count))
    sweep.run()
    return 0


def values_of(assignments: list[str]) -> "tuple[Grid, list[str]]":
    """Return the settings with several values, as TOML, and the assignments of a single one.

    Raises TrainError if values are no TOML.
    """
    grid: Grid = {}
    fixed = []
    for text in assignments:
        name, _, raw = text.partition("=")
        try:
            values = tomllib.loads(f"values = [{raw}]")["values"]
        except (ValueError, RecursionError):
            raise TrainError(f"--set {text}: expected NAME=VALUE,VALUE in TOML's syntax; a text needs quotes") from None
        if len(values) > 1:
            grid[name.strip()] = list(dict.fromkeys(map(_toml, values)))
        else:
            fixed.append(text)
    return grid, fixed


def _toml(value: Any) -> str:  # noqa: ANN401 - any TOML value
    """Return a value as TOML. JSON is the same for texts, numbers, truth values and lists of them."""
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        raise TrainError(f"{value} cannot be swept: only texts, numbers, true, false and lists") from None


class Sweep:
    """A sweep in its folder: a journal, and a run for each trial."""

    def __init__(self, options: argparse.Namespace, grid: "Grid", fixed: list[str], trials: int) -> None:
        """Check the settings of all combinations, before anything is loaded. Raises InklingError."""
        from train.cli import load

        self._options, self._grid, self._fixed, self._trials = options, grid, fixed, trials
        self._combinations = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
        for values in self._combinations:
            checked = copy.copy(options)
            checked.set = self._settings(values)
            _, config = load(checked)
        self._folder = options.out or Path("runs") / f"{config.name}-sweep"
        self._failed: list[dict[str, Any]] = []

    def run(self) -> None:
        """Train what has not ended yet, and print the ranking. Raises TrainError if no trial ends."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        study = self._study()
        for left in study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.RUNNING]):
            study.tell(left.number, state=optuna.trial.TrialState.FAIL)  # of a process that was interrupted
        while len(self._ended(study)) + len(self._failed) < self._trials and (trial := self._ask(study)):
            self._train(study, trial)
        self._report(study)

    def _study(self) -> "optuna.Study":
        import optuna
        from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

        self._folder.mkdir(parents=True, exist_ok=True)
        file = str(self._folder / JOURNAL)
        storage = optuna.storages.JournalStorage(JournalFileBackend(file, lock_obj=JournalFileOpenLock(file)))
        study = optuna.create_study(
            storage=storage,
            study_name="inkling",
            direction="maximize",
            load_if_exists=True,
            sampler=optuna.samplers.TPESampler(seed=0, n_startup_trials=STARTUP_TRIALS),
            pruner=optuna.pruners.MedianPruner(STARTUP_TRIALS, interval_steps=1),
        )
        swept = [f"{name}={','.join(values)}" for name, values in self._grid.items()]
        assignments = [word for text in [*swept, *self._fixed] for word in ("--set", text)]
        command = shlex.join([*self._options.words, *assignments])
        before = study.user_attrs.get(SWEPT, command)
        if before != command:
            raise TrainError(f"{self._folder} holds another sweep ({before}): give --out another folder")
        study.set_user_attr(SWEPT, command)
        return study

    def _ended(self, study: "optuna.Study") -> "list[optuna.trial.FrozenTrial]":
        """Return the trials that ended, in time or early."""
        import optuna

        states = [optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED]
        return study.get_trials(deepcopy=False, states=states)

    def _ask(self, study: "optuna.Study") -> "optuna.Trial | None":
        """Return the next trial: of a whole grid in its order, else as Optuna proposes among those that are left."""
        import optuna

        ended = [trial.params for trial in self._ended(study)]
        left = [values for values in self._combinations if values not in ended and values not in self._failed]
        if not left:
            return None
        space: dict[str, optuna.distributions.BaseDistribution] = {
            key: optuna.distributions.CategoricalDistribution(values) for key, values in self._grid.items()
        }
        if self._trials < len(self._combinations):
            proposed = study.ask(space)
            if proposed.params in left:
                return proposed
            study.tell(proposed, state=optuna.trial.TrialState.FAIL)
        study.enqueue_trial(left[0])
        return study.ask(space)

    def _train(self, study: "optuna.Study", trial: "optuna.Trial") -> None:
        """Train one trial to its end, or until it falls behind, and tell the journal."""
        import optuna

        from train.cli import create

        options = self._options_of(trial.params)
        print(f"trial {trial.number}: {' '.join(options.set)}")
        trainer, _, _ = create(options)
        warmup = round(WARMUP_SHARE * trainer.total_epochs)

        def after_epoch(epoch: int, score: float) -> None:
            trial.report(score, epoch)
            if epoch > warmup and epoch < trainer.total_epochs and trial.should_prune():
                raise optuna.TrialPruned

        trainer.after_epoch = after_epoch
        try:
            trainer.resume()
            trainer.train()
        except optuna.TrialPruned:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            print("stopped early: behind the median of the other trials at this epoch")
        except TrainError as error:  # as a loss that is not finite
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            self._failed.append(trial.params)
            print(f"failed: {error}")
        else:
            study.tell(trial, trainer.state.best_score)

    def _settings(self, values: dict[str, Any]) -> list[str]:
        return [*self._fixed, *(f"{name}={value}" for name, value in values.items())]

    def _options_of(self, values: dict[str, Any]) -> argparse.Namespace:
        """Return the options of a trial's run. Its folder is named by the values, so that it is found again."""
        options = copy.copy(self._options)
        options.set = self._settings(values)
        options.out = self._folder / re.sub(r"[^\w.=,-]+", "_", ",".join(f"{key}={values[key]}" for key in values))
        return options

    def _report(self, study: "optuna.Study") -> None:
        """Print the trials, the best one first. Raises TrainError if none was trained to its end."""
        from rich.console import Console
        from rich.table import Table

        ended = sorted(self._ended(study), key=lambda one: (one.state.name, -(one.value or 0.0)))
        if not ended or ended[0].state.name != "COMPLETE":
            raise TrainError("no trial was trained to its end")
        table = Table("trial", *self._grid, "held-out score", "epochs", "ended")
        for trial in ended:
            values = [trial.params[name] for name in self._grid]
            end = "early" if trial.state.name == "PRUNED" else "in time"
            table.add_row(str(trial.number), *values, f"{trial.value:.4f}", str(trial.last_step or ""), end)
        Console().print(table)
        best = self._options_of(ended[0].params)
        command = ["inkling", "evaluate", str(best.out)]
        print(f"best: {' '.join(best.set)}; next: {shlex.join(command)}")
