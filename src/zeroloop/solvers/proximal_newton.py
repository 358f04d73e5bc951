"""Proximal Newton: L1 and elastic-net penalties, and bounds, where a Hessian fits into memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zeroloop.algebra import dot, matmul, norm
from zeroloop.blocks import FloatArray
from zeroloop.objective import Evaluation, Objective, Outcome, Solution
from zeroloop.solvers.line_search import AIM, BLUR, SHORTEST, SUFFICIENT, outcome_without_step, rounding
from zeroloop.solvers.sampled_newton import Contraction, Start, start_on_samples

EXACT_ENOUGH = 0.01  # of the violation that a step starts from: what the quadratic model may leave


def proximal_newton(
    objective: Objective, theta: FloatArray, *, tol: float, max_iter: int, seed: int, on_samples: bool
) -> Solution:
    """Minimise by steps to the optimum of a quadratic model with the penalty as it is.

    Choose it for L1 and elastic net with up to some thousands of coefficients. The model's optimum costs no pass over
    the rows. Small data have the Hessian of all rows at
    each step; tall data start on samples, keep the last sample's Hessian, and correct it with what each full gradient
    says (BFGS), so that a step is a pass. Where that contracts too little, one pass is spent on the full Hessian.

    Sources: Lee, Sun and Saunders, "Proximal Newton-type methods for minimizing composite functions", SIAM J.
    Optimization, 2014; Friedman, Hastie and Tibshirani, J. Statistical Software, 2010.

    Args:
        objective: convex; its loss twice differentiable.
        theta: `(n_theta,)`, where to start.
        tol: stop at `max |smallest subgradient| <= tol`.
        max_iter: most steps over full passes.
        seed: of the samples.
        on_samples: whether to start on samples and keep the last one's Hessian, as tall data deserve.

    """
    if not on_samples:
        return descend(objective, theta, objective(theta, order=2), None, tol=tol, max_iter=max_iter)[0]

    start, curvature = start_curvature(objective, theta, seed)
    return descend(objective, start.theta, start.at, curvature, tol=tol, max_iter=max_iter)[0]


def start_curvature(objective: Objective, theta: FloatArray, seed: int) -> tuple[Start, FloatArray]:
    """Return where samples lead, and the loss's Hessian there, without the penalty's."""

    def on_sample(sampled: Objective, theta: FloatArray, at: Evaluation, hessian: FloatArray, tol: float) -> FloatArray:
        curvature = hessian - np.diag(sampled.penalty.l2)
        return descend(sampled, theta, at, curvature, tol=tol, max_iter=50)[0].theta

    start = start_on_samples(objective, theta, seed, on_sample)
    return start, start.hessian - np.diag(objective.penalty.l2)


def descend(
    objective: Objective,
    theta: FloatArray,
    at: Evaluation,
    curvature: FloatArray | None,
    *,
    tol: float,
    max_iter: int,
) -> tuple[Solution, FloatArray | None]:
    """Take proximal steps until the violation meets `tol`; return the solution and what is known of the curvature.

    Args:
        objective: convex; its loss twice differentiable.
        theta: `(n_theta,)`, where to start.
        at: the objective there, with its gradient; with its Hessian, where `curvature` is None.
        curvature: `(n_theta, n_theta)`, a guess of the loss's Hessian; None to have the Hessian at each step.
        tol: stop at `max |smallest subgradient| <= tol`, a digit below it where it can be had.
        max_iter: most steps to take.

    """
    exact = curvature is None
    contraction = Contraction(objective, at)
    hessian_at: FloatArray | None = None
    for n_iter in range(max_iter):
        if at.gradient_norm <= AIM * tol and objective.is_met(theta, at, tol):
            return Solution(theta, at, n_iter, Outcome.CONVERGED), curvature
        if not exact and contraction.is_slow(at, tol) and objective.passes_left > 1:
            at, hessian_at = objective(theta, order=2), theta
            curvature = at.hessian - np.diag(objective.penalty.l2)
            contraction = Contraction(objective, at)
        hessian = at.hessian if curvature is None else curvature + np.diag(objective.penalty.l2)
        target = objective.minimise_quadratic(at, hessian, theta, EXACT_ENOUGH * at.gradient_norm)
        if objective.passes_left == 0:
            outcome = Outcome.CONVERGED if at.gradient_norm <= tol else Outcome.PASS_LIMIT
            return Solution(target, at, n_iter + 1, outcome), curvature
        step = _line_search(objective, theta, at, target - theta, order=2 if exact else 1)
        if step is None:
            outcome = Outcome.CONVERGED if at.gradient_norm <= tol else outcome_without_step(at)
            if outcome is not Outcome.STUCK or exact or hessian_at is theta:
                return Solution(theta, at, n_iter, outcome), curvature
            contraction.stuck = True
            continue
        if curvature is not None:
            l2 = objective.penalty.l2
            moved = step.theta - theta
            change = step.at.gradient - at.gradient - l2 * moved
            curvature = _corrected(curvature, moved, change)
        theta, at = step.theta, step.at
    outcome = Outcome.CONVERGED if at.gradient_norm <= tol else Outcome.MAX_ITER
    return Solution(theta, at, max_iter, outcome), curvature


@dataclass(frozen=True, slots=True)
class _Step:
    theta: FloatArray
    at: Evaluation


def _line_search(
    objective: Objective, theta: FloatArray, at: Evaluation, direction: FloatArray, order: int
) -> _Step | None:
    """Halve the step until the objective falls enough; None where it never does.

    Armijo's rule on the model's fall, as Lee, Sun and Saunders have it; near the optimum, where rounding hides the
    fall, a step that lowers the violation is as good.
    """
    penalty = objective.penalty
    l1_after = float(np.sum(penalty.l1 * np.abs(theta + direction)))
    fall = dot(at.gradient, direction) + l1_after - float(np.sum(penalty.l1 * np.abs(theta)))
    if not np.any(direction):
        return None
    t = 1.0
    while t >= SHORTEST:
        trial = theta + direction if t == 1.0 else theta + t * direction
        found = objective(trial, order)
        falls = found.value <= at.value + SUFFICIENT * t * fall and -fall > rounding(at.value)
        level = found.value <= at.value + BLUR * abs(at.value)
        if falls or (level and found.gradient_norm < at.gradient_norm):
            return _Step(trial, found)
        if -t * fall <= rounding(at.value):
            return None
        t /= 2
    return None


def _corrected(curvature: FloatArray, step: FloatArray, change: FloatArray) -> FloatArray:
    """Return the curvature so changed that it says of `step` what the gradients did (BFGS)."""
    along = dot(step, change)
    image = matmul(curvature, step)
    bent = dot(step, image)
    if not along > 1e-10 * norm(step) * norm(change) or not bent > 0:
        return curvature
    return curvature + np.outer(change, change) / along - np.outer(image, image) / bent
