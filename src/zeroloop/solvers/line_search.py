"""Backtracking line search, shared by the solvers that need a guard."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zeroloop.blocks import FloatArray
from zeroloop.objective import Evaluation, Objective

SUFFICIENT = 1e-4  # Armijo's constant, the textbook's
SHORTEST = 1e-10


@dataclass(frozen=True, slots=True)
class Step:
    """An accepted step: where it leads and what the objective is there."""

    theta: FloatArray
    evaluation: Evaluation


def rounding(value: float) -> float:
    """Return how much of an objective's value may be rounding."""
    return float(8 * np.finfo(np.float64).eps * abs(value))


def backtrack(
    objective: Objective, theta: FloatArray, at: Evaluation, direction: FloatArray, order: int
) -> Step | None:
    """Halve the step along `direction` until the objective falls enough; None where it never does.

    A step is accepted when `value(theta + t d) <= value(theta) + 1e-4 t gradient.d`, give or take rounding
    (Armijo, "Minimization of functions having Lipschitz continuous first partial derivatives", 1966). The
    first trial is t = 1, which Newton's direction passes near the optimum: one pass an iteration.
    """
    slope = float(at.gradient @ direction)
    t = 1.0
    while t >= SHORTEST:
        trial = theta + t * direction
        evaluation = objective(trial, order)
        if evaluation.value <= at.value + SUFFICIENT * t * slope + rounding(at.value):
            return Step(trial, evaluation)
        t /= 2
    return None
