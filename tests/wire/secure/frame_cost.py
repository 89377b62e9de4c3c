"""Cost of secured frames on emulated boards, by a program that only writes frames: instructions, stack, flash."""

import subprocess
from pathlib import Path
from typing import NamedTuple

from firmware.tools import emulator
from tests.firmware.ports.bare_programs import BARE_PORTS, ask, build_with, project_flags
from tests.support import wire_c
from tests.wire.secure import secured_c

CLOCKS_HZ = {"qemu_stm32f405": 168_000_000, "qemu_rv32imc": 1_000_000_000}
PAYLOAD_BYTES, PIXELS = 144, 3072  # of the program
QUESTIONS = {
    "plain features": b"f", "secured features": b"F", "plain answer": b"a", "secured answer": b"A",
    "tag of a status": b"T", "seal of a RUN": b"R", "keys": b"K",
}  # fmt: skip


class FrameCost(NamedTuple):
    """Cost on a processor: instructions of each of QUESTIONS, and sizes in bytes."""

    instructions: dict[str, int]
    stack_bytes: int  # the deepest to write secured features
    flash_bytes: dict[str, int]  # code and constants of each source; none has static data
    keys_bytes: int  # of RAM


def measure(environment: str, folder: Path) -> FrameCost:
    """Build the program in a folder, run it in QEMU, and return the cost. environment: one of CLOCKS_HZ."""
    elf = build_with(environment, "secure/cost_app.c", folder, [f"-I{wire_c.SOURCE}", *wire_c.SOURCES])
    with emulator.qemu(elf, environment, count_instructions=True) as url:
        clock = CLOCKS_HZ[environment]
        counts = {name: emulator.instructions(int(ask(url, letter)), clock) for name, letter in QUESTIONS.items()}
        stack, keys = int(ask(url, b"S")), int(ask(url, b"B"))
    return FrameCost(counts, stack, _flash_bytes(environment, folder), keys)


def _flash_bytes(environment: str, folder: Path) -> dict[str, int]:
    """Return the bytes of code and constants of each file, compiled as in the firmware."""
    port, sizes = BARE_PORTS[environment], {}
    for source in secured_c.SOURCES:
        out = folder / f"{source.stem}.o"
        flags = [*port.flags, "-std=c11", *project_flags(), f"-I{wire_c.SOURCE}"]
        subprocess.run([port.compiler, *flags, "-c", source, "-o", out], check=True)
        size = subprocess.run(
            [port.compiler.replace("gcc", "size"), out], capture_output=True, text=True, check=True
        ).stdout.splitlines()[1]
        text, data, bss = map(int, size.split()[:3])
        assert (data, bss) == (0, 0)
        sizes[source.name] = text
    return sizes
