"""Every parameter of the array door: numbers of every library's types are numbers, all else is said in a sentence."""

from __future__ import annotations

import os
import warnings
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegressionCV as Peer
from sklearn.utils.estimator_checks import check_param_validation

from conftest import made
from zeroloop import LogisticRegression, LogisticRegressionCV, logistic_path
from zeroloop.errors import OptionError

X, Y = made(60, 3)
ROUNDS = int(os.environ.get("ZEROLOOP_ROUNDS", "60"))
ONE: dict[str, Any] = {"C": 1.0}
MANY: dict[str, Any] = {"Cs": [0.1, 1.0], "cv": 2, "use_legacy_attributes": False}


@pytest.mark.parametrize("estimator", [LogisticRegression(), LogisticRegressionCV(Cs=2, cv=2)], ids=["one", "many"])
def test_scikit_learns_own_check_of_parameters(estimator: Any) -> None:
    assert set(estimator._parameter_constraints) == set(estimator.get_params())
    check_param_validation(type(estimator).__name__, estimator)


WRONG: list[tuple[str, Any]] = [
    *((name, value) for name in ("fit_intercept", "dual") for value in ("false", "False", 0, 1.0, None, "")),
    *(("C", value) for value in ("1e-3", None, 0, -1.0, np.nan, [1.0], np.array([1.0]), 1j, "")),
    *(("tol", value) for value in ("1e-3", None, 0, -1.0, np.nan, np.inf, [1e-3])),
    *(("max_iter", value) for value in (100.0, "100", None, 0, -3, np.float64(5), np.nan)),
    *(("n_jobs", value) for value in ("2", 1.0, 0, [1])),
    *(("learning_rate", value) for value in ("0.1", None, 0.0, np.nan, np.inf)),
    *(("intercept_scaling", value) for value in ("1", None, 0.0, -1)),
    *(("verbose", value) for value in ("1", -1, None, 1.5)),
    *(("solver", value) for value in (None, "simplex", 1, "", b"lbfgs", ["auto"])),
    *(("multi_class", value) for value in (None, "both", 2)),
    *(("class_weight", value) for value in ("even", [1, 2], 2.0, {1: "heavy"})),
    *(("random_state", value) for value in ("0", 1.5, -1, 2**32, np.random.default_rng(0))),
    *(("penalty", value) for value in ("none", "L2", 2, True)),
    *(
        ("penalty_factors", value)
        for value in ("1", ["1", "1", "1"], [1, 1], -1, [1, np.nan, 1], [1, None, 1], [[1] * 3])
    ),
    *(("bounds", value) for value in ("01", 1, [0], [0, 0, 0], [1, 2], [None, "1"], [np.nan, 1], [[0, 0], 1])),
]


@pytest.mark.parametrize(
    ("name", "value"), WRONG, ids=[f"{name}={repr(value).partition(' at 0x')[0]}" for name, value in WRONG]
)
def test_what_no_parameter_may_be(name: str, value: Any) -> None:
    for estimator in (LogisticRegression(**ONE), LogisticRegressionCV(**MANY)):
        if name in estimator.get_params():
            with pytest.raises(ValueError, match=r"\w+ .*\w+"):
                estimator.set_params(**{name: value}).fit(X, Y)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in ("refit", "use_legacy_attributes") for value in ("false", 0, None, "warn")),
        *(("Cs", value) for value in (0, -1, 2.0, np.float64(2), "10", None, [], [0], [-1.0], [np.nan], ["1"], [None])),
        *(("Cs", value) for value in ([[1.0, 2.0]], np.array(3), {1.0, 2.0}, [1j], [[1.0], [1.0, 2.0]])),
        *(("l1_ratios", value) for value in (0.5, "0.5", ["0"], [], [2], [-0.1], [np.nan], [None], [[0.0, 1.0]])),
        *(("cv", value) for value in (1, 0, "5", 2.5)),
        *(("scoring", value) for value in ("", "best", 1, ["accuracy"], {"a": "accuracy"})),
        *(("rule", value) for value in (None, "", "2se")),
        ("penalty", None),
    ],
)
def test_what_no_parameter_of_a_search_may_be(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=r"\w+ .*\w+"):
        LogisticRegressionCV(**(MANY | {name: value})).fit(X, Y)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("Cs", value) for value in (0, 2.0, "5", None, ["1"], [0], [[1.0]], np.array(5))),
        *(("l1_ratio", value) for value in (None, "1", 2, -0.1, np.nan, [1.0])),
        *((name, value) for name in ("fit_intercept", "standardize") for value in ("false", None, 1)),
        *(("tol", value) for value in ("1e-6", 0, None, np.inf)),
        *(("n_jobs", value) for value in (0, "2", 1.5)),
        *(("penalty_factors", value) for value in ("1", [1, 2], [[1, 1, 1]], [1, 1, None], -1)),
    ],
)
def test_what_no_parameter_of_a_path_may_be(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=r"\w+ .*\w+"):
        logistic_path(X, Y, **{"Cs": 3, name: value})


def as_numbers(rng: np.random.Generator, value: float) -> Any:
    """Return a number in one of the types that numbers come in."""
    kinds: list[Any] = [float, np.float64, np.longdouble, Fraction]
    if float(np.float32(value)) == value:
        kinds.append(np.float32)
    if float(value).is_integer():
        kinds += [int, np.int64, np.int32, np.uint8]
    return kinds[rng.integers(len(kinds))](value)


def as_list(rng: np.random.Generator, values: list[float]) -> Any:
    """Return numbers in one of the things that hold them."""
    kinds: list[Any] = [
        list,
        tuple,
        np.array,
        pd.Series,
        lambda v: np.array(v, object),
        lambda v: np.array(v)[::-1][::-1],
    ]
    if all(float(np.float32(value)) == value for value in values):
        kinds.append(lambda v: np.array(v, np.float32))
    if all(float(value).is_integer() for value in values):
        kinds += [lambda v: np.array(v, np.int64), lambda v: [np.int8(one) for one in v]]
    return kinds[rng.integers(len(kinds))](values)


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_numbers_of_any_type_are_the_same_numbers(seed: int) -> None:
    """Random parameters as plain Python has them and in other types: the same bits, from every door."""
    rng = np.random.default_rng([1, seed])
    C, l1_ratio = float(rng.choice([0.125, 1, 2, 64])), float(rng.choice([0, 0, 0.5, 1]))
    factors, upper = [float(v) for v in rng.integers(0, 3, 3)], float(rng.integers(0, 4))
    plain: dict[str, Any] = {
        "C": C,
        "l1_ratio": l1_ratio,
        "max_iter": 50,
        "n_jobs": 1,
        "fit_intercept": bool(rng.integers(2)),
        "penalty_factors": factors if rng.integers(2) else None,
        "bounds": (-1.0, upper) if rng.integers(3) == 0 else None,
        "random_state": 7,
    }
    other = plain | {
        "C": as_numbers(rng, C),
        "l1_ratio": as_numbers(rng, l1_ratio),
        "max_iter": np.int16(50),
        "n_jobs": np.int64(1),
        "fit_intercept": np.bool_(plain["fit_intercept"]),
        "penalty_factors": plain["penalty_factors"] and as_list(rng, factors),
        "bounds": plain["bounds"] and [-1, as_numbers(rng, upper)],
        "random_state": np.int64(7),
        "tol": np.float32(2.0**-20),
        "verbose": np.bool_(False),
    }
    plain["tol"] = 2.0**-20
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        a, b = (LogisticRegression(**parameters).fit(X, Y) for parameters in (plain, other))
        np.testing.assert_array_equal(a.coef_, b.coef_)
        assert b.n_iter_.min() >= 1
        assert clone(b).get_params().keys() == b.get_params().keys()
        Cs, ratios = [0.25, 1.0, 4.0], [0.0, 1.0]
        search = {"cv": 2, "tol": plain["tol"], "use_legacy_attributes": False}
        c = LogisticRegressionCV(Cs=Cs, l1_ratios=ratios, **search).fit(X, Y)
        d = LogisticRegressionCV(Cs=as_list(rng, Cs), l1_ratios=as_list(rng, ratios), **search).fit(X, Y)
    np.testing.assert_array_equal(c.coefs_paths_, d.coefs_paths_)
    assert (c.C_, c.l1_ratio_) == (d.C_, d.l1_ratio_)
    assert np.min(d.n_iter_) >= 1


@pytest.mark.parametrize("seed", range(0, ROUNDS, 3))
def test_the_choice_is_scikit_learns(seed: int) -> None:
    """The same folds and scoring: the same scores and C, wherever no two values of C are next to equal."""
    rng = np.random.default_rng([2, seed])
    k = int(rng.integers(2, 4))
    X, y = rng.standard_normal((80, 3)), rng.integers(0, k, 80)
    X[:, 0] += y * rng.uniform(0, 1.5)
    if rng.integers(2):
        y = np.array(["b", "a", "c"])[y]
    options: dict[str, Any] = {
        "Cs": np.sort(rng.choice(np.logspace(-3, 2, 12), 4, replace=False)),
        "cv": int(rng.integers(2, 5)),
        "scoring": str(rng.choice(["neg_log_loss", "neg_brier_score", "roc_auc_ovr", "balanced_accuracy", "accuracy"])),
        "refit": bool(rng.integers(2)),
        "fit_intercept": bool(rng.integers(2)),
        "class_weight": "balanced" if rng.integers(2) else None,
        "l1_ratios": (0.0,),
        "use_legacy_attributes": False,
    }
    if options["class_weight"]:
        # scikit-learn takes the weights of all rows for each fold, and so do folds that are weights of rows.
        options["refit"] = True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours = LogisticRegressionCV(**options, tol=1e-10).fit(X, y)
        peer = Peer(**options, solver="newton-cholesky", tol=1e-12).fit(X, y)
    np.testing.assert_allclose(ours.scores_, peer.scores_, atol=1e-7)
    mean = np.sort(peer.scores_.mean(axis=0).ravel())
    if options["refit"] and mean[-1] - mean[-2] > 1e-6:
        assert ours.C_ == peer.C_
        np.testing.assert_allclose(ours.coef_, peer.coef_, rtol=1e-4, atol=1e-6)


def test_numbers_of_a_path() -> None:
    path: Any = logistic_path  # of values that a type checker would refuse
    assert len(path(X, Y, Cs=np.int64(5)).Cs) == 5
    given = path(X, Y, Cs=np.array([1, 10]), l1_ratio=np.float32(1), n_jobs=np.int64(1), penalty_factors=1)
    same = logistic_path(X, Y, Cs=[1.0, 10.0])
    np.testing.assert_array_equal(given.coef, same.coef)
    np.testing.assert_array_equal(logistic_path(X, Y, Cs=3, n_jobs=-1).coef, logistic_path(X, Y, Cs=3).coef)


def test_text_of_a_fold_of_words_is_no_number() -> None:
    one: Any = LogisticRegression
    several: Any = LogisticRegressionCV
    with pytest.raises(OptionError, match=r"Cs is \['1e-3'\]; it must hold numbers, and nothing else"):
        several(Cs=["1e-3"]).fit(X, Y)
    with pytest.raises(OptionError, match="bounds has 3 parts; it must be two"):
        one(bounds=[0, 0, 0]).fit(X, Y)
    with pytest.raises(TypeError, match="The 'max_iter' parameter of LogisticRegression must be an int"):
        one(max_iter=100.0).fit(X, Y)  # scikit-learn's error is a TypeError too


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("coef_", np.full((1, 3), np.nan)),
        ("coef_", np.full((1, 3), np.inf)),
        ("coef_", np.full((1, 3), 1e200)),
        ("coef_", np.ones((1, 2))),
        ("coef_", np.ones((2, 3))),
        ("coef_", "none"),
        ("coef_", None),
        ("intercept_", np.array([np.nan])),
        ("intercept_", np.ones(3)),
        ("intercept_", None),
    ],
)
def test_a_warm_start_that_is_none_starts_afresh(name: str, value: Any) -> None:
    afresh = LogisticRegression().fit(X, Y)
    warm = LogisticRegression(warm_start=True).fit(X, Y)
    setattr(warm, name, value)
    warm.fit(X, Y)
    np.testing.assert_array_equal(warm.coef_, afresh.coef_)
    np.testing.assert_array_equal(warm.intercept_, afresh.intercept_)


def test_a_start_at_the_optimum_is_one_iteration() -> None:
    warm = LogisticRegression(warm_start=True).fit(X, Y).fit(X, Y).fit(X, Y)
    assert warm.n_iter_.min() >= 1


@pytest.mark.parametrize("multi_class", ["multinomial", "ovr"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_rows_come_first_in_memory(n_classes: int, multi_class: str) -> None:
    model = LogisticRegression(multi_class=multi_class).fit(X, np.arange(60) % n_classes)
    for method in ("predict_proba", "predict_log_proba", "decision_function"):
        values = getattr(model, method)(X)
        assert values.flags.c_contiguous
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), model.predict_proba(X), atol=1e-12)
    best = np.argmax(model.predict_proba(X), axis=1)
    np.testing.assert_array_equal(model.predict(X), model.classes_[best])
