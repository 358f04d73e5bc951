"""Newton's method whose steps stay where the quadratic model is trusted."""

from __future__ import annotations

import numpy as np

from zeroloop.algebra import dot, eigh, matmul, norm
from zeroloop.blocks import FloatArray
from zeroloop.objective import Evaluation, Objective, Outcome, Solution
from zeroloop.solvers.line_search import BLUR, GRADIENT_FLOOR, outcome_without_step, rounding

POOR = 0.25  # of the fall that the model promised, below which the radius shrinks
SMALLEST = 1e-10  # step, in standard deviations of a column or relative to theta
HALVINGS = 60  # of a bracket around the damping, on a scale of powers: to float64's digits
FAINTEST = 1e-30  # damping that is looked at, relative to the most


def trust_region(objective: Objective, theta: FloatArray, at: Evaluation, *, tol: float, max_iter: int) -> Solution:
    """Minimise by Newton's method in a trust region.

    Choose it where Newton's steps lead nowhere: with predictors in the thousands, as an offset far from its scale
    makes them, nearly all rows lie on the straight parts of the loss, and its curvature says nothing of the next bend.
    Each trial is a pass with a Hessian, and its step an eigendecomposition. `scipy.optimize.minimize(
    method="trust-exact")`.

    Source: Nocedal and Wright, "Numerical Optimization", 2nd ed., algorithm 4.1; its step is More and Sorensen's,
    section 4.3.

    Args:
        objective: convex, twice differentiable.
        theta: `(n_theta,)`, where to start.
        at: the objective there, with its Hessian.
        tol: stop at `max |gradient| <= tol`.
        max_iter: most trials.

    """
    radius = max(1.0, at.value)  # predictors that are wrong by v cost v
    for n_iter in range(max_iter):
        if objective.is_met(theta, at, tol):
            return Solution(theta, at, n_iter, Outcome.CONVERGED)
        if objective.passes_left == 0:
            return Solution(theta, at, n_iter, Outcome.PASS_LIMIT)
        step = bounded_step(at, radius)
        size = norm(step)
        if size <= SMALLEST * (1.0 + norm(theta)):
            return Solution(theta, at, n_iter, outcome_without_step(at))
        promised = -(dot(at.gradient, step) + 0.5 * dot(step, matmul(at.hessian, step)))
        trial = objective(theta + step, order=2)
        fall = at.value - trial.value
        # Where rounding hides the fall, the gradient tells: see `backtrack`.
        level = promised <= BLUR * abs(at.value) and trial.gradient_norm < at.gradient_norm
        kept = fall > 0 or (level and fall >= -rounding(at.value))
        if not kept or (fall < POOR * promised and not level):
            radius = size / 4
        elif size > 0.9 * radius:
            radius *= 2
        if kept:
            theta, at = theta + step, trial
    return Solution(theta, at, max_iter, Outcome.CONVERGED if objective.is_met(theta, at, tol) else Outcome.MAX_ITER)


def bounded_step(at: Evaluation, radius: float) -> FloatArray:
    """Return the step to the quadratic model's lowest point within a radius.

    It is `-(H + d I)^-1 gradient` with the least damping `d >= 0` that keeps it inside. Along what has neither
    curvature nor gradient, as where columns repeat others, it is 0.
    """
    values, vectors = eigh(at.hessian)
    size = max(float(np.max(values, initial=0.0)), 0.0)
    along = matmul(vectors.T, at.gradient)
    flat = values <= len(values) * np.finfo(np.float64).eps * size
    kept = ~(flat & (np.abs(along) <= GRADIENT_FLOOR))
    curvature, along, vectors = np.where(flat, 0.0, values)[kept], along[kept], vectors[:, kept]

    def lengths(damping: float) -> FloatArray:
        with np.errstate(divide="ignore", over="ignore"):
            return np.asarray(along / (curvature + damping))

    step = lengths(0.0)
    if not norm(step) <= radius:
        low, high = 0.0, norm(along) / radius
        for _ in range(HALVINGS):
            middle = np.sqrt(max(low, FAINTEST * high) * high)
            low, high = (middle, high) if norm(lengths(middle)) > radius else (low, middle)
        step = lengths(high)
    return -matmul(vectors, step)
