"""Columns that say nothing, repeat others, or lie at the ends of float64; weights that are none.

The judge is Newton's method on singular value decompositions, in columns brought to unit variance with exact rational
arithmetic where that is asked for. `ZEROLOOP_SEEDS` has more tables tried.
"""

from __future__ import annotations

import math
import os
import re
import warnings
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import expit
from sklearn.utils.class_weight import compute_class_weight

import zeroloop
from zeroloop.arrays import prepare

MORE = int(os.environ.get("ZEROLOOP_SEEDS", "1"))
SMOOTH = ("newton", "sampled-newton", "newton-cg", "lbfgs")
SOLVERS = (*SMOOTH, "proximal-newton", "coordinate-descent")
FREE = float("inf")


def maximum(X: NDArray[Any], y: NDArray[Any], weight: NDArray[Any] | None = None) -> NDArray[np.float64]:
    """Return the predictor of maximum likelihood, each step by least squares of minimum norm."""
    w = np.ones(len(y)) if weight is None else weight
    A = np.c_[np.ones(len(y)), X]
    z = np.zeros(len(y))
    for _ in range(60):
        p = 1 / (1 + np.exp(-z))
        root = np.sqrt(w * p * (1 - p))
        step = A @ np.linalg.lstsq(root[:, None] * A, w * (y - p) / np.where(root > 0, root, 1.0), rcond=1e-12)[0]
        z = z + step
        if np.max(np.abs(step)) < 1e-12:
            return np.asarray(z)
    raise AssertionError("the judge did not converge")


def drawn(seed: int, m: int = 300) -> tuple[NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(m, 3))
    return X, (X @ [1.0, -0.7, 0.4] + rng.logistic(size=m) > 0.2).astype(int)


def idle(seed: int, X: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return columns and further ones in any order: constants of any size; and which are constant."""
    rng = np.random.default_rng(seed + 10_000)
    values = rng.choice([0.0, 1.0, 0.1, -3.7, 1e-9, 1e12, -7.3e15, 1 / 3], size=rng.integers(1, 4), replace=False)
    both = np.c_[X, np.broadcast_to(values, (len(X), values.size))]
    order = rng.permutation(both.shape[1])
    return np.ascontiguousarray(both[:, order]), order >= X.shape[1]


@pytest.mark.parametrize("solver", ["auto", *SOLVERS])
@pytest.mark.parametrize("seed", range(2 * MORE))
def test_constant_columns_have_zero_and_leave_the_others_alone(seed: int, solver: str) -> None:
    X, y = drawn(seed)
    Z, constant = idle(seed, X)
    options: dict[str, Any] = {"solver": solver, "C": FREE, "tol": 1e-9}
    for layout in (np.ascontiguousarray, np.asfortranarray, sparse.csr_array, sparse.csc_array):
        fit = zeroloop.LogisticRegression(**options).fit(layout(Z), y)
        assert np.all(fit.coef_[0, constant] == 0.0)
        np.testing.assert_allclose(fit.decision_function(layout(Z)), maximum(X, y), atol=1e-6)
    for l1_ratio in (0.0, 0.5, 1.0) if solver in ("auto", "proximal-newton", "coordinate-descent") else (0.0,):
        factors, bounds = np.ones(Z.shape[1]), (-0.6, 2.0)
        factors[constant] = 0.0
        options = {"solver": solver, "l1_ratio": l1_ratio, "C": 0.5, "tol": 1e-9}
        if l1_ratio:
            options["bounds"] = bounds
        fit = zeroloop.LogisticRegression(**options, penalty_factors=factors).fit(Z, y)
        plain = zeroloop.LogisticRegression(**options).fit(Z[:, ~constant], y)
        assert np.all(fit.coef_[0, constant] == 0.0)
        np.testing.assert_allclose(fit.coef_[0, ~constant], plain.coef_[0], atol=1e-6)
        np.testing.assert_allclose(fit.intercept_, plain.intercept_, atol=1e-6)


@pytest.mark.parametrize("m", [300, 60_000])
@pytest.mark.parametrize("where", ["first", "last", "scattered"])
def test_columns_constant_where_weights_are_positive(m: int, where: str) -> None:
    X, y = drawn(m, m)
    rng = np.random.default_rng(m)
    out = {"first": np.arange(m) < m // 5, "last": np.arange(m) >= m - m // 5, "scattered": rng.random(m) < 0.2}[where]
    weight = np.where(out, 0.0, rng.uniform(0.5, 2, m))
    for value, other in ((1.0, 0.0), (0.0, 5.0), (0.1, 1e9), (7e5, 3.0)):
        Z = np.c_[np.where(out, other, value), X]
        expected = maximum(X, y, weight)
        for layout in (np.ascontiguousarray, np.asfortranarray):
            fit = zeroloop.LogisticRegression(C=FREE, tol=1e-9).fit(layout(Z), y, sample_weight=weight)
            assert fit.coef_[0, 0] == 0.0
            np.testing.assert_allclose(fit.decision_function(Z), expected, atol=1e-6)
    data = pd.DataFrame(Z, columns=list("abcd")).assign(y=y, w=weight)
    with pytest.warns(
        zeroloop.ZeroloopWarning, match=r"'a' is left out: constant, 700000 to rounding, in every row with"
    ):
        model = zeroloop.train(data, "y", weights="w", C=FREE)
    np.testing.assert_allclose(data[list("bcd")] @ model.coef[0, 1:] + model.coef[0, 0], expected, atol=1e-6)


def test_a_column_of_ones_without_an_intercept_is_the_intercept() -> None:
    X, y = drawn(1)
    for value in (1.0, 1e-6, 1e8):
        for solver in SOLVERS:
            fit = zeroloop.LogisticRegression(C=FREE, fit_intercept=False, solver=solver, tol=1e-9)
            Z = np.c_[np.full(len(y), value), X, np.zeros(len(y))]
            z = fit.fit(Z, y).decision_function(Z)
            np.testing.assert_allclose(z, maximum(X, y), atol=1e-6)


@pytest.mark.parametrize("multi_class", ["multinomial", "ovr"])
def test_constant_columns_of_many_classes(multi_class: str) -> None:
    rng = np.random.default_rng(0)
    for m in (200, 30_000):
        X, y = rng.normal(size=(m, 3)), rng.integers(0, 3, m)
        Z = np.c_[np.full(m, 0.1), X, np.zeros(m)]
        for solver in SOLVERS:
            options: dict[str, Any] = {"C": FREE, "multi_class": multi_class, "solver": solver, "tol": 1e-8}
            fit, plain = (zeroloop.LogisticRegression(**options).fit(data, y) for data in (Z, X))
            assert np.all(fit.coef_[:, [0, 4]] == 0.0)
            np.testing.assert_allclose(fit.predict_proba(Z), plain.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("seed", range(2 * MORE))
def test_repeated_columns_predict_what_one_of_them_does(seed: int, solver: str) -> None:
    X, y = drawn(seed, 400)
    rng = np.random.default_rng(seed)
    levels = np.eye(4)[rng.integers(0, 4, len(y))]
    Z = np.c_[X, levels, X[:, 0], -2 * X[:, 1] + 5, X[:, 0] + X[:, 2]]
    for layout in (np.ascontiguousarray, np.asfortranarray, sparse.csr_array):
        fit = zeroloop.LogisticRegression(C=FREE, solver=solver, tol=1e-8).fit(layout(Z), y)
        np.testing.assert_allclose(fit.decision_function(layout(Z)), maximum(Z, y), atol=3e-6)
    twice = np.c_[X[:, [0]], X]
    fit = zeroloop.LogisticRegression(C=FREE, solver=solver, tol=1e-8).fit(twice, y)
    if solver in SMOOTH:  # the shortest: repeated columns share
        np.testing.assert_allclose(fit.coef_[0, 0], fit.coef_[0, 1], rtol=1e-6)


@pytest.mark.parametrize("solver", SOLVERS)
def test_columns_of_any_unit(solver: str) -> None:
    X, y = drawn(5)
    expected = maximum(X, y)
    for exponent in (-500, -300, -270, -150, -40, 40, 150, 270, 300, 500):
        Z = X * [2.0**exponent, 1.0, 2.0 ** (-exponent // 2)]
        fit = zeroloop.LogisticRegression(C=FREE, solver=solver, tol=1e-9).fit(Z, y)
        np.testing.assert_allclose(fit.decision_function(Z), expected, atol=1e-6)
        if solver == "newton":
            model = zeroloop.train(pd.DataFrame(Z, columns=list("abc")).assign(y=y), "y", C=FREE)
            np.testing.assert_allclose(Z @ model.coef[0, 1:] + model.coef[0, 0], expected, atol=1e-6)


@pytest.mark.parametrize("exponent", [-1070, -900, -520, 515, 700, 1020])
@pytest.mark.parametrize("C", [1.0, FREE])
def test_columns_beyond_what_float64_can_square_are_refused_by_name(exponent: int, C: float) -> None:
    X, y = drawn(6)
    Z = X * [1.0, math.ldexp(1.0, exponent), 1.0]
    what = "square overflows; give it a larger unit" if exponent > 0 else "vanish; give it a smaller unit"
    frame = pd.DataFrame(Z, columns=list("abc"))
    for make, name in (
        (lambda: zeroloop.LogisticRegression(C=C).fit(Z, y), "x1"),
        (lambda: zeroloop.LogisticRegression(C=C).fit(frame, y), "b"),
        (lambda: zeroloop.train(frame.assign(y=y), "y", C=C), "b"),
    ):
        with pytest.raises(zeroloop.errors.DataError, match=rf"^Column '{name}' holds .*{what}\.$"):
            make()


def test_float32_at_its_ends() -> None:
    X, y = drawn(7)
    expected = maximum(X, y)
    for unit in (1e38 / 2, 1e-36, 2.0**-126):
        Z = (X * unit).astype(np.float32)
        assert np.all(np.isfinite(Z))
        for C in (FREE,):
            fit = zeroloop.LogisticRegression(C=C, tol=1e-9).fit(Z, y)
            np.testing.assert_allclose(Z.astype(float) @ fit.coef_[0] + fit.intercept_, expected, atol=1e-4)


@pytest.mark.parametrize("seed", range(40 * MORE))
def test_deviations_of_numbers_far_from_zero(seed: int) -> None:
    rng = np.random.default_rng(seed)
    m = int(rng.choice([20, 3_000]))
    base, step = int(10 ** rng.uniform(0, 15.5)), int(10 ** rng.uniform(0, 3))
    x = (base + step * rng.integers(0, rng.integers(2, 30), m)).astype(float) * rng.choice([1.0, -1.0, 2.0**-40])
    weight = rng.integers(0, 4, m).astype(float) if seed % 2 else np.ones(m)
    y = np.arange(m) % 2
    if len(set(x[weight > 0])) < 2:
        return
    total = sum(map(Fraction, weight))
    mean = sum(Fraction(w) * Fraction(v) for w, v in zip(weight, x, strict=True)) / total
    variance = sum(Fraction(w) * (Fraction(v) - mean) ** 2 for w, v in zip(weight, x, strict=True)) / total
    deviation = math.sqrt(float(variance))
    for layout in (np.ascontiguousarray, np.asfortranarray):
        units = prepare(layout(np.c_[rng.normal(size=m), x]), y, weight).units
        assert units.scale[2] == pytest.approx(deviation, rel=1e-9)
        assert units.centre[1] == pytest.approx(float(mean), rel=1e-15)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Rounding puts a row's linear predictor off", zeroloop.ZeroloopWarning)
        model = zeroloop.train(pd.DataFrame({"x": x, "y": y, "w": weight}), "y", weights="w", test_fraction=0)
    # A table's scan carries the mean itself from batch to batch, rounded to where its values lie.
    off = 1e-5 + (2 * np.spacing(abs(float(mean))) / deviation) ** 2
    assert model.schema.numeric[0].scale == pytest.approx(deviation, rel=off)


@pytest.mark.parametrize("seed", range(24 * MORE))
def test_class_weights_are_scikit_learn_s_or_refused(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X, _ = drawn(seed, 60)
    labels: Any = [("no", "yes"), (0, 1), (-1.0, 1.0), ("a", "b", "c")][seed % 4]
    y = np.array(list(labels))[rng.integers(0, len(labels), 60)]
    sample_weight = rng.integers(1, 3, 60).astype(float)
    given: Any = "balanced" if rng.random() < 0.3 else {one: float(rng.uniform(0.1, 3)) for one in labels}
    by_class = dict(
        zip(
            np.unique(y).tolist(),
            compute_class_weight(given, classes=np.unique(y), y=y, sample_weight=sample_weight),
            strict=True,
        )
    )
    fit = zeroloop.LogisticRegression(class_weight=given).fit(X, y, sample_weight)
    same = zeroloop.LogisticRegression().fit(X, y, sample_weight * [by_class[one] for one in y.tolist()])
    np.testing.assert_allclose(fit.coef_, same.coef_, rtol=1e-9)
    bad: Any = [math.nan, math.inf, -math.inf, -1.0, "2", None, 1e60, np.float64("nan"), [1]][seed % 9]
    label = labels[int(rng.integers(len(labels)))]
    with pytest.raises(ValueError, match=rf"^class_weight of {re.escape(repr(label))} is .*; it must be a number"):
        zeroloop.LogisticRegression(class_weight={label: bad}).fit(X, y)
    with pytest.raises(ValueError, match=r"^class_weight names 'other', which is no class of y; the classes are "):
        zeroloop.LogisticRegression(class_weight={"other": 2.0}).fit(X, y)
    with pytest.raises(ValueError, match=r"^class_weight is 'balanced', but no row of class .* has a positive weight"):
        zeroloop.LogisticRegression(class_weight="balanced").fit(X, y, np.where(y == label, 0.0, 1.0))


@pytest.mark.parametrize(("weight", "what"), [(1e60, "1e+60"), (1e-60, "less than float64 can compute with")])
def test_weights_beyond_what_can_be_summed(weight: float, what: str) -> None:
    X, y = drawn(0)
    for fit in (
        lambda: zeroloop.LogisticRegression().fit(X, y, np.full(len(y), weight)),
        lambda: zeroloop.train(pd.DataFrame(X, columns=list("abc")).assign(y=y, w=weight), "y", weights="w"),
    ):
        with pytest.raises(zeroloop.errors.DataError, match=re.escape(what)):
            fit()


@pytest.mark.parametrize("seed", range(8 * MORE))
def test_an_offset_far_from_its_scale_has_its_optimum(seed: int) -> None:
    """Predictors in the thousands, nearly all told wrongly beyond doubt: the gradient is 0 by another formula."""
    rng = np.random.default_rng(seed + 500)
    m, n = int(rng.integers(200, 1000)), int(rng.integers(1, 6))
    X, y = rng.normal(size=(m, n)), rng.integers(0, 2, m)
    offset = rng.normal(size=m) * 10.0 ** rng.uniform(2, 5)
    frame = pd.DataFrame(X, columns=[f"x{j}" for j in range(n)]).assign(offset=offset, y=y)
    model = zeroloop.train(frame, "y", offset="offset", C=FREE, test_fraction=0)
    assert model.training.converged
    A = np.c_[np.ones(m), X]
    coef = np.array(model.terms()["coef"].to_pylist()[: n + 1])
    gradient = A.T @ (expit(A @ coef + offset) - y) / m
    assert np.max(np.abs(gradient)) < 1e-5
