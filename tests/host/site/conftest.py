"""A bundle and a site of the engine's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.host.site.town import Town
from tests.support.host import make_bundle
from wire.bundle import Bundle


@pytest.fixture(scope="package")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """128 symbols of 3 bits, or answers of 10 classes."""
    return make_bundle(tmp_path_factory.mktemp("site") / "camera", answer=True)


@pytest.fixture
def town(bundle: Bundle, tmp_path: Path) -> Iterator[Town]:
    town = Town(bundle, tmp_path / "state")
    yield town
    town.kill()
