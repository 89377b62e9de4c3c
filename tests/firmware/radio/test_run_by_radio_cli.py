"""`inkling run --by-radio` with a native node."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from channel_sim import LoRa
from channel_sim.live.radio_hub import RadioHub
from firmware.tools import emulator
from tests.firmware.radio.native_radio import Golden, load_golden, unlimited
from tests.support import ROOT
from tests.support.firmware import REPLY_SECONDS, program
from wire.frame import HEADER_BYTES

pytestmark = pytest.mark.emulated


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


def air_ms(size: int) -> str:
    return f"{1e3 * LoRa(10.0).air_time_s(size):.1f} ms of air time"


@pytest.mark.slow
def test_run_by_radio_waits_for_air_time(golden: Golden, image: Path) -> None:
    """The first packet that a node can send is an answer, after 4 s."""
    with (
        RadioHub(LoRa(10.0), fast=True) as hub,
        emulator.native(program("native_radio"), "--radio", f"tcp:localhost:{hub.port}") as url,
    ):
        printed = run_by_radio(golden, image, url, "--mode", "adaptive", "--threshold", 15)
    assert f"by radio: answer, {air_ms(HEADER_BYTES)}" in printed


def test_run_by_radio_shows_air_time(golden: Golden, image: Path) -> None:
    options: list[list[object]] = [["--mode", "features"], ["--chunk", 1], ["--json"], ["--mode", "answer"]]
    with (
        RadioHub(LoRa(10.0), fast=True) as hub,
        emulator.native(unlimited().node, "--radio", f"tcp:localhost:{hub.port}") as url,
    ):
        texts = [run_by_radio(golden, image, url, *words) for words in options]
        assert hub.devices[1].sent == len(options)
    whole, first, _, answer = (air_ms(size) for size in sizes_of(golden))
    cost = r", \d+\.\d ms left  \d+ cycles"
    assert re.search(rf"one\.png  by radio: chunk 0, {re.escape(whole)}{cost}", texts[0])
    assert f"chunk 1, {first}" in texts[1]
    report = json.loads(texts[2])
    assert (report["chunk"], report["air_micros"]) == (0, round(1e6 * LoRa(10.0).air_time_s(sizes_of(golden)[0])))
    assert 0 < report["encode_cycles"] <= report["total_cycles"]
    assert re.search(rf"one\.png  by radio: answer, {re.escape(answer)}{cost}", texts[3])


def sizes_of(golden: Golden) -> list[int]:
    """Return the packet sizes of chunk 0, chunk 1, chunk 0 again and an answer."""
    chunks = [golden.bundle.chunk_layout(chunk).size for chunk in (0, 1, 0)]
    return [*chunks, HEADER_BYTES]
