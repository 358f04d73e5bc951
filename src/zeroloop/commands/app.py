"""The command line as such: its help in groups, and what every command does on Ctrl-C."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from zeroloop.commands import signals, streams
from zeroloop.plain_text import one_line

GROUPS = {
    "The table": (
        "target", "positive", "features", "drop", "categorical", "dates", "weights", "offset", "missing",
        "test_fraction", "seed", "skip_bad_files", "keep", "na", "not_na", "sheet", "sql",
    ),
    "CSV files": ("encoding", "delimiter", "decimal", "header", "skip", "comment"),
    "The model": (
        "c", "l1_ratio", "n", "multi_class", "penalty_factor", "bounds", "solver", "tol", "max_iter", "learning_rate",
        "max_passes",
    ),
    "Statistics (without a penalty)": (
        "method", "covariance", "weight_type", "cluster", "df", "test", "effects", "interval", "level",
    ),
    "Output": ("out", "report", "plot", "as_json"),
    "Resources": ("memory", "spill", "threads", "checkpoint", "scheduler"),
}  # fmt: skip
"""Options by what they are about, in the order of the help."""
FEW = 8  # arguments and options that need no groups

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Logistic regression from a table: train, predict, evaluate; and the ladder from two loops to none.",
)


class GroupedCommand(TyperCommand):
    """A command whose help has its options in groups."""

    def format_options(self, context: Any, formatter: Any) -> None:
        """Write arguments and options."""
        group_of = {name: group for group, names in GROUPS.items() for name in names if len(self.params) > FEW}
        records: dict[str, list[tuple[str, str]]] = {name: [] for name in ("Arguments", *GROUPS, "Options")}
        for one in self.get_params(context):
            record = one.get_help_record(context)
            if record is not None:
                is_argument = one.param_type_name == "argument"
                records["Arguments" if is_argument else group_of.get(one.name or "", "Options")].append(record)
        for group, of_group in records.items():
            if of_group:
                with formatter.section(group):
                    formatter.write_dl(of_group)


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Make a function a command that ends on Ctrl-C with a word on what was kept."""

    @wraps(function)
    def run(*arguments: Any, **options: Any) -> None:
        try:
            function(*arguments, **options)
        except KeyboardInterrupt as error:
            streams.say(f"zeroloop: {one_line(error) or 'Interrupted.'}")
            raise typer.Exit(signals.exit_code()) from None

    app.command(cls=GroupedCommand)(run)
    return run


def _say_version(verbose: bool) -> None:
    from importlib.metadata import version

    print(f"zeroloop {version('zeroloop')}")
    if verbose:
        import platform

        from zeroloop import core

        print(f"Core: {core.level}; this processor runs {', '.join(core.levels)}, and ZEROLOOP_CPU names one of them")
        print(f"Python {platform.python_version()}, NumPy {version('numpy')}, {platform.system()} {platform.machine()}")


@app.callback(invoke_without_command=True)
def _zeroloop(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="With --version: which core runs, and where.")] = False,
) -> None:
    if version:
        _say_version(verbose)
        raise typer.Exit
    if verbose or context.invoked_subcommand is None:
        context.fail("--verbose goes with --version." if verbose else "Missing command.")
