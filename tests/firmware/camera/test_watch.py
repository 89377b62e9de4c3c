"""Unsolicited images: by period and on motion, awake and with deep sleep in between, on the line and by radio.

The board is a process whose deep sleep returns. Times are checked from below only, because a loaded machine may delay
everything; test_watch_clock.py has the exact times.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from channel_sim import LoRa
from channel_sim.live.radio_hub import RadioHub
from firmware.tools import emulator
from host.board.port import Port
from host.receive.events import AnswerFrame, ControlFrame, FeatureFrame
from host.receive.stream import StreamReceiver
from tests.firmware.camera.native_camera import PERIOD_S, PERIODIC, Recording
from tests.firmware.radio import native_radio
from tests.support.firmware import REPLY_SECONDS, bundle_path, program
from wire.bundle import Bundle, load
from wire.control import (
    LONGEST_PREFIX,
    REPLY_BIT,
    RUN_BY_MODE,
    RUN_BY_RADIO,
    Control,
    ErrorCode,
    ErrorReply,
    Mode,
    ModeSetting,
    Opcode,
    command,
    run_data,
)
from wire.replies.status import parse_status

pytestmark = [pytest.mark.emulated, pytest.mark.slow]

AWAKE_S = 2
MOTION = f"{PERIODIC} -D INKLING_MOTION=4"
DEEP_SLEEP = f"{MOTION} -D INKLING_DEEP_SLEEP=1 -D INKLING_AWAKE_S={AWAKE_S}"


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load(bundle_path())


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    """A still scene, uint8 (120, 160, 3)."""
    return np.random.default_rng(3).integers(60, 200, (12, 16, 3), np.uint8).repeat(10, axis=0).repeat(10, axis=1)


def noisy(scene: np.ndarray, seed: int) -> np.ndarray:
    """Return the scene with a sensor's noise."""
    noise = np.random.default_rng(seed).normal(0, 6, scene.shape)
    return np.clip(np.rint(scene + noise), 0, 255).astype(np.uint8)


def moved(scene: np.ndarray) -> np.ndarray:
    """Return the scene with something dark in it."""
    other = scene.copy()
    other[40:90, 60:110] = 0
    return other


class Listener:
    """The host's end of a line: collects what the board sends but its status, with the time of each reading."""

    def __init__(self, url: str, bundle: Bundle) -> None:
        self._port, self._receiver = Port(url), StreamReceiver([bundle])
        self.events: list[tuple[float, FeatureFrame | AnswerFrame | Control]] = []

    def close(self) -> None:
        self._port.close()

    def send(self, data: bytes) -> None:
        self._port.write(data)

    def listen(self, seconds: float) -> None:
        """Collect for this time."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            for event in self._receiver.feed(self._port.read(left)):
                if isinstance(event, FeatureFrame | AnswerFrame):
                    assert isinstance(event, AnswerFrame) or event.crc_ok
                    self.events.append((time.monotonic(), event))
                elif isinstance(event, ControlFrame) and parse_status(event.control) is None:
                    self.events.append((time.monotonic(), event.control))

    def wait(self, condition: Callable[[], bool]) -> None:
        """Collect until the condition holds."""
        deadline = time.monotonic() + REPLY_SECONDS
        while not condition():
            assert time.monotonic() < deadline, self.events
            self.listen(0.05)

    @property
    def frames(self) -> list[FeatureFrame]:
        return [event for _, event in self.events if isinstance(event, FeatureFrame)]

    @property
    def answers(self) -> list[AnswerFrame]:
        return [event for _, event in self.events if isinstance(event, AnswerFrame)]

    @property
    def sequences(self) -> list[int]:
        return [frame.header.sequence for frame in self.frames]

    @property
    def replies(self) -> list[Control]:
        return [event for _, event in self.events if isinstance(event, Control)]

    @property
    def errors(self) -> list[Control]:
        return [reply for reply in self.replies if reply.opcode == Opcode.ERROR]


@contextmanager
def listening(recording: Recording, flags: str, bundle: Bundle, *arguments: str) -> Iterator[Listener]:
    with emulator.native(program("native_camera", flags), "--camera", str(recording.path), *arguments) as url:
        listener = Listener(url, bundle)
        try:
            yield listener
        finally:
            listener.close()


def test_watch_sends_numbered_images_by_period(tmp_path: Path, bundle: Bundle, scene: np.ndarray) -> None:
    started = time.monotonic()
    with listening(Recording(tmp_path / "frames", scene, moved(scene)), PERIODIC, bundle) as board:
        board.wait(lambda: len(board.frames) >= 5)
    assert [(b - a) % 32 for a, b in pairwise(board.sequences[:5])] == [1, 1, 1, 1]
    assert all(at - started >= PERIOD_S * n for (at, _), n in zip(board.events, board.sequences, strict=True))
    assert np.array_equal(board.frames[0].symbols, board.frames[2].symbols)
    assert not np.array_equal(board.frames[0].symbols, board.frames[1].symbols)


def test_watch_numbers_images_anew_after_a_restart(tmp_path: Path, bundle: Bundle, scene: np.ndarray) -> None:
    """A life begins with the next block of 112 values."""
    recording, file = Recording(tmp_path / "frames", scene), tmp_path / "counter"
    for life in range(3):
        with listening(recording, PERIODIC, bundle, "--counter", str(file)) as board:
            board.wait(lambda: bool(board.frames))
        assert board.sequences[0] - 112 * life % 32 in range(8), "early ones may be sent before the listener connects"
        assert file.read_text() == f"{112 * (life + 1)} {life + 1}\n"


def test_watch_follows_the_mode(tmp_path: Path, bundle: Bundle, scene: np.ndarray) -> None:
    """Features as built, then answers, each to the image that CAPTURE shows."""
    with listening(Recording(tmp_path / "frames", scene), PERIODIC, bundle) as board:
        board.wait(lambda: bool(board.frames))
        assert not board.answers
        board.send(command(Opcode.MODE, 200, ModeSetting(Mode.ANSWER, 0).pack()))
        board.wait(lambda: len(board.answers) >= 3)
        board.send(command(Opcode.CAPTURE, 201, bytes((RUN_BY_MODE, 0))))
        board.wait(lambda: 201 % 32 in [answer.header.sequence for answer in board.answers])
    numbers = [answer.header.sequence for answer in board.answers if answer.header.sequence != 201 % 32]
    assert [(b - a) % 32 for a, b in pairwise(numbers)] == [1] * (len(numbers) - 1), "sequence numbers go on"
    assert len({answer.answer for answer in board.answers}) == 1, "all of the same scene"


@pytest.mark.parametrize("flags", [MOTION, DEEP_SLEEP], ids=["awake", "with deep sleep"])
def test_watch_sends_only_images_with_motion(tmp_path: Path, bundle: Bundle, scene: np.ndarray, flags: str) -> None:
    """The first image is sent, the first with something in the scene, the first without it, and the last one."""
    recording = Recording(tmp_path / "frames", noisy(scene, 0))
    still = [noisy(scene, n) for n in range(1, 8)]
    with listening(recording, flags, bundle) as board:
        others = [noisy(moved(scene), n) for n in (8, 9, 10)]
        recording.replace(*still[:3], *others[:2], *still[3:], others[2])
        board.wait(lambda: 3 in board.sequences)
    sent = board.sequences[: board.sequences.index(3) + 1]
    assert sent in ([0, 1, 2, 3], [1, 2, 3]), "the first may be sent before the listener connects"
    assert not board.errors


def test_watch_stays_awake_between_commands(tmp_path: Path, bundle: Bundle, scene: np.ndarray) -> None:
    """No image follows a command within AWAKE_S, although the period is over many times."""
    commands = {}  # request: when it was sent
    with listening(Recording(tmp_path / "frames", scene, moved(scene)), DEEP_SLEEP, bundle) as board:
        for request in range(1, 7):
            commands[request] = time.monotonic()
            board.send(command(Opcode.INFO, request))
            board.listen(0.35 * AWAKE_S)
        board.wait(lambda: len(board.replies) == len(commands) and isinstance(board.events[-1][1], FeatureFrame))
    assert [reply.opcode for reply in board.replies] == [Opcode.INFO | REPLY_BIT] * len(commands)
    sent_at: float | None = None
    for at, event in board.events:
        if isinstance(event, Control):
            sent_at = commands[event.request]
        elif sent_at is not None:
            assert at - sent_at >= AWAKE_S


def test_watch_waits_for_a_command_that_is_coming_in(tmp_path: Path, bundle: Bundle, scene: np.ndarray) -> None:
    """The encoder's input belongs to a RUN while its pixels arrive; an image in between would overwrite them."""
    data = run_data(0, np.random.default_rng(1).integers(0, 256, bundle.input_shape, np.uint8).tobytes())
    with listening(Recording(tmp_path / "frames", scene), PERIODIC, bundle) as board:
        board.wait(lambda: bool(board.frames))
        for _ in range(20):  # on a loaded machine, a pause may exceed the time-out of a command
            errors = len(board.errors)
            slow, fast = ((board.sequences[-1] + 16 + n) % 32 for n in range(2))
            for piece in np.array_split(np.frombuffer(command(Opcode.RUN, 32 + slow, data), np.uint8), 25):
                board.send(piece.tobytes())
                board.listen(0.06 * PERIOD_S)
            board.wait(lambda: slow in board.sequences or len(board.errors) > errors)  # noqa: B023
            if slow in board.sequences:
                break
        board.send(command(Opcode.RUN, 32 + fast, data))
        board.wait(lambda: fast in board.sequences)
    symbols = {frame.header.sequence: frame.symbols for frame in board.frames}
    assert np.array_equal(symbols[slow], symbols[fast])


def test_watch_sends_by_radio_on_a_node(tmp_path: Path, bundle: Bundle, scene: np.ndarray) -> None:
    """Unsolicited images and a requested one go out by radio; the line carries only the reply."""
    recording = Recording(tmp_path / "frames", scene, moved(scene))
    node = program("native_radio", f"{PERIODIC} -D INKLING_CAMERA=1 {native_radio.NO_LIMIT}")
    gateway = native_radio.unlimited().gateway
    with RadioHub(LoRa(10.0), seed=1, fast=True) as hub, native_radio.receiving(hub, gateway, bundle) as host:
        options = ("--radio", f"tcp:127.0.0.1:{hub.port}", "--device", "3", "--camera", str(recording.path))
        with emulator.native(node, *options) as url:
            board = Listener(url, bundle)
            host.wait(lambda readings: len(readings) >= 3)
            requested = (host.readings[-1]["sequence"] + 16) % 32
            board.send(command(Opcode.CAPTURE, 32 + requested, bytes((RUN_BY_RADIO, LONGEST_PREFIX))))
            board.wait(lambda: bool(board.replies))
            host.wait(lambda readings: any(reading["sequence"] == requested for reading in readings))
            board.close()
        readings = host.end()
    assert not board.frames
    assert [reply.opcode for reply in board.replies] == [Opcode.CAPTURE | REPLY_BIT]
    numbers = [reading["sequence"] for reading in readings]
    numbers.remove(requested)
    assert len(numbers) >= 3 and [(b - a) % 32 for a, b in pairwise(numbers)] == [1] * (len(numbers) - 1)
    assert {(reading["device"], reading["chunk"], reading["crc_ok"]) for reading in readings} == {(3, 0, True)}


def test_watch_reports_a_failing_camera_and_retries(tmp_path: Path, bundle: Bundle, scene: np.ndarray) -> None:
    recording = Recording(tmp_path / "frames")
    with listening(recording, PERIODIC, bundle) as board:
        board.wait(lambda: len(board.errors) >= 2)
        assert not board.frames
        recording.replace(scene)
        board.wait(lambda: bool(board.frames))
    assert {ErrorReply.unpack(error.data) for error in board.errors} == {ErrorReply(ErrorCode.CAMERA, Opcode.CAPTURE)}
    assert {error.request for error in board.errors} == {0}
