"""Few clusters: what is said of them, and Student's t; held to statsmodels and to scipy."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import statsmodels.api as sm

import zeroloop
from command_line import run
from zeroloop.errors import OptionError

FEW = "with fewer than some 40, robust standard errors tend to be too small"


def a_frame(n_clusters: int, seed: int = 0, m: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    who = rng.permutation(np.arange(m) % n_clusters)
    x, u = rng.standard_normal((2, m))
    z = 0.7 * x - 0.4 + rng.standard_normal(n_clusters)[who] / 2
    y = (rng.random(m) < 1 / (1 + np.exp(-z))).astype(int)
    return pd.DataFrame(
        {"x": x, "u": u, "who": who, "w": rng.uniform(0.5, 3, m), "g": rng.choice(list("abc"), m), "y": y}
    )


def trained(frame: pd.DataFrame, **options: Any) -> zeroloop.Model:
    usual: dict[str, Any] = {"C": math.inf, "features": ["x", "u"], "cluster": "who"}
    return zeroloop.train(frame, "y", **usual | options)


@pytest.mark.parametrize("n_clusters", [3, 7, 12, 39])
@pytest.mark.parametrize("seed", range(3))
def test_t_is_statsmodels(n_clusters: int, seed: int) -> None:
    frame = a_frame(n_clusters, seed)
    model = trained(frame, degrees_of_freedom="clusters", covariance="hc1", tests=["x", ["x", "u"]])
    judge = sm.Logit(frame.y, sm.add_constant(frame[["x", "u"]])).fit(
        disp=0, tol=1e-13, cov_type="cluster", cov_kwds={"groups": frame.who}, use_t=True
    )
    df = n_clusters - 1
    terms = model.terms(0.9).to_pydict()
    np.testing.assert_allclose(terms["z"], judge.tvalues, rtol=1e-7)
    np.testing.assert_allclose(terms["p"], judge.pvalues, rtol=1e-7)
    reach = scipy.stats.t.ppf(0.95, df) * judge.bse
    np.testing.assert_allclose(terms["ci_lower"], judge.params - reach, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(terms["ci_upper"], judge.params + reach, rtol=1e-7, atol=1e-10)
    one, both = model.needed_estimates().tests
    assert one.wald_p == pytest.approx(terms["p"][1], rel=1e-8)
    if n_clusters > 3:
        wanted = judge.params[1:] @ np.linalg.inv(judge.cov_params().iloc[1:, 1:]) @ judge.params[1:]
        assert both.wald == pytest.approx(wanted, rel=1e-6)
        assert both.wald_p == pytest.approx(scipy.stats.f.sf(wanted / 2, 2, df), rel=1e-6)
    effects = model.marginal_effects(frame).to_pydict()
    np.testing.assert_allclose(effects["p"], 2 * scipy.stats.t.sf(np.abs(effects["z"]), df), rtol=1e-8)
    reach = scipy.stats.t.ppf(0.975, df) * np.array(effects["std_err"])
    np.testing.assert_allclose(effects["ci_upper"], effects["effect"] + reach, rtol=1e-8)


@pytest.mark.parametrize(("n_clusters", "said"), [(2, True), (39, True), (40, False), (80, False)])
@pytest.mark.parametrize("weights", [None, "sampling", "frequency"])
def test_few_are_said_whatever_the_weights(n_clusters: int, said: bool, weights: str | None) -> None:
    options = {} if weights is None else {"weights": "w", "weight_type": weights}
    summary = str(trained(a_frame(n_clusters), **options).summary())
    assert (f"There are {n_clusters} clusters: {FEW}" in summary) == said
    assert ("(--df clusters) takes them from t" in summary) == said
    summary = str(trained(a_frame(n_clusters), degrees_of_freedom="clusters", **options).summary())
    assert (f"Taken from t with {n_clusters - 1} degrees of freedom" in summary) == said


def test_two_clusters_are_not_taken_for_many() -> None:
    frame = a_frame(2)
    normal, t = trained(frame), trained(frame, degrees_of_freedom="clusters", tests=[["x", "u"]])
    assert normal.terms()["std_err"].to_pylist() == t.terms()["std_err"].to_pylist()
    assert min(t.terms()["p"].to_pylist()) > 1e-3 > min(normal.terms()["p"].to_pylist())
    assert (
        "Of 3 coefficients 2 clusters cannot tell as many errors apart: the covariance has a rank of at most 1"
        in str(t.summary())
    )
    (test,) = t.needed_estimates().tests
    assert math.isnan(test.wald)
    assert math.isnan(test.wald_p)
    assert "no finite Wald statistic" in str(t.summary())
    with pytest.raises(zeroloop.ZeroloopError, match="at least two, better forty"):
        trained(frame.assign(who=1))


def test_sampled_rows_are_clusters_of_their_own() -> None:
    frame = a_frame(30, m=30)
    model = trained(frame, cluster=None, weights="w", weight_type="sampling", degrees_of_freedom="clusters")
    assert model.needed_estimates().degrees_of_freedom == 29
    assert f"There are 30 rows with sampling weights, each its own cluster: {FEW}" in str(model.summary())


def test_a_number_and_what_is_none() -> None:
    frame = a_frame(9)
    model = trained(frame, cluster=None, degrees_of_freedom=np.int64(11))
    z = np.array(model.terms()["z"].to_pylist())
    np.testing.assert_allclose(model.terms()["p"].to_numpy(), 2 * scipy.stats.t.sf(np.abs(z), 11), rtol=1e-10)
    for bad in ("many", 0, -1, math.nan, True, None):
        with pytest.raises(OptionError, match=r"degrees_of_freedom is .*; it must be 'normal', 'clusters' or a number"):
            trained(frame, degrees_of_freedom=bad)
    with pytest.raises(OptionError, match="rows have neither clusters nor sampling weights"):
        trained(frame, cluster=None, degrees_of_freedom="clusters")
    with pytest.raises(OptionError, match="degrees_of_freedom: a penalised fit"):
        trained(frame, C=1.0, cluster=None, degrees_of_freedom=3)


def test_it_is_kept_and_older_models_are_read(tmp_path: Path) -> None:
    frame = a_frame(9)
    trained(frame, degrees_of_freedom="clusters").save(tmp_path / "m.json")
    loaded = zeroloop.load(tmp_path / "m.json")
    assert loaded.needed_estimates().degrees_of_freedom == 8
    assert loaded.test("x").wald_df == 8
    older = json.loads((tmp_path / "m.json").read_text())
    del older["estimates"]["degrees_of_freedom"], older["training"]["arguments"], older["training"]["paths"]
    del older["training"]["gaps"]
    (tmp_path / "m.json").write_text(json.dumps(older))
    loaded = zeroloop.load(tmp_path / "m.json")
    assert loaded.needed_estimates().degrees_of_freedom is None
    assert loaded.terms().to_pylist() == trained(frame).terms().to_pylist()


def test_the_command_line(tmp_path: Path) -> None:
    frame = a_frame(9)
    frame.to_csv(tmp_path / "rows.csv", index=False)
    train = [
        "train",
        "rows.csv",
        "--target",
        "y",
        "--C",
        "inf",
        "--features",
        "x,u",
        "--cluster",
        "who",
        "--test",
        "x,u",
    ]
    done = run(*train, "--df", "clusters", "-o", "m.json", cwd=tmp_path)
    assert "Taken from t with 8 degrees of freedom" in done.stdout
    assert "(F with 2 and 8 df)" in done.stdout
    printed = run("summary", "m.json", cwd=tmp_path).stdout
    assert "Degrees of freedom of t" in printed
    assert " t  " in printed
    model = trained(frame, degrees_of_freedom="clusters")
    run("predict", "m.json", "rows.csv", "--interval", "-o", "p.csv", cwd=tmp_path)
    p = pd.read_csv(tmp_path / "p.csv")
    X = np.column_stack([np.ones(len(frame)), frame[["x", "u"]]])
    z, error = X @ model.coef[0], np.sqrt(np.einsum("ij,jk,ik->i", X, model.covariance(), X))
    np.testing.assert_allclose(
        p["probability upper"], 1 / (1 + np.exp(-z - scipy.stats.t.ppf(0.975, 8) * error)), rtol=1e-7
    )
    assert "degrees_of_freedom is 'few'" in run(*train, "--df", "few", cwd=tmp_path).stderr
