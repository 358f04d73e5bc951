"""Limited-memory BFGS from any first guess of the inverse Hessian."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from zeroloop.algebra import cholesky, dot, eigh, gram, invert_lower, matmul, norm
from zeroloop.blocks import FloatArray
from zeroloop.objective import Evaluation, Objective, Outcome, Solution
from zeroloop.solvers.curvature import curvatures
from zeroloop.solvers.line_search import SHORTEST, backtrack, only_rounding_left, outcome_without_step

PATIENCE = 0.1  # a step that must be shorter comes from a poor guess of the Hessian: ask for a better one first
MEMORY = 10  # pairs kept; each costs two vectors and no pass

MOST_SHARED_COEFS = 4_000  # of an output, where several share one Hessian
ROWS_A_COEFFICIENT = 10  # of the sample that it is taken from
SHARED_STEPS = 40  # with one
SHARED_ROWS = 5_000  # of it, at least
SHARED_RIDGE = 1e-9  # relative: some directions have no curvature, as the same added to all classes

Precondition = Callable[[FloatArray], FloatArray]
"""Multiplies a gradient by a guess of the inverse Hessian."""

Rescue = Callable[[FloatArray, Evaluation, bool], Precondition | None]
"""Asked before each step, with theta, the objective there and whether the descent is stuck, for a better guess of
the inverse Hessian; with one, the history starts anew."""


@dataclass(slots=True)
class History:
    """The last steps and the gradient's changes along them: what L-BFGS knows of the Hessian.

    Attributes:
        pairs: of steps and changes, the oldest first.
        scaled: whether the first guess of the inverse is taken times what it lacks along the last step. Where outputs
            share a Hessian that saves a sixth of the passes, and up to half of them where the fit is nearly perfect.

    """

    scaled: bool = False
    pairs: deque[tuple[FloatArray, FloatArray]] = field(default_factory=lambda: deque(maxlen=MEMORY))

    def add(self, step: FloatArray, change: FloatArray) -> None:
        """Remember a step, unless rounding has left no curvature along it."""
        if dot(step, change) > np.finfo(np.float64).eps * (norm(step) * norm(change)):
            self.pairs.append((step, change))

    def direction(self, gradient: FloatArray, precondition: Precondition) -> FloatArray:
        """Return `-H^-1 gradient` by the two-loop recursion (Nocedal and Wright, algorithm 7.4)."""
        q = gradient.copy()
        alphas = []
        for step, change in reversed(self.pairs):
            alpha = dot(step, q) / dot(step, change)
            alphas.append(alpha)
            q -= alpha * change
        r = precondition(q)
        if self.scaled and self.pairs:
            step, change = self.pairs[-1]
            r *= dot(step, change) / dot(change, precondition(change))
        for (step, change), alpha in zip(self.pairs, reversed(alphas), strict=True):
            r = r + step * (alpha - dot(change, r) / dot(step, change))
        return -r


def lbfgs(objective: Objective, theta: FloatArray, *, tol: float, max_iter: int) -> Solution:
    """Minimise by L-BFGS, preconditioned with the diagonal of the Hessian at the start; with several outputs by more.

    Choose it where there are thousands of coefficients, too many for a Hessian: some dozens of gradient passes and
    two dozen vectors of memory. SciPy's `minimize(method="L-BFGS-B")`, which scikit-learn's "lbfgs" calls, scales by
    one number where this scales each coefficient by its own curvature. Several outputs share a sample's Hessian, taken
    anew after every 40 steps.

    Source: Liu and Nocedal, "On the limited memory BFGS method for large scale optimization", Mathematical
    Programming, 1989.

    Args:
        objective: convex, differentiable.
        theta: `(n_theta,)`, where to start.
        tol: stop at `max |gradient| <= tol`.
        max_iter: most steps to take.

    """
    at = objective(theta, order=1)
    if objective.n_outputs > 1 and theta.size // objective.n_outputs <= MOST_SHARED_COEFS:
        return _with_shared_hessian(objective, theta, at, tol, max_iter)
    diagonal = objective.hessian_diagonal(theta).values
    inverse = 1.0 / curvatures(diagonal)
    return descend(objective, theta, at, lambda gradient: inverse * gradient, tol=tol, max_iter=max_iter)


def _with_shared_hessian(
    objective: Objective, theta: FloatArray, at: Evaluation, tol: float, max_iter: int
) -> Solution:
    """Descend from what the outputs' Hessians share, taken anew where many steps have led away from it."""
    steps = 0

    def refresh(theta: FloatArray, _: Evaluation, stuck: bool) -> Precondition | None:
        nonlocal steps
        steps += 1
        return shared_inverse(objective, theta) if not stuck and steps % SHARED_STEPS == 0 else None

    guess = shared_inverse(objective, theta)
    return descend(objective, theta, at, guess, tol=tol, max_iter=max_iter, rescue=refresh, scaled=True)


def shared_inverse(objective: Objective, theta: FloatArray) -> Precondition:
    """Return the inverse of a Hessian whose part for two classes is a multiple of one matrix, that of a sample.

    Be H the matrix, S the multiples, D the L2 penalty's diagonal. With `V' (H + D) V = 1` and `V' D V = M`, diagonal,
    and eigenvectors U of S, `S x H + 1 x D` has the inverse `(U x V) (s (1 - M) + M)^-1 (U x V)'`, whatever the units
    of the columns: to put the mean penalty in D's place took thousands of steps where their variances differ.
    """
    n = theta.size // objective.n_outputs
    rows = max(SHARED_ROWS, ROWS_A_COEFFICIENT * n)
    over = objective.sample(rows, 0) if 2 * rows < objective.n_rows else objective
    shared, shares = over.shared_hessian(theta)
    penalty = np.mean(objective.penalty.l2.reshape(objective.n_outputs, n), axis=0)
    together = shared + np.diag(penalty)
    lengths = np.sqrt(np.where(np.diag(together) > 0, np.diag(together), 1.0))
    together /= np.outer(lengths, lengths)
    together.flat[:: n + 1] += SHARED_RIDGE
    lower = cholesky(together)
    assert lower is not None  # the ridge sees to it
    whitened = invert_lower(lower) / lengths
    penalised, vectors = eigh(gram(whitened * np.sqrt(penalty)))
    penalised = np.clip(penalised, 0.0, 1.0)
    basis = matmul(whitened.T, vectors)
    of_classes, between = eigh(shares)
    inverses = 1.0 / (np.outer(np.maximum(of_classes, 0.0), 1 - penalised) + penalised + SHARED_RIDGE)

    def precondition(gradient: FloatArray) -> FloatArray:
        turned = matmul(between.T, matmul(gradient.reshape(objective.n_outputs, n), basis))
        turned *= inverses
        result: FloatArray = matmul(matmul(between, turned), basis.T).ravel()
        return result

    return precondition


def descend(
    objective: Objective,
    theta: FloatArray,
    at: Evaluation,
    precondition: Precondition,
    *,
    tol: float,
    max_iter: int,
    rescue: Rescue | None = None,
    scaled: bool = False,
) -> Solution:
    """Take L-BFGS steps over full passes until the gradient meets `tol`.

    Args:
        objective: convex, differentiable.
        theta: `(n_theta,)`, where to start.
        at: the objective there, with its gradient.
        precondition: the first guess of the inverse Hessian.
        tol: stop at `max |gradient| <= tol`.
        max_iter: most steps to take.
        rescue: see `Rescue`.
        scaled: see `History`.

    """
    history = History(scaled)
    best = np.inf
    for n_iter in range(max_iter):
        if objective.is_met(theta, at, tol):
            return Solution(theta, at, n_iter, Outcome.CONVERGED)
        better = rescue(theta, at, False) if rescue is not None else None
        if better is not None:
            precondition, history = better, History(scaled)
        direction = history.direction(at.gradient, precondition)
        if not dot(at.gradient, direction) < 0:  # the guess is no Hessian: forget the history
            history = History(scaled)
            direction = -precondition(at.gradient)
        if objective.passes_left == 0:
            return Solution(theta + direction, at, n_iter + 1, Outcome.PASS_LIMIT)
        at_floor = only_rounding_left(at, direction, best)
        patience = SHORTEST if rescue is None else PATIENCE
        step = None if at_floor else backtrack(objective, theta, at, direction, order=1, shortest=patience)
        if step is None and rescue is not None:
            better = rescue(theta, at, True)
            if better is not None:
                precondition, history = better, History(scaled)
                continue
            step = None if at_floor else backtrack(objective, theta, at, direction, order=1)
        if step is None:
            return Solution(theta, at, n_iter, outcome_without_step(at))
        history.add(step.theta - theta, step.evaluation.gradient - at.gradient)
        best = min(best, at.gradient_norm)
        theta, at = step.theta, step.evaluation
    return Solution(theta, at, max_iter, Outcome.CONVERGED if objective.is_met(theta, at, tol) else Outcome.MAX_ITER)
