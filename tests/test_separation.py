"""Separation, judged by linear programming over all rows and by ranks in rational arithmetic.

`ZEROLOOP_TABLES=2000 ZEROLOOP_SEED=7 pytest tests/test_separation.py` draws more tables, of other seeds.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from fractions import Fraction
from math import inf
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.optimize import linprog

import zeroloop
from zeroloop.blocks import FloatArray

N_TABLES = int(os.environ.get("ZEROLOOP_TABLES", "150"))
SEED = int(os.environ.get("ZEROLOOP_SEED", "1"))
BATCHES = 10


def free(data: pd.DataFrame | str, target: str = "y", **options: Any) -> zeroloop.Model:
    """Train without a penalty on all rows, with no word about it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", zeroloop.ZeroloopWarning)
        return zeroloop.train(data, target, C=inf, test_fraction=0, **options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What is true of a table: how many pairs remain, and which coefficients have an estimate.

    Attributes:
        kind: None, "quasi-complete" or "complete".
        estimable: `(n,)`, whether each coefficient has an estimate.
        pairs: `(m, n)`, those that remain.
        row: `(m,)`, the row of each.
        limits: `(n,)`, "+inf" or "-inf" where every way to the supremum takes a coefficient there, else None.

    """

    kind: str | None
    estimable: NDArray[np.bool_]
    pairs: FloatArray
    row: NDArray[np.intp]
    limits: list[str | None]


def rank_of(rows: list[list[Fraction]]) -> int:
    """Return the rank by Gaussian elimination without rounding."""
    rows, rank = [list(row) for row in rows], 0
    for j in range(len(rows[0]) if rows else 0):
        pivot = next((i for i in range(rank, len(rows)) if rows[i][j] != 0), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        for i in range(rank + 1, len(rows)):
            if rows[i][j] != 0:
                factor = rows[i][j] / rows[rank][j]
                rows[i] = [a - factor * b for a, b in zip(rows[i], rows[rank], strict=True)]
        rank += 1
    return rank


def judge(x: FloatArray, y: NDArray[np.intp], n_classes: int) -> Judged:
    """Judge a design matrix of full rank, intercept included: take out what some direction moves until none does."""
    n, p = x.shape
    pairs, row = [], []
    for i in range(n):
        for k in range(n_classes):
            if k != y[i]:
                form = np.zeros((n_classes, p))
                form[y[i]] += x[i]
                form[k] -= x[i]
                pairs.append(form[1:].ravel())
                row.append(i)
    forms, of_row = np.array(pairs), np.array(row)
    distinct, place = np.unique(forms, axis=0, return_inverse=True)
    moved = np.zeros(len(distinct), dtype=bool)
    while not np.all(moved):
        rest = distinct[~moved]
        found = linprog(-np.sum(rest, axis=0), A_ub=-rest, b_ub=np.zeros(len(rest)), bounds=[(-1, 1)] * rest.shape[1])
        assert found.status == 0
        margins = rest @ np.asarray(found.x)
        if not np.any(margins > 1e-6):
            # Stiemke: no direction moves one of the rest, as some positive combination of all of them is zero.
            n = len(rest)
            proof = linprog(np.ones(n), A_eq=rest.T, b_eq=np.zeros(rest.shape[1]), bounds=[(1, None)] * n)
            assert proof.status == 0
            break
        moved[np.flatnonzero(~moved)[margins > 1e-6]] = True
    left = ~moved[place.ravel()]
    exact = [[Fraction(float(v)) for v in one] for one in np.unique(forms[left], axis=0)]
    rank, estimable = rank_of(exact), []
    for j in range(forms.shape[1]):
        unit = [Fraction(int(i == j)) for i in range(forms.shape[1])]
        estimable.append(bool(exact) and rank_of([*exact, unit]) == rank)
    kind = None if np.all(left) else "quasi-complete" if np.any(left) else "complete"
    limits = [None if decided else limit_of(distinct, j) for j, decided in enumerate(estimable)]
    return Judged(kind=kind, estimable=np.array(estimable), pairs=forms[left], row=of_row[left], limits=limits)


def limit_of(pairs: FloatArray, j: int) -> str | None:
    """Return where recessions d of some pairs, `pairs @ d >= 0`, take a coefficient; None where it may go anywhere."""
    ends = []
    for sign in (1.0, -1.0):
        cost = sign * np.eye(pairs.shape[1])[j]
        found = linprog(cost, A_ub=-pairs, b_ub=np.zeros(len(pairs)), bounds=[(-1, 1)] * pairs.shape[1])
        assert found.status == 0
        assert found.fun is not None
        ends.append(found.fun < -1e-6)
    return {(False, True): "+inf", (True, False): "-inf"}.get((ends[0], ends[1]))


def independent(rows: list[list[Fraction]], n: int) -> list[int]:
    """Return the first columns that are linearly independent, by rational arithmetic."""
    kept: list[int] = []
    for j in range(n):
        if rank_of([[row[k] for k in (*kept, j)] for row in rows]) == len(kept) + 1:
            kept.append(j)
    return kept


def maximum_of(judged: Judged, weight: FloatArray) -> tuple[FloatArray, FloatArray, float, float]:
    """Return coefficients, their errors, log-likelihood and condition of the pairs that remain.

    Over independent columns, the others' coefficients at 0: that changes nothing of what has an estimate.
    """
    n = judged.pairs.shape[1]
    if len(judged.pairs) == 0:
        return np.zeros(n), np.zeros(n), 0.0, 1.0
    exact = [[Fraction(float(v)) for v in one] for one in np.unique(judged.pairs, axis=0)]
    kept = independent(exact, n)
    of_row = [(weight[i], judged.pairs[judged.row == i][:, kept]) for i in np.unique(judged.row)]

    def derivatives(theta: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        loss, gradient, hessian = 0.0, np.zeros(len(kept)), np.zeros((len(kept), len(kept)))
        for w, forms in of_row:
            z = -forms @ theta
            top = max(0.0, float(np.max(z)))
            e = np.exp(z - top)
            total = np.sum(e) + np.exp(-top)
            p = e / total
            loss += w * (np.log(total) + top)
            gradient -= w * p @ forms
            hessian += w * (forms.T * p) @ forms - w * np.outer(p @ forms, p @ forms)
        return loss, gradient, hessian

    at = np.zeros(len(kept))
    for _ in range(100):
        loss, gradient, hessian = derivatives(at)
        step = np.linalg.solve(hessian, gradient)
        while derivatives(at - step)[0] > loss + 1e-12 * abs(loss) and np.max(np.abs(step)) > 1e-14:
            step = step / 2
        at = at - step
    loss, _, hessian = derivatives(at)
    theta, error = np.zeros(n), np.zeros(n)
    theta[kept], error[kept] = at, np.sqrt(np.diag(np.linalg.inv(hessian)))
    unit = 1 / np.sqrt(np.diag(hessian))
    return theta, error, float(-loss), float(np.linalg.cond(hessian * np.outer(unit, unit)))


def drawn(rng: np.random.Generator) -> tuple[pd.DataFrame, int]:
    """Draw a small table: numbers, levels, rare columns, products of them, weights with zeros, two or three classes."""
    n = int(rng.integers(6, 40))
    n_classes = 3 if rng.random() < 0.35 else 2
    columns: dict[str, Any] = {}
    for j in range(int(rng.integers(1, 4))):
        kind = rng.integers(5)
        if kind == 0:
            columns[f"x{j}"] = rng.integers(-2, 3, n)
        elif kind == 1:
            columns[f"x{j}"] = np.round(rng.standard_normal(n), 3)
        elif kind == 2:
            columns[f"x{j}"] = (rng.random(n) < rng.choice([0.1, 0.3])).astype(int)
        elif kind == 3:
            columns[f"x{j}"] = np.array(["a", "b", "c", "d"])[rng.integers(0, rng.integers(2, 5), n)]
        else:
            columns[f"x{j}"] = rng.integers(0, 2, n) * rng.integers(0, 4, n)
    numbers = [name for name in columns if columns[name].dtype.kind in "if"]
    if len(numbers) > 1 and rng.random() < 0.4:
        columns["xy"] = columns[numbers[0]] * columns[numbers[1]]
    table = pd.DataFrame(columns)
    score = rng.standard_normal((n, n_classes)) * rng.choice([0.2, 1.0, 3.0])
    for name in columns:
        codes = pd.factorize(table[name])[0] if table[name].dtype.kind not in "if" else table[name].to_numpy()
        score += np.outer(codes, rng.standard_normal(n_classes)) * rng.choice([0.0, 0.5, 3.0])
    y = np.argmax(score, axis=1)
    y[:n_classes] = np.arange(n_classes)
    table["y"] = y
    if rng.random() < 0.4:
        table["w"] = rng.choice([0.0, 1.0, 2.0, 0.5], n, p=[0.2, 0.4, 0.2, 0.2])
        table.loc[: n_classes - 1, "w"] = 1.0
    return table, n_classes


def design_of(model: zeroloop.Model, table: pd.DataFrame) -> FloatArray:
    """Return the design matrix by the names of the terms."""
    made = [np.ones(len(table))]
    for term, column in zip(model.schema.terms[1:], model.schema.columns_of_terms[1:], strict=True):
        if term == column:
            made.append(table[column].to_numpy(dtype=np.float64))
        else:
            made.append((table[column].astype(str) == term.removeprefix(f"{column}=")).to_numpy(dtype=np.float64))
    return np.column_stack(made)


def disagreements(seed: int) -> list[str]:
    """Return in what a fit of one table differs from what is true of it."""
    rng = np.random.default_rng([SEED, seed])
    table, n_classes = drawn(rng)
    while all(table.loc[table.get("w", 1 + 0 * table.y) > 0, name].nunique() == 1 for name in table if name[0] == "x"):
        table, n_classes = drawn(rng)
    weight = table["w"].to_numpy() if "w" in table else np.ones(len(table))
    model = free(table, **({"weights": "w"} if "w" in table else {}))
    if model.estimates is None:
        return [f"no estimates: {model.no_estimates}"]
    estimates = model.estimates
    states = np.array([str(state) for state in estimates.states])
    n_coefs = model.schema.n_coefs
    aliased = states[:n_coefs] == "aliased"
    used = weight > 0
    x = design_of(model, table)[used][:, ~aliased]
    judged = judge(x, table.y.to_numpy()[used], n_classes)
    wrong = []
    kind = None if estimates.separation is None else estimates.separation.kind
    if kind != judged.kind:
        wrong.append(f"is {kind}, should be {judged.kind}")
    mine = states.reshape(-1, n_coefs)[:, ~aliased].ravel() == "estimated"
    if not np.array_equal(mine, judged.estimable):
        wrong.append(f"estimated are {mine}, should be {judged.estimable}")
    if wrong:
        return wrong
    theta, true_error, log_likelihood, condition = maximum_of(judged, weight[used])
    digits = 1e-8 + 1e-15 * condition  # what float64 leaves of an inverse, of theirs and of ours
    if not np.isclose(estimates.log_likelihood, log_likelihood, rtol=1e-8, atol=1e-9):
        wrong.append(f"log-likelihood is {estimates.log_likelihood}, should be {log_likelihood}")
    loss, training = -log_likelihood / np.sum(weight), model.training
    last = training.history[-1]["loss"]  # a pass short of infinity
    for name, found, off in (
        ("loss", training.loss, 1e-9),
        ("objective", training.objective, 1e-9),
        ("last", last, 1e-5),
    ):
        if not np.isclose(found, loss, rtol=1e-8, atol=off):
            wrong.append(f"{name} is {found}, should be {loss}")
    terms = pd.DataFrame(model.terms().to_pylist())
    kept = np.tile(~aliased, len(states) // n_coefs)
    coef, error = terms.coef.to_numpy()[kept], terms.std_err.to_numpy(dtype=float)[kept]
    given = terms.limit if estimates.separation is not None else [None] * len(terms)
    limits = [limit for limit, is_kept in zip(given, kept, strict=True) if is_kept]
    if [limit if isinstance(limit, str) else None for limit in limits] != judged.limits:
        wrong.append(f"limits are {limits}, should be {judged.limits}")
    for j in np.flatnonzero(judged.estimable):
        if not np.isclose(coef[j], theta[j], rtol=1e-8, atol=1e-8 * true_error[j]):
            wrong.append(f"coefficient {j} is {coef[j]}, should be {theta[j]}")
        if not np.isclose(error[j], true_error[j], rtol=digits):
            wrong.append(f"error {j} is {error[j]}, should be {true_error[j]}")
    return wrong


@pytest.mark.parametrize("batch", range(BATCHES))
def test_of_random_tables(batch: int) -> None:
    found = {seed: disagreements(seed) for seed in range(batch, N_TABLES, BATCHES)}
    assert {seed: wrong for seed, wrong in found.items() if wrong} == {}


def states(model: zeroloop.Model) -> dict[str, str | None]:
    """Return where the likelihood takes each term that has no estimate."""
    return {row["term"]: row["limit"] for row in model.terms().to_pylist() if row["state"] == "no finite estimate"}


def test_a_column_of_which_only_separated_rows_tell() -> None:
    data = pd.DataFrame(
        {"treated": [1] * 6 + [0] * 6, "dose": [1, 2, 3, 4, 5, 6] + [0] * 6, "y": [1] * 6 + [0, 1, 0, 1, 0, 1]}
    )
    model = free(data, tests=["treated", "dose"])
    # Both may go anywhere: only treated + dose * d, for d from 1 to 6, must go to infinity.
    assert states(model) == {"treated": None, "dose": None}
    terms = {row["term"]: row for row in model.terms().to_pylist()}
    assert (terms["(intercept)"]["coef"], terms["(intercept)"]["std_err"]) == pytest.approx((0.0, np.sqrt(4 / 6)))
    for name in ("odds_ratio", "std_err", "z", "p", "ci_lower", "ci_upper", "odds_ratio_lower", "odds_ratio_upper"):
        assert terms["dose"][name] is None, name
    assert model.needed_estimates().log_likelihood == pytest.approx(-6 * np.log(2), rel=1e-12)
    assert all(np.isnan(test.wald) for test in model.needed_estimates().tests)
    # Without either column the other tells the rows apart as well.
    assert [test.likelihood_ratio for test in model.needed_estimates().tests] == pytest.approx([0, 0], abs=1e-9)
    for row in model.marginal_effects().to_pylist():
        assert (row["effect"], row["std_err"], row["p"]) == (None, None, None)


def test_what_is_recorded_is_of_all_rows() -> None:
    data = pd.DataFrame({"a": [1] * 6 + [0] * 6, "b": [0, 1] * 6, "y": [1] * 6 + [0, 1, 0, 1, 0, 1]})
    data.loc[11, "b"] = 0
    for weight in (1.0, 2.5):
        model = free(data.assign(w=weight), weights="w", weight_type="frequency")
        z = data[["a", "b"]] @ model.coef[0, 1:] + model.coef[0, 0]
        loss = np.mean(np.logaddexp(0, np.where(data.y == 1, -z, z)))
        assert (model.training.loss, model.training.objective) == pytest.approx((loss, loss), rel=1e-12)
        assert model.training.history[-1]["loss"] == pytest.approx(loss, rel=1e-12)
        assert model.training.gradient_norm < 1e-12
        assert model.needed_estimates().log_likelihood == pytest.approx(-12 * weight * loss, rel=1e-12)
        # The loss is also what tells whether rows are those of the fit.
        without = free(data.assign(w=weight)[["a", "y", "w"]], weights="w", weight_type="frequency")
        found = model.test("b", data=data.assign(w=weight))
        ratio = 2 * (model.needed_estimates().log_likelihood - without.needed_estimates().log_likelihood)
        assert found.likelihood_ratio == pytest.approx(ratio, rel=1e-9)
    complete = free(pd.DataFrame({"x": [1, 2, 3, 4], "y": [0, 0, 1, 1]}))
    assert (complete.training.loss, complete.training.objective, complete.training.gradient_norm) == (0, 0, 0)
    assert "Deviance: 0\n" in str(complete.summary())


def test_two_levels_without_events_of_which_one_is_the_reference() -> None:
    data = pd.DataFrame({"g": ["a"] * 10 + ["b"] * 10 + ["c"] * 20, "x": [0, 1] * 20, "y": [0] * 20 + [0, 1, 1, 0] * 5})
    model = free(data)
    assert states(model) == {"(intercept)": "-inf", "g=b": None, "g=c": "+inf"}
    assert {row["term"]: row["std_err"] for row in model.terms().to_pylist()}["x"] == pytest.approx(
        np.sqrt(4 / 10 + 4 / 10), rel=1e-8
    )


def test_of_complete_separation_nothing_is_estimated() -> None:
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"x": rng.standard_normal(200), "z": rng.standard_normal(200)}).assign(
        y=lambda t: (t.x > 0.3).astype(int)
    )
    model = free(data, tests=["z"])
    assert set(states(model)) == {"(intercept)", "x", "z"}
    assert states(model)["x"] == "+inf"
    estimates = model.needed_estimates()
    assert estimates.separation is not None
    assert (estimates.separation.kind, estimates.log_likelihood) == ("complete", 0.0)
    assert model.terms()["std_err"].null_count == 3


@pytest.mark.parametrize("n", [5_000, 60_000])
@pytest.mark.parametrize("label", [0, 1])
def test_a_rare_column(n: int, label: int) -> None:
    rng = np.random.default_rng(5)
    data = pd.DataFrame({"x": rng.standard_normal(n), "rare": 0})
    data["y"] = (rng.random(n) < 1 / (1 + np.exp(-data.x - 0.5))).astype(int)
    rows = [17, n // 2, n - 3]
    data.loc[rows, "rare"] = 1
    data.loc[rows, "y"] = label
    model = free(data)
    assert states(model) == {"rare": "+inf" if label else "-inf"}
    causes = model.needed_estimates().separation
    assert causes is not None
    assert causes.causes == (f"all rows with rare > 0 have y {label}",)
    rest = free(data.drop(index=rows).drop(columns="rare"))
    for row in rest.terms().to_pylist():
        mine = next(one for one in model.terms().to_pylist() if one["term"] == row["term"])
        assert (mine["coef"], mine["std_err"]) == pytest.approx((row["coef"], row["std_err"]), rel=1e-8)


def test_a_class_that_a_level_never_has() -> None:
    rng = np.random.default_rng(2)
    data = pd.DataFrame({"g": np.array(["a", "b", "c"])[rng.integers(0, 3, 600)], "x": rng.standard_normal(600)})
    data["y"] = np.where(data.g == "b", rng.integers(0, 2, 600), rng.integers(0, 3, 600))
    model = free(data)
    separation = model.needed_estimates().separation
    assert separation is not None
    assert separation.kind == "quasi-complete"
    n = int(np.sum(data.g == "b"))
    assert separation.causes == (f"none of the {n} rows with g=b has y 2",)
    rows = [row for row in model.terms().to_pylist() if row["state"] is not None]
    assert [(row["class"], row["term"], row["limit"]) for row in rows] == [(2, "g=b", "-inf")]


def test_what_is_said_is_what_the_rows_show() -> None:
    model = free(pd.DataFrame({"x": [0, 0, 0, 0, 1, 1, 2, 2], "y": [0, 1, 0, 1, 0, 0, 0, 0]}))
    separation = model.needed_estimates().separation
    assert separation is not None
    assert separation.causes == ("all rows with x > 0 have y 0",)


@pytest.mark.parametrize("strictly", [True, False])
@pytest.mark.parametrize("seed", range(12))
def test_the_limit_that_is_said_is_one_of_the_rows(seed: int, strictly: bool) -> None:
    rng = np.random.default_rng([SEED, 77, seed])
    start = rng.choice([0.0, 1990.0, 1e6, 1_700_000_000.0, -123_456_789.0])
    x = start + np.arange(20) * rng.choice([1e-3, 0.1, 1.0, 7.0]) + rng.random()
    cut, turned = int(rng.integers(5, 15)), bool(rng.integers(2))
    y = (np.arange(20) >= cut).astype(int)
    if not strictly:
        x, y = np.append(x, x[cut]), np.append(y, 0)
    y = 1 - y if turned else y
    separation = free(pd.DataFrame({"x": x, "y": y})).needed_estimates().separation
    assert separation is not None
    assert separation.causes
    for cause in separation.causes:
        words = cause.removesuffix(", and no others do").split()
        assert words[:4] == ["all", "rows", "with", "x"]
        meant = x > float(words[5]) if words[4] == ">" else x < float(words[5])
        assert np.any(meant), cause
        assert set(y[meant]) == {int(words[-1])}, cause
        if strictly:
            assert np.array_equal(meant, y == int(words[-1])), cause


def test_a_steep_slope_is_a_maximum() -> None:
    rng = np.random.default_rng(4)
    x = np.append(np.round(rng.uniform(-1, 1, 300), 2), [0.01, -0.01])
    y = np.append((x[:300] > 0).astype(int), [0, 1])
    model = free(pd.DataFrame({"x": x, "y": y}))
    assert model.needed_estimates().separation is None
    slope = model.terms().to_pylist()[1]
    assert slope["coef"] > 50
    # At the maximum residuals are orthogonal to columns.
    residual = y - 1 / (1 + np.exp(-model.coef[0, 0] - slope["coef"] * x))
    assert abs(np.sum(residual)) < 1e-9
    assert abs(residual @ x) < 1e-9


def test_seventeen_rows_whose_hessian_is_singular() -> None:
    x0 = [3, 0, 2, 2, 1, 0, 3, 3, 2, 1, 0, 0, 3, 3, 3, 3, 0]
    x1 = [3, 3, 0, 0, 1, 3, 3, 0, 1, 3, 1, 3, 2, 0, 3, 0, 2]
    y = np.zeros(17, dtype=int)
    y[11] = 1
    model = free(pd.DataFrame({"x0": x0, "x1": x1, "y": y}))
    assert states(model) == {"(intercept)": "-inf", "x0": "-inf", "x1": "+inf"}
    # Of the rows with x0 = 0 and x1 = 3 one in three has y 1; all others are told without doubt.
    assert model.needed_estimates().log_likelihood == pytest.approx(np.log(1 / 3) + 2 * np.log(2 / 3), rel=1e-10)


def codes(n: int, seed: int) -> pd.DataFrame:
    """Return 85 columns of integer codes from 0 to 9, of which some values are rare, and 6% events."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 10, (n, 85))
    for j in range(0, 85, 3):
        values[:, j] = np.where(rng.random(n) < 0.003, values[:, j], 0)
    for j in range(1, 85, 3):
        values[:, j] = np.minimum(values[:, j], rng.integers(0, 3, n))
    score = -2.9 + 0.4 * (values[:, 1] - 1) - 0.1 * (values[:, 2] - 4.5)
    data = pd.DataFrame(values, columns=[f"v{j}" for j in range(85)])
    return data.assign(y=(rng.random(n) < 1 / (1 + np.exp(-score))).astype(int))


@pytest.mark.parametrize("n", [1_500, 5_822])
def test_a_wide_table_of_codes_does_not_run_away(n: int) -> None:
    data = codes(n, 8)
    model = free(data)
    estimates = model.needed_estimates()
    assert estimates.separation is not None
    rare = {f"v{j}" for j in range(0, 85, 3) if np.ptp(data[f"v{j}"]) > 0 and not np.any(data.y[data[f"v{j}"] > 0])}
    assert rare <= set(states(model))
    # Without the rows and columns that are told without doubt, the rest is the same.
    x, terms = data.drop(columns="y"), model.terms().to_pylist()
    without = list(states(model))
    assert set(without) <= set(x)
    kept = np.all(x[without] == 0, axis=1)
    rest = free(data[kept].drop(columns=without))
    peers = {row["term"]: row for row in rest.terms().to_pylist()}
    for row in terms:
        if row["state"] is None:
            peer = peers[row["term"]]
            assert (row["coef"], row["std_err"]) == pytest.approx((peer["coef"], peer["std_err"]), rel=1e-7)
    assert estimates.log_likelihood == pytest.approx(rest.needed_estimates().log_likelihood, rel=1e-9)


def test_columns_and_rows_in_files_have_the_same_verdict(tmp_path: Any) -> None:
    data = codes(1_500, 9)
    data.to_parquet(tmp_path / "codes.parquet")
    here = free(data)
    there = free(str(tmp_path / "codes.parquet"), memory="64KiB")
    np.testing.assert_array_equal(here.coef, there.coef)
    assert here.terms().equals(there.terms())


def test_a_saved_model_keeps_what_is_not_decided(tmp_path: Any) -> None:
    data = pd.DataFrame(
        {"treated": [1] * 6 + [0] * 6, "dose": [1, 2, 3, 4, 5, 6] + [0] * 6, "y": [1] * 6 + [0, 1, 0, 1, 0, 1]}
    )
    model = free(data)
    model.save(tmp_path / "model.json")
    loaded = zeroloop.load(tmp_path / "model.json")
    assert str(loaded.summary()) == str(model.summary())
    assert loaded.needed_estimates().separation == model.needed_estimates().separation
    new = pd.DataFrame({"treated": [0, 0, 1], "dose": [0, 3, 0]})
    zeroloop.predict_file(loaded, new, tmp_path / "p.parquet", interval=0.95)
    assert pd.read_parquet(tmp_path / "p.parquet")["probability lower"].isna().tolist() == [False, True, True]
