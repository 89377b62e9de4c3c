"""Programs of the Arduino port, linked once per test run."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.firmware.ports import mock_arduino


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mock_arduino.build_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="session")
def program(encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return the function program(environment, *flags) that links firmware, once."""
    built: dict[tuple[str, ...], Path] = {}

    def build(name: str, *flags: str) -> Path:
        key = (name, *flags)
        if key not in built:
            built[key] = mock_arduino.build(name, encoder, tmp_path_factory.mktemp("firmware"), list(flags))
        return built[key]

    return build
