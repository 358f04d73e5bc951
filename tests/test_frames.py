"""Frames of pandas and polars as they come: the model of the plain table that they mean, or one sentence."""

from __future__ import annotations

import datetime as dt
import warnings
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.linear_model import LogisticRegression as Judge

import zeroloop
from hostile import CASES, FIRST_SEED, within
from zeroloop.errors import DataError, OptionError, ZeroloopError

N = CASES or 120
Values = list[int | None]
Means = Literal["error", "left out"]


class Kind(NamedTuple):
    """A kind of column: what a frame holds for some whole numbers below 4, and what it means."""

    make: Callable[[Values], Any]
    means: Callable[[Values], list[Any] | pa.Array] | Means


def each(function: Callable[[int], Any], missing: Any = None) -> Callable[[Values], list[Any]]:
    return lambda values: [missing if i is None else function(i) for i in values]


def objects(*functions: Callable[[int], Any], missing: Any = None) -> Callable[[Values], Any]:
    """Return what makes a column of objects whose types take turns."""
    return lambda values: pd.Series(
        [missing if i is None else functions[k % len(functions)](i) for k, i in enumerate(values)], dtype=object
    )


def typed(function: Callable[[int], Any], dtype: Any) -> Callable[[Values], Any]:
    return lambda values: pd.array(each(function)(values), dtype=dtype)


def category(function: Callable[[int], Any], ordered: list[int] | None = None) -> Callable[[Values], Any]:
    levels = [function(i) for i in ordered or range(4)]
    return lambda values: pd.Categorical.from_codes(
        [-1 if i is None else (ordered or list(range(4))).index(i) for i in values],
        categories=pd.Index(levels, tupleize_cols=False),
    )


def levels_of(function: Callable[[int], Any], order: list[int] | None = None) -> Callable[[Values], pa.Array]:
    chosen = order or list(range(4))
    return lambda values: pa.DictionaryArray.from_arrays(
        pa.array([None if i is None else chosen.index(i) for i in values], pa.int8()), [function(i) for i in chosen]
    )


def polar(function: Callable[[int], Any], dtype: Any) -> Callable[[Values], Any]:
    return lambda values: pl.Series(each(function)(values), dtype=dtype, strict=False)


def day(i: int) -> dt.date:
    return dt.date(2020, 2, 1 + i)


def moment(i: int) -> dt.datetime:
    return dt.datetime(2020, 2, 1 + i, 3 * i)


def whole(i: int) -> int:
    return i


def cut(values: Values) -> Any:
    return pd.cut(each(whole, np.nan)(values), [-1, 0, 1, 2, 3])


PANDAS = {
    "Int64": Kind(typed(whole, "Int64"), each(whole)),
    "UInt8": Kind(typed(whole, "UInt8"), each(whole)),
    "Float32": Kind(typed(float, "Float32"), each(float)),
    "boolean": Kind(typed(lambda i: i > 1, "boolean"), each(lambda i: i > 1)),
    "string": Kind(typed(str, "string"), each(str)),
    "string[pyarrow]": Kind(typed(str, "string[pyarrow]"), each(str)),
    "arrow decimal": Kind(typed(Decimal, pd.ArrowDtype(pa.decimal128(9, 2))), each(float)),
    "float": Kind(lambda values: np.array(each(float, np.nan)(values)), each(float)),
    "long double": Kind(lambda values: np.array(each(float, np.nan)(values), np.longdouble), each(float)),
    "sparse": Kind(lambda values: pd.arrays.SparseArray(each(float, np.nan)(values)), each(float)),
    "sparse numbers": Kind(
        lambda values: pd.arrays.SparseArray([i or 0 for i in values]), lambda values: [i or 0 for i in values]
    ),
    "decimals": Kind(objects(Decimal), each(float)),
    "numbers of all types": Kind(
        objects(int, float, np.int8, np.float64, np.uint64, Decimal, np.float32, missing=pd.NA), each(float)
    ),
    "whole numbers of all types": Kind(objects(int, np.int8, np.uint64, missing=pd.NaT), each(whole)),
    "bools and numbers": Kind(objects(lambda i: i > 1, lambda i: int(i > 1)), each(lambda i: int(i > 1))),
    "text and None": Kind(objects(str), each(str)),
    "text and NaN": Kind(objects(str, missing=float("nan")), each(str)),
    "dates": Kind(objects(day), each(day)),
    "dates and times": Kind(
        objects(lambda i: dt.datetime(2020, 2, 1 + i, 12), day, lambda i: np.datetime64(f"2020-02-0{1 + i}")),
        lambda values: [
            None if i is None else dt.datetime(2020, 2, 1 + i, 12 * (k % 3 == 0)) for k, i in enumerate(values)
        ],
    ),
    "timedelta": Kind(lambda values: pd.to_timedelta(each(whole)(values), unit="D"), each(dt.timedelta)),
    "period": Kind(
        lambda values: pd.PeriodIndex([None if i is None else f"2020-0{1 + i}" for i in values], freq="M"),
        each(lambda i: 600 + i),
    ),
    "category": Kind(category("abcd".__getitem__, [2, 0, 3, 1]), levels_of("abcd".__getitem__, [2, 0, 3, 1])),
    "category of numbers": Kind(category(whole, [2, 0, 3, 1]), levels_of(whole, [2, 0, 3, 1])),
    "category of fractions": Kind(category(lambda i: i / 2), levels_of(lambda i: i / 2)),
    "category of dates": Kind(category(pd.Timestamp), levels_of(pd.Timestamp)),
    "category of intervals": Kind(cut, levels_of(lambda i: f"({i - 1}, {i}]")),
    "category of tuples": Kind(category(lambda i: ("a", i)), levels_of(lambda i: f"('a', {i})")),
    "category of periods": Kind(
        category(lambda i: pd.Period(f"2020-0{1 + i}", "M")), levels_of(lambda i: f"2020-0{1 + i}")
    ),
    "interval": Kind(lambda values: pd.arrays.IntervalArray.from_breaks(range(len(values) + 1)), "left out"),
    "lists": Kind(objects(lambda i: [i]), "left out"),
    "bytes": Kind(objects(lambda i: bytes([i])), "left out"),
    "complex": Kind(lambda values: np.array(each(complex, 0j)(values)), "error"),
    "things": Kind(objects(lambda i: object()), "error"),
    "text and numbers": Kind(objects(str, int), "error"),
    "dates and numbers": Kind(objects(day, int), "error"),
    "dates with and without zone": Kind(objects(moment, lambda i: moment(i).replace(tzinfo=dt.UTC)), "error"),
    "half characters": Kind(objects(lambda i: "\udc80" + str(i)), "error"),
}
FRACTIONS = {"Int64": pl.Int64, "Float32": pl.Float32, "Int8": pl.Int8, "Int128": pl.Int128, "UInt64": pl.UInt64}
POLARS = {
    **{name: Kind(polar(whole, dtype), each(whole)) for name, dtype in FRACTIONS.items()},
    "Decimal": Kind(polar(Decimal, pl.Decimal(20, 2)), each(float)),
    "Boolean": Kind(polar(lambda i: i > 1, pl.Boolean), each(lambda i: i > 1)),
    "String": Kind(polar(str, pl.String), each(str)),
    "Categorical": Kind(polar("dbca".__getitem__, pl.Categorical), each("dbca".__getitem__)),
    "Enum": Kind(polar("abcd".__getitem__, pl.Enum(["c", "a", "d", "b"])), levels_of("abcd".__getitem__, [2, 0, 3, 1])),
    "Date": Kind(polar(day, pl.Date), each(day)),
    "Datetime": Kind(polar(moment, pl.Datetime("ns")), each(moment)),
    "Time": Kind(polar(dt.time, pl.Time), each(dt.time)),
    "Duration": Kind(polar(dt.timedelta, pl.Duration), each(dt.timedelta)),
    "numbers as objects": Kind(polar(whole, pl.Object), each(whole)),
    "List": Kind(polar(lambda i: [i], pl.List(pl.Int64)), "left out"),
    "Array": Kind(polar(lambda i: [i], pl.Array(pl.Int64, 1)), "left out"),
    "Struct": Kind(polar(lambda i: {"i": i}, pl.Struct({"i": pl.Int64})), "left out"),
    "Binary": Kind(polar(lambda i: bytes([i]), pl.Binary), "left out"),
    "Null": Kind(lambda values: pl.Series([None] * len(values)), "left out"),
    "objects": Kind(polar(lambda i: object(), pl.Object), "error"),
    "Struct of Int128": Kind(polar(lambda i: {"i": i}, pl.Struct({"i": pl.Int128})), "error"),
}
NAMES: list[Any] = ["x", "ö", 0, 3.5, ("a", "b"), True, pd.Timestamp("2020-01-01"), "[red]", "a=b", ""]


def fitted(data: Any, target: Any, **options: Any) -> zeroloop.Model:
    with within(60), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return zeroloop.train(data, target, threads=1, max_iter=30, **options)


def raised(call: Callable[[], object]) -> str | None:
    """Return what a call says that fails as it may; None where it does not."""
    try:
        call()
    except ZeroloopError as error:
        return str(error)
    return None


def check_use(model: zeroloop.Model, frame: Any, plain: pa.Table, names: list[Any], tmp_path: Path) -> None:
    """Check that a frame is predicted, scored and copied as the plain table is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(tmp_path / "model.json")
        again = zeroloop.load(tmp_path / "model.json")
        expected = again.predict_proba(plain)
        assert np.allclose(again.predict_proba(frame), expected, rtol=1e-9, atol=1e-12)
        scores = zeroloop.evaluate(again, frame)["log_loss"]
        assert np.isclose(scores, zeroloop.evaluate(again, plain)["log_loss"], rtol=1e-9)
        said = raised(lambda: zeroloop.predict_file(again, frame, tmp_path / "out.parquet", keep=names))
        assert said is None or "leave it out of keep" in said
        if said is None:
            assert pq.read_table(tmp_path / "out.parquet").column_names[: len(names)] == list(map(str, names))
        zeroloop.path(frame, again.schema.target.name, Cs=2)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_frame_gives_the_model_of_the_table_that_it_means(library: str, tmp_path: Path) -> None:
    kinds = PANDAS if library == "pandas" else POLARS
    n_models = 0
    for seed in range(FIRST_SEED, FIRST_SEED + N // 2):
        rng = np.random.default_rng([seed, 1604, len(library)])
        n = int(rng.integers(40, 90))
        chosen = [str(name) for name in rng.choice(list(kinds), int(rng.integers(1, 4)), replace=False)]
        labels = (
            [NAMES[i] for i in rng.choice(len(NAMES), len(chosen), replace=False)] if rng.random() < 0.5 else chosen
        )
        labels = list(map(str, labels)) if library == "polars" else labels
        target: Any = 7 if library == "pandas" and rng.random() < 0.3 else "y"
        y, z = rng.integers(0, 2, n), rng.normal(size=n)
        gaps = float(rng.choice([0, 0.1]))
        values: list[Values] = [
            [None if rng.random() < gaps else int(i) for i in rng.integers(0, 4, n)] for _ in chosen
        ]
        columns = [y, z, *(kinds[name].make(of) for name, of in zip(chosen, values, strict=True))]
        plain = {str(target): pa.array(y), "z": pa.array(z)}
        for label, name, of in zip(labels, chosen, values, strict=True):
            means = kinds[name].means
            if not isinstance(means, str):
                meant = means(of)
                plain[str(label)] = meant if isinstance(meant, pa.Array) else pa.array(meant)
        shown = f"seed {seed}: {dict(zip(labels, chosen, strict=True))}"
        if library == "pandas":
            frame: Any = pd.concat([pd.Series(column) for column in columns], axis=1)
            frame.columns = pd.Index([target, "z", *labels], dtype=object)
            frame.index = pd.Index(rng.integers(0, 5, n), name="z")
        else:
            names = [str(target), "z", *map(str, labels)]
            frame = pl.DataFrame(dict(zip(names, columns, strict=True)))
        said = raised(lambda: fitted(frame, target))  # noqa: B023
        assert (said is not None) == any(kinds[name].means == "error" for name in chosen), f"{shown}: {said}"
        if said is not None:
            assert "\n" not in said, shown
            assert said[-1] == ".", shown
            continue
        model = fitted(frame, target)
        expected = fitted(pa.table(plain), str(target))
        assert sorted(model.schema.terms) == sorted(expected.schema.terms), shown
        place = {term: i for i, term in enumerate(expected.schema.terms)}
        right = expected.coef[..., [place[term] for term in model.schema.terms]]
        assert np.allclose(model.coef, right, rtol=1e-6, atol=1e-8), shown
        check_use(model, frame, pa.table(plain), ["z", *labels], tmp_path)
        n_models += 1
    assert n_models > 0


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_the_estimator_takes_the_frames_that_scikit_learn_takes(library: str) -> None:
    kinds = PANDAS if library == "pandas" else POLARS
    y = np.arange(40) % 2
    for name, kind in kinds.items():
        column = kind.make([i % 4 for i in range(40)])
        z = np.arange(40) % 7 / 3
        frame: Any = pd.DataFrame({"z": z, "x": column}) if library == "pandas" else pl.DataFrame({"z": z, "x": column})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                Judge().fit(frame, y)
            except Exception as error:  # noqa: BLE001  whatever scikit-learn raises
                with pytest.raises(type(error)):
                    zeroloop.LogisticRegression().fit(frame, y)
                continue
            ours = zeroloop.LogisticRegression().fit(frame, y)
            assert np.isfinite(ours.coef_).all(), name


def a_frame(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"y": np.arange(40) % 2, "z": np.arange(40) % 7 / 3, **columns})


def test_labels_are_names() -> None:
    frame = a_frame()
    frame.columns = pd.MultiIndex.from_tuples([("y", ""), ("a", "b")])
    model = fitted(frame, ("y", ""))
    assert model.schema.terms == ("(intercept)", "('a', 'b')")
    numbered = pd.DataFrame(np.column_stack([np.arange(40) % 2, np.arange(40) % 7, np.arange(40) % 3]))
    model = fitted(numbered, 0, features=numbered.columns[1:2], C=np.inf, cluster=2, tests=[1])
    assert model.schema.terms == ("(intercept)", "1")
    assert fitted(numbered, np.int64(0), drop=[1], categorical=[2]).schema.terms == ("(intercept)", "2=0", "2=1", "2=2")
    assert fitted(numbered, 0, weights=2, penalty_factors={1: 0.0}, bounds={1: (0, 1)}).schema.terms[1] == "1"
    with pytest.raises(OptionError, match=r"^target: there is no column '9'; the table has '?0"):
        fitted(numbered, 9)


def test_rows_have_no_names() -> None:
    frame = a_frame()
    expected = fitted(frame, "y").coef
    for index in (pd.MultiIndex.from_arrays([range(40), range(40)]), pd.Index([0] * 40), pd.Index(range(40), name="z")):
        assert np.array_equal(fitted(frame.set_axis(index), "y").coef, expected)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (a_frame().set_axis(["y", "y"], axis=1), "The column 'y' is there twice; rename one."),
        (a_frame(x=1.5).set_axis(["y", 0, "0"], axis=1), "The column '0' is there twice; rename one."),
        (a_frame().set_axis(pd.Index(["y", "\udc80"], dtype=object), axis=1), "The column '\\udc80' has half a char"),
        (a_frame(x=pd.Series([1, "a"] * 20, dtype=object)), "holds a number (1) in row 1, and text ('a') in row 2; "),
        (a_frame(x=pd.Series([2**53 + 1, 0.5] * 20, dtype=object)), "holds 9007199254740993 in row 1, which loses"),
        (a_frame(x=pd.Series([Decimal("0.12345678901234567"), 0.5] * 20, dtype=object)), "holds 0.123456789"),
        (a_frame(x=pd.Categorical(["1", 1] * 20, ["1", 1])), "'x' has two categories that are written alike; rename"),
        (a_frame(x=pd.Series([10**400, 1] * 20, dtype=object)), "'x' holds 10000000000000000000000000000000"),
        (a_frame(x=1j), "Column 'x' holds a value of type complex (1j) in row 1, which Arrow has no"),
        (a_frame()["z"], "Cannot read Series as a table; give a path"),
        (pl.Series([1, 2]), "Cannot read Series as a table; give a path"),
        (pl.LazyFrame({"y": [1, 2]}), "Cannot read LazyFrame as a table; give a path"),
        (pd.DataFrame(index=range(5)), "target: there is no column 'y', and no other."),
        (pl.DataFrame(), "target: there is no column 'y', and no other."),
        (a_frame().head(0), "The target 'y' has no value in any row"),
    ],
)  # fmt: skip
def test_frames_that_cannot_be_read_are_said(frame: Any, message: str) -> None:
    with pytest.raises((DataError, OptionError)) as caught:
        fitted(frame, "y")
    assert message in str(caught.value)


def test_whole_numbers_beyond_64_bits_are_numbers_and_no_levels() -> None:
    wide = pl.DataFrame({"y": [0, 1] * 20, "x": pl.Series([2**100, 3, 2**99, 5] * 10, dtype=pl.Int128)})
    assert fitted(wide, "y").schema.terms == ("(intercept)", "x")
    with pytest.raises(DataError, match=f"Column 'x' holds {2**100} as a level; whole numbers of more than 64 bits"):
        fitted(wide, "y", categorical=["x"])
    exact = pl.DataFrame({"y": [0, 1] * 20, "x": pl.Series([2**64 - 1, 2**64 - 2] * 20, dtype=pl.UInt64)})
    assert fitted(exact, "y", categorical=["x"]).schema.categorical[0].levels == (2**64 - 2, 2**64 - 1)
