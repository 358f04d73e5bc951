"""Newton's method with the full Hessian of every row."""

from __future__ import annotations

import numpy as np

from zeroloop.blocks import FloatArray
from zeroloop.objective import Evaluation, Objective, Outcome, Solution
from zeroloop.solvers.curvature import curvatures, shortest_step
from zeroloop.solvers.line_search import backtrack, only_rounding_left, outcome_without_step


def newton(objective: Objective, theta: FloatArray, *, tol: float, max_iter: int) -> Solution:
    """Minimise by Newton's method with a backtracking line search.

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
        step = None if at_floor else backtrack(objective, theta, at, direction, order=2)
        if step is None:
            return Solution(theta, at, n_iter, outcome_without_step(at))
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
    if np.all(np.isfinite(at.hessian)):
        direction = -shortest_step(at.hessian, at.gradient)
        if np.all(np.isfinite(direction)) and at.gradient @ direction < 0:
            return direction
    return -at.gradient / curvatures(np.diag(at.hessian))
