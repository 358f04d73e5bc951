"""The core's coordinate descent and its columns, against dense matrices in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse

from all_terms import CENTRE, N_COEFS, SHAPES, Made
from zeroloop import core
from zeroloop.kernels.columns import Columns, Piece, Pieces, assembled, split_columns

MOST = 2**63 - 1
descend: Any = core.descend


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n_rows", [1, 300])
def test_wanted_columns_hold_what_the_block_holds(shape: dict[str, Any], n_rows: int) -> None:
    made = Made(n_rows, **shape)
    rng = np.random.default_rng(3)
    wanted = np.flatnonzero(rng.random(N_COEFS) < 0.6)
    position = np.full(N_COEFS + 1, -1)
    position[wanted] = rng.permutation(wanted.size)
    unit = rng.normal(size=N_COEFS)
    unit[0] = 1.0
    start, rows, values = core.pick_wanted(made.rows, position, CENTRE, unit)
    assert [array.dtype.name for array in (start, rows, values)] == ["int64", "int32", "float64"]
    found = np.zeros((n_rows, wanted.size))
    for at in range(wanted.size):
        of_column = slice(start[at], start[at + 1])
        assert np.unique(rows[of_column]).size == start[at + 1] - start[at]
        found[rows[of_column], at] = values[of_column]
    true = np.zeros((n_rows, wanted.size))
    true[:, position[wanted]] = (made.v * unit)[:, wanted]
    np.testing.assert_allclose(found, true, rtol=1e-15)


def test_pieces_are_joined_in_order() -> None:
    rng = np.random.default_rng(4)
    matrices: list[Any] = [sparse.random(n, 6, 0.4, format="csc", random_state=rng) for n in (5, 0, 1, 40)]
    pieces = tuple(
        Piece(m.indptr.astype(np.int64), m.indices, m.data, np.zeros(len(m.toarray()), np.float32), np.ones(m.shape[0]))
        for m in matrices
    )
    found = assembled(Pieces(pieces))
    whole = sparse.vstack(matrices).tocsc()
    assert np.array_equal(found.start, whole.indptr)
    assert np.array_equal(found.rows, whole.indices)
    assert np.array_equal(found.values, whole.data)


@pytest.mark.parametrize("indices", ["int32", "int64"])
def test_columns_are_split_where_rows_begin(indices: str) -> None:
    matrix: Any = sparse.random(200, 30, 0.1, format="csc", random_state=np.random.default_rng(1))
    bounds = np.array([0, 1, 64, 64, 199, 200])
    found = split_columns(matrix.indices.astype(indices), matrix.indptr.astype(np.int64), bounds)
    for j in range(30):
        rows = matrix.indices[matrix.indptr[j] : matrix.indptr[j + 1]]
        assert np.array_equal(found[:, j], matrix.indptr[j] + np.searchsorted(rows, bounds))
    assert split_columns(np.empty(0, indices), np.zeros(1, np.int64), bounds).shape == (6, 0)


def _problem(n_rows: int, n: int, n_outputs: int, seed: int) -> tuple[Columns, NDArray[np.float64]]:
    """Sparse columns, the first of ones, with labels that depend on them; and the same as a dense matrix."""
    rng = np.random.default_rng(seed)
    values: Any = sparse.random(n_rows, n, 0.2, format="lil", random_state=rng)
    values[:, [0]] = np.ones((n_rows, 1))
    matrix = values.tocsc()
    matrix.sort_indices()
    v = matrix.toarray()
    z = v @ rng.normal(size=(n, n_outputs)) * 2
    noise = rng.logistic(size=z.shape)
    y = np.argmax(z + noise, axis=1) if n_outputs > 1 else z[:, 0] + noise[:, 0] > 0
    weight = rng.random(n_rows)
    columns = Columns(
        matrix.indptr.astype(np.int64), matrix.indices, matrix.data, y.astype(np.int32), weight / np.sum(weight)
    )
    return columns, v


def _violations(
    columns: Columns, v: NDArray[np.float64], theta: NDArray[np.float64], terms: list[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """The distance of zero to the subgradients of the penalised mean loss, by the definition of a subgradient."""
    l2, l1, lower, upper = terms
    z = theta @ v.T
    if len(theta) == 1:
        residual = 1 / (1 + np.exp(-z)) - columns.y
    else:
        p = np.exp(z - np.max(z, axis=0))
        residual = p / np.sum(p, axis=0) - (np.arange(len(theta))[:, np.newaxis] == columns.y)
    slope = (residual * columns.weight) @ v + l2 * theta
    low = slope + np.where(theta > 0, l1, -l1)  # the least and the greatest subgradient
    high = slope + np.where(theta < 0, -l1, l1)
    low = np.where(theta <= lower, -np.inf, low)
    high = np.where(theta >= upper, np.inf, high)
    return np.maximum(np.maximum(low, -high), 0.0)


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("strength", [0.0, 0.002, 0.02])
@pytest.mark.parametrize(("n_rows", "bound"), [(300, np.inf), (300, 0.2), (13, 0.5)])
def test_no_subgradient_is_left_over(n_outputs: int, strength: float, n_rows: int, bound: float) -> None:
    columns, v = _problem(n_rows, 15, n_outputs, seed=6)
    shape = (n_outputs, 15)
    l1 = np.full(shape, strength)
    l1[:, 0] = 0
    l2 = 1e-4 if n_outputs == 1 else 1e-2  # what all outputs share is found slowly, one after the other
    terms = [np.full(shape, l2), l1, np.full(shape, -bound), np.full(shape, np.inf)]
    theta = np.zeros(shape)
    descend(*columns, theta, *terms, 1e-9, 1_000)
    assert np.max(_violations(columns, v, theta, terms)) <= 1e-8
    assert np.all(theta >= -bound)
    if strength > 0.01 and n_rows > 100:
        assert np.any(theta == 0.0)
    again = theta.copy()
    descend(*columns, again, *terms, 1e-8, 1_000)
    assert np.array_equal(again, theta)


def _descend(**changed: Any) -> None:
    given: dict[str, Any] = {
        "start": np.array([0, 2, 3]),
        "rows": np.array([0, 2, 1], np.int32),
        "values": np.ones(3),
        "y": np.array([0, 1, 1], np.int32),
        "weight": np.full(3, 1 / 3),
        "theta": np.zeros((1, 2)),
        "l2": np.ones((1, 2)),
        "l1": np.ones((1, 2)),
        "lower": np.full((1, 2), -np.inf),
        "upper": np.full((1, 2), np.inf),
    }
    descend(*{**given, **changed}.values(), 1e-6, 100)


def test_a_descent_with_nothing_wrong() -> None:
    _descend()
    none = np.empty((1, 0))
    _descend(start=np.zeros(1, np.int64), **dict.fromkeys(("theta", "l2", "l1", "lower", "upper"), none))


@pytest.mark.parametrize(
    "changed",
    [
        {"start": np.array([0, 2, 4])},
        {"start": np.array([-1, 2, 3])},
        {"start": np.array([0, 3, 2])},
        {"start": np.array([0, MOST, 3])},
        {"start": np.array([0, 3])},
        {"start": np.empty(0, np.int64)},
        {"rows": np.array([0, 3, 1], np.int32)},
        {"rows": np.array([0, -1, 1], np.int32)},
        {"rows": np.array([0, 1], np.int32)},
        {"values": np.ones(4)},
        {"y": np.zeros(2, np.int32)},
        {"weight": np.ones(4)},
        {"theta": np.zeros(2)},
        {"theta": np.zeros((1, 3))},
        {"theta": np.zeros((2, 2))},
        {"upper": np.zeros((1, 1))},
    ],
)
def test_columns_that_do_not_fit_are_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must|lead"):
        _descend(**changed)


@pytest.mark.parametrize(
    "changed", [{"rows": np.array([0, 2, 1])}, {"values": np.ones(3, np.float32)}, {"values": np.ones(6)[::2]}]
)
def test_columns_of_another_type_are_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        _descend(**changed)


@pytest.mark.parametrize(
    "position",
    [
        np.zeros(N_COEFS, np.int64),
        np.zeros(N_COEFS + 1, np.int64),
        np.append(np.full(N_COEFS, -2), -1),
        np.append(np.full(N_COEFS, MOST), -1),
    ],
)
def test_places_that_are_none_are_refused(position: NDArray[np.int64]) -> None:
    with pytest.raises(ValueError, match="position"):
        core.pick_wanted(Made(5).rows, position, CENTRE, np.ones(N_COEFS))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("start", np.array([0, 4])),
        ("rows", np.zeros(4, np.int32)),
        ("first", 2**31),
        ("first", -1),
        ("free", np.array([1])),
        ("free", np.array([-1])),
        ("free", np.array([MOST])),
        ("free", np.array([0, 0])),
        ("values", np.zeros(4)),
    ],
)
def test_a_piece_that_does_not_fit_is_refused(name: str, value: Any) -> None:
    given: dict[str, Any] = {
        "start": np.array([0, 3]),
        "rows": np.zeros(3, np.int32),
        "piece_values": np.zeros(3),
        "first": 0,
        "free": np.zeros(1, np.int64),
        "whole": np.zeros(3, np.int32),
        "values": np.zeros(3),
    }
    core.append_columns(*given.values())
    assert given["free"].tolist() == [3]
    given["free"][0] = 0
    given[name] = value
    with pytest.raises(ValueError, match=r"must|leads|beyond"):
        core.append_columns(*given.values())


@pytest.mark.parametrize(
    ("indptr", "shape"), [([0, 4], (2, 1)), ([-1, 2], (2, 1)), ([2, 0], (2, 1)), ([0, 3], (1, 1)), ([], (2, 0))]
)
def test_a_split_that_does_not_fit_is_refused(indptr: list[int], shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="must"):
        core.split_columns(
            np.arange(3, dtype=np.int32), np.array(indptr, np.int64), np.array([0, 3]), np.empty(shape, np.int64)
        )


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_columns_that_pull_against_the_intercept_take_few_steps(seed: int) -> None:
    rng = np.random.default_rng(seed)
    m, n = 400, 30
    dense = rng.random((m, n)) + 20  # all far from zero: to move one is to move the intercept
    held = np.where(rng.random((m, n)) < 0.9, dense, 0.0)
    y = (held[:, 0] - held[:, 1] + rng.logistic(size=m) * 5 > 0).astype(np.int32)
    values = np.column_stack([np.ones(m), held])
    start = np.cumsum([0, *(np.count_nonzero(values[:, j]) for j in range(n + 1))]).astype(np.int64)
    rows = np.concatenate([np.flatnonzero(values[:, j]) for j in range(n + 1)]).astype(np.int32)
    stored = np.concatenate([values[values[:, j] != 0, j] for j in range(n + 1)])
    l1 = np.full((1, n + 1), 1e-3)
    l1[0, 0] = 0.0
    infinite = np.full((1, n + 1), np.inf)
    theta = np.zeros((1, n + 1))
    weight = np.full(m, 1 / m)
    core.descend(start, rows, stored, y, weight, theta, np.zeros_like(l1), l1, -infinite, infinite, 1e-7, 12)
    residual = 1 / (1 + np.exp(-values @ theta[0])) - y
    gradient = values.T @ residual / m
    violation = np.where(
        theta[0] == 0, np.maximum(np.abs(gradient) - l1[0], 0), np.abs(gradient + l1[0] * np.sign(theta[0]))
    )
    assert violation.max() <= 1e-7 * 1.01
