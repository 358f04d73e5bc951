"""Standard errors and all that follows from them: R's figures, peers, and laws."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import zeroloop
from zeroloop.blocks import FloatArray

REFERENCE = Path(__file__).parent / "reference" / "inference"
FIGURES: dict[str, Any] = json.loads((REFERENCE / "figures.json").read_text())["cases"]
EXACT = 1e-8  # relative, as the figures of R are


def table(name: str) -> pd.DataFrame:
    return pd.read_csv(REFERENCE / f"{name}.csv")


def free(data: Any, target: str, **options: Any) -> zeroloop.Model:
    return zeroloop.train(data, target=target, **{"C": math.inf, "test_fraction": 0.0} | options)


def of(case: str, name: str) -> FloatArray:
    return np.array(FIGURES[case][name], dtype=float)


def r_names(model: zeroloop.Model) -> list[str]:
    """Return the model's terms as R names them."""
    return [term.replace("(intercept)", "(Intercept)").replace("=", "") for term in model.schema.terms]


def in_order_of(case: str, model: zeroloop.Model, values: Sequence[Any]) -> FloatArray:
    place = {term: j for j, term in enumerate(r_names(model))}
    return np.array([values[place[term]] for term in FIGURES[case]["term"]], dtype=float)


def check(case: str, model: zeroloop.Model, **figures: str) -> None:
    """Compare columns of the model's terms with R's figures: by our name, theirs."""
    terms = model.terms().to_pydict()
    for ours, theirs in figures.items():
        np.testing.assert_allclose(in_order_of(case, model, terms[ours]), of(case, theirs), rtol=EXACT, err_msg=ours)


ALL = {name: name for name in ("coef", "std_err", "z", "p")}
BIRTHWT = ["age", "lwt", "race", "smoke", "ptl", "ht", "ui"]
CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "birthwt": ("birthwt", "low", {"features": BIRTHWT, "tests": ["race"]}),
    "birthwt offset": ("birthwt", "low", {"features": ["lwt", "race", "smoke"], "offset": "offset", "tests": ["race"]}),
    "birthwt frequency": (
        "birthwt",
        "low",
        {"features": ["lwt", "race", "smoke"], "weights": "pweight", "tests": ["race"]},
    ),
    "infert": (
        "infert",
        "case",
        {"features": ["education", "age", "parity", "induced", "spontaneous"], "tests": ["education"]},
    ),
    "menarche": ("menarche", "menarche", {"features": ["age"], "weights": "n"}),
    "esoph": ("esoph", "case", {"features": ["agegp", "alcgp", "tobgp"], "weights": "n"}),
}


@pytest.mark.parametrize("case", CASES)
def test_the_coefficient_table_is_r_s(case: str) -> None:
    file, target, options = CASES[case]
    model = free(table(file), target, **options)
    if case == "menarche":
        FIGURES[case]["term"] = [term.replace("Age", "age") for term in FIGURES[case]["term"]]
    check(case, model, **ALL)
    if "ci_lower" in FIGURES[case]:
        check(case, model, ci_lower="ci_lower", ci_upper="ci_upper")
        estimates = model.needed_estimates()
        assert estimates.log_likelihood == pytest.approx(float(of(case, "log_likelihood")), rel=EXACT)
        assert -2 * estimates.null_log_likelihood == pytest.approx(float(of(case, "null_deviance")), rel=EXACT)
        (test,) = estimates.tests
        assert test.df == FIGURES[case]["df"]
        assert test.wald == pytest.approx(float(of(case, "wald")), rel=EXACT)
        assert test.likelihood_ratio == pytest.approx(float(of(case, "lr")), rel=1e-7)
        assert test.likelihood_ratio_p == pytest.approx(float(of(case, "lr_p")), rel=1e-7)


@pytest.mark.parametrize("case", ["birthwt", "infert"])
@pytest.mark.parametrize("covariance", ["hc0", "hc1"])
def test_robust_errors_are_r_s(case: str, covariance: str) -> None:
    file, target, options = CASES[case]
    options = options | {"covariance": covariance, "tests": ()}
    check(case, free(table(file), target, **options), coef="coef", std_err=covariance)
    cluster = {"birthwt": "clinic", "infert": "stratum"}[case]
    clustered = free(table(file), target, **options, cluster=cluster)
    check(case, clustered, coef="coef", std_err=f"cluster_{covariance}")
    assert clustered.needed_estimates().n_clusters == table(file)[cluster].nunique()


@pytest.mark.parametrize("case", ["birthwt sampling", "birthwt sampling clusters"])
def test_sampling_weights_are_those_of_r_s_survey(case: str) -> None:
    cluster = "clinic" if "clusters" in case else None
    model = free(
        table("birthwt"),
        "low",
        features=["lwt", "race", "smoke"],
        weights="pweight",
        weight_type="sampling",
        cluster=cluster,
    )
    check(case, model, coef="coef", std_err="std_err")


def test_firth_s_fit_is_that_of_brglm2() -> None:
    check("birthwt firth", free(table("birthwt"), "low", features=BIRTHWT, method="firth"), **ALL)
