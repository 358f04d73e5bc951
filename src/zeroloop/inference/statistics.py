"""What inference sums over rows beside loss, gradient and Hessian: one function of a block each, its result addable.

The compiled sweeps are asked for all of it. At coefficients of zero every row's residual is 1/2 of its weight and its
curvature 1/4, so a gradient and a Hessian there are sums of the columns, and of their products, weighted as one likes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from zeroloop.algebra import dot, matmul
from zeroloop.blocks import Block, FloatArray, Sums
from zeroloop.inference.information import symmetric
from zeroloop.kernels import statistics
from zeroloop.kernels.forms import AT_ONCE, dense_terms, predictors, squared_lengths

SCORE_ROWS = 4_096  # rows whose terms are held at a time
FEWEST_MERGED = 1_024  # clusters


def weights_of(block: Block) -> FloatArray:
    """Return the rows' weights, `(rows,)`."""
    return np.ones(block.n_rows) if block.weight is None else block.weight


def weighted_columns(block: Block, row_weight: FloatArray, centre: FloatArray) -> FloatArray:
    """Return `sum_i row_weight[i] x[j, i]`, `(n_coefs,)`, about the centre.

    Args:
        block: rows.
        row_weight: `(rows,)`, of any sign.
        centre: `(n_x,)`.

    """
    gradient = _at_zero(block, 2 * row_weight, centre, order=1).gradient
    assert gradient is not None
    return np.asarray(gradient[0])


def weighted_products(block: Block, row_weight: FloatArray, centre: FloatArray) -> FloatArray:
    """Return `sum_i row_weight[i] x[j, i] x[k, i]`, the upper triangle of `(n_coefs, n_coefs)`; as above."""
    hessian = _at_zero(block, 4 * row_weight, centre, order=2).hessian
    assert hessian is not None
    return hessian


def _at_zero(block: Block, weight: FloatArray, centre: FloatArray, order: int) -> Sums:
    rows = replace(block, y=np.zeros(block.n_rows, np.float32), weight=weight)
    return statistics.sums(rows, np.zeros((1, block.n_coefs)), centre, order)


def probabilities(block: Block, coef: FloatArray, centre: FloatArray) -> FloatArray:
    """Return the probability of each class but the first `(n_classes - 1, rows)`, given one output or K of them."""
    z = predictors(block, coef, centre)
    shares: FloatArray = statistics.probabilities(z[0] if len(z) == 1 else z)
    return np.asarray(shares[1:])


def residuals(block: Block, coef: FloatArray, centre: FloatArray) -> FloatArray:
    """Return probability minus indicator of each class but the first, `(n_classes - 1, rows)`; not weighted."""
    assert block.y is not None
    share = probabilities(block, coef, centre)
    right: NDArray[np.bool_] = np.asarray(block.y == np.arange(1, 1 + len(share))[:, np.newaxis])
    return np.asarray(share - right)


def squares_of_forms(block: Block, forms: FloatArray, centre: FloatArray) -> FloatArray:
    """Return `sum_i weight[i] (forms[k] . x_i)^2`, `(k,)`."""
    weight = weights_of(block)
    found = [
        matmul(predictors(block, forms[start : start + AT_ONCE], centre) ** 2, weight)
        for start in range(0, len(forms), AT_ONCE)
    ]
    return np.concatenate(found)


def row_totals(block: Block) -> FloatArray:
    """Return how many rows have a positive weight, and the sums of the weights, their squares and inverses, `(4,)`.

    By the first and the last sum no row is further from the mean than the square root of their product, in standard
    deviations.
    """
    weight = weights_of(block)
    some = weight[weight > 0]
    return np.array([some.size, np.sum(some), dot(some, some), np.sum(1 / some)])


def meat(block: Block, coef: FloatArray, centre: FloatArray, squared: bool) -> FloatArray:
    """Return the sum over rows of each row's gradient times itself, `(n, n)`, upper triangle; n = outputs * n_coefs.

    Args:
        block: rows with labels.
        coef: `(n_outputs, n_coefs)`, about the centre; of K classes K outputs, of which the first is the reference.
        centre: `(n_x,)`.
        squared: whether a weight scales its row's gradient (sampling weights), instead of counting rows alike.

    """
    r = residuals(block, coef, centre)
    weight = weights_of(block)
    weight = weight * weight if squared else weight
    k, n = len(r), block.n_coefs
    total = np.zeros((k, n, k, n))
    for a in range(k):
        for b in range(a, k):
            products = weighted_products(block, weight * r[a] * r[b], centre)
            # Between two outputs the whole matrix stands in the upper triangle, not only its own.
            total[a, :, b] = products if a == b else symmetric(products)
    return total.reshape(k * n, k * n)


@dataclass(frozen=True, slots=True)
class ClusterScores:
    """The gradient of each cluster's rows, summed; added by cluster.

    Attributes:
        clusters: `(g,)`, in increasing order in each part.
        scores: `(g, n)`.
        pending: parts not merged yet: merging whenever they are as large as what is merged costs each row few copies.

    """

    clusters: NDArray[np.int64]
    scores: FloatArray
    pending: tuple[tuple[NDArray[np.int64], FloatArray], ...] = ()

    def __add__(self, other: Self) -> ClusterScores:
        pending = (*self.pending, (other.clusters, other.scores), *other.pending)
        total = ClusterScores(self.clusters, self.scores, pending)
        large = sum(len(part[0]) for part in pending) > max(len(self.clusters), FEWEST_MERGED)
        return total.merged() if large else total

    def merged(self) -> ClusterScores:
        """Return the same with each cluster once."""
        if not self.pending:
            return self
        parts = [(self.clusters, self.scores), *self.pending]
        clusters, at = np.unique(np.concatenate([part[0] for part in parts]), return_inverse=True)
        scores = np.zeros((clusters.size, self.scores.shape[1]))
        start = 0
        for met, values in parts:
            scores[at[start : start + met.size]] += values  # a part has each cluster once
            start += met.size
        return ClusterScores(clusters, scores)


def cluster_scores(block: Block, coef: FloatArray, centre: FloatArray, share: int, n_shares: int) -> ClusterScores:
    """Return the summed gradients of the clusters in one of `n_shares` shares of all, so that some fit in memory.

    Args:
        block: rows with labels and clusters.
        coef: `(n_outputs, n_coefs)`, about the centre.
        centre: `(n_x,)`.
        share: which of the shares.
        n_shares: into how many the clusters are split.

    """
    assert block.cluster is not None
    r = residuals(block, coef, centre) * weights_of(block)
    mine = block.cluster % n_shares == share
    clusters, place = np.unique(block.cluster, return_inverse=True)
    kept = clusters % n_shares == share
    place = (np.cumsum(kept) - 1)[place]
    scores = np.zeros((int(np.sum(kept)), len(r), block.n_coefs))
    for start in range(0, block.n_rows, SCORE_ROWS):
        rows = slice(start, start + SCORE_ROWS)
        terms = dense_terms(block, centre, rows)
        some = np.flatnonzero(mine[rows])
        some = some[np.argsort(place[rows][some], kind="stable")]
        if some.size == 0:
            continue
        met = place[rows][some]
        first = np.flatnonzero(np.diff(met, prepend=-1))
        for k in range(len(r)):
            scores[met[first], k] += np.add.reduceat(terms[:, some] * r[k, rows][some], first, axis=1).T
    return ClusterScores(clusters[kept], scores.reshape(len(scores), -1))


def count_clusters(block: Block) -> ClusterScores:
    """Return the clusters met, with no scores."""
    assert block.cluster is not None
    clusters = np.unique(block.cluster)
    return ClusterScores(clusters, np.empty((clusters.size, 0)))


@dataclass(frozen=True, slots=True)
class Range:
    """The least and the greatest of several values, `(n,)` each; combined with `+`."""

    least: FloatArray
    greatest: FloatArray

    def __add__(self, other: Self) -> Range:
        return Range(np.minimum(self.least, other.least), np.maximum(self.greatest, other.greatest))


def numeric_ranges(block: Block, n_classes: int) -> Range:
    """Return the range of each numeric column in each class's rows with weight, `(n_classes * n_x,)`."""
    assert block.y is not None
    used = weights_of(block) > 0
    found = []
    for k in range(n_classes):
        values = block.numeric[:, used & (block.y == k)]
        found.append(
            (np.min(values, axis=1, initial=np.inf), np.max(values, axis=1, initial=-np.inf)),
        )
    least, greatest = (np.concatenate(part).astype(np.float64) for part in zip(*found, strict=True))
    return Range(least, greatest)


def class_columns(block: Block, centre: FloatArray, n_classes: int) -> FloatArray:
    """Return the sum of each column over each class's rows with weight, `(n_classes, n_coefs)`, about the centre."""
    assert block.y is not None
    used = (weights_of(block) > 0).astype(np.float64)
    return np.stack(
        [weighted_columns(block, used * (block.y == k), centre) for k in range(n_classes)],
    )


def firth_sums(block: Block, coef: FloatArray, forms: FloatArray, centre: FloatArray) -> FloatArray:
    """Return what Firth's penalty adds to the log-likelihood's gradient and, about, to the information.

    Of shape `(1 + n_coefs, n_coefs)`, about the centre: first `sum_i weight[i] h[i] (1/2 - a[i]) x[j, i]`, with a row's
    leverage `h[i] = a[i] (1 - a[i]) x_i' V x_i`; below it the upper triangle of
    `sum_i weight[i] h[i] a[i] (1 - a[i]) x[j, i] x[k, i]`.

    Args:
        block: rows with labels 0 and 1.
        coef: `(1, n_coefs)`, about the centre.
        forms: `(k, n_coefs)`, about the centre, with `forms' forms = V`, the inverse of the information.
        centre: `(n_x,)`.

    """
    a = probabilities(block, coef, centre)[0]
    curvature = a * (1 - a)
    weighted = weights_of(block) * curvature * squared_lengths(block, forms, centre)
    pull = weighted_columns(block, weighted * (0.5 - a), centre)
    return np.vstack([pull, weighted_products(block, weighted * curvature, centre)])
