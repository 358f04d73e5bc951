"""L1, elastic net, factors, bounds and paths: glmnet's figures, scikit-learn's, and laws."""

from __future__ import annotations

import csv
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression as Peer

import zeroloop
from conftest import HERE, made
from zeroloop.errors import OutputError

sparse: Any = scipy.sparse  # its stubs know less than its arrays can
NUMERIC = ["a", "b", "c", "d"]
CASES = ["dense", "dense as it is", "penalty factors", "bounds", "sparse", "classes"]


@cache
def rows() -> Any:
    return pyarrow.csv.read_csv(HERE / "reference" / "glmnet_rows.csv")


@cache
def glmnet() -> dict[tuple[str, float], dict[float, NDArray[np.float64]]]:
    """Return by case and alpha: lambda -> coefficients `(n_outputs, n_coefs)`."""
    found: dict[tuple[str, float], dict[float, dict[int, list[float]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )
    with (HERE / "reference" / "glmnet.csv").open() as file:
        for row in csv.DictReader(file):
            of_lambda = found[row["case"], float(row["alpha"])][float(row["lambda"])]
            of_lambda[int(row["output"])].append(float(row["coef"]))
    return {
        key: {strength: np.array(list(outputs.values())) for strength, outputs in by_lambda.items()}
        for key, by_lambda in found.items()
    }


def columns(names: list[str]) -> NDArray[np.float64]:
    return np.column_stack([rows()[name].to_numpy() for name in names]).astype(np.float64)


def of_case(case: str) -> tuple[Any, NDArray[np.int64]]:
    """Return X and y of a case."""
    y = rows()["class" if case == "classes" else "y"].to_numpy()
    if case == "sparse":
        return sparse.csr_array(columns([f"s{j}" for j in range(12)])), y
    return columns(NUMERIC), y


@pytest.mark.parametrize("alpha", [1.0, 0.5])
@pytest.mark.parametrize("case", CASES)
def test_paths_are_glmnets(case: str, alpha: float) -> None:
    X, y = of_case(case)
    expected = glmnet()[case, alpha]
    m = len(y)
    strengths = sorted(expected, reverse=True)
    Cs = [1 / (m * strength) for strength in strengths]
    if case == "bounds":
        fits = [
            zeroloop.LogisticRegression(
                C=C, l1_ratio=alpha, tol=1e-11, bounds=([-np.inf, -0.05, 0, -np.inf], [0.02, np.inf, np.inf, np.inf])
            ).fit(X, y)
            for C in Cs
        ]
        found = np.array([np.column_stack([fit.intercept_, fit.coef_]) for fit in fits])
    else:
        factors = np.array([1, 0, 2, 0.5])
        path = zeroloop.logistic_path(
            X,
            y,
            Cs=Cs,
            l1_ratio=alpha,
            standardize=case not in ("dense as it is", "sparse"),
            penalty_factors=factors / np.mean(factors) if case == "penalty factors" else None,
            tol=1e-11,
        )
        assert np.all(path.converged)
        found = np.concatenate([path.intercept[:, :, np.newaxis], path.coef], axis=2)
    wanted = np.array([expected[strength] for strength in strengths])
    if case == "classes":
        # L1 alone does not say how far to shift all classes' coefficients together; probabilities do not depend on it.
        for ours, theirs in zip(found, wanted, strict=True):
            np.testing.assert_allclose(softmax(X, ours), softmax(X, theirs), atol=1e-6)
        return
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(found == 0, np.abs(wanted) < 1e-9)


def softmax(X: NDArray[np.float64], coef: NDArray[np.float64]) -> NDArray[np.float64]:
    e = np.exp(coef[:, :1] + coef[:, 1:] @ X.T)
    return np.asarray(e / np.sum(e, axis=0))


@pytest.mark.parametrize("alpha", [1.0, 0.5])
def test_a_tables_path_is_glmnets(alpha: float) -> None:
    expected = glmnet()["table", alpha]
    strengths = sorted(expected, reverse=True)
    Cs = [1 / (300 * strength) for strength in strengths]
    path = zeroloop.path(rows().select([*NUMERIC, "colour", "y"]), "y", Cs=Cs, l1_ratio=alpha, tol=1e-11)
    assert path.terms == (*NUMERIC, *(f"colour={level}" for level in ("black", "blue", "green", "red", "white")))
    deviations = np.append(np.std(columns(NUMERIC), axis=0), np.ones(5))
    wanted = np.array([expected[strength][0] for strength in strengths])
    np.testing.assert_allclose(path.coef[:, 0] * deviations, wanted[:, 1:], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(path.intercept[:, 0], wanted[:, 0], rtol=1e-6, atol=1e-6)
    model = zeroloop.train(
        rows().select([*NUMERIC, "colour", "y"]), "y", C=Cs[5], l1_ratio=alpha, test_fraction=0, tol=1e-11
    )
    np.testing.assert_allclose(model.coef[0, 1:], path.coef[5, 0], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("layout", ["dense", "csr", "csc"])
@pytest.mark.parametrize("solver", ["proximal-newton", "coordinate-descent"])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.4])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_optima_are_sagas(layout: str, solver: str, l1_ratio: float, n_classes: int) -> None:
    rng = np.random.default_rng(0)
    X = np.where(rng.random((400, 12)) < 0.4, rng.standard_normal((400, 12)), 0)
    y = np.argmax(X @ rng.standard_normal((12, n_classes)) + rng.gumbel(size=(400, n_classes)), axis=1)
    ours = zeroloop.LogisticRegression(C=0.1, l1_ratio=l1_ratio, solver=solver, tol=1e-10)
    ours.fit(X if layout == "dense" else sparse.csr_array(X).asformat(layout), y)
    peer = Peer(C=0.1, l1_ratio=l1_ratio, solver="saga", tol=1e-12, max_iter=100_000).fit(X, y)
    assert ours.converged_
    np.testing.assert_allclose(ours.coef_, peer.coef_, atol=1e-6)
    np.testing.assert_allclose(ours.intercept_, peer.intercept_, atol=1e-6)


def kkt_violation(X: Any, y: NDArray[Any], C: float, l1_ratio: float, fit: Any) -> float:
    """Return the violation of the optimality conditions of the mean objective, in plain NumPy."""
    z = X @ fit.coef_[0] + fit.intercept_[0]
    residual = (0.5 + 0.5 * np.tanh(z / 2) - y) / len(y)
    coef, strength = fit.coef_[0], 1 / (C * len(y))
    g = X.T @ residual + (1 - l1_ratio) * strength * coef
    at_zero = np.maximum(np.abs(g) - l1_ratio * strength, 0)
    slope = np.where(coef == 0, at_zero, np.abs(g + l1_ratio * strength * np.sign(coef)))
    return max(float(np.max(slope)), abs(float(np.sum(residual))))


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_tall_data_start_on_samples_and_meet_the_optimality_conditions(l1_ratio: float) -> None:
    rng = np.random.default_rng(1)
    X = rng.standard_normal((120_000, 12))
    X[:, 1] += 2 * X[:, 0]
    y = (rng.random(120_000) < 0.5 + 0.5 * np.tanh((X[:, :4] @ [1, -0.5, 0.3, 0.01] - 1) / 2)).astype(np.float64)
    fit = zeroloop.LogisticRegression(C=0.002, l1_ratio=l1_ratio).fit(X, y)
    assert fit.converged_
    assert fit.n_passes_ < 15
    assert kkt_violation(X, y, 0.002, l1_ratio, fit) < 2e-6
    assert 2 <= np.sum(fit.coef_ != 0) <= 6


def test_wide_sparse_data_are_solved_over_few_columns() -> None:
    rng = np.random.default_rng(2)
    X = sparse.random_array((3_000, 6_000), density=0.01, format="csr", rng=rng)
    y = (X[:, :50] @ rng.standard_normal(50) * 5 + 0.3 * rng.standard_normal(3_000) > 0).astype(np.float64)
    dense = sparse.csc_array(X)
    for rows_of in (X, dense, X.toarray()):
        fit = zeroloop.LogisticRegression(C=3.0, l1_ratio=1).fit(rows_of, y)
        assert fit.converged_
        assert kkt_violation(X, y, 3.0, 1.0, fit) < 2e-6
        assert 5 < np.sum(fit.coef_ != 0) < 2_000


shapes = st.tuples(st.integers(30, 200), st.integers(1, 6), st.integers(0, 1000))


def l1_coef(X: Any, y: NDArray[Any], weight: NDArray[Any] | None = None, **options: Any) -> NDArray[np.float64]:
    fit = zeroloop.LogisticRegression(l1_ratio=0.7, tol=1e-10, **({"C": 0.3} | options))
    return np.append(fit.fit(X, y, weight).intercept_, fit.coef_)


def same(a: NDArray[np.float64], b: NDArray[np.float64]) -> None:
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


@given(shapes)
def test_laws_of_rows(shape: tuple[int, int, int]) -> None:
    X, y = made(*shape)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    rng = np.random.default_rng(shape[2])
    coef = l1_coef(X, y)
    order = rng.permutation(len(y))
    same(coef, l1_coef(X[order], y[order]))
    same(coef, -l1_coef(X, 1 - y))
    times = rng.integers(0, 3, len(y))
    times[:2] = 1
    same(l1_coef(X, y, times), l1_coef(X.repeat(times, 0), y.repeat(times)))


@given(shapes, st.floats(1e-3, 1e3), st.floats(-100, 100))
def test_a_standardised_path_does_not_depend_on_units(
    shape: tuple[int, int, int], factor: float, offset: float
) -> None:
    X, y = made(*shape)
    other = X.copy()
    other[:, 0] = (X[:, 0] + offset) * factor
    a, b = (zeroloop.logistic_path(data, y, Cs=[0.01, 0.1, 1.0], tol=1e-10) for data in (X, other))
    back = np.append(factor, np.ones(X.shape[1] - 1))
    np.testing.assert_allclose(a.coef * a.scale, b.coef * back * a.scale, rtol=1e-5, atol=1e-6)


def test_a_path_begins_at_zero_and_ends_nearly_free() -> None:
    X, y = made(2_000, 8)
    for l1_ratio in (1.0, 0.3):
        path = zeroloop.logistic_path(X, y, l1_ratio=l1_ratio)
        assert path.Cs.shape == (100,)
        assert path.n_nonzero[0] == 0
        assert path.n_nonzero[1] >= 1
        assert path.n_nonzero[-1] == 8
        assert np.all(path.converged)
        assert np.max(path.violation) <= 1e-6
        assert path.deviance_explained[0] == pytest.approx(0, abs=1e-9)
        assert np.all(np.diff(path.deviance_explained) > -1e-9)
        free = Peer(C=np.inf, tol=1e-10, max_iter=10_000, solver="newton-cholesky").fit(X, y)
        np.testing.assert_allclose(path.coef[-1, 0] * path.scale, free.coef_[0] * path.scale, atol=0.02)
    first = zeroloop.logistic_path(X, y, Cs=[path.Cs[0] * 1.01], l1_ratio=0.3)
    assert first.n_nonzero[0] == 1


def test_a_long_path_in_parts_is_that_of_single_fits() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((90_000, 15))
    y = rng.random(90_000) < 0.5 + 0.5 * np.tanh(X @ rng.standard_normal(15) / 4)
    path = zeroloop.logistic_path(X, y, Cs=40, standardize=False, tol=1e-9)
    assert np.all(path.converged)
    for i in (0, 13, 27, 39):
        fit = zeroloop.LogisticRegression(C=path.Cs[i], l1_ratio=1, tol=1e-9).fit(X, y)
        np.testing.assert_allclose(path.coef[i], fit.coef_, atol=1e-6)
    again = zeroloop.logistic_path(X, y, Cs=40, standardize=False, tol=1e-9, n_jobs=1)
    assert np.array_equal(path.coef, again.coef)


def test_paths_of_ridge_classes_and_sparse_columns(tmp_path: Path) -> None:
    X, y = of_case("classes")
    ridge = zeroloop.logistic_path(X, y, Cs=20, l1_ratio=0.0, tol=1e-9)
    assert ridge.coef.shape == (20, 3, 4)
    fit = zeroloop.LogisticRegression(C=ridge.Cs[9], tol=1e-9).fit(X / ridge.scale, y)
    np.testing.assert_allclose(ridge.coef[9] * ridge.scale, fit.coef_, atol=1e-6)
    ridge.plot(tmp_path / "path.svg")
    assert (tmp_path / "path.svg").read_text().startswith("<?xml")
    table = ridge.to_pylist()
    assert table[3]["C"] == ridge.Cs[3]
    assert table[3]["2: x1"] == ridge.coef[3, 2, 1]
    with pytest.raises(OutputError, match=r"written as \.png or \.svg"):
        ridge.plot(tmp_path / "path.gif")
    rng = np.random.default_rng(0)
    wide = sparse.random_array((600, 5_000), density=0.01, format="csr", rng=rng)
    labels = wide[:, :20].sum(axis=1) > 0.05
    path = zeroloop.logistic_path(wide, labels, Cs=10)
    assert np.all(path.converged)
    assert path.n_nonzero[0] == 0


def test_a_path_without_an_intercept() -> None:
    X, y = made(800, 4)
    path = zeroloop.logistic_path(X, y, Cs=15, fit_intercept=False, tol=1e-10)
    assert path.n_nonzero[0] == 0
    assert path.n_nonzero[1] >= 1
    assert np.all(path.intercept == 0)
    assert path.deviance_explained[0] == pytest.approx(0, abs=1e-9)
    scaled = X / path.scale
    fit = zeroloop.LogisticRegression(C=path.Cs[7], l1_ratio=1, fit_intercept=False, tol=1e-10).fit(scaled, y)
    np.testing.assert_allclose(path.coef[7] * path.scale, fit.coef_, atol=1e-6)


def test_unpenalised_columns_are_free_all_along() -> None:
    X, y = made(1_000, 4)
    path = zeroloop.logistic_path(X, y, Cs=10, penalty_factors=[0, 1, 1, 1], tol=1e-10)
    assert list(path.n_nonzero[:1]) == [1]
    free = Peer(C=np.inf, tol=1e-12).fit(X[:, :1], y)
    np.testing.assert_allclose(path.coef[0, 0, 0], free.coef_[0, 0], rtol=1e-3)


def test_bounds_without_a_penalty() -> None:
    X, y = made(500, 3)
    free = zeroloop.LogisticRegression(C=np.inf, tol=1e-10).fit(X, y).coef_[0]
    upper = np.where(free > 0, free / 2, np.inf)
    held = zeroloop.LogisticRegression(C=np.inf, tol=1e-10, bounds=(-np.inf, upper)).fit(X, y)
    assert held.converged_
    assert np.all(held.coef_[0] <= upper + 1e-12)
    np.testing.assert_allclose(held.coef_[0][free > 0], upper[free > 0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"l1_ratio": 1.5}, "The 'l1_ratio' parameter of LogisticRegression must be a float in the range"),
        ({"l1_ratio": None}, "l1_ratio is None"),
        ({"l1_ratio": 1, "solver": "lbfgs"}, "solver is 'lbfgs', which knows no L1 penalty and no bounds"),
        ({"penalty_factors": [1, 2]}, r"penalty_factors has shape \(2,\); X has 3 columns"),
        ({"penalty_factors": [1, -2, 0]}, "Penalty factors must be finite numbers of at least 0"),
        ({"bounds": (1, 2)}, "Bounds must include 0"),
        ({"dual": True}, "dual is True"),
        ({"multi_class": "each"}, "The 'multi_class' parameter of LogisticRegression must be a str among"),
    ],
)
def test_penalties_out_of_range(options: dict[str, Any], message: str) -> None:
    X, y = made(50, 3)
    with pytest.raises(ValueError, match=message):
        zeroloop.LogisticRegression(**options).fit(X, y)


@pytest.mark.parametrize("Cs", [[], [0.0, 1.0], 0])
def test_bad_values_of_c_along_a_path(Cs: Any) -> None:
    X, y = made(50, 3)
    with pytest.raises(ValueError, match=r"Cs is|The 'Cs' parameter of logistic_path"):
        zeroloop.logistic_path(X, y, Cs=Cs)


def test_the_old_names_of_penalties() -> None:
    X, y = made(200, 3)
    for old, new in (("l1", {"l1_ratio": 1}), ("l2", {}), (None, {"C": np.inf}), ("elasticnet", {"l1_ratio": 0.5})):
        with pytest.warns(FutureWarning, match="penalty is deprecated"):
            fit = zeroloop.LogisticRegression(penalty=old, l1_ratio=0.5 if old == "elasticnet" else 0).fit(X, y)
        np.testing.assert_array_equal(fit.coef_, zeroloop.LogisticRegression(**new).fit(X, y).coef_)
