"""`python -m host`: the receiving end of Inkling."""

import argparse
import os
import signal
import sys

from host.errors import HostError

EXAMPLES = """examples:
  python -m host flash --env esp32dev --bundle bundles/cifar10
  python -m host info --port /dev/ttyUSB0
  python -m host run cat.jpg --port /dev/ttyUSB0 --bundle bundles/cifar10
  python -m host receive --port /dev/ttyUSB0 --bundle bundles/cifar10 --json readings.jsonl
"""
INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit status."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has had enough; what is still buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except HostError as error:
        print(f"host: {error}", file=sys.stderr)
        return 1
    except OSError as error:  # files and ports have said theirs as a HostError; what is left is the output
        print(f"host: cannot go on: {error.strerror or error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        print(f"host: {error.name} is not installed: pip install -r host/requirements.txt", file=sys.stderr)
        return 1


def _run(arguments: list[str] | None) -> int:
    # Imported here, since onnxruntime takes its time and Ctrl-C may come meanwhile.
    from host.cli import bench as cmd_bench
    from host.cli import capture as cmd_capture
    from host.cli import devices as cmd_devices
    from host.cli import flash as cmd_flash
    from host.cli import info as cmd_info
    from host.cli import receive as cmd_receive
    from host.cli import run as cmd_run
    from wire.bundle import BundleError

    parser = argparse.ArgumentParser(
        prog="python -m host",
        description="The receiving end of Inkling: finds frames on a serial port and classifies them.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in (cmd_flash, cmd_devices, cmd_info, cmd_run, cmd_capture, cmd_bench, cmd_receive):
        module.add_parser(commands)
    options = parser.parse_args(arguments)
    try:
        return options.command(options)
    except BundleError as error:
        raise HostError(str(error)) from None


if __name__ == "__main__":
    sys.exit(main())
