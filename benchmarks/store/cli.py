"""The store at its size: time of every query with cold caches, rates of writing and deleting, bytes per reading.

The first hundredth of the readings is written as `inkling serve` writes them; the others are copies of these rows,
shifted in time. Takes about an hour and 6 GB of disk for 10,000,000 readings.
"""

import argparse
import shutil

from rich.console import Console

from benchmarks import command

FIGURES = "store.json"


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line, measure, and write the figures. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.store", description=__doc__)
    command.add_count(parser, "--readings", 10_000_000, "readings in the store, at least 10,000")
    command.add_count(parser, "--repeats", 5, "repetitions of each query")
    command.add_seed(parser)
    command.add_path(parser, "--folder", "build/store", "folder for the store")
    command.add_path(parser, "--out", command.RESULTS / FIGURES, "file for the figures")
    parser.add_argument("--keep", action="store_true", help="keep the store, and use one that was kept")
    args = parser.parse_args(arguments)

    def run() -> None:
        from benchmarks.store.measure import measure

        figures = measure(args.folder, max(args.readings, 10_000), args.repeats, args.seed, args.keep, Console())
        command.write_json(args.out, figures)
        if not args.keep:
            shutil.rmtree(args.folder)
        print(f"written: {args.out}")

    return command.execute("store", run)
