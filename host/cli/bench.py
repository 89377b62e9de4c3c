"""`inkling bench`: time a board's encoder, and model the energy of an image from stated currents."""

import argparse

from rich.console import Console
from rich.table import Table

from host.board.board import Board
from host.board.energy import DEFAULT_RADIO, SPREADING_FACTORS, Chip, Radio, chip_of, chips, radio_of, radios
from host.cli.arguments import open_port
from host.errors import HostError
from wire import bundle as bundles
from wire.bundle import Bundle
from wire.control import BenchResult, Info
from wire.lora import air_time_s

MOST_REPEATS = 100
EMULATED = ("qemu_", "sim_", "native")  # how the names of environments without a board begin


def run(options: argparse.Namespace) -> int:
    """Time, model, show; the exit status."""
    bundle = bundles.load(options.bundle)
    bundle.chunk_symbols(options.chunk)  # checks --chunk before anything is sent
    if options.repeats > MOST_REPEATS:
        raise HostError(f"a board runs its encoder up to {MOST_REPEATS} times a command, not {options.repeats}")
    with Board(open_port(options), bundle, options.timeout) as device:
        info = device.info()
        device.check(info)
        result = device.bench(options.repeats)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.print(_times(info, result))
    if info.target.startswith(EMULATED):
        console.print(f"{info.target} is emulated: its cycles and times mean nothing, and no energy follows from them")
        return 0
    chip = chips()[options.board] if options.board else chip_of(info.target)
    if chip is None:
        raise HostError(f"no stated current for {info.target}: name its chip with --board ({', '.join(chips())})")
    radio = radios()[options.radio] if options.radio else radio_of(info.target) or radios()[DEFAULT_RADIO]
    console.print(_energy(bundle, options.chunk, info, result, chip, radio))
    console.print(f"modelled, at 3.3 V: {chip.ma:g} mA at {chip.mhz:g} MHz ({chip.source})")
    console.print(f"                    {radio.ma:g} mA at {radio.dbm:g} dBm ({radio.source})")
    return 0


def _times(info: Info, result: BenchResult) -> str:
    milliseconds = 1e3 * result.mean_cycles / info.clock_hz
    return (
        f"{info.target}, engine {info.engine}, {info.clock_hz / 1e6:g} MHz: {result.mean_cycles:,} cycles an image "
        f"({result.min_cycles:,} to {result.max_cycles:,} in {result.repeats} runs), {milliseconds:.2f} ms"
    )


def _energy(bundle: Bundle, chunk: int, info: Info, result: BenchResult, chip: Chip, radio: Radio) -> Table:
    """Energy in mJ by spreading factor; a right answer costs an image's energy over the accuracy, link clean."""
    packet = bundle.chunk_layout(chunk).size
    encoder = chip.millijoules(result.mean_cycles, info.clock_hz)
    accuracy = _accuracy(bundle) if chunk == 0 else None
    table = Table(title=f"{bundle.name}, chunk {chunk}: {packet} bytes by {radio.name}, energy in mJ")
    for heading in ("", "air time, ms", "encoder", "radio", "an image", "a right answer"):
        table.add_column(heading, justify="right")
    for sf in SPREADING_FACTORS:
        sent = radio.millijoules(packet, sf)
        total = encoder + sent
        right = f"{total / accuracy:.2f}" if accuracy else "-"
        air_ms = 1e3 * air_time_s(packet, sf)
        table.add_row(f"SF{sf}", f"{air_ms:.0f}", f"{encoder:.2f}", f"{sent:.2f}", f"{total:.2f}", right)
    return table


def _accuracy(bundle: Bundle) -> float | None:
    """Of the whole payload over a clean link, as the bundle tells it."""
    by_ber = bundle.manifest.get("accuracy")
    return by_ber.get("0") if isinstance(by_ber, dict) else None
