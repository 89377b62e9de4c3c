"""Fixtures of the tests of the board's client: native firmware, its bundle and golden images."""

from collections.abc import Iterator
from contextlib import AbstractContextManager

import numpy as np
import pytest

from firmware.tools import emulator
from tests.support import firmware as firmware_tools
from wire.bundle import Bundle, load


def raises(kind: type[Exception], pattern: str) -> AbstractContextManager[pytest.ExceptionInfo]:
    """Short form of pytest.raises."""
    return pytest.raises(kind, match=pattern)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with emulator.native(firmware_tools.program("native")) as url:
        yield url


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load(firmware_tools.bundle_path())


@pytest.fixture(scope="module")
def images(bundle: Bundle) -> np.ndarray:
    return np.load(bundle.golden_path)["images"]
