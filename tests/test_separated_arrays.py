"""`LogisticRegression` without a penalty: whether there is an optimum, judged by linear programming, and that it is it.

`ZEROLOOP_TABLES=2000 ZEROLOOP_SEED=7 pytest tests/test_separated_arrays.py` draws more arrays, of other seeds.
"""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

import zeroloop
from judges import is_separated, least_loss

N_TABLES = int(os.environ.get("ZEROLOOP_TABLES", "150"))
SEED = int(os.environ.get("ZEROLOOP_SEED", "1"))
BATCHES = 5
SOLVERS = (
    "auto",
    "newton",
    "sampled-newton",
    "newton-cg",
    "lbfgs",
    "gradient-descent",
    "proximal-newton",
    "coordinate-descent",
)


def fitted(
    X: Any, y: NDArray[Any], weight: Any = None, **options: Any
) -> tuple[zeroloop.LogisticRegression, list[str]]:
    """Return a fit without a penalty, or as asked, and what it warned of."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        fit = zeroloop.LogisticRegression(**{"C": np.inf, **options}).fit(X, y, sample_weight=weight)
    assert all(issubclass(one.category, ConvergenceWarning) for one in said)
    return fit, [str(one.message) for one in said]


def drawn(rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any], int]:
    """Draw a small array: whole numbers, fractions, rare columns, products, columns of any unit, repeated ones."""
    n = int(rng.integers(6, 60))
    n_classes = 3 if rng.random() < 0.35 else 2
    columns = []
    for _ in range(int(rng.integers(1, 5))):
        kind = rng.integers(5)
        if kind == 0:
            columns.append(rng.integers(-2, 3, n))
        elif kind == 1:
            columns.append(np.round(rng.standard_normal(n), 3))
        elif kind == 2:
            columns.append(rng.random(n) < rng.choice([0.05, 0.1, 0.3]))
        elif kind == 3:
            columns.append(rng.integers(0, 2, n) * rng.integers(0, 4, n))
        else:
            columns.append(columns[-1] if columns else rng.integers(0, 9, n))
    X = np.column_stack(columns).astype(float)
    score = rng.standard_normal((n, n_classes)) * rng.choice([0.2, 1.0, 3.0])
    score += X @ (rng.standard_normal((X.shape[1], n_classes)) * rng.choice([0.0, 0.5, 3.0], (X.shape[1], 1)))
    y = np.argmax(score, axis=1)
    y[:n_classes] = np.arange(n_classes)
    return X, y, n_classes


def disagreement(seed: int) -> str:
    """Return in what a fit of one array, by a way of its own, differs from what is true of it."""
    rng = np.random.default_rng([SEED, seed])
    X, y, n_classes = drawn(rng)
    options: dict[str, Any] = {
        "solver": str(rng.choice(SOLVERS)),
        "fit_intercept": bool(rng.random() < 0.8),
        "multi_class": str(rng.choice(["multinomial", "ovr"])),
        "tol": float(rng.choice([1e-6, 1e-4, 1e-8])),
    }
    weight = None
    if rng.random() < 0.4:
        weight = rng.choice([0.0, 1.0, 2.0, 0.5], len(y), p=[0.2, 0.4, 0.2, 0.2])
        weight[:n_classes] = 1.0
    free: Any = np.ones(X.shape[1], dtype=bool)
    ways = None
    if rng.random() < 0.2:
        free = rng.random(X.shape[1]) < 0.5
        options |= {"C": float(rng.choice([0.1, 10.0])), "penalty_factors": np.where(free, 0.0, 1.0)}
    elif rng.random() < 0.15:
        lower = np.where(rng.random(X.shape[1]) < 0.5, -np.inf, rng.choice([0.0, -2.0], X.shape[1]))
        upper = np.where(rng.random(X.shape[1]) < 0.5, np.inf, rng.choice([0.0, 3.0], X.shape[1]))
        options |= {"bounds": (lower, upper), "solver": "auto"}
        free = ~(np.isfinite(lower) & np.isfinite(upper))
        ways = (np.isfinite(lower).astype(int) - np.isfinite(upper))[free]
    given: Any = X
    match rng.integers(5):
        case 1:
            given = np.asfortranarray(X)
        case 2:
            given = X.astype(np.float32)
        case 3:
            given = sparse.csr_array(X)
        case 4:
            given = sparse.csc_array(X)
    fit, said = fitted(given, y, weight, **options)
    used = np.ones(len(y), dtype=bool) if weight is None else weight > 0
    Z = X.astype(given.dtype).astype(np.float64)[used][:, free]
    if options["fit_intercept"]:
        Z = np.c_[np.ones(len(Z)), Z]
        ways = None if ways is None else np.append(0, ways)
    whole = bool(np.all(free)) and "bounds" not in options
    several = n_classes > 2 and options["multi_class"] == "multinomial"
    labels = [(y[used] == k).astype(int) for k in range(n_classes)][1 if n_classes == 2 else 0 :]
    labels, k = ([y[used]], n_classes) if several else (labels, 2)
    true = bool(np.any(free)) and any(is_separated(Z, one, k, None if several else ways) for one in labels)
    if fit.separated_ != true:
        return f"separated_ is {fit.separated_}, should be {true}: {options}, {X.shape}, {type(given)}"
    if len(said) != (true or not fit.converged_) or true != any("separation" in one for one in said):
        return f"says {said}"
    if whole and not true and fit.converged_:
        w = np.ones(len(y)) if weight is None else weight
        loss = np.mean([least_loss(Z, one, w[used], k) for one in labels])
        if not np.isclose(fit.loss_, loss, rtol=1e-9, atol=options["tol"] / 10):
            return f"loss is {fit.loss_}, should be {loss}: {options}"
    return ""


@pytest.mark.parametrize("batch", range(BATCHES))
def test_of_random_arrays(batch: int) -> None:
    found = {seed: disagreement(seed) for seed in range(batch, N_TABLES, BATCHES)}
    assert {seed: wrong for seed, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize("solver", [one for one in SOLVERS if one != "gradient-descent"])
def test_a_steep_slope_is_an_optimum(solver: str) -> None:
    for seed in range(4):
        rng = np.random.default_rng([SEED, seed])
        x = np.append(np.round(rng.uniform(-1, 1, 300), 2), [0.01, -0.01])
        y = np.append((x[:300] > 0).astype(int), [0, 1])
        unit = 10.0 ** rng.integers(-6, 7, 2)
        other = np.append(rng.normal(size=300), [0, 0])  # the last two rows: no help to tell them apart
        X = np.c_[x, other] * unit
        fit, said = fitted(X, y, solver=solver, max_iter=100_000)
        assert (fit.separated_, fit.converged_, said) == (False, True, [])
        assert fit.coef_[0, 0] * unit[0] > 50
        assert fit.loss_ == pytest.approx(least_loss(np.c_[np.ones(302), X], y, np.ones(302), 2), rel=1e-7)


@pytest.mark.parametrize("n", [2_000, 80_000])
@pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray, sparse.csr_array])
def test_one_row_decides(n: int, layout: Any) -> None:
    rng = np.random.default_rng([SEED, n])
    X = rng.normal(size=(n, 4))
    X[:, 2:] = 0.0
    rows = rng.choice(n, 3, replace=False)
    X[rows, 3] = 1.0
    X[rng.random(n) < 0.05, 2] = 1.0
    y = (rng.random(n) < 1 / (1 + np.exp(-X[:, 0] - 0.5))).astype(int)
    y[rows] = 1
    for solver in ("auto", "newton", "sampled-newton", "lbfgs", "newton-cg"):
        fit, said = fitted(layout(X), y, solver=solver)
        assert fit.separated_, solver
        assert len(said) == 1
        assert said[0].startswith("Without a penalty these rows have no optimum")
        other = y.copy()
        other[rows[0]] = 0
        fit, said = fitted(layout(X), other, solver=solver)
        assert (fit.separated_, fit.converged_, said) == (False, True, []), solver
        assert fitted(layout(X), y, solver=solver, C=1e6)[0].separated_ is False
    complete = (X[:, 0] + X[:, 1] > 0.3).astype(int)
    assert fitted(layout(X), complete)[0].separated_
    complete[np.argmin(X[:, 0] + X[:, 1])] = 1
    assert not fitted(layout(X[:, :2]), complete)[0].separated_


@pytest.mark.parametrize("multi_class", ["multinomial", "ovr"])
def test_a_class_that_a_column_never_has(multi_class: str) -> None:
    rng = np.random.default_rng(SEED)
    X = np.c_[rng.normal(size=3_000), rng.random(3_000) < 0.02]
    y = rng.integers(0, 3, 3_000)
    assert not fitted(X, y, multi_class=multi_class)[0].separated_
    y[(X[:, 1] == 1) & (y == 2)] = 0
    assert fitted(X, y, multi_class=multi_class)[0].separated_


@pytest.mark.parametrize(("m", "p"), [(20, 30), (60, 5_000), (80, 100)])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_fewer_rows_than_columns(m: int, p: int, fit_intercept: bool) -> None:
    rng = np.random.default_rng([SEED, m])
    X = rng.normal(size=(m, p))
    for n_classes in (2, 3):
        y = np.arange(m) % n_classes
        for layout in (np.ascontiguousarray, sparse.csr_array):
            for multi_class in ("multinomial", "ovr"):
                options: dict[str, Any] = {"fit_intercept": fit_intercept, "multi_class": multi_class}
                assert fitted(layout(X), y, **options)[0].separated_
                same = np.repeat(X[: m // n_classes], n_classes, axis=0)  # each row has each label
                fit, said = fitted(layout(same), np.arange(len(same)) % n_classes, **options)
                assert (fit.separated_, said) == (False, [])
                assert fit.loss_ == pytest.approx(
                    np.log(n_classes) if multi_class == "multinomial" else ENTROPY[n_classes]
                )
                broken = np.arange(len(same)) % n_classes
                broken[0] = 1
                fit, said = fitted(layout(same), broken, **options)
                assert fit.separated_
                assert len(said) == 1


ENTROPY = {k: -np.log(1 / k) / k - (1 - 1 / k) * np.log(1 - 1 / k) for k in (2, 3)}


def test_the_optimum_of_wide_rows_is_the_shortest() -> None:
    rng = np.random.default_rng(SEED)
    X = rng.normal(size=(40, 300))
    X[20:] = X[:20]
    y = np.r_[np.arange(20) % 2, 1 - np.arange(20) % 2]
    weight = np.r_[np.full(20, 3.0), np.ones(20)]
    fit, said = fitted(X, y, weight)
    assert said == []
    z = np.where(y[:20] == 1, np.log(3), -np.log(3))
    np.testing.assert_allclose(fit.decision_function(X[:20]), z, atol=1e-5)
    deviation = np.std(X, axis=0)
    scaled = (X[:20] - np.mean(X, axis=0)) / deviation
    shortest = np.linalg.lstsq(scaled, z - np.mean(z), rcond=1e-10)[0]
    np.testing.assert_allclose(fit.coef_[0] * deviation, shortest, atol=1e-5)


def test_the_search_for_a_penalty_says_it_too() -> None:
    rng = np.random.default_rng(SEED)
    X = rng.normal(size=(200, 2))
    y = (X[:, 0] > 0).astype(int)
    for refit in (True, False):
        with pytest.warns(ConvergenceWarning, match=r"^Without a penalty these rows have no optimum"):
            fit = zeroloop.LogisticRegressionCV(Cs=[np.inf], refit=refit, use_legacy_attributes=False).fit(X, y)
        assert fit.separated_
    fit = zeroloop.LogisticRegressionCV(Cs=[0.1, 1.0]).fit(X, y)
    assert not fit.separated_


def test_what_the_table_door_cannot_estimate_is_said_there_too() -> None:
    rng = np.random.default_rng(SEED)
    data = pd.DataFrame({"x": rng.normal(size=90), "z": rng.normal(size=90), "y": np.arange(90) % 3})
    data.loc[data.y == 1, "x"] += 9
    for options in ({"multi_class": "ovr"}, {"bounds": {"z": (0, 1)}}, {"solver": "gradient-descent", "max_iter": 5}):
        with pytest.warns(zeroloop.ZeroloopWarning, match=r"^Without a penalty these rows have no optimum"):
            model = zeroloop.train(data, "y", C=np.inf, **options)
        assert model.estimates is None
