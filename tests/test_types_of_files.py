"""Columns whose type differs from file to file: the model of one table with pyarrow's common type, or one sentence."""

from __future__ import annotations

import datetime as dt
import warnings
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

import zeroloop
from hostile import CASES, FIRST_SEED, within
from zeroloop.errors import DataError, ZeroloopError
from zeroloop.tables.columns import decimal_floats
from zeroloop.tables.read import open_table

N = CASES or 160
N_ROWS = 120
WORDS = pa.dictionary(pa.int8(), pa.string())
TYPES: list[pa.DataType] = [
    pa.int8(), pa.int32(), pa.int64(), pa.uint16(), pa.uint64(), pa.float16(), pa.float32(), pa.float64(), pa.bool_(),
    pa.decimal128(10, 2), pa.decimal128(30, 5), pa.decimal64(12, 0), pa.decimal256(50, 6), pa.null(), pa.string(),
    pa.large_string(), pa.string_view(), WORDS, pa.dictionary(pa.int64(), pa.large_string()),
    pa.dictionary(pa.int32(), pa.int64()), pa.dictionary(pa.int32(), pa.float64()), pa.date32(), pa.timestamp("ns"),
    pa.timestamp("s"), pa.timestamp("us", "UTC"), pa.time32("s"), pa.duration("ms"), pa.list_(pa.int64()), pa.binary(),
    pa.map_(pa.int32(), pa.float64()), pa.map_(pa.int64(), pa.float32()),
]  # fmt: skip
NUMBERS = [t for t in TYPES if (pa.types.is_primitive(t) and not pa.types.is_temporal(t)) or pa.types.is_decimal(t)]


def column(rng: np.random.Generator, data_type: pa.DataType, n: int, kinds: int, gaps: float) -> pa.Array:
    """Return n of some whole numbers, all below 8, as a type has them."""
    of = [int(i) if rng.random() >= gaps else None for i in rng.integers(0, kinds, n)]
    return as_type(of, data_type)


def as_type(of: list[Any], data_type: pa.DataType) -> pa.Array:
    t = pa.types
    if t.is_null(data_type):
        return pa.nulls(len(of))
    if t.is_dictionary(data_type):
        values = as_type(of, data_type.value_type)
        return values.dictionary_encode().cast(data_type)
    make: Any = lambda i: i  # noqa: E731
    if t.is_string(data_type) or t.is_large_string(data_type) or t.is_string_view(data_type):
        make = "abcdefgh".__getitem__
    elif t.is_decimal(data_type):
        make = Decimal
    elif t.is_boolean(data_type):
        make = lambda i: i % 2 == 1  # noqa: E731
    elif t.is_floating(data_type):
        return pa.array([None if i is None else float(i) for i in of]).cast(data_type)
    elif t.is_date(data_type) or t.is_timestamp(data_type):
        make = lambda i: dt.datetime(2020, 1, 1 + i)  # noqa: E731
    elif t.is_time(data_type):
        make = lambda i: dt.time(i)  # noqa: E731
    elif t.is_duration(data_type):
        make = lambda i: dt.timedelta(hours=i)  # noqa: E731
    elif t.is_list(data_type):
        make = lambda i: [i]  # noqa: E731
    elif t.is_map(data_type):
        make = lambda i: [(i, 1.0)]  # noqa: E731
    elif t.is_binary(data_type):
        make = lambda i: bytes([i])  # noqa: E731
    return pa.array([None if i is None else make(i) for i in of], data_type)


def write(table: pa.Table, path: Path, form: str) -> str:
    """Write a table, as Arrow's own file where Parquet has no such type."""
    try:
        if form == "parquet":
            pq.write_table(table, path.with_suffix(".parquet"))
            return str(path.with_suffix(".parquet"))
    except (pa.ArrowException, NotImplementedError):
        pass
    feather.write_feather(table, path.with_suffix(".arrow"), compression="uncompressed")
    return str(path.with_suffix(".arrow"))


def read(path: str) -> pa.Table:
    """Return what a file holds: Parquet makes numbers of categories of numbers."""
    return pq.read_table(path) if path.endswith(".parquet") else feather.read_table(path)


def joined(tables: list[pa.Table]) -> pa.Table | None:
    """Return the tables as one with pyarrow's common types; None where it has none, or it does not hold a value.

    Where all that have values have categories, these stay, and so does their order.
    """
    plain = []
    types = [table["x"].type for table in tables]
    ordered = all(pa.types.is_dictionary(one) or pa.types.is_null(one) for one in types)
    types = [one.value_type if pa.types.is_dictionary(one) else one for one in types]
    fractions = any(map(pa.types.is_floating, types))
    numbers = any(pa.types.is_integer(one) or pa.types.is_decimal(one) for one in types)
    for table in tables:
        x = table["x"].combine_chunks()
        x = x.dictionary_decode() if pa.types.is_dictionary(x.type) and not ordered else x
        x = x.cast(pa.large_string()) if pa.types.is_string_view(x.type) else x
        x = x.cast(pa.uint8()) if pa.types.is_boolean(x.type) and (numbers or fractions) else x
        if fractions and pa.types.is_decimal(x.type):
            x = x.cast(pa.string()).cast(pa.float64())  # its own cast makes 3.0000000000000004 of 3.00000
        plain.append(table.set_column(table.column_names.index("x"), "x", x))
    try:
        return pa.concat_tables(plain, promote_options="permissive")
    except (pa.ArrowException, NotImplementedError):
        return None


def outcome(data: Any, **options: Any) -> zeroloop.Model | ZeroloopError:
    with within(60), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return zeroloop.train(data, "y", threads=1, max_iter=30, **options)
        except ZeroloopError as error:
            return error


@pytest.mark.parametrize("part", range(4))
def test_files_of_several_types_are_the_table_that_pyarrow_makes(part: int, tmp_path: Path) -> None:
    n_models = n_judged = 0
    for seed in range(FIRST_SEED + part, FIRST_SEED + N, 4):
        rng = np.random.default_rng([seed, 1602])
        pool = NUMBERS if rng.random() < 0.6 else TYPES
        types = [pool[rng.integers(len(pool))] for _ in range(rng.integers(2, 4))]
        role = str(rng.choice(["feature", "categorical", "target", "cluster", "weights", "unused"]))
        kinds, gaps = (2 if role == "target" else int(rng.integers(2, 8))), float(rng.choice([0, 0.1], p=[0.7, 0.3]))
        tables = []
        for data_type in types:
            n = int(rng.choice([1, N_ROWS, 9_000], p=[0.1, 0.8, 0.1]))
            columns = {"y": rng.integers(0, 2, n), "z": rng.normal(size=n), "x": column(rng, data_type, n, kinds, gaps)}
            columns = {"y": columns["x"], "z": columns["z"], "x": columns["x"]} if role == "target" else columns
            tables.append(pa.table(columns))
        form = str(rng.choice(["parquet", "arrow"]))
        files = [write(table, tmp_path / f"{i}", form) for i, table in enumerate(tables)]
        roles: dict[str, dict[str, Any]] = {
            "categorical": {"categorical": ["x"]},
            "cluster": {"cluster": "x", "C": np.inf},
            "weights": {"weights": "x"},
            "unused": {"drop": ["x"]},
            "target": {"drop": ["x"]},
        }
        options = roles.get(role, {})
        shown = f"seed {seed}: {types} as {role}, {form}"
        found = outcome(files, **options)
        if isinstance(found, ZeroloopError):
            assert "\n" not in str(found), shown
            assert str(found)[-1] in ".)", shown
            continue
        n_models += 1
        tables = [read(file) for file in files]
        held = [table["x"].type for table in tables]
        coded = [pa.types.is_dictionary(data_type) for data_type in held if not pa.types.is_null(data_type)]
        if role == "feature" and any(coded) > all(coded):
            continue  # pyarrow has no type for categories beside values
        if role == "target":
            tables = [table.drop_columns("x").rename_columns(["x", "z"]) for table in tables]
        table = joined(tables)
        if table is None:
            continue
        if role == "target":
            table = table.rename_columns(["y", "z"])
            options = {}
        expected = outcome(table, **options)
        assert isinstance(expected, zeroloop.Model), f"{shown}: {expected}"
        assert found.schema.terms == expected.schema.terms, shown
        # float16 beside int8 is a float16 to pyarrow, and float32 may stand for decimals: the last digits may differ.
        assert np.allclose(found.coef, expected.coef, rtol=1e-5, atol=1e-6), shown
        n_judged += 1
    assert n_models > 0
    assert n_judged > 0


def two(tmp_path: Path, one: pa.Array, other: pa.Array) -> list[str]:
    """Return two Parquet files whose `x` are these, with a target."""
    paths = []
    for i, x in enumerate((one, other)):
        table = pa.table({"y": np.arange(len(x)) % 2, "x": x, "z": np.arange(len(x)) % 7 / 3})
        paths.append(write(table, tmp_path / f"{i}", "arrow" if pa.types.is_dictionary(x.type) else "parquet"))
    return paths


FEW = list(range(5)) * 8


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (pa.int8(), pa.int32(), pa.int32()),
        (pa.int64(), pa.uint8(), pa.int64()),
        (pa.int32(), pa.float32(), pa.float64()),
        (pa.int16(), pa.float32(), pa.float32()),
        (pa.float16(), pa.float32(), pa.float32()),
        (pa.float32(), pa.float64(), pa.float64()),
        (pa.bool_(), pa.int64(), pa.int64()),
        (pa.int64(), pa.decimal128(10, 2), pa.decimal128(21, 2)),
        (pa.decimal128(10, 2), pa.decimal128(20, 8), pa.decimal128(20, 8)),
        (pa.decimal128(38, 0), pa.decimal128(10, 8), pa.decimal256(46, 8)),
        (pa.decimal256(76, 0), pa.decimal128(10, 8), pa.float64()),
        (pa.decimal128(10, 2), pa.float32(), pa.float64()),
        (pa.null(), pa.int8(), pa.int8()),
        (pa.string(), pa.large_string(), pa.string()),
        (WORDS, pa.string(), pa.string()),
        (WORDS, pa.dictionary(pa.int32(), pa.large_string()), pa.dictionary(pa.int32(), pa.string())),
        (pa.date32(), pa.timestamp("s"), pa.timestamp("us")),
        (pa.timestamp("ns", "Asia/Tokyo"), pa.timestamp("s", "UTC"), pa.timestamp("us", "UTC")),
        (pa.time32("s"), pa.time64("ns"), pa.time64("us")),
    ],
    ids=str,
)
def test_types_widen(one: pa.DataType, other: pa.DataType, expected: pa.DataType, tmp_path: Path) -> None:
    for pair in ((one, other), (other, one)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of two time zones
            table = open_table(two(tmp_path, *(as_type(FEW, data_type) for data_type in pair)))
        assert table.schema.field("x").type == expected
        pieces = [piece.batch["x"] for piece in table.read(["x"], 0)]
        for piece, data_type in zip(pieces, pair, strict=True):
            assert piece.type == (data_type if pa.types.is_null(data_type) else expected)
            few: list[Any] = [i % 2 for i in FEW] if pa.types.is_boolean(data_type) else FEW
            wanted = as_type([None] * len(FEW) if pa.types.is_null(data_type) else few, expected)
            assert piece.to_pylist() == wanted.to_pylist()


BIG = 2**53


@pytest.mark.parametrize("role", ["feature", "categorical", "target", "cluster"])
@pytest.mark.parametrize(
    ("one", "other", "row", "value"),
    [
        (pa.array([BIG, BIG + 1] * 20), pa.array([0.5, 1.5] * 20), 2, BIG + 1),
        (pa.array([1, 2**64 - 1] * 20, pa.uint64()), pa.array([-1, 1] * 20), 2, 2**64 - 1),
        (pa.array([Decimal("1.5"), Decimal("123456789012345.678")] * 20), pa.array([0.5] * 40), 2, "1234567890[.0-9]+"),
    ],
    ids=["int64", "uint64", "decimal"],
)  # fmt: skip
def test_no_digit_is_lost(one: pa.Array, other: pa.Array, row: int, value: Any, role: str, tmp_path: Path) -> None:
    options: dict[str, Any] = {"categorical": ["x"]} if role == "categorical" else {}
    options |= {"cluster": "x", "C": np.inf} if role == "cluster" else {}
    for k, (first, second) in enumerate(((one, other), (other, one))):
        files = two(tmp_path, first, second)
        with pytest.raises(
            DataError, match=rf"/{k}\.parquet: Column 'x' holds {value} in row {row}, which \w+, the type"
        ):
            zeroloop.train(files, "x" if role == "target" else "y", **options)
        zeroloop.train(files, "y", drop=["x"])


@pytest.mark.parametrize("ending", ["csv", "json"])
def test_text_of_whole_numbers_beside_fractions_loses_no_digit(ending: str, tmp_path: Path) -> None:
    paths = []
    halves: list[list[float]] = [[1, 2], [0.5, 1.5]]
    for i, values in enumerate(halves):
        lines = [(k % 2, values[k % 2]) for k in range(40_000)] + ([(1, BIG + 1)] if i == 0 else [])
        as_csv = "y,x\n" + "".join(f"{y},{x}\n" for y, x in lines)
        as_json = "".join(f'{{"y": {y}, "x": {x}}}\n' for y, x in lines)
        paths.append(tmp_path / f"{i}.{ending}")
        paths[-1].write_text(as_csv if ending == "csv" else as_json)
    for order in (paths, paths[::-1]):
        with pytest.raises(
            DataError, match=rf"0\.{ending}: Column 'x' holds {BIG + 1} in row 40001, which double, the"
        ):
            zeroloop.train(order, "y")


def test_whole_numbers_that_fit_are_fractions_too(tmp_path: Path) -> None:
    files = two(tmp_path, pa.array([BIG, 3] * 20), pa.array([0.5, 3.0] * 20))
    levels = zeroloop.train(files, "y", categorical=["x"], test_fraction=0).schema.categorical[0].levels
    assert levels == (0.5, 3.0, float(BIG))


def test_a_cluster_is_the_same_in_every_type(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    ids, n = rng.integers(0, 9, 120), 120
    plain = pa.table({"y": rng.integers(0, 2, n), "z": rng.normal(size=n), "x": ids})
    expected = zeroloop.train(plain, "y", C=np.inf, cluster="x").covariance()
    for types in ([pa.int64(), pa.float64()], [pa.float32(), pa.decimal128(12, 2)], [pa.uint64(), pa.decimal128(9, 0)]):
        halves = [plain.slice(60 * i, 60) for i in range(2)]
        halves = [t.set_column(2, "x", t["x"].cast(pa.int16()).cast(to)) for t, to in zip(halves, types, strict=True)]
        for i, half in enumerate(halves):
            pq.write_table(half, tmp_path / f"{i}.parquet")
        found = zeroloop.train(str(tmp_path / "*.parquet"), "y", C=np.inf, cluster="x")
        assert np.allclose(found.covariance(), expected, rtol=1e-12)


def test_columns_without_a_common_type_are_errors_where_they_are_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    y = rng.integers(0, 2, 40)
    of_text = pa.table({"y": y, "z": rng.normal(size=40), "x": ["a", "b"] * 20})
    for other in (pa.array([1, 2] * 20), pa.array([[1], [2]] * 20), pa.array([b"a", b"b"] * 20)):
        table = of_text.set_column(2, "x", other)
        for order in ((of_text, table), (table, of_text)):
            files = [write(one, tmp_path / f"{i}", "parquet") for i, one in enumerate(order)]
            with pytest.raises(
                DataError, match=r"/1\.parquet: column 'x' holds .*, but .* in .*/0\.parquet; convert one, or"
            ):
                zeroloop.train(files, "y")
            model = zeroloop.train(files, "y", drop=["x"])
            zeroloop.predict_file(model, files, tmp_path / "out.csv", keep=["y"])
            with pytest.raises(DataError, match="column 'x' holds"):
                zeroloop.predict_file(model, files, tmp_path / "out.csv", keep=["x"])
            with pytest.warns(zeroloop.ZeroloopWarning) as said:
                rest = zeroloop.train(files, "y", features=["z"], skip_bad_files=True)
            assert any("Skipped" in str(one.message) and "1.parquet" in str(one.message) for one in said)
            assert rest.training.rows_read == 40


def test_categories_of_numbers_beside_numbers_are_levels_only_where_both_are(tmp_path: Path) -> None:
    values = pa.array([3, 1, 2] * 20)
    for order in ((values, values.dictionary_encode()), (values.dictionary_encode(), values)):
        files = two(tmp_path, *order)
        with pytest.raises(DataError, match=r"holds (categories of )?numbers, but (categories of )?numbers in"):
            zeroloop.train(files, "y")
        model = zeroloop.train(files, "y", categorical=["x"], test_fraction=0)
        assert model.schema.categorical[0].levels == (1, 2, 3)


def test_predictions_keep_a_column_in_its_common_type(tmp_path: Path) -> None:
    files = two(tmp_path, pa.array([1, 2] * 20, pa.int8()), pa.array([0.5, 2.0] * 20))
    model = zeroloop.train(files, "y")
    zeroloop.predict_file(model, files, tmp_path / "out.parquet", keep=["x"])
    kept = pq.read_table(tmp_path / "out.parquet")["x"]
    assert (kept.type, kept.to_pylist()) == (pa.float64(), [1, 2] * 20 + [0.5, 2.0] * 20)


@pytest.mark.parametrize(
    "data_type",
    [pa.decimal128(10, 2), pa.decimal128(18, 5), pa.decimal128(30, 2), pa.decimal128(38, 25), pa.decimal256(50, 6),
     pa.decimal128(12, -2)],
    ids=str,
)  # fmt: skip
def test_a_decimal_is_the_nearest_float(data_type: pa.DataType) -> None:
    rng = np.random.default_rng(FIRST_SEED)
    digits = min(data_type.precision, 17)
    for top in (10 ** min(digits, 4), 2**53 if digits >= 16 else 10**digits, 10**digits):
        values = [Decimal(int(i)).scaleb(-data_type.scale) for i in rng.integers(-top + 1, top, 300)]
        column = pa.array([*values, None], data_type).slice(1)
        assert decimal_floats(column)[:-1].tolist() == [float(value) for value in values[1:]]


def test_decimals_are_levels_as_they_are_written(tmp_path: Path) -> None:
    prices = [Decimal("0.94"), Decimal("12.30"), Decimal("7")] * 30
    table = pa.table({"y": np.arange(90) % 2, "x": pa.array(prices, pa.decimal128(30, 2))})
    model = zeroloop.train(table, "y", categorical=["x"], test_fraction=0)
    assert model.schema.categorical[0].levels == (0.94, 7.0, 12.3)
    (tmp_path / "t.csv").write_text("x\n0.94\n12.3\n7\n")
    assert (
        len(model.predict_proba(str(tmp_path / "t.csv"))) == 3
    )  # that a level was never seen is a warning, an error here
    ids = pa.array([Decimal(BIG), Decimal(BIG + 1)] * 45, pa.decimal128(20, 0))
    model = zeroloop.train(table.append_column("id", ids), "y", categorical=["id"], test_fraction=0)
    assert model.schema.categorical[-1].levels == (BIG, BIG + 1)
    alike = pa.array([Decimal("0.10000000000000000001"), Decimal("0.10000000000000000002")] * 45)
    with pytest.raises(
        DataError, match=r"'id' holds 0\.10000000000000000001 and 0\.10000000000000000002, which are the same"
    ):
        zeroloop.train(table.append_column("id", alike), "y", categorical=["id"])


@pytest.mark.parametrize("role", ["weights", "offset"])
def test_categories_of_numbers_are_said_to_be_some(role: str) -> None:
    x = pa.array([1.5, 2.5] * 20)
    table = pa.table({"y": np.arange(40) % 3 == 0, "z": np.arange(40) % 7, "x": x.dictionary_encode()})
    options: dict[str, Any] = {role: "x"}
    with pytest.raises(DataError, match=f"The {role} column 'x' holds categories of numbers; it must hold numbers"):
        zeroloop.train(table, "y", **options)
    assert "x=1.5" not in zeroloop.train(table.set_column(2, "x", x), "y", **options).schema.terms
