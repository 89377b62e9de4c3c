"""`inkling bench`: time a board's encoder, and model the energy per image from currents in data sheets."""

import argparse

from rich.table import Table

from host.board.board import Board
from host.board.energy import DEFAULT_RADIO, SPREADING_FACTORS, VOLTS, Chip, Radio, chip_of, chips, radio_of, radios
from host.cli.arguments import open_port
from host.cli.output import plain_console
from host.errors import HostError
from wire.bundle import Bundle
from wire.bundle import load as load_bundle
from wire.checks import is_int
from wire.control import BenchResult, Info
from wire.frame import HEADER_BYTES
from wire.lora import air_time_s

MAX_REPEATS = 100
EMULATED = ("qemu_", "sim_", "native")  # prefixes of environments without a board


def run(options: argparse.Namespace) -> int:
    """Time, model, show, and return the exit status."""
    bundle = load_bundle(options.bundle)
    if bundle.chunks:
        bundle.chunk_symbols(options.chunk)  # checks --chunk before anything is sent
    if options.repeats > MAX_REPEATS:
        raise HostError(f"--repeats must be at most {MAX_REPEATS}, got {options.repeats}")
    with Board(open_port(options), bundle, options.timeout) as board:
        info = board.info()
        board.check(info)
        result = board.bench(options.repeats)
    console = plain_console()
    console.print(_times(info, result))
    if info.target.startswith(EMULATED):
        console.print(f"{info.target} is emulated: these are not the times of a chip, so no energy is modelled")
        return 0
    chip = chips()[options.board] if options.board else chip_of(info.target)
    if chip is None:
        raise HostError(f"no current is stated for {info.target}: name its chip with --board ({', '.join(chips())})")
    radio = radios()[options.radio] if options.radio else radio_of(info.target) or radios()[DEFAULT_RADIO]
    encoder_mj = chip.millijoules(result.mean_cycles, info.clock_hz)
    features_bytes = bundle.chunk_layout(options.chunk).size if bundle.chunks else 0
    if bundle.answer:
        title = f"{bundle.name}, answer: {HEADER_BYTES} bytes"
        accuracy = _accuracy(bundle.manifest.get("accuracy_board"))
        console.print(_energy(title, {HEADER_BYTES: 1.0}, accuracy, encoder_mj, radio))
    if bundle.chunks:
        title = f"{bundle.name}, chunk {options.chunk}: {features_bytes} bytes"
        accuracy = _clean_accuracy(bundle) if options.chunk == 0 else None
        console.print(_energy(title, {features_bytes: 1.0}, accuracy, encoder_mj, radio))
    if bundle.answer and bundle.chunks and options.answers is not None:
        shares = {HEADER_BYTES: options.answers, features_bytes: 1 - options.answers}
        mean_bytes = sum(share * packet_bytes for packet_bytes, share in shares.items())
        title = f"{bundle.name}, {options.answers:.0%} answers, else chunk {options.chunk}: {mean_bytes:.1f} bytes"
        console.print(_energy(title, shares, None, encoder_mj, radio))
    console.print(_sources(chip, radio))
    return 0


def _times(info: Info, result: BenchResult) -> str:
    milliseconds = 1e3 * result.mean_cycles / info.clock_hz
    return (
        f"{info.target}, engine {info.engine}, {info.clock_hz / 1e6:g} MHz: {result.mean_cycles:,} cycles per image "
        f"({result.min_cycles:,} to {result.max_cycles:,} in {result.repeats} runs), {milliseconds:.2f} ms"
    )


def _energy(title: str, shares: dict[int, float], accuracy: float | None, encoder_mj: float, radio: Radio) -> Table:
    """Return the mean energies in mJ by spreading factor; per correct answer is per image over the accuracy.

    shares: of the images, by the bytes of their packet.
    """
    table = Table(title=f"{title} by {radio.name}, energy in mJ")
    for heading in ("", "air time, ms", "encoder", "radio", "per image", "per correct answer"):
        table.add_column(heading, justify="right")
    for sf in SPREADING_FACTORS:
        radio_mj = sum(share * radio.millijoules(packet_bytes, sf) for packet_bytes, share in shares.items())
        image_mj = encoder_mj + radio_mj
        correct = f"{image_mj / accuracy:.2f}" if accuracy else "-"
        air_ms = 1e3 * sum(share * air_time_s(packet_bytes, sf) for packet_bytes, share in shares.items())
        table.add_row(f"SF{sf}", f"{air_ms:.0f}", f"{encoder_mj:.2f}", f"{radio_mj:.2f}", f"{image_mj:.2f}", correct)
    return table


def _sources(chip: Chip, radio: Radio) -> str:
    return (
        f"modelled at {VOLTS:g} V from {chip.ma:g} mA at {chip.mhz:g} MHz ({chip.source})\n"
        f"                   and {radio.ma:g} mA at {radio.dbm:g} dBm ({radio.source})"
    )


def _clean_accuracy(bundle: Bundle) -> float | None:
    """Return the accuracy of chunk 0 at BER 0 from the manifest, if it is there."""
    by_ber = bundle.manifest.get("accuracy")
    return _accuracy(by_ber.get("0")) if isinstance(by_ber, dict) else None


def _accuracy(value: object) -> float | None:
    """Return an accuracy of the manifest, which no loader checks; None if it is not a share of images."""
    return value if (is_int(value) or isinstance(value, float)) and 0 < value <= 1 else None
