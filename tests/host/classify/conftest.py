"""Model of the classification tests."""

import pytest

from tests.support.host import make_bundle
from wire.bundle import Bundle


@pytest.fixture(scope="package")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """128 symbols of 3 bits, 10 classes."""
    return make_bundle(tmp_path_factory.mktemp("classify") / "default")


@pytest.fixture(scope="package")
def adaptive(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The same with an answer head."""
    return make_bundle(tmp_path_factory.mktemp("classify") / "adaptive", seed=2, answer=True)
