"""What a report sums over rows: scores, confusion at each threshold, and parts of rows to draw again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from zeroloop.blocks import Block, FloatArray
from zeroloop.inference.statistics import weights_of
from zeroloop.kernels import statistics
from zeroloop.kernels.forms import predictors
from zeroloop.scoring import ScoreSums, log_shares, row_scores, score_sums
from zeroloop.sources.one_against_rest import as_softmax

THRESHOLDS = np.arange(1_001) / 1_000
N_GROUPS = 200  # of rows, to be drawn again together
GROUP_SEED = 1


@dataclass(frozen=True, slots=True)
class Scoring:
    """What predicts; bound to a statistic.

    Attributes:
        coef: `(n_outputs, n_coefs)`.
        multi_class: as `zeroloop.fit.Options` has it.

    """

    coef: FloatArray
    multi_class: str

    def predictor(self, block: Block) -> FloatArray:
        """Return the predictor of two classes `(rows,)`, or the logits of more `(K, rows)`."""
        # The coefficients are about zero, so the centre is too.
        z = predictors(block, self.coef, np.zeros(len(block.numeric)))
        if len(z) == 1:
            return np.asarray(z[0])
        return as_softmax(z) if self.multi_class == "ovr" else z

    def probabilities(self, z: FloatArray) -> FloatArray:
        """Return the probability of each class, `(K, rows)`."""
        shares: FloatArray = statistics.probabilities(z)
        return shares


@dataclass(frozen=True, slots=True)
class Performance:
    """How predictions fared; addable.

    Attributes:
        scores: sums of scores, and the rows' ranking.
        above: `(2, n_thresholds)`, of two classes the weight of negative and positive rows with a probability of at
            least each threshold.
        confusion: `(K, K)`, weight of the rows of each class (row) for which each class (column) is the most probable.

    """

    scores: ScoreSums
    above: FloatArray
    confusion: FloatArray

    def __add__(self, other: Self) -> Performance:
        return Performance(self.scores + other.scores, self.above + other.above, self.confusion + other.confusion)


def performance(block: Block, scoring: Scoring) -> Performance:
    """Return how predictions fared on a block with labels."""
    assert block.y is not None
    z, weight = scoring.predictor(block), weights_of(block)
    y = block.y.astype(np.intp)
    p = scoring.probabilities(z)
    k = len(p)
    best = (z > 0).astype(np.intp) if z.ndim == 1 else np.argmax(z, axis=0)
    confusion = _weighed(y * k + best, weight, k * k).reshape(k, k)
    above = np.zeros((2, THRESHOLDS.size))
    if k == 2:
        reached = np.searchsorted(THRESHOLDS, p[1], side="right")
        for label in range(2):
            mine = y == label
            counts = _weighed(reached[mine], weight[mine], THRESHOLDS.size + 1)
            above[label] = np.cumsum(counts[:0:-1])[::-1]
    return Performance(score_sums(block.y.astype(np.float64), z, block.weight), above, confusion)


def _weighed(at: NDArray[np.intp], weight: FloatArray, n: int) -> FloatArray:
    """Return the weight that falls on each of n places."""
    return np.bincount(at, weight, n).astype(np.float64)


@dataclass(frozen=True, slots=True)
class GroupSums:
    """Scores of groups of rows, by a hash of their index; addable.

    Attributes:
        totals: `(4, n_groups)`: weight, and weighted sums of log loss, Brier score and right predictions.
        ranks: `(n_rankings, 2, n_groups, n_bins)`, weight of negative and positive rows in each bin of the predictor.

    """

    totals: FloatArray
    ranks: FloatArray

    def __add__(self, other: Self) -> GroupSums:
        return GroupSums(self.totals + other.totals, self.ranks + other.ranks)


def group_sums(block: Block, scoring: Scoring, edges: FloatArray) -> GroupSums:
    """Return the sums of a block's groups; `edges` `(n_rankings, n_bins - 1)` are those of the predictor's bins."""
    assert block.y is not None
    weight = weights_of(block)
    group = (block.hashes(GROUP_SEED) % np.uint64(N_GROUPS)).astype(np.intp)
    z = scoring.predictor(block)
    parts = row_scores(block.y.astype(np.float64), z)
    if z.ndim == 1:
        ranked, positive = z[np.newaxis], (block.y == 1)[np.newaxis]
    else:
        ranked, positive = log_shares(z), block.y == np.arange(len(z))[:, np.newaxis]
    totals = np.stack([_weighed(group, weight * part, N_GROUPS) for part in (np.ones(block.n_rows), *parts)])
    n_bins = edges.shape[1] + 1
    ranks = np.zeros((len(ranked), 2, N_GROUPS, n_bins))
    for k, (line, of_class) in enumerate(zip(ranked, positive, strict=True)):
        at = group * n_bins + np.searchsorted(edges[k], line, side="right")
        for label in range(2):
            mine = of_class == bool(label)
            ranks[k, label] = _weighed(at[mine], weight[mine], N_GROUPS * n_bins).reshape(N_GROUPS, n_bins)
    return GroupSums(totals, ranks)
