"""Settings of the page."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from host.errors import HostError

MIN_TOKEN = 16  # characters; `secrets.token_urlsafe(24)` makes 32


@dataclass(frozen=True)
class DeviceName:
    """The name that people gave a device, and where it is."""

    name: str
    area: str | None = None


@dataclass(frozen=True)
class PageSettings:
    """Settings of the page and of its API.

    names: of devices, by site and device number. hosts: names by which the page may be opened besides localhost and
    addresses; others are refused, so that no stranger's page reaches this one under a name of its own (DNS rebinding).
    token: what a client has to know; None if only this machine reaches the page. Raises HostError for a short token.
    """

    title: str = "Inkling"
    version: str = ""
    names: Mapping[tuple[str, int], DeviceName] = field(default_factory=dict)
    hosts: frozenset[str] = frozenset()
    token: str | None = None

    def __post_init__(self) -> None:
        if self.token is not None and (len(self.token) < MIN_TOKEN or not self.token.isascii()):
            raise HostError(
                f"the token has to have at least {MIN_TOKEN} ASCII characters: guessing it must be hopeless"
            )
