"""Modes features, answer and adaptive: what a board sends for an image, by command and by build flag."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from firmware.tools import emulator
from firmware.tools.build import build
from firmware.tools.model import generate
from tests.firmware import random_bundle
from tests.firmware.encoders import Heads
from tests.support import ROOT
from tests.support.firmware import SANITIZED, RunningBoard, program
from wire.answer import CONFIDENCES, Answer
from wire.bundle import load
from wire.control import ErrorCode, Mode, ModeSetting, Opcode, RunCost, run_data
from wire.frame import AnswerHeader

FIRMWARE = ROOT / "firmware"
ANSWERS_ONLY, FEATURES_ONLY = Heads(0, 0, 0, 10), Heads(classes=0)


def answers_of(board: RunningBoard) -> list[Answer]:
    return [Answer(int(index), int(level)) for index, level in np.load(board.bundle.golden_path)["answers"]]


def images_of(board: RunningBoard) -> list[bytes]:
    return [image.tobytes() for image in np.load(board.bundle.golden_path)["images"]]


@pytest.fixture
def reset(board: RunningBoard) -> Iterator[RunningBoard]:
    """A board in the mode of its bundle, before and after."""
    default = ModeSetting(Mode.ADAPTIVE, board.bundle.threshold)
    assert board.mode() == default
    yield board
    board.mode(*default.pack())


@pytest.mark.emulated
class TestCommand:
    """The command MODE and RUN by mode, on every target."""

    def test_mode_is_set_and_reported(self, reset: RunningBoard) -> None:
        for mode in Mode:
            for threshold in (0, 15):
                assert reset.mode(mode, threshold) == ModeSetting(mode, threshold) == reset.mode()
                info = reset.info()
                assert (info.mode, info.threshold) == (mode, threshold)

    def test_answer_mode_sends_the_answer_of_the_reference_kernels(self, reset: RunningBoard) -> None:
        reset.mode(Mode.ANSWER)
        for image, answer in zip(images_of(reset), answers_of(reset), strict=True):
            frame = reset.run_by_mode(image)
            assert frame == reset.bundle.answer_frame(answer, 1, reset.request % 32)

    def test_features_mode_sends_features(self, reset: RunningBoard) -> None:
        reset.mode(Mode.FEATURES)
        for chunk in range(len(reset.bundle.chunks)):
            assert reset.run_by_mode(images_of(reset)[0], chunk) == reset.golden_frame(0, chunk)

    @pytest.mark.parametrize("threshold", [0, 1, 8, 15])
    def test_adaptive_mode_sends_answers_from_the_threshold_on(self, reset: RunningBoard, threshold: int) -> None:
        reset.mode(Mode.ADAPTIVE, threshold)
        for n, (image, answer) in enumerate(zip(images_of(reset), answers_of(reset), strict=True)):
            frame = reset.run_by_mode(image)
            sure = answer.confidence >= threshold
            answered = reset.bundle.answer_frame(answer, 1, reset.request % 32)
            assert frame == (answered if sure else reset.golden_frame(n))

    def test_run_without_the_flag_sends_features_in_every_mode(self, reset: RunningBoard) -> None:
        for mode in Mode:
            reset.mode(mode)
            frame, _ = reset.run(images_of(reset)[0], 1)
            assert frame == reset.golden_frame(0, 1)

    def test_run_by_mode_gives_the_cost_of_an_answer(self, reset: RunningBoard) -> None:
        reset.mode(Mode.ANSWER)
        reset.send(reset.command(Opcode.RUN, run_data(0, images_of(reset)[1], wants_cost=True, by_mode=True)))
        assert AnswerHeader.decode(reset.read(12)[4:]) is not None
        cost = RunCost.unpack(reset.reply().data)
        assert 0 < cost.encode_cycles <= cost.total_cycles
        assert reset.is_silent()

    def test_run_by_mode_checks_the_chunk_where_features_may_be_sent(self, reset: RunningBoard) -> None:
        for mode, refused in ((Mode.FEATURES, True), (Mode.ADAPTIVE, True), (Mode.ANSWER, False)):
            reset.mode(mode)
            reset.send(reset.command(Opcode.RUN, run_data(255, images_of(reset)[0], by_mode=True)))
            if refused:
                assert reset.error() == (ErrorCode.BAD_ARGUMENT, Opcode.RUN, reset.request)
            else:
                assert AnswerHeader.decode(reset.read(12)[4:]) is not None


@pytest.mark.emulated
def test_mode_lasts_until_a_reset() -> None:
    for _ in range(2):
        with emulator.native(program("native")) as url, RunningBoard(url) as board:
            assert board.mode() == ModeSetting(Mode.ADAPTIVE, board.bundle.threshold)
            board.mode(Mode.ANSWER, 3)


@pytest.mark.emulated
@pytest.mark.parametrize(
    ("heads", "only", "refused"),
    [(ANSWERS_ONLY, Mode.ANSWER, (0, 2)), (FEATURES_ONLY, Mode.FEATURES, (1, 2))],
    ids=["answers only", "features only"],
)
def test_board_refuses_modes_that_its_bundle_lacks(
    tmp_path: Path, heads: Heads, only: Mode, refused: tuple[int, int]
) -> None:
    path = random_bundle.folder(heads)
    elf = build("native", bundle=path, build_dir=tmp_path, flags=SANITIZED)
    with emulator.native(elf) as url, RunningBoard(url, bundle=load(path)) as board:
        assert board.mode() == ModeSetting(only, board.bundle.threshold)
        assert board.info().classes == board.bundle.class_count
        for mode in refused:
            board.send(board.command(Opcode.MODE, bytes((mode, 0))))
            assert board.error() == (ErrorCode.BAD_ARGUMENT, Opcode.MODE, board.request)
        image = images_of(board)[0]
        if only == Mode.ANSWER:
            answer = board.bundle.answer_frame(answers_of(board)[0], 1, (board.request + 1) % 32)
            assert board.run_by_mode(image) == answer
            board.send(board.command(Opcode.RUN, run_data(0, image)))
            assert board.error() == (ErrorCode.BAD_ARGUMENT, Opcode.RUN, board.request), "it has no features"
        else:
            assert board.run_by_mode(image) == board.golden_frame(0)


def compile_mode(heads: Heads, folder: Path, *flags: str) -> str:
    """Compile firmware/src/mode.c for a bundle with these outputs; return the compiler's messages."""
    generate(random_bundle.folder(heads), folder / "model", "portable")
    places = [
        folder / "model",
        FIRMWARE / "src",
        *(FIRMWARE / "lib" / name for name in ("board", "encoder", "wire/src")),
    ]
    command = ["gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", *flags]
    command += [*(f"-I{place}" for place in places), str(FIRMWARE / "src" / "mode.c")]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


@pytest.mark.parametrize(
    ("heads", "flags", "message"),
    [
        (Heads(), ["-DINKLING_MODE=2", "-DINKLING_THRESHOLD=0"], ""),
        (Heads(), ["-DINKLING_MODE=0", "-DINKLING_THRESHOLD=15"], ""),
        (ANSWERS_ONLY, [], ""),
        (FEATURES_ONLY, [], ""),
        (Heads(), ["-DINKLING_MODE=3"], "INKLING_MODE must be 0..2"),
        (Heads(), ["-DINKLING_MODE=-1"], "INKLING_MODE must be 0..2"),
        (Heads(), [f"-DINKLING_THRESHOLD={CONFIDENCES}"], "INKLING_THRESHOLD must be 0..15"),
        (FEATURES_ONLY, ["-DINKLING_MODE=1"], "INKLING_MODE 1 and 2 need a bundle with an answer head"),
        (FEATURES_ONLY, ["-DINKLING_MODE=2"], "INKLING_MODE 1 and 2 need a bundle with an answer head"),
        (ANSWERS_ONLY, ["-DINKLING_MODE=2"], "INKLING_MODE 0 and 2 need a bundle with latent heads"),
    ],
)
def test_build_flags_are_checked_by_the_compiler(tmp_path: Path, heads: Heads, flags: list[str], message: str) -> None:
    messages = compile_mode(heads, tmp_path, *flags)
    assert message in messages
    assert bool(messages) == bool(message)


@pytest.mark.emulated
@pytest.mark.slow
def test_build_flags_set_the_mode(tmp_path: Path) -> None:
    elf = build("native", build_dir=tmp_path, flags="-D INKLING_MODE=1 -D INKLING_THRESHOLD=3")
    with emulator.native(elf) as url, RunningBoard(url) as board:
        assert board.mode() == ModeSetting(Mode.ANSWER, 3)
