"""Models in: `zeroloop predict`, `evaluate`, `summary` and `report`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from zeroloop.commands.app import command
from zeroloop.commands.as_json import summary_json, without_nan
from zeroloop.commands.csv_flags import reads_tables
from zeroloop.commands.options import (
    Data,
    Json,
    Level,
    Memory,
    ModelPath,
    Scheduler,
    Spill,
    Tests,
    Threads,
    names,
)
from zeroloop.commands.work import predicted
from zeroloop.csv_options import CsvOptions
from zeroloop.errors import OptionError
from zeroloop.plain_text import number_of


@command
@reads_tables
def predict(
    model: ModelPath,
    data: Data,
    out: Annotated[
        str,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="Where to write, .parquet or .csv; - for standard output; on a cluster a folder or URI, .parquet.",
        ),
    ] = "predictions.parquet",
    keep: Annotated[list[str], typer.Option(metavar="A,B,...", help="Columns of the data to copy.")] = [],  # noqa: B006
    interval: Annotated[
        bool, typer.Option("--interval", help="Add an interval to each probability, of an unpenalised model.")
    ] = False,
    level: Level = 0.95,
    threads: Threads = None,
    scheduler: Scheduler = None,
    as_json: Json = False,
    *,
    csv: CsvOptions,
) -> None:
    """Write a probability and a prediction for each row, in bounded memory.

    Example: zeroloop predict model.json flights.parquet --out late.csv --keep carrier,dest

    In Python: zeroloop.load("model.json").predict_proba("flights.parquet")
    """
    from zeroloop.loading import load
    from zeroloop.outputs import is_stdout
    from zeroloop.tables.conflicts import check_outputs
    from zeroloop.terminal import console_beside, styled

    console = console_beside(out, as_json)
    check_outputs({"out": out}, data, models=[model])
    rows = predicted(load(model), data, out, names(keep), level if interval else None, threads, scheduler, csv)
    if as_json:
        print(json.dumps({"rows": rows, "predictions": out}))
    else:
        where = "standard output" if is_stdout(out) else out
        console.print(styled("Wrote ", (where, "bold"), f": {number_of(rows, 'prediction')}"))


@command
@reads_tables
def evaluate(
    model: ModelPath,
    data: Data,
    threads: Threads = None,
    scheduler: Scheduler = None,
    as_json: Json = False,
    *,
    csv: CsvOptions,
) -> None:
    """Score a model on labelled data, beside the base rate of its training rows.

    Example: zeroloop evaluate model.json flights.parquet

    In Python: zeroloop.evaluate(zeroloop.load("model.json"), "flights.parquet")
    """
    from zeroloop import scoring
    from zeroloop.loading import load
    from zeroloop.terminal import show_scores
    from zeroloop.terminal_bar import ProgressBar

    with ProgressBar() as bar:
        scores = scoring.evaluate(load(model), data, threads, scheduler, progress=bar, csv=csv)
    if as_json:
        print(json.dumps(without_nan(scores)))
    else:
        show_scores(scores, number_of(scores["rows"], "row"))


@command
@reads_tables
def summary(
    model: ModelPath,
    data: Annotated[
        list[str] | None,
        typer.Argument(metavar="DATA", help="The table it was trained on, for likelihood ratios and effects."),
    ] = None,
    level: Level = 0.95,
    test: Tests = [],  # noqa: B006
    effects: Annotated[
        bool, typer.Option("--effects", help="Add average marginal effects, over the rows of DATA.")
    ] = False,
    scheduler: Scheduler = None,
    as_json: Json = False,
    *,
    csv: CsvOptions,
) -> None:
    """Print how a model was found, its scores, and all its terms, with p-values where there was no penalty.

    Example: zeroloop summary model.json --test carrier

    In Python: print(zeroloop.load("model.json").summary())
    """
    from zeroloop.loading import load
    from zeroloop.summary import summarise
    from zeroloop.terminal import show_effects, show_summary, show_training

    loaded = load(model)
    if effects and not data:
        raise OptionError("effects: a model file holds no rows to average over; name the table too.")
    tests = [loaded.test(*names([columns]), data=data or None, scheduler=scheduler, csv=csv) for columns in test]
    found = summarise(loaded, level, tests)
    averaged = loaded.marginal_effects(data, level, scheduler, csv) if effects else None
    if as_json:
        said = summary_json(loaded, model, found)
        print(json.dumps(said if averaged is None else said | {"effects": without_nan(averaged.to_pylist())}))
        return
    show_training(loaded)
    show_summary(loaded, found)
    if averaged is not None:
        show_effects(averaged, level)


@command
@reads_tables
def report(
    model: ModelPath,
    data: Data,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Where to write, .html.")] = Path(
        "report.html"
    ),
    memory: Memory = None,
    spill: Spill = None,
    threads: Threads = None,
    scheduler: Scheduler = None,
    *,
    csv: CsvOptions,
) -> None:
    """Write a page about a model: scores on labelled data, curves, a threshold to move, coefficients.

    Of the table that the model was trained on, the rows held out are scored.

    Example: zeroloop report model.json flights.parquet

    In Python: zeroloop.load("model.json").report("report.html", "flights.parquet")
    """
    from zeroloop.loading import load
    from zeroloop.report.page import report as write_report
    from zeroloop.resources import Resources
    from zeroloop.tables.conflicts import check_outputs
    from zeroloop.terminal import console, styled
    from zeroloop.terminal_bar import ProgressBar

    check_outputs({"out": out}, data, models=[model])
    with ProgressBar() as bar:
        write_report(
            load(model),
            out,
            data,
            Resources(threads=threads, memory=memory, spill=spill, progress=bar, scheduler=scheduler, csv=csv),
        )
    console.print(styled("Wrote ", (str(out), "bold"), ": open it in a browser"))
