"""`inkling sim air`: connect simulated radios."""

import argparse
import contextlib
import os

from channel_sim.channels.channel import ChannelError
from channel_sim.channels.lora import LoRa
from channel_sim.channels.parse import parse
from channel_sim.cli.parsers import MAX_DB
from channel_sim.live.radio_hub import RadioHub
from wire.system import stop_signals


def run(options: argparse.Namespace) -> int:
    """Deliver packets until a signal arrives; return the exit status. Raises ChannelError."""
    channel = parse(options.channel)
    if not isinstance(channel, LoRa):
        raise ChannelError(f"radios need a single lora channel, got {options.channel!r}")
    if not abs(float(channel.snr_db)) <= MAX_DB:
        raise ChannelError(f"the SNR must be {-MAX_DB} to {MAX_DB} dB, got {float(channel.snr_db):g}")
    try:
        hub = RadioHub(channel, options.seed, options.port, dict(options.snr), options.fast)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else error
        raise ChannelError(f"cannot listen on port {options.port}: {reason}") from None
    except OverflowError:
        raise ChannelError(f"cannot listen on port {options.port}: not in 0..65535") from None
    with contextlib.closing(hub), stop_signals(hub.stop):
        print(f"listening: --radio tcp:127.0.0.1:{hub.port}", flush=True)
        hub.run()
    for device, counts in hub.devices.items():
        kinds = [f"{counts.answers} answers"] * bool(counts.answers)
        kinds += [f"{counts.statuses} status frames"] * bool(counts.statuses)
        among = f" ({', '.join(kinds)})" if kinds else ""
        print(
            f"device {device}: {counts.sent} packets sent{among}, {counts.air_s:.3f} s of air time; "
            f"received: {counts.clean} clean, {counts.damaged} damaged, {counts.lost} lost"
        )
    return 0
