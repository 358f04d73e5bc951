"""Newton's method whose step is found by conjugate gradients: Hessian times vector, no Hessian."""

from __future__ import annotations

import numpy as np

from zeroloop.algebra import dot
from zeroloop.blocks import FloatArray
from zeroloop.objective import Evaluation, Objective, Outcome, Solution
from zeroloop.solvers.curvature import curvatures
from zeroloop.solvers.lbfgs import MOST_SHARED_COEFS, Precondition, shared_inverse
from zeroloop.solvers.line_search import AIM, backtrack, only_rounding_left, outcome_without_step

MOST_PRODUCTS = 250  # conjugate-gradient steps of one Newton step
LOOSEST = 0.1  # of the gradient that a step may leave unsolved


def newton_cg(objective: Objective, theta: FloatArray, *, tol: float, max_iter: int) -> Solution:
    """Minimise by Newton steps that conjugate gradients solve, as exactly as the distance to the optimum deserves.

    Choose it where there are thousands of coefficients and L-BFGS is slow, as with strongly correlated columns: a
    product with the Hessian is a pass, and no vector but a handful is kept. scikit-learn's `solver="newton-cg"`.

    Source: Nocedal and Wright, "Numerical Optimization", 2nd ed., algorithm 7.1, preconditioned with the diagonal.

    Args:
        objective: convex, twice differentiable.
        theta: `(n_theta,)`, where to start.
        tol: stop at `max |gradient| <= tol`.
        max_iter: most Newton steps.

    """
    at = objective(theta, order=1)
    best = np.inf
    # Of several outputs and many rows a digit costs a dozen products, and each of them as much as a pass.
    dear = objective.n_outputs > 1 and objective.n_rows >= theta.size // objective.n_outputs
    aim = tol if dear else AIM * tol
    for n_iter in range(max_iter):
        if at.gradient_norm <= aim and objective.is_met(theta, at, tol):
            return Solution(theta, at, n_iter, Outcome.CONVERGED)
        direction = _direction(objective, theta, at, 0.0 if at.gradient_norm <= aim else aim)
        at_floor = only_rounding_left(at, direction, best)
        step = None if at_floor else backtrack(objective, theta, at, direction, order=1)
        if step is None:
            reached = objective.is_met(theta, at, tol)
            return Solution(theta, at, n_iter, Outcome.CONVERGED if reached else outcome_without_step(at))
        best = min(best, at.gradient_norm)
        theta, at = step.theta, step.evaluation
    return Solution(theta, at, max_iter, Outcome.CONVERGED if objective.is_met(theta, at, tol) else Outcome.MAX_ITER)


def _preconditioner(objective: Objective, theta: FloatArray) -> Precondition:
    """Return about the inverse Hessian: that which several outputs share, or of the diagonal alone."""
    if objective.n_outputs > 1 and theta.size // objective.n_outputs <= MOST_SHARED_COEFS:
        return shared_inverse(objective, theta)
    diagonal = objective.hessian_diagonal(theta).values
    inverse = 1.0 / curvatures(diagonal)
    return lambda gradient: inverse * gradient


def _direction(objective: Objective, theta: FloatArray, at: Evaluation, tol: float) -> FloatArray:
    """Return the step that leaves at most a share of the gradient: superlinear near the optimum."""
    precondition = _preconditioner(objective, theta)
    norm = at.gradient_norm
    enough = max(min(LOOSEST, np.sqrt(norm)) * norm, 0.5 * tol)
    step = np.zeros_like(theta)
    residual = -at.gradient
    conditioned = precondition(residual)
    direction = conditioned.copy()
    product = dot(residual, conditioned)
    for _ in range(MOST_PRODUCTS):
        curved = objective.hessian_vector(theta, direction)
        curvature = dot(direction, curved)
        if not curvature > 0:  # a direction in which the columns repeat each other
            break
        length = product / curvature
        step += length * direction
        residual -= length * curved
        if float(np.max(np.abs(residual))) <= enough:
            break
        conditioned = precondition(residual)
        last, product = product, dot(residual, conditioned)
        direction = conditioned + (product / last) * direction
    return step if np.any(step) else precondition(-at.gradient)
