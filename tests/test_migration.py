"""What docs/migration.md says of others: their objective, written out and minimised by scipy, or they themselves."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.optimize import minimize

import zeroloop
from zeroloop import LogisticRegression
from zeroloop.blocks import FloatArray

A, RATIO = 0.02, 0.3
DASK_ML = [-0.46477083, 0.63748765, -0.23435942, 0.29806529]


def rows(seed: int = 0, m: int = 300) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((m, 3)) * [1, 3, 0.4] + [0, 2, 0]
    return X, (rng.random(m) < 1 / (1 + np.exp(0.6 - X @ [0.9, -0.3, 0.5]))).astype(float)


def minimum(X: FloatArray, y: FloatArray, l1: float, l2: float, *, intercept: float = 0.0, mean: bool = True) -> Any:
    """Return (intercept, coefficients) of the least loss + l1 |w| + l2 |w|^2 / 2; `intercept` is its share of it.

    The absolute value is the difference of two parts, both at least 0, so that a smooth method with bounds will do.
    """
    n = X.shape[1]
    design = np.column_stack([np.ones(len(X)), X])
    share = np.r_[intercept, np.ones(n)]

    def objective(parts: FloatArray) -> tuple[float, FloatArray]:
        w = parts[: n + 1] - parts[n + 1 :]
        z = design @ w
        scale = 1 / len(X) if mean else 1.0
        value = scale * np.sum(np.logaddexp(0, z) - y * z) + l1 * share @ np.tile(np.eye(n + 1), 2) @ parts
        slope = scale * design.T @ (1 / (1 + np.exp(-z)) - y) + l2 * share * w
        return value + l2 / 2 * share @ w**2, np.r_[slope + l1 * share, -slope + l1 * share]

    found = minimize(
        objective,
        np.zeros(2 * (n + 1)),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, None)] * (2 * (n + 1)),
        options={"maxiter": 20_000, "maxfun": 50_000, "ftol": 1e-16, "gtol": 1e-10},
    ).x
    return found[: n + 1] - found[n + 1 :]


def fitted(X: FloatArray, y: FloatArray, **options: Any) -> FloatArray:
    model = LogisticRegression(tol=1e-11, max_iter=10_000, **options).fit(X, y)
    return np.asarray(np.r_[model.intercept_, model.coef_[0]])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("ratio", [0.0, RATIO, 1.0])
def test_a_penalty_on_the_mean_loss(seed: int, ratio: float) -> None:
    """Of skglm, glum, H2O and Spark, of columns as they are."""
    X, y = rows(seed)
    wanted = minimum(X, y, A * ratio, A * (1 - ratio))
    np.testing.assert_allclose(fitted(X, y, C=1 / (A * len(X)), l1_ratio=ratio), wanted, atol=2e-5)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("ratio", [0.0, RATIO, 1.0])
def test_a_table_s_columns_are_scaled_by_their_standard_deviation(seed: int, ratio: float) -> None:
    """Of Spark and H2O; Spark's has m - 1 below."""
    X, y = rows(seed)
    m = len(X)
    frame = pd.DataFrame(X, columns=list("abc")).assign(y=y.astype(int))
    for ddof, l1, l2 in ((0, A, A), (1, A * math.sqrt(m / (m - 1)), A * m / (m - 1))):
        unit = X.std(axis=0, ddof=ddof)
        wanted = minimum(X / unit, y, A * ratio, A * (1 - ratio))
        wanted[1:] /= unit
        if ratio in (0.0, 1.0):
            strength = l1 if ratio else l2
            model = zeroloop.train(frame, "y", C=1 / (strength * m), l1_ratio=ratio, test_fraction=0, tol=1e-10)
            np.testing.assert_allclose(model.coef[0], wanted, atol=2e-5)


@pytest.mark.parametrize("seed", range(3))
def test_statsmodels_regularised_logit(seed: int) -> None:
    X, y = rows(seed)
    a = A * len(X)
    model = sm.Logit(y, sm.add_constant(X))
    how: dict[str, Any] = {"disp": 0, "acc": 1e-12, "maxiter": 10_000, "trim_mode": "off"}
    theirs = model.fit_regularized(alpha=np.r_[0, [a] * 3], **how).params
    np.testing.assert_allclose(fitted(X, y, C=1 / a, l1_ratio=1.0), theirs, atol=2e-5)
    with_constant = model.fit_regularized(alpha=a, **how).params
    np.testing.assert_allclose(minimum(X, y, a, 0.0, intercept=1.0, mean=False), with_constant, atol=1e-4)
    assert np.max(np.abs(with_constant - theirs)) > 0.01
    glm = sm.GLM(y, sm.add_constant(X), family=sm.families.Binomial())
    regularised: Callable[..., Any] = glm.fit_regularized
    found = regularised(alpha=np.r_[0, [A] * 3], L1_wt=RATIO, maxiter=2_000, cnvrg_tol=1e-12).params
    np.testing.assert_allclose(fitted(X, y, C=1 / (A * len(X)), l1_ratio=RATIO), found, atol=2e-5)


def test_dask_ml_penalises_scaled_columns_and_the_intercept() -> None:
    """`DASK_ML` is what dask-ml 2025.1.0 (dask-glm 0.4.0) finds of these rows, solver "lbfgs", C = 1/6."""
    X, y = rows(0)
    unit, centre = X.std(axis=0), X.mean(axis=0)
    scaled = minimum((X - centre) / unit, y, 0.0, 6.0, intercept=1.0, mean=False)
    alone = fitted((X - centre) / unit, y, C=1 / 6)
    assert np.max(np.abs(scaled[1:] - alone[1:])) < 0.1  # the nearest, which leaves the intercept alone
    assert abs(scaled[0] - alone[0]) > 1e-3
    slopes = scaled[1:] / unit
    np.testing.assert_allclose(np.r_[scaled[0] - centre @ slopes, slopes], DASK_ML, atol=2e-6)


def test_firth_s_errors_beside_logistf_s() -> None:
    """By logistf's formula: each row's information weighted by one plus its leverage."""
    data = pd.read_csv(Path(__file__).parent / "reference" / "endometrial.csv")
    model = zeroloop.train(data, "HG", method="firth")
    X = np.column_stack([np.ones(len(data)), data[list(model.schema.features)]])
    p = 1 / (1 + np.exp(-X @ model.coef[0]))
    w = p * (1 - p)
    covariance = np.linalg.inv(X.T @ (X * w[:, np.newaxis]))
    np.testing.assert_allclose(model.terms()["std_err"].to_numpy(), np.sqrt(np.diag(covariance)), rtol=1e-7)
    leverage = w * np.einsum("ij,jk,ik->i", X, covariance, X)
    logistf = np.linalg.inv(X.T @ (X * (w * (1 + leverage))[:, np.newaxis]))
    smaller = 1 - np.sqrt(np.diag(logistf) / np.diag(covariance))
    assert np.all((smaller > 0.02) & (smaller < 0.07))
