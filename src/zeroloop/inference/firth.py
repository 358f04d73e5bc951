"""Firth's bias-reduced fit: finite estimates whatever the data, separated or not."""

from __future__ import annotations

from functools import partial

import numpy as np

from zeroloop.algebra import cholesky, invert_lower, log
from zeroloop.blocks import FloatArray, Source
from zeroloop.inference.information import is_positive, solve, symmetric
from zeroloop.inference.refine import FLOOR
from zeroloop.inference.statistics import firth_sums
from zeroloop.objective import Evaluation, Objective, Outcome, Solution, Units

MOST_STEPS = 100
SETTLED = 1e-11  # in standard deviations: each step is a small part of the last
NO_LONGER = 0.9  # of the step before: steps that shrink less do not, and where they are below FLOOR that is rounding
FEWEST_HALVES = 2.0**-10  # of a step
NEAR = 1e-10  # of the penalised log-likelihood, a row: less is no fall


def firth(source: Source, objective: Objective, units: Units, theta: FloatArray, weight: float) -> Solution | None:
    """Maximise the log-likelihood plus half the logarithm of the information's determinant (Jeffreys' prior).

    Choose it for few rows, or rare classes, or where a level or a combination of columns separates the classes: it
    takes away the first term of the bias, and has a finite maximum always. R's `brglm2` (`type = "AS_mean"`) and
    `logistf`. A step takes two passes, one with the Hessian, the other with each row's leverage. A difference from the
    textbook: a row counts to the curvature 1 + its leverage times.

    Source: Firth, "Bias reduction of maximum likelihood estimates", Biometrika, 1993; Heinze and Schemper, "A solution
    to the problem of separation in logistic regression", Statistics in Medicine, 2002.

    Args:
        source: rows with labels 0 and 1.
        objective: the mean loss over them, without a penalty.
        units: of the columns.
        theta: `(n_theta,)`, where to start.
        weight: of all rows.

    Returns:
        The solution; None where the information is singular.

    """
    free = objective.free
    at, size = objective(theta, order=2), np.inf
    for n_iter in range(MOST_STEPS):
        information = at.hessian * weight
        lower = cholesky(information) if is_positive(information) else None
        if lower is None:
            return None
        forms = np.zeros((theta.size, source.n_coefs))
        forms[:, free] = invert_lower(lower) / units.scale[free]
        added = source.reduce(
            partial(
                firth_sums,
                coef=objective.about_centre(theta),
                forms=forms,
                centre=units.centre,
            )
        )
        unit = 1 / units.scale[free]
        gradient = at.gradient * weight - added[0, free] * unit
        upper = added[1:][np.ix_(free, free)] * np.outer(unit, unit)
        # A row of leverage 1 has twice the curvature: by the information alone its steps would go to and fro.
        curvature = information + symmetric(upper)
        step = solve(curvature, -gradient)
        if step is None:
            return None
        best = penalised(at, weight)
        before, size = size, float(np.max(np.abs(step), initial=0.0))
        if size <= SETTLED or NO_LONGER * before < size <= FLOOR:
            return Solution(theta + step, at, n_iter + 1, Outcome.CONVERGED)
        part = 1.0
        while True:
            new = objective(theta + part * step, order=2)
            if penalised(new, weight) >= best - NEAR * weight or part < FEWEST_HALVES:
                break
            part /= 2
        theta, at = theta + part * step, new
    return Solution(theta, at, MOST_STEPS, Outcome.MAX_ITER)


def penalised(at: Evaluation, weight: float) -> float:
    """Return the penalised log-likelihood; minus infinity where the information is singular."""
    lower = cholesky(at.hessian * weight)
    return -at.loss * weight + float(np.sum(log(np.diag(lower)))) if lower is not None else -np.inf
