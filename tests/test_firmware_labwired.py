"""The STM32F405 in labwired: a second opinion on QEMU, with a clock control and a USART that QEMU lacks."""

import numpy as np

from tests.firmware_tools import boot
from wire.payload import interleave


def test_info_and_a_golden_picture_to_the_byte() -> None:
    """With portable kernels: labwired 0.25 has none of the DSP instructions that CMSIS-NN is made of."""
    with boot("sim_stm32f405") as board:
        info = board.info()
        assert (info.target, info.model_number) == ("sim_stm32f405", board.bundle.model_number)
        assert info.clock_hz == 168_000_000  # the PLL of the model locks; QEMU's has none
        stored = np.load(board.bundle.golden_path)
        frame, cost = board.run(stored["images"][0].tobytes())
    assert frame[12:-2] == interleave(stored["payload"][0].tobytes(), board.bundle.chunk_bits(0))
    assert 0 < cost.encode_cycles < cost.total_cycles
