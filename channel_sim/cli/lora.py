"""`inkling sim lora`: print air time and error rates of a LoRa link."""

import argparse

import numpy as np

from channel_sim.channels.channel import ChannelError
from channel_sim.channels.lora import NOISE_FIGURE_DB, LoRa
from wire.lora import DUTY_CYCLE, MAX_PACKET_BYTES, messages_per_hour

BATCH = 1000


def run(options: argparse.Namespace) -> int:
    """Print the table; return the exit status. Raises ChannelError for settings that no radio has."""
    from rich.console import Console  # slow to import
    from rich.table import Table

    if options.packets < 1:
        raise ChannelError("--packets must be at least 1")
    if not 1 <= options.bytes <= MAX_PACKET_BYTES:  # before random packets of that size are drawn
        raise ChannelError(f"a LoRa payload has 1 to {MAX_PACKET_BYTES} bytes, not {options.bytes}")
    if options.snr and options.snr[0] > options.snr[1]:
        raise ChannelError(f"--snr is LOW and HIGH, got {options.snr[0]:g} and {options.snr[1]:g}")
    table = Table(
        title=f"LoRa, {options.bytes} bytes, 4/{options.cr}, {options.bandwidth:g} kHz, "
        f"{'implicit' if options.implicit_header else 'explicit'} header, CRC: "
        f"{options.packets} packets per row, seed {options.seed}",
        caption=f"Signal at a noise figure of {NOISE_FIGURE_DB:g} dB. Packets per hour at a duty cycle of "
        f"{DUTY_CYCLE:.0%}. BER and CRC failures refer to packets that are handed over.",
    )
    for column in ("SF", "SNR dB", "signal dBm", "air ms", "per hour", "BER", "CRC fails %", "header lost %"):
        table.add_column(column, justify="right")
    for sf in options.sf:
        for snr in _snrs(options.snr, sf):
            radio = LoRa(snr, sf, options.cr, 1e3 * options.bandwidth, explicit_header=not options.implicit_header)
            table.add_row(*_row(radio, options))
        table.add_section()
    Console().print(table)
    return 0


def _snrs(wanted: list[float] | None, sf: int) -> np.ndarray:
    """Return the given range, or the 6 dB in which packets at 4/5 go from all correct to all wrong."""
    if wanted:
        return np.arange(wanted[0], wanted[1] + 0.5)
    middle = round(-9 - 2.6 * (sf - 7))
    return np.arange(middle - 3, middle + 4)


def _row(channel: LoRa, options: argparse.Namespace) -> list[str]:
    # The random numbers do not depend on the SNR, so rows of one SF differ by the SNR only.
    rng = np.random.default_rng([options.seed, channel.sf])
    flipped = failed = lost = 0
    for start in range(0, options.packets, BATCH):
        count = min(BATCH, options.packets - start)
        frames = rng.integers(0, 256, (count, options.bytes), dtype=np.uint8)
        received, crc_ok, gone = channel.transmit(frames, rng)
        flipped += int(np.unpackbits((frames ^ received)[~gone]).sum())
        failed += int((~crc_ok & ~gone).sum())
        lost += int(gone.sum())
    arrived = max(options.packets - lost, 1)
    noise_dbm = -174 + 10 * np.log10(channel.bandwidth_hz) + NOISE_FIGURE_DB
    air_s = channel.air_time_s(options.bytes)
    return [
        str(channel.sf),
        f"{channel.snr_db:.0f}",
        f"{noise_dbm + channel.snr_db:.0f}",
        f"{1e3 * air_s:.1f}",
        f"{messages_per_hour(air_s):.0f}",
        f"{flipped / (8 * options.bytes * arrived):.1e}" if flipped else "0",
        f"{100 * failed / arrived:.1f}",
        f"{100 * lost / options.packets:.1f}",
    ]
