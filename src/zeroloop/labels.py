"""How rows' labels are spread: what a fit weighs its penalty by, starts from, and draws its samples of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from zeroloop.blocks import Block, FloatArray, Source
from zeroloop.errors import DataError


@dataclass(frozen=True, slots=True)
class Labels:
    """How the rows' labels are spread.

    Attributes:
        weights: `(K,)`, weight of each class.
        rows: number of rows of each class.

    """

    weights: FloatArray
    rows: tuple[int, ...]

    @property
    def total(self) -> float:
        """Weight of all rows."""
        return float(np.sum(self.weights))

    @property
    def shares(self) -> FloatArray:
        """Weighted share of each class, `(K,)`: what a model without features would predict."""
        return self.weights / self.total

    def against_rest(self, k: int) -> Labels:
        """Return how the labels "class k" and "another" are spread."""
        weights = np.array([self.total - self.weights[k], self.weights[k]])
        return Labels(weights, (sum(self.rows) - self.rows[k], self.rows[k]))

    def start(self, n_coefs: int, fit_intercept: bool) -> FloatArray:
        """Return coefficients of zero, with intercepts that give each class its share."""
        coef = np.zeros((len(self.rows) if len(self.rows) > 2 else 1, n_coefs))
        if fit_intercept:
            # A class without weight has its optimum at minus infinity; half a row is where to start towards it.
            logs = np.log(np.maximum(self.weights, 0.5 * self.total / sum(self.rows)))
            coef[:, 0] = logs - np.mean(logs) if len(logs) > 2 else logs[1] - logs[0]
        return coef


def count_labels(source: Source, classes: Sequence[Any], in_fold: bool = False) -> Labels:
    """Return how a source's labels are spread, by a sweep that is not counted as a pass.

    Args:
        source: the rows.
        classes: what the labels stand for.
        in_fold: whether one class with weight is enough, as it must be in a fold of a cross-validation: then no
            coefficient but the intercept can be learned.

    Raises:
        DataError: when the rows' weight is zero or lies on one class, or a class has no row.

    """
    weights, rows = source.reduce(partial(_label_totals, n_classes=len(classes)))
    return checked_labels(Labels(weights, tuple(rows.astype(int).tolist())), classes, in_fold)


def checked_labels(labels: Labels, classes: Sequence[Any], in_fold: bool = False) -> Labels:
    """Return the labels, if there is something to learn from them; see `count_labels`."""
    if labels.total <= 0:
        raise DataError("The weights of all rows used for training sum to 0; give some rows a positive weight.")
    if np.sum(labels.weights > 0) == 1 and not in_fold:
        raise DataError(
            "All rows used for training (those with a positive weight) have the same class; "
            "a logistic regression needs rows of both."
        )
    if 0 in labels.rows:
        raise DataError(
            f"None of the rows used for training has the class {classes[labels.rows.index(0)]!r}; "
            "hold out fewer rows, or leave those of that class out."
        )
    return labels


def _label_totals(block: Block, n_classes: int) -> FloatArray:
    """Return weight and number of rows of each class in one block, `(2, n_classes)`."""
    assert block.y is not None
    if n_classes == 2:
        n, positive = block.y.size, np.sum(block.y, dtype=np.float64)
        rows = np.array([n - positive, positive])
        if block.weight is None:
            return np.stack([rows, rows])
        positive = np.sum(block.weight * block.y)
        return np.stack([[np.sum(block.weight) - positive, positive], rows])
    codes = block.y.astype(np.intp)
    rows = np.bincount(codes, minlength=n_classes).astype(np.float64)
    weights = rows if block.weight is None else np.bincount(codes, block.weight, n_classes)
    return np.stack([weights, rows])
