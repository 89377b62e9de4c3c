"""Ridge regression in closed form, with left-out scores for every regulariser from one eigendecomposition.

Minimises sum_i w_i |y_i - W'x_i - b|^2 + regulariser |W|^2 over the weights W and the bias b. The bias is not
regularised, so it drops out once rows and targets are centred by their weighted means (Hastie, Tibshirani & Friedman,
The Elements of Statistical Learning, 2nd edition, section 3.4.1).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

NEGLIGIBLE = 1e-12  # eigenvalues below this share of the largest are rounding errors


@dataclass(frozen=True, eq=False)
class Head:
    """A linear head: scores are embeddings times weights plus bias."""

    weights: np.ndarray  # (D, C) float32
    bias: np.ndarray  # (C,) float32

    def scores(self, embeddings: np.ndarray) -> np.ndarray:
        """Map embeddings (N, D) to scores (N, C) float64."""
        return (embeddings.astype(np.float32) @ self.weights + self.bias).astype(np.float64)


class Ridge:
    """Ridge regressions of one set of rows for any regulariser.

    With s = sqrt(w), the weighted problem is an ordinary one of rows s_i x_i and targets s_i y_i. In the basis of the
    eigenvectors, a regression takes no more than a division by (eigenvalue + regulariser).
    """

    def __init__(self, rows: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> None:
        """Decompose rows (N, D) with targets (N, C) and positive weights (N,)."""
        self._roots = np.sqrt(weights)[:, None]
        self._targets = targets
        self._mean = weights @ rows / weights.sum()
        self._mean_target = weights @ targets / weights.sum()
        scaled = self._roots * (rows - self._mean)
        self._centred = self._roots * (targets - self._mean_target)
        # The smaller of the two Gram matrices has all eigenvalues that are not zero.
        if scaled.shape[0] < scaled.shape[1]:
            values, left = _eigen(scaled @ scaled.T)
            self._axes = scaled.T @ (left / np.sqrt(values))
        else:
            values, self._axes = _eigen(scaled.T @ scaled)
        self._values = values  # (R,) eigenvalues
        self._places = scaled @ self._axes  # (N, R) rows in the basis of the eigenvectors
        self._products = self._places.T @ self._centred  # (R, C)

    def head(self, regulariser: float) -> Head:
        """Return the head fitted to all rows."""
        weights = self._axes @ (self._products / (self._values + regulariser)[:, None])
        bias = self._mean_target - self._mean @ weights
        return Head(weights.astype(np.float32), bias.astype(np.float32))

    def left_out_scores(self, regulariser: float, folds: Sequence[np.ndarray]) -> np.ndarray:
        """Return scores (N, C): of each row, by a regression without the rows of its fold.

        folds: the row numbers of each; every row is in one. The weights of the remaining rows stay as they are.
        """
        scores = np.empty_like(self._targets)
        for fold, errors in self._left_out_errors(regulariser, folds):
            scores[fold] = self._targets[fold] - errors / self._roots[fold]
        return scores

    def left_out_scores_of(
        self, regulariser: float, folds: Sequence[np.ndarray], rows: np.ndarray, fold_of: np.ndarray
    ) -> np.ndarray:
        """Return scores (K, C) of other rows (K, D): of each, by a regression without the rows of a fold.

        fold_of: the number (K,) of the fold that each row's regression leaves out.
        """
        shrink = 1 / (self._values + regulariser)
        places = (rows - self._mean) @ self._axes
        scores = self._mean_target + places @ (self._products * shrink[:, None])
        for number, (fold, errors) in enumerate(self._left_out_errors(regulariser, folds)):
            own = fold_of == number
            # What the rows of the fold, with their scaled errors, contribute to the score of another row.
            kernel = (places[own] * shrink) @ self._places[fold].T + self._roots[fold].T / (self._roots**2).sum()
            scores[own] -= kernel @ errors
        return scores

    def _left_out_errors(
        self, regulariser: float, folds: Sequence[np.ndarray]
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield each fold and its rows' residuals (F, C), scaled by s, by the regression without them.

        With H the hat matrix and r the scaled residuals of the regression on all rows, they are (I - H_ff)^-1 r_f: the
        block form of the leave-one-out formula (Cook & Weisberg, Residuals and Influence in Regression, 1982, section
        2.2).
        """
        shrink = 1 / (self._values + regulariser)
        residuals = self._centred - self._places @ (self._products * shrink[:, None])
        scaled = self._places * np.sqrt(shrink)
        means = self._roots / np.linalg.norm(self._roots)  # the part of the bias in the hat matrix
        for fold in folds:
            hat = scaled[fold] @ scaled[fold].T + means[fold] @ means[fold].T
            yield fold, np.linalg.solve(np.eye(len(fold)) - hat, residuals[fold])


def _eigen(gram: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the eigenvalues (R,) that are not negligible, and their eigenvectors (K, R), of a Gram matrix (K, K)."""
    values, vectors = np.linalg.eigh(gram)
    kept = values > NEGLIGIBLE * values[-1]
    return values[kept], vectors[:, kept]
