"""What several commands are told alike: channels, the seed, bundles."""

import argparse
from collections.abc import Sequence

from channel_sim.channels.channel import Channel, Compose
from channel_sim.channels.parse import parse
from wire.bundle import Bundle, load


def add_channel(parser: argparse.ArgumentParser) -> None:
    """The options that make a channel."""
    add = parser.add_argument
    add("--channel", action="append", default=[], metavar="SPEC", help="a channel, see below; may be repeated")
    add("--bundle", action="append", default=[], metavar="DIR", help="of a board's model; may be repeated. Tells "
        "where frames are: for the counts of frames, and for channels that need whole ones")  # fmt: skip
    add("--seed", type=int, default=0, metavar="N", help="seed of the damage (default 0)")


def compose(specs: Sequence[str]) -> Channel:
    """The channels that the texts name, one after the other; none is a line that does nothing. ValueError."""
    return Compose(*(parse(spec) for spec in specs))


def load_bundles(paths: Sequence[str]) -> list[Bundle]:
    """The bundles in these folders, each once. BundleError."""
    return [load(path) for path in dict.fromkeys(paths)]
