"""Fixtures of the page: a site of 20 devices, its page on a real socket, and one Chromium for all tests of a worker."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.host.serve.garden import BUNDLES, Garden
from tests.host.serve.screens import chromium
from wire.bundle import Bundle, load


@pytest.fixture(scope="session")
def general(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A copy of the general bundle, to which tests add tasks."""
    return load(Path(shutil.copytree(BUNDLES / "general64", tmp_path_factory.mktemp("bundle") / "general64")))


@pytest.fixture(scope="session")
def garden(general: Bundle) -> Garden:
    """Records of an invented site, up to now. Tests that change them add records and labels of their own."""
    return Garden(time.time(), general.path)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    with chromium() as browser:
        yield browser
