"""Newton's method with the full Hessian of every row."""

from __future__ import annotations

import numpy as np

from zeroloop.blocks import FloatArray
from zeroloop.objective import Evaluation, Objective, Outcome, Solution
from zeroloop.solvers.line_search import backtrack, only_rounding_left, outcome_without_step

# Added to the diagonal, relative to it: leaves a direction in which the columns repeat each other (a singular
# Hessian) a small step instead of a huge one, and costs Newton's last digits nothing.
RIDGE = 1e-13


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
    """Return Newton's direction `-(H + ridge diag(H))^-1 gradient`, with more ridge until it points downhill."""
    diagonal = np.diag(at.hessian)
    ridge = RIDGE
    while ridge < 1.0:
        damped = at.hessian.copy()
        damped.flat[:: len(damped) + 1] += ridge * diagonal + np.finfo(np.float64).tiny
        try:
            direction: FloatArray = -np.linalg.solve(damped, at.gradient).astype(np.float64, copy=False)
        except np.linalg.LinAlgError:
            direction = np.full_like(at.gradient, np.nan)
        if np.all(np.isfinite(direction)) and at.gradient @ direction < 0:
            return direction
        ridge *= 100
    return -at.gradient
