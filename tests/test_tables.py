"""Raw tables to schemas: every format the same bits, every rule of the schema, every bad file one sentence."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.dataset as ds
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

import zeroloop
from zeroloop.errors import DataError, OptionError, ZeroloopWarning
from zeroloop.model import Model
from zeroloop.tables.raw import recut
from zeroloop.tables.read import open_table
from zeroloop.tables.schema import Categorical, Numeric


def a_table(rows: int = 500, seed: int = 0) -> pa.Table:
    """Return a table with numbers, text and gaps, and a target that depends on them."""
    rng = np.random.default_rng(seed)
    size, count = rng.normal(5, 2, rows).round(3), rng.integers(0, 9, rows)
    colour = np.array(["red", "green", "blue"])[rng.integers(0, 3, rows)]
    z = 0.4 * size - 0.3 * count + (colour == "red") - 1
    return pa.table(
        {
            "bought": (rng.random(rows) < 1 / (1 + np.exp(-z))).astype(np.int64),
            "size": pa.array(size, mask=rng.random(rows) < 0.1),
            "count": pa.array(count, mask=rng.random(rows) < 0.05),
            "colour": pa.array(colour, mask=rng.random(rows) < 0.07),
        }
    )


def trained(data: Any, **options: Any) -> Model:
    return zeroloop.train(data, "bought", **({"test_fraction": 0.25} | options))


def write_csv(table: pa.Table, path: Path) -> Path:
    pacsv.write_csv(table, path)
    return path


def write_gzip(table: pa.Table, path: Path) -> Path:
    plain = write_csv(table, path.with_suffix(".plain"))
    path.write_bytes(gzip.compress(plain.read_bytes()))
    return path


def write_tabs(table: pa.Table, path: Path) -> Path:
    pacsv.write_csv(table, path, pacsv.WriteOptions(delimiter="\t", quoting_style="none"))
    return path


def write_parquet(table: pa.Table, path: Path) -> Path:
    pq.write_table(table, path, row_group_size=77)
    return path


def write_feather(table: pa.Table, path: Path) -> Path:
    feather.write_feather(table, str(path))
    return path


def write_stream(table: pa.Table, path: Path) -> Path:
    with pa.ipc.new_stream(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=33)
    return path


def write_two(table: pa.Table, path: Path) -> list[Path]:
    first = write_csv(table.slice(0, 123), path.with_suffix(".1.csv"))
    reordered = table.select(["colour", "size", "bought", "count"])
    return [first, write_parquet(reordered.slice(123), path.with_suffix(".2.parquet"))]


FORMS: dict[str, Callable[[pa.Table, Path], Any]] = {
    "csv": write_csv,
    "csv, gzip": write_gzip,
    "tabs": write_tabs,
    "parquet": write_parquet,
    "feather": write_feather,
    "arrow stream": write_stream,
    "two files": write_two,
    "pandas": lambda table, path: pd.read_csv(write_csv(table, path)),
    "pandas categories": lambda table, path: pd.read_csv(write_csv(table, path)).astype({"colour": "category"}),
    "polars": lambda table, path: pl.read_csv(write_csv(table, path)),
    "polars categories": lambda table, path: pl.read_csv(
        write_csv(table, path), schema_overrides={"colour": pl.Categorical}
    ),
    "reader": lambda table, path: pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=91)),
    "dataset": lambda table, path: ds.dataset(write_parquet(table, path)),
    "chunked": lambda table, path: pa.concat_tables([table.slice(i, 50) for i in range(0, len(table), 50)]),
    "sorted dictionaries": lambda table, path: table.set_column(
        3, "colour", pa.array(pd.Categorical(table["colour"].to_pandas()))
    ),
    "float32 and decimals": lambda table, path: table.set_column(
        1, "size", table["size"].cast(pa.float32())
    ).set_column(2, "count", table["count"].cast(pa.decimal128(22, 2))),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_table_gives_the_same_bits(form: str, tmp_path: Path) -> None:
    table = a_table()
    same, model = trained(table), trained(FORMS[form](table, tmp_path / "data"))
    assert model.schema.terms == same.schema.terms
    assert model.schema.n_coefs == len(model.schema.terms)
    assert model.coef.tobytes() == same.coef.tobytes()
    assert model.held_out == same.held_out
    np.testing.assert_array_equal(model.predict_proba(FORMS[form](table, tmp_path / "data")), same.predict_proba(table))


def test_a_folder_and_a_glob_are_their_files_in_order(tmp_path: Path) -> None:
    table = a_table()
    (tmp_path / "sub").mkdir()
    write_csv(table.slice(0, 100), tmp_path / "a.csv")
    write_parquet(table.slice(100, 200), tmp_path / "b.parquet")
    write_csv(table.slice(300), tmp_path / "sub" / "c.csv")
    (tmp_path / "README.txt").write_text("not data")
    (tmp_path / "_SUCCESS.csv").write_text("")
    whole = trained(table).coef.tobytes()
    assert trained(str(tmp_path / "**" / "[abc].*")).coef.tobytes() == whole
    with pytest.raises(DataError, match=r"several kinds \(2 \.csv, 1 \.parquet\), which may be the same rows more"):
        trained(tmp_path)
    (tmp_path / "b.parquet").unlink()
    write_csv(table.slice(100, 200), tmp_path / "b.csv")
    assert trained(tmp_path).coef.tobytes() == whole


def test_recut_gives_batches_of_one_size() -> None:
    table = a_table(100)
    parts = [*table.slice(0, 33).to_batches(), *table.slice(33, 5).to_batches(), *table.slice(38).to_batches()]
    batches = list(recut(parts, 16))
    assert [batch.num_rows for batch in batches] == [16] * 6 + [4]
    assert pa.Table.from_batches(batches).equals(table.combine_chunks())


def test_kinds_of_columns() -> None:
    rows = 60
    table = a_table(rows)
    extra = {
        "flag": pa.array([True, False] * 30),
        "price": pa.array([Decimal("1.25"), Decimal("2.50")] * 30),
        "id": [f"row {i}" for i in range(rows)],
        "day": [date(2020, 1, 1)] * rows,
        "constant": [7] * rows,
        "word": ["same"] * rows,
        "nothing": pa.nulls(rows),
        "blank": pa.array([None] * rows, pa.float64()),
        "list": [[1]] * rows,
        "once": pa.array([1.0, None] * 30),
    }
    for name, values in extra.items():
        table = table.append_column(name, pa.array(values) if isinstance(values, list) else values)
    with pytest.warns(ZeroloopWarning) as caught:
        schema = trained(table, test_fraction=0).schema
    assert [column.name for column in schema.numeric] == ["size", "count", "flag", "price"]
    assert [column.name for column in schema.categorical] == ["colour", "once"]
    reasons = {column.name: column.reason for column in schema.left_out}
    assert reasons == {
        "id": "an identifier: 60 values in 60 rows; name it categorical to use it all the same",
        "day": "constant, the same in every training row",
        "constant": "constant, 7 in every training row",
        "word": "constant, 'same' in every training row",
        "nothing": "no value in any training row",
        "blank": "no value in any training row",
        "list": "values of type list<item: int64> make no term; derive numbers or levels from them",
    }
    assert [str(warning.message) for warning in caught] == [
        f"Column 'id' is left out: {reasons['id']}.",
        "Columns 'day', 'constant' and 'word' are left out for reasons like that of 'day': "
        "constant, the same in every training row.",
        "Columns 'nothing' and 'blank' are left out: no value in any training row.",
        f"Column 'list' is left out: {reasons['list']}.",
    ]
    assert "once=1" in schema.terms
    assert "once is missing" in schema.terms


def test_levels_are_sorted_and_the_first_is_the_reference_without_a_penalty() -> None:
    table = a_table()
    assert trained(table).schema.terms == (
        "(intercept)", "size", "count", "size is missing", "count is missing",
        "colour=blue", "colour=green", "colour=red", "colour is missing",
    )  # fmt: skip
    free = trained(table, C=float("inf")).schema
    assert free.n_coefs == len(free.terms)
    assert free.terms[-3:] == ("colour=green", "colour=red", "colour is missing")


@pytest.mark.parametrize("form", [pa.int64(), pa.float64()])
def test_integers_are_levels_on_request_in_numeric_order(form: pa.DataType) -> None:
    table = a_table()
    table = table.set_column(2, "count", pa.array(np.arange(500) % 12).cast(form))
    model = trained(table, categorical=["count"])
    assert model.schema.categorical[0].levels == tuple(range(12))
    assert "count=10" in model.schema.terms


def test_a_csv_column_of_codes_is_levels_on_request(tmp_path: Path) -> None:
    rows = 40_000
    path = tmp_path / "codes.csv"
    path.write_text("bought,code\n" + "".join(f"{i % 2},{i % 7}\n" for i in range(rows)) + "1,V45\n0,V45\n")
    message = r"column 'code' holds numbers, but for 2 of 40,002 values \('V45' in row 40,001\)"
    with pytest.raises(DataError, match=message):
        trained(path)
    assert trained(path, categorical=["code"]).schema.categorical[0].levels == (
        "0",
        "1",
        "2",
        "3",
        "4",
        "5",
        "6",
        "V45",
    )


def test_rare_levels_are_pooled() -> None:
    rng = np.random.default_rng(0)
    names = [f"{i:04d}" for i in rng.integers(0, 1200, 40_000)]
    table = pa.table({"bought": rng.integers(0, 2, 40_000), "city": names})
    model = trained(table, test_fraction=0)
    (city,) = model.schema.categorical
    assert len(city.levels) == 1000
    assert list(city.levels) == sorted(city.levels)
    assert model.schema.terms[-1] == "city=(other)"
    assert model.schema.n_coefs == len(model.schema.terms)
    assert sum(city.counts) + city.other == 40_000
    assert city.counts[5] == names.count(str(city.levels[5]))
    pooled = next(name for name in names if name not in city.levels)
    unseen = model.predict_proba(pa.table({"city": [pooled, "never"]}))
    assert unseen[0, 1] == unseen[1, 1]  # a tail level and a new one cannot be told apart


def test_an_unseen_level_has_no_effect_and_one_warning() -> None:
    model = trained(a_table())
    rows = pa.table({"size": [5.0, 5.0], "count": [1, 1], "colour": ["mauve", "teal"]})
    with pytest.warns(
        ZeroloopWarning, match=r"^Levels never seen in training count as no effect: colour \(2 rows\)\.$"
    ):
        p = model.predict_proba(rows)
    coef = dict(zip(model.schema.terms, model.coef[0], strict=True))
    z = coef["(intercept)"] + 5 * coef["size"] + coef["count"]
    np.testing.assert_allclose(p[:, 1], 1 / (1 + np.exp(-z)))


def test_a_gap_where_training_had_none_counts_as_average() -> None:
    table = a_table().drop_null()
    model = trained(table, test_fraction=0)
    assert not any("missing" in term for term in model.schema.terms)
    rows = pa.table({"size": pa.array([None, np.mean(table["size"])]), "count": [1, 1], "colour": ["red", "red"]})
    with pytest.warns(ZeroloopWarning, match=r"without any in training count as average: size \(1 row\)"):
        p = model.predict_proba(rows)
    assert p[0, 1] == pytest.approx(p[1, 1])


def test_imputing_is_a_mean_and_an_indicator() -> None:
    table = a_table()
    model = trained(table, test_fraction=0)
    size: Numeric = model.schema.numeric[0]
    here = table["size"].drop_null().to_numpy()
    filled = np.where(table["size"].is_valid(), table["size"].fill_null(0).to_numpy(), here.mean())
    assert size.mean == pytest.approx(here.mean(), rel=1e-14)
    assert size.scale == pytest.approx(filled.std(), rel=1e-14)
    assert size.missing == table["size"].null_count


def test_dropping_is_dropping_by_hand() -> None:
    table = a_table()
    dropped = trained(table, missing="drop", test_fraction=0, features=["size"])
    complete = table.filter(pc.and_(table["size"].is_valid(), table["bought"].is_valid()))
    by_hand = trained(complete, test_fraction=0, features=["size"])
    assert dropped.coef.tobytes() != trained(table, test_fraction=0, features=["size"]).coef.tobytes()
    np.testing.assert_allclose(dropped.coef, by_hand.coef, rtol=1e-12)
    assert dropped.training.rows == len(complete)
    assert dropped.training.dropped_incomplete == len(table) - len(complete)


def test_a_model_of_complete_rows_predicts_nothing_for_others() -> None:
    model = trained(a_table(), missing="drop")
    rows = pa.table({"size": [None, 5.0], "count": [1, 1], "colour": ["red", "red"]})
    with pytest.warns(ZeroloopWarning, match="1 of 2 rows has a missing value and gets no prediction"):
        p = model.predict_proba(rows)
    with pytest.warns(ZeroloopWarning):
        labels = model.predict(rows)
    assert np.isnan(p[0]).all()
    assert list(labels) == [None, 1]


def test_missing_values_can_be_an_error() -> None:
    table = a_table()
    row = table["size"].is_null().index(True).as_py() + 1
    with pytest.raises(DataError, match=f"Column 'size' has no value in row {row}, and missing is 'error'"):
        trained(table, missing="error", test_fraction=0)
    model = trained(table.drop_null(), missing="error")
    with pytest.raises(DataError, match="Row 1 has a missing value"):
        model.predict_proba(pa.table({"size": [None], "count": [1], "colour": ["red"]}, schema=table.schema.remove(0)))


def test_nan_is_missing_and_infinity_is_an_error() -> None:
    frame = a_table().drop(["colour"]).to_pandas()
    assert frame["size"].isna().any()
    with_nan = pl.DataFrame({name: frame[name].to_numpy() for name in frame})
    assert with_nan["size"].is_nan().any()
    assert trained(with_nan).coef.tobytes() == trained(frame).coef.tobytes()
    frame.loc[17, "size"] = -np.inf
    with pytest.raises(DataError, match="Column 'size' holds -inf in row 18"):
        trained(frame)


def test_numbers_whose_squares_overflow_are_refused() -> None:
    table = a_table()
    huge = table.set_column(1, "size", pa.array(np.arange(500) * 1e200))
    with pytest.raises(DataError, match=r"Column 'size' holds 4.99e\+202, whose square overflows"):
        trained(huge, test_fraction=0)
    with pytest.raises(ValueError, match="whose square overflows"):
        zeroloop.LogisticRegression().fit(np.arange(30)[:, np.newaxis] * 1e200, np.arange(30) % 2)


def test_rows_without_a_target_are_dropped_and_counted() -> None:
    table = a_table()
    target = pa.array(table["bought"].to_pylist()[:-3] + [None] * 3)
    model = trained(table.set_column(0, "bought", target))
    assert model.training.dropped_no_target == 3
    assert model.training.rows_read == 500


@pytest.mark.parametrize(
    ("values", "positive", "expected"),
    [
        ([False, True], None, (False, True)),
        (["no", "yes"], None, ("no", "yes")),
        (["no", "yes"], "no", ("yes", "no")),
        ([1, 2], "1", (2, 1)),
        ([1.0, 2.0], 1, (2, 1)),
        ([False, True], "false", (True, False)),
        ([-1, 1], None, (-1, 1)),
    ],
)
def test_targets_of_two_values(values: list[Any], positive: Any, expected: tuple[Any, Any]) -> None:
    table = a_table()
    target = pa.array([values[label] for label in table["bought"].to_pylist()])
    model = trained(table.set_column(0, "bought", target), positive=positive)
    assert model.schema.target.levels == expected
    assert type(model.schema.target.levels[1]) is type(expected[1])
    flipped = expected[1] == values[0]
    np.testing.assert_allclose(model.coef, trained(table).coef * (-1 if flipped else 1), rtol=1e-7, atol=1e-10)
    assert set(model.predict(table)) <= set(values)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ([1] * 500, r"has one value only, 1, in every row"),
        ([None] * 500, r"has no value in any row"),
        ([i / 7 for i in range(500)], r"holds continuous numbers \(0.0, .*; 500 values\)"),
        ([f"{i % 109}" for i in range(500)], r"has 109 values \('0', '1', '10', ...\); expected at most 100 classes"),
    ],
)
def test_other_targets_are_refused(target: list[Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        trained(a_table().set_column(0, "bought", pa.array(target)))


def test_weights_are_rows_repeated() -> None:
    table = a_table()
    times = np.random.default_rng(0).integers(0, 4, 500)
    weighted = trained(table.append_column("times", pa.array(times)), weights="times", test_fraction=0, tol=1e-10)
    repeated = trained(table.take(np.repeat(np.arange(500), times)), test_fraction=0, tol=1e-10)
    assert weighted.schema.terms == repeated.schema.terms
    np.testing.assert_allclose(weighted.coef, repeated.coef, rtol=1e-8)
    assert weighted.schema.weights == "times"


@pytest.mark.parametrize(("bad", "found"), [(-1.0, "-1"), (None, "no value"), (float("inf"), "inf")])
def test_bad_weights_are_refused(bad: Any, found: str) -> None:
    table = a_table().append_column("w", pa.array([1.0] * 499 + [bad]))
    with pytest.raises(DataError, match=f"'w' holds {found} in row 500"):
        trained(table, weights="w")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": ["sise"]}, "features: there is no column 'sise'; did you mean 'size'"),
        ({"drop": ["zzz"]}, "drop: there is no column 'zzz'; the table has bought, size, count, colour"),
        ({"features": ["bought"]}, "column 'bought' is the target"),
        ({"weights": "bought"}, "weights: column 'bought' is the target"),
        ({"categorical": ["size"], "drop": ["size"]}, "'size' is not among the features"),
        ({"test_fraction": 1}, "test_fraction is 1; it must be"),
        ({"seed": -1}, "seed is -1"),
        ({"missing": "guess"}, "missing is 'guess'; it must be one of impute, drop, error"),
        ({"positive": "7"}, "positive is '7', but the target 'bought' holds 0 and 1"),
        ({"threads": 0}, "threads is 0"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        trained(a_table(), **options)


def test_no_feature_and_no_rows_are_refused() -> None:
    table = a_table()
    with pytest.raises(DataError, match="No column is left to predict 'bought' from"):
        trained(table, drop=["size", "count", "colour"])
    with pytest.raises(DataError, match="constant, 1 in every training row"):
        trained(pa.table({"bought": [0, 1] * 50, "x": [1] * 100}))
    with pytest.raises(DataError, match="The target 'bought' has no value in any row"):
        trained(table.slice(0, 0))
    gaps = table.set_column(1, "size", pa.array([None] * 499 + [1.0]))
    with pytest.warns(ZeroloopWarning, match="'size' is left out: no value in any training row"):
        assert "size" not in trained(gaps.slice(0, 400), missing="drop").schema.features


def test_float32_stays_float32_unless_it_writes_decimals() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 300)
    binary = pa.table({"bought": y, "x": pa.array(rng.standard_normal(300), pa.float32())})
    assert trained(binary).schema.float32
    decimal = pa.table({"bought": y, "x": pa.array(rng.standard_normal(300).round(2), pa.float32())})
    schema = trained(decimal).schema
    assert not schema.float32
    assert schema.numeric[0].decimals == 2


def test_prediction_checks_its_columns() -> None:
    model = trained(a_table())
    good = {"size": [1.0], "count": [1], "colour": ["red"]}
    with pytest.raises(DataError, match="column 'colour', which the model needs, is missing"):
        model.predict_proba(pa.table({k: v for k, v in good.items() if k != "colour"}))
    with pytest.raises(DataError, match=r"column 'colour', .* is missing; did you mean 'Colour'\?"):
        model.predict_proba(pa.table({"size": [1.0], "count": [1], "Colour": ["red"]}))
    with pytest.raises(DataError, match="columns 'size', 'count' and 'colour', which the model needs, are missing"):
        model.predict_proba(pa.table({"other": [1]}))
    with pytest.raises(DataError, match="column 'size' holds text, but held numbers in training"):
        model.predict_proba(pa.table(good | {"size": ["big"]}))
    with pytest.raises(DataError, match="column 'colour' holds numbers, but held text in training"):
        model.predict_proba(pa.table(good | {"colour": [3]}))
    with pytest.raises(DataError, match="Cannot read ndarray as a table"):
        model.predict_proba(np.ones((3, 3)))


def csv(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("bought,x\n", "a header and no rows"),
        ("bought,x\n1,2\n3,4,5\n", r"line 3 has 3 values, and rows have 2: '3,4,5'"),
        ("bought,bought\n1,2\n", "the column 'bought' is there twice"),
        (b"bought,x\n1,\x00\x00\n", "it is of no kind that is read"),
        (b"PAR1 and then nothing of the kind", "damaged or cut short"),
        (b"ARROW1\0\0 and then nothing of the kind", "damaged or cut short"),
        (gzip.compress(b"bought,x\n" + b"1,2\n" * 9000, mtime=0)[:-30], r"damaged or cut short|cannot be read"),
    ],
    ids=["empty", "header", "fields", "twice", "binary", "parquet", "arrow", "gzip"],
)
def test_bad_files_are_named(content: str | bytes, message: str, tmp_path: Path) -> None:
    path = csv(tmp_path / "bad.csv", content)
    with pytest.raises(DataError, match=message) as caught:
        trained(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_name_that_is_no_text_is_said(tmp_path: Path) -> None:
    path = tmp_path / "t.arrows"
    table = pa.table({"bought": [0, 1], "naive": [{"inner": 1}, None]})
    with pa.ipc.new_stream(path, table.schema) as stream:
        stream.write_table(table)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"naive", b"na\xefve"))
    with pytest.raises(DataError, match=r"t\.arrows: text in it is no UTF-8"):
        trained(str(path))


def test_places_without_data_are_named(tmp_path: Path) -> None:
    for place, message in [
        (tmp_path / "none.csv", "no such file or folder"),
        (tmp_path, "the folder holds no file ending in"),
        (tmp_path / "*.csv", "no file matches the pattern"),
    ]:
        with pytest.raises(DataError, match=message):
            trained(str(place))


def test_files_that_differ_are_named(tmp_path: Path) -> None:
    csv(tmp_path / "a.csv", "bought,x\n1,2\n")
    csv(tmp_path / "b.csv", "bought,z\n1,2\n")
    with pytest.raises(DataError, match=r"b\.csv: its columns are not those of .*a\.csv: it lacks 'x' and it adds 'z'"):
        open_table(tmp_path)
    csv(tmp_path / "b.csv", "bought,x\n1,two\n")
    with pytest.raises(DataError, match=r"b\.csv: column 'x' holds text, but numbers in .*a\.csv"):
        trained(tmp_path)


@pytest.mark.parametrize(
    ("late", "data_type"), [("2.5", pa.float64()), ("99999999999999999999", pa.float64()), ("", pa.int64())]
)
def test_whole_numbers_widen(late: str, data_type: pa.DataType, tmp_path: Path) -> None:
    rows = "".join(f"{i % 2},{i % 5}\n" for i in range(30_000))
    path = csv(tmp_path / "wide.csv", "bought,x\n" + rows + f"1,{late}\n")
    batches = list(open_table(path).batches(["x"]))
    assert batches[-1].rows["x"].type == data_type
    assert sum(batch.rows.num_rows for batch in batches) == 30_001
    assert trained(path).training.rows_read == 30_001
    if "9" not in late:  # pandas keeps a number too large as an object
        assert trained(path).coef.tobytes() == trained(pd.read_csv(path)).coef.tobytes()


@pytest.mark.parametrize(("late", "kind"), [("7", Numeric), ("x", Categorical)])
def test_a_column_empty_at_first_is_what_comes(late: str, kind: type, tmp_path: Path) -> None:
    other = {"7": "8", "x": "y"}[late]
    path = csv(tmp_path / "late.csv", "bought,a,x\n" + "1,1,\n0,2,\n" * 20_000 + f"1,1,{late}\n0,2,{other}\n" * 50)
    schema = trained(path, test_fraction=0).schema
    columns: tuple[Numeric | Categorical, ...] = (*schema.numeric, *schema.categorical)
    found = next(column for column in columns if column.name == "x")
    assert isinstance(found, kind)
    assert found.missing == 40_000


def test_unreadable_memory_is_refused() -> None:
    with pytest.raises(DataError, match="Cannot read int as a table"):
        trained(3)
    with pytest.raises(DataError, match=r"'bought' holds a number \(1\) in row 1, and text \('a'\) in row 2"):
        trained(pd.DataFrame({"bought": [1, "a", None], "x": [object(), 2, 3]}))
