"""Air time and duty cycle of LoRa."""

import pytest

from wire.lora import DUTY_CYCLE, messages_per_hour


def test_messages_per_hour() -> None:
    assert messages_per_hour(0.1) == pytest.approx(3600 * DUTY_CYCLE / 0.1) == pytest.approx(360)
    assert messages_per_hour(0.1, duty_cycle=0.1) == pytest.approx(3600)
