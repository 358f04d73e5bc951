"""L1 penalties and bounds on small data: optima by conditions and formulas of their own."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression as Peer

from zeroloop import LogisticRegression, LogisticRegressionCV, logistic_path
from zeroloop.arrays import prepare
from zeroloop.fit import Options, objective_of, plain_shape
from zeroloop.kernels import columns, few
from zeroloop.kernels.orthant import minimise_quadratic
from zeroloop.labels import count_labels
from zeroloop.objective import DIGITS_LOST

Array = NDArray[Any]
SEEDS = int(os.environ.get("ZEROLOOP_L1_SEEDS", "40"))
FIRST = int(os.environ.get("ZEROLOOP_L1_FIRST", "0"))


def made(seed: int) -> tuple[Array, Array, Array | None, dict[str, Any]]:
    """Return X, y, weights and options of a random problem, of columns of many kinds."""
    rng = np.random.default_rng(seed)
    m = int(rng.integers(12, 120))
    n = int(rng.choice([1, 2, 5, 20, m // 3, m, 3 * m]))
    k = int(rng.choice([2, 2, 2, 3, 4, 10]))
    kind = rng.choice(["normal", "correlated", "of low rank", "rare", "heavy"])
    X = rng.standard_normal((m, n))
    if kind == "correlated":
        X = X @ np.linalg.cholesky(0.95 ** np.abs(np.subtract.outer(np.arange(n), np.arange(n)))).T
    if kind == "of low rank":
        X = rng.standard_normal((m, n // 4 + 1)) @ rng.standard_normal((n // 4 + 1, n))
    if kind == "rare":
        X = (X > 1.3).astype(float)
    if kind == "heavy":
        X = np.clip(rng.standard_cauchy((m, n)), -1e3, 1e3)
    if rng.random() < 0.3:
        X *= 10 ** rng.uniform(-2, 2, n)
    if rng.random() < 0.2:  # columns that repeat each other, and one of one value
        X[:, -1] = X[:, 0]
        X[:, n // 2] = 1.0
    B = rng.standard_normal((n, k)) * (rng.random((n, 1)) < 5 / n)
    z = X @ B
    y = np.argmax(2 * z / (np.std(z) + 1e-9) + rng.gumbel(size=(m, k)), axis=1)
    if rng.random() < 0.3:
        y = rng.integers(0, k, m)
    y[:k] = np.arange(k)
    weight = rng.choice([0.0, 0.5, 1.0, 3.0], m) if rng.random() < 0.4 else None
    if weight is not None:
        weight[:k] = 1.0
    options: dict[str, Any] = {
        "C": float(10 ** rng.uniform(-2, 3)),
        "l1_ratio": float(rng.choice([1.0, 1.0, 0.5, 0.05])),
        "fit_intercept": bool(rng.random() < 0.7),
    }
    if rng.random() < 0.4:
        options["penalty_factors"] = rng.choice([0.5, 1.0, 4.0], n)
        if k == 2 and m > 40 and kind != "rare":  # else the column may separate the rows: no optimum
            options["penalty_factors"][0] = 0.0
    if rng.random() < 0.3:
        options["bounds"] = rng.choice([-np.inf, -0.1, 0.0], n), rng.choice([np.inf, 0.1, 0.0, 1.0], n)
    return X, y, weight, options


def violation(X: Array, y: Array, weight: Array | None, options: dict[str, Any], fit: LogisticRegression) -> float:
    """Return the largest violation of the optimality conditions, of the mean objective and columns of unit variance."""
    m, n = X.shape
    k = len(fit.classes_)
    weight = np.ones(m) if weight is None else weight
    total = weight.sum()
    z = X @ fit.coef_.T + fit.intercept_
    z = np.column_stack([np.zeros(m), z]) if k == 2 else z
    p = np.exp(z - z.max(axis=1, keepdims=True))
    residual = (p / p.sum(axis=1, keepdims=True) - np.eye(k)[y]) * weight[:, np.newaxis]
    residual = residual[:, 1:] if k == 2 else residual
    shifted = X - weight @ X / total if options["fit_intercept"] else X
    deviation = np.sqrt(weight @ shifted**2 / total)
    varies = deviation > 1e-9 * np.max(np.abs(X), axis=0)
    strength = options.get("penalty_factors", np.ones(n)) / options["C"]
    coef, l1 = fit.coef_, options["l1_ratio"] * strength
    gradient = residual.T @ shifted + (1 - options["l1_ratio"]) * strength * coef
    slope = np.where(coef == 0, np.sign(gradient) * np.maximum(np.abs(gradient) - l1, 0), gradient + l1 * np.sign(coef))
    lower, upper = options.get("bounds", (np.full(n, -np.inf), np.full(n, np.inf)))
    blur = 1e-12 * np.abs(coef)
    assert np.all((coef >= lower - blur) & (coef <= upper + blur))
    slope[((coef <= lower + blur) & (slope > 0)) | ((coef >= upper - blur) & (slope < 0))] = 0.0
    of_columns = np.max(np.abs(slope[:, varies]) / deviation[varies], initial=0.0) / total
    of_intercept = np.max(np.abs(residual.sum(axis=0))) / total if options["fit_intercept"] else 0.0
    return float(max(of_columns, of_intercept))


def objective(X: Array, y: Array, weight: Array | None, options: dict[str, Any], fit: Any) -> float:
    """Return scikit-learn's objective, by a formula of its own."""
    z = X @ fit.coef_.T + fit.intercept_
    z = np.column_stack([np.zeros(len(X)), z]) if len(fit.classes_) == 2 else z
    logs = z - np.max(z, axis=1, keepdims=True)
    losses = np.log(np.sum(np.exp(logs), axis=1)) - logs[np.arange(len(y)), y]
    factor = options.get("penalty_factors", np.ones(X.shape[1]))
    of_coef = options["l1_ratio"] * np.abs(fit.coef_) + 0.5 * (1 - options["l1_ratio"]) * fit.coef_**2
    return float(options["C"] * np.sum(losses if weight is None else weight * losses) + np.sum(factor * of_coef))


@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS))
def test_the_optimality_conditions_hold(seed: int) -> None:
    X, y, weight, options = made(seed)
    fit = LogisticRegression(**options).fit(X, y, sample_weight=weight)
    assert fit.converged_
    assert violation(X, y, weight, options, fit) <= 1.1e-6


@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS // 4))
def test_the_objective_is_as_low_as_sagas(seed: int) -> None:
    X, y, weight, options = made(seed)
    options.pop("penalty_factors", None)
    options.pop("bounds", None)
    options["C"] = min(options["C"], 10.0)  # above it saga takes minutes
    fit = LogisticRegression(**options).fit(X, y, sample_weight=weight)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        peer = Peer(**options, solver="saga", max_iter=1_000, random_state=0).fit(X, y, sample_weight=weight)
    ours, theirs = (objective(X, y, weight, options, one) for one in (fit, peer))
    assert ours <= theirs * (1 + 1e-7)


@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS // 4))
def test_without_an_intercept_the_objective_is_liblinears(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((60, int(rng.integers(2, 200))))
    y = (X[:, 0] + rng.standard_normal(60) > 0).astype(int)
    options: dict[str, Any] = {"C": float(10 ** rng.uniform(-1, 2)), "l1_ratio": 1.0, "fit_intercept": False}
    fit = LogisticRegression(**options).fit(X, y)
    peer = Peer(**options, solver="liblinear", tol=1e-10, max_iter=100_000).fit(X, y)
    value = objective(X, y, None, options, fit)
    assert value == pytest.approx(objective(X, y, None, options, peer), rel=1e-6)


@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS))
def test_a_quadratic_models_optimum_meets_its_conditions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 60))
    root = rng.standard_normal((n, int(rng.integers(1, 2 * n + 2)))) * 10 ** rng.uniform(-1, 1, (n, 1))
    hessian = root @ root.T
    start = rng.standard_normal(n) * (rng.random(n) < 0.5)
    # Within what the Hessian curves, so that there is an optimum without an L1 penalty too.
    gradient = hessian @ rng.standard_normal(n)
    l1 = rng.choice([0.0, 0.3, 3.0], n) * float(np.max(np.abs(gradient)))
    lower, upper = rng.choice([-np.inf, -0.5, 0.0], n), rng.choice([np.inf, 0.5, 0.0], n)
    start = np.clip(start, lower, upper)
    tol = 1e-6 * float(np.max(np.abs(gradient)))
    x = minimise_quadratic(hessian, gradient, start, l1, lower, upper, tol)
    slope = gradient + hessian @ (x - start)
    assert np.all((x >= lower) & (x <= upper))
    slope = np.where(x == 0, np.sign(slope) * np.maximum(np.abs(slope) - l1, 0), slope + l1 * np.sign(x))
    slope[((x <= lower) & (slope > 0)) | ((x >= upper) & (slope < 0))] = 0.0
    assert np.max(np.abs(slope)) <= 1.01 * tol


@pytest.mark.parametrize("density", [0.1, 1.0])
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_the_compiled_columns_and_numpys_have_one_optimum(n_outputs: int, density: float) -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((15, 200)) * (rng.random((15, 200)) < density)
    y = rng.integers(0, max(n_outputs, 2), 200)
    weight = rng.random(200)
    stored = scipy.sparse.csr_array(values)
    picked = columns.Columns(
        stored.indptr.astype(np.int64),
        stored.indices.astype(np.int32),
        stored.data,
        y.astype(np.int32),
        weight / np.sum(weight),
    )
    shape = n_outputs, 15
    terms = few.Terms(np.full(shape, 1e-3), np.full(shape, 0.02), np.full(shape, -0.3), np.full(shape, np.inf))
    compiled = columns.solve(picked, np.zeros(shape), terms, 1e-11, 1_000)
    dense = few.solve(few.Rows(values, y.astype(np.float32), weight), np.zeros(shape), terms, 1e-11, 1_000)
    assert 0 < np.count_nonzero(dense) < dense.size
    np.testing.assert_allclose(compiled, dense, atol=1e-8)


def test_a_path_is_the_single_fits() -> None:
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((50, 300)), rng.integers(0, 3, 50)
    path = logistic_path(X, y, Cs=20, l1_ratio=0.9, standardize=False)
    assert np.all(path.converged)
    for at in (3, 10, 19):
        fit = LogisticRegression(C=path.Cs[at], l1_ratio=0.9).fit(X, y)
        np.testing.assert_allclose(path.coef[at], fit.coef_, atol=1e-6)


def test_cross_validation_over_shares_of_l1_is_scikit_learns() -> None:
    rng = np.random.default_rng(2)
    X = rng.standard_normal((80, 30))
    y = (X[:, 0] - X[:, 1] + 0.5 * rng.standard_normal(80) > 0).astype(int)
    options: dict[str, Any] = {
        "Cs": [0.01, 0.1, 1.0],
        "cv": 4,
        "scoring": "neg_log_loss",
        "use_legacy_attributes": False,
    }
    fit = LogisticRegressionCV(**options, l1_ratios=[0.3, 1.0]).fit(X, y)
    for f, train in enumerate([np.flatnonzero(np.isin(np.arange(80), test, invert=True)) for test in _folds(X, y)]):
        for j, ratio in enumerate([0.3, 1.0]):
            for c, C in enumerate(options["Cs"]):
                alone = LogisticRegression(C=C, l1_ratio=ratio).fit(X[train], y[train])
                np.testing.assert_allclose(fit.coefs_paths_[f, j, c, 0, :-1], alone.coef_[0], atol=1e-6)


def _folds(X: Array, y: Array) -> list[Array]:
    from sklearn.model_selection import StratifiedKFold

    return [test for _, test in StratifiedKFold(4).split(X, y)]


@pytest.mark.parametrize("l1_ratio", [0.2, 1.0])
def test_any_number_of_threads_gives_the_same_bits(l1_ratio: float) -> None:
    rng = np.random.default_rng(3)
    X, y = rng.standard_normal((150, 1_500)), rng.integers(0, 3, 150)
    one, two = (LogisticRegression(n_jobs=n, l1_ratio=l1_ratio).fit(X, y) for n in (1, 2))
    assert one.coef_.tobytes() == two.coef_.tobytes()


def test_a_slope_below_tol_is_no_optimum_where_little_l2_decides() -> None:
    rng = np.random.default_rng(4)
    X = rng.standard_normal((40, 3_000))
    y = (X[:, 0] + rng.standard_normal(40) > 0).astype(int)
    prepared = prepare(X, y)
    labels = count_labels(prepared.source, [0, 1])
    options = Options(C=1.0, l1_ratio=1e-3)
    objective = objective_of(prepared.source, labels, options, prepared.units, plain_shape(np.ones(3_001)), True)
    fit = LogisticRegression(C=1.0, l1_ratio=1e-3, tol=1e-10).fit(X, y)
    optimum = objective.theta(np.column_stack([fit.intercept_, fit.coef_]))
    near = 0.9 * optimum
    assert objective(near, 1).gradient_norm <= 1e-2
    assert not objective.is_met(near, objective(near, 1), 1e-2 / DIGITS_LOST)
    assert not objective.is_met(near, objective(near, 1), 1e-2)
    assert objective.is_met(optimum, objective(optimum, 1), 1e-6)
