"""A fit whose optimum may lie at infinity, or far from where the gradient has become small: what is made of its end.

A solver stops where the gradient is small. Without a penalty that may be on the way to infinity, as where rows can be
told apart without doubt; or far from the optimum, as where columns nearly repeat each other. One pass with the Hessian
tells: at an optimum another of Newton's steps moves no row's predictor (see `zeroloop.inference.limit`). Where it
moves one, it is found out whether there is an optimum, and if so it is gone to.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zeroloop.algebra import dot, matmul
from zeroloop.auto import MOST_HESSIAN_COEFS
from zeroloop.blocks import Block, FloatArray, TableSource
from zeroloop.fit import (
    Fit,
    OnPass,
    Options,
    Shape,
    fit,
    narrowed,
    objective_of,
    plain_shape,
)
from zeroloop.inference.basis import Basis, look
from zeroloop.inference.information import inverse
from zeroloop.inference.limit import HIDDEN, MANY_STEPS, STILL, Counted
from zeroloop.inference.pairs import Frame, extremes
from zeroloop.inference.refine import decided, refine
from zeroloop.inference.separation import MOVED, Space, search
from zeroloop.labels import Labels
from zeroloop.narrow import Narrow
from zeroloop.objective import Evaluation, Objective, Outcome, Solution, Units
from zeroloop.units import held_with_idle, without_intercept

DEAREST_HESSIAN = 30  # passes with a gradient that one with the Hessian may cost: some 600 columns of numbers
FEW_PRODUCTS = 1e10  # a second's work, whatever a gradient costs
SEPARATED = (
    "Without a penalty these rows have no optimum, as some can be told apart without doubt (separation): coefficients "
    "grow without end, and these are only from where the solver stopped; use a finite C."
)
SMALL_LOSS = 0.1  # of a mean over rows: above it not all of them are told apart by far


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A fit, and whether it has an optimum.

    Attributes:
        fit: at the optimum, where it has one that could be reached.
        separated: whether some rows can be told apart without doubt, so that it has none.

    """

    fit: Fit
    separated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Problem:
    """One fit: rows of two classes, or of several with an output each.

    Attributes:
        source: the rows.
        labels: of the rows.
        options: how.
        units: of the columns; without an intercept about zero.
        shape: of the penalty.
        fit_intercept: whether there is an intercept.
        held: `(n_coefs,)`, the value of coefficients that are held, NaN for the others.

    """

    source: TableSource
    labels: Labels
    options: Options
    units: Units
    shape: Shape
    fit_intercept: bool
    held: FloatArray

    def objective(self) -> Objective:
        return objective_of(
            self.source, self.labels, self.options, self.units, self.shape, self.fit_intercept, self.held
        )


def fit_checked(
    source: TableSource,
    options: Options,
    *,
    units: Units,
    shape: Shape,
    classes: Sequence[Any],
    fit_intercept: bool = True,
    seed: int = 0,
    start: FloatArray | None = None,
    held: FloatArray | None = None,
    on_pass: OnPass | None = None,
) -> Checked:
    """Fit, and check the fit.

    Args:
        source: rows with labels.
        options: how; see `zeroloop.fit.fit`, also for those that follow.
        units: of the columns.
        shape: of the penalty.
        classes: what the labels stand for.
        fit_intercept: False pins the intercept to zero.
        seed: of the rows that are sampled.
        start: `(n_outputs, n_coefs)` to start from.
        held: `(n_coefs,)`, coefficients that stay at a value.
        on_pass: called after each pass of the fit.

    """
    narrow = None
    if len(classes) == 2 or options.multi_class != "ovr":
        narrow = narrowed(source, options, units, shape, fit_intercept, held)
    found = fit(
        source,
        options,
        units=units,
        shape=shape,
        classes=classes,
        fit_intercept=fit_intercept,
        seed=seed,
        start=start,
        held=held,
        on_pass=on_pass,
        narrow=narrow,
    )
    return check(
        source, found, options, units=units, shape=shape, fit_intercept=fit_intercept, held=held, narrow=narrow
    )


def check(
    source: TableSource,
    found: Fit,
    options: Options,
    *,
    units: Units,
    shape: Shape,
    fit_intercept: bool = True,
    held: FloatArray | None = None,
    narrow: Narrow | None = None,
) -> Checked:
    """Where coefficients pay no penalty, find out whether there is an optimum; if so, return the fit that is it.

    With more coefficients than a Hessian deserves, and no fewer rows, only rows that are all told apart are found.

    Args:
        source: rows with labels.
        found: their fit.
        options: how it was made.
        units: of the columns.
        shape: of the penalty.
        fit_intercept: whether there is an intercept.
        held: `(n_coefs,)`, coefficients that stay at a value, NaN for the others.
        narrow: the rows as `narrowed` returns them, where they have been; None to look whether they should be.

    """
    factor = shape.factor[1:] if held is None else shape.factor[1:][np.isnan(held[1:])]
    if not (math.isinf(options.C) or np.any(factor == 0)):
        return Checked(fit=found, separated=False)
    units = units if fit_intercept else without_intercept(units)
    idle = held_with_idle(units, fit_intercept, held)
    problem = _Problem(
        source=source,
        labels=found.labels,
        options=options,
        units=units,
        shape=shape,
        fit_intercept=fit_intercept,
        held=np.full(source.n_coefs, np.nan) if idle is None else idle,
    )

    def in_few(rows: TableSource) -> Narrow | None:
        return narrowed(rows, options, units, shape, fit_intercept, held)

    if len(found.solutions) == 1:
        return _checked(problem, found, in_few(source) if narrow is None else narrow)
    parts = []
    for k, solution in enumerate(found.solutions):
        rows, labels = source.viewed(partial(_relabelled, label=k)), found.labels.against_rest(k)
        one = replace(found, coef=found.coef[k : k + 1], solutions=(solution,), passes=0, labels=labels)
        parts.append(_checked(replace(problem, source=rows, labels=labels), one, in_few(rows)))
    whole = replace(
        found,
        coef=np.concatenate([one.fit.coef for one in parts]),
        solutions=tuple(one.fit.solutions[0] for one in parts),
        passes=found.passes + sum(one.fit.passes for one in parts),
    )
    return Checked(fit=whole, separated=any(one.separated for one in parts))


def _relabelled(block: Block, label: int) -> Block:
    assert block.y is not None
    return replace(block, y=(block.y == label).astype(np.float32))


def _checked(problem: _Problem, found: Fit, narrow: Narrow | None) -> Checked:
    """Check a fit, in the coordinates that its rows span where these are fewer."""
    if narrow is None:
        return _check(problem, found)
    inner = replace(
        problem,
        source=narrow.source,
        units=narrow.units,
        shape=replace(plain_shape(np.ones_like(narrow.factor)), factor=narrow.factor),
        held=narrow.held,
    )
    checked = _check(inner, replace(found, coef=narrow.start(found.coef)))
    moved = checked.fit.solutions is not found.solutions
    return replace(checked, fit=replace(checked.fit, coef=narrow.coef(checked.fit.coef) if moved else found.coef))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Free:
    """The parameters that pay no penalty, at the point where a solver has stopped.

    Attributes:
        space: of them; of several classes relative to the first.
        frame: all rows.
        part: `(n,)`, their indices in theta.
        at: `(n,)`, the point.
        every: whether there are no others.

    """

    space: Space
    frame: Frame
    part: NDArray[np.intp]
    at: FloatArray
    every: bool


def _free(problem: _Problem, objective: Objective, theta: FloatArray) -> _Free | None:
    """Return the parameters that pay no penalty; None where that is the intercept alone."""
    p, n_outputs = objective.penalty, objective.n_outputs
    n = objective.theta_size // n_outputs
    free = ((p.l1 == 0) & (p.l2 == 0) & ~(np.isfinite(p.lower) & np.isfinite(p.upper)))[:n]
    if not np.any(free[objective.free > 0]):
        return None
    k = max(n_outputs - 1, 1)
    coefs = objective.free[free]
    # Of several classes with an output each, one-sided bounds leave every difference of two outputs free.
    ways = (np.isfinite(p.lower).astype(np.float64) - np.isfinite(p.upper))[:n][free]
    by_output = theta.reshape(n_outputs, -1)
    relative = by_output if n_outputs == 1 else by_output[1:] - by_output[0]
    return _Free(
        space=Space(
            free=coefs,
            unit=1 / problem.units.scale[coefs],
            n_outputs=k,
            n_coefs=problem.source.n_coefs,
            ways=ways if n_outputs == 1 and np.any(ways) else None,
        ),
        frame=Frame(centre=problem.units.centre),
        part=(n if n_outputs > 1 else 0) + np.flatnonzero(np.tile(free, k)),
        at=relative[:, free].ravel(),
        every=bool(np.all(free)),
    )


def _check(problem: _Problem, found: Fit) -> Checked:
    objective = problem.objective()
    theta = objective.theta(found.coef)
    free = _free(problem, objective, theta)
    if free is None:
        return Checked(fit=found, separated=False)
    rows = Counted(problem.source)
    checked = Checked(fit=found, separated=_tells_all_apart(rows, free, found.loss))
    if not checked.separated and _is_affordable(objective):
        checked = _look_closer(problem, found, objective(theta, order=2), free, rows)
    passes = checked.fit.passes + objective.passes + rows.passes
    return replace(checked, fit=replace(checked.fit, passes=passes))


def _is_affordable(objective: Objective) -> bool:
    """Return whether a pass with the Hessian is worth what it tells."""
    size = objective.theta_size
    cheap = objective.hessian_cost <= DEAREST_HESSIAN or objective.n_rows * size**2 <= FEW_PRODUCTS
    return cheap and size <= MOST_HESSIAN_COEFS


def _tells_all_apart(rows: Counted, free: _Free, loss: float) -> bool:
    """Return whether the point itself is a direction that tells all rows apart."""
    if not (free.every and loss < SMALL_LOSS and free.space.allows(free.at)):
        return False
    found = rows.reduce(partial(extremes, direction=free.space.form(free.at), tolerance=MOVED, frame=free.frame))
    return found.n_moved > 0 and found.n_left == 0 and found.n_against == 0


def _look_closer(problem: _Problem, found: Fit, at: Evaluation, free: _Free, rows: Counted) -> Checked:
    """Return whether there is an optimum, given the objective with its Hessian, and the fit there."""
    space, tol = free.space, problem.options.tol
    basis, viewed, passes = Basis(None, problem.units, problem.units), problem.source, 0
    held, candidates = problem.held.copy(), [free.at]
    if space.ways is None:  # bounds make an optimum where Newton's step is not nothing
        step = _newton_step(at, free, np.ones(free.part.size, dtype=bool))
        if step is None:
            looked = look(problem.source, problem.units, _only(problem.held, space.free))
            basis, viewed, passes = looked.basis, looked.source, looked.passes
            aliased = [one.at for one in looked.columns.aliased]
            held[aliased] = 0.0
            if basis.change is None:
                step = _newton_step(at, free, np.tile(~np.isin(space.free, aliased), space.n_outputs))
        if step is not None:
            if _is_nothing(step, at, free, rows, tol):
                return Checked(fit=replace(found, passes=found.passes + passes), separated=False)
            candidates.insert(0, step)
    frame = free.frame
    if basis.change is not None:
        kept = space.free[np.isnan(held[space.free])]
        space = replace(space, free=kept, unit=1 / basis.from_units.scale[kept])
        frame, candidates = replace(frame, centre=basis.from_units.centre), []
    searched = Counted(viewed)
    separated = search(searched, space, frame, candidates).proof is not None
    found = replace(found, passes=found.passes + passes + searched.passes)
    if separated or not (free.every and space.ways is None and found.converged):
        return Checked(fit=found, separated=separated)
    start = found.coef
    if basis.change is not None or not np.array_equal(held, problem.held, equal_nan=True):
        start = found.labels.start(held.size, problem.fit_intercept)
    shape = plain_shape(basis.from_units.scale)
    whole = replace(problem, source=viewed, units=basis.from_units, shape=shape, held=held)
    return Checked(fit=_at_optimum(whole, found, start, basis), separated=False)


def _only(held: FloatArray, coefs: NDArray[np.intp]) -> FloatArray:
    """Return what is held where all but some coefficients are."""
    others = np.nan_to_num(held)
    others[coefs] = np.nan
    return others


def _newton_step(at: Evaluation, free: _Free, among: NDArray[np.bool_]) -> FloatArray | None:
    """Return Newton's step among some of the free parameters; None where rounding may hide a part of it."""
    part = free.part[among]
    inverted = inverse(at.hessian[np.ix_(part, part)])
    # Columns have a mean square of at most 1 in these units.
    if inverted is None or not float(np.trace(inverted.matrix)) < HIDDEN:
        return None
    step = np.zeros(among.size)
    step[among] = -matmul(inverted.matrix, at.gradient[part])
    return step


def _is_nothing(step: FloatArray, at: Evaluation, free: _Free, rows: Counted, tol: float) -> bool:
    """Return whether Newton's step neither lowers the objective nor moves a row's predictor by what counts."""
    if not -dot(at.gradient[free.part], step) <= tol:
        return False
    seen = rows.reduce(partial(extremes, direction=free.space.form(step), tolerance=0.0, frame=free.frame))
    return seen.greatest < STILL


def _at_optimum(problem: _Problem, found: Fit, start: FloatArray, basis: Basis) -> Fit:
    """Return the fit at the optimum that there is, found by Newton's steps in a basis."""
    objective = problem.objective()
    refined = refine(objective, objective.theta(start), decided(objective), MANY_STEPS, patient=True)
    [before] = found.solutions
    found = replace(found, passes=found.passes + objective.passes)
    if not refined.settled:
        return replace(found, solutions=(replace(before, outcome=Outcome.STUCK),))
    solution = Solution(refined.theta, refined.at, before.n_iter, Outcome.CONVERGED)
    return replace(found, coef=basis.coef(objective.coef(refined.theta)), solutions=(solution,))
