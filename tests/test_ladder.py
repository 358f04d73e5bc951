"""The article's ladder: every rung the same gradient, the loop that stays, the race."""

from __future__ import annotations

import json
import re
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_info

from zeroloop.errors import DataError, NotConvergedWarning, OptionError, OutputError, ZeroloopError
from zeroloop.ladder.chart import draw
from zeroloop.ladder.descent import gradient_descent
from zeroloop.ladder.race import check_agreement, count_lines, count_loops, find_rung, made_data, race, source_code
from zeroloop.ladder.rungs import RUNGS, fused, one_loop, two_loops, vectorized
from zeroloop.ladder.shapes import Gradient, Rung, unchecked

X9 = made_data(9, 3)[0]


@given(m=st.integers(1, 40), n=st.integers(1, 6), seed=st.integers(0, 99), size=st.sampled_from([0.1, 1, 100, 1000]))
def test_rungs_agree(m: int, n: int, seed: int, size: float) -> None:
    X, Y, w, b = made_data(m, n, seed)
    check_agreement(X, Y, size * w, b)


@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("z", [-1000.0, 1000.0])
def test_no_margin_overflows(rung: Rung, z: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        J, dw, db = unchecked(rung)(np.array([[z, z]]), np.array([[0.0, 1.0]]), np.array([[1.0]]), 0.0)
    assert pytest.approx(500) == J
    assert np.shape(dw) == (1, 1)
    assert float(db) == pytest.approx(0.5 * np.sign(z))


@pytest.mark.parametrize("rung", RUNGS)
def test_gradient_is_that_of_finite_differences(rung: Rung) -> None:
    X, Y, w, b = made_data(60, 3)
    _, dw, db = rung(X, Y, w, b)
    step = 1e-6
    for j in range(3):
        move = step * np.eye(3)[:, j : j + 1]
        slope = (rung(X, Y, w + move, b)[0] - rung(X, Y, w - move, b)[0]) / (2 * step)
        assert dw[j, 0] == pytest.approx(slope, rel=1e-6, abs=1e-9)
    assert db == pytest.approx((rung(X, Y, w, b + step)[0] - rung(X, Y, w, b - step)[0]) / (2 * step), rel=1e-6)


def test_a_rung_that_is_wrong_does_not_race() -> None:
    def wrong(X: np.ndarray, Y: np.ndarray, w: np.ndarray, b: float) -> Gradient:
        J, dw, db = vectorized(X, Y, w, b)
        return J, dw * 1.001, db

    with pytest.raises(ZeroloopError, match=r"wrong is wrong.*: dw is 1.001 times what it should be"):
        race(*made_data(50, 3), rungs=[two_loops, wrong])


def test_loops_and_lines_are_counted_from_the_source() -> None:
    assert [count_loops(rung) for rung in RUNGS] == [2, 1, 0, 1, 2]
    assert count_lines(fused) > 50 > count_lines(two_loops) > count_lines(one_loop) > count_lines(vectorized)
    written = "for (int64_t j = 0; j < n; j++) {\n            a = fma(c[j], load(x + j * ld + i), a);"
    assert written in source_code(fused)
    assert "// Z = w.T X + b" in source_code(fused)


@pytest.mark.parametrize("rung", RUNGS)
def test_descent_is_the_same_on_every_rung(rung: Rung) -> None:
    X, Y, _, _ = made_data(50, 3)
    w, b, costs = gradient_descent(X, Y, 0.5, 30, rung)
    assert len(costs) == 30
    assert costs[0] == pytest.approx(np.log(2))
    assert all(after < before for before, after in pairwise(costs))
    w_v, b_v, _ = gradient_descent(X, Y, 0.5, 30)
    np.testing.assert_allclose(w, w_v, rtol=1e-9)
    assert b == pytest.approx(b_v)


def test_descent_reaches_the_optimum() -> None:
    X, Y, _, _ = made_data(400, 3)
    w, b, _ = gradient_descent(X, Y, 2.0, 2000)
    _, dw, db = vectorized(X, Y, w, b)
    assert max(np.max(np.abs(dw)), abs(db)) < 1e-10


def test_a_diverging_alpha_is_reported() -> None:
    X, Y, _, _ = made_data(200, 3)
    with pytest.warns(NotConvergedWarning, match=r"alpha = 500 is too large: .* Try alpha = 50\."):
        _, _, costs = gradient_descent(X, Y, 500, 20)
    assert len(costs) == 20


@pytest.mark.parametrize(
    ("alpha", "iterations", "shape"),
    [
        (0, 3, (1, 9)),
        (float("nan"), 3, (1, 9)),
        (0.1, 3, (9,)),
        (0.1, 3, (1, 8)),
        (0.1, 1.5, (1, 9)),
        (0.1, -1, (1, 9)),
    ],
)
def test_descent_refuses_what_does_not_fit(alpha: float, iterations: Any, shape: tuple[int, ...]) -> None:
    with pytest.raises(ZeroloopError, match=r"alpha is|has shape|num_iterations is"):
        gradient_descent(np.ones((2, 9)), np.zeros(shape), alpha, iterations)


def test_descent_blames_a_nan_and_not_alpha() -> None:
    X, Y, _, _ = made_data(9, 2)
    X[1, 4] = np.nan
    with pytest.raises(DataError, match="X is nan in row 1, column 4, counted from 0; expected finite numbers"):
        gradient_descent(X, Y, 0.1, 3)


W, ONES = np.ones((3, 1)), np.ones((1, 9))
REFUSED: dict[str, tuple[Any, Any, Any, Any, str]] = {
    "Y upright": (X9, ONES.T, W, 0, "Y has shape (9, 1); expected (1, m) = (1, 9): try Y.T."),
    "Y flat": (X9, ONES[0], W, 0, "Y has shape (9,); expected two dimensions, (1, m); try Y.reshape(1, -1)."),
    "Y short": (X9, ONES[:, :8], W, 0, "Y has shape (1, 8); expected (1, m) = (1, 9), a label for each column of X"),
    "-1 and 1": (X9, 2 * (X9[:1] > 0) - 1.0, W, 0, "Y has the labels -1 and 1; expected 0 and 1: try (Y + 1) / 2."),
    "1 and 2": (X9, (X9[:1] > 0) + 1.0, W, 0, "Y has the labels 1 and 2; expected 0 and 1: try Y - 1."),
    "halves": (X9, 0.5 * ONES, W, 0, "Y is 0.5 in column 0 of 9, counted from 0; expected labels 0 and 1."),
    "label nan": (X9, np.where(X9[:1] > 9, 1, np.nan), W, 0, "Y is nan in column 0 of 9"),
    "X upright": (X9.T, ONES, W, 0, "X has shape (9, 3) and Y (1, 9): one example a row; expected X (n_x, m), "),
    "X text": (X9.astype(str), ONES, W, 0, "X holds <U32 values; expected numbers."),
    "X list": (X9.tolist(), ONES, W, 0, "X is a list; expected a NumPy array: np.array(X)."),
    "X matrix": (X9.view(np.matrix), ONES, W, 0, "X is a matrix; expected a NumPy array: np.array(X)."),
    "X inf": (np.where(X9[2, 5] == X9, np.inf, X9), ONES, W, 0, "X is inf in row 2, column 5, counted from 0"),
    "X empty": (X9[:, :0], ONES[:, :0], W, 0, "X has shape (3, 0): no examples"),
    "X too large": (1e300 * X9, ONES, 1e300 * W, 0, "is beyond what float64 holds: X or w has too large values."),
    "w flat": (X9, ONES, W[:, 0], 0, "w has shape (3,); expected two dimensions, (n_x, 1); try w.reshape(-1, 1)."),
    "w lying": (X9, ONES, W.T, 0, "w has shape (1, 3); expected (n_x, 1) = (3, 1): try w.T."),
    "w long": (
        X9,
        ONES,
        np.ones((4, 1)),
        0,
        "w has shape (4, 1); expected (n_x, 1) = (3, 1), a weight for each row of X",
    ),
    "w nan": (X9, ONES, W * [[1], [np.nan], [1]], 0, "w is nan in row 1, counted from 0; expected finite numbers."),
    "b array": (X9, ONES, W, np.zeros((1, 1)), "b has shape (1, 1); expected a number, one bias for all examples."),
    "b none": (X9, ONES, W, None, "b is None; expected a finite number, one bias for all examples."),
    "b nan": (X9, ONES, W, np.nan, "b is nan; expected a finite number"),
    "b too large": (X9, ONES, W, 10**400, "expected a finite number"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("rung", RUNGS)
def test_every_rung_says_what_it_does_not_take(rung: Rung, name: str) -> None:
    X, Y, w, b, said = REFUSED[name]
    with pytest.raises(DataError, match=re.escape(said)):
        rung(X, Y, w, b)


def right(X: np.ndarray, Y: np.ndarray, w: np.ndarray, b: float) -> np.ndarray:
    """Return J, dw and db by other formulas, in exact types."""
    Z = w.astype(float).T @ X.astype(float) + b
    J = np.mean(np.logaddexp(0, np.where(Y == 1, -Z, Z)))
    dZ = np.where(Y == 1, -np.exp(-np.logaddexp(0, Z)), np.exp(-np.logaddexp(0, -Z)))
    return np.concatenate([[J], np.mean(X * dZ, axis=1), [np.mean(dZ)]])


@pytest.mark.parametrize("seed", range(40))
def test_any_numbers_in_any_layout_give_the_gradient(seed: int) -> None:
    rng = np.random.default_rng([seed, 5])
    n, m = int(rng.integers(0, 6)), int(rng.integers(1, 30))
    kinds = [bool, np.int8, np.uint8, np.int64, np.float16, np.float32, np.float64, np.longdouble]
    X = np.round(40 * rng.normal(size=(2 * n, 2 * m))).astype(kinds[rng.integers(len(kinds))])
    layouts = [X[:n, :m], np.asfortranarray(X[:n, :m]), X[:n, ::2], X[::2, :m], X[:n, ::-1][:, :m], X[:n, :m][::-1]]
    X = layouts[rng.integers(len(layouts))]
    Y = (rng.random((1, m)) < 0.5).astype(kinds[rng.integers(len(kinds))])
    w = np.round(2 * rng.normal(size=(n, 1))).astype(kinds[rng.integers(1, len(kinds))])
    biases: list[Any] = [0.5, 1, np.float32(0.25), np.array(2), True]
    b = biases[rng.integers(5)]
    expected = right(X, Y, w, float(b))
    for rung in RUNGS:
        J, dw, db = rung(X, Y, w, b)
        assert (np.ndim(J), dw.shape, np.ndim(db)) == (0, (n, 1), 0)
        np.testing.assert_allclose(np.concatenate([[J], dw[:, 0], [db]]), expected, rtol=1e-12, atol=1e-12)


def test_a_race_leaves_blas_its_threads() -> None:
    before = [library["num_threads"] for library in threadpool_info()]
    seen = []

    def gradient(X: np.ndarray, Y: np.ndarray, w: np.ndarray, b: float) -> Gradient:
        seen.append([one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"])
        return vectorized(X, Y, w, b)

    race(*made_data(50, 3), rungs=[vectorized, gradient])
    assert set(map(tuple, seen[1:])) == {(1,) * len(seen[-1])}
    assert [library["num_threads"] for library in threadpool_info()] == before


def test_race_times_every_rung_and_draws_it(tmp_path: Path) -> None:
    results = race(*made_data(500, 5))
    assert [result.rung for result in results] == ["two_loops", "one_loop", "vectorized", "tiled", "fused"]
    assert [result.compiled for result in results] == [False] * 4 + [True]
    assert all(result.seconds <= result.slowest and result.repeats >= 3 for result in results)
    assert results[0].speedup == 1
    assert all(result.seconds > 0 and 0 < result.timed_examples <= 500 for result in results)
    for name in ("race.png", "race.svg"):
        draw(results, "a race", tmp_path / name)
        assert (tmp_path / name).stat().st_size > 5000
    with pytest.raises(OutputError, match="does not exist; make it first"):
        draw(results, "a race", tmp_path / "none" / "race.png")


def test_there_is_no_sixth_rung() -> None:
    assert find_rung("fused") is fused
    with pytest.raises(OptionError, match="there are two_loops, one_loop, vectorized, tiled, fused"):
        find_rung("none")


@pytest.mark.parametrize("examples", [10**12, 10**400], ids=["12", "400"])
def test_more_examples_than_memory_holds_are_refused(examples: int) -> None:
    with pytest.raises(OptionError, match=r"examples of 50 features are more than fit the .* of memory here"):
        made_data(examples, 50)


def test_results_are_plain_values() -> None:
    from dataclasses import asdict

    assert json.dumps([asdict(result) for result in race(*made_data(100, 2))])
