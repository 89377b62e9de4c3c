"""Error of the export."""

from wire.errors import InklingError


class ExportError(InklingError):
    """A step of the export failed, or a proof did not hold."""
