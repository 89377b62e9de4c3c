"""Fixtures of the API: a site of 20 devices, and a client."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from host.serve.app import make_app
from host.serve.hub import Hub
from tests.host.serve.api_client import FakeActions
from tests.host.serve.garden import BUNDLES, Garden
from wire.bundle import Bundle, load


@pytest.fixture(scope="session")
def general(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A copy of the general bundle, to which tests add tasks."""
    return load(Path(shutil.copytree(BUNDLES / "general64", tmp_path_factory.mktemp("bundle") / "general64")))


@pytest.fixture(scope="session")
def garden(general: Bundle) -> Garden:
    """Records of an invented site, up to now. Tests that change them add records and labels of their own."""
    return Garden(time.time(), general.path)


@pytest.fixture(scope="module")
def actions() -> FakeActions:
    return FakeActions()


@pytest.fixture(scope="module")
def client(garden: Garden, actions: FakeActions) -> Iterator[TestClient]:
    app = make_app(garden.store, Hub(), garden.settings, actions)
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client
