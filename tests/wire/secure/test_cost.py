"""Cost of secured frames on emulated boards, against limits."""

from pathlib import Path

import pytest

from tests.wire.secure.frame_cost import CLOCKS_HZ, measure

MAX_INSTRUCTIONS = 213_000  # 3 % of 7.1 M, those of the encoder of bundles/cifar10 on a Cortex-M4
MAX_SEAL_INSTRUCTIONS = 1_700_000  # for 3,072 pixels
MAX_FLASH_BYTES, MAX_STACK_BYTES = 5000, 768


@pytest.mark.emulated
@pytest.mark.parametrize("environment", CLOCKS_HZ)
def test_secured_frames_cost_little_beside_the_encoder(tmp_path: Path, environment: str) -> None:
    cost = measure(environment, tmp_path)
    seal = cost.instructions.pop("seal of a RUN")
    assert MAX_INSTRUCTIONS < seal < MAX_SEAL_INSTRUCTIONS
    assert all(0 < count < MAX_INSTRUCTIONS for count in cost.instructions.values())
    assert cost.instructions["secured features"] > cost.instructions["plain features"]
    assert 64 < cost.stack_bytes < MAX_STACK_BYTES
    assert 1000 < sum(cost.flash_bytes.values()) < MAX_FLASH_BYTES
    assert cost.keys_bytes == 32
