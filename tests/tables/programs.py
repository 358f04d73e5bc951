"""Files as programs write them: each written here by what its manual says, since few of the programs are at hand."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd
from corpus import (
    ABOVE,
    BANK,
    LAST,
    LASTS,
    NAME,
    NUMBERED,
    Case,
    as_csv,
    as_text,
    boxed,
    clean,
    psql,
    with_gaps,
    with_notes,
)

Row = tuple[Any, ...]


def rows(frame: pd.DataFrame) -> list[Row]:
    return list(frame.itertuples(index=False, name=None))


def quoted(value: object) -> str:
    """Return text in quotes, those in it doubled, and anything else as it is."""
    return '"' + value.replace('"', '""') + '"' if isinstance(value, str) else str(value)


def lines(header: Iterable[str] | None, made: Iterable[str], end: str = "\n") -> str:
    return "".join(line + end for line in [*(header or []), *made])


def r_csv(mark: str, decimal: str) -> str:
    """Return what R's write.csv or write.csv2 writes: everything but numbers in quotes, row names under no name."""
    frame = with_gaps()
    body = [
        mark.join(
            [
                f'"{i + 1}"',
                *("NA" if v != v else quoted(v) if isinstance(v, str) else str(v).replace(".", decimal) for v in row),
            ]
        )
        for i, row in enumerate(rows(frame))
    ]
    return lines([mark.join(['""', *map(quoted, frame.columns)])], body)


def r_table(mark: str = " ") -> str:
    """Return what R's write.table writes: the header one name short."""
    frame = with_gaps()
    body = [
        mark.join([f'"{i + 1}"', *("NA" if v != v else quoted(v) for v in row)]) for i, row in enumerate(rows(frame))
    ]
    return lines([mark.join(map(quoted, frame.columns))], body)


def german_excel() -> str:
    """Return what a German Excel saves as CSV: semicolons, decimal commas, quotes where a value needs them."""
    return str(clean().to_csv(sep=";", decimal=",", index=False, lineterminator="\r\n"))


def excel_text() -> str:
    """Return what Excel saves as "Unicode text"."""
    return "\ufeff" + str(clean().to_csv(sep="\t", decimal=",", index=False, lineterminator="\r\n"))


def sas() -> str:
    """Return what PROC EXPORT writes: a point where a number is missing."""
    return str(with_gaps().to_csv(index=False, na_rep=".", lineterminator="\r\n"))


def spss() -> str:
    """Return what SPSS saves with a decimal comma: numbers of a fixed width, a blank where one is missing."""
    frame = with_gaps()
    body = [
        ";".join(" " if v != v else v if isinstance(v, str) else f"{v:>8.2f}".replace(".", ",") for v in row)
        for row in rows(frame)
    ]
    return "\ufeff" + lines([";".join(frame.columns)], body, "\r\n")


def stata() -> str:
    """Return what Stata's export delimited writes: nothing for a missing number, text in quotes."""
    frame = with_gaps()
    body = [",".join("" if v != v else quoted(v) for v in row) for row in rows(frame)]
    return lines([",".join(frame.columns)], body)


def mysql_outfile(enclosed: bool) -> str:
    """Return what MySQL's SELECT INTO OUTFILE writes below a line of names."""
    frame = notes_and_gaps()

    def escaped(value: object) -> str:
        if not isinstance(value, str):
            return "\\N" if value != value else str(value)
        value = value.replace("\\", "\\\\")
        return '"' + value.replace('"', '\\"') + '"' if enclosed else value.replace("\t", "\\\t")

    mark = "," if enclosed else "\t"
    return lines([mark.join(frame.columns)], [mark.join(map(escaped, row)) for row in rows(frame)])


def postgres_text() -> str:
    r"""Return what PostgreSQL's COPY TO with HEADER writes: \N, and backslashes before what is special."""
    frame = notes_and_gaps()
    body = [
        "\t".join("\\N" if v != v else str(v).replace("\\", "\\\\").replace("\t", "\\t") for v in row)
        for row in rows(frame)
    ]
    return lines(["\t".join(frame.columns)], body)


def postgres_csv() -> str:
    """Return what PostgreSQL's COPY TO with CSV writes: quotes where a value needs them."""
    return str(notes_and_gaps().to_csv(index=False))


def sqlcmd(mark: str) -> str:
    """Return what SQL Server's sqlcmd -W writes: a drawn line below the names, NULL, the count of rows."""
    frame = with_gaps()
    rule = mark.join("-" * len(name) for name in frame.columns)
    body = [mark.join("NULL" if v != v else str(v) for v in row) for row in rows(frame)]
    return lines([mark.join(frame.columns), rule], [*body, "", f"({len(frame)} rows affected)"], "\r\n")


def sqlplus() -> str:
    """Return what Oracle's SET MARKUP CSV ON prints."""
    frame = with_gaps()
    body = [",".join("" if v != v else quoted(v) for v in row) for row in rows(frame)]
    return lines(["", ",".join(map(quoted, frame.columns))], [*body, "", f"{len(frame)} rows selected."])


def spark(folder: Path) -> Path:
    """Write what Spark writes as CSV: parts with a line of names each, quotes escaped by backslashes."""
    place = folder / "table"
    place.mkdir()
    frame = with_notes()
    for k in range(3):
        part = frame[k * 100 : k * 100 + 100]
        body = [
            ",".join(
                '"' + v.replace('"', '\\"') + '"' if isinstance(v, str) and any(c in v for c in ',"') else str(v)
                for v in row
            )
            for row in rows(part)
        ]
        name = f"part-{k:05}-4f2c-c000.csv"
        (place / name).write_text(lines([",".join(frame.columns)], body))
        (place / f".{name}.crc").write_bytes(b"crc")
    (place / "_SUCCESS").write_bytes(b"")
    return place


def bank() -> str:
    """Return what a German bank exports: what the account is, the table in quotes, Windows-1252."""
    head = [";".join(f'"{part}"' for part in line.split(";")) for line in BANK]
    return lines(head, []) + str(clean().to_csv(sep=";", decimal=",", index=False, quoting=csv.QUOTE_ALL))


def libre_office() -> str:
    """Return what LibreOffice saves where text is to be quoted."""
    frame = clean()
    return lines([",".join(map(quoted, frame.columns))], [",".join(map(quoted, row)) for row in rows(frame)])


def markdown() -> str:
    """Return the table as pages show it."""
    frame = clean()
    body = ["| " + " | ".join(map(str, row)) + " |" for row in rows(frame)]
    return lines(["| " + " | ".join(frame.columns) + " |", "|" + "---|" * len(frame.columns)], body)


def program(
    name: str, text: Callable[[], str], means: Callable[[], pd.DataFrame], *said: str, encoding: str = "utf-8"
) -> Case:
    return Case(kind="programs", name=name, write=as_text(text, encoding), means=means, said=said)


def notes_and_gaps() -> pd.DataFrame:
    return with_notes().assign(price=with_gaps()["price"])


EMPTY_ENDS = ("'column1' is left out", "is left out: no value")
CP1252 = "it is no UTF-8 and is read as cp1252"
PROGRAMS = [
    program("R, write.csv", lambda: r_csv(",", "."), with_gaps, NUMBERED),
    program("R, write.csv2", lambda: r_csv(";", ","), with_gaps, NUMBERED),
    program("R, write.table", r_table, with_gaps, NUMBERED),
    program("R, write.table with tabs", lambda: r_table("\t"), with_gaps, NUMBERED),
    Case(
        kind="programs",
        name="pandas, to_csv",
        write=lambda folder: with_notes().to_csv(folder / NAME),
        means=with_notes,
        said=(NUMBERED,),
    ),
    program("Excel, German CSV", german_excel, clean, CP1252, encoding="cp1252"),
    program("Excel, Unicode text", excel_text, clean, encoding="utf-16-le"),
    program("SAS, PROC EXPORT", sas, with_gaps),
    program("SPSS", spss, with_gaps),
    program("Stata, export delimited", stata, with_gaps),
    program("MySQL, INTO OUTFILE", lambda: mysql_outfile(False), notes_and_gaps),
    program("MySQL, INTO OUTFILE enclosed", lambda: mysql_outfile(True), notes_and_gaps),
    program("MySQL, printed", boxed, clean, LASTS, *EMPTY_ENDS),
    program("PostgreSQL, COPY", postgres_text, notes_and_gaps),
    program("PostgreSQL, COPY with CSV", postgres_csv, notes_and_gaps),
    program("PostgreSQL, psql", psql, clean, LAST),
    program("SQL Server, sqlcmd", lambda: sqlcmd(","), with_gaps, LAST),
    program("SQL Server, sqlcmd with tabs", lambda: sqlcmd("\t"), with_gaps, LAST),
    program("Oracle, SQL*Plus", sqlplus, with_gaps, LAST),
    Case(kind="programs", name="Spark, CSV", write=spark, means=with_notes),
    program("a bank", bank, clean, CP1252, ABOVE, encoding="cp1252"),
    Case(kind="programs", name="Google Sheets", write=as_csv(with_notes, lineterminator="\r\n"), means=with_notes),
    program("LibreOffice", libre_office, clean),
    program("Markdown", markdown, clean, *EMPTY_ENDS),
]
