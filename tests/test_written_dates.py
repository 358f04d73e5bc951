"""Dates and times in text, of files and frames: judged by Python's `datetime`, which wrote them.

`ZEROLOOP_FUZZ=1000 ZEROLOOP_FUZZ_SEED=5 pytest tests/test_written_dates.py` draws more columns, of other seeds.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

import zeroloop
from hostile import CASES, FIRST_SEED
from test_dates import N, some_rows, trained
from zeroloop.errors import DataError, OptionError, ZeroloopWarning
from zeroloop.tables.found_dates import find_in_text
from zeroloop.tables.schema import DateOrder
from zeroloop.tables.written_dates import parse

# What Python does not read and is read here: short days, other marks, leap seconds, the end of a day, blanks.
OTHER = re.compile(
    r"\d{4}([-/.])\d{1,2}\1\d{1,2}(?:(?:T|,? +)(?:[01]?\d|2[0-4])(?::[0-5]\d(?::(?:[0-5]\d|60)(?:[.,]\d+)?)?)?"
    r"(?: ?(?:Z|[+-][01]\d(?::?[0-5]\d)?))?)?"
)
EPOCH = dt.datetime(1970, 1, 1)
SEEDS = range(FIRST_SEED, FIRST_SEED + (CASES or 40))
# What strftime writes, and how days, months and years then stand: None where any reader knows.
DAYS: list[tuple[str, DateOrder | None]] = [
    ("%Y-%m-%d", None), ("%Y/%m/%d", None), ("%Y.%m.%d", None), ("%d %b %Y", None), ("%d-%b-%Y", None),
    ("%b %d, %Y", None), ("%B %d, %Y", None), ("%d. %B %Y", None), ("%d%b%Y", None), ("%d-%b-%y", None),
    ("%a, %d %b %Y", None), ("%A, %B %d, %Y", None), ("%Y-%b-%d", None), ("%d/%b/%Y", None),
    ("%d/%m/%Y", "dmy"), ("%d.%m.%Y", "dmy"), ("%d-%m-%Y", "dmy"), ("%d. %m. %Y", "dmy"), ("%d/%m/%y", "dmy"),
    ("%m/%d/%Y", "mdy"), ("%m-%d-%Y", "mdy"), ("%m/%d/%y", "mdy"), ("%m.%d.%Y", "mdy"),
    ("%y-%m-%d", "ymd"), ("%y/%m/%d", "ymd"), ("%Y%m%d", "ymd"),
]  # fmt: skip
CLOCKS = [
    "",
    "T%H:%M",
    " %H:%M",
    " %H:%M:%S",
    "T%H:%M:%S.%f",
    " %H:%M:%S,%f",
    " %I:%M %p",
    ", %I:%M:%S %p",
    "  %H:%M:%S",
]


def unpadded(text: str, rng: np.random.Generator) -> str:
    """Return text without some zeros before days and months."""
    return text.removeprefix("0").replace("/0", "/").replace(".0", ".") if rng.random() < 0.3 else text


def written(rng: np.random.Generator) -> tuple[list[dt.datetime], list[str], DateOrder | None]:
    """Return instants, how they are written in one way, and what a reader has to be told of it."""
    day, order = DAYS[int(rng.integers(len(DAYS)))]
    clock = str(rng.choice(CLOCKS)) if day != "%Y%m%d" else ""
    least = {"": 86_400_000_000, "f": 1, "S": 1_000_000}.get(clock[-1:] or "", 60_000_000)
    least = 1_000_000 if clock.endswith("%S %p") else least
    short = "%y" in day
    first = dt.datetime(1969, 1, 1) if short else dt.datetime(1000, 1, 1)
    days = (dt.datetime(2068, 12, 31) if short else dt.datetime(9999, 12, 31)) - first
    values, texts = [], []
    for _ in range(int(rng.integers(1, 60))):
        value = first + dt.timedelta(
            microseconds=int(rng.integers(days // dt.timedelta(microseconds=1))) // least * least
        )
        text = value.strftime(day + clock)
        has_points = clock.endswith("f") or "." in clock
        texts.append(text if has_points or short or day == "%Y%m%d" else unpadded(text, rng))
        values.append(value)
    return values, texts, order


@pytest.mark.parametrize("seed", SEEDS)
def test_what_python_writes_is_read(seed: int) -> None:
    rng = np.random.default_rng([seed, 21])
    values, texts, order = written(rng)
    offset = str(rng.choice(["", "Z", "+02:00", "-0930", "+14"])) if ":" in texts[0] else ""
    hours = {"": 0.0, "Z": 0.0, "+02:00": 2.0, "-0930": -9.5, "+14": 14.0}[offset]
    column = pa.array([text + str(rng.choice(["", " "])) * (offset != "") + offset for text in texts])
    found = parse(column, "date", order)
    expected = [(value - dt.timedelta(hours=hours) - EPOCH) // dt.timedelta(microseconds=1) for value in values]
    inside = [-62_135_596_800_000_000 <= one < 253_402_300_800_000_000 for one in expected]
    assert found.fits.tolist() == inside, (texts, order)
    assert found.values.tolist() == [one if there else 0 for one, there in zip(expected, inside, strict=True)]
    assert found.zoned.tolist() == [offset != "" and there for there in inside]
    assert not found.missing.any()


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_read_as_iso_is_what_python_reads(seed: int) -> None:
    """Text with a few other characters than a date's: nothing is read that Python does not read so too."""
    rng = np.random.default_rng([seed, 22])
    texts = []
    for _ in range(300):
        value = dt.datetime(2000, 1, 1) + dt.timedelta(seconds=int(rng.integers(10**9)))
        text = value.isoformat(sep=str(rng.choice(["T", " "]))) + str(rng.choice(["", "Z", "+01:00", ".25"]))
        for at in rng.integers(len(text), size=int(rng.integers(0, 3))):
            text = text[:at] + str(rng.choice(list("0123456789-:T. +Zx"))) + text[at + 1 :]
        texts.append(text)
    found = parse(pa.array(texts), "date", None)
    for text, fits, value in zip(texts, found.fits, found.values.tolist(), strict=True):
        try:
            there = dt.datetime.fromisoformat(text.strip())
        except ValueError:
            assert not fits or OTHER.fullmatch(text.strip()), text
            continue
        there = there.replace(tzinfo=None) - (there.utcoffset() or dt.timedelta())
        if fits:
            assert value == (there - EPOCH) // dt.timedelta(microseconds=1), text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2016-12-31 23:59:60", dt.datetime(2017, 1, 1)),
        ("2024-02-28T24:00:00", dt.datetime(2024, 2, 29)),
        ("2024-02-30", None),
        ("2023-02-29", None),
        ("1900-02-29", None),
        ("2024-13-01", None),
        ("2024-00-10", None),
        ("0000-01-01", None),
        ("0001-01-01", dt.datetime(1, 1, 1)),
        ("2024-01-01 24:00:01", None),
        ("2024-01-01 12:60", None),
        ("2024-01-01 0:30 AM", None),
        ("2024-01-01 12:30 AM", dt.datetime(2024, 1, 1, 0, 30)),
        ("2024-01-01 12:30 p.m.", dt.datetime(2024, 1, 1, 12, 30)),
        ("2024-01-01T10:00:00.1234569", dt.datetime(2024, 1, 1, 10, 0, 0, 123456)),
        ("20240101T101500Z", dt.datetime(2024, 1, 1, 10, 15)),
        ("2024-01-01T10:00+19:00", None),
        ("2024-01/02", None),
        ("Tue Dec 31 10:15:30 2024", dt.datetime(2024, 12, 31, 10, 15, 30)),
        ("31/Dec/2024:10:15:30 +0100", dt.datetime(2024, 12, 31, 9, 15, 30)),
        ("1st March 2021", dt.datetime(2021, 3, 1)),
        ("Sept 3, 2024", dt.datetime(2024, 9, 3)),
        ("Marbles 3, 2024", None),
        ("May 2024", None),
        ("2024", None),
        ("20241231", None),
        ("10.5.2", None),
        ("\u202f2024\u20111\u20112", None),
        (" 2024\u20131\u20132 ", dt.datetime(2024, 1, 2)),
    ],
    ids=range(29),
)
def test_single_values(text: str, value: dt.datetime | None) -> None:
    found = parse(pa.array([text]), "date", None)
    assert bool(found.fits[0]) == (value is not None)
    if value is not None:
        assert EPOCH + dt.timedelta(microseconds=int(found.values[0])) == value


@pytest.mark.parametrize("order", ["dmy", "mdy", "ymd"])
def test_two_digits_of_a_year_are_those_of_posix(order: DateOrder) -> None:
    form = {"dmy": "%d/%m/%y", "mdy": "%m/%d/%y", "ymd": "%y/%m/%d"}[order]
    texts = [dt.date(2000 + year, 11, 30).strftime(form) for year in range(100)]
    found = parse(pa.array(texts), "date", order)
    expected = [dt.datetime.strptime(text, form) for text in texts]
    assert [EPOCH + dt.timedelta(microseconds=one) for one in found.values.tolist()] == expected
    assert found.short.all()


FORMATS = {
    "ISO": "%Y-%m-%d %H:%M:%S",
    "T": "%Y-%m-%dT%H:%M:%S",
    "European": "%d/%m/%Y %H:%M:%S",
    "points": "%d.%m.%Y %H:%M:%S",
    "American": "%m/%d/%Y %I:%M:%S %p",
    "two digits": "%d/%m/%y %H:%M:%S",
    "year first": "%y-%m-%d %H:%M:%S",
    "slashes": "%Y/%m/%d %H:%M:%S",
    "names": "%b %d, %Y %H:%M:%S",
    "C": "%a %b %d %H:%M:%S %Y",
}


def quietly(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ZeroloopWarning)
        return function(*args, **options)


@pytest.mark.parametrize("name", FORMATS)
def test_text_makes_the_same_bits_as_dates(name: str, tmp_path: Path) -> None:
    frame = some_rows()
    frame.loc[::9, "when"] = pd.NaT
    expected = trained(frame)
    text = frame.assign(when=frame.when.dt.strftime(FORMATS[name]))
    table = pa.Table.from_pandas(text, preserve_index=False)
    pq.write_table(table, tmp_path / "rows.parquet")
    pacsv.write_csv(table, tmp_path / "rows.csv")
    (tmp_path / "rows.json").write_text("\n".join(map(json.dumps, table.to_pylist())))
    text.to_csv(tmp_path / "semicolons.csv", sep=";", decimal=",", index=False, na_rep="NA")
    doors = {
        "pandas": text,
        "polars": pl.from_pandas(text),
        "Parquet": str(tmp_path / "rows.parquet"),
        "CSV": str(tmp_path / "rows.csv"),
        "JSON": str(tmp_path / "rows.json"),
        "semicolons": str(tmp_path / "semicolons.csv"),
        "reader": table.to_reader(50),
        "words": text.assign(when=text.when.fillna("?")),
    }
    for door, data in doors.items():
        model = trained(data)
        assert np.array_equal(model.coef, expected.coef), door
        assert [column.missing for column in model.schema.numeric] == [0, 45], door
        if door != "reader":
            assert np.array_equal(model.predict_proba(data), expected.predict_proba(frame)), door
            assert np.array_equal(model.predict_proba(frame), expected.predict_proba(frame)), door
    iso = frame.assign(when=frame.when.dt.strftime("%Y-%m-%dT%H:%M:%S.000"))
    assert np.array_equal(trained(text).predict_proba(iso), expected.predict_proba(frame))


def test_a_file_of_dates_is_read_when_later_rows_have_times(tmp_path: Path) -> None:
    rows = 6_000
    days = pd.date_range("2001-01-01", periods=rows, freq="D").strftime("%Y-%m-%d").to_numpy(object)
    days[5_000:] += " 18:30:00"
    frame = pd.DataFrame({"when": days, "y": np.arange(rows) // 3 % 2})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    model = trained(str(tmp_path / "rows.csv"))
    assert "when (hour)=18" in model.schema.terms
    assert np.array_equal(model.coef, trained(frame).coef)


def test_the_whole_column_decides_which_number_is_the_day(tmp_path: Path) -> None:
    rows = 30_000
    for at, (last, order) in enumerate([("13/01/2020", "dmy"), ("01/13/2020", "mdy")]):
        days = np.array(["03/04/2020", "05/06/2020", "07/08/2020"], dtype=object)[np.arange(rows) % 3]
        days[-1] = last
        frame = pd.DataFrame({"when": days, "y": np.arange(rows) // 5 % 2})
        frame.to_csv(tmp_path / f"{at}.csv", index=False)
        for data in (frame, str(tmp_path / f"{at}.csv")):
            model = trained(data)
            assert model.schema.dates[0].written == order
        once = pa.Table.from_pandas(frame).to_reader(1_000)
        with pytest.warns(
            ZeroloopWarning, match=r"^Column 'when' holds dates such as '03/04/2020', of which nothing tells"
        ):
            assert zeroloop.train(once, "y").schema.dates == ()


def test_an_order_that_nothing_tells_is_said_and_can_be_named() -> None:
    days = np.array(["03/04/2020", "05/06/2020", "07/08/2021"], dtype=object)[np.arange(N) % 3]
    frame = some_rows().assign(when=days)
    said = (
        r"^Column 'when' holds dates such as '03/04/2020', of which nothing tells the order of day, month and year; it "
        r"is read as text: name the order in dates \(when=dmy or when=mdy\), or name it categorical\.$"
    )
    with pytest.warns(ZeroloopWarning, match=said):
        model = zeroloop.train(frame, "y", test_fraction=0)
    assert "when=03/04/2020" in model.schema.terms
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        named = zeroloop.train(frame, "y", test_fraction=0, dates={"when": ["mdy", "month"]})
        zeroloop.train(frame, "y", categorical=["when"])
    assert named.schema.terms[2:] == ("when (month)=3", "when (month)=5", "when (month)=7")
    with pytest.raises(
        OptionError, match=r"^dates: column 'when' holds dates such as '03/04/2020', of which nothing tells"
    ):
        zeroloop.train(frame, "y", dates={"when": "month"})
    with pytest.raises(OptionError, match=r"^dates: column 'when' has the orders dmy and mdy; name one"):
        zeroloop.train(frame, "y", dates={"when": ["mdy", "dmy"]})


def test_points_are_european_where_nothing_else_tells() -> None:
    days = np.array(["03.04.2020", "05.06.2020", "07.08.2021"], dtype=object)[np.arange(N) % 3]
    said = (
        r"^Column 'when': '03.04.2020' is read as 2020-04-03; name its order in dates \(when=mdy\) if it is not that\.$"
    )
    with pytest.warns(ZeroloopWarning, match=said):
        model = zeroloop.train(some_rows().assign(when=days), "y")
    assert model.schema.dates[0].written == "dmy"


def test_dates_in_two_orders_are_said() -> None:
    days = np.array(["13/04/2020", "04/14/2020"], dtype=object)[np.arange(N) % 2]
    said = (
        "^Column 'when' holds dates that begin with the day, such as '13/04/2020', and others that begin with the month"
    )
    with pytest.warns(ZeroloopWarning, match=said):
        model = zeroloop.train(some_rows().assign(when=days), "y")
    assert "when=13/04/2020" in model.schema.terms


@pytest.mark.parametrize(
    ("texts", "shown"),
    [
        (["31/12/45", "30/11/23"], "'31/12/45' is read as 2045-12-31"),
        (["31-Dec-71", "30-Nov-68"], "'31-Dec-71' is read as 1971-12-31"),
        (["71-12-31", "68-11-30"], "'71-12-31' is read as 1971-12-31"),
    ],
    ids=range(3),
)
def test_years_of_two_digits_are_said(texts: list[str], shown: str) -> None:
    frame = some_rows().assign(when=np.array(texts, dtype=object)[np.arange(N) % 2])
    with pytest.warns(ZeroloopWarning, match=f"^Column 'when': {shown}, its years having two digits only.$"):
        zeroloop.train(frame, "y")


def test_offsets_from_utc(tmp_path: Path) -> None:
    frame = some_rows()
    utc = frame.when.dt.tz_localize("UTC")
    expected = trained(frame.assign(when=utc))
    assert expected.schema.dates[0].zone == "UTC"
    for text in (frame.when.dt.strftime("%Y-%m-%dT%H:%M:%SZ"), frame.when.astype(str) + "+00:00"):
        assert np.array_equal(trained(frame.assign(when=text)).coef, expected.coef)
    east = frame.assign(when=utc.dt.tz_convert("+05:30"))
    east.to_csv(tmp_path / "east.csv", index=False)
    model = trained(str(tmp_path / "east.csv"))
    assert model.schema.dates[0].zone == "+05:30"
    assert np.array_equal(model.coef, trained(east).coef)
    berlin = frame.assign(when=utc.dt.tz_convert("Europe/Berlin"))
    berlin.to_csv(tmp_path / "berlin.csv", index=False)
    said = "^Column 'when' has several offsets from UTC; its hours and weekdays are those of UTC.$"
    with pytest.warns(ZeroloopWarning, match=said):
        mixed = zeroloop.train(str(tmp_path / "berlin.csv"), "y", test_fraction=0)
    assert np.array_equal(mixed.coef, expected.coef)
    assert np.array_equal(model.predict_proba(str(tmp_path / "berlin.csv")), model.predict_proba(east))


def test_values_with_and_without_an_offset_are_said() -> None:
    frame = some_rows()
    text = frame.when.astype(str).to_numpy(object)
    zoned = frame.assign(when=text + "+01:00")
    model = trained(zoned)
    with pytest.raises(
        DataError, match=r"holds '.*' in row 1, which has no time zone, and others have one; correct it"
    ):
        model.predict_proba(frame.assign(when=text))
    one = frame.assign(when=np.where(np.arange(N) == 7, text + "Z", text))
    with pytest.raises(
        DataError, match=r"^Column 'when' holds '.*Z' in row 8, which has a time zone, and others have none"
    ):
        trained(one)


@pytest.mark.parametrize("bad", ["tomorrow", "2019-02-30", "31/12/2019", "0000-00-00"])
def test_what_is_no_date_among_dates_is_said(bad: str, tmp_path: Path) -> None:
    frame = some_rows()
    text = frame.when.dt.strftime("%Y-%m-%d").to_numpy(object)
    frame = frame.assign(when=np.where(np.arange(N) == 300, bad, text))
    frame.to_csv(tmp_path / "rows.csv", index=False)
    said = (
        f"^Column 'when' holds '{bad}' in row 301, and dates without a time zone written as 2024-12-31 or with names "
        "of months elsewhere; correct it, leave it empty to count as missing, or name 'when' categorical.$"
    )
    for data in (frame, str(tmp_path / "rows.csv")):
        with pytest.raises(DataError, match=said):
            trained(data)
        assert "when" in trained(data, categorical=["when"]).schema.features
        assert trained(data, drop=["when"]).schema.features == ("x",)
    model = trained(frame.assign(when=text))
    with pytest.raises(DataError, match=said):
        model.predict_proba(frame)


def test_text_that_is_mostly_no_date_stays_text() -> None:
    for values in (["2020-01-01", "no", "yes"], ["1/2", "3/4", "5/6"], ["10.5.2", "10.5.3", "9.1.0"], ["may 1", "b 2"]):
        frame = some_rows().assign(when=np.array(values, dtype=object)[np.arange(N) % len(values)])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert f"when={values[0]}" in zeroloop.train(frame, "y").schema.terms


def test_whole_numbers_are_dates_where_they_are_named(tmp_path: Path) -> None:
    frame = some_rows()
    frame["when"] = frame.when.dt.normalize()
    numbers = frame.assign(when=frame.when.dt.strftime("%Y%m%d").astype(int))
    numbers.to_csv(tmp_path / "rows.csv", index=False)
    expected = trained(frame)
    said = (
        r"^Column 'when' holds whole numbers such as 20\d{6}, which are read as numbers; if they are dates, say so in "
    )
    for data in (numbers, str(tmp_path / "rows.csv")):
        with pytest.warns(ZeroloopWarning, match=said):
            assert zeroloop.train(data, "y").schema.features == ("x", "when")
        parts = ["ymd", "days", "year", "month", "weekday"]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model = zeroloop.train(data, "y", test_fraction=0, dates={"when": parts})
        np.testing.assert_allclose(model.coef, expected.coef, rtol=1e-9, atol=1e-12)
        assert np.array_equal(model.predict_proba(data), model.predict_proba(frame))
        assert np.array_equal(model.coef, trained(data, dates={"when": "ymd"}).coef)
    gaps = numbers.assign(when=numbers.when.astype(float).where(numbers.index % 5 > 0))
    assert trained(gaps, dates={"when": "ymd"}).schema.numeric[1].missing == N // 5
    with pytest.raises(
        DataError, match=r"^Column 'when' holds '20190230' in row 1, and dates without a time zone written"
    ):
        trained(numbers.assign(when=20190230), dates={"when": "ymd"})
    with pytest.raises(DataError, match=r"^Column 'when' holds 20190101.5 in row 1, which is no date such as 20241231"):
        trained(numbers.assign(when=20190101.5), dates={"when": "ymd"})
    with pytest.raises(OptionError, match=r"^dates: column 'when' holds numbers, and no dates; leave it out"):
        trained(numbers, dates={"when": "month"})


@pytest.mark.parametrize(
    ("values", "options", "said"),
    [
        (["a", "b"], {"when": "month"}, "^dates: column 'when' holds text such as 'a', and no dates; leave it out"),
        (
            ["a", "b"],
            {"when": "dmy"},
            "^dates: column 'when' holds text such as 'a', and no dates in the order dmy; leave",
        ),
        (
            ["13/04/2020"],
            {"when": "mdy"},
            "^dates: column 'when' holds text such as '13/04/2020', and no dates in the ord",
        ),
        (
            ["10:15", "11:30"],
            {"when": "days"},
            "^dates: column 'when' has no days; it holds times of day, with hours, ho",
        ),
    ],
    ids=range(4),
)
def test_what_text_has_not_is_said(values: list[str], options: dict[str, str], said: str) -> None:
    frame = some_rows().assign(when=np.array(values, dtype=object)[np.arange(N) % len(values)])
    with pytest.raises(OptionError, match=said):
        zeroloop.train(frame, "y", dates=options)


def test_times_of_day_in_text(tmp_path: Path) -> None:
    frame = some_rows()
    times = frame.assign(when=frame.when.dt.time)
    expected = trained(times)
    for form in ("%H:%M:%S", "%I:%M:%S %p"):
        text = frame.assign(when=frame.when.dt.strftime(form))
        text.to_csv(tmp_path / "rows.csv", index=False)
        for data in (text, str(tmp_path / "rows.csv")):
            model = trained(data)
            assert model.schema.dates[0].kind == "time"
            assert np.array_equal(model.coef, expected.coef)
            assert np.array_equal(model.predict_proba(times), expected.predict_proba(data))


def test_a_folder_of_dates(tmp_path: Path) -> None:
    frame = some_rows().assign(day=lambda rows: rows.when.dt.strftime("%Y-%m-%d"))
    frame = frame[frame.when < "2019-07-01"].drop(columns="when").sort_values("day", kind="stable")
    frame.to_parquet(tmp_path / "rows", partition_cols=["day"])
    model = trained(str(tmp_path / "rows"))
    assert model.schema.dates[0].name == "day"
    np.testing.assert_allclose(model.coef, trained(frame[["x", "y", "day"]]).coef, rtol=1e-9)


def test_text_with_dates_costs_no_row_twice(tmp_path: Path) -> None:
    frame = some_rows()
    text = frame.when.dt.strftime("%d.%m.%Y").where(frame.index % 4 > 0)
    model = trained(frame.assign(when=text), missing="drop")
    assert model.training.gaps == {"when": N // 4}
    words = frame.assign(when=text.fillna("N.A."))
    assert trained(words, missing="drop").training.gaps == {"when": N // 4}
    same = frame.assign(when=pd.Series(["01.02.2020"] * N).where(frame.index % 4 > 0))
    assert trained(same, missing="drop", dates={"when": "dmy"}).training.rows == N


def test_a_word_of_ones_own_for_a_missing_date(tmp_path: Path) -> None:
    frame = some_rows()
    text = frame.when.dt.strftime("%m/%d/%Y").where(frame.index % 3 > 0, "99/99/9999")
    told = frame.assign(when=text)
    told.to_csv(tmp_path / "rows.csv", index=False)
    gone = frame.assign(when=frame.when.dt.normalize().where(frame.index % 3 > 0))
    for data in (told, str(tmp_path / "rows.csv")):
        model = trained(data, csv=zeroloop.CsvOptions(na=["99/99/9999"]))
        assert np.array_equal(model.coef, trained(gone).coef)
        assert np.array_equal(model.predict_proba(data), model.predict_proba(gone))


def test_categories_are_levels_unless_they_are_named_dates() -> None:
    frame = some_rows().assign(when=lambda rows: rows.when.dt.strftime("%d.%m.%Y"))
    categories = frame.assign(when=pd.Categorical(frame.when))
    schema = trained(categories).schema
    assert schema.dates == ()
    assert [one.name for one in schema.left_out] == ["when"]  # nearly as many levels as rows
    model, named = trained(frame), trained(categories, dates={"when": "dmy"})
    assert np.array_equal(named.coef, model.coef)
    assert np.array_equal(model.predict_proba(categories), model.predict_proba(frame))
    with pytest.raises(OptionError, match=r"^dates: column 'when' holds text such as 'a', and no dates; leave it out"):
        trained(frame.assign(when=pd.Categorical(["a", "b"] * (N // 2))), dates={"when": "month"})


def a_column(rng: np.random.Generator) -> tuple[list[dt.datetime | None], list[str | None]]:
    """Return dates of a few days or of decades, some missing, and how one program writes them all."""
    day, _ = DAYS[int(rng.integers(len(DAYS)))]
    clock = str(rng.choice(CLOCKS)) if day != "%Y%m%d" else "T%H:%M"
    day = "%Y-%m-%d" if day == "%Y%m%d" else day
    rows = int(rng.integers(20, 200))
    days = int(rng.choice([3, 40, 700, 9_000]))
    first = dt.datetime(1971, 1, 1) + dt.timedelta(days=int(rng.integers(2 * 9_000)))
    unit = {"": 86_400, "M": 60, "p": 60}.get(clock[-1:], 1) if not clock.endswith("%S %p") else 1
    values: list[dt.datetime | None] = []
    for _ in range(rows):
        value = first + dt.timedelta(seconds=int(rng.integers(days * 86_400)) // unit * unit)
        values.append(None if rng.random() < 0.05 else value)
    return values, [None if value is None else value.strftime(day + clock) for value in values]


def in_order(text: str, order: str) -> bool:
    """Return whether Python reads the three numbers at the beginning of text in some order."""
    numbers = re.match(r"(\d+)[-/.] ?(\d+)[-/.] ?(\d+)", text)
    if numbers is None:
        return False
    year = numbers[1 + order.index("y")]
    form = " ".join({"d": "%d", "m": "%m", "y": "%Y" if len(year) == 4 else "%y"}[one] for one in order)
    try:
        dt.datetime.strptime(" ".join(numbers.groups()), form)
    except ValueError:
        return False
    return len(year) in (2, 4)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_column_is_read_right_or_said(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng([seed, 23])
    values, texts = a_column(rng)
    y = rng.integers(0, 2, len(values))
    y[:2] = 0, 1
    table = pa.table({"when": pa.array(texts, pa.string()), "x": rng.normal(size=len(values)), "y": y})
    door = str(rng.choice(["Arrow", "Parquet", "CSV", "semicolons", "JSON", "reader"]))
    path = tmp_path / "rows"
    data: Any = str(path)
    match door:
        case "Parquet":
            pq.write_table(table, path)
        case "CSV":
            pacsv.write_csv(table, path)
        case "semicolons":
            pacsv.write_csv(
                table,
                path,
                pacsv.WriteOptions(delimiter=";", quoting_style="none" if ";" not in str(texts) else "needed"),
            )
        case "JSON":
            path.write_text("\n".join(map(json.dumps, table.to_pylist())))
        case _:
            data = table if door == "Arrow" else table.to_reader(7)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = zeroloop.train(data, "y", test_fraction=0)
    said = [str(one.message) for one in caught]
    there = [text for text in texts if text is not None]
    if not found.schema.dates:
        assert any("of which nothing tells the order" in one for one in said), (texts[:5], said)
        both = [order for order in ("dmy", "mdy", "ymd") if all(in_order(text, order) for text in there[:7])]
        assert len(both) > 1, texts[:5]
        return
    expected = trained(table.set_column(0, "when", pa.array(values, pa.timestamp("us"))))
    if not np.array_equal(found.coef, expected.coef):
        assert any("is read as" in one for one in said), (texts[:5], said)
        shown = next(one for one in said if "is read as" in one)
        assert "having two digits" in shown or re.match(r"Column 'when': '\d\d\.\d\d\.", shown), shown


def found_in(*values: str) -> Any:
    return find_in_text("d", iter([pa.array(values)] * 2), None)


def test_what_columns_of_text_are_found_to_be() -> None:
    assert found_in("red", "blue") is None
    assert found_in("") is None
    assert found_in("2024-01-01").kind == "date"
    assert found_in("31/12/2024", "01/02/2024").order == "dmy"
    assert found_in("12/31/2024", "01/02/2024").order == "mdy"
    assert found_in("10:15").kind == "time"
    assert found_in("2024-01-01T10:00+02:00").zone == "+02:00"
    assert found_in("2024-01-01T10:00Z").zone == "UTC"
    assert math.isclose(len(found_in("1/2/2024").said), 1)
