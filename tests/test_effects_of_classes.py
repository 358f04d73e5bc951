"""Marginal effects on each of several classes, the first among them: judged by statsmodels and by differences."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import zeroloop


def a_frame(seed: int, k: int = 3, m: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x, u = rng.standard_normal((2, m))
    z = np.outer(x, rng.standard_normal(k)) + np.outer(u, rng.standard_normal(k)) + rng.gumbel(size=(m, k))
    return pd.DataFrame({"x": x, "u": u * 3 + 1, "g": rng.choice(["a", "b", "c"], m), "y": np.argmax(z, axis=1)})


@pytest.mark.parametrize("k", [3, 4])
@pytest.mark.parametrize("seed", range(4))
def test_derivatives_are_statsmodels_for_every_class(seed: int, k: int) -> None:
    frame = a_frame(seed, k)
    model = zeroloop.train(frame, "y", C=math.inf, features=["x", "u"])
    judge = sm.MNLogit(frame.y, sm.add_constant(frame[["x", "u"]])).fit(disp=0, method="newton", tol=1e-12)
    margins = judge.get_margeff(at="overall", method="dydx")
    effects = model.marginal_effects(frame).to_pandas()
    assert effects["class"].tolist() == [c for c in range(k) for _ in range(2)]
    wanted, errors = np.asarray(margins.margeff), np.asarray(margins.margeff_se)
    np.testing.assert_allclose(effects["effect"].to_numpy().reshape(k, 2), wanted.T, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(effects["std_err"].to_numpy().reshape(k, 2), errors.T, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_effects_sum_to_zero_over_the_classes(seed: int) -> None:
    frame = a_frame(seed, 4)
    effects = zeroloop.train(frame, "y", C=math.inf).marginal_effects(frame).to_pandas()
    assert len(effects) == 4 * 4
    for _, of_term in effects.groupby(["term", "change"]):
        assert abs(of_term.effect.sum()) < 1e-14
        assert of_term.std_err.notna().all()


@pytest.mark.parametrize("seed", range(2))
def test_changes_of_levels_and_their_errors_are_those_of_differences(seed: int) -> None:
    """By mpmath: the effect as a function of the coefficients, and the delta method with a gradient by differences."""
    frame = a_frame(seed, 3, m=80)
    model = zeroloop.train(frame, "y", C=math.inf, features=["x", "g"])
    covariance = model.covariance()
    coef = (model.coef[1:] - model.coef[0]).ravel()  # of: (intercept), x, g=b, g=c; class 1, class 2
    x = frame.x.tolist()

    def effect(level: int, of_class: int, *theta: mpmath.mpf) -> mpmath.mpf:
        total = mpmath.mpf(0)
        for value in x:
            shares = []
            for row in ([1, value, 0, 0], [1, value, int(level == 1), int(level == 2)]):
                e = [mpmath.mpf(1)] + [
                    mpmath.exp(sum(a * b for a, b in zip(theta[4 * k : 4 * k + 4], row, strict=True))) for k in range(2)
                ]
                shares.append(e[of_class] / sum(e))
            total += shares[1] - shares[0]
        return total / len(x)

    rows = {(r["class"], r["term"]): r for r in model.marginal_effects(frame).to_pylist()}
    with mpmath.workdps(30):
        for level, name in ((1, "g=b"), (2, "g=c")):
            for of_class in range(3):
                at = [mpmath.mpf(float(v)) for v in coef]
                value = effect(level, of_class, *at)
                h = mpmath.mpf(10) ** -10
                gradient = np.array(
                    [
                        float((effect(level, of_class, *at[:j], at[j] + h, *at[j + 1 :]) - value) / h)
                        for j in range(len(at))
                    ]
                )
                row = rows[of_class, name]
                assert row["effect"] == pytest.approx(float(value), rel=1e-9, abs=1e-12)
                assert row["std_err"] == pytest.approx(math.sqrt(gradient @ covariance @ gradient), rel=1e-6)


def test_of_two_classes_it_is_the_second_as_before() -> None:
    frame = a_frame(1).assign(y=lambda t: (t.y > 0).astype(int))
    effects = zeroloop.train(frame, "y", C=math.inf, features=["x"]).marginal_effects(frame).to_pylist()
    assert [row["term"] for row in effects] == ["x"]
    assert "class" not in effects[0]
