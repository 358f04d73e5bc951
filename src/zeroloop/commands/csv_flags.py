"""The options of every command that reads tables: how CSV files are written, which sheet, which words are missing."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import Parameter, signature
from typing import Annotated, Any

import typer

from zeroloop.commands.options import whole
from zeroloop.csv_options import CsvOptions

FLAGS: dict[str, tuple[Any, Any]] = {
    "na": (
        Annotated[
            list[str],
            typer.Option(metavar="WORD", help="A word or number that stands for a missing value; repeat it for more."),
        ],
        [],
    ),
    "not_na": (
        Annotated[
            list[str],
            typer.Option(metavar="WORD", help="A word that does not, such as NA for Namibia; repeat it for more."),
        ],
        [],
    ),
    "sheet": (
        Annotated[str | None, typer.Option(metavar="NAME", help="Of a workbook; by default the first with rows.")],
        None,
    ),
    "encoding": (
        Annotated[str | None, typer.Option(metavar="NAME", help="Such as cp1252; by default found.")],
        None,
    ),
    "delimiter": (
        Annotated[str | None, typer.Option(metavar="CHAR", help="Between two values, or tab; by default found.")],
        None,
    ),
    "decimal": (
        Annotated[str | None, typer.Option(metavar=".|,", help="The decimal mark; by default found.")],
        None,
    ),
    "header": (
        Annotated[
            bool | None,
            typer.Option(
                "--header/--no-header",
                help="Whether the first line holds names, else they are column1, ...; by default found.",
            ),
        ],
        None,
    ),
    "skip": (
        Annotated[int | None, typer.Option(metavar="N", parser=whole, help="Lines above the header; default: found.")],
        None,
    ),
    "comment": (
        Annotated[
            str | None,
            typer.Option(metavar="CHAR", help="Begins lines to leave out; empty for none at all."),
        ],
        None,
    ),
}


def reads_tables(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of CSV files, in one argument `csv`."""

    @wraps(function)
    def run(*arguments: Any, **options: Any) -> None:
        csv = CsvOptions(**{name: options.pop(name) for name in FLAGS})
        function(*arguments, csv=csv, **options)

    own = signature(function, eval_str=True)
    added = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in FLAGS.items()
    ]
    kept = [one for one in own.parameters.values() if one.name != "csv"]
    run.__signature__ = own.replace(parameters=[*kept, *added])  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in (*kept, *added)}
    return run
