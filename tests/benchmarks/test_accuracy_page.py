"""Tests of the section on the comparison under equal terms, and of its findings, from made-up figures."""

import json
from pathlib import Path

import pytest

from benchmarks.accuracy import page
from benchmarks.accuracy.experiments import Experiment, Figures
from benchmarks.accuracy.findings import findings
from benchmarks.accuracy.references import DEVICE, references, with_instructions
from channel_sim.channels.bsc import BER_GRID
from tests.support import ROOT

GRID = [f"{ber:g}" for ber in BER_GRID]


def figures_of(experiment: Experiment, clean: float, noisy: float, **changes: object) -> Figures:
    """Return plausible figures of an experiment: accuracy `clean` without bit errors, `noisy` at any other BER."""
    grid = dict.fromkeys(GRID, noisy) | {"0": clean}
    return {
        "system": experiment.system, "dataset": experiment.dataset, "classifier": "mobilenet_v2",
        "ablation": experiment.ablation,
        "payload_bytes": 96, "ratio_rgb": 32.0, "ratio_float_features": 341.33, "encoder_macs": 356352,
        "encoder_arithmetic": "float32", "classifier_accuracy": 0.5, "epochs": 34,
        "epochs_by_part": {"system": 10, "classifier": 24}, "training_seconds": {"system": [60.0], "classifier": [1.0]},
        "accuracy": grid, "accuracy_sent": grid, "accuracy_std": dict.fromkeys(GRID, 0.001),
        "accuracy_std_over": "draws", "accuracy_true_ber_given": grid, "images": 10_000, "draws": 3, "seeds": [0],
        "hardware": "a processor", "date": "2026-11-26", **changes,
    }  # fmt: skip


def experiment_of(name: str, system: str) -> Experiment:
    return Experiment(f"cifar100-{name}", system, "cifar100", Path("a.toml"), Path("b.toml"))


WHOLE, NOXAI, PLAIN, INKLING = (
    experiment_of(*pair)
    for pair in (
        ("semanticnn", "semanticnn"),
        ("semanticnn-noxai", "semanticnn"),
        ("mobilenet_v2-plain", "plain"),
        ("inkling", "inkling"),
    )
)


@pytest.mark.parametrize(
    ("without", "verdict"),
    [
        (0.5, "it helps (+4.14 points"),
        (0.545, "no significant difference at this budget"),
        (0.58, "it lowers accuracy at this budget (-3.86"),
    ],
)
def test_findings_judge_an_ablation_by_its_figures(without: float, verdict: str) -> None:
    measured = {WHOLE.name: figures_of(WHOLE, 0.55, 0.54), NOXAI.name: figures_of(NOXAI, without, without)}
    lines = findings(measured, {WHOLE.name: None, NOXAI.name: "noxai"})
    assert lines[0].startswith(f"- **XAI.** CIFAR-100, `mobilenet_v2`: {verdict}"), lines[0]


@pytest.mark.parametrize(("noisy", "plain", "verdict"), [(0.5, 0.1, "seen"), (0.4, 0.1, "not seen at this budget")])
def test_findings_judge_robustness_by_its_figures(noisy: float, plain: float, verdict: str) -> None:
    measured = {WHOLE.name: figures_of(WHOLE, 0.55, noisy), PLAIN.name: figures_of(PLAIN, 0.55, plain)}
    lines = findings(measured, {WHOLE.name: None, PLAIN.name: None})
    robust = next(line for line in lines if "Robust" in line)
    assert f"keeps {100 * noisy / 0.55:.1f} %" in robust and robust.endswith(f": {verdict}.")
    assert any("341 : 1, supported; against the raw pixels 32 : 1" in line for line in lines)


@pytest.mark.parametrize(("teacher", "words"), [(None, "without a teacher"), ({"depth": 20}, "with a teacher")])
def test_findings_give_the_training_budget_of_inkling(teacher: dict | None, words: str) -> None:
    recipe = {"system": "inkling", "config": {"teacher": teacher}, "classifier": None}
    measured = {
        WHOLE.name: figures_of(WHOLE, 0.55, 0.5),
        INKLING.name: figures_of(INKLING, 0.6, 0.6, classifier=None, payload_bytes=48, recipe=recipe),
    }
    lines = findings(measured, {WHOLE.name: None, INKLING.name: None})
    assert f"48 bytes against 96, 34 epochs in total {words} against 34" in lines[-1]
    assert "better than `semanticnn` (+9.29 points, margin 1.37)" in lines[-1]


def test_ablation_is_what_follows_the_system_in_a_name() -> None:
    names = ("resnet20-semanticnn-device", "semanticnn-device-noxai", "semanticnn-device-unfrozen")
    found = [experiment_of(name, "semanticnn_device").ablation for name in names]
    assert found == [None, "noxai", None]


def test_findings_compare_systems_whose_base_classifiers_are_trained_only_with_each_other() -> None:
    frozen, trained, rival = (
        experiment_of(name, name.split("-")[0])
        for name in ("semanticnn", "semanticnn-unfrozen", "bottlenetpp-unfrozen")
    )
    measured = {
        frozen.name: figures_of(frozen, 0.55, 0.5),
        trained.name: figures_of(trained, 0.6, 0.55, base_trained=True),
        rival.name: figures_of(rival, 0.7, 0.7, base_trained=True),
    }
    lines = findings(measured, dict.fromkeys(measured))
    (against,) = (line for line in lines if line.startswith("- **Against"))
    assert "(CIFAR-100, `mobilenet_v2`, trained with the systems): at this budget, worse than `bottlenetpp`" in against


def test_findings_lead_from_semanticnn_on_a_device_to_inkling_of_the_same_bytes() -> None:
    accuracies = {"semanticnn-device": 0.4, "semanticnn-inkling": 0.45, "inkling-frozen": 0.44, "equal-inkling": 0.6}
    measured = {PLAIN.name: figures_of(PLAIN, 0.5, 0.5)}
    for name, accuracy in accuracies.items():
        system = "inkling" if name == "equal-inkling" else name.replace("-", "_")
        base = {"classifier": None, "recipe": {"config": {"teacher": None}}} if system == "inkling" else {}
        one = experiment_of(name, system)
        measured[one.name] = figures_of(one, accuracy, accuracy, **base)
    shorter = figures_of(INKLING, 0.9, 0.9, classifier=None, payload_bytes=48, recipe={"config": {"teacher": None}})
    measured[INKLING.name] = shorter
    (line,) = (line for line in findings(measured, dict.fromkeys(measured)) if "**From SemanticNN" in line)
    assert "(CIFAR-100, `mobilenet_v2`): Inkling's encoder +5.00 points, margin 1.37; Inkling's host -1.00" in line
    assert "joint training +16.00 points" in line
    del measured["cifar100-inkling-frozen"]
    (line,) = (line for line in findings(measured, dict.fromkeys(measured)) if "**From SemanticNN" in line)
    assert line.endswith("Inkling's encoder +5.00 points, margin 1.37.")


def test_section_tells_trained_base_classifiers_and_the_boards_own_answers() -> None:
    one = experiment_of("agilenn-unfrozen", "agilenn")
    figures = figures_of(one, 0.6, 0.5, base_trained=True, accuracy_board={"0": 0.25})
    text = page.section([one], {one.name: figures})
    assert "| `agilenn-unfrozen` | `mobilenet_v2`, trained | 96 |" in text
    assert "The board's own answers, which travel with the symbols: `agilenn-unfrozen` 25.00 %." in text


def test_section_shows_instructions_and_what_ships_beside_the_comparison(tmp_path: Path) -> None:
    (tmp_path / DEVICE).mkdir(parents=True)
    cost = {"cortex-m4": {"aot": {"instructions": 1_290_000}, "aot_bakenn_add": {"instructions": 1_280_000}}}
    (tmp_path / DEVICE / "device.json").write_text(json.dumps({WHOLE.name: cost}))
    shipped = {"cifar100": {"cortex-m4": {"aot": {"instructions": 7_100_000}}}}
    (tmp_path / "device.json").write_text(json.dumps(shipped))
    macs = {"cifar100": {"encoder_macs": 1451952}, "cifar100-board": {"encoder_macs": 1431152}}
    (tmp_path / "device_details.json").write_text(json.dumps(macs))
    codec = json.loads((ROOT / "benchmarks" / "results" / "codec_cifar100.json").read_text())
    (tmp_path / "codec_cifar100.json").write_text(json.dumps(codec))
    measured = with_instructions({WHOLE.name: figures_of(WHOLE, 0.55, 0.5)}, tmp_path)
    text = page.section([WHOLE], measured, references(tmp_path))
    assert "| 356,352 | 1.28 M | 24 + 10 | 1 | 55.00 | 50.00 |" in text
    bundle, board = (line for line in text.splitlines() if "by the recipe of the bundles, 2,000 images | -" in line)
    clean = codec["payload_bytes"]["140"]["by_ber"]["0"]["accuracy"]
    assert bundle.startswith("| the bundle `cifar100`, ") and f"| 7.10 M | 0 + 72 | - | {100 * clean:.2f} |" in bundle
    assert board.startswith("| a board alone `cifar100-board`, ") and "| 2 | 1536.0 | - | 1,431,152 int8 | - |" in board
    assert {line.count("|") for line in text.splitlines() if line.startswith("| the bundle")} == {17, 9}


def test_section_names_what_is_missing(tmp_path: Path) -> None:
    text = page.section([WHOLE, NOXAI, PLAIN], {WHOLE.name: figures_of(WHOLE, 0.55, 0.5)})
    assert "| `mobilenet_v2-plain` | not measured yet |" in text
    assert "| CIFAR-100 | `semanticnn-noxai` | not measured yet |" in text and "- **XAI.** Not measured yet." in text
    assert "`mobilenet_v2` 50.00 % (in the paper: 58.26 %)" in text
    assert (
        "| `semanticnn` | `mobilenet_v2`, frozen | 96 | 32.0 | 341.3 | 356,352 | - | 24 + 10 | 1 | 55.00 | 50.00 |"
        in text
    )
    assert page.draw(tmp_path, {WHOLE.name: figures_of(WHOLE, 0.55, 0.5)}) == ["systems-cifar100.png"]
    assert (tmp_path / "systems-cifar100.png").stat().st_size > 1000
