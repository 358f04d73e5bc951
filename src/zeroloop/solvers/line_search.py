"""Backtracking line search, shared by the solvers that need a guard."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zeroloop.algebra import dot
from zeroloop.blocks import FloatArray
from zeroloop.objective import Evaluation, Objective, Outcome

SUFFICIENT = 1e-4  # Armijo's constant, the textbook's
# Solvers to which a digit is a pass or less aim a digit below tol: the error of a coefficient is its gradient over its
# curvature, and with a curvature of 0.1 a gradient of 1e-6 would leave five digits.
AIM = 0.1
SHORTEST = 1e-10
SHORTER = 0.1  # at least, of the step before
BLUR = 1e-9  # relative: more than rounding ever makes of a mean over rows


# Rounding in a mean gradient of unit-variance columns: some 500 eps. Below it there is nothing left to find.
GRADIENT_FLOOR = 1e-13


@dataclass(frozen=True, slots=True)
class Step:
    """An accepted step: where it leads and what the objective is there."""

    theta: FloatArray
    evaluation: Evaluation


def rounding(value: float) -> float:
    """Return how much of an objective's value may be rounding."""
    return float(8 * np.finfo(np.float64).eps * abs(value))


def only_rounding_left(at: Evaluation, direction: FloatArray, best: float) -> bool:
    """Return whether the value can no longer tell a step, and the gradient no longer shrinks below half its `best`."""
    return -dot(at.gradient, direction) <= rounding(at.value) and at.gradient_norm > 0.5 * best


def outcome_without_step(at: Evaluation) -> Outcome:
    """Return how a descent ends that finds no step: at the floor of rounding, or stuck above it."""
    return Outcome.ROUNDING_FLOOR if at.gradient_norm <= GRADIENT_FLOOR else Outcome.STUCK


def backtrack(
    objective: Objective,
    theta: FloatArray,
    at: Evaluation,
    direction: FloatArray,
    order: int,
    shortest: float = SHORTEST,
) -> Step | None:
    """Shorten the step along `direction` until the objective falls enough; None where it never does.

    A step is accepted when `value(theta + t d) <= value(theta) + 1e-4 t slope` (Armijo, 1966). Near the optimum
    rounding in the value hides that fall, so a step is accepted too when the value is the same to `BLUR` and the
    slope says what Armijo would: `slope(theta + t d) <= (2e-4 - 1) slope(theta)` (Hager and Zhang, "A new conjugate
    gradient method with guaranteed descent and an efficient line search", SIAM J. Optimization, 2005). The first
    trial is t = 1, which Newton's direction passes near the optimum: one pass an iteration.

    Args:
        objective: what to lower.
        theta: `(n_theta,)`, where to start.
        at: the objective there, with its gradient.
        direction: `(n_theta,)`, downhill.
        order: of the evaluations, 1 or 2.
        shortest: give up below this t.

    """
    slope = dot(at.gradient, direction)
    t = 1.0
    while t >= shortest:
        trial = theta + t * direction
        evaluation = objective(trial, order)
        falls = evaluation.value <= at.value + SUFFICIENT * t * slope
        level = evaluation.value <= at.value + BLUR * abs(at.value)
        if falls or (level and dot(evaluation.gradient, direction) <= (2 * SUFFICIENT - 1) * slope):
            return Step(trial, evaluation)
        # Where the parabola through both values and the slope is lowest (Nocedal and Wright, equation 3.58).
        rise = evaluation.value - at.value - t * slope
        lowest = -slope * t / (2 * rise) if rise > 0 else 0.5
        t *= min(max(lowest, SHORTER), 0.5)
    return None
