"""The client of a board in its modes: features, answer, adaptive; with native firmware and with fake boards."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from channel_sim import BitFlips
from channel_sim.live.proxy import Proxy
from host.board.board import Board
from host.board.errors import BoardError
from host.receive.events import AnswerFrame, FeatureFrame
from tests.host.board.conftest import raises
from tests.support.host import make_answer, make_bundle
from tests.support.lines import answers, fake_line
from wire.bundle import Bundle
from wire.control import RUN_BY_MODE, Control, Mode, ModeSetting, Opcode
from wire.model import ChunkError


@pytest.fixture
def mode_kept(url: str) -> Iterator[None]:
    """Restore the board's mode after the test."""
    with Board.open(url) as board:
        before = board.mode()
    yield
    with Board.open(url) as board:
        assert board.mode(before) == before


@pytest.mark.usefixtures("mode_kept")
@pytest.mark.parametrize("cost", [False, True])
def test_run_by_mode_returns_golden_answers_and_features(
    url: str, bundle: Bundle, images: np.ndarray, cost: bool
) -> None:
    golden = np.load(bundle.golden_path)
    levels = golden["answers"][:8, 1].tolist()
    for mode, threshold in [(Mode.FEATURES, 0), (Mode.ANSWER, 15), (Mode.ADAPTIVE, max(levels)), (Mode.ADAPTIVE, 0)]:
        with Board.open(url, bundle) as board:
            assert board.mode(ModeSetting(mode, threshold)) == ModeSetting(mode, threshold) == board.mode()
            assert (board.info().mode, board.info().threshold) == (mode, threshold)
            for n, level in enumerate(levels):
                frame, run_cost = board.run_by_mode(images[n], cost=cost)
                assert (run_cost is not None) == cost and frame
                if mode == Mode.ANSWER or (mode == Mode.ADAPTIVE and level >= threshold):
                    assert isinstance(frame, AnswerFrame)
                    assert [frame.answer.index, frame.answer.confidence] == golden["answers"][n].tolist()
                else:
                    assert isinstance(frame, FeatureFrame)
                    assert np.array_equal(frame.symbols, golden["symbols"][n]) and frame.crc_ok
            frame, _ = board.run(images[0], chunk=1)
            assert isinstance(frame, FeatureFrame), "features were requested, whatever the mode"


@pytest.mark.usefixtures("mode_kept")
@pytest.mark.parametrize(
    ("ber", "device", "most_lost"), [(0.01, None, 0), (0.05, None, 2), (0.1, None, 6), (0.1, 1, 6)]
)
def test_run_by_mode_returns_answers_through_noise(
    url: str, bundle: Bundle, images: np.ndarray, ber: float, device: int | None, most_lost: int
) -> None:
    golden = np.load(bundle.golden_path)["answers"]
    with Board.open(url) as board:
        board.mode(ModeSetting(Mode.ANSWER, 0))
    lost, start = 0, time.monotonic()
    with Proxy(url, BitFlips(ber), seed=1) as proxy, Board.open(proxy.url, bundle, device=device) as board:
        for n in range(100):
            frame, _ = board.run_by_mode(images[n % len(images)], cost=True)
            lost += frame is None
            if frame:
                assert isinstance(frame, AnswerFrame)
                assert frame.unsure or frame.answer.index == golden[n % len(images)][0]
    print(f"BER {ber:g}: {lost} of 100 lost")
    assert lost <= most_lost
    assert time.monotonic() - start < 20, "a lost answer must not cost a whole timeout"


def test_mode_is_refused_with_the_boards_error(url: str) -> None:
    with Board.open(url) as board:
        before = board.mode()
        for setting in (ModeSetting(3, 0), ModeSetting(Mode.ADAPTIVE, 16)):
            with raises(BoardError, "BAD_ARGUMENT"):
                board.mode(setting)
        assert board.mode() == before


def test_run_by_mode_of_a_board_that_only_answers(tmp_path: Path) -> None:
    alone = make_bundle(tmp_path / "alone", n_symbols=0, answer=True)

    def reply_to(command: Control) -> bytes:
        assert command.data[:2] == bytes((RUN_BY_MODE, 0))
        return make_answer(alone, command.request, device=1)

    with fake_line(answers(reply_to)) as url, Board.open(url, alone) as board:
        frame, _ = board.run_by_mode(np.zeros(alone.input_shape, np.uint8))
        assert isinstance(frame, AnswerFrame) and board.device == 1
        with raises(ChunkError, "has no features, only answers"):
            board.run(np.zeros(alone.input_shape, np.uint8))


def test_capture_by_mode_returns_answers(tmp_path: Path) -> None:
    adaptive = make_bundle(tmp_path / "adaptive", answer=True)

    def capture(command: Control) -> bytes:
        assert command.opcode == Opcode.CAPTURE and command.data == bytes((RUN_BY_MODE, 1))
        return make_answer(adaptive, command.request, device=1)

    with fake_line(answers(capture)) as url, Board.open(url, adaptive) as board:
        frame, _ = board.capture_by_mode(chunk=1)
        assert isinstance(frame, AnswerFrame) and not frame.unsure
