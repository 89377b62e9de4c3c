"""`inkling mode`: a board's mode, shown and set; modes that its model does not have."""

import pytest

from host.cli.arguments import MAX_CONFIDENCE, MODES
from tests.conftest import RunInkling
from tests.support.host import make_info
from tests.support.lines import answers, fake_line
from wire.answer import CONFIDENCES
from wire.control import Control, Info, Mode, ModeSetting, Opcode, reply


def test_names_of_modes_and_levels_are_those_of_the_wire() -> None:
    assert [mode.name.lower() for mode in Mode] == list(MODES)
    assert MAX_CONFIDENCE == CONFIDENCES - 1


def test_mode_sets_and_shows_the_mode(run_inkling: RunInkling, native_url: str) -> None:
    line = ("--port", native_url)
    shown = "device 1: mode adaptive, threshold 9: the answer if its confidence is at least 95.3%\n"
    assert run_inkling("mode", "adaptive", "--threshold", 9, *line) == (0, shown, "")
    assert run_inkling("mode", *line) == (0, shown, "")
    assert run_inkling("mode", "answer", *line) == (0, "device 1: mode answer\n", "")
    assert run_inkling("mode", "features", *line) == (0, "device 1: mode features\n", "")
    assert run_inkling("mode", "adaptive", *line)[1] == shown, "the threshold stays as it was set"
    code, out, _ = run_inkling("info", *line)
    assert code == 0 and "adaptive, threshold 9: the answer if" in out and "10 classes" in out


@pytest.mark.parametrize(
    ("info", "mode", "message"),
    [
        (make_info(classes=0, mode=0), "adaptive", "has no answer head: its only mode is features"),
        (make_info(symbols=0, mode=1), "adaptive", "has no features: its only mode is answer"),
    ],
)
def test_mode_explains_why_a_mode_is_refused(run_inkling: RunInkling, info: Info, mode: str, message: str) -> None:
    def reply_to(command: Control) -> bytes:
        assert command.opcode == Opcode.INFO, "nothing is set"
        return reply(Opcode.INFO | 0x80, command.request, info.pack(), 1, 0)

    with fake_line(answers(reply_to)) as url:
        assert run_inkling("mode", mode, "--port", url) == (
            1, "", f"inkling: the board's model 00000007 {message}\n"
        )  # fmt: skip


def test_mode_of_later_firmware_is_shown_as_a_number(run_inkling: RunInkling) -> None:
    def reply_to(command: Control) -> bytes:
        return reply(Opcode.MODE | 0x80, command.request, ModeSetting(7, 3).pack(), 1, 0)

    with fake_line(answers(reply_to)) as url:
        assert run_inkling("mode", "--port", url) == (0, "device 1: unknown mode 7\n", "")


@pytest.mark.parametrize("threshold", ["16", "-1", "high"])
def test_mode_refuses_an_impossible_threshold(run_inkling: RunInkling, threshold: str) -> None:
    code, _, err = run_inkling("mode", "--port", "unused", f"--threshold={threshold}")
    assert code == 2 and f"must be a confidence level, 0 to 15, got '{threshold}'" in err
