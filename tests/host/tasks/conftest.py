"""The general bundle of the task tests."""

from pathlib import Path

import pytest

from tests.support.host import make_bundle
from wire.bundle import Bundle


@pytest.fixture
def general(tmp_path: Path) -> Bundle:
    """48 symbols of 3 bits, embeddings of 20 values. Each test has its own, as tasks are written to its folder."""
    return make_bundle(tmp_path / "general", n_symbols=48, embedding=20)
