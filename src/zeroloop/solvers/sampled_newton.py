"""Newton on a growing sample of the rows, corrected by gradients over all of them: the default for tall data."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from zeroloop.algebra import invert_positive, log, matmul
from zeroloop.blocks import FloatArray
from zeroloop.objective import Evaluation, Objective, Outcome, Solution
from zeroloop.solvers.curvature import to_ones
from zeroloop.solvers.lbfgs import Precondition, descend
from zeroloop.solvers.line_search import AIM

GROWTH = 10  # each sample is so many times the one before
ROWS_A_COEFFICIENT = 50  # of the last sample: its Hessian then errs by sqrt(1 / 50) in each direction
FEWEST_ROWS_A_COEFFICIENT = 10
FIRST_ROWS_A_COEFFICIENT = 4
SAMPLE_ROWS = 20_000  # at least, where there are few coefficients
FIRST_ROWS = 2_000
SAMPLE_STEPS = 50  # most steps on one sample
RARE_ROWS = 100  # of a sample: too few to let them alone decide on a coefficient
FEW_ROWS = 5  # of a sample: too few to tell a coefficient's curvature, let alone its correlations
LOOK_BACK = 3  # passes before contraction is judged
# Passes that the full Hessian at the sample's optimum may cost where there are rare levels: it saves four or five, and
# the one for their exact curvature.
DEAREST_HESSIAN = 6
DEAREST_ONLY_HESSIAN = 30  # where there is one pass, and one step to take from it


def sampled_newton(objective: Objective, theta: FloatArray, *, tol: float, max_iter: int, seed: int) -> Solution:
    """Minimise by full gradients and a sample's Hessian.

    Choose it where there are many more rows than coefficients. A small sample is fitted, then larger ones from where
    the last one stopped; the last sample's Hessian, inverted, is the first guess of L-BFGS over all rows. Each full
    pass then contracts the gradient by about `sqrt(n_theta / sample rows)`. Where it contracts much less (heavy tails,
    rare levels), one pass is spent on the full Hessian. To 1e-6 it takes 5 to 10 passes with up to some hundreds of
    columns, about 20 with thousands.

    Differences from the textbook: a coefficient that rests on few rows of a sample gets a penalty of about one row
    there, and its exact curvature from one pass over all rows; where it is a level's, that pass is the full Hessian.

    Sources: Byrd, Chin, Neveitt and Nocedal, "On the use of stochastic Hessian information in optimization methods
    for machine learning", SIAM J. Optimization, 2011; Nocedal and Wright, algorithm 7.4.

    Args:
        objective: convex, twice differentiable, and able to sample its rows.
        theta: `(n_theta,)`, where to start.
        tol: stop at `max |gradient| <= tol`.
        max_iter: most steps over full passes.
        seed: of the samples.

    """

    def on_sample(sampled: Objective, theta: FloatArray, at: Evaluation, hessian: FloatArray, tol: float) -> FloatArray:
        return descend(sampled, theta, at, _inverse_of(hessian), tol=tol, max_iter=SAMPLE_STEPS).theta

    start = start_on_samples(objective, theta, seed, on_sample)
    contraction = Contraction(objective, start.at)
    rescued_at = np.empty(0)

    def rescue(theta: FloatArray, at: Evaluation, stuck: bool) -> Precondition | None:
        nonlocal contraction, rescued_at
        contraction.stuck = stuck
        out_of_passes = objective.passes_left <= 1  # a Hessian, and none left to step with it
        if out_of_passes or not contraction.is_slow(at, tol) or np.array_equal(theta, rescued_at):
            return None
        rescued_at = theta
        hessian = objective(theta, order=2).hessian
        contraction = Contraction(objective, at)
        return _inverse_of(hessian)

    guess = _inverse_of(start.hessian)
    solution = descend(objective, start.theta, start.at, guess, tol=AIM * tol, max_iter=max_iter, rescue=rescue)
    if solution.last.gradient_norm <= tol:
        return replace(solution, outcome=Outcome.CONVERGED)
    return solution


@dataclass(frozen=True, slots=True)
class Start:
    """Where samples have led.

    Attributes:
        theta: the last sample's optimum.
        at: the objective there, over all rows, with its gradient.
        hessian: about the objective's there: the last sample's, or that of all rows.

    """

    theta: FloatArray
    at: Evaluation
    hessian: FloatArray


OnSample = Callable[[Objective, FloatArray, Evaluation, FloatArray, float], FloatArray]
"""Returns a sample's optimum, given its objective, theta, the objective there, about its Hessian, and tol."""


def start_on_samples(objective: Objective, theta: FloatArray, seed: int, on_sample: OnSample) -> Start:
    """Return the optimum of a growing sample, and the first pass over all rows there."""
    sizes = sample_sizes(objective.n_rows, theta.size)
    largest = objective.sample(sizes[-1], seed)
    hessian = None
    for size in sizes:
        sampled = largest if size == sizes[-1] else largest.sample(size, seed + 1)
        theta, hessian = _optimum_of(sampled, theta, hessian, size, on_sample)
    assert hessian is not None
    rare = largest.hessian_diagonal(theta).rows < FEW_ROWS
    affordable = objective.n_codes > 0 and objective.hessian_cost <= DEAREST_HESSIAN
    only = objective.passes_left == 1 and objective.hessian_cost <= DEAREST_ONLY_HESSIAN
    if only or (np.any(rare) and affordable):
        at = objective(theta, order=2)
        return Start(theta, at, at.hessian)
    if np.any(rare) and objective.passes_left > 1:
        hessian = _with_rare(hessian, objective.hessian_diagonal(theta).values, rare)
    return Start(theta, objective(theta, order=1), hessian)


class Contraction:
    """How fast passes with one guess of the Hessian lower the gradient, and whether a full Hessian would pay."""

    def __init__(self, objective: Objective, at: Evaluation) -> None:
        self._objective = objective
        self._first_pass = objective.passes
        self._first_norm = at.gradient_norm
        self.stuck = False

    def is_slow(self, at: Evaluation, tol: float) -> bool:
        """Return whether the passes still needed cost more than a full Hessian and a few passes."""
        passes = self._objective.passes - self._first_pass
        norm = at.gradient_norm
        if self.stuck or passes < LOOK_BACK or norm == 0:
            return self.stuck
        if norm >= self._first_norm:
            return True
        passes_to_go = passes * log(tol / norm) / log(norm / self._first_norm)
        return passes_to_go > self._objective.hessian_cost + LOOK_BACK


def sample_sizes(n_rows: int, n_theta: int) -> list[int]:
    """Return the rows of each sample, growing: where Newton's method starts, and where its Hessian is taken.

    A sample's Hessian costs `rows * n_theta^2`, a pass `n_rows * n_theta`; the last sample is as large as its
    coefficients deserve, but no larger than a few passes are worth.
    """
    worth = 16 * n_rows // n_theta
    last = max(FEWEST_ROWS_A_COEFFICIENT * n_theta, min(max(SAMPLE_ROWS, ROWS_A_COEFFICIENT * n_theta), worth))
    sizes = [min(last, n_rows // 2)]
    first = max(FIRST_ROWS, FIRST_ROWS_A_COEFFICIENT * n_theta)
    while sizes[0] > first:
        sizes.insert(0, max(first, sizes[0] // GROWTH))
    return sizes


def _optimum_of(
    sampled: Objective, theta: FloatArray, hessian: FloatArray | None, size: int, on_sample: OnSample
) -> tuple[FloatArray, FloatArray]:
    """Return the optimum of a sample, as exactly as the sample deserves, and the Hessian there.

    Two Hessians, at the start (where no smaller sample has left one) and at the end; gradients in between.
    """
    # Without more penalty a coefficient whose few sampled rows are all of one label would run off to infinity, where
    # the full objective is flat. On well-met ones it would drown what tells correlated columns apart: twice the passes.
    seen = sampled.hessian_diagonal(theta)
    sampled = sampled.with_l2(np.where(seen.rows < RARE_ROWS, seen.one_row, 0.0))
    if hessian is None:
        at = sampled(theta, order=2)
        hessian = at.hessian
    else:
        at = sampled(theta, order=1)
    # A sample's gradient is off by some 0.5 / sqrt(size) in each coefficient; a fifth of that is exact enough.
    tol = 0.1 / math.sqrt(size)
    theta = on_sample(sampled, theta, at, hessian, tol)
    return theta, sampled(theta, order=2).hessian


def _with_rare(hessian: FloatArray, exact: FloatArray, rare: NDArray[np.bool_]) -> FloatArray:
    """Return a sample's Hessian where coefficients that it hardly met have their exact curvature, and stand alone.

    To give all coefficients their exact curvature, keeping the sample's correlations, was tried: heavy tails gain two
    passes, and strongly correlated columns lose more.
    """
    mixed = hessian.copy()
    mixed[rare] = 0.0
    mixed[:, rare] = 0.0
    mixed[rare, rare] = np.where(exact > 0, exact, 1.0)[rare]
    return mixed


def _inverse_of(hessian: FloatArray) -> Precondition:
    scaled, unit = to_ones(hessian)
    scaled.flat[:: len(scaled) + 1] += np.where(unit > 0, 1e-10, 1.0)
    unit = np.where(unit > 0, unit, 1.0)
    inverse = invert_positive(scaled)
    if inverse is None:  # of NaN, or of a sample that rounding has left no Hessian of: the diagonal's
        return lambda gradient: unit * unit * gradient
    inverse *= np.outer(unit, unit)
    return lambda gradient: matmul(inverse, gradient)
