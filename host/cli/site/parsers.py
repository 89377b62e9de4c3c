"""Arguments of the commands of a site's host. Nothing slow is imported here, so that `--help` is fast."""

import re
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path

from host.cli.arguments import DEMANDS, add_keys, add_line
from host.cli.mqtt.parsers import add_broker


def serve(parser: ArgumentParser) -> None:
    """Add the arguments of `inkling serve`."""
    parser.description = (
        "Receives and classifies what boards and gateways send, remembers it, shows it on a page, and publishes it "
        "over MQTT if there is a broker. Ends with Ctrl-C; nothing that was received is lost."
    )
    parser.epilog = """examples:
  inkling serve --port /dev/ttyUSB0 --bundle bundles/cifar10
  inkling serve --port /dev/ttyUSB0 --port /dev/ttyUSB1 --bundle bundles/cifar10 --mqtt mqtt://localhost
  inkling serve --config inkling.toml --check"""
    add = parser.add_argument
    add(
        "--config",
        type=Path,
        metavar="FILE",
        help="settings of all sites (default: inkling.toml here, unless --port is given; docs/serve.md lists them)",
    )
    site = parser.add_argument_group("a single site without a file")
    add = site.add_argument
    add(
        "--port",
        action="append",
        default=[],
        metavar="URL",
        help="port of a board or gateway: /dev/ttyUSB0, COM3, socket://HOST:PORT, ...; repeatable",
    )
    add_line(parser)
    add("--bundle", type=Path, action="append", default=[], metavar="DIR", help="bundle of a model; repeatable")
    add("--task", action="append", default=[], metavar="NAME", help="task of a general bundle; repeatable")
    add("--site", default="home", metavar="NAME", help="name of the site (default %(default)s)")
    add_keys(parser)
    add("--require-auth", choices=DEMANDS, help="refuse frames of which less is authentic, of all devices")
    add("--mqtt", metavar="URL", help="broker to publish to: mqtt://[USER@]HOST[:PORT], or mqtts:// with TLS")
    add(
        "--password-file",
        type=Path,
        metavar="FILE",
        help="file with the broker's password (default: environment variable INKLING_MQTT_PASSWORD)",
    )
    add = parser.add_argument
    add("--listen", metavar="HOST:PORT", help="address of the page (default 127.0.0.1:8080)")
    add(
        "--token-file",
        type=Path,
        metavar="FILE",
        help="file with the token that the page asks for; made if it is missing. Needed unless HOST is this machine",
    )
    add(
        "--store",
        type=Path,
        metavar="FILE",
        help="file of the readings (default: inkling/readings.sqlite3 in ~/.local/state)",
    )
    add("--log-json", action="store_true", help="write the log as JSON lines")
    add("--check", action="store_true", help="try settings, ports and broker, report, and end")


def decode(parser: ArgumentParser) -> None:
    """Add the arguments of `inkling decode`."""
    parser.description = (
        "Decodes what gateways of many sites publish to a broker, and publishes readings, statuses and events there. "
        "The sites are spread over partitions, one process each. A process that is killed loses nothing: the next one "
        "with its states goes on, and a second one waits to take over. Ends with Ctrl-C."
    )
    parser.epilog = """examples:
  inkling decode --mqtt mqtt://localhost --partition 0/2 --bundle bundles/cifar10 --state /var/lib/inkling/decode"""
    add = parser.add_argument
    add_broker(parser)
    add(
        "--partition",
        type=partition,
        default=(0, 1),
        metavar="K/N",
        help="the K-th of N partitions, from 0 (default 0/1: all sites)",
    )
    add("--bundle", type=Path, action="append", required=True, metavar="DIR", help="bundle of a model; repeatable")
    add("--task", action="append", default=[], metavar="NAME", help="task of a general bundle; repeatable")
    add("--state", type=Path, required=True, metavar="DIR", help="folder of what is remembered of each site")
    add("--keys-folder", type=Path, metavar="DIR", help="folder of key files, SITE.json (default: plain devices only)")
    add("--no-home-assistant", action="store_true", help="announce no devices to Home Assistant")
    add("--log-json", action="store_true", help="write the log as JSON lines")


def partition(text: str) -> tuple[int, int]:
    """Parse K/N."""
    match = re.fullmatch(r"(\d{1,3})/(\d{1,3})", text)
    if not match or not int(match[1]) < int(match[2]) <= 256:
        raise ArgumentTypeError(f"must be K/N with K from 0 to N - 1 and N at most 256, got {text!r}")
    return int(match[1]), int(match[2])
