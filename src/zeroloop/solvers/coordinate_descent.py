"""Working sets: L1 and elastic-net penalties with more coefficients than a Hessian deserves, and on small data."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zeroloop.blocks import FloatArray
from zeroloop.objective import Objective, Outcome, Solution
from zeroloop.solvers.line_search import AIM, outcome_without_step

FIRST_WORKING_SET = 1_000  # coefficients, at least
TIGHTER = 0.1  # each working set is solved to this share of the violation that it starts from


def coordinate_descent(objective: Objective, theta: FloatArray, *, tol: float, max_iter: int) -> Solution:
    """Minimise over a growing set of coefficients, checked against all of them.

    Choose it for L1 and elastic net with many coefficients of which few are off zero. A pass gives every
    coefficient's violation of the optimality conditions; those off zero and those that violate most are then solved for
    alone, by coordinate descent or by Newton steps on what is off zero, which reads their columns and no other. With
    those that pick columns, passes are three to some twenty.

    Sources: Tibshirani, Bien, Friedman and others, "Strong rules for discarding predictors in lasso-type problems",
    JRSS B, 2012 (solve a set, check all); Massias, Gramfort and Salmon, "Celer", ICML, 2018 (grow it by doubling).

    Args:
        objective: convex; its rows in memory.
        theta: `(n_theta,)`, where to start.
        tol: stop at `max |smallest subgradient| <= tol`, a digit below it where it can be had.
        max_iter: most working sets.

    """
    at = objective(theta, order=1)
    size, inner = FIRST_WORKING_SET, 0.0
    for n_iter in range(max_iter):
        # What was solved loosely and met tol by luck has the digits of luck.
        if at.gradient_norm <= AIM * tol and inner <= AIM * tol and objective.is_met(theta, at, tol):
            return Solution(theta, at, n_iter, Outcome.CONVERGED)
        wanted, size = _working_set(objective, theta, at.slope, size)
        before, inner = theta, TIGHTER * at.gradient_norm
        if inner < tol / AIM:  # so near that a digit more takes no further set
            inner = min(inner, AIM * tol)
        theta = objective.minimise_over(theta, wanted, tol=inner)
        if np.array_equal(theta, before):
            reached = objective.is_met(theta, at, tol)
            return Solution(theta, at, n_iter, Outcome.CONVERGED if reached else outcome_without_step(at))
        at = objective(theta, order=1)
    return Solution(theta, at, max_iter, Outcome.CONVERGED if objective.is_met(theta, at, tol) else Outcome.MAX_ITER)


def _working_set(
    objective: Objective, theta: FloatArray, slope: FloatArray, size: int
) -> tuple[NDArray[np.bool_], int]:
    """Return which coefficients of an output to solve for, the same for every output; and the next set's size."""
    by_output = (objective.n_outputs, -1)
    off_zero = np.any(theta.reshape(by_output) != 0, axis=0)
    free = np.all(objective.penalty.l1.reshape(by_output) == 0, axis=0)
    violation = np.max(np.abs(slope.reshape(by_output)), axis=0)
    size = max(size, 2 * int(np.sum(off_zero)))
    violation[off_zero | free] = np.inf
    worst = np.argsort(-violation, kind="stable")[:size]
    wanted = off_zero | free
    wanted[worst] |= violation[worst] > 0
    return wanted, size
