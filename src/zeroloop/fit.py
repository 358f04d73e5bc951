"""The corridor both front doors lead to: a source and options in, a fitted result out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from zeroloop.auto import can_sample, choose_solver, is_tall, of_few_passes
from zeroloop.blocks import FloatArray, Source
from zeroloop.choices import MULTI_CLASS, SOLVERS, check_choice
from zeroloop.errors import OptionError
from zeroloop.labels import Labels, count_labels
from zeroloop.narrow import Narrow, is_narrowed
from zeroloop.narrow import narrow as narrow_rows
from zeroloop.objective import (
    Evaluation,
    Lowest,
    Objective,
    Outcome,
    OutOfPasses,
    Penalty,
    Solution,
    Units,
)
from zeroloop.plain_text import number_of
from zeroloop.solvers.coordinate_descent import coordinate_descent
from zeroloop.solvers.gradient_descent import gradient_descent
from zeroloop.solvers.lbfgs import lbfgs
from zeroloop.solvers.newton import newton
from zeroloop.solvers.newton_cg import newton_cg
from zeroloop.solvers.proximal_newton import proximal_newton
from zeroloop.solvers.sampled_newton import sampled_newton
from zeroloop.sources.one_against_rest import OneAgainstRest
from zeroloop.units import held_with_idle, without_intercept

OnPass = Callable[[int, Evaluation, Lowest], None]
"""Called after each pass with (number of passes, what it said, `Objective.lowest`)."""

MAX_ITER = {
    "newton": 100,
    "sampled-newton": 100,
    "newton-cg": 100,
    "lbfgs": 1_000,
    "gradient-descent": 10_000,
    "proximal-newton": 100,
    "coordinate-descent": 100,
}
PROXIMAL = ("proximal-newton", "coordinate-descent")  # solvers that know L1 penalties and bounds
MOST_RESCUED_COEFS = 1_500  # of all classes together, where L-BFGS has not converged


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to fit; checked when made.

    Attributes:
        C: inverse strength of the penalty, scikit-learn's; `inf` for none.
        l1_ratio: share of the L1 penalty: 0 is L2 alone, 1 is L1 alone.
        solver: "auto" or a name in `MAX_ITER`.
        tol: stop at `max |gradient of the mean objective| <= tol`, for columns of unit variance.
        max_iter: most iterations; None for the solver's own limit in `MAX_ITER`.
        learning_rate: of gradient descent.
        multi_class: with more than two classes, "multinomial" (softmax) or "ovr" (each class against the rest).
        max_passes: most sweeps over the rows, the scan of a table counted as one; with "ovr" of each class. None for
            no limit but `max_iter`. 2 gives the one-step estimate: a sample's optimum and one Newton step from it.

    Raises:
        OptionError: for a value out of its range.

    """

    C: float = 1.0
    l1_ratio: float = 0.0
    solver: str = "auto"
    tol: float = 1e-6
    max_iter: int | None = None
    learning_rate: float = 0.1
    multi_class: str = "multinomial"
    max_passes: int | None = None

    def __post_init__(self) -> None:
        if not self.C > 0:
            raise OptionError(f"C is {self.C}; it must be above 0 (a smaller C is a stronger penalty, inf is none).")
        if not 0 <= self.l1_ratio <= 1:
            raise OptionError(f"l1_ratio is {self.l1_ratio}; it must be from 0 (L2 penalty) to 1 (L1 penalty).")
        if not (0 < self.tol < math.inf):
            raise OptionError(f"tol is {self.tol}; it must be a number above 0, such as 1e-6.")
        if self.max_iter is not None and self.max_iter < 1:
            raise OptionError(f"max_iter is {self.max_iter}; it must be at least 1.")
        if self.max_passes is not None and self.max_passes < 2:
            raise OptionError(f"max_passes is {self.max_passes}; it must be at least 2: the scan, and a pass to fit.")
        if not (0 < self.learning_rate < math.inf):
            raise OptionError(f"learning_rate is {self.learning_rate}; it must be a number above 0, such as 0.1.")
        check_choice("multi_class", self.multi_class, MULTI_CLASS)
        check_choice("solver", self.solver, SOLVERS)


@dataclass(frozen=True, slots=True)
class Shape:
    """What the penalty knows of single coefficients, in the columns' own units; each `(n_coefs,)`.

    Attributes:
        unit: the penalty is of `coef * unit`: the scale where it should not depend on the columns' units, ones for
            scikit-learn's objective on the data as they are.
        factor: multiplies both penalties, glmnet's `penalty.factor`; 0 for a coefficient that pays none. The
            intercept's is not read: it pays none.
        lower, upper: bounds, at most and at least 0.

    Raises:
        OptionError: for a factor below 0, or bounds that zero is not within.

    """

    unit: FloatArray
    factor: FloatArray
    lower: FloatArray
    upper: FloatArray

    def __post_init__(self) -> None:
        if not np.all((self.factor >= 0) & (self.factor < np.inf)):
            raise OptionError("Penalty factors must be finite numbers of at least 0; 0 leaves a column unpenalised.")
        if not (np.all(self.lower <= 0) and np.all(self.upper >= 0)):
            raise OptionError("Bounds must include 0: every lower bound at most 0, every upper bound at least 0.")

    def penalty(self, C: float, l1_ratio: float, weight: float, scale: FloatArray) -> Penalty:
        """Return the penalty on theta that `C` and `l1_ratio` make of rows with so much weight.

        Raises:
            OptionError: when it is no finite number.

        """
        with np.errstate(all="ignore"):
            strength = self.factor / (np.float64(C) * weight)
            l1 = l1_ratio * strength * self.unit / scale
            l2 = (1 - l1_ratio) * strength * (self.unit / scale) ** 2
        l1[0] = l2[0] = 0.0
        if not (np.isfinite(l1).all() and np.isfinite(l2).all()):
            raise OptionError(
                f"C is {C:g}: with these weights and penalty factors the penalty is more than any number holds; "
                "give a larger C."
            )
        with np.errstate(invalid="ignore"):
            lower, upper = (np.where(bound == 0, 0.0, bound * scale) for bound in (self.lower, self.upper))
        lower[0], upper[0] = -np.inf, np.inf
        return Penalty(l2, l1, lower, upper)


def plain_shape(unit: FloatArray) -> Shape:
    """Return the shape of a penalty that treats all coefficients alike."""
    ones = np.ones_like(unit)
    return Shape(unit, ones, -np.inf * ones, np.inf * ones)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A fitted model without its columns' names.

    Attributes:
        coef: `(n_outputs, n_coefs)`, in the columns' own units.
        solver: the name of the solver used.
        solutions: where it stopped and how; with "ovr" one for each class.
        passes: sweeps over all rows.
        labels: of the rows.

    """

    coef: FloatArray
    solver: str
    solutions: tuple[Solution, ...]
    passes: int
    labels: Labels

    @property
    def n_iter(self) -> tuple[int, ...]:
        """The solver's steps."""
        return tuple(solution.n_iter for solution in self.solutions)

    @property
    def converged(self) -> bool:
        """Whether every solution is the optimum, to tol or to rounding."""
        return all(solution.converged for solution in self.solutions)

    @property
    def worst(self) -> Solution:
        """The solution farthest from its optimum."""
        return max(self.solutions, key=lambda solution: (not solution.converged, solution.last.gradient_norm))

    @property
    def loss(self) -> float:
        """Weighted mean log loss of the rows; with "ovr" the mean over the models."""
        return sum(solution.last.loss for solution in self.solutions) / len(self.solutions)

    @property
    def value(self) -> float:
        """The objective: loss and penalty; with "ovr" the mean over the models."""
        return sum(solution.last.value for solution in self.solutions) / len(self.solutions)

    def not_converged(self, tol: float) -> str:
        """Return the sentence for a fit that is not converged: how far it got and what to change."""
        return (
            f"Not converged: after {number_of(self.passes, 'pass')} of {self.solver} "
            f"max |gradient| is {self.worst.last.gradient_norm:.1e}, above tol = {tol:g}. "
            f"The solver {self.worst.outcome.value}."
        )


def fit(
    source: Source,
    options: Options,
    *,
    units: Units,
    shape: Shape,
    classes: Sequence[Any] = (0, 1),
    fit_intercept: bool = True,
    seed: int = 0,
    start: FloatArray | None = None,
    on_pass: OnPass | None = None,
    in_fold: bool = False,
    labels: Labels | None = None,
    held: FloatArray | None = None,
    narrow: Narrow | None = None,
) -> Fit:
    """Fit a logistic regression to a source's rows.

    Args:
        source: rows with labels 0 and 1, or 0 to K - 1.
        options: how.
        units: means and standard deviations of the columns: the solver's units.
        shape: of the penalty.
        classes: what the labels stand for; with more than two the model has an output for each.
        fit_intercept: False pins the intercept to zero.
        seed: of the rows that are sampled.
        start: `(n_outputs, n_coefs)` to start from; by default zero, with the classes' shares as intercepts.
        on_pass: called after each pass.
        in_fold: whether the rows are a fold's, which may lack a class.
        labels: of the rows, where they have been counted; None to count them.
        held: `(n_coefs,)`, coefficients that stay at a value, NaN for the others; None to hold none.
        narrow: the rows as `narrowed` returns them, where they have been; None to look whether they should be.

    Raises:
        DataError: when the rows' weight is zero or lies on one class, or a class has no row.
        OptionError: for a solver that cannot do what is asked.

    """
    labels = count_labels(source, classes, in_fold) if labels is None else labels
    if len(classes) > 2 and options.multi_class == "ovr":
        return _finite(
            _fit_one_by_one(source, labels, options, units, shape, fit_intercept, held, seed, start, on_pass)
        )
    if narrow is None:
        narrow = narrowed(source, options, units, shape, fit_intercept, held)
    return _finite(_fit_one(source, labels, options, units, shape, fit_intercept, held, seed, start, on_pass, narrow))


def _fit_one_by_one(
    source: Source,
    labels: Labels,
    options: Options,
    units: Units,
    shape: Shape,
    fit_intercept: bool,
    held: FloatArray | None,
    seed: int,
    start: FloatArray | None,
    on_pass: OnPass | None,
) -> Fit:
    """Fit each class against the rest."""
    fits = []
    for k in range(len(labels.rows)):
        rest = OneAgainstRest(source, k, len(labels.rows))
        narrow = narrowed(rest, options, units, shape, fit_intercept, held)
        begin = None if start is None else start[k : k + 1]
        of_class = labels.against_rest(k)
        fits.append(_fit_one(rest, of_class, options, units, shape, fit_intercept, held, seed, begin, on_pass, narrow))
    return Fit(
        coef=np.concatenate([one.coef for one in fits]),
        solver=fits[0].solver,
        solutions=tuple(solution for one in fits for solution in one.solutions),
        passes=sum(one.passes for one in fits),
        labels=labels,
    )


def _finite(found: Fit) -> Fit:
    """Return a fit all of whose numbers are numbers.

    Raises:
        OptionError: for one that has left what float64 holds.

    """
    last = found.worst.last
    if np.all(np.isfinite(found.coef)) and np.isfinite([found.loss, found.value, last.gradient_norm]).all():
        return found
    way = "a smaller learning_rate" if found.solver == "gradient-descent" else "another solver, or a stronger penalty"
    raise OptionError(
        f"solver {found.solver!r}: after {number_of(found.passes, 'pass')} the coefficients or their loss are more "
        f"than any number holds; use {way}."
    )


def narrowed(
    source: Source, options: Options, units: Units, shape: Shape, fit_intercept: bool, held: FloatArray | None
) -> Narrow | None:
    """Return the rows in as many coordinates as there are rows; None where they have more than columns, or L1.

    The same for every finite C. A solver that was named runs in these coordinates too: its optimum is no other. Not so
    gradient descent, of which the steps are asked for. Without a penalty the optimum is the shortest in the solver's
    units.
    """
    is_free = math.isinf(options.C)
    bounded = np.any(np.isfinite(shape.lower[1:])) or np.any(np.isfinite(shape.upper[1:]))
    if (options.l1_ratio > 0 and not is_free) or bounded or options.max_passes is not None:
        return None
    units = units if fit_intercept else without_intercept(units)
    unit = units.scale.copy() if is_free else shape.unit * np.sqrt(shape.factor)
    unit[0] = 0.0
    held = held_with_idle(units, fit_intercept, held)
    free = np.full(source.n_coefs, np.nan) if held is None else held
    if options.solver in (*PROXIMAL, "gradient-descent") or not is_narrowed(source, unit * np.isnan(free)):
        return None
    return narrow_rows(source, units.centre, unit, free, penalised=not is_free)


def _fit_narrow(
    narrow: Narrow,
    objective: Objective,
    labels: Labels,
    options: Options,
    fit_intercept: bool,
    seed: int,
    start: FloatArray | None,
) -> Fit:
    """Fit in the rows' coordinates; judge by a pass over all columns, and go on there where it is not the optimum."""
    shape = replace(plain_shape(np.ones_like(narrow.factor)), factor=narrow.factor)
    begin = None if start is None else narrow.start(start)
    inner = _fit_one(
        narrow.source, labels, options, narrow.units, shape, fit_intercept, narrow.held, seed, begin, None, None
    )
    theta = objective.theta(narrow.coef(inner.coef))
    at = objective(theta, order=1)
    [found] = inner.solutions
    solution = Solution(theta, at, found.n_iter, found.outcome)
    if found.converged and not objective.is_met(theta, at, options.tol):
        further = newton_cg(objective, theta, tol=options.tol, max_iter=options.max_iter or MAX_ITER["newton-cg"])
        solution = replace(further, n_iter=found.n_iter + further.n_iter)
    return Fit(
        coef=objective.coef(solution.theta),
        solver=inner.solver,
        solutions=(solution,),
        passes=objective.passes + 1,
        labels=labels,
    )


def _fit_one(
    source: Source,
    labels: Labels,
    options: Options,
    units: Units,
    shape: Shape,
    fit_intercept: bool,
    held: FloatArray | None,
    seed: int,
    start: FloatArray | None,
    on_pass: OnPass | None,
    narrow: Narrow | None,
) -> Fit:
    objective = objective_of(source, labels, options, units, shape, fit_intercept, held, on_pass)
    if narrow is not None:
        return _fit_narrow(narrow, objective, labels, options, fit_intercept, seed, start)
    solver = options.solver
    if solver == "auto":
        solver = choose_solver(source, objective.n_outputs, objective.is_smooth)
        if options.max_passes is not None:
            solver = of_few_passes(solver, source, objective.n_outputs)
    if not objective.is_smooth and solver not in PROXIMAL:
        raise OptionError(
            f"solver is {solver!r}, which knows no L1 penalty and no bounds; use 'auto' or {PROXIMAL[0]!r}."
        )
    theta = objective.theta(labels.start(source.n_coefs, fit_intercept) if start is None else start)
    max_iter = options.max_iter or MAX_ITER[solver]
    try:
        solution = _solve(solver, objective, theta, options, max_iter, seed, source)
        lost = solver == "sampled-newton" and solution.outcome == Outcome.STUCK
        if options.solver == "auto" and (lost or (solver == "lbfgs" and not solution.converged)):
            # Too hard for it, or too slow: what has more work a step needs fewer of them.
            solver = "newton" if objective.theta_size <= MOST_RESCUED_COEFS else "newton-cg"
            further = _solve(solver, objective, solution.theta, options, max_iter, seed, source)
            solution = replace(further, n_iter=solution.n_iter + further.n_iter)
    except OutOfPasses:
        assert objective.best is not None  # every solver's first pass has a gradient
        solution = Solution(*objective.best, objective.passes, Outcome.PASS_LIMIT)
    return Fit(
        coef=objective.coef(solution.theta),
        solver=solver,
        solutions=(solution,),
        passes=objective.passes,
        labels=labels,
    )


def objective_of(
    source: Source,
    labels: Labels,
    options: Options,
    units: Units,
    shape: Shape,
    fit_intercept: bool,
    held: FloatArray | None = None,
    on_pass: OnPass | None = None,
) -> Objective:
    """Return the objective that `options` make of a source's rows."""
    units = units if fit_intercept else without_intercept(units)
    penalty = shape.penalty(options.C, options.l1_ratio, labels.total, units.scale)
    held = held_with_idle(units, fit_intercept, held)
    max_passes = None if options.max_passes is None else options.max_passes - 1
    return Objective(source, units, penalty, labels.rows, held, on_pass, max_passes)


def _solve(
    solver: str,
    objective: Objective,
    theta: FloatArray,
    options: Options,
    max_iter: int,
    seed: int,
    source: Source,
) -> Solution:
    tol = options.tol
    if solver == "newton":
        return newton(objective, theta, tol=tol, max_iter=max_iter)
    if solver == "sampled-newton":
        return sampled_newton(objective, theta, tol=tol, max_iter=max_iter, seed=seed)
    if solver == "newton-cg":
        return newton_cg(objective, theta, tol=tol, max_iter=max_iter)
    if solver == "lbfgs":
        return lbfgs(objective, theta, tol=tol, max_iter=max_iter)
    if solver == "proximal-newton":
        limited = options.max_passes is not None and can_sample(source, objective.n_outputs)
        tall = limited or is_tall(source, objective.n_outputs)
        return proximal_newton(objective, theta, tol=tol, max_iter=max_iter, seed=seed, on_samples=tall)
    if solver == "coordinate-descent":
        return coordinate_descent(objective, theta, tol=tol, max_iter=max_iter)
    rate = options.learning_rate
    return gradient_descent(objective, theta, tol=tol, max_iter=max_iter, learning_rate=rate)
