"""Packets per second that `inkling decode` takes from a broker: 1, 2 and 4 processes, 1 and 3 gateways.

The packets wait at a real mosquitto while the decoders are stopped. Rates need an idle machine; processor time is
measured beside them.
"""

import argparse
import datetime
import os

from rich.console import Console

from benchmarks import command

FIGURES = "decode_rate.json"
PROCESSES, GATEWAYS = (1, 2, 4), (1, 3)


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line, measure, and write the figures. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.decode_rate", description=__doc__)
    command.add_bundle(parser)
    command.add_count(parser, "--packets", 20_000, "packets of each measurement")
    command.add_path(parser, "--folder", "build/decode-rate", "folder for states and logs")
    command.add_path(parser, "--out", command.RESULTS / FIGURES, "file for the figures")
    args = parser.parse_args(arguments)

    def run() -> None:
        from benchmarks.decode_rate.measure import measure
        from wire.bundle import load

        console, bundle = Console(), load(args.bundle)
        rows = []
        for gateways in GATEWAYS:
            for processes in PROCESSES:
                rows.append(measure(bundle, processes, gateways, args.packets, args.folder))
                console.print(rows[-1])
        figures = {
            "rows": rows,
            "model_id": bundle.model_id,
            "cpus": os.cpu_count(),
            "command": f"python -m benchmarks.decode_rate --packets {args.packets}",
            "date": datetime.date.today().isoformat(),
        }
        command.write_json(args.out, figures)
        print(f"written: {args.out}")

    return command.execute("decode_rate", run)
