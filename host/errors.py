"""Errors of the host."""

from wire.errors import InklingError


class HostError(InklingError):
    """An error that the user can fix. The message is one line: what is wrong and how to fix it."""


class PortError(HostError):
    """A port is missing, busy or was disconnected."""
