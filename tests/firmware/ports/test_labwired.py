"""The STM32F405 in labwired: a second opinion on QEMU, with a clock control and a USART that QEMU lacks."""

import subprocess
import sys

import numpy as np
import pytest

from tests.support import ROOT
from tests.support.firmware import boot
from wire.payload import interleave


def test_info_and_a_golden_picture_to_the_byte() -> None:
    """With portable kernels: labwired 0.25 has none of the DSP instructions that CMSIS-NN is made of."""
    with boot("sim_stm32f405") as board:
        info = board.info()
        assert (info.target, info.model_number) == ("sim_stm32f405", board.bundle.number)
        assert info.clock_hz == 168_000_000  # the PLL of the model locks; QEMU's has none
        stored = np.load(board.bundle.golden_path)
        frame, cost = board.run(stored["images"][0].tobytes())
    assert frame[12:-2] == interleave(stored["payload"][0].tobytes(), board.bundle.chunk_bits(0))
    assert 0 < cost.encode_cycles < cost.total_cycles


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "what it takes is CHIP ELF PORT"),
        (("esp99", "x.elf", "5000"), "CHIP is esp32c3 or stm32f405"),
        (("esp32c3", "x.elf", "port"), "PORT 1..65535"),
        (("esp32c3", "none.elf", "5000"), "labwired: "),
    ],
)
def test_a_wrong_command_line_is_one_line(arguments: tuple[str, ...], said: str) -> None:
    command = [sys.executable, "-m", "firmware.tools.labwired_board", *arguments]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("inkling: ") and said in done.stderr and done.stderr.count("\n") == 1
