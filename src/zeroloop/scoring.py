"""How good predictions are: log loss, AUC, Brier score, accuracy, beside those of the base rate.

Written out here, some twenty lines, because importing a metrics library takes longer than the whole fit; the tests
compare each score with scikit-learn's.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from zeroloop.blocks import FloatArray
from zeroloop.errors import DataError
from zeroloop.model import Model
from zeroloop.tables.read import TableLike, open_table


@dataclass(frozen=True, slots=True)
class Scores:
    """Weighted means over rows with a known target.

    Attributes:
        log_loss: mean of `-(y log(p) + (1 - y) log(1 - p))`; 0 is perfect.
        auc: probability that a positive row is ranked above a negative one; None without rows of both.
        brier: mean of `(p - y)^2`.
        accuracy: share of rows whose more probable value is the true one.

    """

    log_loss: float
    auc: float | None
    brier: float
    accuracy: float


def score_rows(y: FloatArray, z: FloatArray, weight: FloatArray | None = None) -> Scores:
    """Return the scores of linear predictors `z` `(m,)` against labels `y` `(m,)`, 0 or 1.

    The predictor instead of the probability, so that a confident mistake has a finite loss.
    """
    w = np.ones_like(z) if weight is None else weight
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


def held_out_scores(y: FloatArray, z: FloatArray, weight: FloatArray | None, base_rate: float) -> dict[str, Any]:
    """Return the model's scores and, under `base_rate`, those of predicting the training rows' base rate."""
    constant = np.full_like(z, math.log(base_rate / (1 - base_rate)))
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
        use = ~np.isnan(y) & ~np.isnan(scored.z)
        labels.append(y[use].astype(np.float64))
        predictors.append(scored.z[use])
        weights.append(np.ones(int(np.sum(use))) if weight is None else weight[use])
    w = np.concatenate(weights) if weights else np.empty(0)
    if not np.sum(w) > 0:
        raise DataError(f"No row has a value of the target {model.schema.target.name!r} to score against.")
    return held_out_scores(np.concatenate(labels), np.concatenate(predictors), w, model.training.base_rate)
