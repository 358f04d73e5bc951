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
    "zeroloop": zeroloop_table,
    "scikit-learn lbfgs (its default)": partial(scikit_learn, solver="lbfgs"),
    "scikit-learn newton-cholesky": partial(scikit_learn, solver="newton-cholesky"),
}
