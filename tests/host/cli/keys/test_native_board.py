"""Device keys from end to end: the commands of the host with the native firmware, across restarts of the board."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from channel_sim import BitFlips
from channel_sim.live.proxy import Proxy
from firmware.tools import emulator
from host.board.board import Board
from host.keys.key_file import KeyFile, taken_path
from host.keys.policy import Auth
from host.keys.taken import TakenImages
from host.receive.secured.devices import key_mark
from tests.conftest import RunInkling
from tests.support.firmware import program
from wire.bundle import Bundle
from wire.control import Mode, ModeSetting
from wire.secure.keys import Keys


@contextmanager
def board(*arguments: str) -> Iterator[str]:
    with emulator.native(program("native"), *arguments) as url:
        yield url


@pytest.fixture
def picture(tmp_path: Path, built: Bundle) -> Path:
    """The file of the first golden image."""
    Image.fromarray(np.load(built.golden_path)["images"][0].squeeze()).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def test_a_board_that_gets_a_key_sends_secured_frames(
    run_inkling: RunInkling, built: Bundle, default_keys: Path, picture: Path, tmp_path: Path
) -> None:
    def readings(url: str) -> list[dict]:
        code, out, err = run_inkling("run", picture, picture, "--port", url, "--bundle", built.path, "--json")
        assert code == 0, err
        return [json.loads(row) for row in out.splitlines()]

    memory = ("--counter", str(tmp_path / "memory"))
    with board(*memory) as url:
        (plain, _) = readings(url)
        assert run_inkling("keys", "add", "--port", url) == (0, f"device 1 has a new key, in {default_keys}\n", "")
        secured = readings(url)
        assert run_inkling("keys", "add", "--port", url)[1].startswith("device 1 already has its key")
    assert plain["auth"] == "none" and [one["auth"] for one in secured] == ["full", "full"]
    assert {one["class"] for one in secured} == {plain["class"]}
    first = KeyFile.load(default_keys).devices[1]
    assert first.permanent and len(first.candidates) == 1
    with board(*memory) as url:  # after a loss of power
        assert [one["auth"] for one in readings(url)] == ["full", "full"]
        assert run_inkling("keys", "rotate", "--port", url)[0] == 0
        assert [one["auth"] for one in readings(url)] == ["full", "full"]
        code, out, _ = run_inkling("keys", "list", "--port", url, "--json")
        assert code == 0 and json.loads(out)["board"]["in_file"]
        os.rename(default_keys, tmp_path / "elsewhere.json")
        code, out, err = run_inkling("run", picture, "--port", url, "--bundle", built.path)
    assert (code, out) == (1, "") and f"device 1 has a key, and {default_keys} has no key of it" in err
    second = KeyFile.load(tmp_path / "elsewhere.json").devices[1]
    assert len(second.candidates) == 1 and second.candidates != first.candidates


def test_a_command_that_fails_uses_up_a_counter_that_is_stored(
    run_inkling: RunInkling, built: Bundle, default_keys: Path, picture: Path
) -> None:
    """The board has no camera. The images of the run before and after are stored as received."""
    with board() as url:
        assert run_inkling("keys", "add", "--port", url)[0] == 0
        first = KeyFile.load(default_keys).devices[1].likely
        for command, code in ((("run", picture), 0), (("capture",), 1), (("run", picture), 0)):
            assert run_inkling(*command, "--port", url, "--bundle", built.path)[0] == code
        reported = json.loads(run_inkling("keys", "list", "--port", url, "--json")[1])["board"]["counter"]
    taken, mark = TakenImages(taken_path(default_keys)), key_mark(Keys.derive(first.key))
    begin = reported - 3
    received = [taken.was_received(1, mark, counter) for counter in range(begin, reported)]
    assert (received, taken.count(1, mark, begin, reported)) == ([True, False, True], 3)


def test_a_board_without_permanent_memory_gets_another_key(
    run_inkling: RunInkling, built: Bundle, default_keys: Path, picture: Path
) -> None:
    keys: list[list[bytes]] = []
    for _ in range(2):
        with board() as url:
            if keys:
                code, _, err = run_inkling("run", picture, "--port", url, "--bundle", built.path)
                assert code == 1 and "device 1 has no key, but" in err
            code, _, err = run_inkling("keys", "add", "--port", url)
            assert code == 0 and "has no permanent memory that works" in err
            keys.append(KeyFile.load(default_keys).devices[1].candidates)
            assert run_inkling("run", picture, "--port", url, "--bundle", built.path)[0] == 0
    assert len(keys[0]) == len(keys[1]) == 1 and keys[0] != keys[1]


@pytest.mark.parametrize("mode", [Mode.FEATURES, Mode.ANSWER])
def test_frames_of_a_noisy_line_are_authentic(
    run_inkling: RunInkling, built: Bundle, default_keys: Path, tmp_path: Path, mode: Mode
) -> None:
    """Only from the board: what the host sends arrives intact. The counter is asked for before the noise begins."""
    golden = np.load(built.golden_path)
    channel = BitFlips(0.0)
    with board("--counter", str(tmp_path / "memory")) as url:
        assert run_inkling("keys", "add", "--port", url)[0] == 0
        keys = KeyFile.load(default_keys)
        with Proxy(url, channel, seed=3) as proxy, Board.open(proxy.url, built, keys=keys) as line:
            line.mode(ModeSetting(mode, 0))
            channel.ber = np.asarray(0.05)
            frames = [line.run_by_mode(image)[0] for image in golden["images"][:20]]
            channel.ber = np.asarray(0.0)
    received = [frame for frame in frames if frame]
    assert len(received) >= 18 and all(frame.auth >= Auth.HEADER for frame in received)
    assert {frame.auth for frame in received} == {Auth.HEADER if mode == Mode.FEATURES else Auth.FULL}
