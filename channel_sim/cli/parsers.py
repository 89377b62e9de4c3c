"""Arguments of the commands of `inkling sim`."""

import argparse
import contextlib
from collections.abc import Callable

from channel_sim.channels.parse import HELP
from wire import BAUD
from wire.frame import ANY_DEVICE

SLOWEST, FASTEST = 1e-3, 1e6  # times the recorded speed of a replay
MAX_DB = 200  # of an SNR, either sign; the messages to stations have room for up to 8000
EXAMPLE_BOARD = "--board socket://localhost:4000 --listen tcp://127.0.0.1:4001"

PROXY = """Passes bytes between a board and a host. Bytes from the board go through the channel; bytes from the host
pass unchanged unless --downlink-channel is given. The same seed and the same bytes give the same damage.

An endpoint is
  pty                  a new pseudo-terminal, which the other side opens like a serial port
  tcp://HOST:PORT      a port to listen on (0: any free one), which the other side opens as socket://HOST:PORT
  socket://HOST:PORT   a port to connect to
  /dev/ttyUSB0         a serial device

The channels lora, truncation, frame-loss and duplicate need whole frames, and so --bundle. They act on feature and
answer frames only; replies and boot messages of the board pass unchanged. A frame that stalls for half a second passes
unchanged.
"""
PROXY_EXAMPLES = f"""
examples:
  inkling sim proxy {EXAMPLE_BOARD} --ber 0.05
  inkling sim proxy --board /dev/ttyUSB0 --listen pty --channel bursts:ber=0.02 --record trace.jsonl
  inkling sim proxy --board /dev/ttyUSB0 --listen tcp://127.0.0.1:4001 --reconnect \\
      --channel lora:snr=-9,sf=7 --channel frame-loss:p=0.1 --bundle bundles/cifar10
"""
REPLAY = """Replays the bytes that a board sent, from a recording of `proxy --record`, to a host that connects. Ends
when the host has received everything and disconnects. A recording made without a channel can be replayed through any.
"""
REPLAY_EXAMPLES = """
examples:
  inkling sim replay trace.jsonl --listen tcp://127.0.0.1:4001
  inkling sim replay trace.jsonl --listen tcp://127.0.0.1:4001 --what sent --speed 1
  inkling sim replay trace.jsonl --listen tcp://127.0.0.1:4001 --channel bsc:ber=0.05 --seed 7
and for each
  inkling receive --port socket://127.0.0.1:4001 --bundle bundles/cifar10
"""
LORA_EXAMPLES = """examples:
  inkling sim lora
  inkling sim lora --bytes 34 --sf 7 9 12 --cr 8
  inkling sim lora --sf 7 --implicit-header
  inkling sim lora --sf 10 --snr -20 -14 --bandwidth 250"""
AIR = """
Connects simulated nodes and gateways: processes built from the environments native_radio and native_gateway and
started with --radio tcp:127.0.0.1:PORT. Each packet reaches every listening station after its air time, with noise of
its own: a packet with a damaged header is lost, one with a damaged payload is handed over. SNR and RSSI are those of an
SX1276: RSSI is the noise floor, -174 + 10 log10(bandwidth) + 6 dB noise figure, plus the signal. Packets do not
collide. Ends with Ctrl-C and then prints the counts of sent, received and lost packets of each device.
"""
AIR_EXAMPLES = """examples:
  inkling sim air --port 4500 lora:snr=-8
  inkling sim air --port 4500 lora:snr=-8,sf=7,header=implicit --snr 3=-11 --seed 1 --fast"""


def proxy(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `inkling sim proxy`."""
    parser.description, parser.epilog = PROXY, HELP + "\n" + PROXY_EXAMPLES
    add = parser.add_argument
    add("--board", required=True, metavar="ENDPOINT", help="endpoint of the board")
    add("--listen", "--host", required=True, metavar="ENDPOINT", help="endpoint of the host")
    _add_channel(parser)
    add("--ber", type=float, default=0.0, metavar="P", help="bit error rate: --channel bsc:ber=P before the others")
    add("--byte-loss", type=float, default=0.0, metavar="P", help="probability that a byte is lost, after --ber")
    add(
        "--downlink-channel",
        action="append",
        default=[],
        metavar="SPEC",
        help="channel for bytes from the host, not one that needs whole frames; repeatable",
    )
    add("--record", metavar="FILE", help="write all traffic to FILE, replacing it")
    add("--reconnect", action="store_true", help="wait for an endpoint that is missing or disappears")
    add("--baud", type=_integer_from(1), default=BAUD, help="baud rate of serial devices (default %(default)s)")


def replay(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `inkling sim replay`."""
    parser.description, parser.epilog = REPLAY, HELP + "\n" + REPLAY_EXAMPLES
    add = parser.add_argument
    add("recording", metavar="FILE", help="recording made by proxy --record")
    add("--listen", required=True, metavar="ENDPOINT", help="tcp://HOST:PORT (port 0: any free one)")
    add(
        "--what",
        choices=("received", "sent"),
        default="received",
        help="the bytes as received from the board (default) or as sent on to the host",
    )
    add(
        "--speed",
        type=_speed,
        metavar="X",
        help="times the recorded speed (default: as fast as the host reads)",
    )
    _add_channel(parser)


def lora(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `inkling sim lora`."""
    parser.description = (
        "Sends random packets through the simulated LoRa radio and counts errors. SNR is in the bandwidth of the "
        "channel; perfect synchronisation is assumed (docs/channels.md)."
    )
    parser.epilog = LORA_EXAMPLES
    add = parser.add_argument
    add(
        "--bytes",
        type=int,
        default=58,
        metavar="N",
        help="bytes per packet (default 58: a frame with 48 bytes of payload)",
    )
    add("--sf", type=int, nargs="+", default=[7, 9, 12], metavar="SF", help="spreading factors (default 7 9 12)")
    add("--cr", type=int, default=5, metavar="CR", help="coding rate 4/5 to 4/8 as 5 to 8 (default 5)")
    add("--bandwidth", type=float, default=125.0, metavar="KHZ", help="bandwidth in kHz (default 125)")
    add("--implicit-header", action="store_true", help="no radio header: both ends know the length")
    add(
        "--snr",
        type=_decibels,
        nargs=2,
        metavar=("LOW", "HIGH"),
        help="dB, in steps of 1 (default: where packets fail)",
    )
    add("--packets", type=int, default=4000, metavar="N", help="packets per row (default 4000)")
    add("--seed", type=_integer_from(0), default=0, metavar="N", help="random seed of packets and noise (default 0)")


def air(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `inkling sim air`."""
    parser.description, parser.epilog = AIR, AIR_EXAMPLES
    add = parser.add_argument
    add("channel", metavar="SPEC", help="the link: lora:snr=,sf=7,cr=5,bw=125,header=explicit (docs/channels.md)")
    add("--port", type=int, default=0, metavar="N", help="TCP port to listen on, on this machine (default: any free)")
    add("--snr", type=_station_snr, action="append", default=[], metavar="DEVICE=DB", help="of one device; repeatable")
    add("--seed", type=_integer_from(0), default=0, metavar="N", help="random seed of the noise (default 0)")
    add("--fast", action="store_true", help="packets take no time")


def _add_channel(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--channel", action="append", default=[], metavar="SPEC", help="channel, see below; repeatable")
    add(
        "--bundle",
        action="append",
        default=[],
        metavar="DIR",
        help="bundle of a board's model, by which frames are found: for counting frames and for channels that need "
        "whole frames; repeatable",
    )
    add("--seed", type=_integer_from(0), default=0, metavar="N", help="random seed of the damage (default 0)")


def _integer_from(lowest: int) -> Callable[[str], int]:
    """Return a parser of integers of at least `lowest`."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = lowest - 1
        if value < lowest:
            raise argparse.ArgumentTypeError(f"must be an integer of at least {lowest}, got {text!r}")
        return value

    return parse


def _decibels(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) <= MAX_DB:
        raise argparse.ArgumentTypeError(f"must be {-MAX_DB} to {MAX_DB} dB, got {text!r}")
    return value


def _station_snr(text: str) -> tuple[int, float]:
    device, _, value = text.partition("=")
    if device.isdecimal() and int(device) < ANY_DEVICE:
        with contextlib.suppress(argparse.ArgumentTypeError):
            return int(device), _decibels(value)
    raise argparse.ArgumentTypeError(f"DEVICE=DB is a device 0..254 and its SNR in dB, such as 3=-9.5, got {text!r}")


def _speed(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not SLOWEST <= value <= FASTEST:
        raise argparse.ArgumentTypeError(f"a speed is {SLOWEST:g} to {FASTEST:g} times the recorded one, got {text!r}")
    return value
