"""Options that several commands have, and how their values are read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from zeroloop.choices import MISSING_RULES
from zeroloop.errors import OptionError

MOST_SHOWN = 30  # characters of the words that an option chooses among, beside its name


def choice(values: Sequence[str], help: str) -> Any:  # noqa: A002
    """Return an option that takes one of some words, which a shell completes; the library says what is none of them."""
    shown = "|".join(values)
    short = len(shown) <= MOST_SHOWN
    return typer.Option(
        metavar=shown if short else "NAME",
        help=help if short else f"{help} One of {', '.join(values)}.",
        autocompletion=lambda: list(values),
    )


def decimal(text: str | float) -> float:
    """Return a number that an option is given.

    Raises:
        BadParameter: for text that is none.

    """
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no number.") from None


def whole(text: str | int) -> int:
    """Return a whole number that an option is given.

    Raises:
        BadParameter: for text that is none.

    """
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no whole number.") from None


def at_least_one(text: str | int) -> int:
    """Return a whole number above 0 that an option is given.

    Raises:
        BadParameter: for what is none.

    """
    number = whole(text)
    if number < 1:
        raise typer.BadParameter(f"{number} is below 1.")
    return number


Data = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="DATA", help="Files (CSV, Parquet, Excel's, ...), folders, globs or URIs, read as one table."
    ),
]
ModelPath = Annotated[Path, typer.Argument(metavar="MODEL", help="A model saved by `zeroloop train`.")]
Target = Annotated[str, typer.Option(metavar="COLUMN", help="Column to predict, of two or more classes.")]
Positive = Annotated[
    str | None,
    typer.Option(metavar="VALUE", help="Of two classes, the one to give the probability of; by default the greater."),
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
        "hour-cycle; of times of day hours, hour, hour-cycle. In text, dmy, mdy or ymd is the order of dates. Repeat "
        "it for more columns.",
    ),
]
Weights = Annotated[str | None, typer.Option(metavar="COLUMN", help="Column of row weights.")]
PenaltyFactor = Annotated[
    list[str], typer.Option(metavar="COLUMN=F,...", help="Multiply a column's penalty; 0 leaves it unpenalised.")
]
Tol = Annotated[
    float,
    typer.Option(parser=decimal, metavar="NUMBER", help="Stop at max |gradient of the mean objective| <= tol."),
]
MissingRule = Annotated[
    str, choice(MISSING_RULES, "Missing values: impute, drop (only rows complete in the columns used) or error.")
]
Tests = Annotated[
    list[str],
    typer.Option(
        "--test",
        metavar="A,B,...",
        help="Test that all coefficients of a column, or of several together, are zero; repeat it for more tests.",
    ),
]
Level = Annotated[float, typer.Option(parser=decimal, metavar="NUMBER", help="Confidence of the intervals.")]
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
Threads = Annotated[
    int | None, typer.Option(parser=whole, metavar="N", help="Number of threads; by default one a core.")
]
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
    for name, value in pairs(given):
        factor = number(value)
        if not name or isinstance(factor, str):
            given_as = f"{name}={value}" if name else value
            raise OptionError(f"penalty-factor is {given_as!r}; expected COLUMN=NUMBER, such as age=0.")
        found[name] = factor
    return found


def parts(given: list[str]) -> dict[str, list[str]]:
    """Return the parts of an option given as `a=days,month`, and again for another column."""
    found: dict[str, list[str]] = {}
    for text in given:
        name, _, words = text.rpartition("=")
        if not name:
            raise OptionError(f"dates is {text!r}; expected COLUMN=PART,..., such as day=month,weekday.")
        quoted = names([name]) if name.startswith('"') else []
        found.setdefault(quoted[0] if len(quoted) == 1 else name, []).extend(names([words]))
    return found


def ranges(given: list[str]) -> dict[str, tuple[float, float]]:
    """Return the bounds of an option given as `a=0:inf,b=-1:1` or several times."""
    found = {}
    for name, value in pairs(given):
        low, _, high = value.partition(":")
        ends = number(low), number(high)
        if not name or isinstance(ends[0], str) or isinstance(ends[1], str):
            given_as = f"{name}={value}" if name else value
            raise OptionError(f"bounds is {given_as!r}; expected COLUMN=LOW:HIGH, such as age=0:inf.")
        found[name] = ends[0], ends[1]
    return found


# A name, and what may stand round it; one with a comma, a quote or a blank at its end in quotes, doubled within it.
NAME = re.compile(r"""\s*(?:"((?:[^"]|"")*)"(=[^,]*)?\s*(?=,|\Z)|([^,]*))(?:,|\Z)""")


def names(given: list[str]) -> list[str]:
    """Return the names of an option given as `a,b` or several times; `"a,b",c` is two, as in a line of CSV."""
    return [name + value for name, value in _items(given)]


def pairs(given: list[str]) -> list[tuple[str, str]]:
    """Return names and values of an option given as `a=1,b=2` or several times; a name, or all, may be in quotes."""
    found = []
    for name, value in _items(given):
        text, _, rest = name.rpartition("=")
        found.append((name, value[1:]) if value else (text, rest))
    return found


def _items(given: list[str]) -> Iterator[tuple[str, str]]:
    """Yield names, and what follows them behind quotes: `=` and a value, or nothing."""
    for text in given:
        at = 0
        while at < len(text):
            match = NAME.match(text, at)
            assert match is not None  # the second way takes anything up to a comma
            quoted, value, plain = match.groups()
            if quoted is not None:
                yield quoted.replace('""', '"'), value or ""
            elif plain.strip():
                yield plain.strip(), ""
            at = match.end()
