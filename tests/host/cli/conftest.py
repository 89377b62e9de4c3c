"""Fixtures of the tests of the host's commands: bundles, and a board."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware.tools import emulator
from tests.support import firmware as firmware_tools
from tests.support.host import make_bundle
from wire.bundle import Bundle, load


@pytest.fixture(autouse=True)
def default_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The default key file of the commands, which is missing at first: not that of whoever runs the tests."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    return tmp_path / "settings" / "inkling" / "keys.json"


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A small bundle named "first", which no firmware contains."""
    return make_bundle(tmp_path_factory.mktemp("cli") / "first")


@pytest.fixture(scope="session")
def other(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A small bundle named "second"."""
    return make_bundle(tmp_path_factory.mktemp("cli") / "second", seed=1, n_symbols=41, bits=5)


@pytest.fixture(scope="session")
def built() -> Bundle:
    """The bundle that the native firmware contains."""
    return load(firmware_tools.bundle_path())


@pytest.fixture(scope="module")
def native_url() -> Iterator[str]:
    """The URL of a board: the native firmware as a process."""
    with emulator.native(firmware_tools.program("native")) as url:
        yield url
