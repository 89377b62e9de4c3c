"""Fixtures of the firmware's tests."""

import pytest

from host.board import command_line
from tests.support.firmware import REPLY_SECONDS


@pytest.fixture(autouse=True)
def patient_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a reply pause for any time: on a loaded machine, emulated boards pause longer than a serial line does."""
    monkeypatch.setattr(command_line, "QUIET_S", REPLY_SECONDS)
