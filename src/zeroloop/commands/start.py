"""Where to start: `zeroloop ladder` and `zeroloop demo`."""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated

import typer

from zeroloop.commands.app import command
from zeroloop.commands.options import (
    Json,
    Threads,
)
from zeroloop.commands.work import predicted, trained


@command
def ladder(
    examples: Annotated[int, typer.Option(min=1, help="Number of examples, m.")] = 100_000,
    features: Annotated[int, typer.Option(min=1, help="Number of features, n_x.")] = 50,
    plot: Annotated[Path | None, typer.Option(help="Draw the speed-ups to this .png or .svg file.")] = None,
    show: Annotated[str | None, typer.Option(metavar="RUNG", help="Print this rung's source instead.")] = None,
    as_json: Json = False,
) -> None:
    """Race the article's gradient, from two loops to none and on, on this machine.

    Example: zeroloop ladder --examples 1000000 --plot ladder.png

    In Python: from zeroloop.ladder.race import made_data, race; race(*made_data(100_000, 50))
    """
    from zeroloop.ladder.race import find_rung, made_data, race, source_code
    from zeroloop.progress import Work
    from zeroloop.terminal import ProgressBar, console, show_race, styled

    if show is not None:
        print(source_code(find_rung(show)), end="")
        return
    if plot is not None:
        from zeroloop.charts import check_chart_path

        check_chart_path(plot)
    with ProgressBar() as bar:
        results = race(
            *made_data(examples, features),
            on_rung=lambda name: bar(Work(doing=f"timing {name} on {examples:,} examples")),
        )
    if plot is not None:
        from zeroloop.ladder.chart import draw

        draw(results, f"One gradient, {examples:,} examples x {features} features", plot)
    if as_json:
        print(json.dumps({"examples": examples, "features": features, "rungs": [asdict(r) for r in results]}))
        return
    show_race(results, examples, features)
    if plot is not None:
        console.print(styled("Drew ", (str(plot), "bold")))


@command
def demo(threads: Threads = None) -> None:
    """Train on the embedded flights and write model, report and predictions into the current folder.

    327,346 flights out of New York in 2013, with the weather at departure: which arrived over 15 minutes late?
    """
    from zeroloop.model import load
    from zeroloop.outputs import check_writable
    from zeroloop.tables.conflicts import check_outputs
    from zeroloop.terminal import console, styled

    model, predictions = Path("flights-model.json"), Path("flights-predictions.parquet")
    report = Path("flights-report.html")
    outputs = {"the model": model, "the report": report, "the predictions": predictions}
    for path in outputs.values():
        check_writable(path)
    with as_file(files("zeroloop") / "data" / "flights.parquet") as flights:
        check_outputs(outputs, str(flights))
        trained(str(flights), model, False, target="late", report=report, threads=threads)
        rows = predicted(load(model), str(flights), predictions, ["carrier", "origin", "dest", "late"], None, threads)
    console.print(styled("Wrote ", (str(predictions), "bold"), f": {rows:,} predictions"))
    console.print(f"Next: zeroloop summary {model}")
