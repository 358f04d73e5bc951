"""CSV files as people have them: each, read as it stands, is the table that it was written from; or says what it is."""

from __future__ import annotations

import codecs
import gzip
import lzma
import re
import warnings
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from corpus import ROWS, clean
from hypothesis import given, seed, settings
from hypothesis import strategies as st

import zeroloop
from hostile import CASES, FIRST_SEED
from zeroloop.csv_options import CsvOptions
from zeroloop.errors import BadFileError, ZeroloopWarning
from zeroloop.tables.csv_dialect import find_dialect
from zeroloop.tables.expected import Expected
from zeroloop.tables.read import open_table
from zeroloop.tables.written_numbers import NumberFormat, chosen_format, possible_formats, to_numbers


def fitted(data: object) -> zeroloop.Model:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ZeroloopWarning)
        return zeroloop.train(data, "y")


def test_classes_may_be_signs(tmp_path: Path) -> None:
    clean().assign(y=["+-"[i % 2] for i in range(ROWS)]).to_csv(tmp_path / "signs.csv", index=False)
    assert fitted(tmp_path / "signs.csv").schema.target.levels == ("+", "-")


@pytest.mark.parametrize("row", [5, 250, 19_000])
def test_few_values_that_are_no_numbers_are_counted_and_named(row: int, tmp_path: Path) -> None:
    frame = pd.concat([clean()] * 70, ignore_index=True).astype({"price": object})
    frame.loc[row, "price"] = "n/k"
    frame.loc[20_000, "price"] = "see below"
    frame.to_csv(tmp_path / "stray.csv", index=False)
    with pytest.raises(BadFileError) as caught:
        fitted(tmp_path / "stray.csv")
    assert caught.value.reason == (
        f"column 'price' holds numbers, but for 2 of 21,000 values ('n/k' in row {row + 1:,}, 'see below' in row "
        "20,001). Correct them, say that they are missing (--na=n/k --na='see below'), or name 'price' categorical if "
        "it is a code."
    )
    frame["price"] = pd.to_numeric(frame["price"], errors="coerce")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ZeroloopWarning)
        model = zeroloop.train(tmp_path / "stray.csv", "y", csv=zeroloop.CsvOptions(na=["n/k", "see below"]))
    assert model.coef.tobytes() == fitted(frame).coef.tobytes()


def test_what_was_found_is_said(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    clean().to_csv(path, encoding="cp1252", header=False, index=False)
    with pytest.warns(ZeroloopWarning) as caught:
        model = zeroloop.train(path, "column5")
    said = [str(one.message) for one in caught]
    assert said[0] == (
        f"{path}: it is no UTF-8 and is read as cp1252; --encoding names another, if characters come out wrong."
    )
    assert "its first line looks like values" in said[1]
    assert model.schema.features == ("column1", "column2", "column3", "column4")


def test_bytes_of_another_encoding_far_below_the_head_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "late.csv"
    rows = pd.concat([clean()] * 20).to_csv(index=False).encode()
    path.write_bytes(rows + "1.5,3,Nürnberg,00501,yes\n".encode("cp1252"))
    with pytest.raises(BadFileError, match=r"column 'city' holds b'N\\xfcrnberg' in row 6,001, which is no UTF-8"):
        fitted(path)


@pytest.mark.parametrize("names", [["1999", "2000", "2001"], ["2001", "2000", "1999"]])
def test_years_are_names(names: list[str]) -> None:
    dialect = find_dialect("f", (",".join(names) + "\n1,2,0\n3,4,1\n").encode(), True, CsvOptions())
    assert dialect.names == tuple(names)


def test_what_is_said_of_a_file_is_not_looked_for() -> None:
    head = "1|2\n3|4\n".encode("utf-16-be")
    options = CsvOptions(encoding="utf-16-be", delimiter="|", header=False)
    dialect = find_dialect("f", head, True, options)
    assert (dialect.names, dialect.first_line, dialect.said) == (("column1", "column2"), 0, ())


FORMS = [NumberFormat(decimal=".", thousands=mark) for mark in ("", ",", " ", "'")] + [
    NumberFormat(decimal=",", thousands=mark) for mark in ("", ".", " ", "'")
]


def spelled(value: Decimal, form: NumberFormat) -> str:
    text = f"{value:,f}" if form.thousands else f"{value:f}"
    return text.translate({ord(","): form.thousands, ord("."): form.decimal})


@seed(FIRST_SEED)
@settings(max_examples=CASES or 300, deadline=None)
@given(
    st.lists(st.decimals(-(10**9), 10**9, places=2, allow_nan=False, allow_infinity=False), min_size=1, max_size=20),
    st.sampled_from(FORMS),
    st.sampled_from(["{}", "${}", "{} €", "{}%", "CHF {}", " {} "]),
)
def test_numbers_are_read_in_the_format_they_are_written_in(
    values: list[Decimal], form: NumberFormat, around: str
) -> None:
    texts = [around.format(spelled(value, form)) for value in values]
    found = possible_formats(texts)
    assert form in found
    # Two decimals are never taken for thousands: any format that fits reads the same numbers.
    chosen, guessed = chosen_format(found, texts, None, ".")
    numbers, strays = to_numbers(pa.array(texts), chosen)
    assert not guessed
    assert not np.any(strays)
    assert numbers.to_pylist() == [float(value) for value in values]


def encodings() -> Iterator[str]:
    yield from ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1")


@pytest.mark.parametrize("encoding", encodings())
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_delimiter_is_found_in_any_encoding(encoding: str, delimiter: str) -> None:
    names = ["größe", "straße, nr; x", "y"]
    lines = [names, ["1,5", "Müller", "0"], ["2", "Weiß | Söhne", "1"], ["3", "Ahn", "0"]]
    text = "".join(delimiter.join(f'"{v}"' if set(",;|") & set(v) else v for v in line) + "\r\n" for line in lines)
    dialect = find_dialect("f", codecs.encode(text, encoding), True, CsvOptions())
    assert dialect.names == tuple(names)
    assert dialect.delimiter == delimiter
    assert dialect.said == (() if encoding.startswith("utf") else dialect.said[:1])


@pytest.mark.parametrize(
    ("text", "values", "said"),
    [
        ("a;b\n1.234;x\n5.678;y\n", [1234.0, 5678.0], True),
        ('a,b\n"1,234",x\n"5,678",y\n', [1234.0, 5678.0], True),
        ("a,b\n1.234,x\n5.678,y\n", [1.234, 5.678], True),
        ("a;b;c\n1.234;x;0,5\n5.678;y;1,5\n", [1234.0, 5678.0], False),
        ("a;b\n1.234;x\n0.678;y\n", [1.234, 0.678], False),
        ("a;b\n1.234;x\n1.234.567;y\n", [1234.0, 1234567.0], False),
        ("a\tb\n1,234\tx\n5,67\ty\n", [1.234, 5.67], False),
    ],
)
def test_a_mark_that_may_be_either_is_read_by_habit_and_said(
    text: str, values: list[float], said: bool, tmp_path: Path
) -> None:
    path = tmp_path / "marks.csv"
    path.write_text(text)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        table = open_table(path)
    found = [batch.rows["a"].to_pylist() for batch in table.batches(["a"])]
    assert found == [values]
    shown = re.findall(r"\d[.,]\d{3}", text)[0]
    assert [str(one.message).partition(", where")[0] for one in caught] == [
        f"{path}: column 'a' holds {shown!r}"
    ] * said


LATE = 20_000  # rows, more than are looked at first


@pytest.mark.parametrize(
    ("late", "values"),
    [
        (["1,5", "2,25"], [1.5, 2.25]),
        (["1.5", "2.25"], [1.5, 2.25]),
        (["1.234,5"], [1234.5]),
        (["12345678901234567890"], [12345678901234567890.0]),
    ],
)
def test_a_later_way_of_writing_numbers_is_found(late: list[str], values: list[float], tmp_path: Path) -> None:
    path = tmp_path / "late.csv"
    path.write_text("a;b\n" + "7;x\n" * LATE + "".join(f"{value};x\n" for value in late))
    table = open_table(path)
    found = [v for batch in table.batches(["a"]) for v in batch.rows["a"].to_pylist()]
    assert found == [7.0] * LATE + values


@pytest.mark.parametrize(
    ("first", "late", "problem"),
    [
        ("7", "1.234", "begins with whole numbers and holds '1.234' further down, where the point may stand between"),
        ("12345", "00501", "holds '00501' in row 20,001, and whole numbers of 5 digits in its first rows: a code"),
        ("7", "n/k", "holds numbers, but for 1 of 20,001 values ('n/k' in row 20,001)"),
        ("7", "8;9", "line 20,002 has 3 values, and rows have 2: '8;9;x'"),
    ],
)
def test_what_later_rows_leave_open_is_an_error(first: str, late: str, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "late.csv"
    path.write_text("a;b\n" + f"{first};x\n" * LATE + f"{late};x\n")
    with pytest.raises(BadFileError) as caught:
        list(open_table(path).batches(["a", "b"]))
    assert problem in caught.value.reason


@pytest.mark.parametrize("gap", ["", "nan", " nan ", "NA", "-"])
@pytest.mark.parametrize("around", ["{}", " {} "])
def test_codes_that_begin_late_are_an_error_beside_gaps_and_blanks_too(gap: str, around: str, tmp_path: Path) -> None:
    path = tmp_path / "late.csv"
    values = [gap if i % 5 == 1 else around.format(10_000 + i) for i in range(LATE)]
    path.write_text("a;b\n" + "".join(f"{value};x\n" for value in [*values, around.format("00501")]))
    with pytest.raises(BadFileError, match=r"holds ' ?00501 ?' in row 20,001, and whole numbers of 5 digits"):
        list(open_table(path).batches(["a", "b"]))


def test_small_numbers_among_those_of_many_digits_are_no_codes(tmp_path: Path) -> None:
    path = tmp_path / "ages.csv"
    path.write_text("age,b\n" + "45,x\n" * LATE + "7,x\n")
    assert [batch.rows["age"].to_pylist()[-1] for batch in open_table(path).batches(["age"])][-1] == 7


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a,b,c\n1,2,3,x\n1,5,6,y\n", "its header has 3 names, and its rows have 4 values; write a name for each, or"),
        ("a,b\n1,2,3,x\n4,5,6,y\n", "its header has 2 names, and its rows have 4 values; write a name for each, or"),
        ("a,b,c\nm,kg,c\n1,2,x\n4,5,y\n6,7,x\n", "it has two lines that look like names: below 'a, b, c' stands"),
    ],
)
def test_a_header_that_does_not_fit_is_an_error(text: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "short.csv").write_text(text)
    with pytest.raises(BadFileError) as caught:
        open_table(tmp_path / "short.csv")
    assert caught.value.reason.startswith(problem)


def test_lines_that_begin_with_a_hash_are_comments_only_if_they_are_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "hash.csv"
    path.write_text('# by hand, on Monday\n#tag,n,y\n#a,1,0\n# checked\n#b,2,1\n"x\n#y",3,0\n# end\n')
    (batch,) = open_table(path).batches(["#tag", "n", "y"])
    assert batch.rows.to_pydict() == {"#tag": ["#a", "#b", "x\n#y"], "n": [1, 2, 3], "y": [0, 1, 0]}
    given = CsvOptions(comment="%", skip=1)
    path.write_text('written\n%x\na,b\n1,%2\n%3,4\n"u\n%v",5\n')
    (batch,) = open_table(path, Expected(csv=given)).batches(["a", "b"])
    assert batch.rows.to_pydict() == {"a": ["1", "u\n%v"], "b": ["%2", "5"]}


def test_names_of_many_digits_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "names.csv"
    path.write_text("id,y\n9007199254740993,0\n9007199254740994,1\n")
    (batch,) = open_table(path).batches(["id"])
    assert batch.rows["id"].to_pylist() == ["9007199254740993", "9007199254740994"]


@pytest.mark.parametrize("encoding", ["cp1251", "shift_jis", "cp1253"])
def test_words_of_another_alphabet_are_read_in_it(encoding: str, tmp_path: Path) -> None:
    cities = {"cp1251": ["Москва", "Казань"], "shift_jis": ["東京都", "大阪府"], "cp1253": ["Αθήνα", "Πειραιάς"]}
    words = cities[encoding]
    lines = [f"{i},{words[i % 2]},{i % 3}" for i in range(200)]
    (tmp_path / "words.csv").write_text("\n".join(["n,city,y", *lines]), encoding=encoding)
    with pytest.warns(ZeroloopWarning, match="it is no UTF-8 and is read as"):
        table = open_table(tmp_path / "words.csv")
    (batch,) = table.batches(["city"])
    assert set(batch.rows["city"].to_pylist()) == set(words)


LONG = 9_000  # rows, more than are looked at first


def read(path: Path, name: str) -> tuple[list[object], list[str]]:
    """Return a column of a file, and what is said of the file."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = [v for batch in open_table(path).batches([name]) for v in batch.rows[name].to_pylist()]
    return found, [str(one.message).partition(": ")[2] for one in caught]


@pytest.mark.parametrize(
    ("late", "values"),
    [
        ('"yes "', ["yes "]),
        ("  yes ", ["yes"]),
        ('"say \\"hi\\" now"', ['say "hi" now']),
        ('"C:\\dir\\"', ["C:\\dir\\"]),
        ('"a ""b"" c"', ['a "b" c']),
        ('6" pipe', ['6" pipe']),
    ],
)
def test_quotes_and_blanks_further_down_are_what_they_are(late: str, values: list[str], tmp_path: Path) -> None:
    path = tmp_path / "late.csv"
    path.write_text("n,word,y\n" + "".join(f"{i % 7},plain {i % 3},{i % 2}\n" for i in range(LONG)) + f"3,{late},1\n")
    found, said = read(path, "word")
    assert found[LONG:] == values
    assert set(found[:LONG]) == {"plain 0", "plain 1", "plain 2"}
    assert said == []


@pytest.mark.parametrize("ending", ["", ".gz", ".xz"])
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16"])
def test_what_follows_a_large_table_is_left_out_and_said(ending: str, encoding: str, tmp_path: Path) -> None:
    text = "n,größe,y\n" + "".join(f"{i % 7},ü {i % 3},{i % 2}\n" for i in range(LONG)) + "\n(9,000 rows affected)\n"
    content = text.encode(encoding)
    packs: dict[str, Callable[[bytes], bytes]] = {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress}
    path = tmp_path / f"large.csv{ending}"
    path.write_bytes(packs[ending](content))
    found, said = read(path, "n")
    assert found == [i % 7 for i in range(LONG)]
    assert said[-1] == "its last line ('(9,000 rows affected)') is no row of the table, and is left out."
    assert len(said) == 1 + (encoding == "cp1252")


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_sums_as_wide_as_a_row_below_a_large_table_are_left_out(ending: str, tmp_path: Path) -> None:
    rows = "".join(f"{'abc'[i % 3]},{i % 7},{i % 2}\n" for i in range(LONG))
    content = f"word,n,y\n{rows}Total,{3 * LONG},\n".encode()
    path = tmp_path / f"large.csv{ending}"
    path.write_bytes(gzip.compress(content) if ending else content)
    for name, value in (("word", "abc"[(LONG - 1) % 3]), ("n", (LONG - 1) % 7)):
        found, said = read(path, name)
        assert (len(found), found[-1]) == (LONG, value)
        assert said == ["its last line ('Total,27000,') is no row of the table, and is left out."]


@pytest.mark.parametrize(
    "row",
    [
        ' "a\\"b,c" , "{},5" , "1" ',
        '"a\\"b,c","{},5","1"',
        '"a""b,c" , "{},5" , 1',
        "'a b,c','{},5','1'",
    ],
)
@pytest.mark.parametrize("end", ["Total,,", "Total, ,", "Source: a, b, c and d", "\nTotal,,\nby me,\n"])
def test_sums_below_are_told_however_the_rows_above_are_written(row: str, end: str, tmp_path: Path) -> None:
    path = tmp_path / "written.csv"
    path.write_text("word,n,y\n" + "".join(f"{row.format(i)}\n" for i in range(60)) + f"{end}\n")
    found, said = read(path, "n")
    assert found == [i + 0.5 for i in range(60)]
    assert [sentence for sentence in said if "no row" in sentence] == said


@pytest.mark.parametrize(
    ("end", "problem"),
    [
        ("3,x", "line 9,002 has 2 values, and rows have 3: '3,x'"),
        ("Paris\n", "line 9,002 has 1 value, and rows have 3: 'Paris'"),
        ("1,x,0,4\n", "line 9,002 has 4 values, and rows have 3: '1,x,0,4'"),
        ("Total: 9\n1,x,0\n", "line 9,002 has 1 value, and rows have 3: 'Total: 9'"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_damage_is_no_footer(end: str, problem: str, packed: bool, tmp_path: Path) -> None:
    text = "n,word,y\n" + "".join(f"{i % 7},ü {i % 3},{i % 2}\n" for i in range(LONG)) + end
    path = tmp_path / "damaged.csv"
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    with pytest.raises(BadFileError) as caught:
        read(path, "n")
    assert caught.value.reason.startswith(problem)


def test_a_last_row_that_is_called_as_others_are_is_one(tmp_path: Path) -> None:
    path = tmp_path / "totals.csv"
    path.write_text("region,n,y\n" + "".join(f"{('North', 'Total')[i % 2]},{i},\n" for i in range(40)))
    found, said = read(path, "region")
    assert (found[-1], len(found), said) == ("Total", 40, [])


def test_a_row_that_begins_with_a_missing_word_tells_how_quotes_are_escaped(tmp_path: Path) -> None:
    path = tmp_path / "escaped.csv"
    path.write_text("n;word;y\n" + "".join(f"{i};plain;0\n" for i in range(9)) + '#N/A;say \\"hi\\";1\n# the end\n')
    assert read(path, "word")[0] == ["plain"] * 9 + ['say "hi"']
