"""Models of the receiver's tests."""

import pytest

from tests.support.host import make_bundle
from wire.bundle import Bundle


@pytest.fixture(scope="package")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """128 symbols of 3 bits, in a frame of 62 bytes."""
    return make_bundle(tmp_path_factory.mktemp("receive") / "default")


@pytest.fixture(scope="package")
def small(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """41 symbols of 5 bits."""
    return make_bundle(tmp_path_factory.mktemp("receive") / "small", seed=1, n_symbols=41, bits=5, classes=3)


@pytest.fixture(scope="package")
def adaptive(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The model of a board that sends answers of 10 classes, or 128 symbols of 3 bits in a frame of 64 bytes."""
    return make_bundle(tmp_path_factory.mktemp("receive") / "adaptive", seed=2, answer=True)
