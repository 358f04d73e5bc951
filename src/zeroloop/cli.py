"""The command line: parse, call, print; exit codes.

0: done. 2: something a person can put right, said in one line on standard error. 130: interrupted.
"""

from __future__ import annotations

import json
import math
import os
import sys
import warnings
from collections.abc import Callable
from dataclasses import asdict
from functools import wraps
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated, Any

import typer

from zeroloop.errors import OptionError, ZeroloopError
from zeroloop.options import (
    Categorical,
    Data,
    Drop,
    Features,
    Json,
    Level,
    Memory,
    MissingRule,
    ModelPath,
    PenaltyFactor,
    Positive,
    SkipBadFiles,
    Spill,
    Target,
    Tests,
    Threads,
    Tol,
    Weights,
    factors,
    names,
    number,
)

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
            print(f"zeroloop: {' '.join(str(error).split()) or 'Interrupted.'}", file=sys.stderr)
            raise typer.Exit(130) from None

    app.command()(run)
    return run


@command
def train(
    data: Data,
    target: Target,
    out: Annotated[Path, typer.Option("--out", "-o", help="Where to save the model.")] = Path("model.json"),
    positive: Positive = None,
    features: Features = [],  # noqa: B006
    drop: Drop = [],  # noqa: B006
    categorical: Categorical = [],  # noqa: B006
    weights: Weights = None,
    weight_type: Annotated[
        str,
        typer.Option(
            help="What weights mean to standard errors: frequency (so many rows like this one) or sampling (so many "
            "that were not drawn)."
        ),
    ] = "frequency",
    offset: Annotated[
        str | None, typer.Option(help="Column added to the predictor as it is, such as the log of an exposure.")
    ] = None,
    c: Annotated[
        str,
        typer.Option(
            "--C",
            help="Inverse strength of the penalty; inf for none; cv to choose it by cross-validation, cv-1se for the "
            "strongest within a standard error of the best.",
        ),
    ] = "1.0",
    l1_ratio: Annotated[
        float, typer.Option(help="Share of the L1 penalty, which leaves terms out: 0 is L2 alone, 1 is L1 alone.")
    ] = 0.0,
    multi_class: Annotated[
        str, typer.Option(help="With more than two classes: multinomial, or ovr for each against the rest.")
    ] = "multinomial",
    penalty_factor: PenaltyFactor = [],  # noqa: B006
    method: Annotated[
        str,
        typer.Option(help="Without a penalty: ml (maximum likelihood) or firth (bias-reduced, always finite)."),
    ] = "ml",
    covariance: Annotated[
        str, typer.Option(help="Standard errors of an unpenalised fit: model, or robust: hc0 or hc1.")
    ] = "model",
    cluster: Annotated[
        str | None, typer.Option(help="Column that names which rows hang together, for cluster-robust errors.")
    ] = None,
    test: Tests = [],  # noqa: B006
    solver: Annotated[
        str,
        typer.Option(
            help="auto, newton, sampled-newton, newton-cg, lbfgs, gradient-descent, proximal-newton or "
            "coordinate-descent."
        ),
    ] = "auto",
    tol: Tol = 1e-6,
    max_iter: Annotated[int | None, typer.Option(help="Most iterations; by default the solver's own limit.")] = None,
    learning_rate: Annotated[float, typer.Option(help="Of gradient descent.")] = 0.1,
    missing: MissingRule = "impute",
    test_fraction: Annotated[float, typer.Option(help="Share of rows held out for the scores.")] = 0.2,
    seed: Annotated[int, typer.Option(help="Chooses the rows held out.")] = 0,
    max_passes: Annotated[
        int | None,
        typer.Option(help="Most sweeps over the rows, the first scan counted; 2 gives the one-step estimate."),
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
    as_json: Json = False,
) -> None:
    """Learn a model from a table, score it on rows held out, and save it.

    Example: zeroloop train flights.parquet --target late

    In Python: zeroloop.train("flights.parquet", target="late").save("model.json")
    """
    from zeroloop.tables.write import check_writable

    check_writable(out)
    _train(
        data,
        out,
        as_json,
        target=target,
        positive=positive,
        features=names(features) or None,
        drop=names(drop),
        categorical=names(categorical),
        weights=weights,
        weight_type=weight_type,
        offset=offset,
        C=number(c),
        l1_ratio=l1_ratio,
        multi_class=multi_class,
        penalty_factors=factors(penalty_factor),
        method=method,
        covariance=covariance,
        cluster=cluster,
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
        report=report,
        threads=threads,
    )


def _train(data: Any, out: Path, as_json: bool, **options: Any) -> None:
    from zeroloop import training
    from zeroloop.summary import summarise
    from zeroloop.terminal import STRONGEST, ProgressBar, console, show_summary, show_training

    with ProgressBar() as bar:
        model = training.train(data, progress=bar, **options)
    model.save(out)
    if as_json:
        print(json.dumps(_training_summary(model, out)))
    else:
        show_training(model)
        show_summary(model, summarise(model), STRONGEST)
        console.print(f"Saved [bold]{out}[/]")
        if options.get("report") is not None:
            console.print(f"Wrote [bold]{options['report']}[/]: open it in a browser")


def _training_summary(model: Any, out: Path) -> dict[str, Any]:
    training, schema = model.training, model.schema
    kinds: list[tuple[Any, str]] = [(schema.sparse, "sparse")] if schema.sparse is not None else []
    kinds += [(column, "numeric") for column in schema.numeric] + [(c, "categorical") for c in schema.categorical]
    return {
        "rows": training.rows_read,
        "training_rows": training.rows,
        "held_out_rows": training.held_out_rows,
        "dropped_no_target": training.dropped_no_target,
        "dropped_incomplete": training.dropped_incomplete,
        "target": {"name": schema.target.name, "classes": list(schema.target.levels), "shares": training.shares},
        "columns": [{"name": column.name, "kind": kind} for column, kind in kinds],
        "left_out": [{"name": column.name, "reason": column.reason} for column in schema.left_out],
        "C": training.C if math.isfinite(training.C) else "inf",
        "l1_ratio": training.l1_ratio,
        "multi_class": training.multi_class,
        "cross_validation": training.cross_validation,
        "solver": training.solver,
        "max_passes": training.max_passes,
        "passes": training.passes,
        "n_iter": training.n_iter,
        "converged": training.converged,
        "loss": training.loss,
        "objective": training.objective,
        "gradient_norm": training.gradient_norm,
        "storage": training.storage,
        "skipped": training.skipped,
        "seconds": training.seconds,
        "held_out": model.held_out,
        "model": str(out),
    }


@command
def path(
    data: Data,
    target: Target,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write every coefficient along the path, .csv or .parquet.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the coefficients to this .png or .svg file.")] = None,
    positive: Positive = None,
    features: Features = [],  # noqa: B006
    drop: Drop = [],  # noqa: B006
    categorical: Categorical = [],  # noqa: B006
    weights: Weights = None,
    n: Annotated[int, typer.Option("--n", min=1, help="Number of values of C, from all-zero to nearly free.")] = 100,
    l1_ratio: Annotated[float, typer.Option(help="Share of the L1 penalty: 0 is L2 alone, 1 is L1 alone.")] = 1.0,
    penalty_factor: PenaltyFactor = [],  # noqa: B006
    tol: Tol = 1e-6,
    missing: MissingRule = "impute",
    memory: Memory = None,
    spill: Spill = None,
    skip_bad_files: SkipBadFiles = False,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Fit a path of penalties to a table: which terms enter, in which order, and what they explain.

    Example: zeroloop path flights.parquet --target late --plot path.png

    In Python: zeroloop.path("flights.parquet", target="late").plot("path.png")
    """
    from zeroloop import paths
    from zeroloop.charts import check_chart_path
    from zeroloop.tables.write import check_table_path, check_writable, write_rows
    from zeroloop.terminal import ProgressBar, console, show_path

    if plot is not None:
        check_chart_path(plot)
    if out is not None:
        check_table_path(out)
        check_writable(out)
    with ProgressBar() as bar:
        found = paths.path(
            data,
            target,
            positive=positive,
            features=names(features) or None,
            drop=names(drop),
            categorical=names(categorical),
            weights=weights,
            Cs=n,
            l1_ratio=l1_ratio,
            penalty_factors=factors(penalty_factor),
            missing=missing,  # type: ignore[arg-type]
            tol=tol,
            memory=memory,
            spill=spill,
            skip_bad_files=skip_bad_files,
            threads=threads,
            progress=bar,
        )
    if out is not None:
        write_rows(found.to_pylist(), out)
    if plot is not None:
        found.plot(plot)
    if as_json:
        print(json.dumps(found.to_pylist()))
        return
    show_path(found)
    for file in (out, plot):
        if file is not None:
            console.print(f"Wrote [bold]{file}[/]")


@command
def predict(
    model: ModelPath,
    data: Data,
    out: Annotated[Path, typer.Option("--out", "-o", help="Where to write, .parquet or .csv.")] = Path(
        "predictions.parquet"
    ),
    keep: Annotated[list[str], typer.Option(metavar="A,B,...", help="Columns of the data to copy.")] = [],  # noqa: B006
    interval: Annotated[
        bool, typer.Option("--interval", help="Add an interval to each probability, of an unpenalised model.")
    ] = False,
    level: Level = 0.95,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Write a probability and a prediction for each row, in bounded memory.

    Example: zeroloop predict model.json flights.parquet --out late.csv --keep carrier,dest

    In Python: zeroloop.load("model.json").predict_proba("flights.parquet")
    """
    from zeroloop.model import load
    from zeroloop.terminal import console

    rows = _predict(load(model), data, out, names(keep), level if interval else None, threads)
    if as_json:
        print(json.dumps({"rows": rows, "predictions": str(out)}))
    else:
        console.print(f"Wrote [bold]{out}[/]: {rows:,} predictions")


def _predict(model: Any, data: Any, out: Path, keep: list[str], interval: float | None, threads: int | None) -> int:
    from zeroloop.predict import predict_file
    from zeroloop.terminal import ProgressBar

    with ProgressBar() as bar:
        return predict_file(model, data, out, keep=keep, interval=interval, threads=threads, progress=bar)


@command
def evaluate(model: ModelPath, data: Data, threads: Threads = None, as_json: Json = False) -> None:
    """Score a model on labelled data, beside the base rate of its training rows.

    Example: zeroloop evaluate model.json flights.parquet

    In Python: zeroloop.evaluate(zeroloop.load("model.json"), "flights.parquet")
    """
    from zeroloop import scoring
    from zeroloop.model import load
    from zeroloop.terminal import ProgressBar, show_scores

    with ProgressBar() as bar:
        scores = scoring.evaluate(load(model), data, threads, progress=bar)
    if as_json:
        print(json.dumps(scores))
    else:
        show_scores(scores, f"{scores['rows']:,} rows")


@command
def summary(
    model: ModelPath,
    data: Annotated[
        list[str] | None, typer.Argument(help="The table it was trained on, for likelihood ratios and effects.")
    ] = None,
    level: Level = 0.95,
    test: Tests = [],  # noqa: B006
    effects: Annotated[
        bool, typer.Option("--effects", help="Add average marginal effects, over the rows of DATA.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Print how a model was found, its scores, and all its terms, with p-values where there was no penalty.

    Example: zeroloop summary model.json --test carrier

    In Python: print(zeroloop.load("model.json").summary())
    """
    from zeroloop.model import load
    from zeroloop.summary import summarise
    from zeroloop.terminal import show_effects, show_summary, show_training

    loaded = load(model)
    if effects and not data:
        raise OptionError("effects: a model file holds no rows to average over; name the table too.")
    tests = [loaded.test(*names([columns]), data=data or None) for columns in test]
    found = summarise(loaded, level, tests)
    averaged = loaded.marginal_effects(data, level) if effects else None
    if as_json:
        said = _summary(loaded, model, found)
        print(json.dumps(said if averaged is None else said | {"effects": averaged.to_pylist()}))
        return
    show_training(loaded)
    show_summary(loaded, found)
    if averaged is not None:
        show_effects(averaged, level)


def _summary(model: Any, path: Path, found: Any) -> dict[str, Any]:
    inference = {
        "no_standard_errors": model.no_estimates,
        "fit": found.figures,
        "terms": found.terms,
        "tests": [asdict(test) for test in found.tests],
        "notes": list(found.notes),
        "level": found.level,
    }
    said: dict[str, Any] = _without_nan(inference)
    return _training_summary(model, path) | said


def _without_nan(value: Any) -> Any:
    """Return a JSON-able value with null for what is no finite number."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@command
def report(
    model: ModelPath,
    data: Data,
    out: Annotated[Path, typer.Option("--out", "-o", help="Where to write, .html.")] = Path("report.html"),
    memory: Memory = None,
    spill: Spill = None,
    threads: Threads = None,
) -> None:
    """Write a page about a model: scores on labelled data, curves, a threshold to move, coefficients.

    Of the table that the model was trained on, the rows held out are scored.

    Example: zeroloop report model.json flights.parquet

    In Python: zeroloop.load("model.json").report("report.html", "flights.parquet")
    """
    from zeroloop.model import load
    from zeroloop.prepared import Resources
    from zeroloop.report.page import report as write_report
    from zeroloop.terminal import ProgressBar, console

    with ProgressBar() as bar:
        write_report(load(model), out, data, Resources(threads, memory, spill, progress=bar))
    console.print(f"Wrote [bold]{out}[/]: open it in a browser")


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
    from zeroloop.terminal import ProgressBar, console, show_race

    if show is not None:
        print(source_code(find_rung(show)), end="")
        return
    if plot is not None:
        from zeroloop.charts import check_chart_path

        check_chart_path(plot)
    with ProgressBar() as bar:
        results = race(
            *made_data(examples, features), on_rung=lambda name: bar(Work(f"timing {name} on {examples:,} examples"))
        )
    if plot is not None:
        from zeroloop.ladder.chart import draw

        draw(results, f"One gradient, {examples:,} examples x {features} features", plot)
    if as_json:
        print(json.dumps({"examples": examples, "features": features, "rungs": [asdict(r) for r in results]}))
        return
    show_race(results, examples, features)
    if plot is not None:
        console.print(f"Drew [bold]{plot}[/]")


@command
def demo(threads: Threads = None) -> None:
    """Train on the embedded flights and write model, report and predictions into the current folder.

    327,346 flights out of New York in 2013, with the weather at departure: which arrived over 15 minutes late?
    """
    from zeroloop.model import load
    from zeroloop.tables.write import check_writable
    from zeroloop.terminal import console

    model, predictions = Path("flights-model.json"), Path("flights-predictions.parquet")
    report = Path("flights-report.html")
    check_writable(model)
    with as_file(files("zeroloop") / "data" / "flights.parquet") as flights:
        _train(str(flights), model, False, target="late", report=report, threads=threads)
        rows = _predict(load(model), str(flights), predictions, ["carrier", "origin", "dest", "late"], None, threads)
    console.print(f"Wrote [bold]{predictions}[/]: {rows:,} predictions")
    console.print(f"Next: zeroloop summary {model}")


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"zeroloop: warning: {message}", file=sys.stderr)


def main() -> None:
    """Run the command line and exit."""
    warnings.showwarning = _show_warning
    warnings.simplefilter("always", UserWarning)
    try:
        app()
    except ZeroloopError as error:
        print(f"zeroloop: error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
    except MemoryError as error:
        print(
            f"zeroloop: error: out of memory ({' '.join(str(error).split()) or 'no more can be had'}); give --memory "
            "less, or use fewer columns.",
            file=sys.stderr,
        )
        sys.exit(2)
    except BrokenPipeError:  # the reader of a pipe, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
