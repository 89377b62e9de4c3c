"""`python -m channel_sim air`: stand for the air between simulated radios."""

import argparse
import contextlib
import os
import signal

from channel_sim.channels.lora import LoRa
from channel_sim.channels.parse import parse
from channel_sim.live.radio_hub import RadioHub

DESCRIPTION = """
Joins simulated nodes and gateways: processes built from the environments native_radio and native_gateway,
and started with --radio tcp:127.0.0.1:PORT. Each packet that one sends reaches all that listen, each through noise of
its own, after its air time: a damaged header loses it, a damaged payload is handed over. SNR and RSSI are read as an
SX1276 reads them: RSSI is the noise floor, -174 + 10 log10(bandwidth) + 6 dB noise figure, plus the signal. Packets do
not collide. Ends with Ctrl-C, and says then what became of each device's packets.
"""
EXAMPLES = """examples:
  python -m channel_sim air --port 4500 lora:snr=-8
  python -m channel_sim air --port 4500 lora:snr=-8,sf=7,header=implicit --snr 3=-11 --seed 1 --fast
"""
MOST_DB = 200  # either way; what stations are told has room for no more than 8000


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `air`."""
    air = commands.add_parser(
        "air",
        help="join simulated radios",
        description=DESCRIPTION.strip(),
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = air.add_argument
    add("channel", metavar="SPEC", help="the link: lora:snr=,sf=7,cr=5,bw=125,header=explicit (docs/channels.md)")
    add("--port", type=int, default=0, metavar="N", help="TCP port to listen on, on this machine (default: any free)")
    add("--snr", type=_station_snr, action="append", default=[], metavar="DEVICE=DB",
        help="another SNR, of one device's packets; may be repeated")  # fmt: skip
    add("--seed", type=int, default=0, metavar="N", help="seed of the noise (default 0)")
    add("--fast", action="store_true", help="packets take no time")
    air.set_defaults(command=run)


def _station_snr(text: str) -> tuple[int, float]:
    device, _, value = text.partition("=")
    try:
        snr_db = float(value)
        if device.isdecimal() and int(device) < 255 and abs(snr_db) <= MOST_DB:
            return int(device), snr_db
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"DEVICE=DB is a device 0..254 and its SNR in dB, such as 3=-9.5, not {text!r}")


def run(options: argparse.Namespace) -> int:
    """Carry packets until a signal comes; the exit status. ValueError for a channel or a port that cannot be."""
    channel = parse(options.channel)
    if not isinstance(channel, LoRa):
        raise ValueError(f"radios need a lora channel alone, not {options.channel!r}")
    if not abs(float(channel.snr_db)) <= MOST_DB:
        raise ValueError(f"an SNR is {-MOST_DB} to {MOST_DB} dB, not {float(channel.snr_db):g}")
    try:
        air = RadioHub(channel, options.seed, options.port, dict(options.snr), options.fast)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else error
        raise ValueError(f"cannot listen on port {options.port}: {reason}") from None
    except OverflowError:
        raise ValueError(f"cannot listen on port {options.port}: a port is 0 to 65535") from None
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: air.stop())
    print(f"listening: --radio tcp:127.0.0.1:{air.port}", flush=True)
    with contextlib.closing(air):
        air.run()
    for device, counts in air.devices.items():
        print(
            f"device {device}: {counts.sent} packets sent, {counts.air_s:.3f} s of air time; "
            f"received: {counts.clean} clean, {counts.damaged} damaged, {counts.lost} lost"
        )
    return 0
