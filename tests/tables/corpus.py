"""Tables as people have them: files written in many ways, each with the table it means, or the sentence it must get.

`python tests/tables/corpus.py FOLDER` writes them all, and a manifest.csv that says what is what.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import json
import lzma
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.orc as orc

ROWS = 300
NAME = "table.csv"


def clean() -> pd.DataFrame:
    """Return the table that most files mean: sorted by class, as many are."""
    rng = np.random.default_rng(20)
    frame = pd.DataFrame(
        {
            "price": np.round(rng.normal(size=ROWS) * 4_000, 2),
            "größe": rng.integers(1, 9, ROWS),
            "city": rng.choice(["Köln", "Paris", "São Paulo"], ROWS),
            "zip": rng.choice(["00501", "01234", "98765"], ROWS),
            "y": rng.choice(["no", "yes"], ROWS),
        }
    )
    return frame.sort_values("y", ignore_index=True)


def with_gaps() -> pd.DataFrame:
    """Return it without every seventh price."""
    frame = clean()
    frame.loc[frame.index % 7 == 3, "price"] = np.nan
    return frame


def with_notes() -> pd.DataFrame:
    """Return it with text that has to be quoted or escaped in most files."""
    notes = np.random.default_rng(21).choice(['say "hi" to all', "a, b; c", "back\\slash", "plain", "two\tparts"], ROWS)
    return clean().assign(note=notes)


def with_dates() -> pd.DataFrame:
    """Return it with the days of some two years."""
    days = np.random.default_rng(22).integers(0, 800, ROWS)
    return clean().assign(day=pd.Timestamp("2022-03-01") + pd.to_timedelta(days, unit="D"))


@dataclass(frozen=True, kw_only=True)
class Case:
    """A way of writing a table.

    Attributes:
        kind: what it is a case of.
        name: of it.
        write: writes it into a folder; returns what to read, None for the file `NAME` there.
        means: the table that it must be the same as.
        said: parts of the sentences that are said, in order, and no other is.
        error: part of the sentence that is said in place of reading it.
        csv: what is told of the file.
        options: of the fit, besides.

    """

    kind: str
    name: str
    write: Callable[[Path], Any]
    means: Callable[[], pd.DataFrame] = clean
    said: tuple[str, ...] = ()
    error: str = ""
    csv: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)


def as_csv(make: Callable[[], pd.DataFrame] = clean, **options: Any) -> Callable[[Path], None]:
    """Return what writes a table as pandas does."""
    return lambda folder: make().to_csv(folder / NAME, **{"index": False, **options})


def as_text(text: Callable[[], str], encoding: str = "utf-8") -> Callable[[Path], None]:
    """Return what writes a file of some text."""

    def write(folder: Path) -> None:
        (folder / NAME).write_bytes(text().encode(encoding))

    return write


def edited(change: Callable[[str], str], **options: Any) -> Callable[[Path], None]:
    """Return what writes a table as pandas does, its text changed."""
    return as_text(lambda: change(clean().to_csv(index=False, **options)))


def price(text: Callable[[float], str], **options: Any) -> Callable[[Path], None]:
    """Return what writes a table with its prices as some text."""
    return as_csv(lambda: clean().assign(price=[text(value) for value in clean()["price"]]), **options)


def gaps(word: str) -> Callable[[Path], None]:
    """Return what writes a table with a word for the prices it has not."""
    return as_csv(with_gaps, na_rep=word)


def marked(decimal: str, thousands: str) -> Callable[[float], str]:
    """Return how a number is written with such marks."""
    marks = str.maketrans({",": thousands, ".": decimal})
    return lambda value: f"{value:,.2f}".translate(marks)


def days(form: str) -> Callable[[Path], None]:
    """Return what writes a table with dates in some form."""
    return as_csv(lambda: with_dates().assign(day=with_dates()["day"].dt.strftime(form)))


def strays(*words: str) -> Callable[[Path], None]:
    """Return what writes words in place of a few prices."""

    def write(folder: Path) -> None:
        frame = clean().astype({"price": object})
        for k, word in enumerate(words):
            frame.loc[40 * k + 20, "price"] = word
        frame.to_csv(folder / NAME, index=False)

    return write


def padded(line: str, n: int) -> str:
    """Return a line with marks at its end for as many values as a row has."""
    return line + ";" * n + "\n"


def relevelled(name: str, *pairs: tuple[int, str]) -> Callable[[], pd.DataFrame]:
    """Return what makes a table with other values in some rows."""

    def make() -> pd.DataFrame:
        frame = clean()
        for row, value in pairs:
            frame.loc[row, name] = value
        return frame

    return make


def numbered(start: int) -> Callable[[], pd.DataFrame]:
    return lambda: clean().assign(n=range(start, start + ROWS))


def shuffled_index() -> pd.DataFrame:
    frame = clean()
    frame.index = pd.Index(np.random.default_rng(3).permutation(5 * ROWS)[:ROWS])
    return frame


COUNTED = "it counts the rows"
NUMBERED = "it numbers or names the rows"
TITLE = "is a title, and is left out"
ABOVE = "stand above the table, and are left out"
LAST = "is no row of the table, and is left out"
LASTS = "are no rows of the table, and are left out"
GAP = "no value in any training row"

ROW_NUMBERS = [
    Case(kind="row numbers", name="pandas' index", write=as_csv(index=True), said=(NUMBERED,)),
    Case(
        kind="row numbers",
        name="a filtered index",
        write=lambda folder: shuffled_index().to_csv(folder / NAME),
        said=(NUMBERED,),
    ),
    Case(kind="row numbers", name="Unnamed: 0", write=as_csv(index=True, index_label="Unnamed: 0"), said=(NUMBERED,)),
    Case(kind="row numbers", name="X from 1", write=as_csv(lambda: numbered(1)()), said=(COUNTED,)),
    Case(kind="row numbers", name="from 0, last", write=as_csv(lambda: numbered(0)()), said=(COUNTED,)),
    Case(
        kind="row numbers",
        name="an index kept in Parquet",
        write=lambda folder: shuffled_index().to_parquet(folder / "table.parquet") or folder / "table.parquet",
        said=(NUMBERED,),
    ),
    Case(
        kind="row numbers",
        name="an identifier",
        write=as_csv(lambda: clean().assign(PassengerId=shuffled_index().index)),
        means=lambda: clean().assign(PassengerId=shuffled_index().index),
        said=("Column 'PassengerId' has another whole number in each of",),
    ),
    Case(
        kind="row numbers",
        name="a column without a name, dropped",
        write=lambda folder: shuffled_index().to_csv(folder / NAME),
        options={"drop": ["column1"]},
    ),
]

NUMBERS = [
    Case(kind="numbers", name="decimal commas", write=as_csv(sep=";", decimal=",")),
    Case(kind="numbers", name="decimal commas, tabs", write=as_csv(sep="\t", decimal=",")),
    Case(kind="numbers", name="quoted decimal commas", write=as_csv(decimal=",")),
    Case(kind="numbers", name="German thousands", write=price(marked(",", "."), sep=";")),
    Case(kind="numbers", name="English thousands", write=price(marked(".", ","))),
    Case(kind="numbers", name="Swiss thousands", write=price(marked(".", "'"))),
    Case(kind="numbers", name="French thousands", write=price(marked(",", "\u202f"), sep=";")),
    Case(kind="numbers", name="dollars", write=price(lambda v: f"${v:,.2f}" if v >= 0 else f"-${-v:,.2f}")),
    Case(kind="numbers", name="euros behind", write=price(lambda v: marked(",", ".")(v) + " €", sep=";")),
    Case(kind="numbers", name="parentheses", write=price(lambda v: f"{v:.2f}" if v >= 0 else f"({-v:.2f})")),
    Case(kind="numbers", name="trailing minus", write=price(lambda v: f"{v:.2f}" if v >= 0 else f"{-v:.2f}-")),
    Case(kind="numbers", name="unicode minus", write=price(lambda v: f"{v:.2f}".replace("-", "\u2212"))),
    Case(kind="numbers", name="per cent", write=price(lambda v: f"{v:.2f} %")),
    Case(
        kind="numbers",
        name="a mark that may be either",
        write=as_csv(lambda: clean().assign(price=[f"{(v % 900) + 1:.3f}" for v in clean()["price"]]), sep=";"),
        means=lambda: clean().assign(price=[float(f"{(v % 900) + 1:.3f}".replace(".", "")) for v in clean()["price"]]),
        said=("where a mark may stand between thousands or before decimals",),
    ),
]

MISSING = [
    Case(kind="missing", name=f"as {word!r}", write=gaps(word), means=with_gaps)
    for word in ("", "NA", "?", "\\N", "N.A.", "#DIV/0!", "-", "--", ".", "missing", " ")
] + [
    Case(kind="missing", name="as a word that is named", write=gaps("n/k"), means=with_gaps, csv={"na": ["n/k"]}),
    Case(kind="missing", name="as -99", write=gaps("-99"), means=with_gaps, csv={"na": ["-99"]}),
    Case(
        kind="missing",
        name="stray words",
        write=strays("n/k", "see below"),
        error="column 'price' holds numbers, but for 2 of 300 values ('n/k' in row 21, 'see below' in row 61). Correct",
    ),
    Case(
        kind="missing",
        name="a word in many rows",
        write=as_csv(
            lambda: with_gaps().assign(price=with_gaps()["price"].where(with_gaps().index % 3 > 0)), na_rep="n/k"
        ),
        error="column 'price' holds numbers, but for 128 of 300 values ('n/k' in row 1). Correct them, say that they",
    ),
    Case(
        kind="missing",
        name="NA that is Namibia",
        write=as_csv(relevelled("city", *((row, "NA") for row in range(0, ROWS, 9)))),
        means=relevelled("city", *((row, "NA") for row in range(0, ROWS, 9))),
        csv={"not_na": ["NA"]},
    ),
]

TEXT = [
    Case(kind="text", name="as it is", write=as_csv()),
    Case(kind="text", name="quoted all through", write=as_csv(quoting=csv.QUOTE_ALL)),
    Case(
        kind="text",
        name="a zip code with a zero further down",
        write=as_csv(lambda: pd.concat([clean().assign(zip="12345")] * 40 + [clean()], ignore_index=True)),
        error="a code, which would lose its zeros as a number",
    ),
    Case(
        kind="text",
        name="a zip code named categorical",
        write=as_csv(lambda: pd.concat([clean().assign(zip="12345")] * 40 + [clean()], ignore_index=True)),
        means=lambda: pd.concat([clean().assign(zip="12345")] * 40 + [clean()], ignore_index=True),
        options={"categorical": ["zip"]},
    ),
    Case(
        kind="text",
        name="numbers of nineteen digits",
        write=as_csv(lambda: clean().assign(code=[str(2**62 + i % 3) for i in range(ROWS)])),
        means=lambda: clean().assign(code=[str(2**62 + i % 3) for i in range(ROWS)]),
    ),
    Case(
        kind="text",
        name="numbers for the most part",
        write=as_csv(lambda: clean().assign(ticket=[f"A/{i}" if i % 3 == 0 else str(7 * i) for i in range(ROWS)])),
        means=clean,
        said=("Column 'ticket' is text, and", "Column 'ticket' is left out: an identifier"),
    ),
]

LEVELS = [
    Case(
        kind="levels",
        name="blanks outside quotes",
        write=as_text(lambda: clean().to_csv(index=False).replace(",Paris,", ",  Paris ,")),
    ),
    Case(
        kind="levels",
        name="blanks within quotes",
        write=as_text(
            lambda: "".join(
                line.replace(",Paris,", ',"Paris ",') if i == 5 or i % 3 == 1 else line
                for i, line in enumerate(clean().to_csv(index=False).splitlines(keepends=True))
            )
        ),
        means=lambda: clean().assign(
            city=[
                "Paris " if city == "Paris" and (i + 1 == 5 or (i + 1) % 3 == 1) else city
                for i, city in enumerate(clean()["city"])
            ]
        ),
        said=("Levels of column 'city' differ only by case, outer blanks or a final dot: 'Paris' and 'Paris '.",),
    ),
    Case(
        kind="levels",
        name="differing by case",
        write=as_csv(relevelled("city", (7, "KÖLN"), (9, "köln"), (200, "PARIS"))),
        means=relevelled("city", (7, "KÖLN"), (9, "köln"), (200, "PARIS")),
        said=("Levels of column 'city' differ only by case, outer blanks or a final dot: 'KÖLN', 'Köln' and 'köln';",),
        options={"test_fraction": 0},
    ),
    Case(
        kind="levels",
        name="classes with a final dot",
        write=as_csv(relevelled("y", (7, "yes."), (9, "No"))),
        means=relevelled("y", (7, "yes."), (9, "No")),
        said=(
            "The target 'y' has classes that differ only by case, outer blanks or a final dot: 'No' and 'no'; 'yes'",
        ),
        options={"test_fraction": 0},
    ),
]

DATES = [
    Case(kind="dates", name=form, write=days(form), means=with_dates, said=said)
    for form, said in {
        "%Y-%m-%d": (),
        "%d.%m.%Y": (),
        "%m/%d/%Y": (),
        "%d/%m/%Y": (),
        "%d %b %Y": (),
        "%Y-%m-%dT00:00:00": (),
        "%d.%m.%y": ("its years having two digits only",),
    }.items()
]

BANK = [
    "Kontonummer:;DE12 3456 7890",
    "",
    "Von:;01.01.2020",
    "Bis:;31.12.2020",
    "Kontostand vom 31.12.2020:;1.234,56 EUR",
    "",
]


def psql() -> str:
    """Return the table as psql prints it."""
    frame = clean()
    cells = [list(map(str, frame.columns)), *([str(v) for v in row] for row in frame.itertuples(index=False))]
    widths = [max(len(row[j]) for row in cells) for j in range(len(frame.columns))]
    number = [True, True, False, False, False]
    lines = [
        "|".join(
            f" {v.center(w) if i == 0 else v.rjust(w) if right else v.ljust(w)} "
            for v, w, right in zip(row, widths, number, strict=True)
        ).rstrip()
        for i, row in enumerate(cells)
    ]
    return "\n".join([lines[0], "+".join("-" * (w + 2) for w in widths), *lines[1:], f"({ROWS} rows)", "", ""])


def boxed() -> str:
    """Return the table as mysql prints it."""
    frame = clean()
    cells = [list(map(str, frame.columns)), *([str(v) for v in row] for row in frame.itertuples(index=False))]
    widths = [max(len(row[j]) for row in cells) for j in range(len(frame.columns))]
    drawn = "+" + "+".join("-" * (w + 2) for w in widths) + "+"
    lines = ["| " + " | ".join(v.ljust(w) for v, w in zip(row, widths, strict=True)) + " |" for row in cells]
    return "\n".join([drawn, lines[0], drawn, *lines[1:], drawn, f"{ROWS} rows in set (0.00 sec)", "", ""])


def aligned(drawn: bool) -> str:
    """Return the table in columns of equal width, without blanks in its values."""
    frame = clean().replace({"city": {"São Paulo": "São-Paulo"}})
    cells = [list(map(str, frame.columns)), *([str(v) for v in row] for row in frame.itertuples(index=False))]
    widths = [max(len(row[j]) for row in cells) for j in range(len(frame.columns))]
    lines = ["  ".join(v.rjust(w) for v, w in zip(row, widths, strict=True)) for row in cells]
    rule = ["  ".join("-" * w for w in widths)] if drawn else []
    return "\n".join([lines[0], *rule, *lines[1:], *(["", f"({ROWS} rows affected)"] if drawn else []), ""])


def one_word() -> pd.DataFrame:
    return clean().replace({"city": {"São Paulo": "São-Paulo"}})


ODD_LINES = [
    Case(kind="lines", name="a title", write=edited(lambda text: "Sales, 2024\n\n" + text), said=(TITLE,)),
    Case(
        kind="lines",
        name="a title with as many marks as a row",
        write=edited(lambda text: "Sales, 2024, by city, zip, y\n\n" + text),
        said=(TITLE,),
    ),
    Case(kind="lines", name="sep=", write=as_text(lambda: "sep=;\n" + clean().to_csv(sep=";", index=False))),
    Case(kind="lines", name="comments above", write=edited(lambda text: "# made on Monday\n# by a machine\n" + text)),
    Case(
        kind="lines",
        name="comments below",
        write=edited(lambda text: "# made on Monday\n" + text.replace("\n", "\n# checked\n", 9)),
    ),
    Case(
        kind="lines",
        name="a trailing delimiter",
        write=edited(lambda text: text.replace("\n", ",\n")),
        said=(GAP,),
    ),
    Case(
        kind="lines",
        name="a trailing delimiter, not in the header",
        write=edited(lambda text: text.replace("\n", ",\n").replace(",\n", "\n", 1)),
        said=(GAP,),
    ),
    Case(kind="lines", name="blanks after delimiters", write=edited(lambda text: text.replace(",", ", "))),
    Case(
        kind="lines",
        name="blanks before quotes",
        write=as_text(lambda: clean().to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC).replace(",", " , ")),
    ),
    Case(kind="lines", name="old line ends", write=edited(lambda text: text.replace("\n", "\r\n"))),
    Case(kind="lines", name="a sum below", write=edited(lambda text: text + "Total: 17\n"), said=(LAST,)),
    Case(
        kind="lines",
        name="a row of sums below",
        write=edited(lambda text: text + "Total,1234,,,\n"),
        said=(LAST,),
    ),
    Case(
        kind="lines",
        name="a source below",
        write=edited(lambda text: text + "\nSource: Bureau of Statistics, 2024\nNote: preliminary\n"),
        said=(LASTS,),
    ),
    Case(
        kind="lines",
        name="a count of rows below",
        write=edited(lambda text: text + "\n(300 rows affected)\n"),
        said=(LAST,),
    ),
    Case(
        kind="lines",
        name="a row that is cut",
        write=edited(lambda text: text + "12.5,3"),
        error="line 302 has 2 values, and rows have 5: '12.5,3'",
    ),
    Case(
        kind="lines",
        name="a row too long",
        write=edited(lambda text: text.replace("\n", ",1,2\n", 40).replace(",1,2\n", "\n", 39)),
        error="line 40 has 7 values, and rows have 5",
    ),
    Case(
        kind="lines",
        name="several lines above",
        write=as_text(lambda: "\n".join([*BANK, clean().to_csv(sep=";", decimal=",", index=False)])),
        said=(ABOVE,),
    ),
    Case(
        kind="lines",
        name="several lines above, padded",
        write=as_text(
            lambda: (
                "".join(padded(line, 4 - line.count(";")) for line in BANK)
                + clean().to_csv(sep=";", decimal=",", index=False)
            )
        ),
        said=(ABOVE,),
    ),
    Case(
        kind="lines",
        name="columns parted by blanks, in apostrophes",
        write=as_text(lambda: clean().to_csv(index=False, sep=" ", quotechar="'", quoting=csv.QUOTE_NONNUMERIC)),
    ),
    Case(kind="lines", name="columns parted by blanks", write=as_text(lambda: aligned(False)), means=one_word),
    Case(
        kind="lines",
        name="columns parted by blanks, drawn below the names",
        write=as_text(lambda: aligned(True)),
        means=one_word,
        said=(LAST,),
    ),
    Case(
        kind="lines",
        name="columns parted by blanks, with blanks in them",
        write=as_text(lambda: aligned(True).replace("São-Paulo", "São Paulo")),
        error="Where values hold blanks, blanks cannot part them: have the file written with another delimiter.",
    ),
    Case(
        kind="lines",
        name="no names",
        write=as_csv(header=False),
        means=lambda: clean().set_axis([f"column{j + 1}" for j in range(4)] + ["y"], axis=1),
        error="there is no column 'y'",
    ),
    Case(
        kind="lines",
        name="two lines of names",
        write=edited(lambda text: text.replace("\n", "\nEUR,m,name,code,class\n", 1)),
        error="it has two lines that look like names",
    ),
    Case(
        kind="lines",
        name="a name twice",
        write=edited(lambda text: text.replace("größe", "price", 1)),
        error="the column 'price' is there twice",
    ),
]

CYRILLIC = {"Köln": "Кёльн", "Paris": "Париж", "São Paulo": "Сан-Паулу"}
ENCODINGS = [
    Case(kind="encoding", name="UTF-16", write=as_csv(sep="\t", encoding="utf-16")),
    Case(kind="encoding", name="UTF-16 without a mark", write=as_csv(sep="\t", encoding="utf-16-le")),
    Case(
        kind="encoding",
        name="UTF-16 with a sum below",
        write=as_text(lambda: "\ufeff" + clean().to_csv(sep="\t", index=False) + "Total: 17\n", "utf-16-le"),
        said=(LAST,),
    ),
    Case(kind="encoding", name="UTF-8 with a mark", write=as_csv(encoding="utf-8-sig")),
    Case(kind="encoding", name="Windows-1252", write=as_csv(encoding="cp1252"), said=("is read as cp1252",)),
    Case(kind="encoding", name="Latin-1, told", write=as_csv(encoding="latin-1"), csv={"encoding": "latin-1"}),
    Case(
        kind="encoding",
        name="Cyrillic",
        write=as_text(
            lambda: clean().replace({"city": CYRILLIC}).rename(columns={"größe": "size"}).to_csv(index=False), "cp1251"
        ),
        means=lambda: clean().replace({"city": CYRILLIC}).rename(columns={"größe": "size"}),
        said=("is read as cp1251",),
    ),
    Case(
        kind="encoding",
        name="none of text",
        write=as_csv(),
        csv={"encoding": "idna"},
        error="encoding is 'idna', which is no known encoding of text",
    ),
]


def zipped(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "table.zip", "w") as archive:
        archive.writestr("table.csv", clean().to_csv(index=False))
    return folder / "table.zip"


def packed(name: str, pack: Callable[[bytes], bytes]) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(pack(clean().to_csv(index=False).encode()))
        return folder / name

    return write


def in_parts(folder: Path, ending: str) -> Path:
    """Write the table as Spark does: a folder of parts, one of them without a row, hidden files and _SUCCESS."""
    place = folder / f"table.{ending}"
    place.mkdir()
    frame = clean()
    for k, (first, stop) in enumerate([(0, 120), (120, 170), (170, ROWS)]):
        part = place / f"part-{k:05}-c000.{ending}"
        if ending == "parquet":
            frame[first:stop].to_parquet(part, index=False)
        else:
            frame[first:stop].to_csv(part, index=False)
        (place / f".{part.name}.crc").write_bytes(b"crc")
    if ending == "csv":
        (place / "part-00003-c000.csv").write_bytes(b"")
    (place / "_SUCCESS").write_bytes(b"")
    return place


def in_hive(folder: Path) -> str:
    for level, part in clean().groupby("city"):
        place = folder / "hive" / f"city={level}"
        place.mkdir(parents=True)
        part.drop(columns="city").to_parquet(place / "part.parquet", index=False)
    return str(folder / "hive" / "*" / "*.parquet")


def by_city() -> pd.DataFrame:
    parts = [part for _, part in clean().groupby("city")]
    return pd.concat(parts, ignore_index=True)[["price", "größe", "zip", "y", "city"]]


def as_arrow(folder: Path, write: Callable[[pa.Table, str], Any], name: str) -> Path:
    write(pa.Table.from_pandas(clean(), preserve_index=False), str(folder / name))
    return folder / name


def records(folder: Path) -> Path:
    lines = [json.dumps(row, ensure_ascii=False) for row in clean().to_dict("records")]
    (folder / "table.jsonl").write_text("\n".join(lines) + "\n")
    return folder / "table.jsonl"


def mixed(folder: Path) -> Path:
    (folder / "mixed").mkdir()
    clean().to_csv(folder / "mixed" / "a.csv", index=False)
    clean().to_parquet(folder / "mixed" / "a.parquet", index=False)
    return folder / "mixed"


KINDS = [
    Case(kind="kinds", name="gzip", write=packed("table.csv.gz", lambda text: gzip.compress(text, mtime=0))),
    Case(kind="kinds", name="bzip2", write=packed("table.csv.bz2", bz2.compress)),
    Case(kind="kinds", name="xz", write=packed("table.csv.xz", lzma.compress)),
    Case(kind="kinds", name="zip", write=zipped),
    Case(kind="kinds", name="JSON lines", write=records),
    Case(
        kind="kinds",
        name="Parquet",
        write=lambda folder: clean().to_parquet(folder / "t.parquet", index=False) or folder / "t.parquet",
    ),
    Case(kind="kinds", name="Arrow file", write=lambda folder: as_arrow(folder, feather.write_feather, "t.feather")),
    Case(kind="kinds", name="ORC", write=lambda folder: as_arrow(folder, orc.write_table, "t.orc")),
    Case(kind="kinds", name="Spark's parts, CSV", write=lambda folder: in_parts(folder, "csv")),
    Case(kind="kinds", name="Spark's parts, Parquet", write=lambda folder: in_parts(folder, "parquet")),
    Case(kind="kinds", name="folders that hold a column", write=in_hive, means=by_city),
    Case(kind="kinds", name="the same table twice", write=mixed, error="of several kinds"),
    Case(
        kind="kinds",
        name="libsvm called CSV",
        write=as_text(lambda: "".join(f"{i % 2} 1:{i / 7:.3f} 4:{i % 5}\n" for i in range(ROWS))),
        error="its lines are those of libsvm (label index:value ...); let its name end in .svm.",
    ),
]

CASES = [*ROW_NUMBERS, *NUMBERS, *MISSING, *TEXT, *LEVELS, *DATES, *ODD_LINES, *ENCODINGS, *KINDS]


def main(folder: Path) -> None:
    """Write every case into a folder of its own, and what each is into manifest.csv."""
    from programs import PROGRAMS

    lines = []
    for k, case in enumerate([*CASES, *PROGRAMS]):
        place = folder / f"{k:03}"
        place.mkdir(parents=True)
        data = case.write(place) or place / NAME
        outcome = f"error: {case.error}" if case.error else "; ".join(("the same fit", *case.said))
        lines.append((Path(data).relative_to(folder), case.kind, case.name, outcome))
    pd.DataFrame(lines, columns=["file", "kind", "name", "outcome"]).to_csv(folder / "manifest.csv", index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
