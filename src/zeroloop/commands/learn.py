"""Tables in: `zeroloop train` and `zeroloop path`."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from zeroloop.choices import COVARIANCES, METHODS, MULTI_CLASS, SOLVERS, WEIGHT_TYPES
from zeroloop.commands.app import command
from zeroloop.commands.as_json import without_nan
from zeroloop.commands.csv_flags import reads_tables
from zeroloop.commands.options import (
    Categorical,
    Data,
    Dates,
    Drop,
    Features,
    Json,
    Memory,
    MissingRule,
    PenaltyFactor,
    Positive,
    Scheduler,
    SkipBadFiles,
    Spill,
    Target,
    Tests,
    Threads,
    Tol,
    Weights,
    at_least_one,
    choice,
    decimal,
    factors,
    names,
    number,
    parts,
    ranges,
    whole,
)
from zeroloop.commands.work import trained
from zeroloop.csv_options import CsvOptions


@command
@reads_tables
def train(
    data: Data,
    target: Target,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Where to save the model.")] = Path(
        "model.json"
    ),
    positive: Positive = None,
    features: Features = [],  # noqa: B006
    drop: Drop = [],  # noqa: B006
    categorical: Categorical = [],  # noqa: B006
    dates: Dates = [],  # noqa: B006
    weights: Weights = None,
    weight_type: Annotated[
        str,
        choice(
            WEIGHT_TYPES,
            "What weights mean to standard errors: frequency (so many rows like this one) or sampling (so many that "
            "were not drawn).",
        ),
    ] = "frequency",
    offset: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Column added to the predictor as it is, such as the log of an exposure."),
    ] = None,
    c: Annotated[
        str,
        typer.Option(
            "--C",
            metavar="NUMBER|inf|cv|cv-1se",
            help="Inverse strength of the penalty; inf for none; cv to choose it by cross-validation, cv-1se for the "
            "strongest within a standard error of the best.",
        ),
    ] = "1.0",
    l1_ratio: Annotated[
        float,
        typer.Option(
            parser=decimal,
            metavar="NUMBER",
            help="Share of the L1 penalty, which leaves terms out: 0 is L2 alone, 1 is L1 alone.",
        ),
    ] = 0.0,
    multi_class: Annotated[
        str, choice(MULTI_CLASS, "With more than two classes: multinomial, or ovr for each against the rest.")
    ] = "multinomial",
    penalty_factor: PenaltyFactor = [],  # noqa: B006
    bounds: Annotated[
        list[str],
        typer.Option(
            metavar="COLUMN=LOW:HIGH,...", help="Keep a column's coefficients within; they include 0, and may be inf."
        ),
    ] = [],  # noqa: B006
    method: Annotated[
        str, choice(METHODS, "Without a penalty: ml (maximum likelihood) or firth (bias-reduced, always finite).")
    ] = "ml",
    covariance: Annotated[
        str, choice(COVARIANCES, "Standard errors of an unpenalised fit: model, or robust: hc0 or hc1.")
    ] = "model",
    cluster: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Column that names which rows hang together, for cluster-robust errors."),
    ] = None,
    df: Annotated[
        str,
        typer.Option(
            "--df",
            metavar="normal|clusters|NUMBER",
            help="What p-values and intervals are taken from: normal; clusters, for t with the number of clusters less "
            "one; or t with a number of degrees of freedom.",
        ),
    ] = "normal",
    test: Tests = [],  # noqa: B006
    solver: Annotated[str, choice(SOLVERS, "How the optimum is found; auto goes by the data's shape.")] = "auto",
    tol: Tol = 1e-6,
    max_iter: Annotated[
        int | None,
        typer.Option(parser=whole, metavar="N", help="Most iterations; by default the solver's own limit."),
    ] = None,
    learning_rate: Annotated[float, typer.Option(parser=decimal, metavar="NUMBER", help="Of gradient descent.")] = 0.1,
    missing: MissingRule = "impute",
    test_fraction: Annotated[
        float | None,
        typer.Option(
            parser=decimal,
            metavar="NUMBER",
            help="Share of rows held out for the scores; by default 0.2, and 0 without a penalty (--C inf).",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(parser=whole, metavar="N", help="Chooses the rows held out.")] = 0,
    max_passes: Annotated[
        int | None,
        typer.Option(
            parser=whole,
            metavar="N",
            help="Most sweeps over the rows, the first scan counted; 2 gives the one-step estimate.",
        ),
    ] = None,
    memory: Memory = None,
    spill: Spill = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep every pass here; the same command goes on after an interruption."),
    ] = None,
    skip_bad_files: SkipBadFiles = False,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE.html", help="Write a page about the model: scores and curves too."),
    ] = None,
    threads: Threads = None,
    scheduler: Scheduler = None,
    as_json: Json = False,
    *,
    csv: CsvOptions,
) -> None:
    """Learn a model from a table, score it on rows held out, and save it.

    Example: zeroloop train flights.parquet --target late

    In Python: zeroloop.train("flights.parquet", target="late").save("model.json")
    """
    trained(
        data,
        out,
        as_json,
        target=target,
        positive=positive,
        features=names(features) or None,
        drop=names(drop),
        categorical=names(categorical),
        dates=parts(dates),
        weights=weights,
        weight_type=weight_type,
        offset=offset,
        C=number(c),
        l1_ratio=l1_ratio,
        multi_class=multi_class,
        penalty_factors=factors(penalty_factor),
        bounds=ranges(bounds),
        method=method,
        covariance=covariance,
        cluster=cluster,
        degrees_of_freedom=number(df),
        tests=[names([columns]) for columns in test],
        solver=solver,
        tol=tol,
        max_iter=max_iter,
        learning_rate=learning_rate,
        missing=missing,
        test_fraction=test_fraction,
        seed=seed,
        max_passes=max_passes,
        memory=memory,
        spill=spill,
        checkpoint=checkpoint,
        skip_bad_files=skip_bad_files,
        csv=csv,
        report=report,
        threads=threads,
        scheduler=scheduler,
    )


@command
@reads_tables
def path(
    data: Data,
    target: Target,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="Write every coefficient along the path, .csv or .parquet; - for standard output.",
        ),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the coefficients to this .png or .svg file.")
    ] = None,
    positive: Positive = None,
    features: Features = [],  # noqa: B006
    drop: Drop = [],  # noqa: B006
    categorical: Categorical = [],  # noqa: B006
    dates: Dates = [],  # noqa: B006
    weights: Weights = None,
    n: Annotated[
        int,
        typer.Option(
            "--n", parser=at_least_one, metavar="N", help="Number of values of C, from all-zero to nearly free."
        ),
    ] = 100,
    l1_ratio: Annotated[
        float,
        typer.Option(parser=decimal, metavar="NUMBER", help="Share of the L1 penalty: 0 is L2 alone, 1 is L1 alone."),
    ] = 1.0,
    penalty_factor: PenaltyFactor = [],  # noqa: B006
    tol: Tol = 1e-6,
    missing: MissingRule = "impute",
    memory: Memory = None,
    spill: Spill = None,
    skip_bad_files: SkipBadFiles = False,
    threads: Threads = None,
    scheduler: Scheduler = None,
    as_json: Json = False,
    *,
    csv: CsvOptions,
) -> None:
    """Fit a path of penalties to a table: which terms enter, in which order, and what they explain.

    Example: zeroloop path flights.parquet --target late --plot path.png

    In Python: zeroloop.path("flights.parquet", target="late").plot("path.png")
    """
    from zeroloop import paths
    from zeroloop.charts import check_chart_path
    from zeroloop.outputs import is_stdout
    from zeroloop.tables.conflicts import check_outputs
    from zeroloop.tables.write import check_table_path, write_rows
    from zeroloop.terminal import console_beside, show_path, styled
    from zeroloop.terminal_bar import ProgressBar

    console = console_beside(out, as_json)
    if plot is not None:
        check_chart_path(plot)
    if out is not None:
        check_table_path(out)
    check_outputs({"out": out, "plot": plot}, data)
    with ProgressBar() as bar:
        found = paths.path(
            data,
            target,
            positive=positive,
            features=names(features) or None,
            drop=names(drop),
            categorical=names(categorical),
            dates=parts(dates),
            weights=weights,
            Cs=n,
            l1_ratio=l1_ratio,
            penalty_factors=factors(penalty_factor),
            missing=missing,  # type: ignore[arg-type]
            tol=tol,
            memory=memory,
            spill=spill,
            skip_bad_files=skip_bad_files,
            csv=csv,
            threads=threads,
            scheduler=scheduler,
            progress=bar,
        )
    if out is not None:
        write_rows(found.to_pylist(), out)
    # All that was asked for is tried: a chart that cannot be drawn must not cost the figures.
    with ExitStack() as after:
        if plot is not None:
            after.callback(found.plot, plot)
        if as_json:
            print(json.dumps(without_nan(found.to_pylist())))
        else:
            show_path(found, console)
    if as_json:
        return
    for file in (out, plot):
        if file is not None and not is_stdout(file):
            console.print(styled("Wrote ", (str(file), "bold")))
