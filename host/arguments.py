"""Numbers on the command line: argparse turns what is raised here into one line."""

from argparse import ArgumentTypeError

MOST_SECONDS = 86400.0


def at_least_one(text: str) -> int:
    """A whole number from 1 up."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"a whole number from 1 up is needed, not {text!r}")
    return int(text)


def seconds(text: str) -> float:
    """A time in seconds: more than none, and no more than a day."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= MOST_SECONDS:
        raise ArgumentTypeError(f"a time of up to {MOST_SECONDS:.0f} seconds is needed, not {text!r}")
    return value
