"""Images of boards with a key: sealed RUN and CAPTURE, and the secured frames that they return."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from channel_sim import BitFlips
from host.board.board import Board
from host.keys.key_file import KeyFile
from host.keys.policy import Auth
from host.receive.events import AnswerFrame, FeatureFrame
from tests.host.secured_board import COST, SecuredBoard
from tests.support.host import make_bundle
from tests.support.lines import answers, fake_line
from wire.bundle import Bundle
from wire.control import SEALED_BIT, Control, Mode, ModeSetting, Opcode

KEY = bytes(range(16))
RUN = Opcode.RUN | SEALED_BIT


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("secured") / "small", answer=True)


@pytest.fixture
def image(bundle: Bundle) -> np.ndarray:
    return np.zeros(bundle.input_shape, np.uint8)


@pytest.fixture
def board(bundle: Bundle) -> SecuredBoard:
    return SecuredBoard(key=KEY, model=bundle)


@pytest.fixture
def keys(tmp_path: Path) -> KeyFile:
    with KeyFile.edit(tmp_path / "keys.json") as file:
        file.add(7, KEY, permanent=True)
    return file


@contextmanager
def client(board: SecuredBoard, bundle: Bundle, keys: KeyFile) -> Iterator[Board]:
    with fake_line(answers(board.answer)) as url, Board.open(url, bundle, timeout=0.5, keys=keys) as client:
        yield client


@pytest.mark.parametrize("cost", [False, True])
@pytest.mark.parametrize("command", ["run", "capture"])
def test_features_are_secured(
    board: SecuredBoard, bundle: Bundle, keys: KeyFile, image: np.ndarray, command: str, cost: bool
) -> None:
    with client(board, bundle, keys) as line:
        send: Callable[..., tuple[FeatureFrame | None, object]] = (
            line.capture if command == "capture" else lambda *options: line.run(image, *options)
        )
        for n in range(40):  # more than there are sequence numbers
            chunk, counter = n % 3, board.counter
            sent = board.symbols(chunk)
            frame, run_cost = send(chunk, cost)
            assert frame and frame.auth == Auth.FULL and frame.sequence == counter % 32 and frame.device == 7
            first, count = bundle.chunks[chunk]
            assert np.array_equal(frame.symbols[first : first + count], sent)
            assert run_cost == (COST if cost else None)
    assert board.counter == 70_040
    refused = [one for one in board.received if one.opcode & SEALED_BIT]
    assert len(refused) == 40, "each command is sealed for the right counter at once"


def test_answers_are_secured(board: SecuredBoard, bundle: Bundle, keys: KeyFile, image: np.ndarray) -> None:
    board.mode = ModeSetting(Mode.ANSWER, 0)
    with client(board, bundle, keys) as line:
        for send in (lambda: line.run_by_mode(image, cost=True), line.capture_by_mode):
            sent = board.counter % 10
            frame, _ = send()
            assert isinstance(frame, AnswerFrame) and frame.auth == Auth.FULL and frame.answer.index == sent
        assert isinstance(line.run(image)[0], FeatureFrame), "features were requested, whatever the mode"


def test_a_moved_counter_is_no_lost_image(
    board: SecuredBoard, bundle: Bundle, keys: KeyFile, image: np.ndarray
) -> None:
    with client(board, bundle, keys) as line:
        for _ in range(3):
            board.counter += 500
            frame, _ = line.run(image)
            assert frame and frame.auth == Auth.FULL
    assert board.executed.count(Opcode.RUN) == 3


@pytest.mark.parametrize("executes", [True, False])
def test_a_lost_frame_is_followed_by_the_next(
    board: SecuredBoard, bundle: Bundle, keys: KeyFile, image: np.ndarray, executes: bool
) -> None:
    """The host does not know whether the board has used up the counter."""

    def lose(command: Control) -> bytes | None:
        if command.opcode != RUN or board.counter != 70_001:
            return None
        board.before = lambda _command: None
        if executes:
            board.execute(command)
        return bytes(80)

    with client(board, bundle, keys) as line:
        assert line.run(image)[0]
        board.before = lose
        assert line.run(image) == (None, None)
        for _ in range(2):
            counter = board.counter
            frame, _ = line.run(image)
            assert frame and frame.sequence == counter % 32
    assert board.counter == 70_003 + executes
    assert len([one for one in board.received if one.opcode == RUN]) == 4 + (not executes), "one wrong guess at most"


def replay(board: SecuredBoard, frames: list[bytes]) -> Callable[[Control], bytes | None]:
    """Return what answers each RUN with the frame of the first one."""

    def before(command: Control) -> bytes | None:
        if command.opcode != RUN:
            return None
        frames.append(board.execute(command))
        return frames[0]

    return before


def test_a_replayed_frame_is_not_taken(board: SecuredBoard, bundle: Bundle, keys: KeyFile, image: np.ndarray) -> None:
    board.before = replay(board, [])
    with client(board, bundle, keys) as line:
        assert line.run(image)[0] is not None
        for _ in range(33):
            assert line.run(image)[0] is None, "also with the same sequence number"


@pytest.mark.parametrize("is_known", [True, False])
def test_plain_frames_of_a_board_with_a_key_are_not_taken(
    board: SecuredBoard, bundle: Bundle, keys: KeyFile, image: np.ndarray, is_known: bool
) -> None:
    """Also if the line is so noisy that the board's number stays unknown."""

    def plain(command: Control) -> bytes | None:
        if command.opcode & ~SEALED_BIT == Opcode.RUN:
            sequence = (board.counter if command.opcode & SEALED_BIT else command.request) % 32
            return bundle.frame(board.symbols(), 7, sequence, answer=board.answer_of_image())
        return None if is_known else bytes(91)

    board.before = plain
    with client(board, bundle, keys) as line:
        assert line.run(image)[0] is None


def test_plain_frames_of_other_boards_are_taken_over_a_noisy_line(
    bundle: Bundle, keys: KeyFile, image: np.ndarray
) -> None:
    board = SecuredBoard(device=8, model=bundle)
    board.before = lambda command: None if command.opcode == Opcode.RUN else bytes(91)  # no reply is intact
    with client(board, bundle, keys) as line:
        frame, _ = line.run(image)
        assert frame and frame.device == 8 and frame.auth == Auth.NONE


@pytest.mark.parametrize(("require", "most_lost"), [(Auth.HEADER, 2), (Auth.FULL, 40)])
def test_damaged_frames_are_used_as_far_as_the_policy_allows(
    board: SecuredBoard, bundle: Bundle, keys: KeyFile, image: np.ndarray, require: Auth, most_lost: int
) -> None:
    with KeyFile.edit(keys.path) as file:
        file.demand(7, require)
    channel, wrong, seen = BitFlips(0.03).line(np.random.default_rng(5)), [], set()
    board.before = lambda command: channel(board.execute(command)) if command.opcode == RUN else None
    start = time.monotonic()
    with client(board, bundle, file) as line:
        for _ in range(40):
            sent = board.symbols()
            frame, _ = line.run(image)
            if frame:
                wrong.append((frame.symbols != sent).mean())
                seen.add(frame.auth)
    assert 40 - len(wrong) <= most_lost
    assert time.monotonic() - start < 15, "a refused frame must not cost a whole timeout"
    if require == Auth.HEADER:
        assert Auth.HEADER in seen and np.mean(wrong) == pytest.approx(1 - 0.97**bundle.bits_per_symbol, abs=0.03)
    else:
        assert seen <= {Auth.FULL} and len(wrong) < 5, "a frame of 60 bytes is hardly ever undamaged"
