"""The one exception that the command line shows as a single line."""


class ExportError(Exception):
    """A step of the export cannot be done, or a proof failed."""
