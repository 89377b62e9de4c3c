"""Arguments of the host's commands. Nothing slow is imported here, so that `--help` is fast."""

from argparse import ArgumentParser
from pathlib import Path

from host.board import TIMEOUT_S
from host.board.energy import DEFAULT_RADIO, chips, radios
from host.cli.arguments import (
    CAMERA_TIMEOUT_S,
    DEMANDS,
    MODES,
    add_keys,
    add_line,
    add_port,
    add_threshold,
    add_timeout,
    at_least_one,
    png_file,
    seconds,
    share,
)

PREVIEW = (
    "a small image that a general bundle's preview network reconstructs from the received bytes; it may show what was "
    "not there"
)


def receive(parser: ArgumentParser) -> None:
    """Add the arguments of `inkling receive`."""
    parser.description = (
        "Finds frames in the bytes from a port, and in the radio packets of a gateway on that port; estimates the bit "
        "error rate; classifies. Ends with Ctrl-C."
    )
    parser.epilog = """examples:
  inkling receive --port /dev/ttyUSB0 --bundle bundles/cifar10
  inkling receive --port socket://localhost:4001 --bundle A --bundle B --json log.jsonl --count 9"""
    add = parser.add_argument
    add_port(parser)
    add("--bundle", required=True, action="append", metavar="DIR", help="bundle of a model; repeatable")
    _add_task(parser)
    add("--json", metavar="FILE", help="append JSON lines to FILE; - is standard output")
    add("--preview", type=Path, metavar="DIR", help=f"write a preview of each image to DIR/IMAGE_ID.png: {PREVIEW}")
    add(
        "--state",
        type=Path,
        metavar="FILE",
        help="remember devices, losses and counters in FILE, across restarts (default with keys: a file beside theirs)",
    )
    add_keys(parser)
    add(
        "--require-auth",
        choices=DEMANDS,
        help="refuse frames of which less is authentic, of all devices (default: of those in the key file only)",
    )
    add("--count", type=at_least_one, metavar="N", help="end after N frames")
    add("--reconnect", action="store_true", help="wait for a port that is missing or disappears")
    add(
        "--max-silence",
        type=seconds,
        metavar="S",
        help="treat a port as lost if nothing is received for S seconds (default: print a note after 600)",
    )


def run(parser: ArgumentParser) -> None:
    """Add the arguments of `inkling run`."""
    parser.description = (
        "Sends each image to a board, which runs its network and returns its answer or features, by its mode, or sends "
        "them by its radio. Exit status 1: a frame was lost, or an image could not be read."
    )
    parser.epilog = """examples:
  inkling run cat.jpg --port /dev/ttyUSB0 --bundle bundles/cifar10
  inkling run *.png --port socket://localhost:4001 --bundle bundles/cifar10 --mode features --chunk 1 --json
  inkling run cat.jpg --port /dev/ttyUSB0 --bundle bundles/cifar10 --by-radio
  inkling run cat.jpg --port /dev/ttyUSB0 --bundle bundles/general64 --preview seen.png"""
    add = parser.add_argument
    add(
        "images",
        nargs="+",
        metavar="IMAGE",
        help="image file that Pillow can read; it is cropped and scaled",
    )
    add_port(parser)
    _add_bundle(parser)
    _add_task(parser)
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--by-radio", action="store_true", help="let the board send the frame by its radio, to a gateway")
    way.add_argument(
        "--preview", type=png_file, metavar="FILE", help=f"write a preview of the only IMAGE to FILE, a .png: {PREVIEW}"
    )
    add("--mode", choices=MODES, help="set what the board sends, until its next reset (default: as it is set)")
    add_threshold(parser)
    add(
        "--chunk",
        type=int,
        metavar="N",
        help="chunk of the symbols, for features (default 0: all; by radio: the longest prefix that the air time "
        "allows)",
    )
    add_keys(parser)
    _add_json_and_timeout(parser, TIMEOUT_S)


def capture(parser: ArgumentParser) -> None:
    """Add the arguments of `inkling capture`."""
    parser.description = (
        "Lets a board take an image with its camera and classifies the answer or features that it returns. "
        "Exit status 1: a frame was lost."
    )
    parser.epilog = """examples:
  inkling capture --port /dev/ttyUSB0 --bundle bundles/cifar10
  inkling capture --port /dev/ttyUSB0 --bundle bundles/cifar10 --save seen.png --every 2"""
    add = parser.add_argument
    add_port(parser)
    _add_bundle(parser)
    _add_task(parser)
    add(
        "--save",
        type=Path,
        metavar="FILE",
        help="write the encoder's input, enlarged, to FILE (format by suffix: .png, ...)",
    )
    add("--every", type=seconds, metavar="S", help="repeat every S seconds until Ctrl-C")
    add("--count", type=at_least_one, metavar="N", help="end after N images (default 1; with --every: no end)")
    add("--chunk", type=int, default=0, metavar="N", help="chunk of the symbols, for features (default 0: all)")
    add_keys(parser)
    _add_json_and_timeout(parser, CAMERA_TIMEOUT_S)


def teach(parser: ArgumentParser) -> None:
    """Add the arguments of `inkling teach`."""
    parser.description = (
        "Teaches the host a task, new classes for boards that run a general bundle, from a folder of pictures or from "
        "labelled readings, and measures it on left-out images. The boards stay as they are."
    )
    parser.epilog = """examples:
  inkling teach bundles/general64 --from pictures --task animals
  inkling teach bundles/general64 --from june.jsonl --labels june.csv --task animals --add"""
    add = parser.add_argument
    add("bundle", metavar="DIR", help="general bundle; the task is written to its folder tasks/NAME")
    add(
        "--from",
        dest="examples",
        type=Path,
        required=True,
        metavar="PATH",
        help="folder with one folder of pictures per class, or JSON lines of inkling receive, run or capture",
    )
    add(
        "--labels", metavar="FILE", help="of JSON lines: CSV file of image_id (or line number) and class, one per image"
    )
    add("--task", required=True, metavar="NAME", help="name of the task")
    add("--strict", action="store_true", help="stop at a picture that cannot be read (default: leave it out)")
    add("--confusion", type=Path, metavar="FILE", help="picture of the confusion matrix, such as animals.png")
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument("--add", action="store_true", help="add images or classes to an existing task")
    existing.add_argument("--force", action="store_true", help="replace an existing task")


def find(parser: ArgumentParser) -> None:
    """Add the arguments of `inkling find`."""
    parser.description = "Lists the images among the readings of a general bundle that are most like one of them."
    parser.epilog = """examples:
  inkling find bundles/general64 readings.jsonl --like 19ad2c31f08-3-7
  inkling find bundles/general64 readings.jsonl --like 120 --count 50 --json"""
    add = parser.add_argument
    add("bundle", metavar="DIR", help="general bundle")
    add("readings", metavar="FILE", help="JSON lines of inkling receive, run or capture")
    add("--like", required=True, metavar="ID", help="image_id or line number of a reading in FILE")
    add("--count", type=at_least_one, default=10, metavar="N", help="number of images to list (default 10)")
    add("--json", action="store_true", help="print JSON lines to standard output")


def devices(parser: ArgumentParser) -> None:
    """Add the arguments of `inkling devices`."""
    parser.description = (
        "Asks for INFO on all serial ports at once: each port receives up to three commands of 20 bytes. "
        "Exit status 1: no board answered."
    )
    parser.epilog = """examples:
  inkling devices
  inkling devices --port socket://localhost:5000 --bundle bundles/cifar10 --bundle build/bundles/mine"""
    add = parser.add_argument
    add("--port", action="append", default=[], metavar="URL", help="further port, e.g. socket://HOST:PORT; repeatable")
    add("--bundle", action="append", default=[], metavar="DIR", help="show which boards run its model; repeatable")
    add_line(parser)
    add(
        "--timeout",
        type=seconds,
        default=1.0,
        metavar="S",
        help="seconds to wait for each of three replies (default 1)",
    )


def info(parser: ArgumentParser) -> None:
    """Add the arguments of `inkling info`."""
    parser.description = "Asks a board for its versions, model and memory; with a bundle, checks its model."
    parser.epilog = """examples:
  inkling info --port /dev/ttyACM0
  inkling info --port socket://localhost:4000 --bundle bundles/cifar10"""
    add_port(parser)
    parser.add_argument("--bundle", metavar="DIR", help="check that the board runs the model of this bundle")
    add_keys(parser)
    add_timeout(parser)


def mode(parser: ArgumentParser) -> None:
    """Add the arguments of `inkling mode`."""
    parser.description = (
        "Shows or sets what a board sends for an image: features, its answer, or (adaptive) its answer where it is "
        "sure and features elsewhere. A reset of the board restores the mode that it was built with."
    )
    parser.epilog = """examples:
  inkling mode --port /dev/ttyACM0
  inkling mode adaptive --threshold 9 --port /dev/ttyACM0"""
    parser.add_argument("mode", nargs="?", choices=MODES, help="mode to set (default: as it is set)")
    add_threshold(parser)
    add_port(parser)
    add_keys(parser)
    add_timeout(parser)


def flash(parser: ArgumentParser) -> None:
    """Add the arguments of `inkling flash`."""
    parser.description = (
        "Builds an environment of platformio.ini with the encoder of a bundle, flashes it with PlatformIO, waits until "
        "the board is back, and runs the model once. Runs in a clone of Inkling."
    )
    parser.epilog = """examples:
  inkling flash --env esp32dev --bundle bundles/cifar10
  inkling flash --env nucleo_f446re --bundle build/bundles/mine --port /dev/ttyACM0 --secure"""
    add = parser.add_argument
    add("--env", required=True, metavar="ENV", help="environment of platformio.ini, such as esp32dev")
    add("--bundle", required=True, metavar="DIR", help="bundle whose encoder is built in")
    add("--port", metavar="URL", help="/dev/ttyUSB0, COM3, ... (default: the only USB port; required for DFU)")
    add_line(parser)
    add("--secure", action="store_true", help="give the board a device key, as `inkling keys add` does")
    add_keys(parser)
    add(
        "--timeout",
        type=seconds,
        default=20.0,
        metavar="S",
        help="seconds to wait for the board to come back (default 20)",
    )


def bench(parser: ArgumentParser) -> None:
    """Add the arguments of `inkling bench`."""
    parser.description = (
        "Times the encoder on the board and models the energy per image and per correct answer, for computing and for "
        "sending an answer or features by LoRa, from currents stated in the data sheets of the chips."
    )
    parser.epilog = """examples:
  inkling bench --port /dev/ttyUSB0 --bundle bundles/cifar10
  inkling bench --port /dev/ttyACM0 --bundle bundles/cifar10 --repeats 50 --radio sx1276"""
    add = parser.add_argument
    add_port(parser)
    _add_bundle(parser)
    add("--repeats", type=at_least_one, default=10, metavar="N", help="runs of the encoder, up to 100 (default 10)")
    add("--chunk", type=int, default=0, metavar="N", help="chunk of the symbols to send (default 0: all)")
    add(
        "--answers",
        type=share,
        metavar="P",
        help="also show the mean if the board answers this share of images, 0 to 1",
    )
    add("--board", choices=chips(), help="chip of the board (default: by its environment)")
    add("--radio", choices=radios(), help=f"radio of the board (default: by its environment, else {DEFAULT_RADIO})")
    add("--timeout", type=seconds, default=5.0, metavar="S", help="seconds allowed per run of the encoder (default 5)")


def _add_bundle(parser: ArgumentParser) -> None:
    parser.add_argument("--bundle", required=True, metavar="DIR", help="bundle of the model that the board runs")


def _add_task(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--task",
        action="append",
        default=[],
        metavar="NAME",
        help="task of a general bundle, which inkling teach has made; repeatable",
    )


def _add_json_and_timeout(parser: ArgumentParser, default_s: float) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON lines to standard output")
    add_timeout(parser, default_s)
