"""Levels that look alike, whole numbers that identify rows, words among numbers: said where they are, only there."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import zeroloop
from hostile import CASES, FIRST_SEED
from zeroloop.errors import BadFileError, DataError, OptionError, ZeroloopError, ZeroloopWarning
from zeroloop.tables.identifiers import named_identifier

ROWS = 400


def clean(seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "size": rng.normal(size=ROWS).round(3),
            "smokes": rng.choice(["yes", "no"], ROWS),
            "y": rng.choice(["<=50K", ">50K"], ROWS),
        }
    )


def said_of(data: object, **options: object) -> tuple[zeroloop.Model, list[str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = zeroloop.train(data, "y", **options)  # type: ignore[arg-type]
    return model, [str(one.message) for one in caught]


def test_levels_that_look_alike_are_listed() -> None:
    frame = clean()
    frame.loc[:9, "smokes"] = ["Yes", "yes ", "YES", "No.", "no", " no", "yes", "no", "Yes", "yes"]
    frame.loc[:3, "y"] = ">50K."
    model, said = said_of(frame, test_fraction=0)
    assert len(model.schema.target.levels) == 3
    assert said == [
        "The target 'y' has classes that differ only by case, outer blanks or a final dot: '>50K' and '>50K.'. They "
        "count as different; correct the table if they mean the same.",
        "Levels of column 'smokes' differ only by case, outer blanks or a final dot: ' no', 'No.' and 'no'; 'YES', "
        "'Yes', 'yes' and 'yes '. They count as different; correct the table if they mean the same.",
    ]


def test_levels_that_differ_otherwise_are_not() -> None:
    frame = clean().assign(smokes=np.random.default_rng(1).choice(["a.b", "ab", "a b", "1.0", "1", "é", "e"], ROWS))
    assert said_of(frame)[1] == []


def test_a_class_that_looks_like_another_is_named_where_one_is_asked_for() -> None:
    frame = clean()
    frame.loc[0, "y"] = ">50k"
    with pytest.raises(OptionError, match=r"has 3 values \('>50K' and '>50k' differ only by case, outer blanks or a"):
        zeroloop.train(frame, "y", positive=">50K")


def test_new_rows_with_levels_that_look_like_known_ones_are_said(tmp_path: Path) -> None:
    model, _ = said_of(clean())
    new = clean(4).assign(smokes="Yes.")
    new.to_csv(tmp_path / "new.csv", index=False)
    for data in (new, tmp_path / "new.csv"):
        with pytest.warns(ZeroloopWarning) as caught:
            model.predict_proba(data)
        assert [str(one.message) for one in caught] == [
            "Levels never seen in training count as no effect: smokes (400 rows); of column 'smokes', 'Yes.' differs "
            "from the known 'yes' only by case, outer blanks or a final dot."
        ]
    with pytest.raises(DataError) as error:
        zeroloop.evaluate(model, clean().replace({"y": {">50K": ">50K."}}))
    assert str(error.value) == (
        "The target 'y' holds '>50K.'; the model knows '<=50K' and '>50K', and '>50K.' differs from '>50K' only by "
        "case, outer blanks or a final dot."
    )


def test_blanks_outside_quotes_are_no_part_of_a_level(tmp_path: Path) -> None:
    frame = clean()
    lines = [f"{size}, {smokes} , {y}" for size, smokes, y in frame.itertuples(index=False)]
    (tmp_path / "blanks.csv").write_text("\n".join(["size,smokes,y", *lines, ""]))
    model, said = said_of(tmp_path / "blanks.csv")
    assert said == []
    assert model.coef.tobytes() == said_of(frame)[0].coef.tobytes()


IDENTIFIERS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "PassengerId": lambda rng, n: np.sort(rng.permutation(2 * n)[:n]),
    "client": lambda rng, n: rng.permutation(n + n // 4)[:n] + 10_000,
    "employee number": lambda rng, n: rng.permutation(10**9 // n)[:n] * 7 + rng.integers(0, 7, n),
    "customerID": lambda rng, n: rng.integers(0, 2**52, n),
}
MEASURED: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "price": lambda rng, n: rng.lognormal(12, 1, n).astype(int),
    "population": lambda rng, n: rng.pareto(1, n).astype(int) * 17 + 40,
    "income": lambda rng, n: rng.integers(0, 10**7, n),
    "a large range": lambda rng, n: rng.integers(-(2**50), 2**50, n),
    "minutes since 1970": lambda rng, n: 1_700_000_000 + 60 * np.arange(n),
    "milliseconds": lambda rng, n: 1_700_000_000_000 + np.sort(rng.permutation(4 * n)[:n]),
    "every five minutes": lambda rng, n: 300 * np.arange(n) + 4,
    "year": lambda rng, n: np.arange(2_100 - min(n, 1_000), 2_100)[rng.integers(0, min(n, 1_000), n)],
    "age": lambda rng, n: rng.integers(18, 90, n),
    "steps": lambda rng, n: np.cumsum(rng.integers(1, 2_000, n) ** 2),
}


@pytest.mark.parametrize("name", IDENTIFIERS)
@pytest.mark.parametrize("n", [60, 900])
def test_whole_numbers_that_identify_rows_are_said(name: str, n: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(FIRST_SEED + n)
    frame = pd.DataFrame({name: IDENTIFIERS[name](rng, n), "x": rng.normal(size=n), "y": rng.choice(["a", "b"], n)})
    frame.to_csv(tmp_path / "table.csv", index=False)
    for data in (frame, tmp_path / "table.csv"):
        model, said = said_of(data, test_fraction=0)
        assert said == [
            f"Column {name!r} has another whole number in each of {n} rows, as identifiers have, of which nothing can "
            "be learned for other rows: drop it if it is one."
        ]
        assert name in model.schema.terms
    assert said_of(frame, test_fraction=0, drop=[name])[1] == []
    assert said_of(frame, test_fraction=0, features=[name, "x"])[1] == []


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + (CASES // 100 or 3)))
def test_what_is_measured_is_no_identifier(seed: int) -> None:
    rng = np.random.default_rng([seed, 5])
    n = int(rng.choice([60, 1_000, 30_000]))
    frame = pd.DataFrame({name: values(rng, n) for name, values in MEASURED.items()})
    _, said = said_of(frame.assign(y=rng.choice(["a", "b"], n)), max_passes=2)
    assert not [sentence for sentence in said if "another whole number" in sentence]


def test_an_identifier_that_is_there_twice_is_found_out_in_a_large_table() -> None:
    rng = np.random.default_rng(7)
    n = 300_000
    frame = pd.DataFrame({"account": rng.permutation(n) + 5_000, "x": rng.normal(size=n).astype(np.float32)})
    frame["y"] = frame["x"] > rng.normal(size=n)
    assert [one for one in said_of(frame, max_passes=2)[1] if "'account' has another whole number" in one]
    frame.loc[rng.permutation(n)[: n // 100], "account"] = 5_000 + np.arange(n // 100)
    assert not [one for one in said_of(frame, max_passes=2)[1] if "account" in one]


@pytest.mark.parametrize(
    ("name", "identifies"),
    [
        ("id", True),
        ("Id", True),
        ("customerID", True),
        ("ORDER_ID", True),
        ("id_order", True),
        ("Employee Number", True),
        ("InvoiceNo", True),
        ("pidnum", True),
        ("number of rooms", False),
        ("paid", False),
        ("humidity", False),
        ("Bid", False),
        ("index", False),
        ("", False),
    ],
)
def test_names_of_identifiers(name: str, identifies: bool) -> None:
    assert named_identifier(name) == identifies


@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_numbers_that_count_the_rows_of_each_file_are_left_out(start: int, ending: str, tmp_path: Path) -> None:
    frame = clean()
    sizes = [150, 40, 210]
    ends = np.cumsum(sizes)
    for k, (size, end) in enumerate(zip(sizes, ends, strict=True)):
        part = frame[end - size : end]
        numbered = part.assign(n=np.arange(start, start + len(part)))
        getattr(numbered, f"to_{ending}")(tmp_path / f"{k}.{ending}", index=False)
    model, said = said_of(tmp_path)
    assert said == [
        f"Column 'n' is left out: it counts the rows of each file ({start}, {start + 1}, {start + 2}, ...); name it "
        "among the features to use it."
    ]
    assert model.coef.tobytes() == said_of(frame)[0].coef.tobytes()


def test_a_column_without_a_name_can_be_dropped(tmp_path: Path) -> None:
    frame = clean()
    frame.index = pd.Index(np.random.default_rng(0).permutation(9 * ROWS)[:ROWS])
    frame.to_csv(tmp_path / "table.csv")
    model, said = said_of(tmp_path / "table.csv", drop=["column1"])
    assert said == []
    assert model.coef.tobytes() == said_of(frame)[0].coef.tobytes()


def with_words(words: list[str], share: float, n: int = 4_000, late: bool = False) -> pd.DataFrame:
    """Return a table with words in place of a share of the numbers of a column, in its later rows alone if `late`."""
    rng = np.random.default_rng(9)
    frame = pd.DataFrame({"size": rng.normal(size=n).round(4), "x": rng.normal(size=n).round(2)}).astype(
        {"size": object}
    )
    first = int(n * 0.4) if late else 5
    at = first + rng.permutation(n - first)[: int(share * n)]
    frame.loc[at, "size"] = rng.choice(words, len(at))
    return frame.assign(y=rng.choice(["a", "b"], n))


@pytest.mark.parametrize("late", [False, True], ids=["first block", "further down"])
@pytest.mark.parametrize("share", [0.01, 0.2, 0.45])
def test_few_words_among_numbers_are_named_wherever_they_stand(late: bool, share: float, tmp_path: Path) -> None:
    frame = with_words(["n/k", "see below"], share, 12_000, late)
    path = tmp_path / "words.csv"
    frame.to_csv(path, index=False)
    with pytest.raises(BadFileError) as caught:
        zeroloop.train(path, "y")
    bad = [value for value in frame["size"] if isinstance(value, str)]
    rows = {word: frame.index[frame["size"] == word][0] + 1 for word in dict.fromkeys(bad)}
    some = ", ".join(f"{word!r} in row {row:,}" for word, row in rows.items())
    assert caught.value.reason.startswith(
        f"column 'size' holds numbers, but for {len(bad):,} of 12,000 values ({some}). Correct them, say that they are "
    )
    model, _ = said_of(path, csv=zeroloop.CsvOptions(na=["n/k", "see below"]))
    frame["size"] = pd.to_numeric(frame["size"], errors="coerce")
    assert model.coef.tobytes() == said_of(frame)[0].coef.tobytes()


def test_text_that_is_numbers_for_the_most_part_is_said(tmp_path: Path) -> None:
    words = [f"A/{k}" for k in range(30)]
    frame = with_words(words, 0.3)
    frame.to_csv(tmp_path / "tickets.csv", index=False)
    for data in (tmp_path / "tickets.csv", frame.astype({"size": str})):
        _, said = said_of(data, test_fraction=0)
        assert said[0].startswith(
            "Column 'size' is text, and 2,800 of its 4,000 values are numbers; the others are 'A/"
        )
        assert "row" in said[0]
        assert said[0].endswith(
            "and 27 other values. Say which words are missing values (--na WORD) to have it read as numbers, or name "
            "'size' categorical."
        )
        assert not [one for one in said_of(data, categorical=["size"])[1] if "is text" in one]


def test_text_in_one_file_and_numbers_in_the_next_is_said(tmp_path: Path) -> None:
    frame = clean().assign(code=[f"{i % 40}" for i in range(ROWS)])
    frame[:200].assign(code=[f"K{i % 40}" for i in range(200)]).to_csv(tmp_path / "a.csv", index=False)
    frame[200:].to_csv(tmp_path / "b.csv", index=False)
    with pytest.raises(ZeroloopError) as caught:
        zeroloop.train(tmp_path, "y")
    assert "column 'code' holds numbers, but text in" in str(caught.value)
