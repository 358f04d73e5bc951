"""The core's matrix products: Hessians and several outputs, against one-hot matrices in long double."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from zeroloop import core

L = np.longdouble


def case(
    n_rows: int, n_x: int, n_outputs: int, *, single: bool = False, scattered: bool = False, weighted: bool = True
) -> SimpleNamespace:
    """Return rows of every kind, encoded, and the same as one matrix `v` in long double, about the centre."""
    r = np.random.default_rng([n_rows, n_x, n_outputs])
    x = r.normal(3, 2, (n_x, n_rows)).astype(np.float32 if single else np.float64)
    centre = x.mean(axis=1, dtype=np.float64) if n_x and n_rows else np.zeros(n_x)
    columns = [np.ones(n_rows, L), *(x.astype(L) - centre.astype(L)[:, np.newaxis])]
    lines, codes, marks = None, np.zeros((0, n_rows), np.int32), np.zeros((2, 0), np.int32)
    if scattered:
        stored: Any = sparse.random_array((n_rows, 7), density=0.3, rng=r, format="csr")
        lines = SimpleNamespace(
            values=stored.data,
            indices=stored.indices.astype(np.int32),
            start=stored.indptr[:-1].astype(np.int64),
            stop=stored.indptr[1:].astype(np.int64),
            by_row=True,
            origin=0,
            n_columns=7,
        )
        columns += list(stored.toarray().T.astype(L))
        first = 1 + n_x + 7
        n_coefs = first + 5 + 3 + 2
        level = np.stack([r.integers(0, 6, n_rows), r.integers(0, 4, n_rows)])  # the last of each: no coefficient
        codes = np.where(level == [[5], [3]], n_coefs, level + np.array([[first], [first + 5]])).astype(np.int32)
        marked = np.sort(r.choice(n_rows, n_rows // 4, replace=False))
        marks = np.stack([marked, first + 8 + r.integers(0, 2, marked.size)]).astype(np.int32)
        columns += [np.sum(codes == c, axis=0).astype(L) for c in range(first, first + 8)]
        columns += [np.bincount(marked[marks[1] == c], minlength=n_rows).astype(L) for c in (first + 8, first + 9)]
    v = np.stack(columns)
    return SimpleNamespace(
        x=x,
        v=v,
        centre=centre,
        codes=codes,
        marks=marks,
        lines=lines,
        y=r.integers(0, max(n_outputs, 2), n_rows).astype(np.float32),
        weight=r.uniform(0, 2, n_rows) if weighted else None,
        coef=r.normal(0, 0.5, (n_outputs, len(v))) / np.sqrt(len(v)),
        direction=r.normal(size=(n_outputs, len(v))),
    )


def rows_of(c: SimpleNamespace, x: Any = None) -> Any:
    """Return the rows as the core holds them, with numeric columns stored as `x`."""
    return core.Rows(c.x if x is None else x, c.codes, c.marks, len(c.v), c.y, c.weight, c.lines)


def found(c: SimpleNamespace, x: Any = None) -> dict[str, Any]:
    """Return every statistic of the rows that the core computes by products."""
    rows, shape, n = rows_of(c, x), c.coef.shape, c.coef.size
    loss, gradient, hessian = 0.0, np.zeros(shape), np.zeros((n, n))
    loss = rows.sums(c.coef, c.centre, 2, gradient, hessian)
    product, diagonal, squares, z = np.zeros(shape), np.zeros(shape), np.zeros(shape), np.zeros((shape[0], c.y.size))
    rows.multiply(c.coef, c.direction, c.centre, product)
    rows.diagonal(c.coef, c.centre, diagonal, squares)
    rows.predictor(c.coef, c.centre, z)
    p = np.zeros((max(shape[0], 2), c.y.size))
    core.probabilities(z, p)
    all_of_it = {"loss": loss, "gradient": gradient, "hessian": np.triu(hessian), "product": product}
    all_of_it |= {"diagonal": diagonal, "squares": squares, "z": z, "p": p}
    if shape[0] > 1:
        pairs, shared = np.zeros((shape[0], shape[0])), np.zeros((shape[1], shape[1]))
        rows.shared_hessian(c.coef, c.centre, pairs, shared)
        all_of_it |= {"pairs": pairs, "shared": np.triu(shared)}
    return all_of_it


def expected(c: SimpleNamespace) -> dict[str, Any]:
    """Return the same in long double, with the labels as a one-hot matrix."""
    weight = np.ones(c.y.size, L) if c.weight is None else c.weight.astype(L)
    n_outputs, n = c.coef.shape
    z = c.coef.astype(L) @ c.v
    both = z if n_outputs > 1 else np.concatenate([np.zeros_like(z), z])
    top = both.max(axis=0)
    total = np.exp(both - top).sum(axis=0)
    p = np.exp(both - top) / total
    hot = np.arange(len(p))[:, np.newaxis] == c.y
    of_outputs = p if n_outputs > 1 else p[1:]
    pair = np.array([[weight * a * ((k == m) - b) for m, b in enumerate(of_outputs)] for k, a in enumerate(of_outputs)])
    hessian = np.einsum("kmi,ji,li->kjml", pair, c.v, c.v, optimize=True).reshape(n_outputs * n, n_outputs * n)
    h = np.array([pair[k, k] * c.v**2 for k in range(n_outputs)])
    all_of_it = {
        "loss": float(np.sum(weight * (np.log(total) + top - both[c.y.astype(int), np.arange(c.y.size)]))),
        "gradient": ((p - hot) * weight)[-n_outputs:] @ c.v.T,
        "hessian": np.triu(hessian),
        "product": (hessian @ c.direction.astype(L).ravel()).reshape(c.coef.shape),
        "diagonal": h.sum(axis=2),
        "squares": (h**2).sum(axis=2),
        "z": z,
        "p": p,
    }
    if n_outputs > 1:
        mean = np.mean([pair[k, k] for k in range(n_outputs)], axis=0)
        all_of_it |= {"pairs": pair.sum(axis=2), "shared": np.triu((c.v * mean) @ c.v.T)}
    return all_of_it


CASES: list[dict[str, Any]] = [
    {"n_rows": 1, "n_x": 1, "n_outputs": 1},
    {"n_rows": 150, "n_x": 4, "n_outputs": 3},
    {"n_rows": 400, "n_x": 0, "n_outputs": 2, "scattered": True},
    {"n_rows": 401, "n_x": 7, "n_outputs": 1, "scattered": True},
    {"n_rows": 1000, "n_x": 23, "n_outputs": 1},
    {"n_rows": 1000, "n_x": 24, "n_outputs": 4, "weighted": False},
    {"n_rows": 777, "n_x": 50, "n_outputs": 2, "single": True},
    {"n_rows": 768, "n_x": 9, "n_outputs": 12, "scattered": True, "single": True},
    {"n_rows": 391, "n_x": 101, "n_outputs": 7},
    {"n_rows": 300, "n_x": 210, "n_outputs": 1, "single": True},
    {"n_rows": 130, "n_x": 12, "n_outputs": 19},
]


@pytest.mark.parametrize("arguments", CASES, ids=str)
def test_statistics_are_those_of_one_matrix_in_long_double(arguments: dict[str, Any]) -> None:
    c = case(**arguments)
    got, want = found(c), expected(c)
    assert got["loss"] == pytest.approx(want["loss"], rel=1e-13)
    for name in want.keys() - {"loss"}:
        scale = float(np.max(np.abs(want[name]), initial=1e-300))
        np.testing.assert_allclose(got[name], want[name].astype(float), rtol=0, atol=2e-13 * scale, err_msg=name)


@pytest.mark.parametrize("arguments", CASES, ids=str)
def test_layouts_and_precisions_give_the_same_bits(arguments: dict[str, Any]) -> None:
    c = case(**{**arguments, "single": True})
    stacked = np.full((2 * len(c.x) + 1, c.y.size + 3), np.nan, np.float32)
    stacked[1::2, 2:-1] = c.x
    by_row = np.full((c.y.size + 1, len(c.x) + 5), np.nan, np.float32)
    by_row[1:, 3:-2] = c.x.T
    first = found(c)
    for x in (stacked[1::2, 2:-1], by_row[1:, 3:-2].T, c.x.astype(np.float64), c.x.astype(np.float64, order="F")):
        again = found(c, x)
        for name, value in first.items():
            np.testing.assert_array_equal(again[name], value, err_msg=name)


@pytest.mark.parametrize("by_row", [False, True])
@pytest.mark.parametrize("fits", [1, 7, 40])
@pytest.mark.parametrize("arguments", [a for a in CASES if a["n_outputs"] == 1], ids=str)
def test_fits_together_have_the_bits_of_each_alone(arguments: dict[str, Any], fits: int, by_row: bool) -> None:
    c = case(**arguments)
    r = np.random.default_rng(fits)
    x = np.asfortranarray(c.x) if by_row else c.x
    coef = r.normal(size=(fits, len(c.v))) / len(c.v)
    y = r.integers(0, 2, (fits, c.y.size)).astype(np.float32)
    weight = r.integers(0, 2, y.shape) * 1.0 if fits == 7 else r.uniform(0, 2, y.shape)
    for weights in (weight, None):
        losses, gradients = np.zeros(fits), np.zeros(coef.shape)
        rows_of(c, x).sums_together(coef, c.centre, y, weights, losses, gradients)
        for f in range(fits):
            c.y, c.weight = y[f], None if weights is None else weights[f]
            gradient = np.zeros((1, coef.shape[1]))
            assert rows_of(c, x).sums(coef[f : f + 1], c.centre, 1, gradient, np.zeros((0, 0))) == losses[f]
            np.testing.assert_array_equal(gradient[0], gradients[f])


def hashes() -> str:
    """Return one hash of all cases' statistics."""
    digest = hashlib.sha256()
    for arguments in CASES:
        for value in found(case(**arguments)).values():
            digest.update(np.asarray(value).tobytes())
    return digest.hexdigest()


def test_every_level_gives_the_same_bits() -> None:
    said = set()
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    for level in ("v4", "v3", "plain"):
        command = [sys.executable, "-c", "import test_core_products as t; print(t.hashes())"]
        environment = {**os.environ, "ZEROLOOP_CPU": level, "PYTHONPATH": path}
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if run.returncode == 0:
            said.add(run.stdout)
        else:
            assert "ZEROLOOP_CPU" in run.stderr, run.stderr
    assert len(said) == 1


def test_large_predictors_keep_finite_losses_and_exact_tails() -> None:
    c = case(64, 3, 3)
    c.coef[:] = 0.0
    c.coef[:, 0] = 1e300, -1e300, 0.0
    got = found(c)
    assert np.all(np.isfinite(got["gradient"]))
    assert np.all(got["p"][0] == 1.0)
    c.coef[:, 0] = 0.0, -700.0, -800.0
    assert found(c)["p"][1] == pytest.approx(np.exp(-700.0), rel=1e-12)


def test_a_far_centre_loses_nothing() -> None:
    c = case(500, 5, 1)
    c.x += 1.7e9
    c.centre += 1.7e9
    c.coef[:, 1:] = 0.0  # a predictor is about zero: only curvature is asked about here
    c.v[1:] = c.x.astype(L) - c.centre.astype(L)[:, np.newaxis]
    got, want = found(c)["hessian"], expected(c)["hessian"].astype(float)
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-13 * np.abs(want).max())


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_no_rows_are_no_sums(n_outputs: int) -> None:
    got = found(case(0, 3, n_outputs))
    assert got["loss"] == 0.0
    assert not np.any(got["hessian"])


def test_what_does_not_fit_is_refused_in_a_sentence() -> None:
    c = case(20, 3, 3)
    rows, n = rows_of(c), c.coef.size
    gradient, hessian = np.zeros(c.coef.shape), np.zeros((n, n))
    with pytest.raises(Exception, match="hessian has shape"):
        rows.sums(c.coef, c.centre, 2, gradient, hessian[:-1])
    c.y[3] = 2
    rows = rows_of(c)
    with pytest.raises(Exception, match="labels must be whole numbers from 0 to 1"):
        rows.sums(c.coef[:2], c.centre, 0, gradient, hessian)
    with pytest.raises(TypeError):
        rows.sums(c.coef.astype(np.float32), c.centre, 2, gradient, hessian)
