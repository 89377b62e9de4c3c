"""The findings and the page, from figures of known values."""

from typing import Any

import pytest

from benchmarks.general.findings import findings, goals
from benchmarks.general.page import section
from benchmarks.general.schemes import names

SHOTS = ("5", "20", "100")
INKLING = {144: (53.0, 63.0, 71.0), 72: (51.0, 61.0, 68.5), 36: (46.0, 56.0, 60.0)}
LOST = {"0.01": 0.4, "0.05": 1.9, "0.1": 6.1}
OPPONENTS = {
    names.REFITTED: (40.0, 53.5, 72.0),
    names.SCRATCH: (20.0, 42.0, 60.0),
    names.PERFECT: (80.0, 84.0, 88.0),
    **{f"{kind}-{size}": (30.0, 40.0, 50.0) for kind in ("webp", "jpeg") for size in INKLING},
}


def accuracies(percent: float) -> list[float]:
    """Return three runs with this mean."""
    return [round((percent + change) / 100, 4) for change in (-1, 0, 1)]


@pytest.fixture
def figures() -> dict[str, Any]:
    """The figures of one set with the values above."""
    schemes: dict[str, Any] = {}
    for size, percents in INKLING.items():
        schemes[names.inkling(size)] = {
            "bytes": size,
            "by_shots": {
                shots: {
                    ber: {"accuracy": accuracies(percent - lost), "accuracy_sent": accuracies(percent - lost - 1)}
                    for ber, lost in ({"0": 0.0} | LOST).items()
                }
                for shots, percent in zip(SHOTS, percents, strict=True)
            },
        }
    for name, percents in OPPONENTS.items():
        by_shots = {n: {"0": {"accuracy": accuracies(percent)}} for n, percent in zip(SHOTS, percents, strict=True)}
        schemes[name] = {"by_shots": by_shots, "resolution": 32, "bare_bytes": 70.5, "file_bytes": 98.25}
    for name in (names.REFITTED, names.SCRATCH, names.PERFECT):
        del schemes[name]["resolution"]
    schemes[names.REFITTED]["features"] = {"last stage, mean": 2, "all stages, mean": 0}
    schemes[names.SCRATCH]["steps"] = {"5": 200, "20": 1000, "100": 2000}
    of_set = {
        "title": "Tiny things",
        "classes": 20,
        "class_draws": 3,
        "pool_per_class": 100,
        "test_images": 1000,
        "runs": [[0, 0], [1, 0], [2, 0]],
        "teach_cpu_s": {"5": 0.1, "20": 1.24, "100": 9.0},
        "schemes": schemes,
    }
    return {
        "bundle": "general64",
        "model_id": "0badcafe",
        "network": "efficientnet_lite0",
        "network_size": 128,
        "layers": ["conv4s2 12", "pool", "answer"],
        "payload_bytes": [144, 72, 36],
        "resolutions": [64, 32],
        "seeds": 1,
        "sets": {"tiny-imagenet": of_set},
        "command": "python -m benchmarks.general",
        "date": "2026-11-30",
        "seconds": 1.0,
    }


def test_goals_are_judged_by_the_means(figures: dict[str, Any]) -> None:
    rows = list(goals(figures))
    assert rows == [
        [
            "accuracy of 144 bytes, clean, %: at least 52 / 62 / 70",
            "5 per class: 53.0, 20 per class: 63.0, 100 per class: 71.0",
            "yes",
        ],
        ["points ahead of board alone, from scratch: at least 20", "20 per class: 21.0", "yes"],
        [
            "points ahead of board alone, pretrained trunk, refitted and reflashed: at least 10 / 10",
            "5 per class: 13.0, 20 per class: 9.5",
            "no",
        ],
        [
            "ahead of WebP and the pretrained network at every size",
            "144 bytes: +21.0, 72 bytes: +18.5, 36 bytes: +10.0 points at least",
            "yes",
        ],
        *(
            [f"points lost at BER {ber}: at most {most}", ", ".join(f"{n} per class: {lost}" for n in SHOTS), met]
            for (ber, lost), most, met in zip(LOST.items(), (0.5, 2, 6), ("yes", "yes", "no"), strict=True)
        ),
        [
            "points lost by 72 bytes: at most 3",
            "5 per class: 2.0, 20 per class: 2.0, 100 per class: 2.5",
            "yes",
        ],
        [
            "points lost by 36 bytes: at most 8",
            "5 per class: 7.0, 20 per class: 7.0, 100 per class: 11.0",
            "no",
        ],
        [
            "teaching 20 classes of 20 images after the embeddings: at most 10 s",
            "1.2 s of CPU time",
            "yes",
        ],
    ]


def test_findings_say_where_inkling_is_ahead_and_behind(figures: dict[str, Any]) -> None:
    scratch, refitted, webp, jpeg, perfect, lost = findings(figures)
    assert scratch.startswith("**Against the board alone, trained from scratch**, clean link: ahead in every run at 3 ")
    assert "ahead in every run at 2 of 3 points, behind in every run at 1, mixed at 0. Best: +13.0 points (" in refitted
    assert "Worst: -1.0 points (Tiny things, 100 images per class)" in refitted
    assert "at 9 of 9 points" in webp and "Worst: +10.0 points (Tiny things, 100 images per class, 36 bytes)" in webp
    assert jpeg.startswith("**Against JPEG of equal bytes**") and "behind in every run at 3" in perfect
    assert "a BER of 0.1 6.1 (at most 6.1); a payload of 72 bytes 2.2 (at most 2.5)" in lost
    rows = figures["sets"]["tiny-imagenet"]["schemes"][names.SCRATCH]["by_shots"]["5"]["0"]["accuracy"]
    rows[0] = 0.99
    assert "ahead in every run at 2 of 3 points, behind in every run at 0, mixed at 1" in findings(figures)[0]


def test_section_has_every_figure(figures: dict[str, Any]) -> None:
    text = section(figures)
    assert "| Inkling, 144 bytes | 53.0 ± 1.0 | 63.0 ± 1.0 | 71.0 ± 1.0 |" in text
    assert "| WebP and the pretrained network, 36 bytes | 30.0 ± 1.0 |" in text
    assert "| Inkling, 36 bytes, 100 per class | 60.0 ± 1.0 (59.0) | 59.6 ± 1.0 (58.6) |" in text
    assert "| Tiny things, WebP, 72 bytes | 32 | 70.5 | 98.2 |" in text
    assert "| Tiny things, JPEG, 72 bytes | 32 | 70.5 | - |" in text
    assert "number of problems: last stage, mean 2. Steps of the training from scratch: 200 at 5 per class" in text
    assert "Goals, on Tiny things:" in text and "{" not in text
    figures["sets"]["cells"] = figures["sets"].pop("tiny-imagenet")
    assert "Goals" not in section(figures)
