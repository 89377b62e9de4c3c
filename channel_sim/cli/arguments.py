"""Channels and bundles from the command line."""

from collections.abc import Sequence

from channel_sim.channels.channel import Channel, Compose
from channel_sim.channels.parse import parse
from wire.bundle import Bundle, load


def compose(specs: Sequence[str]) -> Channel:
    """Return these channels in series; without any, a channel that changes nothing. Raises ChannelError."""
    return Compose(*(parse(spec) for spec in specs))


def load_bundles(paths: Sequence[str]) -> list[Bundle]:
    """Load the bundles in these folders, each once. Raises BundleError."""
    return [load(path) for path in dict.fromkeys(paths)]
