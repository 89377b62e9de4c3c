"""A store of each test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from host.store.store import Store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of a store that does not exist yet, in a folder that does not, either."""
    return tmp_path / "state" / "readings.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """An empty store."""
    with Store(path) as store:
        yield store
