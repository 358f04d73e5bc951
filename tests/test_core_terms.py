"""The core's sparse columns, codes and marks against one dense matrix of all terms, multiplied in long double."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from all_terms import CENTRE, N_COEFS, N_SPARSE, N_X, OWN, SHAPES, Made
from zeroloop import core
from zeroloop.sparse import Sparse


def _coefs(n_outputs: int) -> NDArray[np.float64]:
    return np.random.default_rng(9).normal(size=(n_outputs, N_COEFS)) / 3


def _near(found: Any, true: Any) -> None:
    scale = float(np.max(np.abs(true), initial=1e-300))
    np.testing.assert_allclose(np.asarray(found, np.longdouble), true, rtol=0, atol=1e-13 * scale)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n_rows", [1, 7, 64, 5000])
def test_one_output(shape: dict[str, Any], n_rows: int) -> None:
    made, coef = Made(n_rows, **shape), _coefs(1)
    z, gradient, product, along = np.empty((1, n_rows)), *np.empty((2, 1, N_COEFS)), _coefs(2)[1:]
    made.rows.predictor(coef, CENTRE, z)
    _near(z, coef @ made.v.T)
    gradient[:] = 0
    loss = made.rows.sums(coef, CENTRE, 1, gradient, np.empty((0, 0)))
    losses = np.logaddexp(0, (coef @ made.v.T)[0]) - made.y * (coef @ made.v.T)[0]
    _near(loss, np.sum(made.w() * losses))
    _near(gradient, made.residual(coef) @ made.v)
    product[:] = 0
    made.rows.multiply(coef, along, CENTRE, product)
    _near(product, along @ made.hessian(coef))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n_outputs", [1, 3, 8, 19])
def test_diagonal(shape: dict[str, Any], n_outputs: int) -> None:
    made, coef = Made(700, n_classes=max(2, n_outputs), **shape), _coefs(n_outputs)
    diagonal, squares = np.zeros((2, n_outputs, N_COEFS))
    made.rows.diagonal(coef, CENTRE, diagonal, squares)
    p = made.probabilities(coef)
    h = (made.w() * p * (1 - p))[:, :, np.newaxis] * made.v**2
    _near(diagonal, np.sum(h, axis=1))
    _near(squares, np.sum(h**2, axis=1))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("n_outputs", "n_rows"), [(3, 1), (3, 2501), (8, 700), (19, 77)])
def test_several_outputs(shape: dict[str, Any], n_outputs: int, n_rows: int) -> None:
    made, coef = Made(n_rows, n_classes=n_outputs, **shape), _coefs(n_outputs)
    z, gradient = np.empty((n_outputs, n_rows)), np.zeros((n_outputs, N_COEFS))
    made.rows.predictor(coef, CENTRE, z)
    _near(z, coef @ made.v.T)
    loss = made.rows.sums(coef, CENTRE, 1, gradient, np.empty((0, 0)))
    right = made.probabilities(coef)[made.y.astype(int), np.arange(n_rows)]
    _near(loss, np.sum(made.w() * -np.log(right)))
    _near(gradient, made.residual(coef) @ made.v)


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if "True" in str(shape.id)])
@pytest.mark.parametrize(("n_outputs", "n_rows"), [(1, 1), (1, 70), (1, 5000), (3, 500)])
def test_hessian(shape: dict[str, Any], n_outputs: int, n_rows: int) -> None:
    made, coef = Made(n_rows, n_classes=max(2, n_outputs), weighted=False, **shape), _coefs(n_outputs)
    n = n_outputs * N_COEFS
    gradient, hessian = np.zeros((n_outputs, N_COEFS)), np.zeros((n, n))
    made.rows.sums(coef, CENTRE, 2, gradient, hessian)
    upper = np.triu_indices(n)
    _near(hessian[upper], made.hessian(coef)[upper])


@pytest.mark.parametrize("shape", SHAPES)
def test_largest(shape: dict[str, Any]) -> None:
    made, found = Made(300, **shape), np.zeros(N_SPARSE)
    made.rows.largest(found)
    assert np.array_equal(found, np.max(np.abs(made.v[:, 1 + N_X : OWN]), axis=0))


@pytest.mark.parametrize("shape", SHAPES)
def test_the_largest_of_a_column_with_nan_is_nan(shape: dict[str, Any]) -> None:
    made, found = Made(300, **shape), np.zeros(N_SPARSE)
    at = int(made.sparse.start[1])
    made.sparse.values[at] = np.nan
    made.rows.largest(found)
    column = int(made.sparse.indices[at]) if made.sparse.by_row else 1
    assert np.flatnonzero(np.isnan(found)).tolist() == [column]


def test_rows_without_any_columns() -> None:
    none = np.empty((0, 0), np.int32)
    rows = core.Rows(np.empty((0, 0)), none, np.empty((2, 0), np.int32), 1, np.empty(0, np.float32), None, None)
    gradient, hessian = np.zeros((1, 1)), np.zeros((1, 1))
    assert rows.sums(np.ones((1, 1)), np.empty(0), 2, gradient, hessian) == 0.0
    assert gradient[0, 0] == hessian[0, 0] == 0.0


def _wrong(**changed: Any) -> None:
    """A block of two rows with something wrong in it."""
    n_rows, n = 2, 3
    lines: dict[str, Any] = {
        "values": np.ones(2),
        "indices": np.array([0, 2], np.int32),
        "start": np.array([0, 1]),
        "stop": np.array([1, 2]),
        "n_rows": n_rows,
        "n_columns": n,
        "by_row": True,
        "origin": 0,
    }
    given: dict[str, Any] = {
        "numeric": np.empty((0, n_rows)),
        "codes": np.full((1, n_rows), 1 + n, np.int32),
        "marks": np.array([[0], [1 + n]], np.int32),
        "n_coefs": 5,
        "y": np.zeros(n_rows, np.float32),
        "weight": None,
    }
    for name, value in changed.items():
        (lines if name in lines else given)[name] = value
    core.Rows(**given, sparse=Sparse(**lines))


def test_nothing_wrong() -> None:
    _wrong()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"indices": np.array([0, 3], np.int32)}, "lead out of the block"),
        ({"indices": np.array([0, -1], np.int64)}, "lead out of the block"),
        ({"indices": np.array([0, 2**32], np.int64)}, "lead out of the block"),
        ({"indices": np.array([0, 2], np.int16)}, "int32 or int64"),
        ({"indices": np.array([0], np.int32)}, "differ in shape"),
        ({"values": np.ones(2, np.int64)}, "float32 or float64"),
        ({"values": np.ones(4)[::2]}, "contiguous"),
        ({"start": np.array([0, 3]), "stop": np.array([1, 3])}, "out of their values"),
        ({"start": np.array([-1, 1])}, "out of their values"),
        ({"start": np.array([1, 1]), "stop": np.array([0, 2])}, "out of their values"),
        ({"stop": np.array([1, 2**62])}, "out of their values"),
        ({"start": np.array([0])}, r"start has shape \(1\); it must be \(2\)"),
        ({"origin": 1}, "lead out of the block"),
        ({"codes": np.full((1, 2), 6, np.int32)}, "codes name"),
        ({"codes": np.full((1, 2), 3, np.int32)}, "codes name"),
        ({"codes": np.full((1, 2), -1, np.int32)}, "codes name"),
        ({"codes": np.full((1, 3), 4, np.int32)}, r"codes has shape"),
        ({"marks": np.array([[2], [4]], np.int32)}, "marks"),
        ({"marks": np.array([[0], [5]], np.int32)}, "marks"),
        ({"marks": np.array([[0], [3]], np.int32)}, "marks"),
        ({"marks": np.array([[1, 0], [4, 4]], np.int32)}, "sorted by row"),
        ({"marks": np.array([[0, 1]], np.int32)}, "marks has shape"),
        ({"n_coefs": 3}, "fewer than"),
    ],
)
def test_what_leads_out_of_a_block_is_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        _wrong(**changed)


@pytest.mark.parametrize("changed", [{"codes": np.full((1, 2), 4)}, {"marks": np.array([[0], [4]])}])
def test_arrays_of_another_type_are_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        _wrong(**changed)
