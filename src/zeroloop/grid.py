"""Many penalties over the same rows: a warm-started path, and cross-validation along it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from zeroloop.algebra import exp, log, powers_of_ten
from zeroloop.auto import choose_solver, is_tall
from zeroloop.blocks import Block, FloatArray, Source, TableSource
from zeroloop.errors import OptionError
from zeroloop.fit import (
    MAX_ITER,
    Fit,
    Options,
    Shape,
    fit,
    narrowed,
    objective_of,
)
from zeroloop.kernels import statistics
from zeroloop.labels import Labels, count_labels
from zeroloop.objective import Evaluation, Objective, Units
from zeroloop.solvers.proximal_newton import descend, start_curvature
from zeroloop.sources.one_against_rest import as_softmax
from zeroloop.sources.together import Together
from zeroloop.units import without_intercept

LEAST_L1 = 1e-3  # the share of L1 that a path of L2 penalties begins as if it had: with none, no C is small enough
DECADES = 4.0  # that a path spans, or two with fewer rows than coefficients, as glmnet's does

SIDE_BY_SIDE = 4  # parts of a path
FEWEST_IN_PART = 8

Rule = Literal["min", "1se"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """What is fitted at each C.

    Attributes:
        options: but for C.
        units: of the columns.
        shape: of the penalty.
        classes: what the labels stand for.
        fit_intercept: whether there is an intercept.
        seed: of the rows that are sampled.
        held: `(n_coefs,)`, coefficients that stay at a value, NaN for the others; None to hold none.

    """

    options: Options
    units: Units
    shape: Shape
    classes: Sequence[Any] = (0, 1)
    fit_intercept: bool = True
    seed: int = 0
    held: FloatArray | None = None

    @property
    def is_smooth(self) -> bool:
        """Whether there is an L2 penalty only."""
        bounded = np.any(np.isfinite(self.shape.lower[1:])) or np.any(np.isfinite(self.shape.upper[1:]))
        return self.options.l1_ratio == 0 and not bounded

    def objective(self, source: Source, labels: Labels, C: float) -> Objective:
        """Return the objective at C."""
        options = replace(self.options, C=C)
        return objective_of(source, labels, options, self.units, self.shape, self.fit_intercept, self.held)


def largest_all_zero(source: Source, grid: Grid) -> float:
    """Return the largest C at which every penalised coefficient is zero.

    Without an L1 penalty there is none, and the answer is that of an L1 share of `LEAST_L1`, as in glmnet.
    """
    labels = count_labels(source, grid.classes)
    reach = np.where(grid.shape.factor == 0, np.inf, 0.0)  # the null model: what is unpenalised, and nothing else
    bounds = {"lower": np.maximum(grid.shape.lower, -reach), "upper": np.minimum(grid.shape.upper, reach)}
    null_fit = fit(
        source,
        replace(grid.options, C=1.0, l1_ratio=0.0, solver="auto"),
        units=grid.units,
        shape=replace(grid.shape, **bounds),
        classes=grid.classes,
        fit_intercept=grid.fit_intercept,
        seed=grid.seed,
        held=grid.held,
    )
    objective = grid.objective(source, labels, 1.0)
    at = objective(objective.theta(null_fit.coef), order=1)
    share = max(grid.options.l1_ratio, LEAST_L1)
    units = grid.units if grid.fit_intercept else without_intercept(grid.units)
    unit = share * grid.shape.factor * grid.shape.unit / units.scale
    unit[0] = 0.0
    unit = np.tile(unit[objective.free], objective.n_outputs)
    pulls = np.abs(at.gradient[unit > 0]) / unit[unit > 0]
    strongest = float(np.max(pulls, initial=0.0))
    if strongest <= 0:
        return 1.0 / labels.total
    return 1.0 / (labels.total * strongest) * (1 - 1e-12)


def spread(source: Source, grid: Grid, n: int) -> FloatArray:
    """Return n values of C, evenly spread in their logarithm, from all-zero to nearly free."""
    if n < 1:
        raise OptionError(f"Cs is {n}; it must be at least 1, or a list of values.")
    first = largest_all_zero(source, grid)
    decades = DECADES if source.n_rows > source.n_coefs else DECADES / 2
    return np.asarray(first * powers_of_ten(np.linspace(0, decades, n)))


def checked(Cs: Any) -> FloatArray:
    """Return values of C as an increasing array.

    Raises:
        OptionError: for values that are not above 0.

    """
    values = numbers_of("Cs", Cs)
    if values.ndim != 1 or values.size == 0 or not np.all(values > 0):
        raise OptionError(f"Cs is {Cs}; it must hold at least one number, all of them above 0.")
    return np.unique(values)


def numbers_of(name: str, values: Any) -> FloatArray:
    """Return an option's numbers, of whatever type they are, as float64.

    Raises:
        OptionError: for what is no number: text, None, complex numbers, rows of unequal length.

    """
    try:
        given = np.asarray(values)
        plain = given.dtype.kind in "iuf" or (given.dtype.kind == "b")
        if plain or (given.dtype.kind == "O" and all(isinstance(value, Real) for value in given.ravel())):
            return given.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        pass
    raise OptionError(f"{name} is {values!r}; it must hold numbers, and nothing else.")


def fits_wanted(source: Source, grid: Grid, Cs: Any) -> FloatArray:
    """Return the values of C that `Cs` names, increasing: a list of them, or how many to spread."""
    return spread(source, grid, int(Cs)) if isinstance(Cs, Integral) else checked(Cs)


def fit_grid(
    source: Source,
    grid: Grid,
    Cs: FloatArray,
    on_fit: Callable[[int], None] = lambda done: None,
    in_fold: bool = False,
) -> list[Fit]:
    """Fit every C of an increasing array, each from the last one's optimum.

    Where a Hessian fits into memory, what was learned of the curvature is kept too, so that a further C costs two or
    three passes; penalties are changed without one.

    Args:
        source: rows with labels.
        grid: what is fitted.
        Cs: `(n_C,)`, increasing.
        on_fit: called with the number of fits done.
        in_fold: whether the rows are a fold's, which may lack a class.

    """
    labels = count_labels(source, grid.classes, in_fold)
    if not _keeps_curvature(source, grid):
        return _fit_each(source, grid, Cs, labels, on_fit, in_fold)
    parts = _parts(source, Cs)
    done = 0

    def one_more() -> None:
        nonlocal done
        done += 1
        on_fit(done)

    if len(parts) == 1 or not isinstance(source, TableSource):
        return _fit_with_hessian(source, grid, Cs, labels, one_more)
    together = Together([source] * len(parts))
    fits_of_parts = together.run(lambda k, rows: _fit_with_hessian(rows, grid, parts[k], labels, one_more))
    return [one for part in fits_of_parts for one in part]


def _keeps_curvature(source: Source, grid: Grid) -> bool:
    """Return whether the fits have a Hessian, and what one has learned of it helps the next."""
    n_outputs = len(grid.classes) if len(grid.classes) > 2 else 1
    solver = grid.options.solver
    if solver == "auto":
        solver = choose_solver(source, n_outputs, grid.is_smooth)
        if solver == "sampled-newton":
            solver = "proximal-newton"  # which keeps its curvature from fit to fit
    one_by_one = n_outputs > 1 and grid.options.multi_class == "ovr"
    return solver == "proximal-newton" and not one_by_one


def _fit_each(
    source: Source, grid: Grid, Cs: FloatArray, labels: Labels, on_fit: Callable[[int], None], in_fold: bool
) -> list[Fit]:
    one_by_one = len(grid.classes) > 2 and grid.options.multi_class == "ovr"
    narrow = None
    if not one_by_one:
        narrow = narrowed(source, grid.options, grid.units, grid.shape, grid.fit_intercept, grid.held)
    fits: list[Fit] = []
    for C in Cs:
        fits.append(
            fit(
                source,
                replace(grid.options, C=float(C)),
                units=grid.units,
                shape=grid.shape,
                classes=grid.classes,
                fit_intercept=grid.fit_intercept,
                seed=grid.seed,
                start=fits[-1].coef if fits else None,
                in_fold=in_fold,
                labels=labels,
                held=grid.held,
                narrow=None if math.isinf(C) else narrow,
            )
        )
        on_fit(len(fits))
    return fits


def _parts(source: Source, Cs: FloatArray) -> list[FloatArray]:
    """Return a long path in parts that walk side by side: a tile read from memory then serves all of them."""
    n = min(SIDE_BY_SIDE, len(Cs) // FEWEST_IN_PART) if is_tall(source, 1) else 1
    return np.array_split(Cs, max(1, n))


def _fit_with_hessian(
    source: Source, grid: Grid, Cs: FloatArray, labels: Labels, on_fit: Callable[[], None]
) -> list[Fit]:
    objective = grid.objective(source, labels, float(Cs[0]))
    theta = objective.theta(labels.start(source.n_coefs, grid.fit_intercept))
    max_iter = grid.options.max_iter or MAX_ITER["proximal-newton"]
    curvature: FloatArray | None = None
    at: Evaluation
    if is_tall(source, objective.n_outputs):
        start, curvature = start_curvature(objective, theta, grid.seed)
        theta, at = start.theta, start.at
    else:
        at = objective(theta, order=2)
    fits: list[Fit] = []
    for C in Cs:
        last = objective
        if fits:
            objective = grid.objective(source, labels, float(C))
            at = objective.without_pass(at, theta, last.penalty)
        solution, curvature = descend(objective, theta, at, curvature, tol=grid.options.tol, max_iter=max_iter)
        theta, at = solution.theta, solution.last
        fits.append(
            Fit(
                coef=objective.coef(theta),
                solver="proximal-newton",
                solutions=(solution,),
                passes=objective.passes,
                labels=labels,
            )
        )
        on_fit()
    return fits


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossValidation:
    """Mean held-out loss at each C.

    Attributes:
        Cs: `(n_C,)`, increasing.
        losses: `(n_folds, n_C)`, mean log loss of each fold's rows under the model of the others.
        weights: `(n_folds,)`, weight of each fold's rows.
        rule: "min", the C of least mean loss, or "1se", the strongest penalty within a standard error of it (Breiman
            and others, "Classification and regression trees", 1984, section 3.4.3; glmnet's `lambda.1se`).
        passes: sweeps over the rows, each shared by all folds.

    """

    Cs: FloatArray
    losses: FloatArray
    weights: FloatArray
    rule: Rule
    passes: int

    @property
    def mean(self) -> FloatArray:
        """Weighted mean loss over the folds, `(n_C,)`."""
        return np.asarray(np.average(self.losses, axis=0, weights=self.weights))

    @property
    def error(self) -> FloatArray:
        """Standard error of that mean, `(n_C,)`."""
        spread = np.average((self.losses - self.mean) ** 2, axis=0, weights=self.weights)
        return np.asarray(np.sqrt(spread / (len(self.losses) - 1)))

    @property
    def chosen(self) -> int:
        """Index of the C that the rule chooses."""
        return choose(self.mean, self.error, self.rule)

    def record(self) -> dict[str, Any]:
        """Return what a model keeps of it."""
        return {
            "rule": self.rule,
            "folds": len(self.losses),
            "C": self.Cs.tolist(),
            "log_loss": self.mean.tolist(),
            "standard_error": self.error.tolist(),
            "passes": self.passes,
        }


def choose(mean: FloatArray, error: FloatArray, rule: Rule) -> int:
    """Return the index of the least mean, or of the first within its standard error."""
    best = int(np.argmin(mean))
    return best if rule == "min" else int(np.argmax(mean <= mean[best] + error[best]))


def cross_validate(
    source: TableSource,
    grid: Grid,
    Cs: FloatArray,
    fold_of: Callable[[Block], NDArray[np.intp]],
    n_folds: int,
    rule: Rule,
    on_fit: Callable[[int], None] = lambda done: None,
) -> CrossValidation:
    """Fit every C to all folds but one, for each fold, and score it on the one.

    Folds are weights, not copies: a row of the fold left out has none. All folds' fits pass over the rows together,
    where `zeroloop.sources.together` has something to share.

    Args:
        source: rows with labels.
        grid: what is fitted.
        Cs: `(n_C,)`, increasing.
        fold_of: the fold of each row of a block, from 0 on.
        n_folds: number of folds.
        rule: how to choose.
        on_fit: called with the number of fits done, of `n_folds * n_C`.

    """

    def fold_rows(fold: int, inside: bool) -> TableSource:
        return source.viewed(partial(_reweighted, fold_of=fold_of, fold=fold, inside=inside))

    others = [fold_rows(fold, inside=False) for fold in range(n_folds)]
    done = 0

    def of_fold(_: int, rows: Source) -> list[Fit]:
        def count(_: int) -> None:
            nonlocal done
            done += 1
            on_fit(done)

        return fit_grid(rows, grid, Cs, count, in_fold=True)

    together = Together(others)
    fits = together.run(of_fold)
    losses, weights = [], []
    for fold in range(n_folds):
        rows = fold_rows(fold, inside=True)
        coefs = [fitted.coef for fitted in fits[fold]]
        total = rows.reduce(partial(_losses, coefs=coefs, multi_class=grid.options.multi_class))
        weights.append(total[0])
        losses.append(total[1:] / total[0])
    return CrossValidation(
        Cs=Cs, losses=np.array(losses), weights=np.array(weights), rule=rule, passes=together.passes + n_folds
    )


def _reweighted(block: Block, fold_of: Callable[[Block], NDArray[np.intp]], fold: int, inside: bool) -> Block:
    """Return a block with no weight on the rows in a fold, or on those outside of it."""
    used = (fold_of(block) == fold) == inside
    return replace(block, weight=used.astype(np.float64) if block.weight is None else np.where(used, block.weight, 0.0))


def _losses(block: Block, coefs: Sequence[FloatArray], multi_class: str) -> FloatArray:
    """Return the block's weight and its loss at each C, `(1 + n_C,)`."""
    centre = np.zeros(block.numeric.shape[0])
    if len(coefs[0]) == 1 or multi_class == "multinomial":
        totals = [statistics.sums(block, coef, centre, 0) for coef in coefs]
        return np.array([totals[0].weight, *(total.loss for total in totals)])
    assert block.y is not None
    weight = np.ones(block.n_rows) if block.weight is None else block.weight
    found = [float(np.sum(weight))]
    for coef in coefs:
        logs = as_softmax(statistics.predictor(block, coef, centre))
        right = logs[block.y.astype(np.intp), np.arange(block.n_rows)]
        found.append(float(np.sum(weight * (log(np.sum(exp(logs), axis=0)) - right))))
    return np.array(found)


def hashed_folds(block: Block, n_folds: int, seed: int) -> NDArray[np.intp]:
    """Return the fold of each row of a block, by a hash of its index."""
    return (block.hashes(seed) >> np.uint64(32)).astype(np.int64) % n_folds
