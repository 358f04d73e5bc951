"""How rows' labels are spread: what a fit weighs its penalty by, starts from, and draws its samples of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from numbers import Real
from typing import Any

import numpy as np

from zeroloop.algebra import log
from zeroloop.blocks import Block, FloatArray, Source
from zeroloop.errors import DataError, OptionError
from zeroloop.kernels.totals import LEAST_WEIGHT, MOST_WEIGHT


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
            logs = log(np.maximum(self.weights, 0.5 * self.total / sum(self.rows)))
            coef[:, 0] = logs - np.mean(logs) if len(logs) > 2 else logs[1] - logs[0]
        return coef


def class_weights(given: Any, classes: Sequence[Any], totals: FloatArray) -> FloatArray:
    """Return the weight of each class, `(K,)`, that `class_weight` asks for, as scikit-learn has it.

    Args:
        given: "balanced", or a mapping of classes to weights; 1 for a class that it does not name.
        classes: the labels.
        totals: `(K,)`, weight of the rows of each.

    Raises:
        OptionError: for a weight that is no number of at least 0, a label that is no class, where a class is not
            named, and for "balanced" where a class has no weight.

    """
    if isinstance(given, str):
        if given != "balanced":
            raise OptionError(f"class_weight is {given!r}; it must be 'balanced', a weight for each class, or None.")
        if not np.all(totals > 0):
            none = classes[int(np.argmin(totals))]
            raise OptionError(
                f"class_weight is 'balanced', but no row of class {none!r} has a positive weight, so none can balance "
                "it; leave the rows of that class out, or give a weight for each class."
            )
        return np.asarray(np.sum(totals) / (len(totals) * totals))
    if not isinstance(given, Mapping):
        raise OptionError(
            f"class_weight is a {type(given).__name__}; it must be 'balanced', a weight for each class such as "
            f"{{{classes[0]!r}: 1, {classes[1]!r}: 2}}, or None."
        )
    for label, weight in given.items():
        is_number = isinstance(weight, Real) and not isinstance(weight, bool | np.bool_)
        if not is_number or not 0 <= weight <= MOST_WEIGHT:
            raise OptionError(
                f"class_weight of {label!r} is {weight!r}; it must be a number from 0 to {MOST_WEIGHT:g}."
            )
    unknown = [label for label in given if label not in classes]
    if unknown and not all(label in given for label in classes):
        named = ", ".join(map(repr, classes[:5])) + (", ..." if len(classes) > 5 else "")
        raise OptionError(f"class_weight names {unknown[0]!r}, which is no class of y; the classes are {named}.")
    return np.array([float(given.get(label, 1.0)) for label in classes])


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


def check_total(total: float) -> None:
    """Raise DataError where the weights of all rows sum to nothing, or to almost nothing."""
    if total <= 0:
        raise DataError("The weights of all rows used for training sum to 0; give some rows a positive weight.")
    if total < LEAST_WEIGHT:
        raise DataError(
            f"The weights of all rows used for training sum to {total:g}, less than float64 can compute with; multiply "
            "them by a constant, so that they are about 1."
        )


def checked_labels(labels: Labels, classes: Sequence[Any], in_fold: bool = False) -> Labels:
    """Return the labels, if there is something to learn from them; see `count_labels`."""
    check_total(labels.total)
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
