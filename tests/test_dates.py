"""Dates, times of day and durations: which columns they become, judged by Python's own calendar.

`ZEROLOOP_FUZZ=1000 ZEROLOOP_FUZZ_SEED=5 pytest tests/test_dates.py` draws more columns, of other seeds.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import shlex
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import zeroloop
from hostile import CASES, FIRST_SEED
from zeroloop.errors import DataError, ModelFileError, OptionError, ZeroloopWarning
from zeroloop.model import Model
from zeroloop.report.provenance import command_of
from zeroloop.tables.date_types import date_kind
from zeroloop.tables.dates import with_parts
from zeroloop.tables.schema import DATE_PARTS, DateColumn

FREE: dict[str, Any] = {"C": math.inf}
ZONES = (None, None, "UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Pacific/Apia", "+05:30", "-03:00")
WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
N = 400


def trained(data: Any, target: str = "y", **options: Any) -> Model:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ZeroloopWarning)
        return zeroloop.train(data, target, **({"test_fraction": 0} | options))


def some_rows(seed: int = 0, rows: int = N) -> pd.DataFrame:
    """Return rows whose class depends on the hour of an instant, on a number, and on whether the instant is there."""
    rng = np.random.default_rng(seed)
    seconds = rng.integers(0, 2 * 365 * 86_400, rows)
    when = pd.Series(pd.Timestamp("2019-03-05 10:00") + pd.to_timedelta(seconds, unit="s")).dt.as_unit("us")
    x = rng.normal(size=rows)
    z = x + np.sin(2 * np.pi * when.dt.hour / 24) - 0.3 * (when.dt.day_name() == "Sunday")
    return pd.DataFrame({"x": x, "when": when, "y": (rng.random(rows) < 1 / (1 + np.exp(-z))).astype(int)})


def of_python(value: Any, zone: str | None) -> dict[str, Any]:
    """Return the parts of a date, a time of day or a duration, by Python's calendar."""
    if isinstance(value, dt.timedelta):
        return {"days": value / dt.timedelta(days=1)}
    if isinstance(value, dt.time):
        seconds = value.hour * 3600 + value.minute * 60 + value.second + value.microsecond / 1e6
        angle = 2 * math.pi * value.hour / 24
        return {"hours": seconds / 3600, "hour": value.hour, "hour-cycle": (math.sin(angle), math.cos(angle))}
    if not isinstance(value, dt.datetime):
        value = dt.datetime.combine(value, dt.time())
    since = (value if zone is None else value.astimezone(dt.UTC).replace(tzinfo=None)) - dt.datetime(1970, 1, 1)
    cycles = {"month": (value.month, 12), "weekday": (value.weekday(), 7), "hour": (value.hour, 24)}
    angles = {f"{name}-cycle": 2 * math.pi * at / n for name, (at, n) in cycles.items()}
    return {
        "days": since / dt.timedelta(days=1),
        "year": value.year,
        "month": value.month,
        "weekday": WEEKDAYS[value.weekday()],
        "hour": value.hour,
    } | {name: (math.sin(angle), math.cos(angle)) for name, angle in angles.items()}


def drawn(rng: np.random.Generator) -> tuple[list[Any], pa.DataType]:
    """Return a column of Python's dates or times of some type of Arrow, missing ones among them."""
    rows = int(rng.integers(1, 40))
    zone = str(rng.choice([str(z) for z in ZONES]))
    unit = str(rng.choice(["s", "ms", "us", "ns"]))
    types: list[pa.DataType] = [
        pa.date32(),
        pa.date64(),
        pa.timestamp(unit),
        pa.timestamp(unit, zone),
        pa.duration(unit),
    ]
    types += [pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns")]
    data_type = types[int(rng.integers(len(types)))] if zone != "None" else pa.timestamp(unit)
    nanoseconds = getattr(data_type, "unit", "") == "ns"
    first, last = (
        (dt.datetime(1750, 1, 1), dt.datetime(2250, 1, 1))
        if nanoseconds
        else (dt.datetime(2, 1, 1), dt.datetime(9998, 1, 1))
    )
    span = (last - first) // dt.timedelta(microseconds=1)
    least = {"s": 1_000_000, "ms": 1_000}.get(getattr(data_type, "unit", ""), 1)
    values: list[Any] = []
    for _ in range(rows):
        instant = first + dt.timedelta(microseconds=int(rng.integers(span)) // least * least)
        if rng.random() < 0.1:
            values.append(None)
        elif pa.types.is_date(data_type):
            values.append(instant.date())
        elif pa.types.is_time(data_type):
            values.append(instant.time())
        elif pa.types.is_duration(data_type):
            values.append(instant - dt.datetime(2000, 1, 1))
        else:
            values.append(instant if data_type.tz is None else instant.replace(tzinfo=dt.UTC))
    return values, data_type


def in_zone(value: Any, zone: str | None) -> Any:
    """Return an instant as clocks in its column's zone show it."""
    if zone is None or value is None:
        return value
    if zone[0] in "+-":
        hours, minutes = zone[1:].split(":")
        offset = dt.timedelta(hours=int(hours), minutes=int(minutes))
        return value.astimezone(dt.timezone(offset if zone[0] == "+" else -offset))
    return value.astimezone(ZoneInfo(zone))


def assert_close(found: list[float | None], expected: list[float | None]) -> None:
    assert [one is None for one in found] == [one is None for one in expected]
    here, there = ([one for one in some if one is not None] for some in (found, expected))
    np.testing.assert_allclose(here, there, rtol=1e-15, atol=1e-14)


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + (CASES or 60)))
def test_parts_are_those_of_pythons_calendar(seed: int) -> None:
    values, data_type = drawn(np.random.default_rng([seed, 11]))
    zone = data_type.tz if pa.types.is_timestamp(data_type) else None
    kind = date_kind(data_type)
    assert kind is not None
    one = DateColumn(name="d", kind=kind, zone=zone, written=None, parts=DATE_PARTS[kind], origin=None)
    column = pa.array(values, data_type)
    for batch in (pa.record_batch([column], ["d"]), pa.record_batch([column.dictionary_encode()], ["d"])):
        found = with_parts(batch, [one], 0)
        expected = [None if value is None else of_python(in_zone(value, zone), zone) for value in values]
        for part in one.parts:
            of_part = [None if row is None else row[part] for row in expected]
            if part.endswith("-cycle"):
                for at, name in enumerate(one.columns_of(part)):
                    curve = [None if row is None else row[at] for row in of_part]
                    assert_close(found[name].to_pylist(), curve)
            elif part in ("days", "hours"):
                assert_close(found[one.columns_of(part)[0]].to_pylist(), of_part)
            else:
                assert found[one.columns_of(part)[0]].to_pylist() == of_part, part


def test_terms_are_those_of_columns_made_by_hand() -> None:
    frame = some_rows()
    by_hand = pd.DataFrame(
        {
            "x": frame.x,
            "days": (frame.when - frame.when.min().normalize()).dt.total_seconds() / 86_400,
            "year": frame.when.dt.year,
            "month": frame.when.dt.month,
            "weekday": pd.Categorical(frame.when.dt.day_name(), WEEKDAYS),
            "hour": frame.when.dt.hour,
            "y": frame.y,
        }
    )
    model = trained(frame)
    other = trained(by_hand, categorical=["year", "month", "hour"])
    assert model.schema.dates[0].origin == str(frame.when.min().date())
    names = {f"when ({name})": name for name in by_hand.columns}
    renamed = []
    for term, column in zip(model.schema.terms, model.schema.columns_of_terms, strict=True):
        renamed.append(term.replace(column, names.get(column, column), 1))
    assert tuple(renamed) == other.schema.terms
    np.testing.assert_allclose(model.coef, other.coef, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(model.predict_proba(frame), other.predict_proba(by_hand), rtol=0, atol=1e-9)


def test_without_a_penalty_there_are_only_days_unless_asked() -> None:
    frame = some_rows()
    assert trained(frame, **FREE).schema.terms == ("(intercept)", "x", "when (days)")
    asked = trained(frame, **FREE, dates={"when": ["days", "weekday"]})
    assert asked.schema.terms[-6:] == tuple(f"when (weekday)={day}" for day in WEEKDAYS[1:])
    cycle = trained(frame, **FREE, dates={"when": "hour-cycle"})
    assert cycle.schema.terms == ("(intercept)", "x", "when (hour sine)", "when (hour cosine)")
    assert float(cycle.terms()["p"][2].as_py()) < 0.01
    named = trained(frame, **FREE, features=["x", "when (days)", "when (year)"])
    assert named.schema.terms == ("(intercept)", "x", "when (days)", "when (year)=2020", "when (year)=2021")


def doors(frame: pd.DataFrame, folder: Path) -> dict[str, Any]:
    """Return the same table in many ways."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    pq.write_table(table, folder / "rows.parquet")
    pq.write_table(table, folder / "spark.parquet", use_deprecated_int96_timestamps=True)
    with pa.ipc.new_file(folder / "rows.arrow", table.schema) as file:
        file.write_table(table)
    at = table.schema.get_field_index("when")

    def of_type(data_type: pa.DataType) -> pa.Table:
        return table.set_column(at, "when", table["when"].cast(data_type))

    zone = table["when"].type.tz
    units = {unit: of_type(pa.timestamp(unit, zone)) for unit in ("s", "ms", "us", "ns")}
    return units | {
        "pandas": frame,
        "nanoseconds of pandas": frame.assign(when=frame.when.dt.as_unit("ns")),
        "polars": pl.from_arrow(table),
        "Parquet": str(folder / "rows.parquet"),
        "96 bits": str(folder / "spark.parquet"),
        "Arrow": str(folder / "rows.arrow"),
        "reader": table.to_reader(37),
        "dictionary": table.set_column(at, "when", table["when"].dictionary_encode()),
        "Python's": frame.assign(when=[value.to_pydatetime() for value in frame.when]).astype({"when": object}),
    }


@pytest.mark.parametrize("zone", [None, "America/New_York"])
def test_units_and_doors_make_the_same_bits(zone: str | None, tmp_path: Path) -> None:
    frame = some_rows()
    frame["when"] = frame.when if zone is None else frame.when.dt.tz_localize("UTC").dt.tz_convert(zone)
    tables = doors(frame, tmp_path)
    expected = trained(tables["us"])
    assert expected.schema.dates[0].zone == zone
    for name, table in tables.items():
        if zone is not None and name in ("96 bits", "Python's"):
            continue  # which know instants only, in UTC, and offsets
        model = trained(table)
        assert model.schema == expected.schema, name
        assert np.array_equal(model.coef, expected.coef), name
        if name != "reader":
            assert np.array_equal(expected.predict_proba(table), expected.predict_proba(frame)), name


def test_the_same_instants_in_another_zone_have_the_same_probability() -> None:
    frame = some_rows()
    berlin = frame.assign(when=frame.when.dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin"))
    model = trained(berlin)
    for zone in ("UTC", "Asia/Tokyo", "-07:00"):
        elsewhere = berlin.assign(when=berlin.when.dt.tz_convert(zone))
        assert np.array_equal(model.predict_proba(elsewhere), model.predict_proba(berlin))
    utc = trained(berlin.assign(when=berlin.when.dt.tz_convert("UTC")))
    assert np.array_equal(utc.coef, trained(frame).coef)
    assert not np.array_equal(utc.coef, model.coef)  # other hours, some other weekdays


def test_a_missing_date_is_one_missing_value() -> None:
    frame = some_rows()
    frame.loc[::7, "when"] = pd.NaT
    model = trained(frame)
    gaps = [term for term in model.schema.terms if term.endswith("is missing")]
    assert gaps == ["when (days) is missing"]
    assert [column.missing for column in model.schema.numeric] == [0, frame.when.isna().sum()]
    free = trained(frame, **FREE, dates={"when": ["month", "days", "hour"]}, tests=["when"])
    assert [term for term in free.schema.terms if term.endswith("is missing")] == ["when (month) is missing"]
    assert free.estimates is not None
    assert free.estimates.tests[0].df == 11 + 1 + 1 + 23
    assert all(state == "estimated" for state in free.estimates.states)
    dropped = trained(frame, missing="drop")
    assert dropped.training.gaps == {"when": frame.when.isna().sum()}
    with pytest.warns(ZeroloopWarning, match="^58 of 400 rows have a missing value and get no prediction"):
        assert np.isnan(dropped.predict_proba(frame)[::7]).all()
    with pytest.raises(DataError, match=r"^Column 'when' has no value in row 1, and missing is 'error'; fill it"):
        trained(frame, missing="error")


def test_a_gap_that_training_had_none_of_is_said_once() -> None:
    frame = some_rows()
    model = trained(frame)
    gone = frame.assign(when=frame.when.where(frame.index % 2 == 0))
    said = r"^Missing values in columns without any in training count as average: when \(days\) \(200 rows\)\.$"
    with pytest.warns(ZeroloopWarning, match=said):
        shares = model.predict_proba(gone)
    assert np.isfinite(shares).all()
    later = frame.assign(when=frame.when + pd.Timedelta(days=3650))
    with pytest.warns(
        ZeroloopWarning, match=r"^Levels never seen in training count as no effect: when \(year\) \(400 "
    ):
        model.predict_proba(later)


@pytest.mark.parametrize(
    ("values", "terms"),
    [
        ([dt.date(2024, 1, 1 + i % 2) for i in range(N)], ["when (days)", "when (weekday)=Monday"]),
        ([dt.datetime(2024, 5, 1, i % 24) for i in range(N)], ["when (days)", "when (hour)=0"]),
        ([None if i % 2 else dt.date(2024, 5, 1) for i in range(N)], ["when (year)=2024", "when (year) is missing"]),
        ([dt.time(i % 24, i % 60) for i in range(N)], ["when (hours)", "when (hour)=0"]),
        ([dt.timedelta(hours=i % 50) for i in range(N)], ["when (days)"]),
    ],
    ids=["two days", "one day", "one or none", "times", "durations"],
)
def test_parts_that_do_not_vary_make_no_term(values: list[Any], terms: list[str]) -> None:
    frame = some_rows().drop(columns="when")
    model = trained(pa.Table.from_pandas(frame).append_column("when", pa.array(values)))
    columns = [column for column in model.schema.features if column != "x"]
    assert columns == list(dict.fromkeys(term.partition("=")[0].removesuffix(" is missing") for term in terms))
    assert set(terms) <= set(model.schema.terms)
    assert model.schema.left_out == ()


@pytest.mark.parametrize(
    ("value", "reason"),
    [(dt.date(2024, 1, 1), "constant, the same in every training row"), (None, "no value in any training row")],
    ids=["the same", "none"],
)
@pytest.mark.parametrize("how", [{}, FREE], ids=["penalised", "free"])
def test_a_date_that_does_not_vary_is_left_out(value: Any, reason: str, how: dict[str, Any]) -> None:
    frame = pa.Table.from_pandas(some_rows().drop(columns="when"))
    table = frame.append_column("when", pa.array([value] * N, pa.date32()))
    with pytest.warns(ZeroloopWarning, match=f"^Column 'when' is left out: {reason}.$"):
        model = zeroloop.train(table, "y", **how)
    assert model.schema.features == ("x",)
    assert model.schema.dates == ()
    with pytest.raises(DataError, match=f"No column is left to predict 'y' from \\('when': {reason}\\)"):
        zeroloop.train(table, "y", drop=["x"])


def test_a_part_that_was_asked_for_and_does_not_vary_is_said() -> None:
    frame = some_rows().assign(when=lambda rows: rows.when.dt.normalize())
    with pytest.warns(ZeroloopWarning, match=r"^Column 'when \(hour\)' is left out: constant, 0 in every training row"):
        model = zeroloop.train(frame, "y", dates={"when": ["days", "hour"]})
    assert model.schema.dates[0].parts == ("days",)


def test_one_date_or_none_without_a_penalty() -> None:
    frame = some_rows()
    frame["when"] = pd.Series(pd.Timestamp(2024, 1, 1, 12)).repeat(N).set_axis(frame.index).where(frame.index % 3 > 0)
    model = trained(frame, **FREE)
    assert model.schema.terms == ("(intercept)", "x", "when (days) is missing")
    by_hand = trained(frame.assign(when=frame.when.isna().map({True: "b", False: "a"})), **FREE)
    np.testing.assert_allclose(model.coef, by_hand.coef, rtol=1e-8)
    np.testing.assert_allclose(model.predict_proba(frame), trained(frame, **FREE).predict_proba(frame))


def test_what_goes_by_column_takes_dates_and_their_parts() -> None:
    frame = some_rows()
    assert trained(frame, drop=["when"]).schema.features == ("x",)
    some = trained(frame, drop=["when (year)", "when (hour)"])
    assert some.schema.features == ("x", "when (days)", "when (month)", "when (weekday)")
    free = trained(frame, **FREE, dates={"when": ["days", "month"]}, tests=["when", "when (month)", ["x", "when"]])
    assert free.estimates is not None
    assert [test.df for test in free.estimates.tests] == [12, 11, 13]
    without = trained(frame, **FREE, drop=["when"])
    assert without.estimates is not None
    ratio = 2 * (free.estimates.log_likelihood - without.estimates.log_likelihood)
    assert free.estimates.tests[0].likelihood_ratio == pytest.approx(ratio, rel=1e-6)
    assert free.test("when", data=frame).likelihood_ratio == pytest.approx(ratio, rel=1e-6)
    bound = trained(frame, bounds={"when": (0, math.inf), "when (days)": (0, 0)})
    of_dates = bound.coef[0, 2:]
    assert np.all(of_dates >= 0)
    assert np.any(of_dates > 0)
    assert of_dates[0] == 0
    strong = trained(frame, penalty_factors={"when": 1e6})
    np.testing.assert_allclose(strong.coef[0, 2:] * strong.schema.scale[2:], 0, atol=1e-4)
    effects = free.marginal_effects(frame).to_pydict()
    assert effects["term"][:3] == ["x", "when (days)", "when (month)=2"]
    assert np.isfinite(effects["std_err"]).all()


def test_a_date_may_name_clusters_too() -> None:
    frame = some_rows().assign(when=lambda rows: rows.when.dt.normalize())
    text = trained(frame.assign(day=frame.when.astype(str)), **FREE, cluster="day")
    both = trained(frame, **FREE, cluster="when", features=["x", "when"])
    only = trained(frame, **FREE, cluster="when")
    assert text.estimates is not None
    assert both.estimates is not None
    assert only.estimates is not None
    assert text.estimates.n_clusters == both.estimates.n_clusters == only.estimates.n_clusters
    np.testing.assert_allclose(both.terms()["std_err"].to_numpy(), text.terms()["std_err"].to_numpy(), rtol=1e-9)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"dates": {"when": "day"}}, r"^dates: column 'when' has 'day'; parts of dates are days, year, month, "),
        ({"dates": {"when": []}}, r"^dates: column 'when' has no part; parts of dates are "),
        ({"dates": {"wen": "days"}}, r"^dates: there is no column 'wen'; did you mean 'when'\?$"),
        ({"dates": {"x": "days"}}, r"^dates: column 'x' holds numbers, and no dates; leave it out\.$"),
        (
            {"dates": {"when": "hours"}},
            r"^dates: column 'when' has no hours; it holds dates without a time zone, with ",
        ),
        ({"dates": {"when": "days"}, "drop": ["when"]}, r"^dates: column 'when' is not among the features; add it or "),
        (
            {"dates": {"when": "days"}, "categorical": ["when"]},
            r"^dates: column 'when' is categorical too; take it out",
        ),
        (
            {"dates": {"when": "days"}, "drop": ["when (days)"]},
            r"^drop: no part of column 'when' is left; drop 'when' ",
        ),
        ({"drop": ["x (days)"]}, r"^dates: column 'x' holds numbers, and no dates; leave it out\.$"),
        (
            {"bounds": {"when (hour)": (0, 1)}, "dates": {"when": "days"}},
            r"^bounds: 'when \(hour\)' is no column that ma",
        ),
    ],
    ids=range(10),
)
def test_what_cannot_be_asked_of_dates_is_said(options: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        zeroloop.train(some_rows(), "y", **options)


def test_what_dates_cannot_be_is_said() -> None:
    frame = some_rows()
    with pytest.raises(
        DataError, match="Column 'when' is named categorical and holds dates or times; name parts of it"
    ):
        zeroloop.train(frame, "y", categorical=["when"])
    with pytest.raises(
        DataError, match=r"^The offset column 'when' holds dates without a time zone; it must hold numbers"
    ):
        zeroloop.train(frame, "y", offset="when")
    with pytest.raises(
        DataError, match=r"^Column 'when \(month\)' has the name that a part of column 'when' gets; ren"
    ):
        zeroloop.train(frame.assign(**{"when (month)": 1.0}), "y")


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (pa.array([0, 86_400 * 366 * -2000], pa.timestamp("s")), "a date outside the years 1 to 9999"),
        (pa.array([0, 2**62], pa.timestamp("s")), "a date outside the years 1 to 9999"),
        (pa.array([0, -(2**63)], pa.timestamp("us", "UTC")), "a date outside the years 1 to 9999"),
        (pa.array([0, 2_932_897], pa.date32()), "a date outside the years 1 to 9999"),
        (pa.array([0, -(2**31)], pa.date32()), "a date outside the years 1 to 9999"),
        (pa.array([0, 2**62], pa.duration("s")), "a duration of thousands of years"),
    ],
    ids=["before 1", "far", "least", "10000", "least day", "long"],
)
def test_a_date_out_of_range_is_said(column: pa.Array, said: str) -> None:
    when = pa.concat_arrays([column] * 10)
    table = pa.table({"x": np.arange(20.0) % 7, "when": when, "y": np.arange(20) % 2})
    with pytest.raises(DataError, match=f"^Column 'when' holds {said} in row 2; correct it, or leave it empty"):
        trained(table)


def test_the_first_and_the_last_date_are_read() -> None:
    days = [dt.date(1, 1, 1), dt.date(9999, 12, 31), dt.date(1970, 1, 1), dt.date(2024, 2, 29)] * 10
    table = pa.table({"when": pa.array(days), "y": np.arange(40) // 2 % 2})
    model = trained(table)
    assert model.schema.dates[0].origin == "0001-01-01"
    assert "when (year)=9999" in model.schema.terms
    stamps = table.set_column(0, "when", table["when"].cast(pa.timestamp("us")))
    assert np.array_equal(model.predict_proba(stamps), model.predict_proba(table))


def test_dates_of_another_kind_than_in_training_are_said() -> None:
    frame = some_rows()
    model = trained(frame)
    times = frame.assign(when=frame.when.dt.time)
    with pytest.raises(
        DataError, match=r"^the table: column 'when' holds times of day, but held dates without a time zo"
    ):
        model.predict_proba(times)
    zoned = frame.assign(when=frame.when.dt.tz_localize("UTC"))
    with pytest.raises(
        DataError, match="column 'when' holds dates in the time zone UTC, but held dates without a time "
    ):
        model.predict_proba(zoned)
    with pytest.raises(DataError, match="column 'when' holds numbers, but held dates without a time zone in training"):
        model.predict_proba(frame.assign(when=1.0))
    with pytest.raises(DataError, match="column 'when', which the model needs, is missing"):
        model.predict_proba(frame[["x"]])


def test_files_may_have_dates_of_different_types(tmp_path: Path) -> None:
    frame = some_rows()
    frame["when"] = frame.when.dt.normalize()
    table = pa.Table.from_pandas(frame, preserve_index=False)
    types: list[pa.DataType] = [pa.date32(), pa.timestamp("ns"), pa.timestamp("s"), pa.date64()]
    for i, data_type in enumerate(types):
        part = table.slice(i * 100, 100)
        pq.write_table(part.set_column(1, "when", part["when"].cast(data_type)), tmp_path / f"{i}.parquet")
    model, expected = trained(str(tmp_path)), trained(frame)
    assert np.array_equal(model.coef, expected.coef)
    kept = tmp_path.parent / "kept.parquet"
    zeroloop.predict_file(model, str(tmp_path), kept, keep=["when"])
    assert pq.read_table(kept)["when"].to_pylist() == list(frame.when)
    part = table.slice(0, 100)
    zoned = part.set_column(1, "when", part["when"].cast(pa.timestamp("us", "UTC")))
    pq.write_table(zoned, tmp_path / "4.parquet")
    said = "column 'when' holds dates in the time zone UTC, but dates without a time zone in .*0.parquet; convert one"
    with pytest.raises(DataError, match=said):
        trained(str(tmp_path))


def test_files_of_two_zones_are_seen_in_utc(tmp_path: Path) -> None:
    frame = some_rows()
    frame["when"] = frame.when.dt.tz_localize("UTC")
    frame[:200].assign(when=frame.when[:200].dt.tz_convert("Asia/Tokyo")).to_parquet(tmp_path / "0.parquet")
    frame[200:].assign(when=frame.when[200:].dt.tz_convert("Europe/Berlin")).to_parquet(tmp_path / "1.parquet")
    said = (
        "^.*1.parquet: column 'when' is in the time zone Europe/Berlin, and in Asia/Tokyo in .*0.parquet; all is taken"
    )
    with pytest.warns(ZeroloopWarning, match=said):
        model = zeroloop.train(str(tmp_path), "y", test_fraction=0)
    assert np.array_equal(model.coef, trained(frame).coef)


def test_a_model_of_dates_is_saved_and_old_files_load(tmp_path: Path) -> None:
    frame = some_rows()
    model = trained(frame, **FREE, dates={"when": ["days", "hour-cycle"]})
    path = tmp_path / "model.json"
    model.save(path)
    loaded = zeroloop.load(path)
    assert loaded.schema == model.schema
    assert np.array_equal(loaded.predict_proba(frame), model.predict_proba(frame))
    assert loaded.test("when", data=frame).df == 3
    loaded.report(tmp_path / "page.html", frame)
    page = (tmp_path / "page.html").read_text("utf-8")
    assert f"counted from {frame.when.min().date()}" in page
    assert "--dates when=days,hour-cycle" in page
    trained(frame, drop=["when"]).save(path)
    document = json.loads(path.read_text())
    del document["schema"]["dates"]
    path.write_text(json.dumps(document | {"format_version": 4}))
    assert zeroloop.load(path).schema.dates == ()


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("kind", "day", r"Invalid enum value 'day' - at `\$.schema.dates\[0\].kind`"),
        (
            "kind",
            "time",
            r"One of 'hours', 'hour', 'hour-cycle' expected, got 'days' - at `\$.schema.dates\[0\].parts`",
        ),
        ("parts", ["days", "days"], r"'days' is there twice - at `\$.schema.dates\[0\].parts`"),
        ("parts", ["days", "week"], r"One of .* expected, got 'week' - at `\$.schema.dates\[0\].parts`"),
        ("parts", ["days", "hour-cycle"], r"A column 'when \(hour sine\)' expected - at `\$.schema.dates\[0\].parts`"),
        ("parts", [], r"A part at least expected - at `\$.schema.dates\[0\].parts`"),
        (
            "origin",
            None,
            r"The date that days are counted from, and only that, expected - at `\$.schema.dates\[0\].ori",
        ),
        ("origin", "20190305", r"A date such as '2024-12-31' expected, got '20190305' - at `\$.schema.dates\[0\].orig"),
        (
            "origin",
            "2019-02-30",
            r"A date such as '2024-12-31' expected, got '2019-02-30' - at `\$.schema.dates\[0\].o",
        ),
        ("origin", 3, r"Expected `str \| null`, got `int` - at `\$.schema.dates\[0\].origin`"),
        ("written", "dym", r"Invalid enum value 'dym' - at `\$.schema.dates\[0\].written`"),
        ("zone", 1, r"Expected `str \| null`, got `int` - at `\$.schema.dates\[0\].zone`"),
        ("zone", "", r"A time zone expected - at `\$.schema.dates\[0\].zone`"),
        ("name", "x", r"'x' is there twice - at `\$.schema`"),
        ("unit", "s", r"The key 'unit' is not known - at `\$.schema.dates\[0\]`"),
    ],
    ids=range(15),
)
def test_damage_to_dates_is_said_with_its_place(tmp_path: Path, key: str, value: Any, said: str) -> None:
    path = tmp_path / "model.json"
    trained(some_rows()).save(path)
    document = json.loads(path.read_text())
    document["schema"]["dates"][0][key] = value
    path.write_text(json.dumps(document))
    with pytest.raises(ModelFileError, match=said):
        zeroloop.load(path)


def test_the_zone_of_a_model_may_be_unknown_where_it_is_used(tmp_path: Path) -> None:
    frame = some_rows()
    frame["when"] = frame.when.dt.tz_localize("UTC")
    path = tmp_path / "model.json"
    trained(frame).save(path)
    document = json.loads(path.read_text())
    document["schema"]["dates"][0]["zone"] = "Europe/Nowhere"
    path.write_text(json.dumps(document))
    with pytest.raises(
        DataError, match=r"^Column 'when' has the time zone 'Europe/Nowhere', which is not known here; in"
    ):
        zeroloop.load(path).predict_proba(frame)


def test_a_run_with_dates_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    frame = some_rows()
    frame.to_parquet(tmp_path / "rows.parquet")

    def stop(work: Any) -> None:
        if work.doing.startswith("pass 3"):
            raise KeyboardInterrupt

    how: dict[str, Any] = {"checkpoint": tmp_path / "kept", "solver": "lbfgs", "test_fraction": 0}
    with pytest.raises(KeyboardInterrupt):
        zeroloop.train(str(tmp_path / "rows.parquet"), "y", progress=stop, **how)
    went_on = zeroloop.train(str(tmp_path / "rows.parquet"), "y", **how)
    assert np.array_equal(went_on.coef, trained(frame, solver="lbfgs").coef)


def test_the_command_of_a_model_with_dates_makes_it_again(tmp_path: Path) -> None:
    frame = some_rows().rename(columns={"when": "when, =1"})
    frame["day"] = frame["when, =1"].dt.strftime("%d/%m/%Y").str.replace(r"^\d\d", "05", regex=True)
    path = tmp_path / "rows.parquet"
    frame.to_parquet(path)
    asked = {"when, =1": ["days", "hour-cycle"], "day": ["mdy", "month"]}
    model = trained(str(path), dates=asked, drop=["x"], test_fraction=0.25)
    command = command_of(model)
    assert command is not None
    assert "=days,hour-cycle' --dates day=mdy,month" in command
    words = [sys.executable, "-m", *shlex.split(command), "--out", str(tmp_path / "again.json")]
    subprocess.run(words, check=True, capture_output=True)
    assert np.array_equal(zeroloop.load(tmp_path / "again.json").coef, model.coef)


def test_paths_know_dates() -> None:
    found = zeroloop.path(some_rows(), "y", Cs=3, dates={"when": "weekday"})
    assert found.terms == ("x", *(f"when (weekday)={day}" for day in WEEKDAYS))


@pytest.mark.parametrize("memory", [None, 1])
@pytest.mark.parametrize("spill", [None, "none"])
def test_dates_that_do_not_fit_into_memory_make_the_same_bits(
    tmp_path: Path, memory: int | None, spill: str | None
) -> None:
    frame = some_rows()
    frame.loc[::5, "when"] = pd.NaT
    frame.to_parquet(tmp_path / "rows.parquet")
    model = trained(str(tmp_path / "rows.parquet"), memory=memory, spill=spill, test_fraction=0.3)
    expected = trained(frame, test_fraction=0.3)
    assert np.array_equal(model.coef, expected.coef)
    assert model.held_out == expected.held_out
