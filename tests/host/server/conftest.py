"""A bundle and a broker for the tests of decoders."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.host import make_bundle
from tests.support.mqtt.broker import Mosquitto, running
from wire.bundle import Bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """128 symbols of 3 bits."""
    return make_bundle(tmp_path_factory.mktemp("decode") / "model")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A running broker."""
    with running(tmp_path) as mosquitto:
        yield mosquitto
