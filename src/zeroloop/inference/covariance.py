"""The covariance of coefficients: from the model, or robust against its errors, or against rows that hang together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from zeroloop.algebra import gram
from zeroloop.blocks import FloatArray, Source
from zeroloop.errors import DataError
from zeroloop.inference.information import symmetric
from zeroloop.inference.statistics import cluster_scores, count_clusters, meat

MOST_SCORES = 2**27  # values of clusters' scores held at a time: a GiB


@dataclass(frozen=True, slots=True)
class Counts:
    """How many observations there are.

    Attributes:
        rows: with a positive weight.
        total: sum of the weights.

    """

    rows: float
    total: float


def scores_squared(
    source: Source, coef: FloatArray, centre: FloatArray, *, sampling: bool, n_clusters: int | None
) -> FloatArray:
    """Return the sum of the gradients' outer products over rows, or over clusters, `(n, n)`, about the centre.

    The meat of the sandwich: Huber, "The behavior of maximum likelihood estimates under nonstandard conditions", 1967;
    White, "Maximum likelihood estimation of misspecified models", Econometrica, 1982; Liang and Zeger, "Longitudinal
    data analysis using generalized linear models", Biometrika, 1986.

    Args:
        source: rows with labels.
        coef: `(n_outputs, n_coefs)`, about the centre.
        centre: `(n_x,)`.
        sampling: whether weights are sampling weights, which scale a row's gradient; frequencies count its square.
        n_clusters: None to sum over rows.

    """
    if n_clusters is None:
        upper = source.reduce(partial(meat, coef=coef, centre=centre, squared=sampling))
        return symmetric(upper)
    n = max(len(coef) - 1, 1) * coef.shape[1]
    n_shares = 1 + n_clusters * n // MOST_SCORES
    total = np.zeros((n, n))
    for share in range(n_shares):
        statistic = partial(cluster_scores, coef=coef, centre=centre, share=share, n_shares=n_shares)
        scores = source.reduce(statistic).merged().scores
        total += gram(scores.T)
    return total


def number_of_clusters(source: Source) -> int:
    """Return how many clusters the rows are in.

    Raises:
        DataError: when it is one.

    """
    n = source.reduce(count_clusters).merged().clusters.size
    if n < 2:
        raise DataError("All rows are in one cluster; a cluster-robust covariance needs at least two, better forty.")
    return int(n)


def correction(kind: str, counts: Counts, n_estimated: int, sampling: bool, n_clusters: int | None) -> float:
    """Return what a sandwich is multiplied by.

    HC1 gives n / (n - k), as in linear regression; clusters G / (G - 1), and with HC1 (n - 1) / (n - k) on top, as R's
    `sandwich::vcovCL` has it; sampling weights n / (n - 1), as R's `survey` has it: each row is its own cluster.
    """
    n = counts.rows if sampling else counts.total
    if n_clusters is not None:
        factor = n_clusters / (n_clusters - 1)
        return factor * (n - 1) / (n - n_estimated) if kind == "hc1" else factor
    if kind == "hc1":
        return n / (n - n_estimated)
    return n / (n - 1) if sampling else 1.0
