"""Base class of the errors that users see."""


class InklingError(Exception):
    """An error that the user can act on. The message is one line: what is wrong, with which value, and what to do."""
