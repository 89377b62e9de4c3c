"""Tests of an evaluation and its report, with a fake subject."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from export.evaluation.evaluate import evaluate, steps
from export.evaluation.report import show, write
from export.evaluation.subject import Encoded

N, CLASSES = 40, ["cat", "dog", "eel", "fox"]
LABELS = np.arange(N) % 3  # no image of a fox


class FakeSubject:
    """A host that is always right without bit errors, and a board that takes eels for dogs."""

    alone = "board"

    def __init__(self, board_only: bool = False) -> None:
        self.prefixes = {} if board_only else {"48 bytes": 128, "24 bytes": 64}

    def encode(self, images: np.ndarray, on_progress: Callable[[], None]) -> Encoded:
        for _ in images:
            on_progress()
        return Encoded(np.zeros((N, 128), np.int64), np.minimum(LABELS, 1), np.where(LABELS == 2, 2, 14))

    def predict(self, encoded: Encoded, n_symbols: int, ber: float, draw: int) -> np.ndarray:
        wrong = np.arange(N) < (100 * ber + draw if ber else 0)
        return np.where(wrong, 3, LABELS)


def run(subject: FakeSubject) -> dict:
    done: list[int] = []
    probability = np.linspace(0, 1, 16)
    figures = evaluate(subject, np.zeros((N, 1)), LABELS, CLASSES, 3, probability, done.append)
    assert sum(done) == steps(subject, N, 3)
    return figures


def test_evaluate_measures_host_board_and_adaptive_mode() -> None:
    figures = run(FakeSubject())
    by_ber = figures["host"]["accuracy"]["24 bytes"]
    assert by_ber["0"] == {"accuracy": 1.0, "std": 0.0}
    assert by_ber["0.1"]["accuracy"] == pytest.approx(1 - 11 / N) and by_ber["0.1"]["std"] == pytest.approx(1 / N)
    assert figures["host"]["per_class"] == [1.0, 1.0, 1.0, None]
    board = figures["board"]
    assert board["per_class"] == [1.0, 1.0, 0.0, None] and board["confusion"][2] == [0, 13, 0, 0]
    assert 0 < board["expected_calibration_error"] < 0.2
    rows = figures["adaptive"]["48 bytes"]
    assert rows[0]["accuracy"] == board["accuracy"] == pytest.approx(27 / N)
    assert (rows[3]["answered"], rows[3]["accuracy"]) == (27 / N, 1.0)


def test_evaluate_works_for_a_board_that_only_answers() -> None:
    figures = run(FakeSubject(board_only=True))
    assert "host" not in figures and figures["adaptive"] == {} and figures["board"]["accuracy"] == 27 / N


@pytest.mark.parametrize("board_only", [True, False])
def test_report_shows_and_writes_the_figures(tmp_path: Path, board_only: bool) -> None:
    figures, console = run(FakeSubject(board_only)), Console(record=True, width=140, file=(tmp_path / "out").open("w"))
    show(figures, console)
    text = console.export_text()
    assert "board alone: 67.50 %" in text and "board, most often confused: eel as dog 13" in text
    assert ("72.50 %" in text) != board_only  # the host at BER 0.1
    files = write(figures, tmp_path / "new" / "folder")
    assert [file.name for file in files] == ["evaluation.json", "classes.csv", "confusion.png"]
    written = json.loads(files[0].read_text(), parse_constant=pytest.fail)  # no NaN, which strict readers refuse
    assert written["classes"] == CLASSES
    rows = list(csv.reader(files[1].open()))
    assert rows[0][-1] == "accuracy of the board" and rows[3][:2] == ["eel", "13"] and rows[4][-1] == ""
    assert files[2].read_bytes().startswith(b"\x89PNG")
