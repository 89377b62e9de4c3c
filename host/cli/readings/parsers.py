"""Arguments of `inkling readings`. Nothing slow is imported here, so that `--help` is fast."""

import re
import time
from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime
from pathlib import Path

from host.cli.arguments import at_least_one
from host.cli.keys.parsers import device_number

SHOWN = 50  # readings in the table
UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_AGO = re.compile(r"(\d{1,9})([smhdw])")


def readings(parser: ArgumentParser) -> None:
    """Add the arguments of `inkling readings`."""
    parser.description = (
        "Lists stored readings as a table, the newest last, or writes them as CSV, JSON lines or InfluxDB's line "
        "protocol, the oldest first. Labelled readings can be exported as a data set."
    )
    parser.epilog = """examples:
  inkling readings --since 1d --device 7
  inkling readings --since 2026-11-30 --until 2026-12-01T12:00 --csv > readings.csv
  inkling readings --class fox --since 12h --influx
  inkling readings --export foxes --bundle general64"""
    add = parser.add_argument
    add(
        "--store",
        type=Path,
        metavar="FILE",
        help="store (default: inkling/readings.sqlite3 in ~/.local/state, or on Windows in %%LOCALAPPDATA%%)",
    )
    times = "local time such as 2026-11-30 or 2026-11-30T12:00, or how long ago, such as 30m, 12h, 1d, 2w"
    add("--since", type=moment, metavar="TIME", help=f"readings from then on: {times}")
    add("--until", type=moment, metavar="TIME", help="readings before then, given likewise")
    add("--site", metavar="NAME", help="readings of this site")
    add("--device", type=device_number, metavar="N", help="readings of this device")
    add("--class", dest="label", metavar="NAME", help="readings of this class, of the bundle or of a task")
    add("--limit", type=at_least_one, metavar="N", help=f"only the newest N readings (default: {SHOWN} in the table)")
    formats = parser.add_mutually_exclusive_group()
    formats.add_argument("--csv", action="store_true", help="write CSV, with times in UTC")
    formats.add_argument("--json", action="store_true", help="write JSON lines, with the symbols")
    formats.add_argument("--influx", action="store_true", help="write InfluxDB's line protocol, with times in ns")
    formats.add_argument(
        "--export",
        type=Path,
        metavar="DIR",
        help="write readings that have a label as a data set: readings.jsonl and labels.csv for inkling teach, "
        "and symbols.npz",
    )
    add("--bundle", metavar="NAME", help="of --export: name or model id, if there are labels of several bundles")


def moment(text: str) -> float:
    """Parse a time, and return the Unix time in seconds. Without an offset from UTC, it is local."""
    if ago := _AGO.fullmatch(text):
        return max(0.0, time.time() - int(ago[1]) * UNITS_S[ago[2]])
    try:
        seconds = datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        seconds = -1.0
    if seconds < 0:
        raise ArgumentTypeError(f"must be a time such as 2026-11-30, 2026-11-30T12:00 or 1d, got {text!r}")
    return seconds
