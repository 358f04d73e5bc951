"""Options that several commands have, and how their values are read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from zeroloop.errors import OptionError

Data = Annotated[
    list[str],
    typer.Argument(help="Files (CSV, Parquet, Arrow IPC, libsvm), folders, globs or URIs, read as one table."),
]
ModelPath = Annotated[Path, typer.Argument(help="A model saved by `zeroloop train`.")]
Target = Annotated[str, typer.Option(help="Column to predict, of two or more classes.")]
Positive = Annotated[
    str | None, typer.Option(help="Of two classes, the one to give the probability of; by default the greater.")
]
Features = Annotated[list[str], typer.Option(metavar="A,B,...", help="Columns to predict from; by default all.")]
Drop = Annotated[list[str], typer.Option(metavar="A,B,...", help="Columns to leave out.")]
Categorical = Annotated[
    list[str], typer.Option(metavar="A,B,...", help="Columns to read as levels whatever their type.")
]
Dates = Annotated[
    list[str],
    typer.Option(
        metavar="COLUMN=PART,...",
        help="What to learn from a column of dates: days, year, month, weekday, hour, month-cycle, weekday-cycle, "
        "hour-cycle; of times of day hours, hour, hour-cycle; repeat it for more columns.",
    ),
]
Weights = Annotated[str | None, typer.Option(help="Column of row weights.")]
PenaltyFactor = Annotated[
    list[str], typer.Option(metavar="COLUMN=F,...", help="Multiply a column's penalty; 0 leaves it unpenalised.")
]
Tol = Annotated[float, typer.Option(help="Stop at max |gradient of the mean objective| <= tol.")]
MissingRule = Annotated[
    str, typer.Option(help="Missing values: impute, drop (only rows complete in the columns used) or error.")
]
Tests = Annotated[
    list[str],
    typer.Option(
        "--test",
        metavar="A,B,...",
        help="Test that all coefficients of a column, or of several together, are zero; repeat it for more tests.",
    ),
]
Level = Annotated[float, typer.Option(help="Confidence of the intervals.")]
Memory = Annotated[
    str | None,
    typer.Option(metavar="SIZE", help="Most rows to hold in memory, such as 4GiB; by default half of what there is."),
]
Spill = Annotated[
    str | None,
    typer.Option(
        metavar="DIR|none", help="Where to keep encoded rows beyond --memory; none to decode them in each pass again."
    ),
]
SkipBadFiles = Annotated[
    bool, typer.Option("--skip-bad-files", help="Leave out files that cannot be read, and list them.")
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Have the workers of a Dask cluster read the rows, such as tcp://host:8786; they must see the same paths.",
    ),
]
Threads = Annotated[int | None, typer.Option(help="Number of threads; by default one a core.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else on standard output.")]


def number(text: str) -> float | str:
    """Return a number given as text, or the text where it is none."""
    try:
        return float(text)
    except ValueError:
        return text


def factors(given: list[str]) -> dict[str, float]:
    """Return the factors of an option given as `a=0,b=2` or several times."""
    found = {}
    for pair in names(given):
        name, _, value = pair.rpartition("=")
        factor = number(value)
        if not name or isinstance(factor, str):
            raise OptionError(f"penalty-factor is {pair!r}; expected COLUMN=NUMBER, such as age=0.")
        found[name] = factor
    return found


def parts(given: list[str]) -> dict[str, list[str]]:
    """Return the parts of an option given as `a=days,month`, and again for another column."""
    found: dict[str, list[str]] = {}
    for text in given:
        name, _, words = text.rpartition("=")
        if not name:
            raise OptionError(f"dates is {text!r}; expected COLUMN=PART,..., such as day=month,weekday.")
        found.setdefault(name, []).extend(names([words]))
    return found


def ranges(given: list[str]) -> dict[str, tuple[float, float]]:
    """Return the bounds of an option given as `a=0:inf,b=-1:1` or several times."""
    found = {}
    for pair in names(given):
        name, _, value = pair.rpartition("=")
        low, _, high = value.partition(":")
        ends = number(low), number(high)
        if not name or isinstance(ends[0], str) or isinstance(ends[1], str):
            raise OptionError(f"bounds is {pair!r}; expected COLUMN=LOW:HIGH, such as age=0:inf.")
        found[name] = ends[0], ends[1]
    return found


# A name, and what may stand round it; one with a comma, a quote or a blank at its end in quotes, doubled within it.
NAME = re.compile(r"""\s*(?:"((?:[^"]|"")*)"\s*(?=,|\Z)|([^,]*))(?:,|\Z)""")


def names(given: list[str]) -> list[str]:
    """Return the names of an option given as `a,b` or several times; `"a,b",c` is two, as in a line of CSV."""
    found = []
    for text in given:
        at = 0
        while at < len(text):
            match = NAME.match(text, at)
            assert match is not None  # the second way takes anything up to a comma
            quoted, plain = match.groups()
            name = plain.strip() if quoted is None else quoted.replace('""', '"')
            found += [name] if name or quoted is not None else []
            at = match.end()
    return found
