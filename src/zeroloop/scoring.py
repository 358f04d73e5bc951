"""How good predictions are: log loss, AUC, Brier score, accuracy, beside those of the base rate.

Scores are sums over rows, so rows may come block by block, as many as there are; only the AUC needs their order, and
has it from bins where they are many. Written out here, because importing a metrics library takes longer than the whole
fit; the tests compare each score with scikit-learn's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from zeroloop.algebra import dot, exp, log, log1p
from zeroloop.bars import shown
from zeroloop.blocks import Block, FloatArray, Source
from zeroloop.csv_options import AS_FOUND, CsvOptions
from zeroloop.errors import DataError
from zeroloop.kernels import statistics
from zeroloop.model import Model
from zeroloop.progress import Progress, unheard
from zeroloop.resources import Resources
from zeroloop.scored import total_over
from zeroloop.scored_rows import Scored
from zeroloop.sources.one_against_rest import as_softmax
from zeroloop.tables.read import TableLike

EXACT_VALUES = 2**20  # predictors, of all classes, that are ranked one by one; more are ranked by bins
BIN_BITS, FEWEST_BIN_BITS = 18, 12  # of a predictor: its sign, its exponent and nine bits of its fraction, less of many


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


@dataclass(frozen=True, slots=True)
class Ranking:
    """Predictors of one output with their rows' weights, those of positive rows apart.

    Attributes:
        rows: `(3, n)` each: predictor, weight if positive, weight if negative; as long as there are few.
        bins: `(2, n_bins)`, weight of the positive and the negative rows in each bin of the predictor; else.

    """

    rows: tuple[FloatArray, ...] = ()
    bins: FloatArray | None = None

    def plus(self, other: Self, most: int, bits: int) -> Ranking:
        """Return both, in bins of `bits` where they have more than `most` rows."""
        if self.bins is None and other.bins is None:
            both = Ranking((*self.rows, *other.rows))
            return both if sum(part.shape[1] for part in both.rows) <= most else Ranking((), both._in_bins(bits))
        return Ranking((), self._in_bins(bits) + other._in_bins(bits))

    def _in_bins(self, bits: int) -> FloatArray:
        return _binned(np.concatenate(self.rows, axis=1), bits) if self.bins is None else self.bins

    def points(self) -> FloatArray:
        """Return the predictors met, in order, with the weight of their positive and negative rows, `(3, n)`."""
        if self.bins is not None:
            met = np.flatnonzero(np.any(self.bins > 0, axis=0))
            return np.concatenate([_middles(met, self.bins.shape[1])[np.newaxis], self.bins[:, met]])
        z, positive, negative = np.concatenate(self.rows, axis=1)
        order = np.argsort(z, kind="stable")
        z, positive, negative = z[order], positive[order], negative[order]
        ties = np.flatnonzero(np.diff(z, prepend=np.nan) != 0)  # first row of each distinct value
        return np.stack([z[ties], np.add.reduceat(positive, ties), np.add.reduceat(negative, ties)])

    def auc(self) -> float | None:
        """Return the area under the ROC curve, as the Mann-Whitney statistic, ties counted half; None of one class.

        Source: Hanley and McNeil, "The meaning and use of the area under a ROC curve", Radiology, 1982.
        """
        _, positive, negative = self.points()
        total = float(np.sum(positive)) * float(np.sum(negative))
        if total <= 0:
            return None
        below = np.cumsum(negative) - negative
        return float(np.sum(positive * (below + negative / 2))) / total


def _binned(rows: FloatArray, n_bits: int) -> FloatArray:
    """Return the weights in each bin: the leading bits of the predictor, as a float32, in the order of its values."""
    bits = rows[0].astype(np.float32).view(np.uint32)
    ordered = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31)) >> np.uint32(32 - n_bits)
    return np.stack([np.bincount(ordered, weight, 1 << n_bits) for weight in rows[1:]])


def _middles(at: NDArray[np.intp], n_bins: int) -> FloatArray:
    """Return the predictor in the middle of some of `n_bins` bins."""
    shift = 32 - (n_bins.bit_length() - 1)
    ordered = (at.astype(np.uint32) << np.uint32(shift)) | np.uint32(1 << (shift - 1))
    bits = np.where(ordered >> np.uint32(31), ordered ^ np.uint32(1 << 31), ~ordered)
    return bits.astype(np.uint32).view(np.float32).astype(np.float64)


@dataclass(frozen=True, slots=True)
class ScoreSums:
    """What scores are made of; addable.

    Attributes:
        rows: number of rows.
        totals: `(3,)`, weighted sums of log loss, Brier score and right predictions.
        classes: `(K,)`, weight of each class.
        rankings: one, or of more than two classes one each.

    """

    rows: int
    totals: FloatArray
    classes: FloatArray
    rankings: tuple[Ranking, ...]

    def __add__(self, other: Self) -> ScoreSums:
        n = len(self.rankings)
        most, bits = EXACT_VALUES // n, max(BIN_BITS - (n - 1).bit_length(), FEWEST_BIN_BITS)
        return ScoreSums(
            self.rows + other.rows,
            self.totals + other.totals,
            self.classes + other.classes,
            tuple(a.plus(b, most, bits) for a, b in zip(self.rankings, other.rankings, strict=True)),
        )

    @property
    def weight(self) -> float:
        """Weight of all rows."""
        return float(np.sum(self.classes))

    def scores(self) -> Scores:
        """Return the scores."""
        log_loss, brier, accuracy = (self.totals / self.weight).tolist()
        aucs = [auc for auc in (ranking.auc() for ranking in self.rankings) if auc is not None]
        return Scores(log_loss, float(np.mean(aucs)) if aucs else None, brier, accuracy)

    def beside_base_rate(self, shares: Sequence[float]) -> dict[str, Any]:
        """Return the scores and, under `base_rate`, those of predicting each class's share of the training rows.

        Where the AUC is from bins, `auc_bins` says of how many.
        """
        found: dict[str, Any] = {"rows": self.rows, **asdict(self.scores())}
        bins = self.rankings[0].bins
        if bins is not None:
            found["auc_bins"] = bins.shape[1]
        return found | {"base_rate": asdict(_base_rate(self.classes, np.array(shares), found["auc"]))}


def _base_rate(classes: FloatArray, shares: FloatArray, auc: float | None) -> Scores:
    """Return the scores of the same probabilities for every row."""
    weights = classes / np.sum(classes)
    off = np.array([np.sum((shares - np.eye(shares.size)[k]) ** 2) for k in range(shares.size)])
    brier = dot(weights, off) / (2 if shares.size == 2 else 1)
    best = int(shares[1] > shares[0]) if shares.size == 2 else int(np.argmax(shares))
    return Scores(-dot(weights, log(shares)), None if auc is None else 0.5, brier, float(weights[best]))


def score_rows(y: FloatArray, z: FloatArray, weight: FloatArray | None = None) -> Scores:
    """Return the scores of linear predictors against labels `y` `(m,)`; see `score_sums`."""
    return score_sums(y, z, weight).scores()


def score_sums(y: FloatArray, z: FloatArray, weight: FloatArray | None = None) -> ScoreSums:
    """Return what the scores of some rows are made of.

    The predictor instead of the probability, so that a confident mistake has a finite loss.

    Args:
        y: 0 or 1, or 0 to K - 1.
        z: `(m,)`, or `(K, m)` of K classes, whose softmax is their probabilities.
        weight: `(m,)`; None for ones.

    """
    w = np.ones(y.size) if weight is None else weight
    totals = np.sum(row_scores(y, z) * w, axis=1)
    if z.ndim == 1:
        classes = np.array([np.sum(w * (1 - y)), np.sum(w * y)])
        return ScoreSums(y.size, totals, classes, (Ranking((np.stack([z, w * y, w * (1 - y)]),)),))
    logs = log_shares(z)
    right = y == np.arange(len(z))[:, np.newaxis]
    rankings = tuple(Ranking((np.stack([logs[k], w * right[k], w * ~right[k]]),)) for k in range(len(z)))
    return ScoreSums(y.size, totals, np.bincount(y.astype(np.intp), w, len(z)).astype(np.float64), rankings)


def row_scores(y: FloatArray, z: FloatArray) -> FloatArray:
    """Return each row's log loss, Brier score and whether its most probable class is right, `(3, m)`; see above."""
    if z.ndim == 1:
        e = exp(-np.abs(z))
        p = np.where(z >= 0, 1.0, e) / (1 + e)
        return np.stack([np.maximum(z, 0) - y * z + log1p(e), (p - y) ** 2, (z > 0) == (y > 0.5)])
    logs, rows = log_shares(z), np.arange(y.size)
    right = y == np.arange(len(z))[:, np.newaxis]
    misses = np.sum((exp(logs) - right) ** 2, axis=0)
    return np.stack([-logs[y.astype(np.intp), rows], misses, np.argmax(z, axis=0) == y])


def log_shares(z: FloatArray) -> FloatArray:
    """Return the logarithm of each class's probability, `(K, m)`, the softmax of `z`."""
    shifted = z - np.max(z, axis=0)
    logs: FloatArray = shifted - log(np.sum(exp(shifted), axis=0))
    return logs


def source_scores(source: Source, coef: FloatArray, shares: Sequence[float], multi_class: str) -> dict[str, Any] | None:
    """Return the scores of coefficients `(n_outputs, n_coefs)` on a source's rows; None where they have no weight."""
    if source.n_rows == 0:
        return None
    total = source.reduce(partial(_block_sums, coef=coef, multi_class=multi_class))
    return total.beside_base_rate(shares) if total.weight > 0 else None


def _block_sums(block: Block, coef: FloatArray, multi_class: str) -> ScoreSums:
    assert block.y is not None
    # The coefficients are about zero, so the centre is too.
    z = statistics.predictor(block, coef, np.zeros(len(block.numeric)))
    if z.ndim > 1 and multi_class == "ovr":
        z = as_softmax(z)
    return score_sums(block.y.astype(np.float64), z, block.weight)


def evaluate(
    model: Model,
    data: TableLike,
    threads: int | None = None,
    scheduler: Any = None,
    progress: Progress | bool = unheard,
    csv: CsvOptions = AS_FOUND,
) -> dict[str, Any]:
    """Return a model's scores on labelled data: `rows`, `log_loss`, `auc`, `brier`, `accuracy`, `base_rate`.

    Rows are read batch by batch, in bounded memory.

    Args:
        model: what predicts.
        data: a table with the model's features and its target; rows without a target are left out.
        threads: None for every core.
        scheduler: of a Dask cluster whose workers read the rows; see `zeroloop.train`.
        progress: as in `zeroloop.train`.
        csv: how CSV files are written; what it leaves open is as it was said in training.

    Raises:
        DataError: for a column that is missing or of another type, or when no row has a target.

    """
    of_scored = partial(_sums_of, multi_class=model.training.multi_class)
    with shown(progress) as told:
        resources = Resources(threads=threads, progress=told, scheduler=scheduler, csv=csv)
        total = total_over(model, data, of_scored, labelled=True, resources=resources)
    if total is None or not total.weight > 0:
        raise DataError(f"No row has a value of the target {model.schema.target.name!r} to score against.")
    return total.beside_base_rate(model.training.shares)


def _sums_of(scored: Scored, multi_class: str) -> ScoreSums:
    y, weight = scored.encoded.block.y, scored.encoded.block.weight
    assert y is not None
    use = ~np.isnan(y) & scored.known
    z = scored.z[..., use]
    if z.ndim > 1 and multi_class == "ovr":
        z = as_softmax(z)
    return score_sums(y[use].astype(np.float64), z, None if weight is None else weight[use])
