"""Tables as text in many ways of writing, with what each of their values means."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

Column = list[Any]  # float, int or text as it is meant; None where missing

WORDS = {
    "utf-8": [
        "Zürich",
        "Łódź",
        "naïve",
        "北京",
        "smörgås",
        "plain",
        "two words",
        "O'Brien",
        "a;b",
        "c,d",
        'say "hi"',
        "x|y",
    ],
    "cp1252": [
        "Zürich",
        "Köln",
        "naïve",
        "São Paulo",
        "plain",
        "two words",
        "O'Brien",
        "a;b",
        "c,d",
        'say "hi"',
        "x|y",
    ],
    "cp1251": ["Москва", "Казань", "Сочи", "Омск", "Тверь", "Псков", "Самара, река"],
}
MISSING = ["", "NA", "?", "N/A", "NULL", "nan", "#N/A"]
GAPS_OF_NUMBERS = [*MISSING, "-", "--", ".", "missing"]


@dataclass(frozen=True, kw_only=True)
class Written:
    """A file, what it means, and what it is like."""

    content: bytes
    columns: dict[str, Column]
    about: dict[str, Any]


def a_column(rng: np.random.Generator, n: int, words: list[str]) -> tuple[str, Column]:
    """Return a kind of column and its values."""
    kind = str(rng.choice(["integers", "decimals", "thousandths", "large", "codes", "names", "text", "zip", "money"]))
    match kind:
        case "integers":
            values: Column = rng.integers(-50, 500, n).tolist()
        case "decimals":
            places = int(rng.integers(1, 7))
            values = [float(f"{v:.{places}f}") for v in rng.normal(0, 10 ** float(rng.integers(0, 6)), n)]
        case "thousandths":  # a mark and three digits: thousands, or decimals
            values = [float(f"{v:.3f}") for v in rng.uniform(1, 900, n)]
        case "large":
            values = rng.integers(1_000, 10 ** int(rng.integers(4, 9)), n).tolist()
        case "codes":
            values = [f"{v:05d}" for v in rng.integers(0, 100_000, n)]
        case "zip":  # leading zeros late
            values = [str(v) for v in rng.integers(10_000, 100_000, n)]
            if rng.random() < 0.5:
                values[int(rng.integers(n // 2, n))] = "00501"
        case "names":  # of more digits than a float64 has
            values = [str(2**62 + int(v)) for v in rng.integers(0, 2**40, n)]
        case "money":
            values = [float(f"{v:.2f}") for v in rng.normal(0, 10_000, n)]
        case _:
            values = rng.choice(words, n).tolist()
    return kind, values


def any_written(seed: int) -> Written:
    """Return a table, written in some way."""
    rng = np.random.default_rng([seed, 17])

    def one(*choices: Any) -> Any:
        return choices[int(rng.integers(len(choices)))]

    long = rng.random() < 0.15  # longer than what is looked at first
    n = int(rng.integers(4_000, 9_000)) if long else int(rng.integers(3, 60))
    encoding = one("utf-8", "utf-8", "utf-8-sig", "cp1252", "cp1251", "utf-16")
    words = WORDS.get(encoding, WORDS["utf-8"])
    delimiter = one(",", ",", ";", "\t", "|", " ")
    decimal = one(".", ".", ",")
    group = one("", "", "", ",", ".", " ", "'", "\u00a0", "\u202f") if encoding != "cp1251" else ""
    group = "" if group == decimal or (group == "\u202f" and encoding == "cp1252") else group
    quoting = one(csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC)
    money = one("{}", "{}", "${}", "{} %") if rng.random() < 0.3 else "{}"
    columns: dict[str, Column] = {}
    written: list[list[str]] = []
    kinds = []
    for j in range(int(rng.integers(2, 6))):
        kind, values = a_column(rng, n, words)
        gaps = rng.random(n) < (0.1 if rng.random() < 0.4 else 0)
        numeric = kind in ("integers", "decimals", "thousandths", "large", "money")
        word = one(*(GAPS_OF_NUMBERS if numeric else MISSING)[delimiter == " " :])  # blanks may be one or many
        columns[f"c{j}"] = [None if gap else value for gap, value in zip(gaps, values, strict=True)]
        around = money if kind == "money" else "{}"
        texts = [around.format(spelled(value, decimal, group)) if numeric else str(value) for value in values]
        written.append([word if gap else text for gap, text in zip(gaps, texts, strict=True)])
        kinds.append((kind, word if gaps.any() else None, around))
    rows = [list(row) for row in zip(*written, strict=True)]
    text = io.StringIO()
    line_end = one("\n", "\r\n")
    escape = one(None, None, "\\")  # in place of doubling quotes
    writer = csv.writer(
        text,
        delimiter=delimiter,
        quoting=quoting,
        lineterminator=line_end,
        doublequote=escape is None,
        escapechar=escape,
    )
    index = rng.random() < 0.1
    if index:
        rows = [[str(i + 1), *row] for i, row in enumerate(rows)]
    header = [*([""] if index else []), *columns]
    width = len(header)
    title = one(
        "", "", "", "Sales of 2024", "# made by a machine", "Sales, first half;\n", "Report\nfrom: Monday\nby: me\n",
        "Account:" + delimiter + "17" + delimiter * max(0, width - 2) if width > 3 and delimiter != " " else "",
    )  # fmt: skip
    if title:
        text.write(title + "\n")
    if delimiter == ";" and rng.random() < 0.1 and not title:
        text.write("sep=;\n")
    begun = text.tell()
    writer.writerow(header)
    drawn = rng.random() < 0.08
    if drawn:
        text.write(delimiter.join("-" * max(2, len(name)) for name in header) + line_end)
    writer.writerows(rows)
    blanks = rng.random() < 0.1 and delimiter != " " and "\n" not in "".join(map("".join, rows))
    if blanks:  # around values
        table = text.getvalue()[begun:]
        text.seek(begun)
        text.truncate()
        text.write("".join(spaced(line, delimiter) for line in table.splitlines(keepends=True)))
    footer = one(
        "", "", "", "", "# end", "Total: 17", "Source: Office, 2024\nNote: preliminary", "\n(17 rows affected)",
        "Total" + delimiter * (width - 1) if width > 2 else "", "-" * 20, "Printed on Monday", "17 rows selected.",
    )  # fmt: skip
    if footer:
        text.write(footer + line_end)
    about = {
        "seed": seed, "rows": n, "encoding": encoding, "delimiter": delimiter, "decimal": decimal, "group": group,
        "quoting": int(quoting), "kinds": kinds, "title": title, "footer": footer, "index": index, "escape": escape,
        "drawn": drawn, "blanks": blanks,
    }  # fmt: skip
    return Written(content=text.getvalue().encode(encoding), columns=columns, about=about)


def spaced(line: str, delimiter: str) -> str:
    """Return a line with a blank before and behind each delimiter that parts values."""
    parts, quoted, escaped = [], False, False
    for character in line:
        quoted ^= character == '"' and not escaped
        parts.append(f" {character} " if character == delimiter and not quoted and not escaped else character)
        escaped = character == "\\" and not escaped
    return "".join(parts)


def spelled(value: float, decimal: str, group: str) -> str:
    """Return a number as people write it."""
    text = f"{Decimal(str(value)):,f}" if group else f"{Decimal(str(value)):f}"
    return text.translate({ord(","): group, ord("."): decimal})
