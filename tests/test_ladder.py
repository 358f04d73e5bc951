"""The article's ladder: every rung the same gradient, the loop that stays, the race."""

from __future__ import annotations

import json
import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zeroloop.errors import NotConvergedWarning, OptionError, OutputError, ZeroloopError
from zeroloop.ladder.chart import draw
from zeroloop.ladder.descent import gradient_descent
from zeroloop.ladder.race import check_agreement, count_lines, count_loops, find_rung, made_data, race
from zeroloop.ladder.rungs import RUNGS, Gradient, Rung, fused, one_loop, two_loops, vectorized


@given(m=st.integers(1, 40), n=st.integers(1, 6), seed=st.integers(0, 99), size=st.sampled_from([0.1, 1, 100, 1000]))
def test_rungs_agree(m: int, n: int, seed: int, size: float) -> None:
    X, Y, w, b = made_data(m, n, seed)
    check_agreement(X, Y, size * w, b)


@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("z", [-1000.0, 1000.0])
def test_no_margin_overflows(rung: Rung, z: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        J, dw, db = rung(np.array([[z, z]]), np.array([[0.0, 1.0]]), np.array([[1.0]]), 0.0)
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

    with pytest.raises(ZeroloopError, match="wrong and two_loops disagree"):
        race(*made_data(50, 3), rungs=[two_loops, wrong])


def test_loops_and_lines_are_counted_from_the_source() -> None:
    assert [count_loops(rung) for rung in RUNGS] == [2, 1, 0, 0]
    assert count_lines(two_loops) > count_lines(one_loop) > count_lines(vectorized) >= count_lines(fused)


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


@pytest.mark.parametrize(("alpha", "shape"), [(0, (1, 9)), (float("nan"), (1, 9)), (0.1, (9,)), (0.1, (1, 8))])
def test_descent_refuses_what_does_not_fit(alpha: float, shape: tuple[int, ...]) -> None:
    with pytest.raises(OptionError, match=r"alpha is|has shape"):
        gradient_descent(np.ones((2, 9)), np.zeros(shape), alpha, 3)


def test_race_times_every_rung_and_draws_it(tmp_path: Path) -> None:
    results = race(*made_data(3000, 5))
    assert [result.rung for result in results] == ["two_loops", "one_loop", "vectorized", "fused"]
    assert results[0].speedup == 1
    assert all(result.seconds > 0 and 0 < result.timed_examples <= 3000 for result in results)
    for name in ("race.png", "race.svg"):
        draw(results, "a race", tmp_path / name)
        assert (tmp_path / name).stat().st_size > 5000
    with pytest.raises(OutputError, match="does not exist; make it first"):
        draw(results, "a race", tmp_path / "none" / "race.png")


def test_there_is_no_fifth_rung() -> None:
    assert find_rung("fused") is fused
    with pytest.raises(OptionError, match="there are two_loops, one_loop, vectorized, fused"):
        find_rung("none")


@pytest.mark.parametrize("examples", [10**12, 10**400], ids=["12", "400"])
def test_more_examples_than_memory_holds_are_refused(examples: int) -> None:
    with pytest.raises(OptionError, match=r"examples of 50 features are more than fit the .* of memory here"):
        made_data(examples, 50)


def test_results_are_plain_values() -> None:
    from dataclasses import asdict

    assert json.dumps([asdict(result) for result in race(*made_data(100, 2))])
