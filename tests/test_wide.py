"""Fewer rows than columns: the same optimum as other formulas find, whatever the shape, and no cliff between shapes."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse
import scipy.special
from numpy.typing import NDArray

import zeroloop.fit
import zeroloop.kernels.statistics
from zeroloop import LogisticRegression, LogisticRegressionCV, logistic_path

Array = NDArray[Any]
SEEDS = int(os.environ.get("ZEROLOOP_WIDE_SEEDS", "12"))


def made(seed: int) -> tuple[Array, Array, Array | None, dict[str, Any]]:
    """Return X, y, weights and options of a random problem: fewer rows than columns, about as many, or more."""
    rng = np.random.default_rng(seed)
    m = int(rng.integers(12, 60))
    n = int(rng.choice([m // 3, m - 1, m, m + 1, m + 5, 3 * m, 8 * m]))
    k = int(rng.choice([2, 2, 2, 3, 5, 10]))
    X = rng.standard_normal((m, n)) * 10 ** rng.uniform(-1, 1, n) + rng.choice([0.0, 3.0])
    if rng.random() < 0.3:  # rows that repeat each other, and columns without variance
        X[: m // 3] = X[m // 3 : 2 * (m // 3)]
        X[:, 0] = 1.0
    y = rng.integers(0, k, m)
    y[:k] = np.arange(k)
    weight = rng.choice([0.0, 0.5, 1.0, 3.0], m) if rng.random() < 0.4 else None
    if weight is not None:
        weight[:k] = 1.0
    options: dict[str, Any] = {"C": float(10 ** rng.uniform(-3, 2)), "fit_intercept": bool(rng.random() < 0.7)}
    if rng.random() < 0.4:
        options["penalty_factors"] = rng.choice([0.5, 1.0, 4.0], n)
        if rng.random() < 0.5:
            options["penalty_factors"][rng.integers(n)] = 0.0
    return X, y, weight, options


def objective(X: Any, y: Array, weight: Array | None, options: dict[str, Any], flat: Array) -> tuple[float, Array]:
    """Return scikit-learn's objective and its gradient, by a formula of its own: softmax of two classes is (0, z)."""
    m, n = X.shape
    k = int(y.max()) + 1
    by_class = flat.reshape(-1, n + 1)
    z = X @ by_class[:, 1:].T + by_class[:, 0]
    z = np.column_stack([np.zeros(m), z]) if k == 2 else z
    weight = np.ones(m) if weight is None else weight
    logs = z - scipy.special.logsumexp(z, axis=1, keepdims=True)
    residual = (np.exp(logs) - np.eye(k)[y]) * weight[:, np.newaxis]
    residual = residual[:, 1:] if k == 2 else residual
    factor = options.get("penalty_factors", np.ones(n))
    coef = by_class[:, 1:]
    value = -np.sum(weight * logs[np.arange(m), y]) + 0.5 / options["C"] * np.sum(factor * coef**2)
    slope = np.column_stack([residual.sum(axis=0), (X.T @ residual).T + factor * coef / options["C"]])
    if not options["fit_intercept"]:
        slope[:, 0] = 0.0
    return float(value), slope.ravel()


def flat_of(fit: LogisticRegression) -> Array:
    return np.column_stack([fit.intercept_, fit.coef_]).ravel()


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_optimum_is_that_of_another_formula(seed: int) -> None:
    X, y, weight, options = made(seed)
    fit = LogisticRegression(**options).fit(X, y, sample_weight=weight)
    assert fit.converged_
    value, slope = objective(X, y, weight, options, flat_of(fit))
    n = X.shape[1]
    minimize: Any = scipy.optimize.minimize  # its stubs know no function that returns value and gradient
    found = minimize(
        lambda flat: objective(X, y, weight, options, flat),
        np.zeros_like(flat_of(fit)),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 20_000, "maxfun": 50_000, "ftol": 1e-15, "gtol": 1e-10},
    )
    assert value <= found.fun + 1e-7 * abs(found.fun)
    # In the penalty's own norm the error is at most the gradient's dual norm: strong convexity.
    factor = np.tile(options.get("penalty_factors", np.ones(n)) / options["C"], fit.coef_.shape[0])
    slope = slope.reshape(-1, n + 1)[:, 1:].ravel()
    paid = factor > 0
    bound = np.sqrt(np.sum(slope[paid] ** 2 / factor[paid]))
    assert bound <= 1e-4 * np.sqrt(np.sum(factor * fit.coef_.ravel() ** 2)) + 1e-6


@pytest.mark.parametrize("solver", ["lbfgs", "newton-cg", "newton"])
def test_a_named_solver_is_called_converged_only_where_its_coefficients_are_right(solver: str) -> None:
    rng = np.random.default_rng(5)
    X = rng.standard_normal((40, 6_000))
    y = (X[:, 0] + rng.standard_normal(40) > 0).astype(int)
    exact = LogisticRegression(tol=1e-10).fit(X, y)
    fit = LogisticRegression(solver=solver).fit(X, y)
    assert fit.converged_
    assert np.max(np.abs(fit.coef_ - exact.coef_)) <= 1e-4 * np.max(np.abs(exact.coef_))


def test_a_gradient_below_tol_is_no_optimum_where_the_penalty_alone_decides() -> None:
    rng = np.random.default_rng(6)
    X = rng.standard_normal((30, 3_000))
    y = rng.integers(0, 2, 30)
    fit = LogisticRegression(solver="gradient-descent", learning_rate=1e-4, max_iter=3, tol=0.5)
    with pytest.warns(match="Not converged"):
        fit.fit(X, y)
    assert fit.gradient_norm_ <= 0.5
    assert not fit.converged_


def test_no_hessian_of_all_columns_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    sums, largest = zeroloop.kernels.statistics.sums, 0

    def watched(block: Any, coef: Any, centre: Any, order: int) -> Any:
        nonlocal largest
        largest = max(largest, coef.size if order == 2 else 0)
        return sums(block, coef, centre, order)

    monkeypatch.setattr(zeroloop.kernels.statistics, "sums", watched)
    rng = np.random.default_rng(7)
    X, y = rng.standard_normal((40, 3_990)), rng.integers(0, 2, 40)
    LogisticRegression().fit(X, y)
    LogisticRegressionCV(Cs=3, cv=3, scoring="neg_log_loss", use_legacy_attributes=False).fit(X, y)
    assert 0 < largest <= 41


@pytest.mark.parametrize("form", ["csr", "csc"])
@pytest.mark.parametrize("classes", [2, 3])
def test_sparse_rows_are_as_dense_ones(form: str, classes: int) -> None:
    rng = np.random.default_rng(8)
    thinned = np.where(rng.random((50, 700)) < 0.05, rng.standard_normal((50, 700)), 0.0)
    X = scipy.sparse.csr_matrix(thinned) if form == "csr" else scipy.sparse.csc_matrix(thinned)
    y = rng.integers(0, classes, 50)
    sparse, dense = (LogisticRegression(tol=1e-9).fit(rows, y) for rows in (X, X.toarray()))
    assert sparse.coef_ == pytest.approx(dense.coef_, abs=1e-7)
    for rows in (X, X.toarray()):  # at the default tol, which is 1e-6: within 100 of it of the optimum
        found = LogisticRegression().fit(rows, y).coef_
        assert np.linalg.norm(found - dense.coef_) <= 1e-4 * np.linalg.norm(dense.coef_)
    assert sparse.intercept_ == pytest.approx(dense.intercept_, abs=1e-7)


def test_any_number_of_threads_gives_the_same_bits() -> None:
    rng = np.random.default_rng(9)
    X, y = rng.standard_normal((150, 2_500)), rng.integers(0, 3, 150)
    one, two = (LogisticRegression(n_jobs=n).fit(X, y) for n in (1, 2))
    assert one.coef_.tobytes() == two.coef_.tobytes()


def test_a_warm_start_is_at_the_optimum() -> None:
    rng = np.random.default_rng(10)
    X, y = rng.standard_normal((60, 900)), rng.integers(0, 2, 60)
    fit = LogisticRegression(warm_start=True).fit(X, y)
    coef = fit.coef_.copy()
    fit.fit(X, y)
    assert fit.n_iter_[0] <= 1
    assert fit.coef_ == pytest.approx(coef, abs=1e-8)


def test_a_path_of_l2_penalties_is_the_single_fits() -> None:
    rng = np.random.default_rng(11)
    X, y = rng.standard_normal((40, 300)), rng.integers(0, 2, 40)
    path = logistic_path(X, y, Cs=[0.01, 1.0, 100.0], l1_ratio=0.0, standardize=False)
    for C, coef in zip(path.Cs, path.coef, strict=True):
        assert coef == pytest.approx(LogisticRegression(C=C).fit(X, y).coef_, rel=1e-5, abs=1e-9)
