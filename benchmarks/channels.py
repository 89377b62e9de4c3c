"""Compare every channel model with theory, and measure the speed of the LoRa channel: `python -m benchmarks.channels`.

`off by` is the difference in standard errors of the simulated mean over independent frames. More than 4 happens by
chance once in 16,000 lines; then the exit status is 1.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from math import erfc, sqrt

import numpy as np
from rich.console import Console
from rich.table import Table

from channel_sim import LoRa, bit_error_rate, parse, symbol_error_rate
from channel_sim.channels import lora

FRAME_BITS = 496
LORA_BYTES = 56


@dataclass(frozen=True)
class Line:
    """A quantity measured on each frame (n,), and its mean in theory."""

    channel: str
    quantity: str
    measured: np.ndarray
    theory: float

    @property
    def off_by(self) -> float:
        """Return the difference in standard errors: binomial ones of theory for bools, else of the sample."""
        is_bool = self.measured.dtype == bool
        spread = sqrt(self.theory * (1 - self.theory)) if is_bool else float(self.measured.std())
        return (float(self.measured.mean()) - self.theory) * sqrt(len(self.measured)) / spread


def _flips(spec: str, theory: float, n: int, rng: np.random.Generator) -> Line:
    mask, _ = parse(spec).flips(n, FRAME_BITS, rng)
    return Line(spec, "BER", mask.mean(1), theory)


def _binary(n: int, rng: np.random.Generator) -> Iterator[Line]:
    yield _flips("bsc:ber=0.05", 0.05, n, rng)
    yield _flips("bursts:ber=0.02,burst=16", 0.02, n, rng)
    yield _flips("gilbert-elliott:good-to-bad=0.01,bad-to-good=0.1", 0.5 / 11, n, rng)
    for name in ("bpsk", "qpsk"):
        for ebn0 in (0, 4):
            g = 10 ** (ebn0 / 10)
            yield _flips(f"{name}:ebn0={ebn0}", erfc(sqrt(g)) / 2, n, rng)
    for spec in ("bpsk:ebn0=10,fading=rayleigh", "qpsk:ebn0=10,fading=rayleigh,coherence=100"):
        yield _flips(spec, (1 - sqrt(10 / 11)) / 2, n, rng)


def _symbols(n: int, rng: np.random.Generator) -> Iterator[Line]:
    for sf in range(7, 13):
        snr = round(-9 - 2.6 * (sf - 7), 1)
        sent = rng.integers(0, 1 << sf, (n, 100))
        wrong = lora.demodulate(sent, np.full(n, snr), sf, rng) != sent
        yield Line(f"lora:snr={snr:g},sf={sf}", "symbol errors", wrong.mean(1), float(symbol_error_rate(snr, sf)))


def _packets(n: int, rng: np.random.Generator) -> Iterator[Line]:
    for rate in (5, 8):
        for snr in (-8, -9, -10, -11) if rate == 5 else (-9, -10, -11):
            spec = f"lora:snr={snr},sf=7,cr={rate}"
            frames = rng.integers(0, 256, (n, LORA_BYTES), dtype=np.uint8)
            received, _, _ = LoRa(snr, 7, rate).transmit(frames, rng)  # lost ones too: the same errors
            flipped = np.unpackbits(frames ^ received, axis=1).mean(1)
            yield Line(spec, "BER", flipped, float(bit_error_rate(snr, 7, rate)))
            if rate == 5:  # 56 bytes are 16 blocks of 7 nibbles: correct if and only if their 64 data symbols are
                expected = 1 - (1 - float(symbol_error_rate(snr, 7))) ** 64
                yield Line(spec, "packet errors", flipped > 0, expected)


def _speed(rng: np.random.Generator) -> Table:
    table = Table(title="LoRa, 64-byte frames per minute on one core, coding rate 4/5")
    for column in ("SF", "in batches of 1000", "one by one"):
        table.add_column(column, justify="right")
    frames = rng.integers(0, 256, (1000, 64), dtype=np.uint8)
    for sf in range(7, 13):
        channel = LoRa(-9 - 2.6 * (sf - 7), sf)
        begun = time.process_time()
        channel.transmit(frames, rng)
        batch_s, begun = time.process_time() - begun, time.process_time()
        for frame in frames:
            channel.corrupt(frame.tobytes(), rng)
        table.add_row(str(sf), f"{60_000 / batch_s:,.0f}", f"{60_000 / (time.process_time() - begun):,.0f}")
    return table


def main() -> int:
    """Print both tables. Return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.channels", description="Compare the channel models with theory."
    )
    parser.add_argument(
        "--frames", type=int, default=20_000, metavar="N", help="frames per line (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="random seed (default: %(default)s)")
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    table = Table(title=f"Simulation and theory: {options.frames} frames per line, seed {options.seed}")
    for column in ("channel", "quantity"):
        table.add_column(column)
    for column in ("simulated", "theory", "off by"):
        table.add_column(column, justify="right")
    good = True
    for part in (_binary, _symbols, _packets):
        for line in part(options.frames, rng):
            good &= abs(line.off_by) < 4
            figures = (f"{line.measured.mean():.3g}", f"{line.theory:.3g}", f"{line.off_by:+.1f}")
            table.add_row(line.channel, line.quantity, *figures)
        table.add_section()
    console = Console()
    console.print(table)
    console.print(_speed(rng))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
