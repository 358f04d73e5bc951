"""Who fits: a function a peer, from a problem to what it found and how long the fit alone took."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.problems import Problem


@dataclass(frozen=True)
class Found:
    """Coefficients of the standardised columns, the intercept, and the seconds of the fit."""

    coef: NDArray[np.float64]
    intercept: float
    seconds: float


def zeroloop_table(problem: Problem) -> Found:
    """`zeroloop.train` on the table; its own clock leaves reading and encoding apart."""
    import zeroloop

    model = zeroloop.train(problem.table, "late", C=problem.C, test_fraction=0)
    schema = model.schema
    n = len(schema.numeric)
    intercept = float(model.coef[0, 0] + model.coef[0, 1 : 1 + n] @ schema.centre)
    return Found((model.coef[0] * schema.scale)[1:], intercept, model.training.seconds["fit"])


def zeroloop_fit(problem: Problem) -> Found:
    """zeroloop with its defaults: the table where the case is one, else the estimator."""
    if problem.table is not None:
        return zeroloop_table(problem)
    from zeroloop import LogisticRegression

    start = time.perf_counter()
    fitted = LogisticRegression(C=problem.C).fit(problem.X, problem.y)
    seconds = time.perf_counter() - start
    assert fitted.converged_
    return Found(fitted.coef_[0], float(fitted.intercept_[0]), seconds)


def glum(problem: Problem) -> Found:
    """glum with its defaults; its penalty is on the mean loss."""
    from glum import GeneralizedLinearRegressor

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start = time.perf_counter()
        alpha = 1 / (problem.C * len(problem.y))
        fitted = GeneralizedLinearRegressor(family="binomial", alpha=alpha, l1_ratio=0).fit(problem.X, problem.y)
        seconds = time.perf_counter() - start
    return Found(np.asarray(fitted.coef_), float(fitted.intercept_), seconds)


def scikit_learn(problem: Problem, solver: str) -> Found:
    """scikit-learn with its defaults, but for the solver."""
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a peer stops where its defaults say
        start = time.perf_counter()
        fitted = LogisticRegression(C=problem.C, solver=solver).fit(problem.X, problem.y)
        seconds = time.perf_counter() - start
    return Found(fitted.coef_[0], float(fitted.intercept_[0]), seconds)


PEERS: dict[str, Callable[[Problem], Found]] = {
    "zeroloop": zeroloop_fit,
    "scikit-learn lbfgs (its default)": partial(scikit_learn, solver="lbfgs"),
    "scikit-learn newton-cholesky": partial(scikit_learn, solver="newton-cholesky"),
    "glum": glum,
}
