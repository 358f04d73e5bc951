"""Where to start: `zeroloop data`, `zeroloop demo` and `zeroloop ladder`."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated

import typer

from zeroloop.commands.app import command
from zeroloop.commands.options import (
    Json,
    Threads,
    at_least_one,
)
from zeroloop.commands.work import predicted, trained
from zeroloop.plain_text import number_of

FLIGHTS = files("zeroloop") / "data" / "flights.parquet"


@command
def ladder(
    examples: Annotated[int, typer.Option(parser=at_least_one, metavar="N", help="Number of examples, m.")] = 100_000,
    n_features: Annotated[
        int, typer.Option("--features", parser=at_least_one, metavar="N", help="Number of features, n_x.")
    ] = 50,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the speed-ups to this .png or .svg file.")
    ] = None,
    mine: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Check and race your own function gradient(X, Y, w, b) of this .py file too."
        ),
    ] = None,
    show: Annotated[str | None, typer.Option(metavar="RUNG", help="Print this rung's source instead.")] = None,
    as_json: Json = False,
) -> None:
    """Race the article's gradient, from two loops to none and on, on this machine.

    With --mine your own too: a function of X (n_x, m), Y (1, m), w (n_x, 1) and b that returns J, dw and db is first
    checked on small problems, and what is wrong of it is said. It runs in a process of its own.

    Example: zeroloop ladder --examples 1000000 --plot ladder.png

    In Python: from zeroloop.ladder.race import made_data, race; race(*made_data(100_000, 50))
    """
    from zeroloop.ladder.mine import check_mine, race_mine
    from zeroloop.ladder.race import find_rung, made_data, race, source_code
    from zeroloop.progress import Work
    from zeroloop.terminal import console, show_race, styled
    from zeroloop.terminal_bar import ProgressBar

    if show is not None:
        print(source_code(find_rung(show)), end="")
        return
    if plot is not None:
        from zeroloop.charts import check_chart_path

        check_chart_path(plot)
    if mine is not None:
        check_mine(mine)
    with ProgressBar() as bar:

        def tell(name: str) -> None:
            bar(Work(doing=f"timing {name} on {number_of(examples, 'example')}"))

        results = race(*made_data(examples, n_features), on_rung=tell)
        if mine is not None:
            tell(str(mine))
            results.append(race_mine(mine, examples, n_features, results[0].seconds))
    if plot is not None:
        from zeroloop.ladder.chart import draw

        draw(results, f"One gradient, {number_of(examples, 'example')} x {number_of(n_features, 'feature')}", plot)
    if as_json:
        print(json.dumps({"examples": examples, "features": n_features, "rungs": [asdict(r) for r in results]}))
        return
    show_race(results, examples, n_features)
    if plot is not None:
        console.print(styled("Drew ", (str(plot), "bold")))


@command
def data(
    out: Annotated[
        Path, typer.Argument(metavar="FILE", help="Where to write, .parquet or .csv; - for standard output.")
    ] = Path("flights.parquet"),
) -> None:
    """Write the embedded flights to a file, to try things on.

    327,346 flights out of New York in 2013, with the weather at departure: which arrived over 15 minutes late?

    Example: zeroloop data flights.csv
    """
    from zeroloop.errors import OutputError
    from zeroloop.outputs import is_stdout
    from zeroloop.tables.read import open_table
    from zeroloop.tables.write import check_table_path, write_batches
    from zeroloop.terminal import console_beside, styled

    console = console_beside(out, False)
    check_table_path(out)
    if out.is_file() and not _is_flights(out):
        raise OutputError(f"{out}: is there already, and is another table; name another file, or remove this one.")
    if out.suffix.lower() == ".parquet":
        _copy_flights(out)
    else:
        with as_file(FLIGHTS) as flights:
            table = open_table(str(flights))
            write_batches((read.rows for read in table.batches(table.schema.names)), table.schema, out)
    if is_stdout(out):
        return
    console.print(styled("Wrote ", (str(out), "bold")))
    console.print(styled(f"Next: zeroloop train {shlex.quote(str(out))} --target late"))


@command
def demo(threads: Threads = None) -> None:
    """Train on the embedded flights and write them, model, report and predictions into the current folder.

    327,346 flights out of New York in 2013, with the weather at departure: which arrived over 15 minutes late?
    """
    from zeroloop.errors import OutputError
    from zeroloop.loading import load
    from zeroloop.outputs import check_writable
    from zeroloop.tables.conflicts import check_outputs
    from zeroloop.terminal import console, styled

    flights, model = Path("flights.parquet"), Path("flights-model.json")
    report, predictions = Path("flights-report.html"), Path("flights-predictions.parquet")
    outputs = {"the model": model, "the report": report, "the predictions": predictions}
    for path in outputs.values():
        check_writable(path)
    if not flights.exists():
        _copy_flights(flights)
    elif not _is_flights(flights):
        raise OutputError(f"{flights}: is there already, and is another table; run the demo in another folder.")
    check_outputs(outputs, str(flights))
    trained(str(flights), model, False, target="late", report=report, threads=threads)
    rows = predicted(load(model), str(flights), predictions, ["carrier", "origin", "dest", "late"], None, threads)
    console.print(styled("Wrote ", (str(predictions), "bold"), f": {number_of(rows, 'prediction')}"))
    console.print(f"Next: zeroloop summary {model}")


def _is_flights(path: Path) -> bool:
    """Return whether a file is the embedded table, as `zeroloop data` and `zeroloop demo` write it in Parquet."""
    return path.read_bytes() == FLIGHTS.read_bytes()


def _copy_flights(out: Path) -> None:
    from zeroloop.outputs import replacing

    with replacing(out) as file:
        file.write(FLIGHTS.read_bytes())
