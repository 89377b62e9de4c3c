"""`python -m channel_sim`: bad links, live or replayed, between a board and a host."""

import argparse
import os
import sys

from channel_sim.cli import air as cmd_air
from channel_sim.cli import lora as cmd_lora
from channel_sim.cli import proxy as cmd_proxy
from channel_sim.cli import replay as cmd_replay
from channel_sim.live.endpoints import ProxyError
from channel_sim.live.recording import RecordingError
from wire.bundle import BundleError

EXAMPLES = """examples:
  python -m channel_sim proxy --board /dev/ttyUSB0 --listen tcp://127.0.0.1:4001 --ber 0.05 --record trace.jsonl
  python -m channel_sim replay trace.jsonl --listen tcp://127.0.0.1:4001 --channel bursts:ber=0.02
each command says more with --help
"""
INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m channel_sim",
        description="Bad links, live or replayed, between a board and a host.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in (cmd_proxy, cmd_replay, cmd_lora, cmd_air):
        module.add_parser(commands)
    options = parser.parse_args(arguments)
    try:
        return options.command(options)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has had enough; what is still buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (BundleError, ProxyError, RecordingError, ValueError) as error:
        print(f"channel_sim: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
