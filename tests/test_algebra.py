"""Dense algebra in the core: right, by NumPy's and mpmath's word; the same bits at every level of processor."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from numpy.typing import NDArray

from zeroloop import algebra, core

Floats = NDArray[np.float64]
EPS = float(np.finfo(np.float64).eps)
SIZES = (1, 2, 5, 8, 9, 16, 31, 33, 64, 65, 97, 150, 301)


def positive(n: int, seed: int = 0, condition: float = 1e4) -> Floats:
    """Return a symmetric positive definite matrix."""
    q, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((n, n)))
    a: Floats = (q * np.geomspace(1, 1 / condition, n)) @ q.T
    return (a + a.T) / 2


def close(found: Floats, exact: Floats, size: Floats, terms: int) -> bool:
    """Whether sums of `terms` terms, of which the magnitudes sum to `size`, are as exact as float64 allows."""
    return bool(np.all(np.abs(found - exact) <= (terms + 2) * EPS * size))


def with_gaps(a: Floats) -> Floats:
    """Return a matrix whose rows and columns are not contiguous."""
    return np.repeat(np.repeat(a, 2, axis=0), 3, axis=1)[::2, ::3]


@pytest.mark.parametrize(("m", "k", "n"), [(1, 1, 1), (3, 5, 2), (12, 16, 16), (13, 257, 17), (97, 300, 33), (5, 0, 4)])
def test_products_of_any_layout(m: int, k: int, n: int) -> None:
    rng = np.random.default_rng(m)
    a, b = rng.standard_normal((m, k)), rng.standard_normal((k, n))
    layouts: list[Callable[[Floats], Floats]] = [np.ascontiguousarray, np.asfortranarray, with_gaps]
    exact, size = a @ b, np.abs(a) @ np.abs(b)
    for left in layouts:
        for right in layouts:
            assert close(algebra.matmul(left(a), right(b)), exact, size, k)
            assert close(algebra.matmul(left(a)[::-1], right(b)), exact[::-1], size[::-1], k)
        assert close(algebra.matmul(left(a), b[:, 0]), exact[:, 0], size[:, 0], k)
        assert close(algebra.matmul(a[0], left(b)), exact[0], size[0], k)
        gram = algebra.gram(left(a))
        assert close(gram, a @ a.T, np.abs(a) @ np.abs(a.T), k)
        assert np.array_equal(gram, gram.T)
    assert np.array_equal(algebra.matmul(a.astype(np.float32), b), algebra.matmul(a.astype(np.float32) * 1.0, b))


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 1000])
def test_dot_and_norm(n: int) -> None:
    a, b = np.random.default_rng(n).standard_normal((2, n))
    assert abs(algebra.dot(a, b) - np.sum(a * b)) <= EPS * (n + 2) * np.sum(np.abs(a * b))
    assert algebra.norm(a) == pytest.approx(np.sqrt(np.sum(a * a)), rel=1e-14)
    assert algebra.dot(np.repeat(a, 2)[::2], b) == algebra.dot(a, b)


@pytest.mark.parametrize("n", SIZES)
def test_cholesky_and_solutions(n: int) -> None:
    a, rng = positive(n, n), np.random.default_rng(n)
    lower = algebra.cholesky(a)
    assert lower is not None
    assert np.array_equal(lower, np.tril(lower))
    assert close(lower @ lower.T, a, np.abs(lower) @ np.abs(lower.T), 2 * n)
    for shape in ((n,), (n, 1), (n, 3), (n, 40)):
        b = rng.standard_normal(shape)
        x = algebra.solve_positive(a, b)
        assert x is not None
        assert x.shape == shape
        assert close(a @ x, b, np.abs(lower) @ (np.abs(lower.T) @ np.abs(x)), 3 * n)
        for transposed, part in ((False, lower), (True, lower.T)):
            for given in (lower, np.ascontiguousarray(lower)):
                x = algebra.solve_lower(given, b, transposed=transposed)
                assert close(part @ x, b, np.abs(part) @ np.abs(x), n)
    inverse = algebra.invert_positive(a)
    assert inverse is not None
    assert np.array_equal(inverse, inverse.T)
    assert np.max(np.abs(a @ inverse - np.eye(n))) <= 1e4 * 10 * n * EPS
    inverse = algebra.invert_lower(lower)
    assert np.array_equal(inverse, np.tril(inverse))
    assert close(lower @ inverse, np.eye(n), np.abs(lower) @ np.abs(inverse), 3 * n)


@pytest.mark.parametrize("n", SIZES)
def test_solutions_in_any_units(n: int) -> None:
    rng = np.random.default_rng(n)
    units = 10.0 ** rng.uniform(-80, 80, n)
    a, b = positive(n, n, 10.0), rng.standard_normal(n)
    exact = np.linalg.solve(a, b)
    found = algebra.solve_scaled(a * units[:, np.newaxis] * units, b * units, 0.0, 1e-10)
    assert found is not None
    assert np.max(np.abs(found * units - exact)) <= 100 * n * EPS * np.max(np.abs(exact))
    # A row without curvature has no part in it.
    empty = np.insert(np.insert(a, n // 2, 0.0, axis=0), n // 2, 0.0, axis=1)
    found = algebra.solve_scaled(empty, np.insert(b, n // 2, 5.0), 1e-30, 1e-10)
    assert found is not None
    assert found[n // 2] == 0.0
    assert np.max(np.abs(np.delete(found, n // 2) - exact)) <= 100 * n * EPS * np.max(np.abs(exact))
    # Others leave the last row a millionth of its curvature.
    near = np.ones((n + 1, n + 1)) * (1 - 1e-6) + 1e-6 * np.eye(n + 1)
    ones = np.ones(n + 1)
    assert algebra.solve_scaled(near, ones, 0.0, 1e-10) is not None
    assert algebra.solve_scaled(near, ones, 0.0, 1e-4) is None
    assert algebra.solve_scaled(np.full((2, 2), np.nan), np.ones(2), 0.0, 1e-10) is None


@pytest.mark.parametrize("n", [0, 1, 5, 63, 64, 65, 130])
def test_an_upper_triangle_is_mirrored(n: int) -> None:
    rng = np.random.default_rng(n)
    a, unit = rng.standard_normal((n, n)), rng.random(n)
    found = algebra.mirrored(np.triu(a) + np.tril(np.full((n, n), np.nan), -1), unit, 7.0)
    exact = np.triu(a) * np.outer(unit, unit / 7.0)
    assert np.array_equal(found, found.T)
    assert np.array_equal(np.triu(found), exact)


@pytest.mark.parametrize("n", [1, 5, 40, 100])
def test_what_is_not_positive_definite(n: int) -> None:
    a = positive(n)
    b = np.ones(n)
    for bad in (0.0, -1.0, np.nan, np.inf):
        spoiled = a.copy()
        spoiled[-1, -1] = bad
        assert algebra.cholesky(spoiled) is None
        assert algebra.solve_positive(spoiled, b) is None
        assert algebra.invert_positive(spoiled) is None
    if n > 1:
        a[0, -1] = a[-1, 0] = np.nan
        assert algebra.cholesky(a) is None


def matrices() -> list[Floats]:
    """Symmetric matrices, some of them hard: repeated and zero eigenvalues, blocks, scales far apart and far from 1."""
    rng = np.random.default_rng(5)
    found: list[Floats] = [np.add(a, a.T) for a in (rng.standard_normal((n, n)) for n in SIZES)]
    found += [np.eye(40), np.zeros((9, 9)), np.ones((50, 50)), np.diag(np.arange(33.0)), positive(70, condition=1e16)]
    found += [
        np.kron(np.eye(8), positive(5)).astype(np.float64),
        1e-300 * positive(40),
        1e300 * positive(40),
        5e-324 * np.eye(3),
    ]
    few = rng.standard_normal((180, 59))  # two thirds of its eigenvalues are rounding
    found.append(algebra.gram(few))
    grading = np.geomspace(1, 1e-12, 60)
    return [*found, np.multiply(positive(60), np.outer(grading, grading)), np.add(np.eye(99, k=1), np.eye(99, k=-1))]


@pytest.mark.parametrize("a", matrices())
def test_eigenvectors(a: Floats) -> None:
    n = len(a)
    values, vectors = algebra.eigh(a)
    size = max(float(np.max(np.abs(values))), 5e-324)
    assert np.all(np.diff(values) >= 0)
    assert np.max(np.abs(vectors.T @ vectors - np.eye(n))) <= 10 * n * EPS
    with np.errstate(under="ignore"):
        assert np.max(np.abs((a / size) @ vectors - vectors * (values / size))) <= 10 * n * EPS
        assert np.max(np.abs(values / size - np.linalg.eigvalsh(a / size))) <= 10 * n * EPS


def ulps(found: Floats, exact: Any, given: Floats) -> float:
    """Return the largest error, in units of the last digit."""
    with mpmath.workprec(200):
        truth = [exact(mpmath.mpf(x)) for x in given.tolist()]
        return max(
            float(abs(mpmath.mpf(f) - e) / float(np.spacing(abs(float(e)))))
            for f, e in zip(found.tolist(), truth, strict=True)
        )


def test_exp_and_logarithms() -> None:
    rng = np.random.default_rng(3)
    x = np.concatenate([rng.uniform(-740, 709, 500), rng.standard_normal(500), 1e-9 * rng.standard_normal(99)])
    assert ulps(algebra.exp(x), mpmath.exp, x) <= 3
    x = np.concatenate(
        [np.exp(rng.uniform(-740, 709, 500)), 1 + 1e-5 * rng.standard_normal(500), 2.0 ** np.arange(-9, 9)]
    )
    assert ulps(algebra.log(x), mpmath.log, x) <= 2
    x = np.concatenate([np.exp(rng.uniform(-600, 600, 500)), -rng.random(500), -np.exp(rng.uniform(-600, -1, 99))])
    assert ulps(algebra.log1p(x), mpmath.log1p, x) <= 2
    ends = np.array([0.0, -0.0, 1.0, 5e-324, np.inf, np.nan, -1.0, -np.inf, 1.7e308, 800.0])
    with np.errstate(all="ignore"):
        for mine, other in ((algebra.exp, np.exp), (algebra.log, np.log), (algebra.log1p, np.log1p)):
            np.testing.assert_allclose(mine(ends), other(ends), rtol=3 * EPS, atol=0)
    z = np.array([-800.0, -1.0, 0.0, 1.0, 800.0])
    np.testing.assert_allclose(algebra.softplus(z), np.logaddexp(0, z), rtol=4 * EPS)
    assert algebra.exp(1.0) == algebra.exp(np.array([1.0]))[0]
    assert algebra.exp(np.ones((2, 3)).T).shape == (3, 2)
    assert algebra.powers_of_ten(np.arange(-9.0, 9)).tolist() == [float(f"1e{k}") for k in range(-9, 9)]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: algebra.dot(np.ones(3), np.ones(4)), r"shapes \(3,\) and \(4,\)"),
        (lambda: algebra.matmul(np.ones((2, 3)), np.ones((2, 3))), r"cannot be multiplied"),
        (lambda: algebra.matmul(np.ones(3), np.ones(3)), r"cannot be multiplied"),
        (lambda: algebra.matmul(np.ones((2, 3, 3)), np.ones(3)), r"\(2, 3, 3\)"),
        (lambda: algebra.cholesky(np.ones((2, 3))), r"\(2, 3\); it must be square"),
        (lambda: algebra.solve_positive(np.eye(3), np.ones(2)), r"3 rows"),
        (lambda: algebra.solve_lower(np.eye(3), np.ones((2, 2))), r"3 rows"),
        (lambda: algebra.invert_lower(np.ones(3)), r"square"),
        (lambda: algebra.eigh(np.full((2, 2), np.nan)), r"NaN or infinity"),
        (lambda: algebra.gram(np.ones(3)), r"rows and columns"),
        (lambda: algebra.solve_scaled(np.eye(3), np.ones((3, 2)), 0.0, 0.0), r"2 columns"),
        (lambda: algebra.mirrored(np.eye(3), np.ones(2), 1.0), r"\(2,\); it must be \(3,\)"),
    ],
)
def test_what_does_not_fit(call: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        call()


def test_nothing_at_all() -> None:
    none = np.empty((0, 0))
    for found in (algebra.cholesky(none), algebra.invert_positive(none), algebra.eigh(none)[1]):
        assert found is not None
        assert found.shape == (0, 0)
    assert algebra.matmul(np.empty((3, 0)), np.empty((0, 2))).tolist() == [[0, 0]] * 3
    assert algebra.exp(np.empty(0)).size == 0


def digest() -> str:
    """Return a hash of the bits of everything here."""
    found = hashlib.sha256()
    rng = np.random.default_rng(9)
    for n in SIZES:
        a, b, x = (
            positive(64)[:n, :n] if n <= 64 else np.eye(n) + 1 / n,
            rng.random((n, 7)),
            rng.standard_normal((n, n + 3)),
        )
        lower = algebra.cholesky(a)
        assert lower is not None
        results = [lower, algebra.invert_positive(a), algebra.solve_positive(a, b), algebra.solve_positive(a, b[:, 0])]
        results += [algebra.solve_lower(lower, b), algebra.solve_lower(lower, b[:, 0], transposed=True)]
        results += [*algebra.eigh(a + a.T), algebra.invert_lower(lower), algebra.matmul(x.T, b), algebra.gram(x)]
        results += [algebra.matmul(x, x[0]), algebra.matmul(x.T, b[:, 0]), np.array(algebra.dot(x[0], x[-1]))]
        results += [algebra.exp(100 * x), algebra.log(np.abs(x) + 1e-9), algebra.log1p(b)]
        for result in results:
            assert result is not None
            found.update(np.ascontiguousarray(result).tobytes())
    return found.hexdigest()


def test_every_level_has_the_same_bits() -> None:
    here = digest()
    for level in core.levels:
        command = [sys.executable, "-c", "from tests.test_algebra import digest; print(digest())"]
        ran = subprocess.run(
            command, env=os.environ | {"ZEROLOOP_CPU": level}, capture_output=True, text=True, check=True
        )
        assert ran.stdout.strip() == here
