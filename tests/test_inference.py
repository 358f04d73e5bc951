"""Standard errors and all that follows from them: R's figures, peers, and laws."""

from __future__ import annotations

import csv
import gc
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet
import pytest
import statsmodels.api
import statsmodels.formula.api as smf
from hypothesis import given
from hypothesis import strategies as st

import zeroloop
from zeroloop.blocks import FloatArray
from zeroloop.estimates import two_sided

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


def test_several_classes_are_those_of_multinom_relative_to_the_first() -> None:
    model = free(table("birthwt"), "group", features=["age", "lwt", "race", "smoke"])
    assert model.schema.target.levels[0] == "more"
    terms = model.terms()
    assert set(terms["class"].to_pylist()) == {"none", "one"}
    figures = FIGURES["birthwt classes"]
    for k, name in enumerate(figures["class"]):
        mine = terms.filter(pa.compute.equal(terms["class"], name)).to_pydict()
        for ours, tolerance in (("coef", 1e-6), ("std_err", 1e-6)):  # nnet stops by its own gradient's size
            theirs = np.array(figures[ours][k], dtype=float)
            place = {term: j for j, term in enumerate(r_names(model))}
            found = [mine[ours][place[term]] for term in figures["term"]]
            np.testing.assert_allclose(found, theirs, rtol=tolerance)
    assert model.needed_estimates().log_likelihood == pytest.approx(float(figures["log_likelihood"]), rel=1e-10)


def test_several_classes_are_those_of_statsmodels() -> None:
    data = table("birthwt").assign(g=lambda t: t.group.map({"more": 0, "none": 1, "one": 2}))
    model = free(data, "g", features=["age", "lwt", "race", "smoke"], tests=["race"])
    peer = smf.mnlogit("g ~ age + lwt + smoke + C(race)", data).fit(disp=0, tol=1e-14, method="newton")
    terms = model.terms().to_pydict()
    order = ["(intercept)", "race=other", "race=white", "age", "lwt", "smoke"]
    place = {term: j for j, term in enumerate(model.schema.terms)}
    n = len(place)
    for ours, theirs in (("coef", peer.params), ("std_err", peer.bse), ("p", peer.pvalues)):
        found = np.array([[terms[ours][k * n + place[term]] for term in sm_order(peer)] for k in range(2)])
        np.testing.assert_allclose(found.T, np.asarray(theirs), rtol=1e-7)
    assert len(order) == n
    effects = model.marginal_effects().to_pylist()
    margins = np.asarray(peer.get_margeff().margeff)
    errors = np.asarray(peer.get_margeff().margeff_se)
    columns = [name for name in peer.model.exog_names if name != "Intercept"]
    for row in effects:
        if row["change"] == "derivative":
            i, k = columns.index(row["term"]), int(row["class"])
            assert row["effect"] == pytest.approx(margins[i, k], rel=1e-6)
            assert row["std_err"] == pytest.approx(errors[i, k], rel=1e-6)
    robust = free(data, "g", features=["age", "lwt", "race", "smoke"], covariance="hc0")
    theirs = smf.mnlogit("g ~ age + lwt + smoke + C(race)", data).fit(
        disp=0, tol=1e-14, method="newton", cov_type="HC0"
    )
    found = np.array(robust.terms()["std_err"].to_pylist()).reshape(2, n)
    np.testing.assert_allclose(
        found[:, [place[term] for term in sm_order(theirs)]].T, np.asarray(theirs.bse), rtol=1e-6
    )


def sm_order(peer: Any) -> list[str]:
    """Return a formula's terms in statsmodels' order, as ours are named."""
    names = {"Intercept": "(intercept)"}
    return [names.get(n, n.replace("C(race)[T.", "race=").replace("]", "")) for n in peer.model.exog_names]


def test_published_tables() -> None:
    # Spector and Mazzeo, "Probit analysis and economic education", 1980, as printed in Greene, "Econometric analysis",
    # 5th ed., table 21.1, and by statsmodels.
    spector = statsmodels.api.datasets.spector.load_pandas().data
    model = free(spector, "GRADE")
    terms = {row["term"]: row for row in model.terms().to_pylist()}
    printed = {"(intercept)": (-13.021, 4.931), "GPA": (2.826, 1.263), "TUCE": (0.095, 0.142), "PSI": (2.379, 1.065)}
    for name, (coef, error) in printed.items():
        assert terms[name]["coef"] == pytest.approx(coef, abs=6e-4)
        assert terms[name]["std_err"] == pytest.approx(error, abs=6e-4)
    assert model.needed_estimates().log_likelihood == pytest.approx(-12.890, abs=5e-4)
    # Fair, "A theory of extramarital affairs", Journal of Political Economy, 1978; the survey of Redbook.
    fair = statsmodels.api.datasets.fair.load_pandas().data
    fair = fair.assign(affair=(fair.affairs > 0).astype(int)).drop(columns="affairs")
    model = free(fair, "affair")
    peer = smf.logit("affair ~ " + " + ".join(fair.columns.drop("affair")), fair).fit(disp=0, tol=1e-14)
    terms = {row["term"]: row for row in model.terms().to_pylist()}
    for name, coef, error, p in zip(peer.params.index, peer.params, peer.bse, peer.pvalues, strict=True):
        row = terms[name.replace("Intercept", "(intercept)")]
        assert (row["coef"], row["std_err"], row["p"]) == pytest.approx((coef, error, p), rel=1e-8)
    summary = model.summary()
    assert summary.figures["aic"] == pytest.approx(peer.aic, rel=1e-10)
    assert summary.figures["bic"] == pytest.approx(peer.bic, rel=1e-10)
    assert summary.figures["pseudo_r2"] == pytest.approx(peer.prsquared, rel=1e-9)
    assert summary.figures["likelihood_ratio"] == pytest.approx(peer.llr, rel=1e-9)
    assert summary.figures["likelihood_ratio_p"] == pytest.approx(peer.llr_pvalue, rel=1e-6)


def r_rows(name: str) -> list[dict[str, Any]]:
    with (REFERENCE.parent / name).open() as file:
        return list(csv.DictReader(file))


def flight_term(term: str) -> str:
    for column in ("weekday", "carrier", "origin", "dest"):
        if term.startswith(column):
            return f"{column}={term.removeprefix(column)}"
    return term.replace("(Intercept)", "(intercept)")


def test_the_flights_are_r_s(flights: str) -> None:
    features = ["month", "hour", "distance", "origin", "temp", "humid"]
    rows = pa.parquet.read_table(flights).drop_null()  # as R's na.omit had them
    model = free(rows, "late", features=features)
    robust = free(rows, "late", features=features, covariance="hc0")
    terms = {row["term"]: row for row in model.terms().to_pylist()}
    robust_terms = {row["term"]: row for row in robust.terms().to_pylist()}
    for row in r_rows("flights_glm_small_terms.csv"):
        mine = terms[flight_term(row["term"])]
        for name in ("coef", "std_err", "z", "p", "ci_lower", "ci_upper"):
            if float(row[name]) != 0:  # R's p-values are 0 from 1e-308 on
                assert mine[name] == pytest.approx(float(row[name]), rel=EXACT), (row["term"], name)
        assert robust_terms[mine["term"]]["std_err"] == pytest.approx(float(row["std_err_hc0"]), rel=EXACT)
    figures = model.summary().figures
    assert figures["log_likelihood"] == pytest.approx(-145269.06227019284, rel=1e-13)
    assert figures["null_deviance"] == pytest.approx(305443.36899917206, rel=1e-13)
    assert figures["aic"] == pytest.approx(290554.12454038567, rel=1e-13)
    assert figures["bic"] == pytest.approx(290638.77701662661, rel=1e-13)


def test_the_flights_with_all_columns(flights: str) -> None:
    with pytest.warns(zeroloop.ZeroloopWarning, match=r"the one row with dest=LEX has late 0"):
        model = zeroloop.train(flights, "late", C=math.inf, missing="drop")
    terms = {row["term"]: row for row in model.terms().to_pylist()}
    for row in r_rows("flights_glm_terms.csv"):
        mine = terms[flight_term(row["term"])]
        if mine["term"] == "dest=LEX":
            assert (mine["state"], mine["std_err"], mine["p"]) == ("no finite estimate", None, None)
            continue
        assert mine["std_err"] == pytest.approx(float(row["std_err"]), rel=EXACT)
        assert mine["coef"] == pytest.approx(float(row["coef"]), abs=EXACT * float(row["std_err"]))
        assert mine["z"] == pytest.approx(float(row["z"]), abs=EXACT * max(1, abs(float(row["z"]))))
        assert mine["p"] == pytest.approx(float(row["p"]), rel=1e-6)  # of z to the last digits, where p is tiny
    figures = model.summary().figures
    assert figures["parameters"] == 136
    assert figures["deviance"] == pytest.approx(282214.46865952795, rel=1e-12)
    assert figures["aic"] == pytest.approx(282486.46865952795, rel=1e-12)
    assert figures["bic"] == pytest.approx(283925.56075562409, rel=1e-12)


def states(model: zeroloop.Model) -> dict[str, str]:
    return {row["term"]: row["state"] for row in model.terms().to_pylist() if row["state"]}


def test_columns_that_repeat_others_are_named_and_left_out() -> None:
    data = table("birthwt").assign(both=lambda t: t.age + 2 * t.lwt)
    with pytest.warns(zeroloop.ZeroloopWarning, match=r"both repeats 2 lwt \+ age\."):
        model = free(data, "low", features=["age", "lwt", "both", "race"])
    assert FIGURES["birthwt aliased"]["aliased"] == "both"
    assert states(model) == {"both": "aliased"}
    check("birthwt aliased", model, **ALL)
    assert np.isnan(np.diag(model.covariance())).tolist() == [term == "both" for term in model.schema.terms]
    assert model.summary().figures["parameters"] == 5
    assert "both repeats 2 lwt + age" in str(model.summary())


def test_a_test_of_a_repeated_column_means_the_model_without_the_repeat(tmp_path: Path) -> None:
    data = table("birthwt").assign(twice=lambda t: t.lwt)
    with pytest.warns(zeroloop.ZeroloopWarning, match="twice repeats lwt"):
        model = free(data, "low", features=["age", "lwt", "twice"], tests=["lwt"])
    (test,) = model.needed_estimates().tests
    alone = free(data, "low", features=["age", "lwt"], tests=["lwt"]).needed_estimates().tests[0]
    assert test.df == 1
    assert test.likelihood_ratio == pytest.approx(alone.likelihood_ratio, rel=1e-9)
    assert model.test("age").likelihood_ratio == pytest.approx(
        free(data, "low", features=["age", "lwt"]).test("age").likelihood_ratio, rel=1e-9
    )


@pytest.mark.parametrize(
    ("made", "aliased"),
    [
        ({"twice": lambda t: t.age}, {"twice"}),
        ({"copy": lambda t: t.race}, {"copy=other", "copy=white"}),
        ({"white": lambda t: (t.race == "white").astype(float)}, {"race=white"}),
        ({"tiny": lambda t: t.age * 1e-150, "huge": lambda t: t.lwt * 1e150}, {"tiny", "huge"}),
        ({"far": lambda t: 1.7e9 + t.age}, {"far"}),
    ],
)
def test_repeats_of_all_kinds(made: dict[str, Any], aliased: set[str]) -> None:
    data = table("birthwt").assign(**made)
    with pytest.warns(zeroloop.ZeroloopWarning, match="repeats"):
        model = free(data, "low", features=["age", "lwt", "race", *made])
    plain = free(data, "low", features=["age", "lwt", "race"])
    assert set(states(model)) == aliased
    assert model.needed_estimates().log_likelihood == pytest.approx(plain.needed_estimates().log_likelihood, rel=1e-12)


# The fourth power leaves a billionth of itself, which float64 has to seven digits.
@pytest.mark.parametrize(("degree", "digits"), [(2, 1e-7), (3, 1e-6), (4, 1e-3)])
@pytest.mark.parametrize("kind", [{}, {"covariance": "hc1"}, {"method": "firth"}])
def test_polynomials_of_a_year_are_no_repeats(degree: int, digits: float, kind: dict[str, str]) -> None:
    rng = np.random.default_rng(0)
    year = rng.integers(1990, 2021, 2_000).astype(float)
    y = (rng.random(2_000) < 1 / (1 + np.exp(-0.1 * (year - 2005) + 0.01 * (year - 2000) ** 2))).astype(int)

    def fitted(origin: int) -> zeroloop.Model:
        powers = {f"x{k}": (year - origin) ** k for k in range(1, degree + 1)}
        return free(pd.DataFrame(powers | {"y": y}), "y", tests=[f"x{degree}"], **kind)

    far, near = fitted(0), fitted(2005)
    assert not states(far)
    # The highest power's coefficient is the same wherever years are counted from, and so is the fit.
    mine, theirs = far.terms().to_pydict(), near.terms().to_pydict()
    for name in ("coef", "std_err", "p"):
        assert mine[name][-1] == pytest.approx(theirs[name][-1], rel=digits), name
    ours, others = far.needed_estimates(), near.needed_estimates()
    assert ours.log_likelihood == pytest.approx(others.log_likelihood, rel=1e-3 * digits)
    assert ours.tests[0].wald == pytest.approx(others.tests[0].wald, rel=digits)
    if not kind:
        assert ours.tests[0].likelihood_ratio == pytest.approx(others.tests[0].likelihood_ratio, rel=digits, abs=1e-6)
    assert "nearly repeat" in str(far.summary())


def test_separation_names_the_column() -> None:
    data = pd.read_csv(REFERENCE.parent / "endometrial.csv")
    with pytest.warns(zeroloop.ZeroloopWarning, match=r"quasi-complete separation.*all rows with NV > 0 have HG 1"):
        model = free(data, "HG")
    assert states(model) == {"NV": "no finite estimate"}
    # As `glm` of R prints them, and `detectseparation` has them: the intercept, PI and EH are finite.
    terms = {row["term"]: row for row in model.terms().to_pylist()}
    printed = {"(intercept)": (4.30452, 1.63730), "PI": (-0.04218, 0.04433), "EH": (-2.90261, 0.84555)}
    for name, (coef, error) in printed.items():
        assert (terms[name]["coef"], terms[name]["std_err"]) == pytest.approx((coef, error), abs=6e-6)
    assert -2 * model.needed_estimates().log_likelihood == pytest.approx(55.393, abs=5e-4)
    assert "+inf" in str(model.summary())


def test_firth_s_fit_of_the_endometrial_data() -> None:
    data = pd.read_csv(REFERENCE.parent / "endometrial.csv")
    terms = {row["term"]: row for row in free(data, "HG", method="firth").terms().to_pylist()}
    for row in r_rows("endometrial_firth_terms.csv"):
        mine = terms[row["term"].replace("(Intercept)", "(intercept)")]
        for name in ("coef", "std_err", "z", "p"):
            assert mine[name] == pytest.approx(float(row[name]), rel=EXACT)


def test_firth_where_a_row_has_all_the_leverage() -> None:
    data = separable(g=lambda t: np.where(np.arange(len(t)) == 7, "alone", np.array(["a", "b"])[np.arange(len(t)) % 2]))
    model = free(data, "y", method="firth")
    assert model.training.passes < 40
    assert model.training.converged
    # The equations that Firth's estimate solves: sum_i (y - a + h (1/2 - a)) x = 0.
    x = np.column_stack([np.ones(400), data.x, data.g == "alone", data.g == "b"]).astype(float)
    assert model.schema.terms == ("(intercept)", "x", "g=alone", "g=b")
    a = 1 / (1 + np.exp(-x @ model.coef[0]))
    root = x * np.sqrt(a * (1 - a))[:, np.newaxis]
    leverage = np.einsum("ij,ij->i", root @ np.linalg.inv(root.T @ root), root)
    assert leverage[7] == pytest.approx(1)
    assert np.max(np.abs(x.T @ (data.y - a + leverage * (0.5 - a)))) < 1e-9
    np.testing.assert_allclose(model.covariance(), np.linalg.inv(root.T @ root), rtol=1e-8)


def separable(**columns: Any) -> pd.DataFrame:
    """Return rows with noise in x, and further columns made of them."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal(400)
    y = (rng.random(400) < 1 / (1 + np.exp(-x))).astype(int)
    data = pd.DataFrame({"x": x, "y": y})
    return data.assign(**columns)


CAUSES: dict[str, tuple[dict[str, Any], str, str, set[str]]] = {
    "a level": (
        {"g": lambda t: np.where(np.arange(len(t)) < 9, "odd", "even"), "y": lambda t: np.where(t.g == "odd", 1, t.y)},
        "quasi-complete",
        "all 9 rows with g=odd have y 1",
        {"g=odd"},
    ),
    "the reference level": (
        {"g": lambda t: np.array(["a", "b", "c"])[np.arange(len(t)) % 3], "y": lambda t: np.where(t.g == "a", 0, t.y)},
        "quasi-complete",
        "all 134 rows with g=a have y 0",
        {"(intercept)", "g=b", "g=c"},
    ),
    "a limit": (
        {"u": lambda t: np.arange(len(t)) / 100, "y": lambda t: (t.u > 2).astype(int)},
        "complete",
        "all rows with u > 2 have y 1, and no others do",
        {"u", "x", "(intercept)"},
    ),
    "a combination": (
        {
            "u": lambda t: np.random.default_rng(2).standard_normal(len(t)),
            "y": lambda t: (2 * t.x + t.u > 0).astype(int),
        },
        "complete",
        "a combination tells rows apart: ",
        {"u", "x", "(intercept)"},
    ),
    "missing values": (
        {
            "u": lambda t: np.where(np.arange(len(t)) < 20, np.nan, t.x**2),
            "y": lambda t: np.where(np.arange(len(t)) < 20, 1, t.y),
        },
        "quasi-complete",
        "all 20 rows with u is missing have y 1",
        {"u is missing"},
    ),
}


@pytest.mark.parametrize("case", CAUSES)
def test_separation_of_all_kinds(case: str) -> None:
    columns, kind, sentence, terms = CAUSES[case]
    with pytest.warns(zeroloop.ZeroloopWarning, match="no maximum"):
        model = free(separable(**columns), "y")
    separation = model.needed_estimates().separation
    assert separation is not None
    assert separation.kind == kind
    assert sentence in separation.in_words()
    assert set(states(model)) <= terms
    assert set(states(model)) - {"(intercept)"}
    if case in ("a level", "missing values"):
        # What the others say is what they say without the rows that are told without doubt.
        data = separable(**columns)
        rest = data[data.g != "odd"].drop(columns="g") if case == "a level" else data[20:]
        for row in free(rest, "y").terms().to_pylist():
            mine = next(one for one in model.terms().to_pylist() if one["term"] == row["term"])
            assert (mine["coef"], mine["std_err"]) == pytest.approx((row["coef"], row["std_err"]), rel=1e-6)


def test_separation_among_several_classes() -> None:
    data = separable(k=lambda t: np.where(t.x > 1, "high", np.where(t.y == 1, "one", "none")))
    with pytest.warns(zeroloop.ZeroloopWarning, match="all rows with x > .* have k 'high'"):
        model = free(data.drop(columns="y"), "k")
    assert model.needed_estimates().separation is not None


@pytest.mark.parametrize("rate", [0.5, 0.01])
@pytest.mark.parametrize("slope", [1.0, 30.0])
def test_no_false_alarm_of_separation(rate: float, slope: float) -> None:
    rng = np.random.default_rng(3)
    x = rng.standard_normal(20_000)
    y = (rng.random(20_000) < 1 / (1 + np.exp(-slope * x - np.log(rate / (1 - rate))))).astype(int)
    model = free(pd.DataFrame({"x": x, "y": y}), "y")
    assert model.needed_estimates().separation is None
    assert not states(model)


def test_one_row_that_overlaps_makes_a_maximum() -> None:
    data = pd.DataFrame({"x": np.arange(40.0), "y": (np.arange(40) > 20).astype(int)})
    data.loc[20, "y"] = 1
    data.loc[21, "y"] = 0
    model = free(data, "y")
    peer = smf.logit("y ~ x", data).fit(disp=0, tol=1e-14, maxiter=200)
    assert model.terms()["std_err"].to_pylist() == pytest.approx(peer.bse.tolist(), rel=1e-6)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"C": 1.0}, r"the fit is penalised \(C = 1\)"),
    ({"bounds": {"age": (0.0, 1.0)}}, "coefficients are bounded"),
    ({"max_passes": 3}, "cut short by max_passes"),
    ({"solver": "gradient-descent", "max_iter": 3}, "gradient descent stops short"),
]


@pytest.mark.parametrize(("options", "reason"), REFUSED)
@pytest.mark.filterwarnings("ignore::zeroloop.ZeroloopWarning")
def test_no_p_values_where_they_would_mean_nothing(options: dict[str, Any], reason: str) -> None:
    model = free(table("birthwt"), "low", features=["age", "lwt"], **options)
    assert model.terms()["p"].null_count == 3
    assert model.terms()["coef"].null_count == 0
    with pytest.raises(zeroloop.ZeroloopError, match=f"no standard errors: .*{reason}"):
        model.covariance()
    assert "std. error" not in str(model.summary())
    assert any("standard errors" in note for note in model.summary().notes)


def test_options_that_need_a_free_fit_say_so() -> None:
    data = table("birthwt")
    for options in ({"covariance": "hc0"}, {"cluster": "clinic"}, {"tests": ["age"]}):
        with pytest.raises(zeroloop.ZeroloopError, match=r"a penalised fit .* has no standard errors"):
            zeroloop.train(data, "low", features=["age"], **options)
    with pytest.raises(zeroloop.ZeroloopError, match="method='firth' has a penalty of its own"):
        free(data, "low", features=["age"], method="firth", C=2.0)
    with pytest.raises(zeroloop.ZeroloopError, match="'firth', which is for two classes; the target has 3"):
        free(data, "group", features=["age"], method="firth")
    with pytest.raises(zeroloop.ZeroloopError, match="test: 'aeg' is no column that makes terms; did you mean 'age'"):
        free(data, "low", features=["age"], tests=["aeg"])
    with pytest.raises(zeroloop.ZeroloopError, match="covariance is 'hc9'; did you mean 'hc1'"):
        free(data, "low", features=["age"], covariance="hc9")
    with pytest.raises(zeroloop.ZeroloopError, match="The offset column 'race' holds text; it must hold numbers"):
        free(data, "low", features=["age"], offset="race")
    with pytest.raises(zeroloop.ZeroloopError, match="offset: column 'age' is among the features too"):
        free(data, "low", features=["age"], offset="age")
    with pytest.raises(zeroloop.ZeroloopError, match="has 3 classes, and an offset is for two"):
        free(data, "group", features=["age"], offset="offset")
    with pytest.raises(zeroloop.ZeroloopError, match="All rows are in one cluster"):
        free(data.assign(one=1), "low", features=["age"], cluster="one")
    with pytest.raises(zeroloop.ZeroloopError, match=r"The offset column 'offset' has no value in 1 row; fill"):
        free(data.assign(offset=data.offset.where(data.index != 7)), "low", features=["age"], offset="offset")
    with pytest.raises(zeroloop.ZeroloopError, match=r"The cluster column 'clinic' has no value in row 8; name"):
        free(data.assign(clinic=data.clinic.where(data.index != 7)), "low", features=["age"], cluster="clinic")


def drawn(seed: int, m: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x, u = rng.standard_normal((2, m))
    g = np.array(["a", "b", "c"])[rng.integers(0, 3, m)]
    z = 0.5 * x - 0.3 * u + (g == "b")
    return pd.DataFrame(
        {
            "x": x,
            "u": u,
            "g": g,
            "y": (rng.random(m) < 1 / (1 + np.exp(-z))).astype(int),
            "w": rng.integers(1, 4, m),
            "home": rng.integers(0, 40, m),
        }
    )


seeds = st.integers(0, 10**6)
kinds = st.sampled_from([{}, {"covariance": "hc0"}, {"covariance": "hc1"}, {"cluster": "home"}, {"method": "firth"}])


def figures_of(model: zeroloop.Model) -> FloatArray:
    terms = model.terms().to_pydict()
    return np.array([terms["coef"], terms["std_err"]])


FEATURES = ["x", "u", "g"]


@given(seeds, kinds)
def test_a_frequency_weight_is_a_row_repeated(seed: int, kind: dict[str, str]) -> None:
    data = drawn(seed)
    weighted = free(data, "y", features=FEATURES, weights="w", **kind)
    repeated = free(data.loc[data.index.repeat(data.w)], "y", features=FEATURES, **kind)
    np.testing.assert_allclose(figures_of(weighted), figures_of(repeated), rtol=1e-7)
    ours, theirs = (model.summary().figures for model in (weighted, repeated))
    for name in theirs.keys() - {"condition", "method", "covariance"}:
        assert ours[name] == pytest.approx(theirs[name], rel=1e-8), name


@given(seeds, kinds)
def test_sampling_weights_know_no_unit(seed: int, kind: dict[str, str]) -> None:
    if kind.get("method") == "firth":
        return  # its penalty is one row's, whatever the weights
    data = drawn(seed)
    once = free(data, "y", features=FEATURES, weights="w", weight_type="sampling", **kind)
    thrice = free(data.assign(w=3 * data.w), "y", features=FEATURES, weights="w", weight_type="sampling", **kind)
    np.testing.assert_allclose(figures_of(once), figures_of(thrice), rtol=1e-7)


@given(seeds, kinds)
def test_permuting_rows_changes_nothing(seed: int, kind: dict[str, str]) -> None:
    data = drawn(seed)
    shuffled = data.sample(frac=1, random_state=seed)
    one, other = (free(d, "y", features=FEATURES, **kind) for d in (data, shuffled))
    np.testing.assert_allclose(figures_of(one), figures_of(other), rtol=1e-7)


@given(seeds, kinds)
def test_flipping_labels_flips_signs(seed: int, kind: dict[str, str]) -> None:
    data = drawn(seed)
    one, other = (free(d, "y", features=FEATURES, **kind) for d in (data, data.assign(y=1 - data.y)))
    np.testing.assert_allclose(figures_of(one), figures_of(other) * [[-1], [1]], rtol=1e-7)


@given(seeds, kinds, st.sampled_from([1e-150, 1e-9, 1e9, 1e149]), st.sampled_from([0.0, 1e3]))
def test_a_column_s_unit_changes_its_own_figures_only(
    seed: int, kind: dict[str, str], unit: float, shift: float
) -> None:
    data = drawn(seed)
    one, other = (free(d, "y", features=FEATURES, **kind) for d in (data, data.assign(x=(data.x + shift) * unit)))
    ours, theirs = figures_of(one), figures_of(other)
    ours[:, 1] /= unit
    first = 1 if shift else 0  # the intercept is at zero, wherever that is
    np.testing.assert_allclose(ours[:, first:], theirs[:, first:], rtol=1e-6)


def test_a_column_far_from_zero() -> None:
    data = drawn(0, 2_000)
    far = data.assign(x=1_700_000_000 + 86_400 * data.x)
    ours, theirs = (figures_of(free(d, "y", features=FEATURES)) for d in (data, far))
    np.testing.assert_allclose(ours[:, 2:], theirs[:, 2:], rtol=1e-7)
    np.testing.assert_allclose(ours[:, 1], theirs[:, 1] * 86_400, rtol=1e-6)


def test_more_columns_than_rows() -> None:
    rng = np.random.default_rng(0)
    data = pd.DataFrame(rng.standard_normal((20, 30)), columns=[f"x{j}" for j in range(30)]).assign(y=[0, 1] * 10)
    with pytest.warns(zeroloop.ZeroloopWarning) as said:
        model = free(data, "y")
    text = " ".join(str(one.message) for one in said)
    assert "no row tells them from others" in text
    assert "complete separation" in text
    assert sum(state == "aliased" for state in states(model).values()) == 11


def test_rows_without_weight_are_no_rows() -> None:
    data = drawn(0).assign(w=lambda t: np.where(t.index % 3 == 0, 0, 1))
    level = data.assign(g=np.where(data.w == 0, "only here", data.g))
    with pytest.warns(zeroloop.ZeroloopWarning, match="'g=only here' is 0 in every row with weight"):
        model = free(level, "y", features=FEATURES, weights="w")
    rest = free(data[data.w > 0], "y", features=FEATURES)
    terms = {row["term"]: row for row in model.terms().to_pylist()}
    for row in rest.terms().to_pylist():
        assert terms[row["term"]]["std_err"] == pytest.approx(row["std_err"], rel=1e-8)
    assert model.summary().figures["observations"] == rest.summary().figures["observations"]


def test_p_values_to_the_smallest_number() -> None:
    for z in (0.0, 1e-3, 2.0, 8.0, 20.0, 37.0, 37.6):
        exact = mpmath.erfc(mpmath.mpf(z) / mpmath.sqrt(2))
        assert float(two_sided(np.array([z]))[0]) == pytest.approx(float(exact), rel=1e-12)
    assert float(two_sided(np.array([37.0]))[0]) < 1e-298


STORAGE: dict[str, dict[str, Any]] = {
    "memory": {},
    "spilled": {"memory": "64KiB"},
    "decoded again": {"memory": "64KiB", "spill": "none"},
}


@pytest.mark.parametrize(
    "kind",
    [{}, {"covariance": "hc1"}, {"cluster": "home"}, {"method": "firth"}, {"weights": "w", "weight_type": "sampling"}],
)
def test_the_same_bits_from_memory_files_and_spilled(kind: dict[str, str], tmp_path: Path) -> None:
    data = drawn(0, 60_000)
    for k, part in enumerate(np.array_split(np.arange(len(data)), 3)):
        data.iloc[part].to_parquet(tmp_path / f"{k}.parquet")
    found = {
        name: free(str(tmp_path), "y", features=FEATURES, tests=["g"], **kind, **how) for name, how in STORAGE.items()
    }
    frame = free(data, "y", features=FEATURES, tests=["g"], **kind)
    assert "spill file" in found["spilled"].training.storage
    assert "decoded again" in found["decoded again"].training.storage
    for model in found.values():
        np.testing.assert_array_equal(model.coef, frame.coef)
        assert model.estimates is not None
        assert frame.estimates is not None
        np.testing.assert_array_equal(model.estimates.covariance, frame.estimates.covariance)
        assert model.estimates.tests == frame.estimates.tests
    assert found["spilled"].marginal_effects().equals(frame.marginal_effects())


@pytest.mark.parametrize("how", list(STORAGE.values())[1:])
def test_a_basis_of_remainders_of_remainders_wherever_the_rows_are(how: dict[str, Any], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    year = rng.integers(1990, 2021, 60_000).astype(float)
    y = (rng.random(year.size) < 1 / (1 + np.exp(0.3 * (year - 2005)))).astype(int)
    data = pd.DataFrame({f"x{k}": year**k for k in range(1, 5)} | {"y": y})
    data.to_parquet(tmp_path / "years.parquet", row_group_size=20_000)
    frame, other = free(data, "y"), free(str(tmp_path / "years.parquet"), "y", **how)
    assert frame.needed_estimates().condition > 1e7
    np.testing.assert_array_equal(other.coef, frame.coef)
    np.testing.assert_array_equal(other.covariance(), frame.covariance())


def test_clusters_beyond_memory_take_more_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    data = drawn(0, 5_000).assign(home=lambda t: "h" + (t.index // 3).astype(str))
    whole = free(data, "y", features=FEATURES, cluster="home")
    monkeypatch.setattr("zeroloop.inference.covariance.MOST_SCORES", 1_000)
    parts = free(data, "y", features=FEATURES, cluster="home")
    np.testing.assert_allclose(figures_of(whole), figures_of(parts), rtol=1e-10)


def test_an_offset_is_part_of_the_prediction() -> None:
    data = table("birthwt")
    model = free(data, "low", features=["lwt", "smoke"], offset="offset")
    terms = {row["term"]: row for row in model.terms().to_pylist()}
    assert (terms["offset"]["coef"], terms["offset"]["state"]) == (1.0, "offset")
    z = (
        terms["(intercept)"]["coef"]
        + terms["lwt"]["coef"] * data.lwt
        + terms["smoke"]["coef"] * data.smoke
        + data.offset
    )
    np.testing.assert_allclose(model.predict_proba(data)[:, 1], 1 / (1 + np.exp(-z)), rtol=1e-12)
    with pytest.raises(zeroloop.ZeroloopError, match="The offset column 'offset' has no value in row 3; fill it"):
        model.predict_proba(data.assign(offset=data.offset.where(data.index != 2)))
    penalised = zeroloop.train(data, "low", features=["lwt", "smoke"], offset="offset", C="cv", test_fraction=0)
    assert dict(zip(penalised.terms()["term"].to_pylist(), penalised.coef[0], strict=True))["offset"] == 1.0


def test_effects_are_those_of_statsmodels() -> None:
    data = table("birthwt").assign(smokes=lambda t: np.where(t.smoke == 1, "yes", "no"))
    model = free(data, "low", features=["age", "lwt", "smokes"])
    peer = smf.logit("low ~ age + lwt + smoke", data).fit(disp=0, tol=1e-14)
    derivatives = peer.get_margeff().summary_frame()
    changes = peer.get_margeff(dummy=True).summary_frame()
    effects = {row["term"]: row for row in model.marginal_effects().to_pylist()}
    for name, row in (
        ("age", derivatives.loc["age"]),
        ("lwt", derivatives.loc["lwt"]),
        ("smokes=yes", changes.loc["smoke"]),
    ):
        mine = effects[name]
        assert (mine["effect"], mine["std_err"]) == pytest.approx((row["dy/dx"], row["Std. Err."]), rel=1e-7)
        assert (mine["z"], mine["p"]) == pytest.approx((row["z"], row["Pr(>|z|)"]), rel=1e-6)
    assert effects["smokes=yes"]["change"] == "from no"
    # Rows to predict from, without a target, count alike; and the training table, read again, is known as such.
    elsewhere = model.marginal_effects(data.drop(columns="low")).to_pylist()
    assert elsewhere[0]["effect"] == pytest.approx(effects["age"]["effect"], rel=1e-12)


def test_intervals_of_predictions_are_those_of_statsmodels(tmp_path: Path) -> None:
    data = table("birthwt")
    model = free(data, "low", features=["age", "lwt", "race", "smoke"])
    peer = smf.logit("low ~ age + lwt + C(race) + smoke", data).fit(disp=0, tol=1e-14)
    zeroloop.predict_file(model, data, tmp_path / "p.parquet", interval=0.9)
    mine, theirs = pd.read_parquet(tmp_path / "p.parquet"), peer.get_prediction().summary_frame(alpha=0.1)
    np.testing.assert_allclose(mine["probability lower"], theirs["ci_lower"], rtol=1e-7)
    np.testing.assert_allclose(mine["probability upper"], theirs["ci_upper"], rtol=1e-7)


@pytest.mark.filterwarnings("ignore:The likelihood has no maximum")
def test_rows_without_a_finite_predictor_get_no_interval(tmp_path: Path) -> None:
    data = separable(
        g=lambda t: np.where(np.arange(len(t)) < 9, "odd", "even"), y=lambda t: np.where(t.g == "odd", 1, t.y)
    )
    zeroloop.predict_file(free(data, "y"), data, tmp_path / "p.parquet", interval=0.95)
    found = pd.read_parquet(tmp_path / "p.parquet")
    assert found["probability lower"].isna().tolist() == (data.g == "odd").tolist()
    assert found["probability"].notna().all()


def test_intervals_of_several_classes_by_the_delta_method(tmp_path: Path) -> None:
    data = table("birthwt")
    model = free(data, "group", features=["age", "lwt", "smoke"])
    zeroloop.predict_file(model, data.head(5), tmp_path / "p.parquet", interval=0.95)
    found = pd.read_parquet(tmp_path / "p.parquet")
    covariance, coef = model.covariance(), model.coef[1:] - model.coef[0]
    x = np.column_stack([np.ones(5), data[["age", "lwt", "smoke"]].head(5)])

    def logits(flat: FloatArray) -> FloatArray:
        z = np.column_stack([np.zeros(5), x @ flat.reshape(2, 4).T])
        p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        return np.asarray(np.log(p / (1 - p)))

    flat, step = coef.ravel(), 1e-6
    gradient = np.stack([(logits(flat + step * e) - logits(flat - step * e)) / (2 * step) for e in np.eye(8)])
    error = np.sqrt(np.einsum("aik,ab,bik->ik", gradient, covariance, gradient))
    for k, level in enumerate(model.schema.target.levels):
        lower = 1 / (1 + np.exp(-(logits(flat)[:, k] - 1.959963984540054 * error[:, k])))
        np.testing.assert_allclose(found[f"probability of {level} lower"], lower, rtol=1e-5)


def test_a_saved_model_keeps_its_figures(tmp_path: Path) -> None:
    data = table("birthwt").assign(both=lambda t: t.age + 2 * t.lwt)
    with pytest.warns(zeroloop.ZeroloopWarning, match="repeats"):
        model = free(data, "low", features=["age", "lwt", "race", "both"], tests=["race"], covariance="hc1")
    model.save(tmp_path / "model.json")
    loaded = zeroloop.load(tmp_path / "model.json")
    assert str(loaded.summary()) == str(model.summary())
    np.testing.assert_array_equal(loaded.covariance(), model.covariance())
    assert loaded.test("age", "lwt").wald == model.test("age", "lwt").wald
    assert loaded.test("age").likelihood_ratio is None
    again = loaded.test("age", data=data)
    assert again.likelihood_ratio == pytest.approx(model.test("age").likelihood_ratio, rel=1e-12)
    with pytest.raises(zeroloop.ZeroloopError, match="not the table that the model was trained on"):
        loaded.test("age", data=data[10:])
    with pytest.raises(zeroloop.ZeroloopError, match="A model holds no rows"):
        loaded.marginal_effects()


def test_a_model_keeps_no_data_alive() -> None:
    data = table("birthwt")
    model = free(data, "low", features=["age", "lwt"])
    assert model.trained_on()[0] is data
    del data
    gc.collect()
    assert model.trained_on()[0] is None
    assert model.test("age").likelihood_ratio is None
