"""Newton's method with the full Hessian of every row."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from zeroloop.algebra import dot
from zeroloop.blocks import FloatArray
from zeroloop.objective import Evaluation, Objective, Outcome, Solution
from zeroloop.solvers.curvature import curvatures, shortest_step
from zeroloop.solvers.line_search import backtrack, only_rounding_left, outcome_without_step
from zeroloop.solvers.trust_region import trust_region

# Where no more of a step is good, or the Hessian is so small beside the gradient, most rows lie on the straight parts
# of the loss, told wrongly beyond doubt: a step of Newton's has no scale there.
SHORTEST = 1e-3
STRAIGHT = 1e-3


def newton(objective: Objective, theta: FloatArray, *, tol: float, max_iter: int) -> Solution:
    """Minimise by Newton's method with a backtracking line search, and in a trust region where that leads nowhere.

    Choose it where there are at most some hundreds of coefficients: 4 to 10 passes, each with an
    `n_theta`-by-`n_theta` Hessian. scikit-learn's `solver="newton-cholesky"`.

    Source: Nocedal and Wright, "Numerical Optimization", 2nd ed., section 3.3.

    Args:
        objective: convex, twice differentiable.
        theta: `(n_theta,)`, where to start.
        tol: stop at `max |gradient| <= tol`.
        max_iter: most steps to take.

    """
    at = objective(theta, order=2)
    best = np.inf
    for n_iter in range(max_iter):
        direction = newton_direction(at)
        if objective.passes_left == 0:
            outcome = Outcome.CONVERGED if at.gradient_norm <= tol else Outcome.PASS_LIMIT
            return Solution(theta + direction, at, n_iter + 1, outcome)
        if objective.is_met(theta, at, tol):
            return _polished(objective, Solution(theta, at, n_iter, Outcome.CONVERGED), direction)
        at_floor = only_rounding_left(at, direction, best)
        straight = float(at.hessian.diagonal().max(initial=0.0)) < STRAIGHT * at.gradient_norm
        stop = at_floor or straight
        step = None if stop else backtrack(objective, theta, at, direction, order=2, shortest=SHORTEST)
        if step is None:
            outcome = outcome_without_step(at)
            if at_floor or outcome != Outcome.STUCK:
                return Solution(theta, at, n_iter, outcome)
            rest = trust_region(objective, theta, at, tol=tol, max_iter=max_iter)
            return replace(rest, n_iter=n_iter + rest.n_iter)
        best = min(best, at.gradient_norm)
        theta, at = step.theta, step.evaluation
    return Solution(theta, at, max_iter, Outcome.CONVERGED if objective.is_met(theta, at, tol) else Outcome.MAX_ITER)


def _polished(objective: Objective, solution: Solution, direction: FloatArray) -> Solution:
    """Take one more step, where it lowers the gradient.

    The Hessian is at hand, so the step costs a gradient pass and squares the error: with tol = 1e-6 alone the
    coefficients of an ill-conditioned fit would have three digits.
    """
    theta = solution.theta + direction
    at = objective(theta, order=1)
    if at.gradient_norm < solution.last.gradient_norm:
        return Solution(theta, at, solution.n_iter + 1, solution.outcome)
    return solution


def newton_direction(at: Evaluation) -> FloatArray:
    """Return Newton's direction `-H^-1 gradient`, 0 along what has no curvature; it points downhill."""
    if np.isfinite(at.hessian).all():
        direction = -shortest_step(at.hessian, at.gradient)
        if np.isfinite(direction).all() and dot(at.gradient, direction) < 0:
            return direction
    return -at.gradient / curvatures(np.diag(at.hessian))
