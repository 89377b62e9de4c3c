"""Soak of a deployment: 20 nodes, 3 gateways, two decoders and the page; broker and decoders are killed at random.

Killed with SIGKILL, and started again some seconds later, for two thirds of the time; the last third is without kills
and compares memory. In the end, the store must have every image that any gateway received undamaged, once.
"""

import argparse

from rich.console import Console

from benchmarks import command
from benchmarks.serve_demo.cli import BUILD_DIR
from benchmarks.serve_demo.deployment import DeploymentSettings
from benchmarks.serve_soak.measure import Faults, Soak

FIGURES = "soak.json"
SNR_DB, EVERY_S = -9.0, 20.0  # mean SNR of the nodes, seconds between images of a node: as in make serve-demo
FAULTS = Faults(every_s=(20.0, 60.0), gone_s=(0.0, 20.0))


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line, run the soak, and write the figures. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serve_soak", description=__doc__)
    command.add_bundle(parser)
    command.add_count(parser, "--seconds", 3600, "seconds that nodes send images")
    command.add_count(parser, "--nodes", 20, "nodes, in two sites")
    command.add_seed(parser)
    command.add_path(parser, "--folder", "build/serve-soak", "folder for stores, states and logs")
    command.add_path(parser, "--out", command.RESULTS / FIGURES, "file for the figures")
    args = parser.parse_args(arguments)

    def run() -> None:
        console = Console()
        settings = DeploymentSettings(
            args.bundle, args.nodes, args.seed, SNR_DB, EVERY_S, "127.0.0.1:0", args.folder, BUILD_DIR
        )
        figures = Soak(settings, args.seconds, FAULTS, console.print).run()
        command_line = (
            f"python -m benchmarks.serve_soak --seconds {args.seconds} --nodes {args.nodes} --seed {args.seed}"
        )
        command.write_json(args.out, {**figures, "command": command_line})
        print(f"written: {args.out}")

    return command.execute("serve_soak", run)
