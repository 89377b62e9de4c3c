"""The topics of docs/mqtt.md, and how sites are spread over partitions."""

import zlib

from host.errors import HostError
from wire.checks import shown

SLOTS = 256  # of the sites: a partition is the set of slots with one remainder
MAX_NAME = 64  # characters of the name of a site or gateway
ROOT = "inkling"


def check_name(name: str, what: str) -> str:
    """Return the name of a site or gateway if a topic can hold it. Raises HostError.

    what: names it in the message.
    """
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable() or set(name) & set("/+#") or name.startswith("$"):
        raise HostError(
            f"{what} {shown(name)} is no name: use 1 to {MAX_NAME} printable characters without /, + and #, the first "
            "of them no $"
        )
    return name


def slot(site: str) -> int:
    """Return the slot of a site, the same everywhere."""
    return zlib.crc32(site.encode()) % SLOTS


def packets(site: str, gateway: str) -> str:
    """Return the topic of a gateway's packets."""
    return f"{ROOT}/packets/{slot(site):03d}/{site}/{gateway}"


def packet_filters(remainder: int = 0, partitions: int = 1) -> list[str]:
    """Return the filters that match the packets of all sites whose slot modulo `partitions` is `remainder`.

    Raises HostError if there is no such partition.
    """
    if not 0 <= remainder < partitions <= SLOTS:
        raise HostError(
            f"there is no partition {remainder}/{partitions}: they are numbered from 0, such as 0/4 to 3/4, and there "
            f"are at most {SLOTS}"
        )
    if partitions == 1:
        return [f"{ROOT}/packets/+/+/+"]
    return [f"{ROOT}/packets/{number:03d}/+/+" for number in range(remainder, SLOTS, partitions)]


def gateway_counts(site: str, gateway: str) -> str:
    """Return the topic of what a gateway counts, retained."""
    return f"{ROOT}/gateways/{site}/{gateway}"


def readings(site: str, device: int) -> str:
    """Return the topic of a device's readings."""
    return f"{ROOT}/readings/{site}/{device}"


def readings_filter(site: str) -> str:
    """Return the filter that matches the readings of a site."""
    return f"{ROOT}/readings/{site}/+"


def statuses_filter(site: str) -> str:
    """Return the filter that matches the status frames of a site's devices and gateways."""
    return f"{ROOT}/status/{site}/+"


def statuses(site: str, device: int, is_gateway: bool) -> str:
    """Return the topic of the status frames of a device or gateway."""
    return f"{ROOT}/status/{site}/{'gateway-' if is_gateway else ''}{device}"


def events(site: str) -> str:
    """Return the topic of a site's events."""
    return f"{ROOT}/events/{site}"


def state(site: str, device: int) -> str:
    """Return the topic of the last state of a device, retained."""
    return f"{ROOT}/state/{site}/{device}"


def online(client: str) -> str:
    """Return the topic that says whether a client is connected, retained: `online` or `offline`."""
    return f"{ROOT}/online/{client}"
