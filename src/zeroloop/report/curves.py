"""Curves from a ranking of rows: ROC, precision and recall, calibration, distribution of scores; and drawn again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zeroloop.blocks import FloatArray
from zeroloop.report.sums import GroupSums

MOST_CALIBRATION_BINS, CALIBRATION_ROWS = 20, 50  # bins at most, and rows a bin at least
MOST_SCORE_BINS, SCORE_ROWS = 50, 30
FEWEST_BINS = 5
MOST_POINTS = 400  # of a curve: more are not seen
RESAMPLES = 2_000
FEWEST_ROWS = 30  # to draw again
LEVEL = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """What the rows of one class against the others look like.

    Attributes:
        false_positive, true_positive: rates at each threshold, from none to all predicted positive.
        recall, precision: at each threshold.
        expected, observed, counts: mean probability, share of positive rows and weight in each bin of calibration.
        score_edges: of the bins of the probability.
        positive, negative: shares of the positive and the negative rows in each of them.

    """

    false_positive: FloatArray
    true_positive: FloatArray
    recall: FloatArray
    precision: FloatArray
    expected: FloatArray
    observed: FloatArray
    counts: FloatArray
    score_edges: FloatArray
    positive: FloatArray
    negative: FloatArray


def curves(points: FloatArray, n_rows: int, of_logs: bool = False) -> Curves | None:
    """Return the curves of points `(3, n)`: predictor, in increasing order, weight of positive and of negative rows.

    Args:
        points: as `zeroloop.scoring.Ranking.points` gives them.
        n_rows: of how many rows: few make few bins.
        of_logs: whether the predictor is the logarithm of the probability, instead of its logit.

    """
    z, positive, negative = points
    n_positive, n_negative = float(np.sum(positive)), float(np.sum(negative))
    if n_positive <= 0 or n_negative <= 0:
        return None
    true = np.append(0.0, np.cumsum(positive[::-1]))
    false = np.append(0.0, np.cumsum(negative[::-1]))
    p = np.exp(z) if of_logs else 1 / (1 + np.exp(-z))
    weight = positive + negative
    expected, observed, counts = _calibration(p, positive, weight, n_bins_of(n_rows))
    n_bins = max(FEWEST_BINS, min(MOST_SCORE_BINS, n_rows // SCORE_ROWS))
    of_bin = np.minimum((p * n_bins).astype(np.intp), n_bins - 1)
    thin = _thinned(false / n_negative, true / n_positive)
    with np.errstate(invalid="ignore"):
        precision = true / (true + false)
    return Curves(
        false_positive=(false / n_negative)[thin],
        true_positive=(true / n_positive)[thin],
        recall=(true / n_positive)[thin[1:]],
        precision=precision[thin[1:]],
        expected=expected,
        observed=observed,
        counts=counts,
        score_edges=np.linspace(0, 1, n_bins + 1),
        positive=np.bincount(of_bin, positive, n_bins) / n_positive,
        negative=np.bincount(of_bin, negative, n_bins) / n_negative,
    )


def _thinned(x: FloatArray, y: FloatArray) -> FloatArray:
    """Return the indices of at most `MOST_POINTS` points of a curve, evenly along it, both ends among them."""
    along = np.cumsum(np.abs(np.diff(x, prepend=x[0])) + np.abs(np.diff(y, prepend=y[0])))
    wanted = np.linspace(0, along[-1], MOST_POINTS)
    return np.unique(np.append(np.searchsorted(along, wanted), [0, x.size - 1])).clip(0, x.size - 1)


def n_bins_of(n_rows: int) -> int:
    """Return how many bins a calibration plot of so many rows has."""
    return max(FEWEST_BINS, min(MOST_CALIBRATION_BINS, n_rows // CALIBRATION_ROWS))


def _calibration(
    p: FloatArray, positive: FloatArray, weight: FloatArray, n_bins: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the mean probability, the share of positive rows and the weight of bins of about as many rows each."""
    middle = (np.cumsum(weight) - weight / 2) / np.sum(weight)
    of_bin = np.minimum((middle * n_bins).astype(np.intp), n_bins - 1)
    counts = np.bincount(of_bin, weight, n_bins).astype(np.float64)
    met = counts > 0
    expected = np.bincount(of_bin, weight * p, n_bins)[met] / counts[met]
    observed = np.bincount(of_bin, positive, n_bins)[met] / counts[met]
    return expected, observed, counts[met]


def bin_edges(points: FloatArray, n_bins: int) -> FloatArray:
    """Return the edges `(n_bins - 1,)` of bins of the predictor with about as many rows each."""
    z, positive, negative = points
    along = np.cumsum(positive + negative)
    at = np.searchsorted(along, along[-1] * np.arange(1, n_bins) / n_bins)
    return np.asarray(z[np.minimum(at, z.size - 1)])


@dataclass(frozen=True, slots=True)
class Interval:
    """The ends of a bootstrap interval."""

    lower: float
    upper: float


def intervals(sums: GroupSums, auc: float | None, n_rows: int, seed: int) -> dict[str, Interval]:
    """Return a bootstrap interval of each score: groups of rows are drawn again, with replacement.

    Rows are in groups by a hash, so that a group is a random part of them; a group at a time, the same few sums serve
    any number of rows. Percentiles of 2,000 draws (Efron, "Bootstrap methods: another look at the jackknife", Annals of
    Statistics, 1979).

    Args:
        sums: of the groups.
        auc: of all rows, which bins approximate.
        n_rows: how many rows there are; of too few there are no intervals.
        seed: of the draws.

    """
    if n_rows < FEWEST_ROWS:
        return {}
    met = sums.totals[0] > 0
    n = int(np.sum(met))
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), RESAMPLES).astype(np.float64)
    weight, *totals = (drawn @ part for part in sums.totals[:, met])
    scores = {name: total / weight for name, total in zip(("log_loss", "brier", "accuracy"), totals, strict=True)}
    if auc is not None:
        areas = [_areas(drawn, ranks[:, met]) for ranks in sums.ranks]
        area = np.nanmean([part[0] for part in areas], axis=0)
        whole = float(np.nanmean([part[1] for part in areas]))
        scores["auc"] = np.clip(area - whole + auc, 0.0, 1.0)
    ends = (1 - LEVEL) / 2, (1 + LEVEL) / 2
    return {name: Interval(*np.nanquantile(values, ends).tolist()) for name, values in scores.items()}


def _areas(drawn: FloatArray, ranks: FloatArray) -> tuple[FloatArray, float]:
    """Return the area under the ROC curve of each draw, and of all rows, by bins `(2, n_groups, n_bins)`."""
    everything = np.concatenate([drawn, np.ones((1, drawn.shape[1]))])
    negative, positive = everything @ ranks[0], everything @ ranks[1]
    below = np.cumsum(negative, axis=1) - negative / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        area = np.sum(positive * below, axis=1) / (np.sum(positive, axis=1) * np.sum(negative, axis=1))
    return area[:-1], float(area[-1])
