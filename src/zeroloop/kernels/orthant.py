"""The optimum of a smooth convex function with an L1 penalty and bounds, by Newton steps on what is off zero.

In NumPy: `zeroloop.kernels.few` minimises the loss of rows with it, so few that they would wait for a compiler, and
`zeroloop.solvers.proximal_newton` its quadratic models, which have no rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zeroloop.algebra import dot, matmul, solve_positive
from zeroloop.blocks import FloatArray

FEWEST_NEW = 10  # coefficients that a step may move off zero, at least
ROWS_A_NEW_COEFFICIENT = 4
SUFFICIENT = 1e-4  # Armijo's constant
# Of the slope, added to the curvature: directions in which there is none end at the orthant's border, not beyond 1e10.
FIRST_DAMPING, LEAST_DAMPING, MOST_DAMPING = 1e-2, 1e-3, 1e8
DAMPED = 10.0  # times as much after a step that fails, and a tenth after one that does not
MOST_MODEL_STEPS = 200  # of a quadratic model
RIDGE = 1e-12  # of a curvature of 1: columns that repeat each other share their coefficient
RIDGE_GROWTH, MOST_RIDGE = 100.0, 1e-3  # where that is less than rounding
MOST_SOLVED = 1_500  # coefficients of a quadratic model at once; more by conjugate gradients
MOST_PRODUCTS = 100  # of conjugate gradients, of one step
LOOSEST = 0.1  # of the slope that these may leave
ROUNDING = 8 * float(np.finfo(np.float64).eps)

Steps: TypeAlias = Callable[[NDArray[np.intp], FloatArray, float], FloatArray]
"""Returns `-(H + damping)^-1 slope` of some of the free coefficients, given which, their slopes, and damping."""


class At(NamedTuple):
    """A smooth function at one theta: its value, its gradient, and what its curvature is made of."""

    value: float
    gradient: FloatArray
    curvature: Any


class Smooth(Protocol):
    """A convex function of theta `(n,)`."""

    def at(self, theta: FloatArray) -> At:
        """Return the function at theta."""
        ...

    def steps(self, at: At, free: NDArray[np.intp], /) -> Steps:
        """Return what solves for some of the free coefficients."""
        ...


class Penalised(NamedTuple):
    """A smooth function, the L1 penalty and the bounds, each `(n,)`."""

    smooth: Smooth
    l1: FloatArray
    lower: FloatArray
    upper: FloatArray


class _Point(NamedTuple):
    theta: FloatArray
    at: At
    value: float
    slope: FloatArray
    norm: float


def minimise(objective: Penalised, theta: FloatArray, *, tol: float, most_steps: int, n_rows: int) -> FloatArray:
    """Return the theta that minimises `smooth(theta) + sum_j l1[j] |theta[j]|` within bounds.

    In the orthant that the signs of theta give, and those of the slopes where theta is zero, the objective is smooth: a
    Newton step over the coefficients off zero and those that most want to be, each no farther than the orthant's
    border. One that the step would lead out at once takes no part in it.

    Sources: Andrew and Gao, "Scalable training of L1-regularized log-linear models", ICML, 2007 (the orthant and its
    border); Bertsekas, "Projected Newton methods for optimization problems with simple constraints", SIAM J. Control
    and Optimization, 1982 (what takes no part); Marquardt, J. SIAM, 1963 (damping instead of a line search).

    Args:
        objective: what to minimise.
        theta: `(n,)`, where to start, within bounds.
        tol: stop at `max |smallest subgradient| <= tol`.
        most_steps: most steps.
        n_rows: that the function rests on: more coefficients than rows are not moved off zero at once.

    """
    here = _point(objective, theta)
    damping = FIRST_DAMPING
    for _ in range(most_steps):
        if here.norm <= tol:
            break
        free, low, high = _orthant(objective, here, n_rows)
        steps = objective.smooth.steps(here.at, free)
        there = None
        while there is None and damping <= MOST_DAMPING:
            step = _inward(steps, here, free, low, high, damping * here.norm)
            there, whole = _lower(objective, here, free, step, low, high)
            damping = max(damping / DAMPED, LEAST_DAMPING) if whole else damping * DAMPED
        if there is None:
            break
        here = there
    return here.theta


def smallest_subgradient(
    theta: FloatArray, gradient: FloatArray, l1: FloatArray, lower: FloatArray, upper: FloatArray
) -> FloatArray:
    """Return the smallest subgradient where the smooth part has `gradient`; 0 where a bound holds theta back."""
    at_zero = np.sign(gradient) * np.maximum(np.abs(gradient) - l1, 0.0)
    slope = np.where(theta == 0.0, at_zero, gradient + l1 * np.sign(theta))
    held = ((theta <= lower) & (slope > 0)) | ((theta >= upper) & (slope < 0))
    return np.where(held, 0.0, slope)


def _point(objective: Penalised, theta: FloatArray) -> _Point:
    smooth, l1, lower, upper = objective
    at = smooth.at(theta)
    slope = smallest_subgradient(theta, at.gradient, l1, lower, upper)
    norm = float(np.max(np.abs(slope), initial=0.0))
    return _Point(theta, at, at.value + dot(l1, np.abs(theta)), slope, norm)


def _orthant(objective: Penalised, here: _Point, n_rows: int) -> tuple[NDArray[np.intp], FloatArray, FloatArray]:
    """Return which coefficients a step may move, and the ends `(free,)` within which the objective is smooth."""
    _, l1, lower, upper = objective
    theta, slope = here.theta, here.slope
    sign = np.where(theta != 0, np.sign(theta), -np.sign(slope))
    low = np.where((l1 > 0) & (sign > 0), np.maximum(lower, 0.0), lower)
    high = np.where((l1 > 0) & (sign < 0), np.minimum(upper, 0.0), upper)
    held = (slope == 0) & ((theta <= lower) | (theta >= upper) | ((theta == 0) & (l1 > 0)))
    moved = ((theta != 0) | (l1 == 0)) & ~held
    new = np.flatnonzero(~moved & ~held)
    most = max(FEWEST_NEW, n_rows // ROWS_A_NEW_COEFFICIENT, int(np.count_nonzero(moved)))
    if new.size > most:
        new = new[np.argsort(-np.abs(slope[new]), kind="stable")[:most]]
    moved[new] = True
    free = np.flatnonzero(moved)
    return free, low[free], high[free]


def _inward(
    steps: Steps, here: _Point, free: NDArray[np.intp], low: FloatArray, high: FloatArray, damping: float
) -> FloatArray:
    """Return the step of the free coefficients of which none at the orthant's border leads out of it."""
    theta, slope = here.theta[free], here.slope[free]
    taking_part = np.arange(free.size)
    while True:
        step = np.zeros(free.size)
        step[taking_part] = steps(taking_part, slope[taking_part], damping)
        out = ((theta <= low) & (step < 0)) | ((theta >= high) & (step > 0))
        if not np.any(out):
            return step
        taking_part = np.setdiff1d(taking_part, np.flatnonzero(out), assume_unique=True)


def _lower(
    objective: Penalised,
    here: _Point,
    free: NDArray[np.intp],
    step: FloatArray,
    low: FloatArray,
    high: FloatArray,
) -> tuple[_Point | None, bool]:
    """Return a lower point along a step, each coefficient stopped at the border, or all where the first reaches it."""
    theta = here.theta[free]
    whole = np.clip(theta + step, low, high)
    with np.errstate(divide="ignore", invalid="ignore"):
        room = np.where(step > 0, (high - theta) / step, np.where(step < 0, (low - theta) / step, np.inf))
    share = float(np.min(room, initial=np.inf))
    ends = [whole]
    if share < 1:
        first = np.where(room <= share, whole, theta + share * step)
        ends.append(np.clip(first, low, high))
    for end in ends:
        trial = here.theta.copy()
        trial[free] = end
        there = _point(objective, trial)
        fall = dot(here.slope[free], end - theta)
        blur = ROUNDING * abs(here.value)
        falls = -fall > blur and there.value <= here.value + SUFFICIENT * fall
        if falls or (there.value <= here.value + blur and there.norm < here.norm):
            return there, end is whole
    return None, False


def minimise_quadratic(
    hessian: FloatArray,
    gradient: FloatArray,
    theta: FloatArray,
    l1: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    tol: float,
) -> FloatArray:
    """Return the x that minimises `gradient d + 1/2 d' hessian d + sum_j l1[j] |x[j]|`, `d = x - theta`, within bounds.

    Args:
        hessian: `(n, n)`, symmetric, positive semi-definite.
        gradient: `(n,)` at theta.
        theta: `(n,)`, within bounds.
        l1: `(n,)`, at least 0.
        lower: `(n,)`, at most 0.
        upper: `(n,)`, at least 0.
        tol: stop at `max |smallest subgradient| <= tol`.

    """
    objective = Penalised(_Quadratic(hessian, gradient, theta), l1, lower, upper)
    return minimise(objective, theta, tol=tol, most_steps=MOST_MODEL_STEPS, n_rows=theta.size)


class _Quadratic:
    """The quadratic model `gradient d + 1/2 d' hessian d` with `d = theta - origin`."""

    def __init__(self, hessian: FloatArray, gradient: FloatArray, origin: FloatArray) -> None:
        self.hessian, self.gradient, self.origin = hessian, gradient, origin

    def at(self, theta: FloatArray) -> At:
        """Return the model at theta."""
        moved = theta - self.origin
        bent = matmul(self.hessian, moved)
        return At(dot(self.gradient, moved) + 0.5 * dot(bent, moved), self.gradient + bent, None)

    def steps(self, _: At, free: NDArray[np.intp]) -> Steps:
        """Return what solves for some of the free coefficients."""
        if free.size <= MOST_SOLVED:
            return solving(self.hessian[np.ix_(free, free)])

        def step(which: NDArray[np.intp], slope: FloatArray, damping: float) -> FloatArray:
            part = self.hessian[np.ix_(free[which], free[which])]
            return conjugate_gradients(lambda d: matmul(part, d) + damping * d, np.diag(part) + damping, slope)

        return step


def solving(hessian: FloatArray) -> Steps:
    """Return what solves the equations of a Hessian, or goes the steepest way where they have no solution."""

    def step(which: NDArray[np.intp], slope: FloatArray, damping: float) -> FloatArray:
        part = hessian[np.ix_(which, which)]
        part.flat[:: which.size + 1] += damping
        diagonal = np.diag(part)
        unit = 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
        part *= unit[:, np.newaxis] * unit
        solution, ridge = None, RIDGE
        while solution is None and ridge < MOST_RIDGE:
            part.flat[:: which.size + 1] += ridge
            solution, ridge = solve_positive(part, unit * slope), RIDGE_GROWTH * ridge
        return -unit * (unit * slope if solution is None else solution)

    return step


def conjugate_gradients(
    product: Callable[[FloatArray], FloatArray], diagonal: FloatArray, slope: FloatArray
) -> FloatArray:
    """Return about `-H^-1 slope`, as exactly as the distance to the optimum deserves."""
    norm = float(np.max(np.abs(slope)))
    enough = min(LOOSEST, math.sqrt(norm)) * norm
    inverse = 1 / np.where(diagonal > 0, diagonal, 1.0)
    step = np.zeros(slope.size)
    residual = -slope
    direction = inverse * residual
    along = dot(residual, direction)
    for _ in range(MOST_PRODUCTS):
        image = product(direction)
        curved = dot(direction, image)
        if not curved > 0:
            break
        step += along / curved * direction
        residual = residual - along / curved * image
        if float(np.max(np.abs(residual))) <= enough:
            break
        conditioned = inverse * residual
        last, along = along, dot(residual, conditioned)
        direction = conditioned + along / last * direction
    return step if np.any(step) else -inverse * slope
