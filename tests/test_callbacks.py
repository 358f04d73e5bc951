"""Callbacks of scikit-learn's: what they are told of a fit, and that a fit is the same with them."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV

from conftest import made
from zeroloop import LogisticRegression, LogisticRegressionCV

callback = pytest.importorskip("sklearn.callback", reason="scikit-learn has callbacks from 1.9 on")


class Recorder:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.fitted: list[Any] = []

    def setup(self, estimator: Any, context: Any) -> None:
        self.told.append(("setup",))

    def teardown(self, estimator: Any, context: Any) -> None:
        self.told.append(("teardown",))

    def on_fit_task_begin(self, estimator: Any, context: Any, *, X: Any = None, metadata: Any = None) -> None:
        self.told.append(("begin", context.task_name, context.task_id))

    def on_fit_task_end(self, estimator: Any, context: Any, *, fitted_estimator: Any = None) -> None:
        self.told.append(("end", context.task_name, context.task_id))
        self.fitted.append(fitted_estimator)


CASES: dict[str, tuple[tuple[Any, Any], dict[str, Any]]] = {
    "newton": (made(400, 5), {}),
    "sampled": (made(30_000, 5), {"solver": "sampled-newton"}),
    "lbfgs": (made(400, 5), {"solver": "lbfgs", "max_iter": 1_000}),
    "newton-cg": (made(400, 5), {"solver": "newton-cg"}),
    "l1": (made(400, 5), {"l1_ratio": 1.0}),
    "few rows": (made(30, 60), {}),
    "classes": ((made(400, 5)[0], np.arange(400) % 3), {}),
    "one by one": ((made(400, 5)[0], np.arange(400) % 3), {"multi_class": "ovr"}),
}


@pytest.mark.parametrize("name", CASES)
def test_what_a_callback_is_told_of_a_fit(name: str) -> None:
    (X, y), options = CASES[name]
    recorder = Recorder()
    told = LogisticRegression(**options).set_callbacks(recorder).fit(X, y)
    plain = LogisticRegression(**options).fit(X, y)
    assert told.coef_.tobytes() == plain.coef_.tobytes()
    assert told.intercept_.tobytes() == plain.intercept_.tobytes()
    assert told.n_passes_ == plain.n_passes_

    begun = [one[1:] for one in recorder.told if one[0] == "begin"]
    ended = [one[1:] for one in recorder.told if one[0] == "end"]
    passes = len(begun) - 2  # the fit itself, and the pass that is begun and not made
    assert recorder.told[:2] == [("setup",), ("begin", "fit", 0)]
    assert recorder.told[-2:] == [("end", "fit", 0), ("teardown",)]
    assert begun[1:] == [("pass", k) for k in range(passes + 1)] == ended[:-1]
    assert 1 <= passes <= plain.n_passes_
    assert recorder.fitted[-2] is None
    assert (recorder.fitted[-1].coef_ == plain.coef_).all()
    if name == "one by one":
        assert recorder.fitted[:passes] == [None] * passes
        return
    losses = [log_loss(y, one.predict_proba(X)) for one in recorder.fitted[:passes]]
    assert losses[-1] == pytest.approx(log_loss(y, plain.predict_proba(X)), abs=1e-6)
    assert losses[-1] <= losses[0] + 1e-12


def test_a_monitor_scores_each_pass() -> None:
    X, y = made(300, 4)
    monitor = callback.ScoringMonitor(scoring="neg_log_loss")
    fitted = LogisticRegression().set_callbacks(monitor).fit(X, y)
    scores = [row["neg_log_loss"] for row in monitor.get_logs().data if len(row["task_id_path"]) == 2]
    assert -scores[-1] == pytest.approx(log_loss(y, fitted.predict_proba(X)), abs=1e-9)


class Everywhere(Recorder):
    """Is handed down to the estimators of a search, as a progress bar is."""

    max_propagation_depth = None


def test_a_search_hands_its_callbacks_down_to_ours() -> None:
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2)
    if not hasattr(search, "set_callbacks"):
        pytest.skip("this scikit-learn's search has no callbacks")
    recorder = Everywhere()
    search.set_callbacks(recorder).fit(*made(300, 4))  # a warning that ours has none would be an error here
    assert sum(one[:2] == ("end", "pass") for one in recorder.told) > 4


def test_a_cross_validation_is_told_as_a_whole() -> None:
    recorder = Recorder()
    X, y = made(120, 3)
    fitted = LogisticRegressionCV(Cs=2, cv=2, use_legacy_attributes=False).set_callbacks(recorder).fit(X, y)
    assert [one[:2] for one in recorder.told] == [("setup",), ("begin", "fit"), ("end", "fit"), ("teardown",)]
    assert recorder.fitted[0].score(X, y) == fitted.score(X, y)


class Fails(Recorder):
    def on_fit_task_end(self, estimator: Any, context: Any, *, fitted_estimator: Any = None) -> None:
        raise ValueError("the callback's own")


def test_a_callback_that_fails_is_torn_down_and_nothing_of_it_stays() -> None:
    X, y = made(100, 3)
    fails = Fails()
    estimator = LogisticRegression().set_callbacks(fails)
    with pytest.raises(ValueError, match="the callback's own"):
        estimator.fit(X, y)
    assert fails.told[-1] == ("teardown",)
    recorder = Recorder()
    again = clone(estimator).set_callbacks(recorder).fit(X, y)
    assert recorder.told[-1] == ("teardown",)
    assert not [name for name in vars(again) if "ctx" in name or "teardown" in name]
    again.set_callbacks()
    assert pickle.loads(pickle.dumps(again)).score(X, y) == again.score(X, y)


def test_it_is_told_to_the_end_where_a_fit_does_not_converge() -> None:
    recorder = Recorder()
    X, y = made(400, 5)
    with pytest.warns(ConvergenceWarning, match="Not converged"):
        LogisticRegression(max_iter=1).set_callbacks(recorder).fit(X, y)
    assert recorder.told[-2:] == [("end", "fit", 0), ("teardown",)]


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize(
    ("model", "warning"),
    [
        (LogisticRegression(max_iter=1), ConvergenceWarning),
        (LogisticRegression(C=np.inf), ConvergenceWarning),
        (LogisticRegression(penalty="l2"), FutureWarning),
        (LogisticRegressionCV(Cs=2, cv=2, max_iter=1), ConvergenceWarning),
        (LogisticRegressionCV(Cs=2, cv=2, refit=False, max_iter=1), ConvergenceWarning),
        (LogisticRegressionCV(Cs=2, cv=2, scoring=lambda *_: np.nan if _[1].shape[0] % 2 else 1.0), UserWarning),
        (LogisticRegressionCV(Cs=2, cv=2, penalty="l2"), FutureWarning),
    ],
)
def test_a_warning_names_the_line_that_fits(model: Any, warning: type[Warning], told: bool) -> None:
    X, _ = made(201, 3)
    y = X[:, 0] > 0  # separated
    model = clone(model).set_callbacks(*[Recorder()] * told)
    with pytest.warns(warning) as found:
        model.fit(X, y)
    assert {one.filename for one in found} == {__file__}
