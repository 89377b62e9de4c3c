"""What a frame costs a Cortex-M4 before the encoder sees it, in instructions that QEMU counts.

python -m tests.firmware.camera.test_cost        # prints them
"""

import sys
import tempfile
from pathlib import Path

from firmware.tools import emulator
from tests.firmware.ports.bare_ports import ask, build_with

CLOCK_HZ = 168_000_000
MOST = 5_000_000  # at 168 MHz and one instruction a cycle 30 ms; an ESP32 at 240 MHz has 100 ms for 24 million cycles


def instructions(folder: Path) -> dict[str, int]:
    """Of a QVGA frame in RGB565 to 32 x 32 pixels."""
    elf = build_with("qemu_stm32f405", "fit_cost_app.c", folder)
    with emulator.qemu(elf, count_instructions=True) as url:
        asked = {"colour": b"C", "grey": b"G"}
        return {kind: emulator.instructions(int(ask(url, letter)), CLOCK_HZ) for kind, letter in asked.items()}


def test_a_frame_costs_less_than_the_encoder(tmp_path: Path) -> None:
    assert all(100_000 < count < MOST for count in instructions(tmp_path).values())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print(instructions(Path(folder)))
    sys.exit()
