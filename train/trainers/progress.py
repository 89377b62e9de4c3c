"""Progress of a training: a bar with the remaining time on a terminal, one line per epoch in a log file."""

import sys
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar


def percentages(accuracies: dict[str, float]) -> str:
    """Return accuracies by name as text, times 100."""
    return "  ".join(f"{name}: {100 * value:.2f}" for name, value in accuracies.items())


class Progress:
    """Progress display of a training, as a context manager."""

    def __init__(self, epochs: int, steps: int, done: int, measure: str = "%") -> None:
        # A log file gets whole lines, however long; a terminal wraps at its own width.
        self.console = Console() if sys.stdout.isatty() else Console(width=160)
        self.epochs, self.measure = epochs, measure
        self.bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=False),
            console=self.console,
            speed_estimate_period=300,
            disable=not sys.stdout.isatty(),
        )
        self.task = self.bar.add_task("training", total=epochs * steps, completed=done * steps)

    def __enter__(self) -> "Progress":
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()

    def step(self, loss: float) -> None:
        """Count one optimizer step."""
        self.bar.update(self.task, advance=1, description=f"loss {loss:.3f}")

    def epoch_done(self, epoch: int, loss: float, held_out: dict[str, float], phase: str, n_held: int) -> None:
        """Print the epoch's loss and its accuracies times 100, on `n_held` held-out images."""
        line = f"epoch {epoch:3d}/{self.epochs} {phase:5} loss {loss:.3f}"
        held = f"held-out {self.measure} by BER, {n_held:,} images  {percentages(held_out)}"
        self.console.print(f"{line}  {held}", highlight=False)
