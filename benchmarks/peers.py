"""Who fits: a peer's name, what it imports, and a function from a problem to coefficients."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.problems import C, Problem

Coefficients = tuple[NDArray[np.float64], float]
"""Of the columns of X, and the intercept."""


@dataclass(frozen=True)
class Peer:
    """One library and solver.

    Attributes:
        modules: imported before the clock starts.
        fit: from a problem to what was found; keywords change its defaults.
        tight: keywords that ask for zeroloop's accuracy; None where the defaults do, or nothing does.
        everywhere: whether it is run in every case, or only in `WITH_EVERY_PEER`, for want of speed.

    """

    modules: tuple[str, ...]
    fit: Callable[..., Coefficients]
    tight: dict[str, Any] | None = None
    everywhere: bool = False


def zeroloop(problem: Problem) -> Coefficients:
    """zeroloop with its defaults."""
    from zeroloop import LogisticRegression

    fitted = LogisticRegression(C=C).fit(problem.X, problem.y)
    assert fitted.converged_
    return fitted.coef_[0], float(fitted.intercept_[0])


def scikit_learn(problem: Problem, **options: Any) -> Coefficients:
    """scikit-learn with its defaults, but for the options."""
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=C, **options).fit(problem.X, problem.y)
    return fitted.coef_[0], float(fitted.intercept_[0])


def intelex(problem: Problem, **options: Any) -> Coefficients:
    """scikit-learn-intelex, oneDAL behind scikit-learn's interface."""
    from sklearnex.linear_model import LogisticRegression

    fitted = LogisticRegression(C=C, **options).fit(problem.X, problem.y)
    return fitted.coef_[0], float(fitted.intercept_[0])


def glum(problem: Problem, **options: Any) -> Coefficients:
    """glum; its penalty is on the mean loss."""
    from glum import GeneralizedLinearRegressor

    alpha = 1 / (C * len(problem.y))
    fitted = GeneralizedLinearRegressor(family="binomial", alpha=alpha, l1_ratio=0, **options)
    fitted.fit(problem.X, problem.y)
    return np.asarray(fitted.coef_), float(fitted.intercept_)


def statsmodels(problem: Problem, **options: Any) -> Coefficients:
    """statsmodels' Logit, on dense data; it has no L2 penalty, which makes its gradient here 1 / m of a coefficient."""
    import statsmodels.api as sm

    X = problem.X if isinstance(problem.X, np.ndarray) else problem.X.toarray()
    params = np.asarray(sm.Logit(problem.y, sm.add_constant(X)).fit(disp=0, **options).params)
    return params[1:], float(params[0])


def snapml(problem: Problem, **options: Any) -> Coefficients:
    """snapml on every core; like liblinear it penalises the intercept."""
    from snapml import LogisticRegression

    fitted = LogisticRegression(regularizer=1 / C, fit_intercept=True, n_jobs=_cores(), **options)
    fitted.fit(problem.X, problem.y)
    return np.ravel(fitted.coef_).astype(np.float64), float(np.ravel(fitted.intercept_)[0])


def gblinear(problem: Problem, **options: Any) -> Coefficients:
    """xgboost's linear booster, whose penalty is on the mean loss."""
    from xgboost import XGBClassifier

    alpha = 1 / (C * len(problem.y))
    fitted = XGBClassifier(booster="gblinear", reg_lambda=alpha, n_jobs=_cores(), **options)
    fitted.fit(problem.X, problem.y)
    return np.ravel(fitted.coef_).astype(np.float64), float(np.ravel(fitted.intercept_)[0])


def _cores() -> int:
    from zeroloop.sources.threads import thread_count

    return thread_count(None)


def _solver(name: str, **options: Any) -> Callable[..., Coefficients]:
    return partial(scikit_learn, solver=name, **options)


SKLEARN = ("sklearn.linear_model",)
INTELEX = ("sklearnex.linear_model",)
ZEROLOOP = "zeroloop"
PEERS: dict[str, Peer] = {
    ZEROLOOP: Peer(("zeroloop.estimator",), zeroloop, everywhere=True),
    "scikit-learn lbfgs": Peer(SKLEARN, _solver("lbfgs"), {"tol": 1e-6, "max_iter": 10_000}, everywhere=True),
    "scikit-learn newton-cholesky": Peer(SKLEARN, _solver("newton-cholesky"), {"tol": 1e-6}, everywhere=True),
    "scikit-learn-intelex lbfgs": Peer(INTELEX, intelex, {"tol": 1e-6, "max_iter": 10_000}, everywhere=True),
    "scikit-learn-intelex newton-cg": Peer(
        INTELEX, partial(intelex, solver="newton-cg"), {"tol": 1e-6, "max_iter": 10_000}, everywhere=True
    ),
    "glum": Peer(("glum",), glum, {"gradient_tol": 1e-6}, everywhere=True),
    "statsmodels": Peer(("statsmodels.api",), statsmodels),
    "scikit-learn newton-cg": Peer(SKLEARN, _solver("newton-cg"), {"tol": 1e-6, "max_iter": 10_000}),
    "scikit-learn liblinear": Peer(SKLEARN, _solver("liblinear"), {"tol": 1e-8, "max_iter": 10_000}),
    "scikit-learn sag": Peer(SKLEARN, _solver("sag")),
    "scikit-learn saga": Peer(SKLEARN, _solver("saga")),
    "snapml": Peer(("snapml",), snapml, {"tol": 1e-8, "max_iter": 10_000}),
    "xgboost gblinear": Peer(("xgboost",), gblinear),
}

WITH_EVERY_PEER = ("1,000,000 x 50", "10,000 x 20", "breast cancer 569 x 30", "150 x 4")


def fit(name: str, problem: Problem, tight: bool) -> Coefficients:
    """Fit with one peer; a peer stops, and warns, where its settings say."""
    peer = PEERS[name]
    with warnings.catch_warnings():
        if name != ZEROLOOP:
            warnings.simplefilter("ignore")
        return peer.fit(problem, **(peer.tight or {} if tight else {}))
