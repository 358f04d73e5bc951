"""Scorers of every kind: their own arguments win, NaN comes last, and `score` is what the search went by."""

from __future__ import annotations

import itertools
import os
import warnings
from functools import cache, partial
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from sklearn import metrics
from sklearn.metrics import accuracy_score, get_scorer, get_scorer_names, make_scorer
from sklearn.model_selection import KFold, StratifiedKFold

from zeroloop import LogisticRegression, LogisticRegressionCV

ROUNDS = int(os.environ.get("ZEROLOOP_ROUNDS", "30"))
CS = [0.01, 0.1, 1.0, 10.0]


def rows(seed: int, n_classes: int = 2, m: int = 90) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    y = np.arange(m) % n_classes
    X = rng.standard_normal((m, 3))
    X[:, 0] += y * rng.uniform(0, 1.2)
    X[:, 1] *= 10
    return X, y


def single_fits(X: Any, y: Any, cv: Any) -> list[tuple[list[LogisticRegression], Any]]:
    """Return for each fold the fits of all C, and the rows to score them on."""
    return [
        ([LogisticRegression(C=C, tol=1e-10).fit(X[train], y[train]) for C in CS], test)
        for train, test in cv.split(X, y)
    ]


def by_hand(scorer: Any, X: Any, y: Any, cv: Any, fits: Any = None) -> Any:
    """Return `(n_folds, n_Cs)` scores of single fits, by a scorer that has all its arguments."""
    fits = single_fits(X, y, cv) if fits is None else fits
    return np.array([[scorer(model, X[test], y[test]) for model in models] for models, test in fits])


def searched(scoring: Any, X: Any, y: Any, cv: Any, **options: Any) -> Any:
    plain: dict[str, Any] = {"Cs": CS, "cv": cv, "tol": 1e-10, "use_legacy_attributes": False}
    return LogisticRegressionCV(scoring=scoring, **(plain | options)).fit(X, y)


LABELS = [[0, 1], [1, 2], [-1, 1], ["no", "yes"], [False, True], [2.0, 5.0]]
METRICS = [metrics.recall_score, metrics.precision_score, metrics.f1_score, metrics.jaccard_score]


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_a_scorers_own_arguments_win(seed: int) -> None:
    rng = np.random.default_rng([3, seed])
    X, codes = rows(seed)
    names = np.array(LABELS[rng.integers(len(LABELS))])
    y, positive = names[codes], names[rng.integers(2)]
    metric: Any = METRICS[rng.integers(len(METRICS))]
    cv = StratifiedKFold(3)
    own: dict[str, Any] = {"pos_label": positive, "zero_division": 0.0}
    if rng.integers(3) == 0:
        own = {"labels": [positive], "average": "macro", "zero_division": 0.0}
        if 1 not in names.tolist():
            own["pos_label"] = None
    scorer = make_scorer(metric, **own)
    given = make_scorer(partial(metric, **own)) if rng.integers(2) else scorer
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = by_hand(scorer, X, y, cv)
        ours = searched(given, X, y, cv)
        np.testing.assert_allclose(ours.scores_[:, 0], expected)
        assert ours.score(X, y) == pytest.approx(scorer(ours, X, y))
    assert CS[int(np.argmax(expected.mean(axis=0)))] == ours.C_


@pytest.mark.parametrize("names", LABELS, ids=str)
@pytest.mark.parametrize("scoring", ["f1", "recall", "precision", "jaccard", "average_precision", "neg_brier_score"])
def test_the_positive_class_is_the_second(scoring: str, names: Any) -> None:
    """As in scikit-learn's search; with labels that its own `score` cannot tell, too."""
    X, codes = rows(1)
    y = np.array(names)[codes]
    cv = StratifiedKFold(3)
    expected = by_hand(get_scorer(scoring), X, codes, cv)  # of labels 0 and 1, where nobody doubts which is positive
    ours = searched(scoring, X, y, cv)
    if scoring == "average_precision" and 1 in names and names[1] != 1:
        return  # scikit-learn's metric takes the class 1 for the positive one, wherever there is one
    np.testing.assert_allclose(ours.scores_[:, 0], expected)
    assert ours.score(X, y) == pytest.approx(
        get_scorer(scoring)(LogisticRegression(C=ours.C_, tol=1e-10).fit(X, codes), X, codes)
    )


@cache
def no_number() -> set[str]:
    """Return scorings that are no classifiers': of clusters, of numbers."""
    X, y = rows(0)
    model = LogisticRegression().fit(X, y)
    bad = set()
    for name in get_scorer_names():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                get_scorer(name)(model, X, y)
        except ValueError:
            bad.add(name)
    return bad


@pytest.mark.parametrize("n_classes", [2, 3])
def test_every_name_that_scikit_learn_has(n_classes: int) -> None:
    X, y = rows(2, n_classes)
    X[:, 0] += y
    cv = StratifiedKFold(3)
    fits = single_fits(X, y, cv)
    tried = 0
    for name in sorted(set(get_scorer_names()) - no_number()):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                expected = by_hand(get_scorer(name), X, y, cv, fits)
            except ValueError as error:  # of two classes only
                with pytest.raises(ValueError, match=str(error)[:20].replace("(", r"\(")):
                    searched(name, X, y, cv)
                continue
            if not np.any(np.isfinite(expected)):
                with pytest.raises(ValueError, match="only NaN"):
                    searched(name, X, y, cv)
                continue
            ours = searched(name, X, y, cv)
            np.testing.assert_allclose(ours.scores_[:, 0], expected, atol=1e-8, err_msg=name)
            assert ours.score(X, y) == pytest.approx(get_scorer(name)(ours, X, y)), name
            tried += 1
    assert tried > 20


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_nan_comes_last(seed: int) -> None:
    """A scorer that has no number at some folds, against the rule written out with plain loops."""
    rng = np.random.default_rng([4, seed])
    X, y = rows(seed)
    table = rng.choice([0.1, 0.2, 0.5, 0.9, np.nan, np.nan], (3, 4))
    if rng.integers(4) == 0:
        table[:, rng.integers(4)] = np.nan
    calls = iter(table.ravel())

    def scorer(model: Any, X: Any, y: Any) -> Any:
        return next(calls)

    refit = bool(rng.integers(2))
    if np.all(np.isnan(table)):
        with pytest.raises(ValueError, match="gave no number at any fold, only NaN"):
            searched(scorer, X, y, KFold(3), refit=refit)
        return
    n_nan = int(np.sum(np.isnan(table)))
    if n_nan:
        with pytest.warns(UserWarning, match=f"gave NaN at {n_nan} of 12 fits to folds"):
            ours = searched(scorer, X, y, KFold(3), refit=refit)
    else:
        ours = searched(scorer, X, y, KFold(3), refit=refit)
    if refit:
        means = [float(np.mean(column[~np.isnan(column)])) if np.any(~np.isnan(column)) else -1.0 for column in table.T]
        assert CS[means.index(max(means))] == ours.C_
    else:
        best = [CS[list(row).index(np.nanmax(row))] for row in table if not np.all(np.isnan(row))]
        assert pytest.approx(np.mean(best)) == ours.C_
    assert np.all(np.isfinite(ours.coef_))


def test_nan_with_the_rule_of_one_standard_error_and_infinities() -> None:
    X, y = rows(0)
    tables = [
        ([[np.nan, 0.5, 0.6, np.nan], [np.nan, 0.6, 0.7, 0.1], [np.nan, 0.7, 0.8, 0.1]], 1.0),
        ([[-np.inf, 0.5, 0.6, 0.1], [0.3, 0.6, 0.6, 0.1], [0.2, 0.7, 0.6, 0.1]], 0.1),
        ([[-np.inf] * 3 + [0.1], [np.inf, 0.1, 0.1, 0.2], [0.2] * 4], 10.0),
    ]
    for table, C in tables:
        calls = iter(np.ravel(table))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            ours = searched(lambda model, X, y, calls=calls: next(calls), X, y, KFold(3), rule="1se")
        assert ours.C_ == C


def test_a_fold_of_one_class_has_no_roc_auc() -> None:
    X, y = rows(0, m=60)
    order = np.argsort(y, kind="stable")
    X, y = X[order], y[order]
    folds = [(np.arange(0, 60, 2), np.arange(1, 60, 2)), (np.arange(10, 50), np.arange(10))]  # the last has no y = 1
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=metrics._ranking.UndefinedMetricWarning)
        with pytest.warns(UserWarning, match="gave NaN at 4 of 8 fits"):
            ours = searched("roc_auc", X, y, folds)
    assert CS[int(np.argmax(ours.scores_[0, 0]))] == ours.C_


@pytest.mark.parametrize("value", [None, "0.5", [0.1, 0.2], np.ones(2), {"a": 1.0}, 1j, np.ones((1, 1))])
def test_what_is_no_score(value: Any) -> None:
    X, y = rows(0)
    with pytest.raises(ValueError, match="it must give one number"):
        searched(lambda model, X, y: value, X, y, 2)


@pytest.mark.parametrize("value", [1, np.float32(0.5), np.int64(1), np.array(0.5), True])
def test_what_is_a_score(value: Any) -> None:
    X, y = rows(0)
    assert np.all(searched(lambda model, X, y: value, X, y, 2).scores_ == float(value))


def test_a_scorer_that_raises_is_heard() -> None:
    X, y = rows(0)

    def broken(model: Any, X: Any, y: Any) -> float:
        raise RuntimeError("this scorer fails")

    with pytest.raises(RuntimeError, match="this scorer fails"):
        searched(broken, X, y, 2)


def test_weights_that_a_scorer_cannot_take() -> None:
    X, y = rows(0)
    weight = np.ones(len(y))
    for scoring in (lambda model, X, y: 0.5, make_scorer(lambda y, predicted: 0.5), "rand_score"):
        with pytest.raises(ValueError, match="takes no sample_weight, but rows have weights"):
            LogisticRegressionCV(Cs=2, cv=2, scoring=scoring).fit(X, y, weight)
    LogisticRegressionCV(Cs=2, cv=2, scoring="f1").fit(X, y, weight)


@pytest.mark.parametrize("response", ["predict_proba", "decision_function", ("decision_function", "predict_proba")])
def test_what_a_scorer_is_given(response: Any) -> None:
    X, y = rows(5)
    seen = []

    def metric(y: Any, values: Any, labels: Any = None) -> float:
        seen.append((np.ndim(values), None if labels is None else list(labels)))
        return float(np.mean(values[y == 1]) - np.mean(values[y == 0]))

    scorer = make_scorer(metric, response_method=response)
    cv = StratifiedKFold(3)
    expected = by_hand(scorer, X, y, cv)
    seen.clear()
    ours = searched(scorer, X, y, cv)
    np.testing.assert_allclose(ours.scores_[:, 0], expected, rtol=1e-6)
    assert seen == [(1, [0, 1])] * 12
    loss = make_scorer(metrics.log_loss, greater_is_better=False, response_method="predict_proba")
    np.testing.assert_allclose(searched(loss, X, y, cv).scores_[:, 0], by_hand(loss, X, y, cv), rtol=1e-6)


@pytest.mark.parametrize("multi_class", ["multinomial", "ovr"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_accuracy_by_default_is_that_of_scikit_learns_scorer(n_classes: int, multi_class: str) -> None:
    rng = np.random.default_rng(n_classes)
    rows = rng.standard_normal((80, 5))
    y = rng.integers(0, n_classes, 80).astype(str)
    for X, fit_intercept, weight in itertools.product(
        (rows, scipy.sparse.csr_array(rows), rows.astype(np.float32)), (True, False), (None, rng.random(80))
    ):
        options: dict[str, Any] = {"fit_intercept": fit_intercept, "multi_class": multi_class}
        options["use_legacy_attributes"] = False
        ours = LogisticRegressionCV(Cs=3, **options).fit(X, y, weight)
        theirs = LogisticRegressionCV(Cs=3, scoring=make_scorer(accuracy_score), **options).fit(X, y, weight)
        np.testing.assert_allclose(ours.scores_, theirs.scores_, rtol=1e-15)


def test_a_fold_without_weight_has_no_accuracy() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 3)), np.tile([0, 1], 30)
    folds = KFold(3)
    weight = np.ones(60)
    weight[:20] = 0.0
    with pytest.warns(UserWarning, match="gave NaN at 2 of 6 fits"):
        fit = LogisticRegressionCV(Cs=2, cv=folds, use_legacy_attributes=False).fit(X, y, weight)
    assert np.isnan(fit.scores_[0]).all()
    assert np.isfinite(fit.scores_[1:]).all()
