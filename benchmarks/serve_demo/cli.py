"""A deployment without hardware: 20 nodes in two sites, 3 gateways, a broker, 2 decoders, and the page.

The nodes are the real firmware as Linux processes. Their packets cross a simulated LoRa air, which damages them for
each gateway on its own. The gateways publish to a real mosquitto; `inkling decode` decodes, `inkling serve` remembers
and shows. Images are those of the bundle, drawn at random. Ends with Ctrl-C, or after --seconds.
"""

import argparse
import contextlib
import sys
import threading
import time
from pathlib import Path

from rich.console import Console

from benchmarks import command
from benchmarks.serve_demo.deployment import Deployment, DeploymentSettings
from wire.system import stop_signals

BUILD_DIR = Path("build/serve-demo/pio")


def main() -> int:
    """Parse the command line and run the demo. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serve_demo", description=__doc__)
    command.add_bundle(parser)
    command.add_count(parser, "--nodes", 20, "nodes, in two sites")
    command.add_seed(parser, 1, "random seed of images and damage")
    parser.add_argument("--snr", type=float, default=-9.0, metavar="DB", help="mean SNR of the nodes (default -9)")
    parser.add_argument("--every", type=float, default=20.0, metavar="S", help="seconds between images of a node")
    parser.add_argument("--listen", default="127.0.0.1:8080", metavar="HOST:PORT", help="address of the page")
    parser.add_argument("--seconds", type=float, metavar="S", help="end after S seconds (default: Ctrl-C)")
    command.add_path(parser, "--out", "build/serve-demo", "folder for stores, states and logs")
    args = parser.parse_args()
    return command.execute("serve_demo", lambda: run(args, Console(file=sys.stdout)))


def run(args: argparse.Namespace, console: Console) -> None:
    """Run the deployment until a signal or the end of the time."""
    stopped = threading.Event()
    settings = DeploymentSettings(
        args.bundle, args.nodes, args.seed, args.snr, args.every, args.listen, args.out, BUILD_DIR
    )
    deployment = Deployment(settings, stopped, lambda text: console.print(text, highlight=False, soft_wrap=True))
    with stop_signals(stopped.set), contextlib.ExitStack() as running:
        deployment.start(running)
        if not stopped.is_set():
            console.print(f"The page: {deployment.page_url}   (Ctrl-C ends everything)", soft_wrap=True)
        ends = time.monotonic() + (args.seconds or float("inf"))
        while not stopped.wait(0.5) and time.monotonic() < ends:
            deployment.check()
        stopped.set()
        console.print("Ending")
    console.print(deployment.summary(), soft_wrap=True)
