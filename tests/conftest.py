"""Fixtures that several test files share."""

from collections.abc import Iterator

import pytest

from tests import firmware_tools


@pytest.fixture(scope="module", params=firmware_tools.TARGETS)
def board(request: pytest.FixtureRequest) -> Iterator[firmware_tools.Board]:
    """A running board of each target in turn: the native process, and the STM32F405 in QEMU."""
    with firmware_tools.boot(request.param) as board:
        yield board
