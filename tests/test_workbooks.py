"""Workbooks: a sheet gives the bits of the same table as Parquet; what is no table, too large or damaged is said."""

from __future__ import annotations

import datetime as dt
import io
import shlex
import struct
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import openpyxl
import pyarrow as pa
import pytest
import xlwt
from typer.testing import CliRunner

import zeroloop
from test_kinds import a_table, check_same
from test_pipes import through  # noqa: F401  a fixture
from zeroloop.cli import app
from zeroloop.errors import BadFileError, CheckpointError, ZeroloopWarning
from zeroloop.report.provenance import command_of
from zeroloop.tables import children

Rows = Sequence[Sequence[Any]]
CsvOptions = zeroloop.CsvOptions


def plain(rows: int = 300, seed: int = 0) -> pa.Table:
    """Return a table whose numbers have no more digits than a cell: 15."""
    table = a_table(rows, seed)
    return table.set_column(0, "a", pa.array(np.round(table["a"].to_numpy(), 13)))


def with_dates(rows: int = 300, seed: int = 0) -> pa.Table:
    """Return a table with columns of all types that cells have."""
    rng = np.random.default_rng(seed)
    hours = np.datetime64("2021-03-01T00", "h") + rng.integers(0, 9_000, rows)
    table = plain(rows, seed)
    table = table.append_column("at", pa.array(hours.astype("datetime64[us]"), mask=rng.random(rows) < 0.1))
    table = table.append_column("day", pa.array(hours.astype("datetime64[D]")))
    table = table.append_column("clock", pa.array([dt.time(int(h), 30) for h in rng.integers(0, 24, rows)]))
    table = table.append_column("code", pa.array([f"{n:03}" for n in rng.integers(0, 4, rows)]))
    return table.append_column("member", pa.array(rng.random(rows) < 0.5))


def rows_of(table: pa.Table) -> list[list[Any]]:
    return [list(table.column_names), *map(list, zip(*(column.to_pylist() for column in table.columns), strict=True))]


def as_xlsx(sheets: Mapping[str, Rows]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def as_xls(sheets: Mapping[str, Rows]) -> bytes:
    book = xlwt.Workbook()
    styles = {dt.datetime: "yyyy-mm-dd hh:mm", dt.date: "yyyy-mm-dd", dt.time: "hh:mm"}
    made = {kind: xlwt.easyxf(num_format_str=form) for kind, form in styles.items()}
    for name, rows in sheets.items():
        sheet = book.add_sheet(name)
        for i, row in enumerate(rows):
            for j, value in enumerate(row):
                if value is not None:
                    sheet.write(i, j, value, made.get(type(value), xlwt.Style.default_style))
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def as_ods(sheets: Mapping[str, Rows]) -> bytes:
    names = ("office", "table", "text")
    spaces = " ".join(f'xmlns:{one}="urn:oasis:names:tc:opendocument:xmlns:{one}:1.0"' for one in names)

    def cell(value: Any) -> str:
        match value:
            case None:
                return "<table:table-cell/>"
            case bool():
                kind, said = "boolean", f'office:boolean-value="{str(value).lower()}"'
            case int() | float():
                kind, said = "float", f'office:value="{value!r}"'
            case dt.date():
                kind, said = "date", f'office:date-value="{value.isoformat()}"'
            case dt.time():
                kind, said = "time", f'office:time-value="PT{value.hour:02}H{value.minute:02}M00S"'
            case _:
                kind, said = "string", ""
        return (
            f'<table:table-cell office:value-type="{kind}" {said}><text:p>{escape(str(value))}</text:p>'
            "</table:table-cell>"
        )

    body = "".join(
        f'<table:table table:name="{name}">'
        + "".join(f"<table:table-row>{''.join(map(cell, row))}</table:table-row>" for row in rows)
        + "</table:table>"
        for name, rows in sheets.items()
    )
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {spaces}><office:body>'
        f"<office:spreadsheet>{body}</office:spreadsheet></office:body></office:document-content>"
    )
    manifest = '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    members = {"mimetype": kind, "META-INF/manifest.xml": manifest, "content.xml": content}
    return archive({name: text.encode() for name, text in members.items()})


def as_xlsb(sheets: Mapping[str, Rows]) -> bytes:
    """Return a workbook in Excel's binary format, with what numbers, text and truth values need of it."""

    def record(kind: int, content: bytes = b"") -> bytes:
        head = b""
        for number in (kind, len(content)):
            while number > 127:
                head += bytes([number & 127 | 128])
                number >>= 7
            head += bytes([number])
        return head + content

    def text(value: str) -> bytes:
        wide = value.encode("utf-16-le")
        return struct.pack("<I", len(wide) // 2) + wide

    def cell(j: int, value: Any) -> bytes:
        at = struct.pack("<II", j, 0)
        match value:
            case bool():
                return record(4, at + bytes([value]))
            case int() | float():
                return record(5, at + struct.pack("<d", value))
            case str():
                return record(6, at + text(value))
        return record(1, at)

    bundle, links, members = b"", "", {}
    for i, (name, rows) in enumerate(sheets.items(), 1):
        bundle += record(156, struct.pack("<II", 0, i) + text(f"rId{i}") + text(name))
        links += f'<Relationship Id="rId{i}" Type="worksheet" Target="worksheets/sheet{i}.bin"/>'
        body = record(148, struct.pack("<IIII", 0, len(rows) - 1, 0, len(rows[0]) - 1)) + record(145)
        for n, row in enumerate(rows):
            body += record(0, struct.pack("<I", n) + bytes(13)) + b"".join(cell(j, one) for j, one in enumerate(row))
        members[f"xl/worksheets/sheet{i}.bin"] = record(129) + body + record(146) + record(130)
    members["xl/_rels/workbook.bin.rels"] = f"<Relationships>{links}</Relationships>".encode()
    members["xl/workbook.bin"] = record(131) + record(143) + bundle + record(144) + record(132)
    return archive(members)


def archive(members: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as made:
        for name, member in members.items():
            made.writestr(name, member)
    return content.getvalue()


def members_of(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as found:
        return {one.filename: found.read(one) for one in found.infolist()}


WRITERS: dict[str, Callable[[Mapping[str, Rows]], bytes]] = {
    ".xlsx": as_xlsx,
    ".xls": as_xls,
    ".xlsb": as_xlsb,
    ".ods": as_ods,
}


@pytest.mark.parametrize("ending", WRITERS)
def test_a_sheet_gives_the_bits_of_its_table(ending: str, tmp_path: Path) -> None:
    table = with_dates()
    path = tmp_path / f"t{ending}"
    if ending == ".xlsb":  # in which dates are numbers with a style
        table = table.drop(["at", "day", "clock"])
    path.write_bytes(WRITERS[ending]({"t": rows_of(table)}))
    check_same(path, table)
    check_same(tmp_path, table, memory="20kB")
    renamed = path.rename(tmp_path / "t.dat")  # known by its first bytes
    assert check_same(renamed, table).training.data == str(renamed)


def test_workbooks_through_pipes_and_several_as_one_table(
    tmp_path: Path,
    through: Callable[[bytes], str],  # noqa: F811
) -> None:
    table = plain(1_500)
    check_same(through(as_xlsx({"t": rows_of(table)})), table)
    (tmp_path / "1.xlsx").write_bytes(as_xlsx({"t": rows_of(table.slice(0, 700))}))
    (tmp_path / "2.xls").write_bytes(as_xls({"t": rows_of(table.slice(700))}))
    (tmp_path / "~$1.xlsx").write_bytes(b"\5Ada")  # beside a workbook that Excel has open
    check_same(tmp_path, table)


def laid_out(rows: Rows) -> dict[str, list[list[Any]]]:
    """Return a table as people have it in a sheet."""
    first, *others = [list(row) for row in rows]
    width = len(first)
    return {
        "a title": [["Survey of towns"], [], first, *others],
        "titles": [[None, "Survey"], ["by", "Ada", None], [], [], first, *others],
        "moved": [[], [], [None] * width, *([None, None, *row] for row in (first, *others))],
        "a title, moved": [["Survey"], [], *([None, *row] for row in (first, *others))],
        "an empty column": [[*row[:2], None, *row[2:]] for row in (first, *others)],
        "blank rows": [first, *others[:9], [], [None] * width, *others[9:], []],
    }


@pytest.mark.parametrize("way", laid_out([[]]))
def test_where_a_table_begins_is_found(way: str, tmp_path: Path) -> None:
    table = with_dates()
    path = tmp_path / "t.xlsx"
    path.write_bytes(as_xlsx({"t": laid_out(rows_of(table))[way]}))
    with pytest.warns(ZeroloopWarning, match="stand above|is a title") if "title" in way else no_warning():
        check_same(path, table)


class no_warning:  # noqa: N801  beside pytest.warns
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def test_skip_counts_rows_of_the_sheet_and_the_header_may_be_missing(tmp_path: Path) -> None:
    table = plain()
    rows = rows_of(table)
    path = tmp_path / "t.xlsx"
    path.write_bytes(as_xlsx({"t": [[], ["a", "b", "n", "c", "d"], [], *rows]}))
    found = zeroloop.train(path, "y", csv=CsvOptions(skip=3))
    assert found.coef.tobytes() == zeroloop.train(table, "y").coef.tobytes()
    path.write_bytes(as_xlsx({"t": rows[1:]}))
    found = zeroloop.train(path, "column5", csv=CsvOptions(header=False))
    assert found.coef.tobytes() == zeroloop.train(table, "y").coef.tobytes()


MEANT: dict[str, tuple[list[Any], list[Any]]] = {
    "code": (["007", "12", "13"], ["007", "12", "13"]),
    "number": (["1.5", "2.25", "10.75", None], [1.5, 2.25, 10.75, None]),
    "elapsed": ([dt.timedelta(hours=36), dt.timedelta(0), dt.timedelta(hours=6)], [1.5, 0, 0.25]),
    "ratio": ([0.25, "#DIV/0!", 3, 1e-300], [0.25, None, 3, 1e-300]),
    "word": (["a, b", 'c "d"', "e\tf", "g\nh"], ["a, b", 'c "d"', "e\tf", "g\nh"]),
}
"""Values of a column in cells, and what they mean."""


@pytest.mark.parametrize("decimal", [None, ","])
def test_what_cells_hold(decimal: Any, tmp_path: Path) -> None:
    table, n = plain(60).select(["y", "a"]), 60
    rows = rows_of(table)
    for name, (values, meant) in MEANT.items():
        table = table.append_column(name, [(meant * n)[:n]])
        if decimal and name == "number":
            values = [value and value.replace(".", ",") for value in values]
        for row, value in zip(rows, [name, *(values * n)[:n]], strict=True):
            row.append(value)
    path = tmp_path / "t.xlsx"
    path.write_bytes(as_xlsx({"t": rows}))
    found = zeroloop.train(path, "y", csv=CsvOptions(decimal=decimal))
    right = zeroloop.train(table, "y")
    assert found.schema == right.schema
    assert found.coef.tobytes() == right.coef.tobytes()


def test_which_sheet(tmp_path: Path) -> None:
    table, other = plain(), plain(200, 5)
    path = tmp_path / "t.xlsx"
    book = {"notes": [], "one": rows_of(table), "two, too": rows_of(other)}
    path.write_bytes(as_xlsx(book))
    said_of_others = r"t\.xlsx: the sheet 'one' is read, though there are rows in 'two, too' too; --sheet names another"
    with pytest.warns(ZeroloopWarning, match=said_of_others):
        check_same(path, table)
    said = CsvOptions(sheet="two, too")
    model = zeroloop.train(path, "y", csv=said, out=tmp_path / "m.json", checkpoint=tmp_path / "kept")
    right = zeroloop.train(other, "y")
    assert model.coef.tobytes() == right.coef.tobytes()
    assert zeroloop.load(tmp_path / "m.json").predict_proba(path).tobytes() == right.predict_proba(other).tobytes()
    command = command_of(model)
    assert command is not None
    assert "--sheet 'two, too'" in command
    words = shlex.split(command)
    result = CliRunner().invoke(app, [*words[1:], "--out", str(tmp_path / "again.json")], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert zeroloop.load(tmp_path / "again.json").coef.tobytes() == model.coef.tobytes()
    header = tmp_path / "kept" / "run.json"
    header.write_text(header.read_text().replace('"finished": true', '"finished": false'))
    with pytest.raises(CheckpointError, match="of another run"):
        zeroloop.train(path, "y", csv=CsvOptions(sheet="one"), checkpoint=tmp_path / "kept")
    with pytest.raises(BadFileError, match=r"it has no sheet 'three'; it has 'notes', 'one', 'two, too'\.$"):
        zeroloop.train(path, "y", csv=CsvOptions(sheet="three"))
    with pytest.raises(BadFileError, match=r"its sheet 'notes' has no rows\.$"):
        zeroloop.train(path, "y", csv=CsvOptions(sheet="notes"))
    hidden = openpyxl.load_workbook(path)
    hidden["one"].sheet_state = "hidden"
    hidden.save(path)
    check_same(path, other)


def test_every_command_takes_a_sheet(tmp_path: Path) -> None:
    table, path, model = plain(), str(tmp_path / "t.xlsx"), str(tmp_path / "m.json")
    Path(path).write_bytes(as_xlsx({"one": [["a"], [1]], "two": rows_of(table)}))
    for command in (
        ["train", path, "--target", "y", "--out", model, "--C", "inf"],
        ["path", path, "--target", "y", "--n", "3"],
        ["predict", model, path, "--out", str(tmp_path / "p.csv"), "--keep", "town"],
        ["evaluate", model, path],
        ["summary", model, path, "--effects"],
        ["report", model, path, "--out", str(tmp_path / "r.html")],
    ):
        result = CliRunner().invoke(app, [*command, "--sheet", "two"], catch_exceptions=False)
        assert result.exit_code == 0, f"{command}\n{result.output}"
    assert len((tmp_path / "p.csv").read_text().splitlines()) == 301


def far_apart() -> bytes:
    book = openpyxl.Workbook()
    book.active["A1"], book.active["XFD1048576"] = "y", 3
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def swollen(declared: bool) -> bytes:
    """Return a workbook that unpacks to more than it may, and says so or not."""
    members = members_of(as_xlsx({"t": [["y", "x"], [1, 2]]}))
    sheet = members.pop("xl/worksheets/sheet1.xml")
    content = archive(members | {"xl/worksheets/sheet1.xml": sheet + b" " * (children.LEAST_MEMORY // 2)})
    if declared:
        return content
    size = (len(sheet) + children.LEAST_MEMORY // 2).to_bytes(4, "little")
    assert content.count(size) == 2
    return content.replace(size, len(sheet).to_bytes(4, "little"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: as_xlsx({"t": []}), r"the workbook has no sheet with rows\.$"),
        (lambda: as_xlsx({"t": [["y", "x"]]}), r"the file has a header and no rows\.$"),
        (far_apart, r"takes more than the [\d,]+ bytes of memory that it may, because it is too large or damaged"),
        (lambda: swollen(declared=True), r"takes more than the 33,554,432 bytes of memory"),
        (lambda: swollen(declared=False), "the workbook is damaged or cut short"),
        (lambda: as_xlsx({"t": [["y"]]})[:-30], "damaged or cut short"),
        (lambda: archive({"content.xml": b"<a/>"}), "damaged"),
        (lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(5_000), "damaged"),
    ],
    ids=["no rows", "header only", "far apart", "swollen", "swollen in secret", "cut", "no ods", "no xls"],
)
def test_what_is_no_table_is_said(
    make: Callable[[], bytes], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "LEAST_MEMORY", 2**25 if "33,554" in message else 2**27)
    path = tmp_path / "t.xlsx"
    path.write_bytes(make())
    with pytest.raises(BadFileError, match=message) as caught:
        zeroloop.train(path, "y", memory="1MB")
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_workbook_that_is_never_done_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "SECONDS", 1)
    path, endless = tmp_path / "t.xlsx", tmp_path / "endless.py"
    path.write_bytes(as_xlsx({"t": rows_of(plain(50))}))
    endless.write_text("while True: pass")
    limited = tmp_path / "limited.py"
    limited.write_text(
        Path(children.__file__).with_name("limited.py").read_text().replace("sys.argv.pop()", repr(str(endless)))
    )
    assert "endless" in limited.read_text()
    monkeypatch.setattr(children, "LIMITED", str(limited))
    with pytest.raises(BadFileError, match="was not read in 1 seconds of computing, and is damaged"):
        zeroloop.train(path, "y")
