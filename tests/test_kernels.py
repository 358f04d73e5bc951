"""Kernels against slower truths: many-digit arithmetic, the ladder's loops, the one-hot matrix."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest
from numpy.typing import NDArray

import dense_sums
from conftest import made
from zeroloop import core
from zeroloop.blocks import Block, Sums, hash_of, hash_rows
from zeroloop.kernels import statistics
from zeroloop.kernels.totals import Moments
from zeroloop.ladder.rungs import two_loops

MANY = 4_000


@pytest.fixture(params=[statistics, dense_sums], ids=["core", "judge"])
def kernels(request: pytest.FixtureRequest) -> Any:
    """Return the core's statistics, and those of the judge, which are judged too."""
    return request.param


def probability(kernels: Any, block: Block, coef: NDArray[np.float64], centre: NDArray[np.float64]) -> Any:
    """Return sigmoid(z) of each row."""
    return kernels.probabilities(kernels.predictor(block, coef, centre))[1]


def ulps(found: float, exact: mpmath.mpf) -> float:
    spacing = max(np.spacing(abs(float(exact))), 5e-324)
    return float(abs(mpmath.mpf(found) - exact) / mpmath.mpf(float(spacing)))


def test_exp_is_accurate_to_2_ulp() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([-np.logspace(-320, np.log10(746), MANY), -rng.uniform(0, 746, MANY), [0.0, -0.0, -5e-324]])
    out = np.empty_like(x)
    core.exp_nonpositive(x, out)
    with mpmath.workdps(40):
        assert max(ulps(found, mpmath.exp(mpmath.mpf(at))) for at, found in zip(x, out, strict=True)) <= 2


def test_exp_of_the_far_tail_is_zero() -> None:
    out = np.ones(4)
    core.exp_nonpositive(np.array([-746.0, -1e4, -1e300, -np.inf]), out)
    assert out.tolist() == [0, 0, 0, 0]


def test_log1p_is_accurate_to_2_ulp() -> None:
    rng = np.random.default_rng(0)
    edge = np.array([0.4142135623730950, 0.41421356237309515])
    sizes = [np.logspace(-320, 0, MANY), rng.uniform(0, 1, MANY), rng.uniform(1, 255, MANY), np.logspace(2, 300, MANY)]
    x = np.concatenate([*sizes, [0.0, 1.0, 5e-324, 255.0], edge, 2 * edge])
    out = np.empty_like(x)
    core.log1p_nonnegative(x, out)
    with mpmath.workdps(360):
        assert max(ulps(found, mpmath.log(1 + mpmath.mpf(at))) for at, found in zip(x, out, strict=True)) <= 2


def a_block(
    m: int, n: int, layout: str, dtype: type = np.float64, weighted: bool = False
) -> tuple[Block, NDArray[np.float64], NDArray[np.float64]]:
    X, y = made(m, n, dtype=dtype)
    weight = np.random.default_rng(1).uniform(0, 3, m) if weighted else None
    numeric = np.ascontiguousarray(X.T) if layout == "stacked" else X.T
    if layout == "neither":
        numeric = np.repeat(np.repeat(X.T, 2, axis=0), 2, axis=1)[::2, ::2]
    return (
        Block(numeric=numeric, codes=np.empty((0, m), np.int32), n_coefs=1 + n, y=y.astype(np.float32), weight=weight),
        X,
        y,
    )


@pytest.mark.parametrize("layout", ["stacked", "row-major", "neither"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("m", "n"), [(2, 1), (7, 3), (65, 5), (300, 9), (2500, 4)])
def test_sums_are_those_of_two_loops(kernels: Any, layout: str, dtype: type, m: int, n: int) -> None:
    block, X, y = a_block(m, n, layout, dtype)
    coef = np.random.default_rng(2).standard_normal((1, 1 + n)) / 100
    total = kernels.sums(block, coef, np.zeros(n), order=1)
    J, dw, db = two_loops(X.T.astype(np.float64), y[np.newaxis], coef[:, 1:].T, float(coef[0, 0]))
    assert total.gradient is not None
    np.testing.assert_allclose(total.loss / m, J, rtol=1e-12)
    np.testing.assert_allclose(total.gradient[0] / m, np.append(db, dw), rtol=1e-9, atol=1e-11)
    assert total.weight == m


@pytest.mark.parametrize("layout", ["stacked", "row-major"])
@pytest.mark.parametrize("weighted", [False, True])
def test_derivatives_are_those_of_finite_differences(kernels: Any, layout: str, weighted: bool) -> None:
    block, X, _ = a_block(150, 4, layout, weighted=weighted)
    centre = X.mean(axis=0)
    coef = np.random.default_rng(3).standard_normal((1, 5)) * 0.1
    at = kernels.sums(block, coef, centre, order=2)
    assert at.gradient is not None
    assert at.hessian is not None
    for j in range(5):
        step = np.zeros((1, 5))
        step[0, j] = 1e-5 / max(1.0, X.std(axis=0)[j - 1] if j else 1.0)
        ahead, behind = (kernels.sums(block, coef + sign * step, centre, order=1) for sign in (1, -1))
        assert ahead.gradient is not None
        assert behind.gradient is not None
        width = 2 * step[0, j]
        np.testing.assert_allclose((ahead.loss - behind.loss) / width, at.gradient[0, j], rtol=1e-5, atol=1e-4)
        column = (ahead.gradient - behind.gradient)[0] / width
        np.testing.assert_allclose(column[: j + 1], at.hessian[: j + 1, j], rtol=1e-5, atol=1e-4)


def one_hot(block: Block) -> NDArray[np.float64]:
    """Return the block's terms as a dense matrix `(rows, n_coefs)`."""
    terms = np.zeros((block.n_rows, block.n_coefs + 1))
    terms[:, 0] = 1
    terms[:, 1 : 1 + len(block.numeric)] = block.numeric.T
    for codes in block.codes:
        terms[np.arange(block.n_rows), codes] += 1
    terms[block.marks[0], block.marks[1]] += 1
    return terms[:, :-1]


def with_codes(m: int, n: int) -> Block:
    block, _, _ = a_block(m, n, "stacked", weighted=True)
    rng = np.random.default_rng(4)
    first, second = rng.integers(1 + n, 1 + n + 3, m), rng.integers(4 + n, 4 + n + 3, m)
    codes = np.array([first, np.where(rng.random(m) < 0.3, 9 + n, second)], np.int32)  # 9 + n: no coefficient
    marked, which = np.nonzero(rng.random((m, 2)) < [0.2, 0.05])
    marks = np.array([marked, 7 + n + which], np.int32)
    return Block(numeric=block.numeric, codes=codes, n_coefs=9 + n, y=block.y, weight=block.weight, marks=marks)


@pytest.mark.parametrize("n", [0, 1, 5])
def test_codes_are_one_hot_columns(kernels: Any, n: int) -> None:
    block = with_codes(200, n)
    terms, coef = one_hot(block), np.random.default_rng(5).standard_normal((1, 9 + n)) / 100
    dense = Block(
        numeric=np.ascontiguousarray(terms[:, 1:].T),
        codes=np.empty((0, 200), np.int32),
        n_coefs=9 + n,
        y=block.y,
        weight=block.weight,
    )
    centre = np.arange(n, dtype=np.float64)
    both = [
        kernels.sums(block, coef, centre, order=2),
        kernels.sums(dense, coef, np.append(centre, np.zeros(8)), order=2),
    ]
    z = kernels.predictor(block, coef, centre)
    shifted = terms - np.concatenate([[0], centre, np.zeros(8)])
    np.testing.assert_allclose(z, shifted @ coef[0], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(probability(kernels, block, coef, centre), 1 / (1 + np.exp(-z)), rtol=1e-14)
    upper = np.triu_indices(9 + n)
    for found, wanted in zip(*[(s.loss, s.gradient, _hessian(s)[upper]) for s in both], strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-10)


def _hessian(total: Sums) -> NDArray[np.float64]:
    assert total.hessian is not None
    return total.hessian


@pytest.mark.parametrize("size", [1.0, 40.0, 800.0, 1e4])
@pytest.mark.parametrize("y", [0.0, 1.0])
def test_every_margin_is_finite_and_keeps_its_tail(kernels: Any, size: float, y: float) -> None:
    block = Block(
        numeric=np.array([[-size, size]]), codes=np.empty((0, 2), np.int32), n_coefs=2, y=np.full(2, y, np.float32)
    )
    total = kernels.sums(block, np.array([[0.0, 1.0]]), np.zeros(1), order=2)
    with mpmath.workdps(50):
        wanted = sum(mpmath.log(1 + mpmath.exp(-margin)) for margin in (mpmath.mpf(-size), mpmath.mpf(size)))
        least = 1 / (1 + mpmath.exp(mpmath.mpf(size)))
    assert total.loss == pytest.approx(float(wanted), rel=1e-14, abs=0)
    assert np.all(np.isfinite(_hessian(total)))
    p = probability(kernels, block, np.array([[0.0, 1.0]]), np.zeros(1))
    assert p[0] == pytest.approx(float(least), rel=1e-14, abs=0)


@pytest.mark.parametrize("layout", ["stacked", "row-major"])
def test_moments_far_from_zero_do_not_cancel(kernels: Any, layout: str) -> None:
    block, X, _ = a_block(400, 3, layout, weighted=True)
    far = Block(numeric=block.numeric + 1e8, codes=block.codes, n_coefs=block.n_coefs, y=block.y, weight=block.weight)
    halves = [far.take(np.arange(150)), far.take(np.arange(150, 400))]
    found: Moments = kernels.moments(halves[0]) + kernels.moments(halves[1])
    exact = X + 1e8
    mean = np.average(exact, axis=0, weights=block.weight)
    np.testing.assert_allclose(found.mean, mean, rtol=1e-14)
    deviation = np.sqrt(np.average((exact - mean) ** 2, axis=0, weights=block.weight))
    np.testing.assert_allclose(found.deviation(), deviation, rtol=1e-6)


def test_hessian_of_a_column_far_from_zero_does_not_cancel(kernels: Any) -> None:
    block, X, _ = a_block(400, 2, "stacked")
    far = Block(numeric=block.numeric + 1e9, codes=block.codes, n_coefs=block.n_coefs, y=block.y)
    near = kernels.sums(block, np.zeros((1, 3)), X.mean(axis=0), order=2)
    shifted = kernels.sums(far, np.zeros((1, 3)), X.mean(axis=0) + 1e9, order=2)
    np.testing.assert_allclose(np.triu(_hessian(shifted)), np.triu(_hessian(near)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("n", [0, 1, 5])
def test_the_diagonal_is_the_hessians(kernels: Any, n: int) -> None:
    block, coef, centre = with_codes(200, n), np.full((1, 9 + n), 0.01), np.arange(n, dtype=np.float64)
    halves = [block.take(np.arange(80)), block.take(np.arange(80, 200))]
    found = kernels.hessian_diagonal(halves[0], coef, centre) + kernels.hessian_diagonal(halves[1], coef, centre)
    np.testing.assert_allclose(found.diagonal[0], np.diag(_hessian(kernels.sums(block, coef, centre, 2))), rtol=1e-12)
    assert block.weight is not None
    assert found.weight == pytest.approx(np.sum(block.weight))
    terms = one_hot(block) - np.concatenate([[0], centre, np.zeros(8)])
    p = probability(kernels, block, coef, centre)
    np.testing.assert_allclose(found.squares[0], (block.weight * p * (1 - p)) ** 2 @ terms**4, rtol=1e-10)


@pytest.mark.parametrize("n", [0, 1, 5])
def test_the_hessian_times_a_vector_is_the_hessians(kernels: Any, n: int) -> None:
    block, coef, centre = with_codes(200, n), np.full((1, 9 + n), 0.01), np.arange(n, dtype=np.float64)
    halves = [block.take(np.arange(80)), block.take(np.arange(80, 200))]
    direction = np.random.default_rng(6).standard_normal((1, 9 + n))
    parts = [kernels.hessian_vector(half, coef, direction, centre) for half in halves]
    upper = np.triu(_hessian(kernels.sums(block, coef, centre, 2)))
    hessian = upper + np.triu(upper, 1).T
    np.testing.assert_allclose((parts[0] + parts[1]).product, direction @ hessian, rtol=1e-10, atol=1e-10)


def test_a_loss_of_many_rows_loses_nothing_of_small_ones() -> None:
    rng = np.random.default_rng(7)
    for margin in (0.0, 7.0, 28.0, 460.0):  # log(1 + exp(-margin)), of eight rows' products at a time
        for m in (1, 7, 8, 61, 64, 200):
            x = margin + rng.random((1, m))
            block = Block(numeric=x, codes=np.empty((0, m), np.int32), n_coefs=2, y=np.ones(m, np.float32))
            found = statistics.sums(block, np.array([[0.0, 1.0]]), np.zeros(1), 0).loss
            with mpmath.workdps(250):
                exact = sum(mpmath.log(1 + mpmath.exp(-mpmath.mpf(value))) for value in x[0])
            assert found == pytest.approx(float(exact), rel=4e-16, abs=0)


@pytest.mark.parametrize("layout", ["stacked", "row-major"])
def test_storage_is_used_where_it_lies(layout: str) -> None:
    block, _, _ = a_block(50, 3, layout)
    coef, centre = np.ones((1, 4)), np.zeros(3)
    before = statistics.predictor(block, coef, centre)
    block.numeric[1, 7] += 1.0
    np.testing.assert_allclose(statistics.predictor(block, coef, centre) - before, np.arange(50) == 7, atol=1e-12)


@pytest.mark.parametrize("order", [1, 2])
def test_layout_and_precision_do_not_change_a_bit(order: int) -> None:
    rng = np.random.default_rng(11)
    for m, n in [(1, 1), (63, 8), (64, 9), (500, 3), (3_000, 21), (700, 130)]:
        values = rng.standard_normal((n, m)).astype(np.float32)
        y, weight = (rng.random(m) < 0.4).astype(np.float32), rng.random(m)
        coef, centre = rng.standard_normal((1, 1 + n)) / n, rng.standard_normal(n)
        views: list[NDArray[Any]] = [
            values,
            values.astype(np.float64),
            np.asfortranarray(values),
            np.asfortranarray(values, np.float64),
        ]
        views += [np.repeat(np.repeat(values, 2, axis=0), 2, axis=1)[::2, ::2], np.pad(values, 3)[3:-3, 3:-3]]
        found = []
        for numeric in views:
            block = Block(numeric=numeric, codes=np.empty((0, m), np.int32), n_coefs=1 + n, y=y, weight=weight)
            total, moments = statistics.sums(block, coef, centre, order), statistics.moments(block)
            assert total.gradient is not None
            hessian = np.zeros(0) if total.hessian is None else np.triu(total.hessian)
            z = statistics.predictor(block, coef, centre)
            parts = [np.array([total.loss]), total.gradient, hessian, z, moments.mean, moments.squares]
            found.append([part.tobytes() for part in parts])
        assert all(one == found[0] for one in found)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_column_is_described_as_by_its_judge(dtype: type, weighted: bool) -> None:
    rng = np.random.default_rng(0)
    columns: NDArray[Any] = np.stack(
        [
            rng.standard_normal(2_000),
            np.where(rng.random(2_000) < 0.3, np.nan, rng.normal(7, 2, 2_000)),
            np.full(2_000, 0.1),
            np.full(2_000, np.nan),
            np.append(1e6, rng.standard_normal(1_999)),  # the value that others are taken from is far away
        ]
    ).astype(dtype)
    weight = rng.random(2_000) if weighted else None
    for fast, slow in zip(statistics.describe(columns, weight), dense_sums.describe(columns, weight), strict=True):
        assert fast.n == slow.n
        assert [fast.low, fast.high] == pytest.approx([slow.low, slow.high])
        assert fast.weight == pytest.approx(slow.weight, rel=1e-13)
        assert fast.mean == pytest.approx(slow.mean, rel=1e-11, abs=1e-13)
        assert fast.squares == pytest.approx(slow.squares, rel=1e-9, abs=1e-20)
    constant = statistics.describe(columns, weight)[2]
    assert (constant.low, constant.mean) == (constant.high, float(columns[2, 0]))


def test_rows_have_the_same_hashes_one_by_one() -> None:
    for first_row, seed in [(0, 0), (2**40 + 3, 12345678901)]:
        one_by_one = hash_of(np.arange(first_row, first_row + 1_000), seed)
        np.testing.assert_array_equal(hash_rows(first_row, 1_000, seed), one_by_one)
