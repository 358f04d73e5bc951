"""The contract between rows and solvers: Objective and Solution.

Conventions, stated here once:

- **Coefficients** have shape `(n_outputs, n_coefs)`; two classes have one output. Their order: the intercept,
  the numeric columns, then the codes' coefficients (levels and missing-indicators).
- **The intercept** belongs to the objective: every block sweep has one, at index 0. `fit_intercept=False` pins it
  to zero and hides it from the solver.
- **theta**, what a solver sees, is one flat vector: coefficients of columns shifted to their centre and scaled to
  unit variance. Shifting and scaling are applied to coefficients and sums, never to stored data.
- **The objective** is `sum_i weight[i] log_loss[i] / sum_i weight[i] + 1/2 sum_j penalty[j] theta[j]^2`, which is
  scikit-learn's `C * sum(loss) + 1/2 ||w||^2` divided by `C * total weight`. Solvers stop on
  `max |gradient of the objective| <= tol`, in these units, whatever the units of the data.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import partial

import numpy as np

from zeroloop.blocks import FloatArray, Source
from zeroloop.kernels.select import statistics


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a pass tells a solver at one theta.

    Attributes:
        value: the objective.
        loss: its first part, the weighted mean log loss.
        gradient: `(n_theta,)`; empty below order 1.
        hessian: `(n_theta, n_theta)`, symmetric; empty below order 2.

    """

    value: float
    loss: float
    gradient: FloatArray
    hessian: FloatArray

    @property
    def gradient_norm(self) -> float:
        """`max |gradient|`, what the stop is decided on."""
        return float(np.max(np.abs(self.gradient), initial=0.0))


@dataclass(frozen=True, slots=True)
class Diagonal:
    """The diagonal of the Hessian at one theta.

    Attributes:
        values: `(n_theta,)`.
        rows: `(n_theta,)`, how many rows each value effectively rests on: few for a rare level or a heavy tail.
        one_row: `(n_theta,)`, about the curvature that one of those rows gives where it is undecided.

    """

    values: FloatArray
    rows: FloatArray
    one_row: FloatArray


class Objective:
    """Mean loss + penalty as a function of theta; counts its passes.

    Args:
        source: the rows.
        centre: `(n_x,)`, the point numeric columns are shifted to; zeros where there is no intercept.
        scale: `(n_coefs,)`, theta = coefficient * scale; 1 for the intercept and for codes.
        penalty: `(n_coefs,)`, the L2 penalty of each theta; 0 for the intercept.
        fit_intercept: whether theta contains the intercept.
        class_rows: how many rows have label 0, and label 1.
        on_pass: called after each pass with (number of passes, evaluation).

    """

    def __init__(
        self,
        source: Source,
        centre: FloatArray,
        scale: FloatArray,
        penalty: FloatArray,
        class_rows: tuple[int, int],
        fit_intercept: bool = True,
        on_pass: Callable[[int, Evaluation], None] | None = None,
    ) -> None:
        self._source = source
        self._kernels = statistics(source.n_rows, source.n_coefs)
        self._centre = centre
        self._free = slice(0 if fit_intercept else 1, None)
        self._unit = 1.0 / scale[self._free]
        self._all_penalties = penalty
        self._penalty = penalty[self._free]
        self._fit_intercept = fit_intercept
        self._class_rows = class_rows
        self._on_pass = on_pass
        self._scale = scale
        self.passes = 0
        self.n_rows = source.n_rows
        self.n_codes = source.n_codes
        self.hessian_cost = hessian_cost(source)

    def __call__(self, theta: FloatArray, order: int) -> Evaluation:
        """Evaluate in one pass: the value (order 0), the gradient too (1), the Hessian too (2)."""
        total = self._source.reduce(
            partial(self._kernels.sums, coef=self._coef(theta), centre=self._centre, order=order)
        )
        self.passes += 1
        gradient, hessian = np.empty(0), np.empty((0, 0))
        if total.gradient is not None:
            gradient = total.gradient[0, self._free] * self._unit / total.weight + self._penalty * theta
        if total.hessian is not None:
            upper = total.hessian[self._free, self._free]
            hessian = np.where(np.tri(len(upper), dtype=bool), upper.T, upper)
            hessian *= self._unit[:, np.newaxis] * (self._unit / total.weight)
            hessian.flat[:: len(hessian) + 1] += self._penalty
        loss = total.loss / total.weight
        value = loss + 0.5 * float(np.sum(self._penalty * theta * theta))
        evaluation = Evaluation(value, loss, gradient, hessian)
        if self._on_pass is not None:
            self._on_pass(self.passes, evaluation)
        return evaluation

    def hessian_diagonal(self, theta: FloatArray) -> Diagonal:
        """Return the diagonal of the Hessian in one pass."""
        total = self._source.reduce(
            partial(self._kernels.hessian_diagonal, coef=self._coef(theta), centre=self._centre)
        )
        self.passes += 1
        values, squares = total.diagonal / self._scale**2 / total.weight, total.squares
        rows = total.diagonal**2 / np.where(squares > 0, squares, 1.0)
        # A rare indicator that is 0 in every row here rests, shifted to its centre, evenly on all of them; but then its
        # variance here is far from the 1 that it has been scaled to.
        numeric = slice(1, 1 + self._centre.size)
        rows[numeric] = np.minimum(rows[numeric], self.n_rows * values[numeric] / values[0])
        one_row = np.full(rows.size, values[0] / self.n_rows)
        one_row[numeric] = values[0] / np.maximum(rows[numeric], 1.0)
        return Diagonal(values[self._free] + self._penalty, rows[self._free], one_row[self._free])

    def hessian_vector(self, theta: FloatArray, direction: FloatArray) -> FloatArray:
        """Return the Hessian at theta times `direction`, `(n_theta,)`, in one pass."""
        total = self._source.reduce(
            partial(
                self._kernels.hessian_vector,
                coef=self._coef(theta),
                direction=self._coef(direction),
                centre=self._centre,
            )
        )
        self.passes += 1
        product: FloatArray = total.product[0, self._free] * self._unit / total.weight + self._penalty * direction
        return product

    def sample(self, rows: int, seed: int) -> Objective:
        """Return the objective of about `rows` rows, as many of either label as there are, weighted to stand for all.

        Its passes are over the sample, and are not counted with this objective's.
        """
        half = rows / 2
        few = min(self._class_rows)
        shares = (half, half) if few >= half else (rows - few, rows - few)
        fractions = tuple(min(1.0, share / n) for share, n in zip(shares, self._class_rows, strict=True))
        source = self._source.sample((fractions[0], fractions[1]), seed)
        class_rows = tuple(int(n * f) for n, f in zip(self._class_rows, fractions, strict=True))
        return self._over(source, (class_rows[0], class_rows[1]), self._all_penalties)

    def with_penalty(self, extra: FloatArray) -> Objective:
        """Return this objective with `extra` `(n_theta,)` added to the penalty."""
        penalty = self._all_penalties.copy()
        penalty[self._free] += extra
        return self._over(self._source, self._class_rows, penalty)

    def _over(self, source: Source, class_rows: tuple[int, int], penalty: FloatArray) -> Objective:
        return Objective(source, self._centre, self._scale, penalty, class_rows, self._fit_intercept)

    def theta(self, coef: FloatArray) -> FloatArray:
        """Return the theta of coefficients `(1, n_coefs)` in the columns' own units."""
        about_centre = coef[0].copy()
        about_centre[0] += self._centre @ about_centre[1 : 1 + self._centre.size]
        theta: FloatArray = about_centre[self._free] / self._unit
        return theta

    def coef(self, theta: FloatArray) -> FloatArray:
        """Return the coefficients `(1, n_coefs)` in the columns' own units, intercept at zero."""
        coef = self._coef(theta)
        coef[0, 0] -= self._centre @ coef[0, 1 : 1 + self._centre.size]
        return coef

    def _coef(self, theta: FloatArray) -> FloatArray:
        """Return the coefficients about the centre, as the kernels take them."""
        coef = np.zeros((1, self._source.n_coefs))
        coef[0, self._free] = theta * self._unit
        return coef


def hessian_cost(source: Source) -> float:
    """Return how many gradient passes a pass with the Hessian costs, as measured.

    A value of n numeric columns takes n / 2 products, ten in the time it is read; a column of codes is scattered to
    its pairs with all others.
    """
    return 1 + source.n_numeric / 20 + 0.75 * source.n_codes


class Outcome(Enum):
    """How a solver ended; the value explains it."""

    CONVERGED = "converged"
    ROUNDING_FLOOR = "converged as far as float64 sums can tell: rounding hides any further descent"
    MAX_ITER = "reached the limit on iterations; raise max_iter, or loosen tol"
    STUCK = (
        "found no lower point along its direction, with the gradient still above tol; "
        "loosen tol, use a finite C, or drop columns that repeat others"
    )
    DIVERGED = "saw the loss rise above its start: the learning rate is too large; try a tenth of it"


@dataclass(frozen=True, slots=True)
class Solution:
    """What a solver found, and how.

    Attributes:
        theta: `(n_theta,)`, where it stopped.
        last: the objective there, gradient included.
        n_iter: steps taken.
        outcome: how it ended.

    """

    theta: FloatArray
    last: Evaluation
    n_iter: int
    outcome: Outcome

    @property
    def converged(self) -> bool:
        """Whether this is the optimum, to tol or to rounding."""
        return self.outcome in (Outcome.CONVERGED, Outcome.ROUNDING_FLOOR)
