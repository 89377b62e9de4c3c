"""Ridge regression in closed form against brute force."""

import numpy as np
import pytest

from host.tasks.ridge import Head, Ridge


def fit(rows: np.ndarray, targets: np.ndarray, weights: np.ndarray, regulariser: float) -> Head:
    """Solve the normal equations of rows with a column of ones, which is not regularised."""
    extended = np.hstack([rows, np.ones((len(rows), 1))])
    penalty = regulariser * np.diag([1.0] * rows.shape[1] + [0.0])
    solution = np.linalg.solve(extended.T * weights @ extended + penalty, extended.T * weights @ targets)
    return Head(solution[:-1], solution[-1])


@pytest.fixture(params=[(40, 6), (30, 70)], ids=["many rows", "few rows"])
def problem(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows (N, D), targets (N, 3) and weights (N,)."""
    count, size = request.param
    rng = np.random.default_rng(count)
    return rng.normal(size=(count, size)) + 1, rng.normal(size=(count, 3)), rng.uniform(0.2, 3, count)


@pytest.mark.parametrize("regulariser", [1e-3, 0.1, 10])
def test_head_solves_the_normal_equations(
    problem: tuple[np.ndarray, np.ndarray, np.ndarray], regulariser: float
) -> None:
    head, expected = Ridge(*problem).head(regulariser), fit(*problem, regulariser)
    np.testing.assert_allclose(head.weights, expected.weights, atol=1e-4)
    np.testing.assert_allclose(head.bias, expected.bias, atol=1e-4)
    assert head.weights.dtype == head.bias.dtype == np.float32


@pytest.mark.parametrize("regulariser", [1e-3, 0.1, 10])
@pytest.mark.parametrize("size", [1, 3, 7])
def test_left_out_scores_are_those_of_regressions_without_the_fold(
    problem: tuple[np.ndarray, np.ndarray, np.ndarray], regulariser: float, size: int
) -> None:
    rows, targets, weights = problem
    order = np.random.default_rng(0).permutation(len(rows))
    folds = [order[first : first + size] for first in range(0, len(rows), size)]
    scores = Ridge(rows, targets, weights).left_out_scores(regulariser, folds)
    for fold in folds:
        others = np.setdiff1d(order, fold)
        head = fit(rows[others], targets[others], weights[others], regulariser)
        np.testing.assert_allclose(scores[fold], rows[fold] @ head.weights + head.bias, atol=1e-6)


def test_left_out_scores_of_other_rows_are_those_of_regressions_without_the_fold(
    problem: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    rows, targets, weights = problem
    folds = np.array_split(np.random.default_rng(0).permutation(len(rows)), 6)
    others, fold_of = np.random.default_rng(1).normal(size=(9, rows.shape[1])), np.array([0, 1, 2, 3, 4, 5, 0, 0, 3])
    scores = Ridge(rows, targets, weights).left_out_scores_of(0.1, folds, others, fold_of)
    for row, number, score in zip(others, fold_of.tolist(), scores, strict=True):
        rest = np.setdiff1d(np.arange(len(rows)), folds[number])
        head = fit(rows[rest], targets[rest], weights[rest], 0.1)
        np.testing.assert_allclose(score, row @ head.weights + head.bias, atol=1e-6)


def test_scores_of_equal_rows_are_the_mean_target() -> None:
    rows, targets = np.ones((4, 5)), np.eye(2)[[0, 0, 0, 1]]
    ridge = Ridge(rows, targets, np.ones(4))
    np.testing.assert_allclose(ridge.head(1.0).scores(rows), np.full((4, 2), (0.75, 0.25)), atol=1e-6)
