"""Instructions that a Cortex-M4 needs to scale a camera frame to the encoder's input, counted by QEMU.

python -m tests.firmware.camera.test_cost        # prints them
"""

import sys
import tempfile
from pathlib import Path

import pytest

from firmware.tools import emulator
from tests.firmware.ports.bare_programs import ask, build_with

CLOCK_HZ = 168_000_000
# 30 ms at 168 MHz and one instruction per cycle. An ESP32 at 240 MHz has 24 million cycles in 100 ms.
MAX_INSTRUCTIONS = 5_000_000


def instructions(folder: Path) -> dict[str, int]:
    """Return the instructions for a QVGA frame in RGB565 to 32 x 32 pixels, by colour and grey."""
    elf = build_with("qemu_stm32f405", "fit_cost_app.c", folder)
    with emulator.qemu(elf, count_instructions=True) as url:
        questions = {"colour": b"C", "grey": b"G"}
        return {kind: emulator.instructions(int(ask(url, letter)), CLOCK_HZ) for kind, letter in questions.items()}


@pytest.mark.emulated
def test_fit_costs_less_than_the_encoder(tmp_path: Path) -> None:
    assert all(100_000 < count < MAX_INSTRUCTIONS for count in instructions(tmp_path).values())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print(instructions(Path(folder)))
    sys.exit()
