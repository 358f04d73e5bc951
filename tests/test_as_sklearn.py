"""Models as scikit-learn's own objects: equal probabilities, no code of ours, through skops, pickles and ONNX too."""

from __future__ import annotations

import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline

import zeroloop
from hostile import CASES, FIRST_SEED
from zeroloop.errors import OptionError, ZeroloopWarning
from zeroloop.tables.columns import as_decimals

skops = pytest.importorskip("skops.io")  # of the test extra, as the next; not of Python versions it has no wheels for
EXACT = 1e-12
SEEDS = range(FIRST_SEED, FIRST_SEED + (CASES or 12))


TEXT = ("a", "b", "c d", "ö", "", "None", "nan")


def some_frame(rng: np.random.Generator, m: int = 400, text: tuple[str, ...] = TEXT, half: float = 2.5) -> pd.DataFrame:
    """Return some columns of any kind, with gaps and rare levels, and targets of two and of three classes."""
    columns: dict[str, Any] = {}
    for j in range(int(rng.integers(1, 6))):
        kind = str(rng.choice(["float", "int", "bool", "text", "codes", "flags", "category", "Int64", "far"]))
        makers: dict[str, Callable[[], Any]] = {
            "float": lambda: rng.normal(size=m),
            "int": lambda: rng.integers(-5, 50, m),
            "bool": lambda: rng.random(m) < 0.4,
            "text": lambda: rng.choice(text, m).astype(object),
            "codes": lambda: rng.choice([3.0, -1.0, half, 1e6, 0.0], m),
            "flags": lambda: (rng.random(m) < 0.5).astype(object),
            "category": lambda: rng.choice(["lo", "mid", "hi"], m).astype(object),
            "Int64": lambda: rng.integers(0, 9, m),
            "far": lambda: 1e4 + rng.normal(size=m),
        }
        values: Any = pd.Series(makers[kind]())
        if rng.random() < 0.5 and kind not in ("int", "bool"):
            values = values.astype(object).where(rng.random(m) > 0.15, None)
            if kind not in ("text", "category", "flags"):
                values = values.astype(float)
        if rng.random() < 0.4 and kind == "text":  # rare ones: pooled
            values = values.astype(object).where(rng.random(m) > 0.1, pd.Series([f"rare {i}" for i in range(m)]))
        if kind == "category":
            values = values.astype(pd.CategoricalDtype(["mid", "lo", "hi"]))
        if kind == "Int64":
            values = values.astype("Int64")
        columns[f"{kind}_{j}"] = values
    frame = pd.DataFrame(columns)
    z = rng.logistic(size=m)
    frame["two"], frame["three"] = np.where(z > 0.3, "yes", "no"), pd.cut(z, [-99, -1, 1, 99], labels=False)
    return frame


def trained(rng: np.random.Generator, frame: pd.DataFrame, **how: Any) -> zeroloop.Model:
    target = str(rng.choice(["two", "two", "three"]))
    how.setdefault("multi_class", str(rng.choice(["multinomial", "ovr"])))
    how.setdefault("C", float(rng.choice([1.0, np.inf, 0.01])))
    if target == "two" and rng.random() < 0.5:
        how["positive"] = "no"
    features = [name for name in frame if name not in ("two", "three")]
    levels = [name for name in features if name.split("_")[0] in ("codes", "flags")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return zeroloop.train(
            frame[[*features, target]],
            target,
            test_fraction=0,
            categorical=levels,
            method=how.pop("method", "ml"),
            **how,
        )


def strange(rng: np.random.Generator, frame: pd.DataFrame) -> pd.DataFrame:
    """Return rows as training never met them: further levels, and gaps in any column."""
    rows = frame.drop(columns=["two", "three"]).sample(60, random_state=1).reset_index(drop=True)
    for name in list(rows):
        kind = name.split("_")[0]
        new: Any = {"text": "zz", "category": "zz", "codes": 7, "flags": True}.get(kind, 12)
        mask = rng.random(60)
        if kind in ("text", "category", "codes", "flags"):
            rows[name] = rows[name].astype(object).where(mask > 0.2, new)
        if kind not in ("int", "bool"):
            gone = None if rng.random() < 0.5 else np.nan
            rows[name] = rows[name].astype(object).where(mask < 0.8, gone)
            if kind in ("float", "far", "codes"):
                rows[name] = rows[name].astype(float)
            elif kind == "Int64":
                rows[name] = rows[name].astype("Int64")
            elif rng.random() < 0.3 and kind in ("text", "category"):
                rows[name] = rows[name].astype("str" if pd.__version__ >= "3" else object)
    return rows[rng.permutation(list(rows))]


def same(model: zeroloop.Model, found: Any, frame: pd.DataFrame) -> None:
    """Check that an object of scikit-learn's predicts what the model does."""
    wanted = model.predict_proba(frame)
    levels = list(model.schema.target.levels)
    wanted = wanted[:, [levels.index(one) for one in found.classes_.tolist()]]
    np.testing.assert_allclose(found.predict_proba(frame), wanted, rtol=0, atol=EXACT)
    assert found.classes_.tolist() == sorted(levels)
    np.testing.assert_array_equal(found.predict(frame), found.classes_[np.argmax(wanted, axis=1)])


def objects_in(made: Any) -> list[Any]:
    """Return all estimators in one."""
    inner = [value for value in made.get_params().values() if isinstance(value, BaseEstimator)] + list(
        getattr(made, "estimators_", [])
    )
    return [made, *inner, *(one for _, one, _ in getattr(made, "transformers_", []) if one != "drop")]


@pytest.mark.parametrize("seed", SEEDS)
def test_any_table_gives_equal_probabilities(seed: int) -> None:
    rng = np.random.default_rng([seed, 31])
    frame = some_frame(rng)
    model = trained(rng, frame)
    made = model.to_sklearn()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ZeroloopWarning)
        same(model, made, frame)
        same(model, made, strange(rng, frame))
    data = skops.dumps(made)
    assert set(skops.get_untrusted_types(data=data)) <= {"numpy.dtype"}  # of any SimpleImputer
    again = skops.loads(data, trusted=["numpy.dtype"])
    assert again.predict_proba(frame).tobytes() == made.predict_proba(frame).tobytes()


@pytest.mark.parametrize("rule", ["drop", "error"])
def test_a_missing_value_is_an_error_where_it_is_one_here(rule: Any) -> None:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"x": rng.normal(size=90), "g": rng.choice(["a", "b"], 90), "n": rng.choice([1.0, 2, 7], 90)})
    frame["g"], frame["y"] = frame["g"].astype(object), rng.integers(0, 2, 90)
    model = zeroloop.train(frame, "y", missing=rule, categorical=["n"], test_fraction=0)
    made = model.to_sklearn()
    with pytest.warns(ZeroloopWarning, match="never seen"):
        same(model, made, frame.assign(g=frame["g"].where(frame["x"] > 0, "never seen")))
    for name in ("x", "g", "n"):
        for gone in (None, np.nan):
            gaps = frame.astype({name: object})
            gaps.loc[4, name] = gone
            with pytest.raises(ValueError, match="contains NaN"):
                made.predict_proba(gaps)


def test_what_it_is_made_of() -> None:
    rng = np.random.default_rng(1)
    frame = some_frame(rng)
    made = trained(rng, frame, multi_class="multinomial").to_sklearn()
    assert isinstance(made, Pipeline)
    assert {type(one).__module__.partition(".")[0] for step in objects_in(made) for one in objects_in(step)} == {
        "sklearn"
    }
    features = [name for name in frame if name not in ("two", "three")]
    assert sorted(made.feature_names_in_) == sorted(features)
    assert made[-1].n_features_in_ == made[0].get_feature_names_out().size


def test_it_loads_without_zeroloop(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    frame = some_frame(rng)
    made = trained(rng, frame).to_sklearn()
    (tmp_path / "model.pickle").write_bytes(pickle.dumps((made, frame, made.predict_proba(frame))))
    code = """
import pickle, sys, numpy as np
sys.modules["zeroloop"] = None
made, frame, wanted = pickle.load(open("model.pickle", "rb"))
np.testing.assert_array_equal(made.predict_proba(frame), wanted)
"""
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)


def test_what_scikit_learn_has_no_terms_for_is_said() -> None:
    rng = np.random.default_rng(4)
    y = rng.integers(0, 2, 80)
    when = pd.DataFrame({"when": pd.date_range("2024-01-01", periods=80), "y": y})
    large = pd.DataFrame({"id": rng.choice([2**53, 2**53 + 1], 80), "y": y})
    told = {
        "Column 'when' holds dates, and scikit-learn has nothing": zeroloop.train(when, "y"),
        "Column 'id' has the level 9007199254740992, and": zeroloop.train(large, "y", categorical=["id"]),
    }
    for said, model in told.items():
        with pytest.raises(OptionError, match=said):
            model.to_sklearn()


def test_sparse_rows_are_said_and_the_estimator_takes_them(tmp_path: Path) -> None:
    (tmp_path / "a.svm").write_text("".join(f"{i % 2} {1 + i % 3}:{i % 5}.5 4:{i % 7}\n" for i in range(60)))
    model = zeroloop.train(tmp_path / "a.svm", "label", test_fraction=0)
    with pytest.raises(OptionError, match="holds sparse rows, which scikit-learn takes as a matrix"):
        model.to_sklearn()


def test_float32_beside_others_is_said() -> None:
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"a": np.round(rng.normal(size=90), 2).astype(np.float32), "b": rng.normal(size=90)})
    assert frame["a"].dtype == np.float32
    model = zeroloop.train(frame.assign(y=rng.integers(0, 2, 90)), "y", test_fraction=0)
    with pytest.warns(ZeroloopWarning, match="Numbers of 'a' came as float32 and are read as the decimals"):
        made = model.to_sklearn()
    rounded = frame.assign(a=np.round(frame["a"].astype(float), 2))
    np.testing.assert_allclose(made.predict_proba(rounded), model.predict_proba(frame), rtol=0, atol=EXACT)


def test_a_float32_that_is_no_such_decimal_stays_as_it_is() -> None:
    """As a frame of float32 given to a model that was trained on float64: it was rounded to whole numbers."""
    rng = np.random.default_rng(6)
    frame = pd.DataFrame({"a": rng.normal(size=90), "k": rng.integers(0, 9, 90), "y": rng.integers(0, 2, 90)})
    model = zeroloop.train(frame, "y", test_fraction=0)
    narrow = frame.astype({"a": np.float32, "k": np.float32})
    np.testing.assert_allclose(model.predict_proba(narrow), model.predict_proba(frame), rtol=1e-6)
    values = np.array([39.02, 1 / 3, 1e30, np.nan, -2.5], np.float32).astype(float)
    found = as_decimals(values, 2)
    np.testing.assert_array_equal(found, [39.02, values[1], values[2], np.nan, -2.5])


ESTIMATORS: dict[str, Any] = {
    "two": zeroloop.LogisticRegression(),
    "l1": zeroloop.LogisticRegression(C=0.5, l1_ratio=1.0),
    "no intercept": zeroloop.LogisticRegression(C=np.inf, fit_intercept=False),
    "weights": zeroloop.LogisticRegression(class_weight="balanced"),
    "ovr": zeroloop.LogisticRegression(multi_class="ovr"),
    "cv": zeroloop.LogisticRegressionCV(Cs=3, cv=2, use_legacy_attributes=False),
    "cv before": zeroloop.LogisticRegressionCV(Cs=3, cv=2, use_legacy_attributes=True),
}


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimators_as_scikit_learns_own(name: str, classes: int) -> None:
    rng = np.random.default_rng(7)
    X = pd.DataFrame(rng.normal(size=(200, 3)), columns=["a", "b", "c"])
    y = np.array(["no", "perhaps", "yes"])[np.digitize(X["a"] + rng.logistic(size=200), [0.0, 1.0][: classes - 1])]
    ours = clone(ESTIMATORS[name]).fit(X, y)
    made = ours.to_sklearn()
    of_many = classes > 2 and name == "ovr"
    assert type(made) is (OneVsRestClassifier if of_many else sklearn.linear_model.LogisticRegression)
    for method in ("predict_proba", "decision_function", "predict"):
        found, wanted = getattr(made, method)(X), getattr(ours, method)(X)
        if method == "predict":
            np.testing.assert_array_equal(found, wanted)
        else:
            np.testing.assert_allclose(found, wanted, rtol=0, atol=EXACT)
    assert made.feature_names_in_.tolist() == ["a", "b", "c"]
    assert (made.n_features_in_, made.classes_.tolist()) == (3, ours.classes_.tolist())
    if not of_many:
        np.testing.assert_array_equal(made.coef_, ours.coef_)
        np.testing.assert_array_equal(made.intercept_, ours.intercept_)
        assert made.coef_ is not ours.coef_
    data = skops.dumps(made)
    assert skops.get_untrusted_types(data=data) == []
    np.testing.assert_array_equal(skops.loads(data).predict_proba(X), made.predict_proba(X))
    if name == "two":  # the same parameters lead to the same fit
        assert cross_val_score(made, X, y, cv=2).mean() > 0
        np.testing.assert_allclose(clone(made).set_params(tol=1e-8).fit(X, y).coef_, ours.coef_, atol=1e-4)
        with pytest.raises(NotFittedError):
            zeroloop.LogisticRegression().to_sklearn()


def test_sparse_coefficients_and_no_names() -> None:
    rng = np.random.default_rng(8)
    X, y = rng.normal(size=(80, 4)), rng.integers(0, 2, 80)
    ours = zeroloop.LogisticRegression(l1_ratio=1.0, C=0.05).fit(X, y).sparsify()
    made = ours.to_sklearn()
    np.testing.assert_allclose(made.predict_proba(X), ours.predict_proba(X), rtol=0, atol=EXACT)
    assert not hasattr(made, "feature_names_in_")
