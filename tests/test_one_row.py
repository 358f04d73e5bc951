"""Rows as dictionaries: one in microseconds, several as a table, with the same probabilities and the same sentences."""

from __future__ import annotations

import datetime as dt
import math
import pickle
import warnings
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import zeroloop

M = 1_500


def some_rows(dtype: type = np.float64, gaps: bool = True) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    x: Any = rng.standard_normal(M).astype(dtype)
    k = rng.integers(0, 5, M).astype(np.int16)
    g = rng.choice(["a", "b", "c d"], M).astype(object)
    frame = pd.DataFrame(
        {"x": x, "k": k, "flag": rng.random(M) < 0.5, "g": g, "n": rng.choice([1, 2, 7], M), "full": x**2}
    )
    z = x + 0.3 * k + (g == "a") + rng.logistic(size=M)
    frame["y"], frame["three"] = np.where(z > 1, "yes", "no"), np.digitize(z, [0.0, 1.5])
    if gaps:
        frame.loc[rng.random(M) < 0.1, "x"] = np.nan
        frame.loc[rng.random(M) < 0.1, "g"] = None
        frame.loc[rng.random(M) < 0.1, "n"] = None
    return frame


def trained(target: str = "y", frame: pd.DataFrame | None = None, **how: Any) -> zeroloop.Model:
    frame = some_rows() if frame is None else frame
    data = frame.drop(columns={"y", "three"} - {target})
    return zeroloop.train(data, target, test_fraction=0, categorical=["n"], **how)


MODELS = {
    "penalised": trained(),
    "free": trained(C=math.inf),
    "narrow": trained(frame=some_rows(np.float32, gaps=False).drop(columns=["flag"])),
    "three": trained("three"),
    "ovr": trained("three", multi_class="ovr"),
    "drop": trained(missing="drop"),
    "error": trained(frame=some_rows(gaps=False), missing="error"),
    "offset": trained(frame=some_rows(gaps=False), offset="full"),
}


def by_hand(model: zeroloop.Model, row: dict[str, Any]) -> np.ndarray[Any, Any]:
    """Return probabilities as a reader of the terms would make them, of rows of the plain kind."""
    means = {column.name: column.mean for column in model.schema.numeric}
    z = []
    for coef in model.coef:
        of = dict(zip(model.schema.terms, coef.tolist(), strict=True))
        found = of["(intercept)"]
        for name in model.schema.features:
            value = row[name]
            gone = value is None or value != value
            if name in means:
                number = means[name] if gone else float(value)
                number = float(np.float32(number)) if model.schema.float32 else number
                found += of[name] * number + (of.get(f"{name} is missing", 0.0) if gone else 0.0)
            else:
                text = value if isinstance(value, str) or gone else int(value)
                found += of.get(f"{name} is missing" if gone else f"{name}={text}", 0.0)
        z.append(found)
    if len(z) == 1:
        return np.array([1 / (1 + math.exp(z[0])), 1 / (1 + math.exp(-z[0]))])
    shares = np.exp(z) if model.training.multi_class == "multinomial" else 1 / (1 + np.exp(-np.array(z)))
    return np.asarray(shares / shares.sum())


NUMBER = st.one_of(st.floats(-5, 5, width=32), st.integers(-5, 5), st.booleans())
PLAIN = st.fixed_dictionaries(
    {
        "x": st.one_of(st.none(), st.just(math.nan), NUMBER, st.floats(-5, 5).map(np.float64)),
        "k": st.one_of(st.integers(-5, 9), st.integers(0, 4).map(np.int16)),
        "flag": st.booleans(),
        "g": st.sampled_from(["a", "b", "c d", None, np.str_("a")]),
        "n": st.sampled_from([1, 2, 7, 7.0, np.int64(2), None, math.nan]),
        "full": NUMBER,
    }
)


@pytest.mark.parametrize("name", ["penalised", "free", "three", "ovr", "offset", "narrow"])
@given(row=PLAIN)
def test_one_row_is_what_its_terms_say(name: str, row: dict[str, Any]) -> None:
    model = MODELS[name]
    if name in ("offset", "narrow"):  # trained without gaps
        row = row | {"x": row["x"] or 0.5, "g": row["g"] or "b", "n": row["n"] or 1}
        row |= {key: 1 for key in ("x", "n") if row[key] != row[key]}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = model.predict_one(row)
        np.testing.assert_allclose(found, by_hand(model, row), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(found, model.predict_proba([row])[0], rtol=1e-9, atol=1e-12)
    assert found.shape == (len(model.schema.target.levels),)


ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.just(Decimal("1.5")), st.just(b"a"),
    st.just([1]), st.just({1: 2.0}), st.just(dt.date(2024, 5, 1)), st.just(np.float32(1.5)), st.just(1 + 2j),
    st.just(pd.NA), st.just(pd.NaT), st.just("zz"), st.just(99), st.just(np.nan),
)  # fmt: skip


def answer(ask: Any) -> Any:
    """Return what comes of asking: the kind of error and its sentence, or probabilities and warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = np.round(np.ravel(ask()), 9).tolist()
        except zeroloop.ZeroloopError as error:
            return type(error).__name__, str(error)
    return [str(found), *sorted(str(one.message) for one in caught)]


@pytest.mark.parametrize("name", sorted(MODELS))
@settings(max_examples=20)
@given(row=PLAIN, odd=st.dictionaries(st.sampled_from(["x", "k", "flag", "g", "n", "full", "more"]), ODD, max_size=2))
def test_one_row_and_a_table_of_it_say_the_same(name: str, row: dict[str, Any], odd: dict[str, Any]) -> None:
    model, given_row = MODELS[name], row | odd
    assert answer(lambda: model.predict_one(given_row)) == answer(lambda: model.predict_proba([given_row]))
    del row["k"]
    said = "the table: column 'k', which the model needs, is missing."
    assert answer(lambda: model.predict_one(row)) == ("DataError", said)


def test_rows_as_dictionaries_are_a_table() -> None:
    frame = some_rows()
    rows = frame.head(50).to_dict("records")
    for model in [one for name, one in MODELS.items() if name not in ("error", "offset")]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", zeroloop.ZeroloopWarning)
            found, wanted = model.predict_proba(rows), model.predict_proba(frame.head(50))
        assert found.tobytes() == wanted.tobytes()
    model = MODELS["penalised"]
    assert model.predict_proba(rows[0]).shape == (1, 2)
    assert model.predict(rows[3]).tolist() == [model.predict(frame)[3]]
    some: list[dict[str, Any]] = [
        {"x": 1, "k": 2, "flag": True, "g": "a", "n": 1, "full": 0.5},
        {"k": 2, "full": 1, "flag": False},
    ]
    wanted = model.predict_proba([some[0], some[1] | {"x": None}])
    np.testing.assert_array_equal(model.predict_proba(some)[1], wanted[1])
    taught = zeroloop.train(frame.drop(columns="three").to_dict("records"), "y", test_fraction=0, categorical=["n"])
    np.testing.assert_allclose(taught.coef, model.coef, rtol=1e-9)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"k": 1}, {"k": "a"}], r"Column 'k' holds a number \(1\) in row 1, and text \('a'\) in row 2; .*"),
        ({"k": 10**400}, r"Column 'k' holds 1000\d+, which has too many digits; .*"),
        ({"k": 1}, "the table: columns 'x', 'flag', 'full', 'g' and 'n', which the model needs, are missing."),
        ([3], "Cannot read list as a table; give a path, .* or rows as dictionaries"),
    ],
    ids=["kinds", "large", "columns", "number"],
)
def test_rows_that_are_none_are_said(rows: Any, said: str) -> None:
    with pytest.raises(zeroloop.ZeroloopError, match=said):
        MODELS["penalised"].predict_proba(rows)


def test_dates_and_sparse_columns_are_predicted_one_by_one() -> None:
    rng = np.random.default_rng(1)
    days = [dt.date(2024, 1, 1) + dt.timedelta(days=int(i)) for i in rng.integers(0, 300, 400)]
    late = pa.table({"when": days, "x": rng.standard_normal(400), "y": rng.integers(0, 2, 400)})
    model = zeroloop.train(late, "y", test_fraction=0)
    rows = late.drop_columns(["y"]).to_pylist()
    np.testing.assert_array_equal(model.predict_one(rows[5]), model.predict_proba(late)[5])
    maps = [{int(i): 1.0 for i in rng.integers(0, 9, 3)} for _ in range(400)]
    sparse = pa.table({"f": pa.array([list(m.items()) for m in maps], pa.map_(pa.int64(), pa.float64()))})
    model = zeroloop.train(sparse.append_column("y", late["y"]), "y", test_fraction=0)
    np.testing.assert_array_equal(model.predict_one({"f": maps[7]}), model.predict_proba(sparse)[7])


def test_a_model_that_has_predicted_one_row_is_as_before(tmp_path: Any) -> None:
    model = MODELS["penalised"]
    row = {"x": 1, "k": 2, "flag": True, "g": "a", "n": 1, "full": 0.5}
    wanted = model.predict_one(row)
    again = pickle.loads(pickle.dumps(model.schema)), model.coef
    assert again[0] == model.schema
    model.save(tmp_path / "m.json")
    loaded = zeroloop.load(tmp_path / "m.json")
    assert loaded == loaded
    np.testing.assert_array_equal(loaded.predict_one(row), wanted)
