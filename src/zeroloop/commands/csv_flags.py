"""The options of every command that reads tables: how CSV files are written, which sheet, which words are missing."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Annotated, Any

import typer

from zeroloop.commands.options import whole
from zeroloop.csv_options import CsvOptions
from zeroloop.errors import OptionError

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


SQL = Annotated[
    str | None,
    typer.Option(
        metavar="SELECT",
        help="A query of DuckDB's in place of DATA (zeroloop[sql]), such as \"SELECT * FROM 'clicks/*.parquet'\".",
    ),
]


def reads_tables(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of tables: a query in place of `data`, and of files in one argument `csv`."""
    own = signature(function, eval_str=True).parameters
    needs_data = own["data"].default is Parameter.empty

    @wraps(function)
    def run(*arguments: Any, **options: Any) -> None:
        csv = CsvOptions(**{name: options.pop(name) for name in FLAGS})
        options["data"] = _table(options["data"], options.pop("sql"), needs_data)
        function(*arguments, csv=csv, **options)

    given = {name: one for name, one in own.items() if name != "csv"}
    given["data"] = given["data"].replace(default=None)  # where it is needed, there may be a query
    added = {"sql": (SQL, None)} | {name: (annotation, default) for name, (annotation, default) in FLAGS.items()}
    parameters = [one.replace(kind=Parameter.KEYWORD_ONLY) for one in given.values()]
    parameters += [
        Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in added.items()
    ]
    run.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run


def _table(data: list[str] | None, sql: str | None, needed: bool) -> Any:
    """Return what a command reads: files, or a query.

    Raises:
        OptionError: for both, and for neither where one is needed.

    """
    if sql is None:
        if needed and not data:
            raise OptionError("Name the table: files, folders or globs as DATA, or a query by --sql.")
        return data
    if data:
        raise OptionError(f"sql: there are files too ({data[0]}); name them in the query, FROM '{data[0]}', alone.")
    from zeroloop.tables.sql import Sql

    return Sql(sql)
