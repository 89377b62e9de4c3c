"""Tests of Inkling's modes: thresholds choose between two streams per image."""

import numpy as np
import pytest

from benchmarks.adaptive.schemes.cells import Cell
from benchmarks.adaptive.schemes.energy import EnergyModel
from benchmarks.adaptive.schemes.modes import Confidences, Modes, Stream, Way
from wire.lora import air_time_s

ADAPTIVE, ANSWERS, FEATURES = (f"Inkling, {mode}" for mode in ("adaptive", "answers only", "features only"))
CELL = Cell(8, -9.0)
CONFIDENCE = np.arange(160) % 16


def stream(chunk: int | None, size: int, correct: np.ndarray, header: bool = True) -> Stream:
    return Stream(Way(chunk, size, 5, header), correct, correct[:1])


@pytest.fixture
def modes() -> Modes:
    return Modes(Confidences(CONFIDENCE, CONFIDENCE), 6_000_000, EnergyModel.default())


def test_points_mix_streams_by_confidence(modes: Modes) -> None:
    right_if_sure = np.tile(CONFIDENCE >= 8, (2, 1))
    answer = stream(None, 8, right_if_sure)
    features = stream(0, 58, np.ones((2, 160), bool))
    points = {(p.scheme, p.setting): p for p in modes.points(CELL, [answer, features])}
    assert len(points) == 2 + 15
    adaptive = points[ADAPTIVE, "SF8, threshold 8, answer 4/5, 58 bytes 4/5"]
    assert adaptive.accuracy == adaptive.selected_by == 1.0
    assert adaptive.air_s == pytest.approx((air_time_s(8, 8) + air_time_s(58, 8)) / 2)
    assert adaptive.bytes == (10 + 60) / 2
    eager = points[ADAPTIVE, "SF8, threshold 4, answer 4/5, 58 bytes 4/5"]
    assert eager.accuracy == pytest.approx(0.75) and eager.air_s < adaptive.air_s
    assert points[ANSWERS, "SF8, answer 4/5, explicit header"].accuracy == pytest.approx(0.5)
    assert points[FEATURES, "SF8, 58 bytes 4/5, explicit header"].air_s == pytest.approx(air_time_s(58, 8))
    assert eager.energy_mj < adaptive.energy_mj


def test_points_report_the_spread_over_draws(modes: Modes) -> None:
    draws = np.zeros((2, 160), bool)
    draws[0, :80] = True
    (point,) = modes.points(CELL, [stream(None, 8, draws)])
    assert point.std == pytest.approx(np.std([0.5, 0.0], ddof=1)) and point.accuracy == pytest.approx(0.25)


def test_points_adapt_only_with_explicit_headers(modes: Modes) -> None:
    correct = np.ones((1, 160), bool)
    points = list(modes.points(CELL, [stream(None, 8, correct, header=False), stream(0, 58, correct)]))
    assert [p.scheme for p in points] == [ANSWERS, FEATURES]
    assert points[0].setting.endswith("implicit header") and points[0].std == 0


def test_points_of_the_soft_radio_are_a_scheme_of_their_own(modes: Modes) -> None:
    correct = np.ones((1, 160), bool)
    ways = [Way(None, 8, 0, False, soft=True), Way(0, 58, 0, False, soft=True), Way(0, 58, 5, True)]
    points = list(modes.points(CELL, [Stream(way, correct, correct) for way in ways]))
    soft = [p for p in points if p.scheme.startswith("Inkling with soft bits")]
    assert len(soft) == 2 + 15 and len(points) == len(soft) + 1
    # 64 bits are 8 symbols of SF8, after a preamble of 12.25, of 2.048 ms each.
    assert soft[0].air_s == pytest.approx(20.25 * 2.048e-3) and soft[0].bytes == 8
