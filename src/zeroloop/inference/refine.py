"""From a solver's stop to the optimum itself: Newton's steps with every row's Hessian, until they are nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zeroloop.algebra import dot
from zeroloop.blocks import FloatArray
from zeroloop.inference.information import solve
from zeroloop.objective import Evaluation, Objective

SETTLED = 1e-12  # in standard deviations: the Hessian before such a step is that after it, to rounding
FLOOR = 1e-5  # in standard deviations: smaller steps that do not shrink are rounding; those of separation are about 1
PATIENCE = 2  # steps in a row that do not shrink, before it is asked whether there is an optimum
FEWEST_HALVES = 2.0**-20  # of a step
NO_FALL = 1e-14  # of the objective: differences of sums that rounding hides
BLUR = 1e-9  # of it: more than rounding makes, where coefficients of columns that nearly repeat others cancel
RIDGES = (0.0, 1e-12, 1e-9, 1e-6, 1e-3)  # of the diagonal: added until a Hessian can be solved with


@dataclass(frozen=True, slots=True, kw_only=True)
class Refined:
    """Where Newton's steps led.

    Attributes:
        theta: `(n_theta,)`: no point met was better, up to rounding.
        at: the objective there, or a step of `SETTLED` before, with its Hessian.
        last: `(n_theta,)`, the last step that was looked at; the whole one, not what was taken of it.
        moved: `(n_theta,)`, the sum of the second half of the steps.
        settled: whether steps became nothing.

    """

    theta: FloatArray
    at: Evaluation
    last: FloatArray
    moved: FloatArray
    settled: bool


def decided(objective: Objective) -> NDArray[np.intp]:
    """Return the part of theta that the rows decide on: of several outputs all but the first, which stays as it is."""
    first = objective.theta_size // objective.n_outputs if objective.n_outputs > 1 else 0
    return np.arange(first, objective.theta_size)


def refine(
    objective: Objective, theta: FloatArray, part: NDArray[np.intp], most_steps: int, *, patient: bool = False
) -> Refined:
    """Return the optimum near theta; a fit to `tol = 1e-6` needs one step or two.

    Each step is halved until it does not raise the objective, nor, where rounding hides that, passes its lowest point.
    Where there is no optimum steps do not shrink: each takes rows that can be told without doubt one further in the
    predictor.

    Args:
        objective: to minimise.
        theta: `(n_theta,)`, where to start.
        part: indices of the parameters to move.
        most_steps: to take.
        patient: whether to go on though steps do not shrink.

    """
    steps: list[FloatArray] = []
    size, stubborn, settled = np.inf, 0, False
    step = np.zeros_like(theta)
    at = objective(theta, order=2)
    while True:
        step = _newton_step(at, part)
        before, size = size, float(np.max(np.abs(step), initial=0.0))
        if size <= SETTLED or before / 2 < size <= FLOOR:
            theta, settled = theta + step, True
            break
        stubborn = stubborn + 1 if size > before / 2 else 0
        if len(steps) == most_steps or (stubborn >= PATIENCE and not patient):
            break
        share, new = 1.0, objective(theta + step, order=2)
        while not _is_lower(at, new, step) and share > FEWEST_HALVES:
            share /= 2
            new = objective(theta + share * step, order=2)
        if not _is_lower(at, new, step):
            break
        theta, at = theta + share * step, new
        steps.append(share * step)
    moved = np.sum(steps[len(steps) // 2 :], axis=0) if steps else step
    return Refined(theta=theta, at=at, last=step, moved=moved, settled=settled)


def _is_lower(at: Evaluation, new: Evaluation, step: FloatArray) -> bool:
    """Return whether a point is no worse than the one before; by the slope, where the value may be rounding."""
    if new.value <= at.value + NO_FALL * abs(at.value):
        return True
    level = new.value <= at.value + BLUR * abs(at.value)
    return level and abs(dot(new.gradient, step)) <= abs(dot(at.gradient, step)) / 2


def _newton_step(at: Evaluation, part: NDArray[np.intp]) -> FloatArray:
    """Return Newton's step; where the Hessian is singular to rounding, that of one with a ridge."""
    step = np.zeros(at.gradient.size)
    hessian, gradient = at.hessian[np.ix_(part, part)], at.gradient[part]
    floor = np.sqrt(np.finfo(np.float64).tiny)
    for ridge in RIDGES:
        damped = hessian.copy()
        damped.flat[:: len(damped) + 1] += ridge * np.maximum(np.diag(hessian), floor)
        found = solve(damped, gradient)
        if found is not None and np.all(np.isfinite(found)):
            step[part] = -found
            return step
    diagonal = np.diag(hessian)
    step[part] = -np.where(diagonal > 0, gradient / np.where(diagonal > 0, diagonal, 1.0), 0.0)
    return step
