"""The native board with permanent memory: key and counter across restarts, at any time; status frames."""

import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from firmware.tools import emulator
from tests.firmware.camera.native_camera import Recording
from tests.firmware.camera.test_watch import PERIODIC
from tests.firmware.secure.keyed_board import DEVICE, KEY, OTHER_KEY, KeyedBoard
from tests.support.firmware import RunningBoard, program
from wire.control import REPLY_BIT, SEALED_BIT, ErrorCode, Opcode, run_data
from wire.replies.status import parse_status
from wire.secure.commands import sealed_command
from wire.secure.keys import Keys
from wire.secure.status import SECURED_STATUS, open_status

pytestmark = pytest.mark.emulated

BLOCK = 112


@contextmanager
def running(file: Path, key: bytes = KEY) -> Iterator[KeyedBoard]:
    with emulator.native(program("native"), "--counter", str(file)) as url, RunningBoard(url) as board:
        yield KeyedBoard(board, key)


def test_board_goes_on_with_its_key_and_a_higher_counter(tmp_path: Path) -> None:
    file = tmp_path / "counter"
    with running(file) as board:
        state = board.set_key()
        assert (state.has_key, state.is_permanent, state.counter) == (True, True, BLOCK)
        board.run(0)
        last = board.counter
    for start in range(3):
        with running(file) as board:
            board.send(Opcode.RUN, run_data(0, board.images[0]), sealed=False)
            opcode, board.counter = board.refused()
            assert opcode == Opcode.RUN and board.counter == last - 1 + BLOCK
            assert board.key_state().is_permanent
            board.run(start)
            last = board.counter
    words = file.read_text().split()
    assert (words[1], words[2]) == ("4", KEY.hex()) and file.stat().st_mode & 0o777 == 0o600


def test_board_whose_memory_was_erased_has_neither_key_nor_counter(tmp_path: Path) -> None:
    """Nobody needs to erase two things: the key is in the same file."""
    file = tmp_path / "counter"
    with running(file) as board:
        board.set_key()
        board.run(0)
    file.unlink()
    with running(file) as board:
        state = board.key_state()
        assert (state.has_key, state.counter) == (False, 0)
        frame, _ = board.board.run(board.images[0])
        assert frame == board.board.golden_frame(0)


def test_sealed_command_of_before_the_restart_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "counter"
    with running(file) as board:
        board.set_key()
        unused = sealed_command(board.keys, DEVICE, board.counter, Opcode.RUN, 7, run_data(0, board.images[0]))
    with running(file) as board:
        board.board.request = 7
        board.board.send(unused)
        assert board.refused()[0] == Opcode.RUN | SEALED_BIT


def test_status_frames_are_secured_once_there_is_a_key(tmp_path: Path) -> None:
    file = tmp_path / "counter"
    with running(file) as board:
        assert parse_status(board.board.next_status()) is not None
        board.set_key()
    with running(file) as board:
        frame = board.board.next_status()
        assert frame.opcode == SECURED_STATUS and len(frame.data) == 28
        status = open_status(board.keys, frame, board.board.bundle.number)
        assert status is not None and (status.boots, status.counter) == (2, 2 * BLOCK)
        assert open_status(Keys.derive(OTHER_KEY), frame, board.board.bundle.number) is None


def test_board_whose_memory_fails_sends_nothing(tmp_path: Path) -> None:
    """A folder stands where the new file is written. After a restart, the same counters would come again."""
    file = tmp_path / "counter"
    with running(file) as board:
        board.set_key()
    (tmp_path / "counter.new").mkdir()
    with running(file) as board:
        board.counter = board.key_state().counter
        board.send(Opcode.RUN, run_data(0, board.images[0]))
        assert board.error() == (ErrorCode.MEMORY, Opcode.RUN)
        board.counter += 1
        board.send(Opcode.KEY, OTHER_KEY)
        assert board.error() == (ErrorCode.MEMORY, Opcode.KEY)
        board.send(Opcode.INFO, sealed=False)
        assert board.reply(Opcode.INFO).opcode == Opcode.INFO | REPLY_BIT


def test_new_key_that_the_memory_does_not_take_leaves_none_in_use(tmp_path: Path) -> None:
    file = tmp_path / "counter"
    with running(file) as board:
        board.set_key()
        (tmp_path / "counter.new").mkdir()
        board.send(Opcode.KEY, OTHER_KEY)
        assert board.error() == (ErrorCode.MEMORY, Opcode.KEY)
        for opcode, data in ((Opcode.RUN, run_data(0, board.images[0])), (Opcode.KEY, KEY), (Opcode.PIXELS, b"")):
            board.send(opcode, data)
            assert board.error() == (ErrorCode.MEMORY, opcode | SEALED_BIT)
            board.send(opcode, data, sealed=False)
            assert board.refused()[0] == opcode
        state = board.key_state()
        assert state.has_key and state.is_permanent
    (tmp_path / "counter.new").rmdir()
    with running(file) as board:
        board.counter = board.key_state().counter
        board.run(0)


def test_unsolicited_images_are_secured_with_rising_counters(tmp_path: Path) -> None:
    """A still scene: the payloads are equal once they are decrypted."""
    file, scene = tmp_path / "counter", np.full((120, 160, 3), 90, np.uint8)
    file.write_text(f"1000000 8 {KEY.hex()}\n")
    recording = Recording(tmp_path / "frames", scene)
    camera = emulator.native(
        program("native_camera", PERIODIC), "--camera", str(recording.path), "--counter", str(file)
    )
    with camera as url, RunningBoard(url) as line:
        board = KeyedBoard(line)
        size = len(board.feature_frame(0))
        seen = [line.frame(size) for _ in range(3)]
    payloads = set()
    for frame, following in pairwise([*seen, b""]):
        tagged, payload, tag = frame[4:20], frame[20:-4], frame[-4:]
        expected = board.device.expected_features(range(1_000_000, 1_000_112), [0])
        flips = np.add(*expected.flips(tagged), dtype=int)
        counter = 1_000_000 + int(flips.argmin())
        assert flips.min() == 0 and tag == board.device.payload_tag(counter, 0, payload)
        payloads.add(board.device.crypt(counter, 0, payload))
        header = board.device.header(counter + 1, 0).encode()
        assert not following or following[4:12] == header, "the next image has the next counter"
    assert len(payloads) == 1


@pytest.mark.slow
def test_killed_board_meets_no_counter_twice_with_a_key(tmp_path: Path) -> None:
    """The process is killed at any time, also while it writes; the key changes again and again."""
    file, chance = tmp_path / "counter", random.Random(4)
    keys = [KEY, OTHER_KEY, bytes(16)]
    lines = set()
    used: set[tuple[str, int]] = set()
    for life in range(60):
        command = [str(program("native")), "--port", "tcp:0", "--counter", str(file)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
            assert child.stdout
            url = child.stdout.readline().decode().split()[1]
            with RunningBoard(url) as line:
                board = KeyedBoard(line)
                state = board.key_state()
                key = file.read_text().split()[2] if state.has_key else ""
                if state.has_key:
                    board.use(bytes.fromhex(key))
                board.counter = state.counter
                for _ in range(3 if key else 0):
                    assert (key, board.counter) not in used
                    used.add((key, board.counter))
                    board.run(0)
                board.send(Opcode.KEY, keys[life % 3], sealed=bool(key))
                time.sleep(chance.random() * 0.003)
                child.kill()
        lines.add(file.read_text().split()[2] if len(file.read_text().split()) == 3 else "")
    assert len(lines) >= 3 and len(used) > 120
