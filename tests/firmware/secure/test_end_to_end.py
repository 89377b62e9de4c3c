"""Secured sites from end to end: the commands as processes, nodes on the simulated air, boards on noisy lines."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from channel_sim import LoRa
from channel_sim.live.radio_hub import RadioHub
from firmware.tools import emulator
from host.board.board import Board
from tests.firmware.camera.native_camera import PERIODIC, write_frame
from tests.firmware.radio.native_radio import (
    Golden,
    load_golden,
    receiving,
    receiving_line,
    running_node,
    unlimited,
)
from tests.host.cli import process
from tests.support import ROOT
from tests.support.firmware import REPLY_SECONDS, bundle_path, program

pytestmark = [pytest.mark.emulated, pytest.mark.slow]

NODES = (3, 4)  # over a bad and a fair channel
LAST = 200  # a node with a key whose packets the channel does not damage
BAD_SNR_DB = -10.5  # about 5 % of the packets are lost, and 3 % of the bits are flipped
FAIR_SNR_DB = -8.0  # most packets arrive intact
FEW_FLIPS = 0.15  # share of a payload's bits


@pytest.fixture(scope="module")
def golden() -> Golden:
    return load_golden()


@contextmanager
def noisy(board: str, channel: str) -> Iterator[str]:
    """Run `inkling sim proxy` in front of a board, and yield the URL of its noisy line."""
    words = ["sim", "proxy", "--board", board, "--listen", "tcp://127.0.0.1:0", "--channel", channel]
    words += ["--bundle", str(bundle_path()), "--seed", "5"]
    child = subprocess.Popen([sys.executable, "-m", "inkling", *words], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert child.stdout
        started = child.stdout.readline()
        assert started.startswith("listening on "), started
        yield started.split()[2]
    finally:
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=REPLY_SECONDS)


def add_key(url: str, keys: Path) -> str:
    """Give a board a key by `inkling keys add`, and return what the command notes."""
    code, out, err = process.run("keys", "add", "--port", url, "--keys", keys, "--timeout", REPLY_SECONDS)
    assert code == 0 and "has a new key" in out, err
    return err


def flipped(payload: str, original: str) -> float:
    """Return the share of a payload's bits, both in hex, that differ from the original's."""
    return (int(payload, 16) ^ int(original, 16)).bit_count() / (4 * len(original))


def test_a_secured_site_by_radio_takes_the_readings_of_its_own_nodes_only(golden: Golden, tmp_path: Path) -> None:
    """Beside each packet of node 3, a node without its key sends another image with its number, plain or secured."""
    programs, keys, images = unlimited(), tmp_path / "keys.json", golden.images
    sent: dict[tuple[int, int], int] = {}  # device and counter -> golden image
    with ExitStack() as stack:
        hub = stack.enter_context(
            RadioHub(LoRa(BAD_SNR_DB), seed=1, snr_db={NODES[1]: FAIR_SNR_DB, LAST: 20.0}, fast=True)
        )

        def node(device: int, key_file: Path | None = None) -> Board:
            return stack.enter_context(running_node(hub, device, programs.node, golden.bundle, key_file))

        honest = {device: node(device, keys) for device in (*NODES, LAST)}
        rogues = [node(NODES[0]), node(NODES[0], tmp_path / "other.json")]
        options = ("--keys", keys, "--require-auth", "header")
        host = stack.enter_context(receiving(hub, programs.gateway, golden.bundle, *options))
        for n in range(len(images)):
            for device in NODES:
                sent[device, honest[device].key_state().counter] = n
                honest[device].run_by_radio(images[n], chunk=0)
            for rogue in rogues:
                rogue.run_by_radio(images[(n + 1) % len(images)], chunk=0)
        honest[LAST].run_by_radio(images[0])  # packets stay in order: all others have come before it
        host.wait(lambda readings: bool(readings) and readings[-1]["device"] == LAST)
        readings, events, counts = host.end()[:-1], host.events, hub.devices
    assert {reading["auth"] for reading in readings} == {"header", "full"}
    taken = [(reading["device"], reading["image_number"]) for reading in readings]
    assert len(taken) == len({*taken}) and {*taken} <= sent.keys()
    for reading, image in zip(readings, taken, strict=True):
        assert flipped(reading["payload"], golden.payloads[sent[image]]) < FEW_FLIPS, "not the rogue's image"
    assert len(taken) >= len(sent) - sum(counts[device].lost for device in NODES) - 3
    assert counts[NODES[0]].sent == 3 * len(images) and counts[NODES[0]].lost >= 1, "the rogues and the losses are real"
    assert ("refused", NODES[0], "not authentic") in [
        (event["event"], event["device"], event.get("reason")) for event in events
    ]
    for device in NODES:
        own = [reading for reading in readings if reading["device"] == device]
        between = own[-1]["image_number"] - own[0]["image_number"] + 1 - len(own)
        assert (own[-1]["lost_total"], own[-1]["lost_total_certainty"]) == (between, "exact")


def test_run_seals_for_an_emulated_board_behind_a_noisy_line(golden: Golden, tmp_path: Path) -> None:
    """Bursts, of 1e-2 on average, in frames of images: the proxy passes replies as they are, since sealing needs them.

    QEMU's board has no permanent memory, so one board serves for the key and for the images.
    """
    keys = tmp_path / "keys.json"
    pictures = [tmp_path / f"{n:02d}.png" for n in range(len(golden.images))]
    for pixels, picture in zip(golden.images, pictures, strict=True):
        Image.fromarray(pixels).save(picture)
    with emulator.qemu(program("qemu_stm32f405")) as url:
        assert "no permanent memory" in add_key(url, keys)
        with noisy(url, "bursts:ber=0.01,burst=200") as line:
            code, out, err = process.run(
                "run", *pictures, "--port", line, "--bundle", golden.bundle.path, "--keys", keys, "--mode", "features",
                "--json",
            )  # fmt: skip
    readings = [json.loads(row) for row in out.splitlines()]
    assert [reading["image"] for reading in readings] == [str(picture) for picture in pictures], err
    received = [reading for reading in readings if reading["class"] is not None]
    assert code == (0 if len(received) == len(readings) else 1)
    assert len(received) >= 0.9 * len(pictures) and {reading["auth"] for reading in received} == {"full", "header"}
    assert {reading["index"] for reading in received} == {
        int(golden.indices[n]) for n, reading in enumerate(readings) if reading["class"] is not None
    }


def test_receive_takes_authentic_readings_of_a_camera_behind_a_noisy_line(golden: Golden, tmp_path: Path) -> None:
    """Independent flips, 1e-2: `receive` needs no intact frame."""
    keys, memory, frames = tmp_path / "keys.json", tmp_path / "memory", tmp_path / "frames"
    frames.mkdir()
    for n in range(2):
        write_frame(frames / f"{n}.ppm", np.asarray(Image.fromarray(golden.images[n]).resize((160, 120))))
    with emulator.native(program("native_camera", PERIODIC), "--camera", str(frames), "--counter", str(memory)) as url:
        assert add_key(url, keys) == ""
        options = ("--keys", keys, "--require-auth", "header")
        with noisy(url, "bsc:ber=0.01") as line, receiving_line(line, golden.bundle, *options) as host:
            host.wait(lambda readings: len(readings) >= 8)
            readings, events = host.end(), host.events
    assert {reading["auth"] for reading in readings} == {"header"}, "no payload of 1,120 bits arrives intact"
    numbers = [reading["image_number"] for reading in readings]
    assert numbers == [*range(numbers[0], numbers[0] + len(numbers))]
    assert all(reading["lost_total"] == 0 for reading in readings)
    assert 0.003 < np.mean([reading["ber"] for reading in readings]) < 0.03
    assert not [event for event in events if event["event"] == "refused"]
