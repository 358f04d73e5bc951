"""What an estimator does before scikit-learn is imported, and that it is one of scikit-learn's as soon as it is.

Each test is a process of its own, because what is imported stays.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

FITTED = """
import sys
import numpy as np
from zeroloop import LogisticRegression

rng = np.random.default_rng(21)
X = rng.normal(size=(300, 4))
y = (X[:, 0] + rng.logistic(size=300) > 0).astype(int)


def is_alone():
    heavy = {"sklearn", "scipy", "pandas", "pyarrow", "joblib", "matplotlib", "rich", "jinja2"}
    assert not heavy & set(sys.modules), heavy & set(sys.modules)
    return True


"""

ESTIMATOR = """
import abc, copy, inspect, pickle
from sklearn.base import BaseEstimator, ClassifierMixin, clone, is_classifier
from sklearn.callback import CallbackSupportMixin
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

assert LogisticRegression.__bases__ == (CallbackSupportMixin, ClassifierMixin, BaseEstimator)
assert issubclass(LogisticRegression, BaseEstimator)
assert type(LogisticRegression) is type
for one in (fitted, LogisticRegression()):
    assert isinstance(one, BaseEstimator)
    assert is_classifier(one)
    assert get_tags(one).input_tags.sparse
    assert get_tags(one).estimator_type == "classifier"
    assert type(one) is LogisticRegression
    assert one.get_params()["C"] == one.C
    assert callable(one.set_fit_request)
assert np.array_equal(fitted.predict_proba(X), probabilities)
assert clone(fitted).get_params() == fitted.get_params()
assert not hasattr(clone(fitted), "coef_")
assert fitted.set_params(C=2.0).C == 2.0
assert repr(fitted) == "LogisticRegression(C=2.0)"
assert "LogisticRegression" in fitted._repr_html_()
assert set(fitted._repr_mimebundle_()) == {"text/plain", "text/html"}
assert {"get_params", "set_callbacks", "coef_", "score"} <= set(dir(fitted))
assert "sample_weight" in inspect.signature(LogisticRegression().set_fit_request).parameters
assert "sample_weight" in inspect.signature(LogisticRegression().set_score_request).parameters
pipe = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
assert pipe.score(X, y) > 0.6
search = GridSearchCV(pipe, {"logisticregression__C": [0.1, 1.0]}, cv=3).fit(X, y)
assert search.best_params_["logisticregression__C"] in (0.1, 1.0)
assert len(cross_val_score(LogisticRegression(), X, y, cv=4)) == 4


class Mine(LogisticRegression, abc.ABC):
    def fit(self, X, y, groups=None):
        return super().fit(X, y)


assert isinstance(Mine().fit(X, y), BaseEstimator)
assert "groups" in inspect.signature(Mine().set_fit_request).parameters
assert clone(Mine(C=3.0)).C == 3.0
again = pickle.loads(pickle.dumps(fitted))
assert np.array_equal(again.coef_, fitted.coef_)
assert copy.copy(fitted).get_params() == fitted.get_params()
"""

BEFORE = "fitted = LogisticRegression().fit(X, y)\nprobabilities = fitted.predict_proba(X)\n"


def run(script: str, *arguments: str, cwd: Path | None = None) -> str:
    """Run a script in a process of its own, warnings as errors, and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script), *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_arrays_need_numpy_alone() -> None:
    run(
        FITTED
        + """
for rows in (X, X.astype(np.float32), np.asfortranarray(X), X[::2], (10 * X).astype(int), X > 0):
    labels = y[::2] if len(rows) < len(y) else y
    three = labels + labels * rows[:, 1].astype(bool)
    for of in (labels, labels > 0, labels.astype(float), three, np.array(["no", "yes", "maybe"])[three]):
        for weight in (None, np.linspace(0, 2, len(of))):
            model = LogisticRegression(C=0.5, random_state=3, n_jobs=1).fit(rows, of, sample_weight=weight)
            assert model.predict_proba(rows).shape == (len(rows), len(model.classes_))
            assert model.predict_log_proba(rows).shape == (len(rows), len(model.classes_))
            assert model.decision_function(rows).shape[0] == len(rows)
            assert model.score(rows, of) == np.mean(model.predict(rows) == of)
for how in ({"l1_ratio": 1.0}, {"class_weight": "balanced"}, {"solver": "lbfgs"}, {"warm_start": True}, {"C": np.inf}):
    LogisticRegression(**how).fit(X, y).fit(X, y)
LogisticRegression(multi_class="ovr").fit(X, np.arange(300) % 3)
assert is_alone()
"""
    )


def test_sparse_matrices_need_their_own_module_alone() -> None:
    run(
        FITTED
        + """
import scipy.sparse
for kind in (scipy.sparse.csr_matrix, scipy.sparse.csr_array, scipy.sparse.csc_matrix, scipy.sparse.csc_array):
    rows = kind(np.where(np.abs(X) > 1, X, 0.0))
    model = LogisticRegression().fit(rows, y)
    assert model.score(rows, y) == np.mean(model.predict(rows) == y)
    assert np.array_equal(model.sparsify().predict(rows), model.densify().predict(rows))
assert not {"sklearn", "pandas", "pyarrow", "joblib"} & set(sys.modules)
"""
    )


def test_copies_and_pickles_do_not_wait_either(tmp_path: Path) -> None:
    kept, other = str(tmp_path / "before.pickle"), str(tmp_path / "after.pickle")
    run(
        FITTED
        + BEFORE
        + """
import copy, pickle
for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
    again = pickle.loads(pickle.dumps(fitted, protocol))
    assert type(again) is LogisticRegression and np.array_equal(again.predict_proba(X), probabilities)
for again in (copy.copy(fitted), copy.deepcopy(fitted)):
    assert np.array_equal(again.predict_proba(X), probabilities)
assert np.asarray(fitted, dtype=object).shape == ()
assert not hasattr(LogisticRegression(), "coef_")
assert is_alone()
open(sys.argv[1], "wb").write(pickle.dumps(fitted))
import sklearn.linear_model
open(sys.argv[2], "wb").write(pickle.dumps(fitted))
""",
        kept,
        other,
    )
    assert Path(kept).read_bytes() == Path(other).read_bytes()  # and so either reads what the other wrote
    run("import pickle, sys\nfitted = pickle.load(open(sys.argv[1], 'rb'))\nfitted.predict([[0.0] * 4])", kept)
    run(
        """
        import pickle, sys
        import numpy as np
        fitted = pickle.load(open(sys.argv[1], "rb"))
        fitted.predict(np.zeros((2, 4)))
        assert "sklearn" not in sys.modules
        from sklearn.base import BaseEstimator
        assert isinstance(fitted, BaseEstimator)
        """,
        kept,
    )


@pytest.mark.parametrize(
    "begin",
    [
        pytest.param(FITTED + BEFORE + "assert is_alone()", id="zeroloop first"),
        pytest.param("import sklearn.base\n" + FITTED + BEFORE, id="scikit-learn's classes first"),
        pytest.param("import sklearn.linear_model, sklearn.callback\n" + FITTED + BEFORE, id="scikit-learn first"),
        pytest.param(FITTED + "import sklearn.base\n" + BEFORE, id="scikit-learn between"),
        pytest.param(FITTED + BEFORE + "import sklearn.callback", id="its callbacks first"),
        pytest.param(FITTED + BEFORE + "from zeroloop import LogisticRegressionCV", id="cross-validation first"),
    ],
)
def test_an_estimator_is_scikit_learns(begin: str) -> None:
    run(begin + "\n" + ESTIMATOR)


@pytest.mark.parametrize(
    "asks",
    [
        "fitted.get_params()['C'] == 1.0",
        "fitted.set_params(C=2.0).C == 2.0",
        "LogisticRegression.get_params(fitted)['C'] == 1.0",
        "'C' in LogisticRegression._get_param_names()",
        "repr(fitted) == str(fitted) == 'LogisticRegression()'",
        "'get_params' in dir(fitted)",
        "fitted.__sklearn_tags__().estimator_type == 'classifier' and fitted.__sklearn_tags__().input_tags.sparse",
        "fitted.__sklearn_clone__().C == 1.0",
        "fitted._repr_html_().count('LogisticRegression') > 1",
        "fitted._repr_mimebundle_()['text/plain'] == 'LogisticRegression()'",
        "fitted.get_metadata_routing().fit.requests == {'sample_weight': None}",
        "callable(LogisticRegression.set_fit_request)",
        "fitted.set_callbacks() is fitted",
        "LogisticRegression.set_callbacks(fitted) is fitted",
        "type('Mine', (LogisticRegression,), {})(C=4.0).get_params()['C'] == 4.0",
        "fitted.predict([[0, 0, 0, 0]]).shape == (1,)",
        "fitted.fit(X.tolist(), y.tolist()) is fitted",
        "set(LogisticRegression._parameter_constraints) == set(fitted.get_params())",
    ],
)
def test_what_only_scikit_learn_knows_imports_it(asks: str) -> None:
    run(
        FITTED
        + BEFORE
        + f"""
assert is_alone()
assert {asks}
from sklearn.base import BaseEstimator
assert isinstance(fitted, BaseEstimator) and BaseEstimator in LogisticRegression.__mro__
"""
    )


def test_errors_are_scikit_learns() -> None:
    run(
        FITTED
        + """
def raised(work):
    try:
        work()
    except Exception as error:
        return error

unfitted, nan, bad, labels = LogisticRegression(), X.copy(), LogisticRegression(C=-1), X[:, 0]
nan[3, 2] = np.nan
found = [
    raised(lambda: unfitted.predict(X)),
    raised(lambda: unfitted.fit(nan, y)),
    raised(lambda: bad.fit(X, y)),
    raised(lambda: unfitted.fit(X, labels)),
    raised(lambda: unfitted.fit(X, y[:-1])),
    raised(lambda: unfitted.fit(X, y).predict(X[:, :2])),
    raised(lambda: unfitted.fit(X, y, sample_weight=-np.ones(300))),
    raised(lambda: unfitted.nothing),
]
from sklearn.exceptions import NotFittedError
from sklearn.utils._param_validation import InvalidParameterError
assert [type(one) for one in found] == [
    NotFittedError, ValueError, InvalidParameterError, ValueError, ValueError, ValueError, ValueError, AttributeError
], found
from sklearn.linear_model import LogisticRegression as Theirs
assert str(raised(lambda: Theirs().fit(X, y).predict(X[:, :2]))).replace("Theirs", "") == str(found[5])
"""
    )


def test_help_and_signature() -> None:
    out = run(
        FITTED
        + """
import inspect
assert list(inspect.signature(LogisticRegression).parameters)[:3] == ["penalty", "C", "l1_ratio"]
assert inspect.signature(LogisticRegression.fit).parameters.keys() == {"self", "X", "y", "sample_weight"}
assert is_alone()
help(LogisticRegression)
"""
    )
    for name in ("get_params", "set_params", "set_fit_request", "predict_proba", "get_metadata_routing"):
        assert name in out


def test_threads_that_import_at_once() -> None:
    script = (
        FITTED
        + """
import importlib, threading, time
fitted = LogisticRegression().fit(X, y)
work = [  # nothing that imports scikit-learn itself: its modules do not stand being imported by two threads at once
    lambda: fitted.get_params(),
    lambda: fitted.predict(X.tolist()),
    lambda: repr(LogisticRegression()),
    lambda: type("Mine", (LogisticRegression,), {})().get_params(),
    lambda: LogisticRegression().set_callbacks(),
    lambda: importlib.import_module("zeroloop.estimator_cv"),
    lambda: fitted.score(X, y.tolist()),
    lambda: LogisticRegression().fit(X.tolist(), list(map(str, y))),
    lambda: set(LogisticRegression._parameter_constraints),
]
work = work[int(sys.argv[1]):] + work[:int(sys.argv[1])]
failed = []


def at_once(number, one):
    time.sleep(number * float(sys.argv[2]))
    try:
        one()
        from sklearn.base import BaseEstimator
        assert isinstance(fitted, BaseEstimator)
        assert callable(fitted.set_fit_request)
    except BaseException as error:
        failed.append(error)


threads = [threading.Thread(target=at_once, args=one) for one in enumerate(work)]
[one.start() for one in threads]
[one.join() for one in threads]
assert not failed, failed
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin
assert LogisticRegression.__bases__[0] is CallbackSupportMixin and isinstance(fitted, BaseEstimator)
"""
    )
    for first, apart in ((0, 0.0), (2, 0.003), (5, 0.01), (7, 0.05)):
        run(script, str(first), str(apart))
    run(  # somebody's own import, while an estimator does without
        FITTED
        + """
import importlib, threading
other = threading.Thread(target=importlib.import_module, args=("sklearn.linear_model",))
other.start()
while other.is_alive():
    assert LogisticRegression().fit(X, y).predict(X).shape == y.shape
from sklearn.base import BaseEstimator
assert isinstance(LogisticRegression(), BaseEstimator) and callable(LogisticRegression().set_fit_request)
"""
    )


def test_what_others_do_to_the_import_system() -> None:
    run(
        FITTED
        + BEFORE
        + """
import importlib.util, inspect
spec = importlib.util.find_spec("sklearn.base")  # looked at, not imported
assert spec.loader.is_package("sklearn.base") is False
import sklearn.base
assert type(sklearn.base.__loader__).__module__.startswith("_frozen_importlib")
assert sklearn.base.__spec__.loader is sklearn.base.__loader__
assert inspect.getsource(sklearn.base.BaseEstimator).startswith("class BaseEstimator")
first = sklearn.base.BaseEstimator
import sklearn.linear_model
assert not any(type(one).__module__.startswith("zeroloop") for one in sys.meta_path)
for name in [name for name in sys.modules if name.partition(".")[0] == "zeroloop" and name != "zeroloop.core"]:
    del sys.modules[name]
from zeroloop import LogisticRegression as Again
assert Again is not LogisticRegression
assert isinstance(fitted, first) and isinstance(Again(), first)
assert np.array_equal(Again().fit(X, y).predict_proba(X), fitted.predict_proba(X))
"""
    )
    run(
        FITTED
        + BEFORE
        + """
sys.meta_path[:] = [one for one in sys.meta_path if type(one).__module__.partition(".")[0] != "zeroloop"]
from sklearn.base import BaseEstimator, clone  # not seen; whatever is asked of an estimator finds it
assert clone(fitted).C == 1.0 and isinstance(fitted, BaseEstimator)
"""
    )


def test_without_scikit_learn_a_fit_goes_on() -> None:
    run(
        "import sys\nsys.modules['sklearn'] = None\n"
        + FITTED.replace('{"sklearn", ', "{")
        + BEFORE
        + "assert probabilities.shape == (300, 2) and is_alone()"
    )
