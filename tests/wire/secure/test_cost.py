"""Cost of secured frames on emulated boards: instructions counted by QEMU, bytes of flash and of stack.

python -m tests.wire.secure.test_cost        # prints them
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from firmware.tools import emulator
from tests.firmware.ports.bare_programs import BARE_PORTS, ask, build_with, project_flags
from tests.support import wire_c
from tests.wire.secure import secured_c

CLOCKS_HZ = {"qemu_stm32f405": 168_000_000, "qemu_rv32imc": 1_000_000_000}
QUESTIONS = {
    "secured features": b"F", "plain features": b"f", "secured answer": b"A", "plain answer": b"a", "keys": b"K",
    "tag of a status": b"T", "seal of a RUN": b"R",
}  # fmt: skip
MAX_INSTRUCTIONS = 213_000  # 3 % of 7.1 M, those of the encoder of bundles/cifar10 on a Cortex-M4
MAX_SEAL_INSTRUCTIONS = 1_700_000  # for 3,072 pixels
MAX_FLASH_BYTES, MAX_STACK_BYTES = 5000, 768


def instructions(environment: str, folder: Path) -> dict[str, int]:
    """Return the instructions to write each frame, with a payload of 144 bytes, and the bytes of stack in one."""
    elf = build_with(environment, "secure/cost_app.c", folder, [f"-I{wire_c.SOURCE}", *wire_c.SOURCES])
    with emulator.qemu(elf, environment, count_instructions=True) as url:
        clock = CLOCKS_HZ[environment]
        counts = {name: emulator.instructions(int(ask(url, letter)), clock) for name, letter in QUESTIONS.items()}
        return counts | {"stack bytes": int(ask(url, b"S"))}


def flash_bytes(environment: str, folder: Path) -> dict[str, int]:
    """Return the bytes of code and constants of each file, compiled as in the firmware. None has static data."""
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


@pytest.mark.emulated
@pytest.mark.parametrize("environment", CLOCKS_HZ)
def test_secured_frames_cost_little_beside_the_encoder(tmp_path: Path, environment: str) -> None:
    counts = instructions(environment, tmp_path)
    stack, seal = counts.pop("stack bytes"), counts.pop("seal of a RUN")
    assert MAX_INSTRUCTIONS < seal < MAX_SEAL_INSTRUCTIONS
    assert all(0 < count < MAX_INSTRUCTIONS for count in counts.values())
    assert counts["secured features"] > counts["plain features"]
    assert 64 < stack < MAX_STACK_BYTES
    assert 1000 < sum(flash_bytes(environment, tmp_path).values()) < MAX_FLASH_BYTES


if __name__ == "__main__":
    for name in CLOCKS_HZ:
        with tempfile.TemporaryDirectory() as place:
            print(name, instructions(name, Path(place)), flash_bytes(name, Path(place)))
    sys.exit()
