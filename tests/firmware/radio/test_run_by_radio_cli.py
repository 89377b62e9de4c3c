"""`inkling run --by-radio` with a native node."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from channel_sim import LoRa
from channel_sim.live.radio_hub import RadioHub
from firmware.tools import emulator
from tests.firmware.radio.native_radio import Golden, load_golden, unlimited
from tests.support import ROOT
from tests.support.firmware import REPLY_SECONDS, program

pytestmark = pytest.mark.emulated

LONG_CHUNK_AFTER_S = 0.112896 / 0.009  # the air time of chunk 0 at a duty cycle of 1 %


@pytest.fixture(scope="module")
def golden() -> Golden:
    return load_golden()


@pytest.fixture
def image(golden: Golden, tmp_path: Path) -> Path:
    Image.fromarray(golden.images[0].squeeze()).save(tmp_path / "one.png")
    return tmp_path / "one.png"


def run_by_radio(golden: Golden, image: Path, url: str, *options: object) -> str:
    """Run the command to its end and return its output."""
    words = ["run", image, "--port", url, "--bundle", golden.bundle.path, "--by-radio", "--timeout", REPLY_SECONDS]
    command = [sys.executable, "-m", "host", *map(str, [*words, *options])]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
def test_run_by_radio_waits_for_air_time(golden: Golden, image: Path) -> None:
    started = time.monotonic()
    with (
        RadioHub(LoRa(10.0), fast=True) as hub,
        emulator.native(program("native_radio"), "--radio", f"tcp:localhost:{hub.port}") as url,
    ):
        printed = run_by_radio(golden, image, url)
    assert "by radio: chunk 1, 77.1 ms of air time" in printed or (
        "by radio: chunk 0, 112.9 ms of air time" in printed and time.monotonic() - started > LONG_CHUNK_AFTER_S
    )


def test_run_by_radio_shows_air_time(golden: Golden, image: Path) -> None:
    with (
        RadioHub(LoRa(10.0), fast=True) as hub,
        emulator.native(unlimited().node, "--radio", f"tcp:localhost:{hub.port}") as url,
    ):
        texts = [run_by_radio(golden, image, url, *options) for options in ([], ["--chunk", 1], ["--json"])]
        assert hub.devices[1].sent == 3
    assert re.search(r"one\.png  by radio: chunk 0, 112\.9 ms of air time, \d+\.\d ms left  \d+ cycles", texts[0])
    assert "chunk 1, 77.1 ms of air time" in texts[1]
    report = json.loads(texts[2])
    assert (report["chunk"], report["air_micros"]) == (0, 112896)
    assert 0 < report["encode_cycles"] <= report["total_cycles"]
