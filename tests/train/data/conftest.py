"""Fixtures of the tests of data sets."""

from pathlib import Path

import pytest


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder `data` and an empty cache `cache`."""
    for name, variable in (("data", "INKLING_DATA"), ("cache", "INKLING_CACHE")):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(variable, str(tmp_path / name))
    return tmp_path
