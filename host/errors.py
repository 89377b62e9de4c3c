"""What goes wrong on the host, as one clear line."""

from wire.errors import InklingError


class HostError(InklingError):
    """A fault that the user can mend; the message is one line that says which and how."""


class PortError(HostError):
    """A port that is missing, busy or has gone."""
