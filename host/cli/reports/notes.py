"""Notes on standard error, of which a flood is summed up."""

import time

from host.cli.output import Output

# Notes of one kind that are printed at once, and the time after which another one is.
NOTES, NOTE_EVERY_S = 3, 60.0


class Notes:
    """Notes of one kind: the first few, and then one at intervals, with the number of those left out."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._allowed, self._time = float(NOTES), time.monotonic()
        self._left_out, self._newest = 0, ""

    def add(self, text: str) -> bool:
        """Print a note, or count it if there were too many. Return True if it was printed."""
        now = time.monotonic()
        self._allowed = min(NOTES, self._allowed + (now - self._time) / NOTE_EVERY_S)
        self._time, self._newest = now, text
        if self._allowed < 1:
            self._left_out += 1
            return False
        self._allowed -= 1
        self._print(text)
        return True

    def flush(self) -> None:
        """Print the number of notes left out since the last one, if there are any."""
        if self._left_out:
            self._left_out -= 1  # the newest is printed
            self._print(self._newest)

    def _print(self, text: str) -> None:
        self._output.note(text + (f" ({self._left_out} similar notes left out)" if self._left_out else ""))
        self._left_out = 0
