"""The one exception that the command line shows as a single line, without a traceback."""

from wire.errors import InklingError


class TrainError(InklingError):
    """A mistake the user can mend: a bad config, a missing data set, a run that does not fit."""
