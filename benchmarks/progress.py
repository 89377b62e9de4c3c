"""The progress bar of the benchmarks."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


def progress_bar(console: Console, lasting: bool = False) -> Progress:
    """Return a progress bar that only a terminal shows and that disappears when it is done.

    lasting: the bar stays, and a console that is no terminal prints its last state.
    """
    description = TextColumn("{task.description}" if lasting else "{task.description:<48}")
    columns = (description, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=not lasting, disable=not (lasting or console.is_terminal))
