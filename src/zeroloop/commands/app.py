"""The command line as such, and what every command does on Ctrl-C."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import typer

from zeroloop.commands import signals, streams
from zeroloop.plain_text import one_line

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Logistic regression from a table: train, predict, evaluate; and the ladder from two loops to none.",
)


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Make a function a command that ends on Ctrl-C with a word on what was kept."""

    @wraps(function)
    def run(*arguments: Any, **options: Any) -> None:
        try:
            function(*arguments, **options)
        except KeyboardInterrupt as error:
            streams.say(f"zeroloop: {one_line(error) or 'Interrupted.'}")
            raise typer.Exit(signals.exit_code()) from None

    app.command()(run)
    return run
