"""Laws that hold for any data: one property a law."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import zeroloop
from conftest import made
from zeroloop.blocks import block_rows
from zeroloop.fit import Fit, Options, fit, plain_shape
from zeroloop.kernels.statistics import moments, sums
from zeroloop.objective import Units
from zeroloop.sources.memory import MemorySource, stacked

shapes = st.tuples(st.integers(20, 300), st.integers(1, 6), st.integers(0, 1000))
Cs = st.sampled_from([0.01, 1.0, 100.0])


def fitted(
    X: NDArray[np.float64], y: NDArray[np.float64], weight: NDArray[np.float64] | None = None, C: float = 1.0
) -> Fit:
    source = stacked(X.T, y, weight)
    columns = source.reduce(moments)
    scale = np.append(1.0, columns.deviation())
    return fit(source, Options(C=C, tol=1e-9), units=Units(columns.mean, scale), shape=plain_shape(scale))


def same(a: NDArray[np.float64], b: NDArray[np.float64]) -> None:
    np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7 * np.max(np.abs(a)))


@given(shapes, Cs)
def test_order_of_rows_does_not_matter(shape: tuple[int, int, int], C: float) -> None:
    X, y = made(*shape)
    order = np.random.default_rng(shape[2]).permutation(len(y))
    same(fitted(X, y, C=C).coef, fitted(X[order], y[order], C=C).coef)


@given(shapes, Cs)
def test_a_row_twice_is_weight_two(shape: tuple[int, int, int], C: float) -> None:
    X, y = made(*shape)
    times = np.random.default_rng(shape[2]).integers(0, 3, len(y))
    times[:2] = 1
    same(fitted(X, y, times.astype(np.float64), C).coef, fitted(X.repeat(times, 0), y.repeat(times), C=C).coef)


@given(shapes, Cs)
def test_flipped_labels_flip_the_signs(shape: tuple[int, int, int], C: float) -> None:
    X, y = made(*shape)
    same(fitted(X, y, C=C).coef, -fitted(X, 1 - y, C=C).coef)


@given(shapes, Cs, st.floats(1e-6, 1e6), st.floats(-1e3, 1e3))
def test_units_of_a_column_do_not_matter(shape: tuple[int, int, int], C: float, factor: float, offset: float) -> None:
    X, y = made(*shape)
    other = X.copy()
    other[:, 0] = X[:, 0] * factor + offset * factor
    a, b = fitted(X, y, C=C), fitted(other, y, C=C)
    same(a.coef[0, 1:], b.coef[0, 1:] * np.append(factor, np.ones(X.shape[1] - 1)))
    assert abs(a.passes - b.passes) <= 1  # tol may be met just so in one and just not in the other
    assert a.converged
    assert b.converged


@given(shapes)
def test_a_doubled_column_shares_its_coefficient(shape: tuple[int, int, int]) -> None:
    X, y = made(*shape)
    double = fitted(np.column_stack([X, X[:, -1]]), y, C=0.5).coef
    # Two columns c + c pay c^2 + c^2 where one pays (2 c)^2: the same as one column scaled by sqrt(2), raw penalty.
    source = stacked(X.T, y)
    columns = source.reduce(moments)
    scale = np.append(1.0, columns.deviation())
    unit = scale.copy()
    unit[-1] /= np.sqrt(2)
    single = fit(source, Options(C=0.5, tol=1e-9), units=Units(columns.mean, scale), shape=plain_shape(unit)).coef
    same(double, np.append(single[0, :-1], [single[0, -1] / 2] * 2)[np.newaxis])


@given(shapes, st.lists(st.integers(1, 80), min_size=1, max_size=8))
def test_sums_do_not_depend_on_the_cut(shape: tuple[int, int, int], cuts: list[int]) -> None:
    X, y = made(*shape)
    whole = stacked(X.T, y).blocks[0]
    group = np.searchsorted(np.cumsum(cuts), np.arange(len(y)), side="right")
    parts = MemorySource([whole.take(np.flatnonzero(group == k)) for k in range(len(cuts) + 1)])
    coef, centre = np.full((1, X.shape[1] + 1), 0.01), X.mean(axis=0)
    a = sums(whole, coef, centre, 2)
    b = parts.reduce(lambda block: sums(block, coef, centre, 2))
    assert parts.n_rows == len(y)
    np.testing.assert_allclose(b.loss, a.loss, rtol=1e-12)
    assert a.hessian is not None
    assert b.hessian is not None
    np.testing.assert_allclose(np.triu(b.hessian), np.triu(a.hessian), rtol=1e-9, atol=1e-9 * np.max(a.hessian))


@settings(max_examples=3)
@given(st.integers(0, 5))
def test_any_number_of_threads_gives_the_same_bits(seed: int) -> None:
    X, y = made(6 * block_rows(3) + 77, 3, seed)
    for layout in (X, np.asfortranarray(X)):
        coefs = [zeroloop.LogisticRegression(n_jobs=threads).fit(layout, y).coef_ for threads in (1, 2, 3, 8)]
        assert all(np.array_equal(coefs[0], other) for other in coefs[1:])
