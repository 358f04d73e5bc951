"""Solvers on data with a known optimum; every outcome provoked, its text read."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from conftest import made
from zeroloop.auto import choose_solver
from zeroloop.errors import DataError, OptionError
from zeroloop.fit import MAX_ITER, Fit, Options, fit, plain_shape
from zeroloop.kernels.statistics import moments
from zeroloop.objective import Outcome, Units
from zeroloop.solvers.sampled_newton import sample_sizes
from zeroloop.sources.memory import stacked


def fitted(X: NDArray[Any], y: NDArray[Any], weight: NDArray[Any] | None = None, **options: Any) -> Fit:
    source = stacked(X.T, y, weight)
    columns = source.reduce(moments)
    scale = np.append(1.0, columns.deviation())
    return fit(source, Options(**options), units=Units(columns.mean, scale), shape=plain_shape(scale))


@pytest.mark.parametrize("solver", MAX_ITER)
def test_a_two_by_two_table_has_the_log_odds_ratio(solver: str) -> None:
    # x = 0: 10 of 40 positive; x = 1: 30 of 50: the optimum is in every textbook.
    X = np.repeat([0.0, 0.0, 1.0, 1.0], [30, 10, 20, 30])[:, np.newaxis]
    y = np.repeat([0, 1, 0, 1], [30, 10, 20, 30])
    found = fitted(X, y, solver=solver, C=math.inf, tol=1e-10, learning_rate=1.0)
    assert found.converged
    np.testing.assert_allclose(found.coef[0], [math.log(10 / 30), math.log(30 * 30 / (10 * 20))], rtol=1e-8)
    assert found.worst.last.gradient_norm <= 1e-10
    assert found.solver == solver


@pytest.mark.parametrize("solver", MAX_ITER)
@pytest.mark.parametrize("C", [0.01, 1.0])
def test_solvers_meet(solver: str, C: float) -> None:
    X, y = made(500, 4)
    newton = fitted(X, y, C=C, tol=1e-9)
    other = fitted(X, y, C=C, tol=1e-9, solver=solver, learning_rate=1.0)
    np.testing.assert_allclose(other.coef, newton.coef, rtol=1e-6, atol=1e-9)
    a_step = 6 if solver == "newton-cg" else 2  # a product with the Hessian is a pass
    assert other.worst.n_iter < other.passes <= a_step * other.worst.n_iter + 4


def test_newton_takes_few_passes_from_any_base_rate() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20_000, 2))
    y = rng.random(20_000) < 1 / (1 + np.exp(-(X[:, 0] - 6)))
    assert fitted(X, y).passes <= 10


def test_not_converged_says_how_far_and_what_to_do() -> None:
    X, y = made(300, 3)
    found = fitted(X, y, max_iter=2, solver="gradient-descent")
    assert found.worst.outcome is Outcome.MAX_ITER
    assert not found.converged
    text = found.not_converged(1e-6)
    assert "after 3 passes of gradient-descent max |gradient| is" in text
    assert "above tol = 1e-06. The solver reached the limit on iterations; raise max_iter, or loosen tol." in text
    assert fitted(X, y, max_iter=1).worst.outcome is Outcome.MAX_ITER


def test_a_learning_rate_too_large_is_said() -> None:
    X, y = made(300, 3)
    found = fitted(X, y, solver="gradient-descent", learning_rate=1e4)
    assert found.worst.outcome is Outcome.DIVERGED
    assert "the learning rate is too large; try a tenth of it" in found.not_converged(1e-6)


def test_the_floor_of_rounding_is_called_converged_only_at_the_floor() -> None:
    X, y = made(300, 3)
    found = fitted(X, y, tol=1e-30)
    assert found.worst.outcome is Outcome.ROUNDING_FLOOR
    assert found.converged
    assert found.worst.last.gradient_norm < 1e-13
    assert "rounding" in found.worst.outcome.value


def test_a_stuck_solver_is_not_converged() -> None:
    from zeroloop.objective import Evaluation
    from zeroloop.solvers.newton import newton

    class Kinked:
        """1000 |theta|: its gradient never shrinks, and no step from the kink goes down."""

        passes_left = math.inf

        def __call__(self, theta: NDArray[np.float64], order: int) -> Evaluation:
            return Evaluation(
                value=float(1000 * abs(theta[0]) + 1),
                loss=0.0,
                gradient=np.ones(1),
                hessian=np.array([[1.0]]),
                slope=np.ones(1),
            )

        def is_met(self, theta: NDArray[np.float64], at: Evaluation, tol: float) -> bool:
            return at.gradient_norm <= tol

    solution = newton(Kinked(), np.zeros(1), tol=1e-6, max_iter=50)  # type: ignore[arg-type]
    assert solution.outcome is Outcome.STUCK
    assert not solution.converged
    assert "found no lower point" in solution.outcome.value


def test_columns_that_repeat_do_not_stop_a_free_fit() -> None:
    X, y = made(400, 3)
    free = fitted(X, y, C=math.inf)
    repeated = fitted(np.column_stack([X, X[:, 0], X[:, 1] - X[:, 2]]), y, C=math.inf)
    assert repeated.converged
    assert repeated.worst.last.loss == pytest.approx(free.worst.last.loss, rel=1e-10)


def test_without_an_intercept_the_start_is_zero() -> None:
    X, y = made(300, 2)
    source = stacked(X.T, y)
    ones = np.ones(3)
    found = fit(source, Options(), units=Units(np.zeros(2), ones), shape=plain_shape(ones), fit_intercept=False)
    assert found.coef[0, 0] == 0
    assert found.converged


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("C", 0), ("C", -1), ("C", math.nan), ("tol", math.nan), ("tol", 0), ("tol", math.inf), ("max_iter", 0),
        ("learning_rate", -1), ("solver", "sag"),
    ],
)  # fmt: skip
def test_options_out_of_range_are_refused(option: str, value: Any) -> None:
    with pytest.raises(OptionError, match=f"{option} is .*; it must be"):
        Options(**{option: value})


def test_one_class_and_no_weight_are_refused() -> None:
    X, _ = made(30, 2)
    with pytest.raises(DataError, match="have the same class"):
        fitted(X, np.ones(30))
    with pytest.raises(DataError, match="sum to 0"):
        fitted(X, np.arange(30) % 2, np.zeros(30))


def heavy_and_rare(m: int = 60_000) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return columns with heavy tails, and indicators of down to some five rows."""
    rng = np.random.default_rng(0)
    rare = (rng.random((m, 40)) < np.logspace(-1, -4.5, 40)).astype(np.float64)
    X = np.concatenate([rng.standard_t(2.5, (m, 20)), rare], axis=1)
    y = rng.random(m) < 1 / (1 + np.exp(-(X @ rng.standard_normal(60) * 0.7 - 2)))
    return X, y.astype(np.float64)


def rare_label(m: int = 100_000) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return some 100 positive rows among many: a plain sample of 20,000 would hold a score of them."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((m, 5))
    return X, (rng.random(m) < 1 / (1 + np.exp(-(X[:, 0] - 7.5)))).astype(np.float64)


@pytest.mark.parametrize("data", [lambda: made(60_000, 8), heavy_and_rare, rare_label])
@pytest.mark.parametrize("solver", ["sampled-newton", "newton-cg", "lbfgs"])
def test_large_data_has_newtons_optimum(data: Any, solver: str) -> None:
    X, y = data()
    newton = fitted(X, y, solver="newton", tol=1e-8)
    other = fitted(X, y, solver=solver, tol=1e-8)
    assert other.converged
    assert other.worst.last.gradient_norm <= 1e-8
    assert other.worst.last.value == pytest.approx(newton.worst.last.value, rel=1e-10)
    np.testing.assert_allclose(other.coef, newton.coef, rtol=1e-3, atol=1e-5)


def test_a_sample_leaves_few_passes() -> None:
    X, y = made(200_000, 10)
    found = fitted(X, y, solver="sampled-newton")
    assert found.passes <= 6
    assert found.worst.last.gradient_norm <= 1e-6


def test_poor_contraction_is_rescued_by_a_full_hessian() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_t(1.1, (60_000, 10))  # nearly without a variance: a sample's Hessian says little
    y = rng.random(60_000) < 0.5 + 0.5 * np.tanh((X @ rng.standard_normal(10) * 0.7 - 2) / 2)
    orders: list[bool] = []
    source = stacked(X.T, y)
    columns = source.reduce(moments)
    scale = np.append(1.0, columns.deviation())
    found = fit(
        source,
        Options(solver="sampled-newton"),
        units=Units(columns.mean, scale),
        shape=plain_shape(scale),
        on_pass=lambda passes, evaluation, lowest: orders.append(evaluation.hessian.size > 0),
    )
    assert found.converged
    assert 1 <= sum(orders) <= 3
    assert found.passes <= 25


def test_columns_that_a_sample_hardly_meets_do_not_run_off() -> None:
    # Saturated on the sample and flat on all rows, such columns once took 49 passes here.
    X, y = heavy_and_rare(300_000)
    assert fitted(X, y, solver="sampled-newton").passes <= 15


def test_the_same_rows_are_sampled_whatever_the_threads_and_layout() -> None:
    X, y = made(50_000, 3)
    fractions = (0.05, 0.1)
    samples = [
        stacked(layout.T, y, threads=threads).sample(fractions, seed=3)
        for layout in (X, np.asfortranarray(X))
        for threads in (1, 2, 5)
    ]
    first = np.concatenate([block.numeric for block in samples[0].blocks], axis=1)
    assert 0.03 * 50_000 < samples[0].n_rows < 0.12 * 50_000
    for sample in samples[1:]:
        np.testing.assert_array_equal(np.concatenate([block.numeric for block in sample.blocks], axis=1), first)
    other = stacked(X.T, y).sample(fractions, seed=4)
    assert other.n_rows != samples[0].n_rows


def test_a_sample_stands_for_all_rows() -> None:
    X, y = rare_label()
    sample = stacked(X.T, y).sample((0.1, 1.0), seed=0)
    labels = np.concatenate([block.y for block in sample.blocks if block.y is not None])
    weight = np.concatenate([block.weight for block in sample.blocks if block.weight is not None])
    assert np.sum(labels) == np.sum(y)
    np.testing.assert_allclose(weight[labels == 1], 1)
    np.testing.assert_allclose(weight[labels == 0], 10)
    assert np.sum(weight) == pytest.approx(len(y), rel=0.05)


@dataclass(kw_only=True)
class Shape:
    """What auto asks of a source."""

    n_rows: int
    n_numeric: int
    n_codes: int
    n_coefs: int
    n_stored: int = 0


@pytest.mark.parametrize(
    ("shape", "solver"),
    [
        (Shape(n_rows=150, n_numeric=4, n_codes=0, n_coefs=5), "newton"),
        (Shape(n_rows=10_000, n_numeric=20, n_codes=0, n_coefs=21), "newton"),
        (Shape(n_rows=4_000_000, n_numeric=20, n_codes=0, n_coefs=21), "sampled-newton"),
        (Shape(n_rows=1_000_000, n_numeric=50, n_codes=0, n_coefs=51), "sampled-newton"),
        (Shape(n_rows=1_000_000, n_numeric=5, n_codes=0, n_coefs=6), "newton"),
        (Shape(n_rows=327_346, n_numeric=9, n_codes=4, n_coefs=146), "sampled-newton"),
        (Shape(n_rows=1_000_000, n_numeric=100, n_codes=5, n_coefs=300), "sampled-newton"),
        (Shape(n_rows=100_000, n_numeric=1_000, n_codes=0, n_coefs=1_001), "sampled-newton"),
        (Shape(n_rows=20_000, n_numeric=5_000, n_codes=0, n_coefs=5_001), "lbfgs"),
        (Shape(n_rows=5_000, n_numeric=4_010, n_codes=0, n_coefs=4_011), "lbfgs"),
        (Shape(n_rows=5_000, n_numeric=3_990, n_codes=0, n_coefs=3_991), "lbfgs"),  # no cliff at 4,000
        (Shape(n_rows=2_500, n_numeric=3_000, n_codes=0, n_coefs=3_001), "lbfgs"),
    ],
)
def test_auto_goes_by_the_work(shape: Any, solver: str) -> None:
    assert choose_solver(shape) == solver


@pytest.mark.parametrize(
    ("shape", "n_outputs", "solver"),
    [
        (Shape(n_rows=3_000, n_numeric=20, n_codes=0, n_coefs=21), 1, "coordinate-descent"),  # small
        (Shape(n_rows=100, n_numeric=3_900, n_codes=0, n_coefs=3_901), 1, "coordinate-descent"),
        (Shape(n_rows=20_000, n_numeric=300, n_codes=0, n_coefs=301), 1, "proximal-newton"),
        (Shape(n_rows=10_000, n_numeric=100, n_codes=0, n_coefs=101), 10, "proximal-newton"),
        (Shape(n_rows=5_000, n_numeric=3_990, n_codes=0, n_coefs=3_991), 1, "coordinate-descent"),
        (Shape(n_rows=5_000, n_numeric=4_010, n_codes=0, n_coefs=4_011), 1, "coordinate-descent"),
    ],
)
def test_auto_with_an_l1_penalty_goes_by_the_work(shape: Any, n_outputs: int, solver: str) -> None:
    assert choose_solver(shape, n_outputs, smooth=False) == solver


def test_samples_grow_to_what_coefficients_deserve() -> None:
    assert sample_sizes(1_000_000, 51) == [2_000, 20_000]
    assert sample_sizes(1_000, 5) == [500]
    for rows, coefs in [(1_000_000, 201), (100_000, 1_001), (4_000_000, 21), (9_000, 300)]:
        sizes = sample_sizes(rows, coefs)
        assert sizes == sorted(sizes)
        assert sizes[-1] <= rows // 2
