"""The contract between rows and solvers: Objective and Solution.

Conventions, stated here once:

- **Coefficients** have shape `(n_outputs, n_coefs)`; two classes have one output, K classes K (softmax). Their order:
  the intercept, the numeric columns, the sparse columns, then the codes' coefficients (levels and missing-indicators).
- **The intercept** belongs to the objective: every block sweep has one, at index 0.
- **Held** coefficients stay at a value given, and are hidden from the solver: an intercept that is not wanted and a
  column that repeats others at 0, an offset at 1.
- **theta**, what a solver sees, is one flat vector, output after output: coefficients of columns shifted to their
  centre and scaled to unit variance. Shifting and scaling are applied to coefficients and sums, never to stored data.
- **The objective** is `sum_i weight[i] loss[i] / sum_i weight[i] + sum_j l1[j] |theta[j]| + 1/2 l2[j] theta[j]^2`,
  which is scikit-learn's `C * sum(loss) + l1_ratio ||w||_1 + (1 - l1_ratio) / 2 ||w||^2` divided by `C * total weight`.
  Solvers stop on `max |slope| <= tol`, in these units, whatever the units of the data. The slope is the gradient;
  where there is an L1 penalty or a bound it is the smallest subgradient, the violation of the Karush-Kuhn-Tucker
  conditions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import partial
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from zeroloop.algebra import matmul, mirrored
from zeroloop.blocks import Block, FloatArray, Source
from zeroloop.kernels import columns, few, statistics
from zeroloop.kernels.few import is_small
from zeroloop.kernels.orthant import minimise_quadratic, smallest_subgradient

S = TypeVar("S")

DIGITS_LOST = 100  # times tol is the relative error of coefficients, at most, that rows too few to decide may leave
TINY_GAP = 1e-14  # twice the duality gap, in units of the loss, that rounding alone may leave
MOST_COLUMN_STEPS = 100  # of a working set

Free: TypeAlias = slice | NDArray[np.intp]
"""Which coefficients theta contains."""


@dataclass(frozen=True, slots=True)
class Units:
    """The columns' units: what theta is measured in.

    Attributes:
        centre: `(n_x,)`, the point numeric columns are shifted to; zeros where there is no intercept.
        scale: `(n_coefs,)`, theta = coefficient * scale; 1 for the intercept and for codes.
        constant: `(n_coefs,)`, whether a column has one value in all rows with weight; None where none has.

    """

    centre: FloatArray
    scale: FloatArray
    constant: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True)
class Penalty:
    """The penalty of each coefficient in theta's units, and the bounds within which theta stays; each `(n_coefs,)`.

    Attributes:
        l2: of `1/2 theta^2`.
        l1: of `|theta|`.
        lower: at most 0.
        upper: at least 0.

    """

    l2: FloatArray
    l1: FloatArray
    lower: FloatArray
    upper: FloatArray

    @property
    def is_smooth(self) -> bool:
        """Whether there is an L2 penalty only."""
        return not (np.any(self.l1) or np.any(np.isfinite(self.lower)) or np.any(np.isfinite(self.upper)))

    def of_outputs(self, n_outputs: int, free: Free) -> Penalty:
        """Return the penalty of theta: of the free coefficients, output after output."""
        return Penalty(*(np.tile(part[free], n_outputs) for part in (self.l2, self.l1, self.lower, self.upper)))

    def at(self, theta: FloatArray) -> float:
        """Return the penalty at theta."""
        return float(0.5 * (self.l2 * theta * theta).sum() + (self.l1 * np.abs(theta)).sum())

    def slope(self, theta: FloatArray, gradient: FloatArray) -> FloatArray:
        """Return the smallest subgradient where the smooth part has `gradient`; 0 where a bound holds theta back."""
        return smallest_subgradient(theta, gradient, self.l1, self.lower, self.upper)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What a pass tells a solver at one theta.

    Attributes:
        value: the objective.
        loss: its first part, the weighted mean log loss.
        gradient: `(n_theta,)`, of the smooth part: loss and L2 penalty; empty below order 1.
        hessian: `(n_theta, n_theta)`, of the smooth part, symmetric; empty below order 2.
        slope: `(n_theta,)`, the smallest subgradient of the objective: `gradient` where all of it is smooth.
        gradient_norm: `max |slope|`, what the stop is decided on.

    """

    value: float
    loss: float
    gradient: FloatArray
    hessian: FloatArray
    slope: FloatArray
    gradient_norm: float = field(init=False)

    def __post_init__(self) -> None:
        norm = float(np.abs(self.slope).max()) if self.slope.size else 0.0
        object.__setattr__(self, "gradient_norm", norm)

    def of_part(self, share: float) -> Evaluation:
        """Return what this says of all rows, where it is of a share of their weight and the others add nothing."""
        return Evaluation(
            value=share * self.value,
            loss=share * self.loss,
            gradient=share * self.gradient,
            hessian=share * self.hessian,
            slope=share * self.slope,
        )


Lowest: TypeAlias = Callable[[], FloatArray]
"""Returns the coefficients `(n_outputs, n_coefs)` of the lowest objective met."""


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


class OutOfPasses(Exception):  # noqa: N818  no error: the passes asked for have been made
    """No pass is left of those that were allowed."""


class Objective:
    """Mean loss + penalty as a function of theta; counts its passes.

    Args:
        source: the rows.
        units: of the columns.
        penalty: of each coefficient; nothing for the intercept.
        class_rows: how many rows have each label; more than two make an output each.
        held: `(n_coefs,)`, the value of each coefficient that is held, NaN for those that theta contains; None to hold
            none.
        on_pass: called after each pass with (number of passes, evaluation, `lowest`).
        max_passes: most passes that may be made; one more raises `OutOfPasses`.

    """

    def __init__(
        self,
        source: Source,
        units: Units,
        penalty: Penalty,
        class_rows: tuple[int, ...],
        held: FloatArray | None = None,
        on_pass: Callable[[int, Evaluation, Lowest], None] | None = None,
        max_passes: int | None = None,
    ) -> None:
        self._source = source
        self._max_passes = math.inf if max_passes is None else max_passes
        self.best: tuple[FloatArray, Evaluation] | None = None
        self._units = units
        self._held = np.full(source.n_coefs, np.nan) if held is None else held
        self._held_values = None if held is None else np.nan_to_num(held)
        # A slice where it can be, which copies nothing.
        self._free = slice(None) if held is None else np.flatnonzero(np.isnan(held))
        self._unit = 1.0 / units.scale[self._free]
        self._of_coefs = penalty
        self._class_rows = class_rows
        self._on_pass = on_pass
        self.n_outputs = len(class_rows) if len(class_rows) > 2 else 1
        self.penalty = penalty.of_outputs(self.n_outputs, self._free)
        self.is_smooth = penalty.is_smooth
        self.passes = 0
        self.n_rows = source.n_rows
        self.n_codes = source.n_codes
        self.hessian_cost = hessian_cost(source, self.n_outputs)

    @property
    def free(self) -> NDArray[np.intp]:
        """Indices of the coefficients that theta contains, of each output."""
        return np.arange(self._source.n_coefs)[self._free]

    @property
    def theta_size(self) -> int:
        """Length of theta."""
        return self.n_outputs * self._unit.size

    @property
    def passes_left(self) -> float:
        """How many passes may still be made; infinity where there is no limit."""
        return self._max_passes - self.passes

    def is_met(self, theta: FloatArray, at: Evaluation, tol: float) -> bool:
        """Return whether the gradient says that this is the optimum.

        It does by `max |slope| <= tol` where the rows decide on all coefficients. Fewer rows than coefficients leave
        directions in which the penalty alone has curvature, little of it: there a gradient of tol may be an error of
        any size. Then the duality gap decides too, which is `1/2 sum_j slope[j]^2 / l2[j]` for the dual point of
        the rows' residuals: it bounds the error, `sum_j l2[j] (theta[j] - optimum[j])^2 <= 2 gap`, and so relative to
        the coefficients' own size. L1 alone has no such bound.
        """
        if at.gradient_norm > tol:
            return False
        if self.n_rows >= self._unit.size:
            return True
        l2 = self.penalty.l2
        penalised = l2 > 0
        twice_gap = float(np.sum(at.slope[penalised] ** 2 / l2[penalised]))
        allowed = min(DIGITS_LOST * tol, 1.0) ** 2  # beyond 1 no digit is asked for
        return twice_gap <= max(allowed * float(np.sum(l2 * theta * theta)), TINY_GAP)

    def _pass(self, statistic: Callable[[Block], S]) -> S:
        """Sum a statistic over the rows.

        Raises:
            OutOfPasses: when no pass is left.

        """
        if self.passes_left <= 0:
            raise OutOfPasses
        total = self._source.reduce(statistic)
        self.passes += 1
        return total

    def __call__(self, theta: FloatArray, order: int) -> Evaluation:
        """Evaluate in one pass: the value (order 0), the gradient too (1), the Hessian too (2)."""
        total = self._pass(
            partial(statistics.sums, coef=self.about_centre(theta), centre=self._units.centre, order=order)
        )
        gradient, hessian, slope = np.empty(0), np.empty((0, 0)), np.empty(0)
        if total.gradient is not None:
            gradient = self._theta(total.gradient) / total.weight + self.penalty.l2 * theta
            slope = gradient if self.is_smooth else self.penalty.slope(theta, gradient)
        if total.hessian is not None:
            hessian = self._scaled(total.hessian, self.n_outputs, total.weight)
            hessian.flat[:: len(hessian) + 1] += self.penalty.l2
        loss = total.loss / total.weight
        evaluation = Evaluation(
            value=loss + self.penalty.at(theta), loss=loss, gradient=gradient, hessian=hessian, slope=slope
        )
        if order >= 1 and (self.best is None or evaluation.value < self.best[1].value):
            self.best = theta, evaluation
        if self._on_pass is not None:
            self._on_pass(self.passes, evaluation, self.lowest)
        return evaluation

    def lowest(self) -> FloatArray:
        """Return the coefficients `(n_outputs, n_coefs)` of the lowest value met, of those with a gradient."""
        assert self.best is not None  # every solver's first pass has a gradient
        return self.coef(self.best[0])

    def _scaled(self, upper: FloatArray, n_outputs: int, weight: float) -> FloatArray:
        """Return the free part of a sum's Hessian, given as its upper triangle, in theta's units."""
        unit = self._unit
        if n_outputs > 1 or self._held_values is not None:
            n, size = len(upper) // n_outputs, n_outputs * unit.size
            free = upper.reshape(n_outputs, n, n_outputs, n)[:, self._free][:, :, :, self._free]
            upper, unit = free.reshape(size, size), np.tile(unit, n_outputs)
        return mirrored(upper, unit, weight)

    def hessian_diagonal(self, theta: FloatArray) -> Diagonal:
        """Return the diagonal of the Hessian in one pass."""
        total = self._pass(
            partial(statistics.hessian_diagonal, coef=self.about_centre(theta), centre=self._units.centre)
        )
        values, squares = total.diagonal / self._units.scale**2 / total.weight, total.squares
        # In the data's own units fourth powers may overflow or vanish: then a column has as many rows as there are.
        with np.errstate(over="ignore", invalid="ignore"):
            rows = total.diagonal**2 / np.where(squares > 0, squares, 1.0)
        known = np.isfinite(rows) & np.isfinite(squares) & ((squares > 0) | (values <= 0))
        rows = np.where(known, rows, self.n_rows)
        # A rare indicator that is 0 in every row here rests, shifted to its centre, evenly on all of them; but then its
        # variance here is far from the 1 that it has been scaled to.
        numeric = np.s_[:, 1 : 1 + self._units.centre.size]
        intercepts = values[:, :1]
        rows[numeric] = np.minimum(rows[numeric], self.n_rows * values[numeric] / intercepts)
        one_row = np.tile(intercepts / self.n_rows, rows.shape[1])
        one_row[numeric] = intercepts / np.maximum(rows[numeric], 1.0)
        values, rows, one_row = (part[:, self._free].ravel() for part in (values, rows, one_row))
        return Diagonal(values + self.penalty.l2, rows, one_row)

    def hessian_vector(self, theta: FloatArray, direction: FloatArray) -> FloatArray:
        """Return the Hessian at theta times `direction`, `(n_theta,)`, in one pass."""
        total = self._pass(
            partial(
                statistics.hessian_vector,
                coef=self.about_centre(theta),
                direction=self.direction(direction),
                centre=self._units.centre,
            )
        )
        product: FloatArray = self._theta(total.product) / total.weight + self.penalty.l2 * direction
        return product

    def shared_hessian(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return, for several outputs, (the loss's Hessian of a mean output `(n, n)`, shares `(n_outputs,) * 2`).

        The part of the Hessian that two outputs make is about their share times the mean one; the L2 penalty is not in
        it. (A Kronecker product, as Martens and Grosse have it, "Optimizing neural networks with Kronecker-factored
        approximate curvature", ICML, 2015.)
        """
        total = self._pass(partial(statistics.shared_hessian, coef=self.about_centre(theta), centre=self._units.centre))
        assert total.hessian is not None
        assert total.gradient is not None
        return self._scaled(total.hessian, 1, total.weight), total.gradient / np.mean(np.diag(total.gradient))

    def minimise_quadratic(self, at: Evaluation, hessian: FloatArray, theta: FloatArray, tol: float) -> FloatArray:
        """Return the optimum of the objective's quadratic model, penalties and bounds as they are; no pass.

        Args:
            at: the objective at theta, with its gradient.
            hessian: `(n_theta, n_theta)`, of the smooth part or about it.
            theta: `(n_theta,)`.
            tol: stop at `max |smallest subgradient of the model| <= tol`.

        """
        p = self.penalty
        return minimise_quadratic(hessian, at.gradient, theta, p.l1, p.lower, p.upper, tol)

    def minimise_over(self, theta: FloatArray, wanted: NDArray[np.bool_], tol: float) -> FloatArray:
        """Return theta with some coefficients moved to the optimum of theirs, the others held.

        One pass picks the wanted columns out of the rows; the rest reads no other, and is no pass.

        Args:
            theta: `(n_theta,)`; coefficients that are not wanted are zero.
            wanted: `(n_theta / n_outputs,)`, which coefficients of each output.
            tol: stop at `max |smallest subgradient| <= tol` over the wanted ones.

        """
        n_coefs = self._source.n_coefs
        kernels: Any = few if is_small(self.n_rows, n_coefs) else columns
        which = np.flatnonzero(wanted)
        position = np.full(n_coefs + 1, -1, np.int64)
        position[self.free[which]] = np.arange(which.size)
        unit = np.zeros(n_coefs)
        unit[self._free] = self._unit
        found = self._pass(partial(kernels.pick, position=position, centre=self._units.centre, unit=unit))
        picked = kernels.assembled(found)
        by_output = theta.reshape(self.n_outputs, -1)
        p = self.penalty
        terms = kernels.Terms(*(v.reshape(by_output.shape)[:, which] for v in (p.l2, p.l1, p.lower, p.upper)))
        moved = by_output.copy()
        moved[:, which] = kernels.solve(picked, by_output[:, which], terms, tol, MOST_COLUMN_STEPS)
        return moved.ravel()

    def sample(self, rows: int, seed: int) -> Objective:
        """Return the objective of about `rows` rows, as many of each label as there are, weighted to stand for all.

        Its passes are over the sample, and are not counted with this objective's.
        """
        fractions = _even_fractions(rows, self._class_rows)
        source = self._source.sample(fractions, seed)
        class_rows = tuple(int(n * f) for n, f in zip(self._class_rows, fractions, strict=True))
        return Objective(source, self._units, self._of_coefs, class_rows, self._held_or_none)

    def without_pass(self, at: Evaluation, theta: FloatArray, penalty: Penalty) -> Evaluation:
        """Return this objective at theta, given what another penalty's objective of the same rows is there."""
        l2 = self.penalty.l2 - penalty.l2
        gradient = at.gradient + l2 * theta
        hessian = at.hessian
        if hessian.size > 0:
            hessian = hessian + np.diag(l2)
        slope = gradient if self.is_smooth else self.penalty.slope(theta, gradient)
        return Evaluation(
            value=at.loss + self.penalty.at(theta), loss=at.loss, gradient=gradient, hessian=hessian, slope=slope
        )

    def with_l2(self, extra: FloatArray) -> Objective:
        """Return this objective with `extra` `(n_theta,)` added to its L2 penalty; with passes of its own."""
        other = Objective(self._source, self._units, self._of_coefs, self._class_rows, self._held_or_none)
        other.penalty = replace(self.penalty, l2=self.penalty.l2 + extra)
        return other

    def theta(self, coef: FloatArray) -> FloatArray:
        """Return the theta of coefficients `(n_outputs, n_coefs)` in the columns' own units, put within its bounds."""
        about_centre = coef.copy()
        about_centre[:, 0] += matmul(about_centre[:, 1 : 1 + self._units.centre.size], self._units.centre)
        theta: FloatArray = (about_centre[:, self._free] / self._unit).ravel()
        return np.clip(theta, self.penalty.lower, self.penalty.upper)

    def coef(self, theta: FloatArray) -> FloatArray:
        """Return the coefficients `(n_outputs, n_coefs)` in the columns' own units, intercept at zero."""
        coef = self.about_centre(theta)
        coef[:, 0] -= matmul(coef[:, 1 : 1 + self._units.centre.size], self._units.centre)
        if self.n_outputs > 1:
            # The same added to every class's coefficient changes no probability, and a mean of zero has the least L2
            # penalty: only L1 and bounds want another.
            p = self._of_coefs
            decided = (p.l1 > 0) | np.isfinite(p.lower) | np.isfinite(p.upper)
            coef = np.where(decided, coef, coef - np.mean(coef, axis=0))
        return coef

    def about_centre(self, theta: FloatArray) -> FloatArray:
        """Return the coefficients about the centre, as the kernels take them, `(n_outputs, n_coefs)`."""
        coef = self.direction(theta)
        return coef if self._held_values is None else coef + self._held_values

    def direction(self, theta: FloatArray) -> FloatArray:
        """Return a direction in theta as one in the coefficients about the centre: 0 for those that are held."""
        coef = np.zeros((self.n_outputs, self._source.n_coefs))
        coef[:, self._free] = theta.reshape(self.n_outputs, -1) * self._unit
        return coef

    @property
    def _held_or_none(self) -> FloatArray | None:
        return None if isinstance(self._free, slice) else self._held

    def _theta(self, gradient: FloatArray) -> FloatArray:
        """Return a derivative in the coefficients as one in theta."""
        return (gradient[:, self._free] * self._unit).ravel()


def _even_fractions(rows: int, class_rows: tuple[int, ...]) -> tuple[float, ...]:
    """Return what fraction of each class makes `rows` rows, as many of each class as there are."""
    taken = [0.0] * len(class_rows)
    left = float(rows)
    for remaining, k in zip(range(len(class_rows), 0, -1), np.argsort(class_rows, kind="stable"), strict=True):
        taken[k] = min(float(class_rows[k]), left / remaining)
        left -= taken[k]
    return tuple(t / n if n > 0 else 1.0 for t, n in zip(taken, class_rows, strict=True))


def hessian_cost(source: Source, n_outputs: int = 1) -> float:
    """Return how many gradient passes a pass with the Hessian costs, as measured.

    A value of n numeric columns takes n / 2 products, ten in the time it is read; a column of codes is scattered to
    its pairs with all others, as a stored value is to those of its row; several outputs have a Hessian for each pair.
    """
    of_pair = source.n_numeric / 20 + 0.75 * source.n_codes + source.n_stored / max(source.n_rows, 1)
    return 1 + of_pair * (n_outputs + 1) / 2


class Outcome(Enum):
    """How a solver ended; the value explains it."""

    CONVERGED = "converged"
    ROUNDING_FLOOR = "converged as far as float64 sums can tell: rounding hides any further descent"
    MAX_ITER = "reached the limit on iterations; raise max_iter, or loosen tol"
    STUCK = (
        "found no lower point along its direction, with the gradient still above tol; "
        "loosen tol, use a finite C, or drop columns that repeat others"
    )
    PASS_LIMIT = (
        "made all the passes it was allowed; its last step is not measured, and the gradient shown is from before it; "
        "raise max_passes"
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
