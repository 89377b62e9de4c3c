"""Pictures that nobody asked for: by period and on motion, awake and with deep sleep between, on the line and by radio.

The board is a process whose sleep returns, so that its looks are those of a board that starts over each time.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from channel_sim import LoRa
from channel_sim.live.radio_hub import RadioHub
from firmware.tools import emulator
from host.board.port import Port
from host.receive.events import ControlFrame, FeatureFrame
from host.receive.stream import StreamReceiver
from tests.firmware.camera.camera_board import SANITIZED, program, write_frame
from tests.firmware.radio import radio_board as radio_support
from tests.support.firmware import bundle_path
from wire.bundle import Bundle, load
from wire.control import LONGEST_PREFIX, REPLY_BIT, RUN_BY_RADIO, ErrorCode, ErrorReply, Opcode, command

AWAKE = f"{SANITIZED} -D INKLING_PERIOD_S=1"
MOTION = f"{AWAKE} -D INKLING_MOTION=4"
ASLEEP = f"{MOTION} -D INKLING_DEEP_SLEEP=1 -D INKLING_AWAKE_S=2"
NUMBER = 1


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load(bundle_path())


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    """A still scene, uint8 (120, 160, 3)."""
    return np.random.default_rng(3).integers(60, 200, (12, 16, 3), np.uint8).repeat(10, axis=0).repeat(10, axis=1)


def noisy(scene: np.ndarray, seed: int) -> np.ndarray:
    """The scene once more, with a sensor's noise."""
    noise = np.random.default_rng(seed).normal(0, 6, scene.shape)
    return np.clip(np.rint(scene + noise), 0, 255).astype(np.uint8)


def moved(scene: np.ndarray) -> np.ndarray:
    """Something dark has come into the scene."""
    other = scene.copy()
    other[40:90, 60:110] = 0
    return other


class Listener:
    """What a board says by itself."""

    def __init__(self, url: str, bundle: Bundle) -> None:
        self.port, self.receiver = Port(url), StreamReceiver([bundle])
        self.frames: list[FeatureFrame] = []
        self.errors: list[ErrorReply] = []
        self.other: list[int] = []  # opcodes
        self.times: list[float] = []

    def hear(self, seconds: float, frames: int = 1000) -> None:
        """Listens for so long, or until there are so many frames in all."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and len(self.frames) < frames:
            for event in self.receiver.feed(self.port.read(min(left, 0.1))):
                if isinstance(event, FeatureFrame):
                    self.frames.append(event)
                    self.times.append(time.monotonic())
                elif isinstance(event, ControlFrame) and event.control.opcode == Opcode.ERROR:
                    assert event.control.request == 0
                    self.errors.append(ErrorReply.unpack(event.control.data))
                elif isinstance(event, ControlFrame):
                    self.other.append(event.control.opcode)

    def sequences(self) -> list[int]:
        assert all(frame.crc_ok for frame in self.frames)
        return [frame.header.sequence for frame in self.frames]


@contextmanager
def listening(folder: Path, flags: str, bundle: Bundle) -> Iterator[Listener]:
    with emulator.native(program(flags), "--camera", str(folder)) as url:
        listener = Listener(url, bundle)
        try:
            yield listener
        finally:
            listener.port.close()


def play(folder: Path, *pictures: np.ndarray) -> Path:
    """A folder of these frames."""
    folder.mkdir()
    for n, picture in enumerate(pictures):
        write_frame(folder / f"{n:02d}.ppm", picture)
    return folder


def test_a_picture_every_period_numbered_one_by_one(tmp_path: Path, bundle: Bundle, scene: np.ndarray) -> None:
    with listening(play(tmp_path / "frames", scene, moved(scene)), AWAKE, bundle) as board:
        board.hear(20, frames=5)
    numbers, gaps = board.sequences(), np.diff(board.times)
    assert [(n - numbers[0]) % 32 for n in numbers] == [0, 1, 2, 3, 4]
    assert gaps.min() > 0.8 and gaps.mean() < 2.5
    assert np.array_equal(board.frames[0].symbols, board.frames[2].symbols)
    assert not np.array_equal(board.frames[0].symbols, board.frames[1].symbols)


@pytest.mark.parametrize("flags", [MOTION, ASLEEP], ids=["awake", "with deep sleep"])
def test_on_motion_only_what_has_moved(tmp_path: Path, bundle: Bundle, scene: np.ndarray, flags: str) -> None:
    """Still, still, moved, still moved, gone again: three looks are news, the first one included."""
    still = [noisy(scene, n) for n in range(3)] + [noisy(moved(scene), 7), noisy(moved(scene), 8)]
    folder = play(tmp_path / "frames", *still, *[noisy(scene, n) for n in range(3, 40)])
    with listening(folder, flags, bundle) as board:
        board.hear(30, frames=2)
        board.hear(5)
    seen = board.sequences()
    assert seen in ([0, 1, 2], [1, 2]), seen  # the first may be gone before anyone listens
    assert not board.errors


def test_deep_sleep_waits_for_commands_first(tmp_path: Path, bundle: Bundle, scene: np.ndarray) -> None:
    """No picture while commands come, though the period is over many times; then one after the time to be awake."""
    with listening(play(tmp_path / "frames", scene), ASLEEP, bundle) as board:
        for n in range(6):
            board.port.write(command(Opcode.INFO, n))
            board.hear(0.7)
        silent_since = time.monotonic()
        assert board.other == [Opcode.INFO | REPLY_BIT] * 6 and not board.frames
        board.hear(15, frames=1)
    assert board.times[0] - silent_since > 1.0


def test_a_picture_waits_for_the_command_that_is_coming_in(tmp_path: Path, bundle: Bundle, scene: np.ndarray) -> None:
    """The encoder's input belongs to a RUN while its pixels come; an unasked look in between would spoil them."""
    pixels = np.random.default_rng(1).integers(0, 256, bundle.input_shape, np.uint8).tobytes()
    run = command(Opcode.RUN, 77, b"\0\0" + pixels)
    with listening(play(tmp_path / "frames", scene), AWAKE, bundle) as board:
        board.hear(10, frames=1)
        for piece in np.array_split(np.frombuffer(run, np.uint8), 6):
            board.port.write(piece.tobytes())
            board.hear(0.4)
        board.hear(0.3)
        board.port.write(command(Opcode.RUN, 78, b"\0\0" + pixels))
        board.hear(5, frames=len(board.frames) + 3)
    answers = {frame.header.sequence: frame.symbols for frame in board.frames}
    assert 77 % 32 in answers and np.array_equal(answers[77 % 32], answers[78 % 32])


def test_a_node_sends_its_pictures_by_radio(tmp_path: Path, bundle: Bundle, scene: np.ndarray) -> None:
    """Those that nobody asked for and the one that was; nothing of them on its line but the reply."""
    flags = f"{AWAKE} -D INKLING_CAMERA=1 {radio_support.NO_LIMIT}"
    folder = play(tmp_path / "frames", scene, moved(scene))
    gateway = radio_support.program("native_gateway", "sanitized", f"{SANITIZED} {radio_support.NO_LIMIT}")
    with RadioHub(LoRa(10.0), seed=1, fast=True) as air, radio_support.listener(air, gateway, bundle) as host:
        place = ("--radio", f"tcp:127.0.0.1:{air.port}", "--device", "3", "--camera", str(folder))
        with emulator.native(program(flags, "native_radio"), *place) as url:
            board = Listener(url, bundle)
            board.hear(5)
            board.port.write(command(Opcode.CAPTURE, 31, bytes((RUN_BY_RADIO, LONGEST_PREFIX))))
            board.hear(3)
            board.port.close()
        readings = host.end()
    assert not board.frames and not board.errors
    assert board.other == [Opcode.CAPTURE | REPLY_BIT]
    numbers = [reading["sequence"] for reading in readings]
    numbers.remove(31)
    assert len(numbers) >= 3 and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert {(reading["device"], reading["chunk"], reading["crc_ok"]) for reading in readings} == {(3, 0, True)}


def test_a_camera_that_fails_is_told_and_asked_again(tmp_path: Path, bundle: Bundle, scene: np.ndarray) -> None:
    folder = play(tmp_path / "frames")
    with listening(folder, AWAKE, bundle) as board:
        board.hear(2.5)
        assert board.errors and not board.frames
        write_frame(folder / "00.ppm", scene)
        board.hear(10, frames=1)
    assert set(board.errors) == {ErrorReply(ErrorCode.CAMERA, Opcode.CAPTURE)}
    assert len(board.frames) == 1
