"""Builds with the engine tflm, for which the user has to name a library with TFLite Micro."""

from pathlib import Path

import pytest

from benchmarks.device.cli import tflm_available
from firmware.tools.build import build
from tests.support.firmware import BUILDS

BUILD = "engine-tflm"  # folder under BUILDS and name of its lock
NEEDS_TFLM = pytest.mark.skipif(
    not tflm_available(),
    reason="no library with TFLite Micro's headers in a folder of PLATFORMIO_LIB_EXTRA_DIRS: docs/firmware.md",
)


def program_with_tflm(environment: str) -> Path:
    """Build an environment with the engine tflm and return its program, under a held build_lock(BUILD)."""
    return build(environment, engine="tflm", build_dir=BUILDS / BUILD)
