"""The one exception that the command line shows as a single line."""

from wire.errors import InklingError


class ExportError(InklingError):
    """A step of the export cannot be done, or a proof failed."""
