"""The estimator keeps scikit-learn's contract and gives its numbers."""

from __future__ import annotations

import doctest
import inspect
import pickle
import re
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression as Peer
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.fixes import parse_version

from conftest import made
from zeroloop import LogisticRegression, LogisticRegressionCV


@parametrize_with_checks(  # type: ignore[untyped-decorator]
    [
        LogisticRegression(),
        LogisticRegression(C=10, l1_ratio=0.5, max_iter=300),
        LogisticRegression(multi_class="ovr"),
        LogisticRegressionCV(Cs=3, cv=3),
        LogisticRegressionCV(Cs=[0.1, 1.0], cv=2, l1_ratios=[0.5], use_legacy_attributes=False),
        LogisticRegressionCV(Cs=[0.1, 1.0], cv=2, l1_ratios=[0.0, 1.0], use_legacy_attributes=False),
        LogisticRegressionCV(Cs=[0.1, 1.0], cv=2, l1_ratios=[0.0, 1.0], use_legacy_attributes=True),
    ]
)
def test_scikit_learns_estimator_checks(estimator: Any, check: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # checks fit data without an optimum, with five iterations
        check(estimator)


@pytest.mark.parametrize("C", [1e-3, 1.0, 100.0, np.inf])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("order", ["C", "F"])
def test_coefficients_are_scikit_learns(C: float, fit_intercept: bool, order: Any) -> None:
    X, y = made(800, 5)
    X = np.array((X - X.mean(axis=0)) / X.std(axis=0) + 0.3, order=order)
    ours = LogisticRegression(C=C, fit_intercept=fit_intercept).fit(X, y)
    peer = Peer(C=C, fit_intercept=fit_intercept, solver="newton-cholesky", tol=1e-12).fit(X, y)
    np.testing.assert_allclose(ours.coef_, peer.coef_, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(ours.intercept_, peer.intercept_, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(ours.predict_proba(X), peer.predict_proba(X), atol=1e-8)
    np.testing.assert_allclose(ours.predict_log_proba(X), peer.predict_log_proba(X), atol=1e-6)
    np.testing.assert_array_equal(ours.predict(X), peer.predict(X))
    assert ours.coef_.shape == (1, 5)
    assert ours.intercept_.shape == (1,)
    assert ours.n_iter_.shape == (1,)
    assert ours.converged_


@pytest.mark.parametrize("class_weight", [None, "balanced", {"benign": 3.0, "malignant": 0.5}])
def test_weights_and_text_labels(class_weight: Any) -> None:
    X, labels = load_breast_cancer(return_X_y=True)
    X, y = StandardScaler().fit_transform(X), np.array(["malignant", "benign"])[labels]
    weight = np.random.default_rng(0).uniform(0, 2, len(y))
    ours = LogisticRegression(class_weight=class_weight).fit(X, y, sample_weight=weight)
    peer = Peer(class_weight=class_weight, solver="newton-cholesky", tol=1e-12).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(ours.coef_, peer.coef_, rtol=1e-6, atol=1e-8)
    assert list(ours.classes_) == ["benign", "malignant"]
    assert set(ours.predict(X)) == {"benign", "malignant"}


def test_float32_is_used_as_it_is() -> None:
    X, y = made(700, 4, dtype=np.float32)
    exact = LogisticRegression().fit(X.astype(np.float64), y)
    np.testing.assert_allclose(LogisticRegression().fit(X, y).coef_, exact.coef_, rtol=1e-6)


def test_pipelines_searches_and_clones() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    pipe = make_pipeline(StandardScaler(), LogisticRegression())
    assert cross_val_score(pipe, X, y, cv=3).mean() > 0.96
    search = GridSearchCV(pipe, {"logisticregression__C": [0.01, 1.0]}, cv=3, n_jobs=2).fit(X, y)
    assert search.best_score_ > 0.96
    assert clone(search.best_estimator_[-1]).get_params() == search.best_estimator_[-1].get_params()
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    np.testing.assert_array_equal(again.predict_proba(X), search.best_estimator_.predict_proba(X))


def test_names_of_columns_are_kept() -> None:
    X, y = made(100, 3)
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    ours = LogisticRegression().fit(frame, y)
    assert list(ours.feature_names_in_) == ["a", "b", "c"]
    assert ours.n_features_in_ == 3
    with pytest.raises(ValueError, match="feature names"):
        ours.predict(frame[["b", "a", "c"]])


def test_warm_start_begins_at_the_last_optimum() -> None:
    X, y = made(2000, 4)
    ours = LogisticRegression(warm_start=True).fit(X, y)
    first, coef = ours.n_passes_, ours.coef_.copy()
    ours.fit(X, y)
    assert ours.n_passes_ < first
    np.testing.assert_allclose(ours.coef_, coef, rtol=1e-8)
    assert LogisticRegression().fit(X, y).fit(X, y).n_passes_ == first


def test_what_the_fit_says(capsys: pytest.CaptureFixture[str]) -> None:
    X, y = made(300, 3)
    ours = LogisticRegression(verbose=1).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == ours.n_passes_
    assert lines[-1].startswith(f"pass {ours.n_passes_}: objective ")
    assert ours.gradient_norm_ <= 1e-6
    z = X @ ours.coef_[0] + ours.intercept_
    assert ours.loss_ == pytest.approx(np.mean(np.logaddexp(0, z) - y * z))
    with pytest.warns(ConvergenceWarning, match="Not converged: after 2 passes of newton"):
        LogisticRegression(max_iter=1).fit(X, y)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"C": 0}, r"The 'C' parameter of LogisticRegression must be a float in the range \(0.0, inf\]. Got 0 instead"),
        ({"tol": -1}, "The 'tol' parameter"),
        ({"max_iter": 0}, "The 'max_iter' parameter"),
        ({"solver": "simplex"}, "The 'solver' parameter of LogisticRegression must be a str among .*'auto'"),
        ({"n_jobs": 0}, "The 'n_jobs' parameter"),
    ],
)
def test_parameters_out_of_range(parameters: dict[str, Any], message: str) -> None:
    X, y = made(30, 2)
    with pytest.raises(ValueError, match=message):
        LogisticRegression(**parameters).fit(X, y)


def test_two_classes_are_needed() -> None:
    X, _ = made(30, 2)
    with pytest.raises(ValueError, match="contains only one class: 1"):
        LogisticRegression().fit(X, np.ones(30, dtype=int))


@pytest.mark.parametrize("estimator", [LogisticRegression, LogisticRegressionCV])
def test_every_parameter_has_help_in_a_notebook(estimator: Any) -> None:
    parameters = list(inspect.signature(estimator).parameters)
    described = re.search(r"    Parameters\n    -+\n(.*?)\n    Attributes\n", estimator.__doc__, re.DOTALL)
    assert described is not None
    assert re.findall(r"^    (\w+) : ", described[1], re.MULTILINE) == parameters
    for example in doctest.DocTestFinder(recurse=False).find(estimator, globs={estimator.__name__: estimator}):
        assert doctest.DocTestRunner(verbose=False).run(example).failed == 0
    if parse_version(sklearn.__version__) >= parse_version("1.9"):
        page = estimator()._repr_html_()
        for name in parameters:
            assert re.search(rf'href="https://scikit-learn[^"]*text={name},-[^"]*">\s*{name}\s*<span', page), name
