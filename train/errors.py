"""Error of the training, which the command line shows as one line without a traceback."""

import difflib
from collections.abc import Iterable

from wire.errors import InklingError


class TrainError(InklingError):
    """An error that the user can fix: an invalid config, a missing data set, a run that does not fit."""


def unknown_name(message: str, name: str, known: Iterable[str]) -> TrainError:
    """Return the error for a name that is not known, with the nearest known name and the list of all."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return TrainError(f"{message} {name!r}{hint}; known: {', '.join(names) or 'none'}")
