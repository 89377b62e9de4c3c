"""The base class of every error that users see."""


class InklingError(Exception):
    """An error that the user can act on. The message is one line: what is wrong, with which value, and what to do."""
