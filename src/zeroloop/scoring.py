"""How good predictions are: log loss, AUC, Brier score, accuracy, beside those of the base rate.

Written out here, some twenty lines, because importing a metrics library takes longer than the whole fit; the tests
compare each score with scikit-learn's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zeroloop.blocks import FloatArray
from zeroloop.errors import DataError
from zeroloop.model import Model
from zeroloop.tables.read import TableLike, open_table


@dataclass(frozen=True, slots=True)
class Scores:
    """Weighted means over rows with a known target.

    Attributes:
        log_loss: mean of `-(y log(p) + (1 - y) log(1 - p))`; 0 is perfect.
        auc: probability that a positive row is ranked above a negative one; None without rows of both. With more
            than two classes the mean over each against the rest.
        brier: mean of `(p - y)^2`; with more than two classes, summed over them.
        accuracy: share of rows whose most probable class is the true one.

    """

    log_loss: float
    auc: float | None
    brier: float
    accuracy: float


def score_rows(y: FloatArray, z: FloatArray, weight: FloatArray | None = None) -> Scores:
    """Return the scores of linear predictors against labels `y` `(m,)`.

    The predictor instead of the probability, so that a confident mistake has a finite loss.

    Args:
        y: 0 or 1, or 0 to K - 1.
        z: `(m,)`, or `(K, m)` of K classes, whose softmax is their probabilities.
        weight: `(m,)`; None for ones.

    """
    w = np.ones(y.size) if weight is None else weight
    if z.ndim > 1:
        return _score_classes(y.astype(np.intp), z, w)
    e = np.exp(-np.abs(z))
    p = np.where(z >= 0, 1.0, e) / (1 + e)

    def mean(values: FloatArray) -> float:
        return float(np.average(values, weights=w))

    return Scores(
        log_loss=mean(np.maximum(z, 0) - y * z + np.log1p(e)),
        auc=_auc(y, z, w),
        brier=mean((p - y) ** 2),
        accuracy=mean((z > 0) == (y > 0.5)),
    )


def _score_classes(y: NDArray[np.intp], z: FloatArray, weight: FloatArray) -> Scores:
    shifted = z - np.max(z, axis=0)
    logs = shifted - np.log(np.sum(np.exp(shifted), axis=0))
    right = y == np.arange(len(z))[:, np.newaxis]
    aucs = [_auc(right[k].astype(np.float64), logs[k], weight) for k in range(len(z))]
    known = [auc for auc in aucs if auc is not None]
    return Scores(
        log_loss=float(np.average(-logs[y, np.arange(y.size)], weights=weight)),
        auc=float(np.mean(known)) if len(known) == len(aucs) else None,
        brier=float(np.average(np.sum((np.exp(logs) - right) ** 2, axis=0), weights=weight)),
        accuracy=float(np.average(np.argmax(z, axis=0) == y, weights=weight)),
    )


def _auc(y: FloatArray, z: FloatArray, weight: FloatArray) -> float | None:
    """Return the area under the ROC curve, as the Mann-Whitney statistic, ties counted half.

    Source: Hanley and McNeil, "The meaning and use of the area under a ROC curve", Radiology, 1982.
    """
    order = np.argsort(z)
    z, positive, negative = z[order], (weight * y)[order], (weight * (1 - y))[order]
    total = float(np.sum(positive)) * float(np.sum(negative))
    if total <= 0:
        return None
    ties = np.flatnonzero(np.diff(z, prepend=np.nan) != 0)  # first row of each distinct value
    positive, negative = np.add.reduceat(positive, ties), np.add.reduceat(negative, ties)
    below = np.cumsum(negative) - negative
    return float(np.sum(positive * (below + negative / 2))) / total


def held_out_scores(y: FloatArray, z: FloatArray, weight: FloatArray | None, shares: Sequence[float]) -> dict[str, Any]:
    """Return the model's scores and, under `base_rate`, those of predicting each class's share of the training rows."""
    logs = np.log(shares)
    constant = np.full_like(z, logs[1] - logs[0]) if z.ndim == 1 else np.tile(logs[:, np.newaxis], y.size)
    base = asdict(score_rows(y, constant, weight))
    return {"rows": int(y.size), **asdict(score_rows(y, z, weight)), "base_rate": base}


def evaluate(model: Model, data: TableLike, threads: int | None = None) -> dict[str, Any]:
    """Return a model's scores on labelled data: `rows`, `log_loss`, `auc`, `brier`, `accuracy`, `base_rate`.

    Args:
        model: what predicts.
        data: a table with the model's features and its target; rows without a target are left out.
        threads: None for every core.

    Raises:
        DataError: for a column that is missing or of another type, or when no row has a target.

    """
    labels, predictors, weights = [], [], []
    for scored in model.scored(open_table(data), labelled=True, threads=threads):
        y, weight = scored.encoded.block.y, scored.encoded.block.weight
        assert y is not None
        use = ~np.isnan(y) & scored.known
        labels.append(y[use].astype(np.float64))
        predictors.append(model.as_softmax(scored.z[..., use]))
        weights.append(np.ones(int(np.sum(use))) if weight is None else weight[use])
    w = np.concatenate(weights) if weights else np.empty(0)
    if not np.sum(w) > 0:
        raise DataError(f"No row has a value of the target {model.schema.target.name!r} to score against.")
    return held_out_scores(np.concatenate(labels), np.concatenate(predictors, axis=-1), w, model.training.shares)
