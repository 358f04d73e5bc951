"""From a solver's stop to the optimum itself: Newton's steps with every row's Hessian, until they are nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zeroloop.blocks import FloatArray
from zeroloop.inference.information import solve
from zeroloop.objective import Evaluation, Objective

MOST_STEPS = 6
LEAP = 15  # steps
SETTLED = 1e-12  # in standard deviations: the Hessian before such a step is that after it, to rounding
FLOOR = 1e-5  # in standard deviations: smaller steps that do not shrink are rounding; those of separation are about 1


@dataclass(frozen=True, slots=True)
class Refined:
    """Where Newton's steps led.

    Attributes:
        theta: `(n_theta,)`.
        at: the objective there, or a step of `SETTLED` before, with its Hessian.
        moved: `(n_theta,)`, the sum of the second half of the steps, where they did not shrink.
        settled: whether they did.

    """

    theta: FloatArray
    at: Evaluation
    moved: FloatArray
    settled: bool


def decided(objective: Objective) -> slice:
    """Return the part of theta that the rows decide on: of several outputs all but the first, which stays as it is."""
    first = objective.theta_size // objective.n_outputs if objective.n_outputs > 1 else 0
    return slice(first, None)


def refine(objective: Objective, theta: FloatArray) -> Refined:
    """Return the optimum near theta; a fit to `tol = 1e-6` needs one step or two.

    Where there is none, steps do not shrink: each takes rows that can be told without doubt one further in the
    predictor. A leap along them then leaves these rows no say in what the others decide on.
    """
    steps: list[FloatArray] = []
    size = np.inf
    at = objective(theta, order=2)
    while len(steps) < MOST_STEPS:
        step = _newton_step(objective, at)
        if step is None:
            break
        before, size = size, float(np.max(np.abs(step), initial=0.0))
        if size <= SETTLED or before / 2 < size <= FLOOR:
            return Refined(theta + step, at, np.zeros_like(theta), True)
        theta, at = theta + step, objective(theta + step, order=2)
        steps.append(step)
    if not steps:
        return Refined(theta, at, np.zeros_like(theta), False)
    moved = np.sum(steps[len(steps) // 2 :], axis=0)
    for step in (LEAP * steps[-1], None, None):
        step = _newton_step(objective, at) if step is None else step
        if step is None:
            break
        new = objective(theta + step, order=2)
        if not new.value <= at.value:
            break
        theta, at = theta + step, new
    return Refined(theta, at, moved, False)


def _newton_step(objective: Objective, at: Evaluation) -> FloatArray | None:
    part = decided(objective)
    found = solve(at.hessian[part, part], at.gradient[part])
    if found is None:
        return None
    step = np.zeros(objective.theta_size)
    step[part] = -found
    return step
