"""The article's gradient descent, over any source."""

from __future__ import annotations

import numpy as np

from zeroloop.blocks import FloatArray
from zeroloop.objective import Objective, Outcome, Solution
from zeroloop.solvers.line_search import rounding


def gradient_descent(
    objective: Objective, theta: FloatArray, *, tol: float, max_iter: int, learning_rate: float
) -> Solution:
    """Minimise by `theta -= learning_rate * gradient`, one pass a step.

    Choose it to see the article's loop at work on real data; it needs thousands of passes where Newton needs
    six. Columns have unit variance here, so one learning rate suits them all.

    Args:
        objective: convex, differentiable.
        theta: `(n_theta,)`, where to start.
        tol: stop at `max |gradient| <= tol`.
        max_iter: most steps to take.
        learning_rate: the article's alpha.

    """
    at = objective(theta, order=1)
    start = at.value
    for n_iter in range(max_iter + 1):
        if not np.isfinite(at.value) or at.value > start + rounding(start):
            return Solution(theta, at, n_iter, Outcome.DIVERGED)
        if objective.is_met(theta, at, tol):
            return Solution(theta, at, n_iter, Outcome.CONVERGED)
        if n_iter == max_iter:
            break
        theta = theta - learning_rate * at.gradient
        at = objective(theta, order=1)
    return Solution(theta, at, max_iter, Outcome.MAX_ITER)
