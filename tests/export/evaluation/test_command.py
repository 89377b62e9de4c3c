"""Tests of `inkling evaluate` on a bundle, on runs, and on folders that are neither."""

import json
from pathlib import Path

import pytest

from tests.conftest import Exported, RunInkling, Trained
from tests.support.train import one_line


@pytest.mark.slow
@pytest.mark.training
def test_evaluate_tests_a_bundle_and_its_run_alike(
    run_inkling: RunInkling, trained: Trained, exported: Exported, tmp_path: Path
) -> None:
    figures = {}
    for name, folder in (("bundle", exported.folder), ("run", trained.folder)):
        status, printed, errors = run_inkling(
            "evaluate", folder, "--images", 32, "--draws", 2, "--out", tmp_path / name
        )
        assert (status, errors) == (0, "") and "most often confused" in printed
        figures[name] = json.loads((tmp_path / name / "evaluation.json").read_text())
        assert (tmp_path / name / "confusion.png").is_file()
    bundle, run = figures["bundle"], figures["run"]
    assert bundle["model_id"] and "model_id" not in run
    assert (bundle["images"], bundle["draws"], run["classes"]) == (32, 2, bundle["classes"])
    accuracies = [next(iter(each["host"]["accuracy"].values()))["0"]["accuracy"] for each in (bundle, run)]
    assert accuracies[0] == pytest.approx(accuracies[1], abs=0.1)
    assert len(bundle["host"]["accuracy"]) == len(run["host"]["accuracy"])
    assert ("board" in bundle) == ("board" in run)


def test_evaluate_refuses_other_folders_in_one_line(run_inkling: RunInkling, tmp_path: Path) -> None:
    status, _, errors = run_inkling("evaluate", tmp_path / "none")
    assert status == 1
    one_line(errors, "inkling: no such bundle or run: ")
    status, _, errors = run_inkling("evaluate", tmp_path)
    assert status == 1 and "is neither a bundle nor a run" in one_line(errors, "inkling: ")


@pytest.mark.parametrize("rate", ["0.6", "-0.1", "nan", "often"])
def test_evaluate_refuses_bit_error_rates_out_of_range(run_inkling: RunInkling, tmp_path: Path, rate: str) -> None:
    status, _, errors = run_inkling("evaluate", tmp_path, f"--ber={rate}")
    assert status == 2 and f"argument --ber: must be a number from 0 to 0.5, got '{rate}'" in errors
