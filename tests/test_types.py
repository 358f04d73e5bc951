"""What is done with columns of Arrow's rarer types, in each role, beside the fuzzer's "no traceback"."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import zeroloop
from zeroloop.errors import DataError, OutputError, ZeroloopWarning

N = 120
LATE = pa.array(["no", "yes", "no"] * (N // 3))
X = pa.array(np.random.default_rng(5).normal(size=N))


def trained(z: Any, **options: Any) -> zeroloop.Model:
    return zeroloop.train(pa.table({"late": LATE, "x": X, "z": z}), "late", **options)


@pytest.mark.parametrize(
    ("values", "described"),
    [
        (pa.array([dt.date(2020, 1, 1 + i % 9) for i in range(N)]), "dates or times"),
        (pa.array([dt.time(i % 9) for i in range(N)]), "dates or times"),
        (pa.array([dt.timedelta(i % 9) for i in range(N)]).dictionary_encode(), "dates or times"),
        (pa.array([[i % 2] for i in range(N)]), "values of type list<item: int64>"),
        (pa.array([{"a": i % 2} for i in range(N)]), "values of type struct<a: int64>"),
        (pa.array([bytes([i % 2]) for i in range(N)]), "values of type binary"),
        (pa.array([[(1, 2.0)]] * N, pa.map_(pa.int32(), pa.float64())), "maps of index to number"),
    ],
)
def test_what_cannot_be_told_apart_is_no_target_and_no_level(values: pa.Array, described: str) -> None:
    table = pa.table({"z": values, "x": X})
    with pytest.raises(DataError) as caught:
        zeroloop.train(table, "z")
    assert str(caught.value) == (
        f"The target 'z' holds {described}; classes are text, whole numbers or true and false: derive such a column "
        "from it."
    )
    with pytest.raises(DataError) as caught:
        trained(values, categorical=["z"])
    way = "levels are text, numbers or true and false: derive such a column from it."
    if described == "dates or times":
        way = "name parts of it in dates, such as month, which are levels."
    assert str(caught.value) == f"Column 'z' is named categorical and holds {described}; {way}"


@pytest.mark.parametrize("offset", [0, 2**63, 2**64 - 5000])
def test_unsigned_numbers_above_int64_are_levels_and_classes(offset: int) -> None:
    codes = np.arange(N) % 2
    values = pa.array([offset + int(code) for code in codes], pa.uint64())
    model = zeroloop.train(pa.table({"z": values, "x": X}), "z")
    assert model.schema.target.levels == (offset, offset + 1)
    assert trained(values, categorical=["z"]).schema.categorical[0].levels == (offset, offset + 1)


def test_int8_from_end_to_end_is_not_wrapped() -> None:
    values = pa.array([-128, 127] * (N // 2), pa.int8())
    assert zeroloop.train(pa.table({"z": values, "x": X}), "z").schema.target.levels == (-128, 127)


@pytest.mark.parametrize("role", ["target", "categorical"])
def test_an_infinite_number_is_no_class_and_no_level(role: str) -> None:
    values = pa.array([float("inf"), 1.0, 2.0] * (N // 3))
    table = pa.table({"late": LATE, "x": X, "z": values})
    options: dict[str, Any] = {"target": "z"} if role == "target" else {"target": "late", "categorical": ["z"]}
    with pytest.raises(DataError, match=r"Column 'z' holds inf; every number must be finite\. Correct the value, or"):
        zeroloop.train(table, **options)


@pytest.mark.parametrize("value", [2.0**53, 2.0**63, 2.0**64, 1e100])
def test_whole_floats_beyond_whole_numbers_are_levels(value: float, tmp_path: Any) -> None:
    table = pa.table({"late": LATE, "x": X, "z": pa.array([value, -1.0] * (N // 2))})
    model = trained(table["z"], categorical=["z"])
    model.save(tmp_path / "m.json")
    again = zeroloop.load(tmp_path / "m.json")
    assert again.schema.categorical[0].levels == (-1, value)
    np.testing.assert_array_equal(again.predict_proba(table), model.predict_proba(table))
    alone = trained(pa.array([value, None] * (N // 2)))  # of one value and gaps: levels too
    alone.save(tmp_path / "m.json")
    assert zeroloop.load(tmp_path / "m.json").schema == alone.schema


def test_a_column_set_aside_is_no_level_either() -> None:
    values = pa.array([None, 1] * (N // 2))
    with pytest.warns(ZeroloopWarning, match="Column 'z' is left out: constant"):
        model = trained(values, categorical=["z"], missing="drop")
    assert [one.name for one in model.schema.left_out] == ["z"]
    assert model.training.rows == trained(X, missing="drop").training.rows


def test_maps_of_zeros_are_left_out() -> None:
    maps = pa.array([[(1, 0.0)]] * N, pa.map_(pa.int32(), pa.float64()))
    with pytest.warns(ZeroloopWarning, match=r"Column 'z' is left out: no value but 0 in any training row\."):
        model = trained(maps)
    assert model.predict_proba(pa.table({"x": X, "z": maps})).shape == (N, 2)


def test_a_table_without_rows_is_said_whatever_it_holds() -> None:
    union = pa.UnionArray.from_dense(pa.array([], pa.int8()), pa.array([], pa.int32()), [pa.array([]), pa.array([])])
    with pytest.raises(DataError, match="Column 'z' is named categorical and holds values of type dense_union"):
        zeroloop.train(pa.table({"y": pa.array([], pa.int8()), "z": union}), "y", categorical=["z"])


NUMBERS = [float(i % 7) for i in range(N)]


@pytest.mark.parametrize(
    "other",
    [
        pa.array([Decimal(i % 7) for i in range(N)], pa.decimal32(5, 2)),
        pa.array([Decimal(i % 7) for i in range(N)], pa.decimal256(50, 2)),
        pa.array(NUMBERS, pa.float16()),
        pa.array([i % 7 for i in range(N)], pa.uint8()),
        pa.RunEndEncodedArray.from_arrays(np.arange(1, N + 1, dtype=np.int32), pa.array(NUMBERS)),
    ],
    ids=["decimal32", "decimal256", "float16", "uint8", "run ends"],
)
def test_numbers_are_numbers_however_they_are_held(other: pa.Array) -> None:
    expected = trained(pa.array(NUMBERS), test_fraction=0).coef
    np.testing.assert_allclose(trained(other, test_fraction=0).coef, expected, rtol=1e-12)


TEXTS = ["red", "green", "blue", "red"] * (N // 4)


@pytest.mark.parametrize(
    "other",
    [
        pa.array(TEXTS, pa.large_string()),
        pa.array(TEXTS, pa.string_view()),
        pa.DictionaryArray.from_arrays(
            pa.array([2, 1, 0, 2] * (N // 4), pa.int8()), pa.array(["blue", "green", "red"])
        ),
        # A dictionary that holds a level twice, and one that no row has.
        pa.DictionaryArray.from_arrays(
            pa.array([2, 1, 0, 3] * (N // 4), pa.int8()), pa.array(["blue", "green", "red", "red", "never"])
        ),
        pa.RunEndEncodedArray.from_arrays(np.arange(1, N + 1, dtype=np.int32), pa.array(TEXTS)).slice(0, N),
        pa.RunEndEncodedArray.from_arrays(np.arange(1, N + 1, dtype=np.int32), pa.array(TEXTS, pa.string_view())),
    ],
    ids=["large", "view", "dictionary", "repeated", "run ends", "run ends of views"],
)
def test_text_is_levels_however_it_is_held(other: pa.Array) -> None:
    expected = trained(pa.array(TEXTS), test_fraction=0)
    model = trained(other, test_fraction=0)
    assert model.schema == expected.schema
    np.testing.assert_array_equal(model.coef, expected.coef)
    as_target = [zeroloop.train(pa.table({"z": z, "x": X}), "z") for z in (pa.array(TEXTS), other)]
    np.testing.assert_array_equal(as_target[0].coef, as_target[1].coef)
    assert as_target[0].training.shares == as_target[1].training.shares


def test_a_day_is_a_cluster() -> None:
    days = [dt.date(2020, 1, 1 + i % 20) for i in range(N)]
    by_day = trained(pa.array(days), C=float("inf"), cluster="z")
    by_number = trained(pa.array([day.day for day in days]), C=float("inf"), cluster="z")
    assert by_day.estimates is not None
    assert by_number.estimates is not None
    np.testing.assert_allclose(by_day.estimates.covariance, by_number.estimates.covariance, rtol=1e-12)


def test_a_column_that_a_file_cannot_hold_is_named_before_the_work(tmp_path: Any) -> None:
    table = pa.table({"late": LATE, "x": X, "z": pa.array([[1]] * N)})
    model = zeroloop.train(table, "late", drop=["z"])
    assert zeroloop.predict_file(model, table, tmp_path / "p.parquet", keep=["z"]) == N
    with pytest.raises(OutputError, match=r"p\.csv: column 'z' holds values of type list<.* leave it out of keep"):
        zeroloop.predict_file(model, table, tmp_path / "p.csv", keep=["z"])
    assert not (tmp_path / "p.csv").exists()
