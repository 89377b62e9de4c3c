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
    if bundle.answer:
        accuracy = bundle.manifest.get("accuracy_board")
        console.print(_energy(f"{bundle.name}, answer", HEADER_BYTES, accuracy, encoder_mj, radio))
    if bundle.chunks:
        accuracy = _clean_accuracy(bundle) if options.chunk == 0 else None
        packet_bytes = bundle.chunk_layout(options.chunk).size
        console.print(_energy(f"{bundle.name}, chunk {options.chunk}", packet_bytes, accuracy, encoder_mj, radio))
    console.print(_sources(chip, radio))
    return 0


def _times(info: Info, result: BenchResult) -> str:
    milliseconds = 1e3 * result.mean_cycles / info.clock_hz
    return (
        f"{info.target}, engine {info.engine}, {info.clock_hz / 1e6:g} MHz: {result.mean_cycles:,} cycles per image "
        f"({result.min_cycles:,} to {result.max_cycles:,} in {result.repeats} runs), {milliseconds:.2f} ms"
    )


def _energy(sent: str, packet_bytes: int, accuracy: float | None, encoder_mj: float, radio: Radio) -> Table:
    """Return the energies in mJ by spreading factor; per correct answer is per image over the accuracy."""
    table = Table(title=f"{sent}: {packet_bytes} bytes by {radio.name}, energy in mJ")
    for heading in ("", "air time, ms", "encoder", "radio", "per image", "per correct answer"):
        table.add_column(heading, justify="right")
    for sf in SPREADING_FACTORS:
        radio_mj = radio.millijoules(packet_bytes, sf)
        image_mj = encoder_mj + radio_mj
        correct = f"{image_mj / accuracy:.2f}" if accuracy else "-"
        air_ms = 1e3 * air_time_s(packet_bytes, sf)
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
    return by_ber.get("0") if isinstance(by_ber, dict) else None
