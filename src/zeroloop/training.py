"""The table front door: files or a frame in, a model out."""

from __future__ import annotations

import math
import warnings
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from inspect import signature
from numbers import Integral
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from zeroloop.after_fit import attempted, save
from zeroloop.bars import shown
from zeroloop.blocks import FloatArray, TableSource
from zeroloop.choices import CV_RULES
from zeroloop.csv_options import AS_FOUND, CsvOptions
from zeroloop.errors import Interrupted, NotConvergedWarning, OptionError, ZeroloopWarning
from zeroloop.estimates import troubles
from zeroloop.fit import MAX_ITER, Fit, Options
from zeroloop.grid import CrossValidation, Grid, Rule, cross_validate, fits_wanted, hashed_folds
from zeroloop.inference.estimate import Asked, Estimated, Rows, estimate, why_none
from zeroloop.inference.firth import MOST_STEPS
from zeroloop.inference.unpenalised import SEPARATED
from zeroloop.learned import run_identity
from zeroloop.model import Model
from zeroloop.objective import Units
from zeroloop.outputs import check_writable
from zeroloop.plain_text import number_of
from zeroloop.prepared import PreparedTable, prepare_table, shape_of
from zeroloop.progress import Progress, Work, unheard
from zeroloop.resources import Resources
from zeroloop.scoring import source_scores
from zeroloop.sources.checkpoint import Checkpoint
from zeroloop.tables.conflicts import check_outputs
from zeroloop.tables.frames import column_name, column_names
from zeroloop.tables.pipes import STANDARD, is_pipe
from zeroloop.tables.raw import RawTable
from zeroloop.tables.read import TableLike
from zeroloop.tables.schema import Missing
from zeroloop.tables.sql import Sql
from zeroloop.telling import Telling
from zeroloop.training_record import SkippedFile, Training

CV_FOLDS = 5
HELD_OUT = 0.2  # of the rows, where there is a penalty


def train(
    data: TableLike,
    target: str,
    *,
    positive: Any = None,
    features: Sequence[str] | None = None,
    drop: Sequence[str] = (),
    categorical: Sequence[str] = (),
    dates: Mapping[str, str | Sequence[str]] | None = None,
    weights: str | None = None,
    weight_type: str = "frequency",
    offset: str | None = None,
    C: float | str = 1.0,
    Cs: int | Sequence[float] = 20,
    l1_ratio: float = 0.0,
    multi_class: str = "multinomial",
    penalty_factors: Mapping[str, float] | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    method: str = "ml",
    covariance: str = "model",
    cluster: str | None = None,
    degrees_of_freedom: str | float = "normal",
    tests: Sequence[str | Sequence[str]] = (),
    solver: str = "auto",
    tol: float = 1e-6,
    max_iter: int | None = None,
    learning_rate: float = 0.1,
    missing: Missing = "impute",
    test_fraction: float | None = None,
    seed: int = 0,
    max_passes: int | None = None,
    memory: str | int | None = None,
    spill: str | None = None,
    checkpoint: str | PathLike[str] | None = None,
    skip_bad_files: bool = False,
    csv: CsvOptions = AS_FOUND,
    out: str | PathLike[str] | None = None,
    report: str | PathLike[str] | None = None,
    threads: int | None = None,
    scheduler: Any = None,
    progress: Progress | bool = unheard,
) -> Model:
    """Learn a logistic regression from a table.

    The objective is `C * sum(weight * log loss) + l1_ratio ||w||_1 + (1 - l1_ratio) / 2 ||w||^2` with numeric columns
    scaled to unit variance and the intercept not penalised; of more than two classes the loss is that of softmax.
    Coefficients are reported in the columns' own units.

    Args:
        data: a path (Parquet, Arrow IPC, ORC, Avro; CSV, JSON and libsvm, packed or not), a list of paths, a folder
            (hive-partitioned or not) or a glob, each local or a URI that pyarrow or fsspec opens; a pandas or polars
            DataFrame; a pyarrow Table, RecordBatchReader or Dataset; a DuckDB relation; a Dask DataFrame. It may be
            larger than memory.
        target: the column to predict, of two or more classes.
        positive: of two classes the one whose probability is modelled; by default the greater in sorted order.
        features: columns to predict from; by default all others.
        drop: columns to leave out.
        categorical: columns to read as levels whatever their type.
        dates: by column of dates, the parts to learn from: "days" (since the first), "year", "month", "weekday", "hour"
            (levels), "month-cycle", "weekday-cycle", "hour-cycle" (sine and cosine); of times of day "hours" (since
            midnight), "hour" and "hour-cycle". By default the first, and with a penalty the levels that vary. Beside
            them, or alone, "dmy", "mdy" or "ymd" is the order of day, month and year in text, and "ymd" reads whole
            numbers such as 20241231.
        weights: a column of row weights.
        weight_type: what they mean to standard errors: "frequency" (so many rows like this one, so that a weight of 2
            is a row given twice) or "sampling" (the row stands for so many of a population it was drawn from: the
            coefficients are the same, their errors those of the rows that were drawn, and likelihoods are none).
        offset: a column that is added to the predictor as it is, such as the logarithm of an exposure; its
            coefficient is 1.
        C: inverse strength of the penalty; `float("inf")` for none, which also makes the first level of each
            categorical column the reference, as in R. "cv" chooses it by cross-validation over five folds of the
            training rows, for the least log loss; "cv-1se" takes the strongest penalty within a standard error of it.
        Cs: values of C that "cv" tries, or how many, spread as `zeroloop.logistic_path` does.
        l1_ratio: share of the L1 penalty: 0 is L2 alone, 1 is L1 alone, which leaves terms out.
        multi_class: with more than two classes "multinomial" (softmax) or "ovr" (each against the rest).
        penalty_factors: by column, multiplies its terms' penalty; 0 leaves them unpenalised.
        bounds: by column, (lower, upper) within which its terms' coefficients stay; they include 0.
        method: without a penalty, "ml" (maximum likelihood) or "firth" (bias-reduced, finite also where a column
            separates the classes; for two classes; `C` is then taken for infinite).
        covariance: of the coefficients of an unpenalised fit: "model", or, right also where the model is not, "hc0" or
            "hc1".
        cluster: a column that names which rows hang together; their errors may then be alike. It is a feature only if
            `features` names it.
        degrees_of_freedom: what p-values and intervals are taken from: "normal"; "clusters" for Student's t with the
            number of clusters less one, for few of them (of sampling weights without clusters, of rows less one); or
            t with a number of your own.
        tests: for each, a column, or several together: are all its coefficients zero? By Wald and likelihood ratio.
        solver: "auto", "newton", "sampled-newton", "newton-cg", "lbfgs", "gradient-descent", "proximal-newton" or
            "coordinate-descent"; see `zeroloop.auto.choose_solver`.
        tol: stop at `max |gradient of the mean objective| <= tol`, for columns scaled to unit variance.
        max_iter: most iterations; None for the solver's own limit.
        learning_rate: of gradient descent.
        missing: "impute" (numbers: the mean, and a term that says so; levels: one of their own), "drop"
            (only rows with a value in every column that the model uses: features that make terms, target, weights,
            offset and cluster, as R's `glm`; `model.training.gaps` says for which columns rows went) or "error".
        test_fraction: share of the rows held out for honest scores, chosen by a hash of the row's index. None for 0.2,
            and without a penalty for 0: estimates, their errors and p-values are then of all rows.
        seed: of that hash, and of the rows that sampled-newton samples.
        max_passes: most sweeps over the rows, the scan counted; 2 gives the one-step estimate, a sample's optimum and
            one Newton step from it. None for as many as it takes.
        memory: most bytes of rows to hold in memory, or text such as "4GiB"; None for half of what the machine or the
            container has. It changes no bit of the model.
        spill: folder of the file that rows beyond `memory` are kept in, encoded; "none" to decode them again in each
            pass; None for the system's temporary folder.
        checkpoint: a folder in which every pass is kept: a run that was interrupted or killed, started again with the
            same arguments, goes on from there, to the same bits.
        skip_bad_files: whether files that cannot be read, or have other columns, are left out instead of an error.
        csv: how CSV files are written, where that is not found, and which words stand for missing values in a table of
            any kind; see `zeroloop.CsvOptions`. The model keeps it for what it predicts from.
        out: where to save the model as soon as there is one: before anything is warned of, and before the report; see
            `zeroloop.Model.save`.
        report: where to write a page about the model, .html; see `zeroloop.report.page.report`.
        threads: None for every core. Any number gives the same bits.
        scheduler: of a Dask cluster, such as "tcp://host:8786" or a `distributed.Client`: its workers read the rows,
            which they must see under the same paths, and keep them, each within `memory` and with a `spill` folder of
            its own. The model has the same bits. A Dask DataFrame goes to the client there is.
        progress: True for a bar, in a notebook's cell or on a terminal, once work takes more than a second; or a
            function that is told how the work goes on (`zeroloop.progress.Work`).

    Raises:
        DataError: for data that cannot be used as asked, naming file, column, row or value.
        OptionError: for an option out of its range.
        OutputError: when a file cannot be written where it was asked for, or what is read would be written over.
        CheckpointError: when the checkpoint is of other data, options or versions.
        ClusterError: when the scheduler does not answer, a worker has other versions, or the cluster is lost.
        Interrupted: on Ctrl-C, a KeyboardInterrupt that says what was kept.

    Warns:
        ZeroloopWarning: for columns left out, columns that repeat others, and a likelihood without a maximum.
        NotConvergedWarning: when the solver stopped before the optimum.

    """
    named = tuple(tuple(column_names([one] if isinstance(one, str | Integral) else one)) for one in tests)
    seed = plain(seed)
    target, weights, offset, cluster = map(column_name, (target, weights, offset, cluster))
    features, drop, categorical = map(column_names, (features, drop, categorical))
    parts = {
        column_name(name): [words] if isinstance(words, str) else list(words) for name, words in (dates or {}).items()
    }
    arguments = locals() | {"tests": named, "dates": parts}
    asked_for = {name: plain(arguments[name]) for name in REPRODUCED}
    asked_for = {name: value for name, value in asked_for.items() if value not in (plain(DEFAULTS[name]), [], {})}
    if out is not None:
        check_writable(Path(out))
    if report is not None:
        from zeroloop.report.page import check_page_path  # loads what draws and fills templates

        check_page_path(Path(report))
    check_outputs({"out": out, "report": report}, data, checkpoint=checkpoint)
    if method == "firth":
        if C not in (1.0, math.inf):
            raise OptionError(f"C is {C}, but method='firth' has a penalty of its own; leave C out.")
        C = math.inf
    rule = CV_RULES.get(C) if isinstance(C, str) else None
    if isinstance(C, str) and rule is None:
        raise OptionError(f"C is {C!r}; it must be a number above 0, or one of {', '.join(CV_RULES)}.")
    options = Options(
        C=1.0 if rule else float(C),
        l1_ratio=l1_ratio,
        solver=solver,
        tol=tol,
        max_iter=max_iter,
        learning_rate=learning_rate,
        multi_class=multi_class,
        max_passes=max_passes,
    )
    if test_fraction is None:
        test_fraction = 0.0 if math.isinf(options.C) else HELD_OUT
    asked: dict[str, Any] = {
        "penalty_factors": {column_name(name): factor for name, factor in (penalty_factors or {}).items()},
        "bounds": {column_name(name): list(ends) for name, ends in (bounds or {}).items()},
    }
    roles = {
        "target": target,
        "positive": column_name(positive),
        "features": None if features is None else list(features),
        "drop": list(drop),
        "categorical": list(categorical),
        "dates": parts,
        "weights": weights,
        "offset": offset,
        "cluster": cluster,
        "missing": missing,
        "test_fraction": test_fraction,
        "seed": seed,
    }
    inferred = Asked(
        method=method,
        covariance=covariance,
        clustered=cluster is not None,
        weights=weight_type if weights is not None else None,
        tests=named,
        degrees_of_freedom=degrees_of_freedom,
    )
    inference = {
        "covariance": covariance != "model",
        "cluster": cluster is not None,
        "tests": bool(named),
        "degrees_of_freedom": degrees_of_freedom != "normal",
    }
    if any(inference.values()) and not math.isinf(options.C):
        what = next(name for name, given in inference.items() if given)
        raise OptionError(
            f"{what}: a penalised fit (C = {C}) has no standard errors; add C = inf, or leave {what} out."
        )
    kept: Checkpoint | None = None

    def open_checkpoint(table: RawTable) -> Checkpoint:
        nonlocal kept
        assert checkpoint is not None
        how = (
            roles
            | asked
            | asdict(options)
            | {
                "csv": csv.given(),
                "sql": _query(data),
                "C": C,
                "Cs": int(Cs) if isinstance(Cs, Integral) else np.asarray(Cs, dtype=np.float64).tolist(),
            }
        )
        kept = Checkpoint(Path(checkpoint), run_identity(table, {name: str(value) for name, value in how.items()}))
        return kept

    try:
        with shown(progress) as told:
            table = prepare_table(
                data,
                **roles,
                reference=math.isinf(options.C),
                resources=Resources(
                    threads=threads,
                    memory=memory,
                    spill=spill,
                    skip_bad_files=skip_bad_files,
                    csv=csv,
                    progress=told,
                    scheduler=scheduler,
                ),
                checkpoint=None if checkpoint is None else open_checkpoint,
            )
            asked |= {"roles": roles, "arguments": asked_for}
            asked |= {"paths": _paths(data), "sql": _query(data), "csv": csv.given()}
            model, sayings = _fitted(table, options, rule, Cs, asked, inferred, told)
            if out is not None:
                save(model, Path(out))
            if kept is not None:
                sayings += attempted("The checkpoint was not marked as finished", kept.finish)
            for warning in sayings:
                warnings.warn(warning, stacklevel=2)
            if report is not None:
                told(Work(doing="writing the report"))
                write = partial(_write_report, model, table, Path(report))
                for warning in attempted("The report was not written", write):
                    warnings.warn(warning, stacklevel=2)
    except KeyboardInterrupt:
        raise Interrupted(_what_was_kept(kept)) from None
    return replace(model, origin=_origin(data, scheduler))


DEFAULTS = {name: one.default for name, one in signature(train).parameters.items()}
# What decides on a model beside the data, and how it is given on the command line: see `zeroloop.report.provenance`.
REPRODUCED = (
    "positive", "features", "drop", "categorical", "dates", "weights", "weight_type", "offset", "C", "l1_ratio",
    "multi_class", "penalty_factors", "bounds", "method", "covariance", "cluster", "degrees_of_freedom", "tests",
    "solver", "tol", "max_iter", "learning_rate", "missing", "test_fraction", "seed", "max_passes", "skip_bad_files",
    "csv",
)  # fmt: skip


def plain(value: Any) -> Any:
    """Return an argument as JSON has it: lists, dictionaries, text and Python's own numbers."""
    if isinstance(value, CsvOptions):
        return value.given()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return plain(value.tolist()) if hasattr(value, "tolist") else value


def _paths(data: TableLike) -> list[str]:
    """Return the paths that a table was named by, a pipe's as that of standard input; none of one in memory."""
    given = [data] if isinstance(data, str | PathLike) else data
    named = isinstance(given, list | tuple) and all(isinstance(one, str | PathLike) for one in given)
    return [STANDARD if is_pipe(one) else str(one) for one in given] if named else []


def _query(data: TableLike) -> str | None:
    return data.query if isinstance(data, Sql) else None


def _write_report(model: Model, table: PreparedTable, path: Path) -> None:
    from zeroloop.report.page import rows_of, write_page

    write_page(model, rows_of(table), path)


def _origin(data: TableLike, scheduler: Any) -> Callable[[], tuple[Any, Any]]:
    """Return what returns a table again, and its scheduler; of an object in memory only as long as others hold it."""
    if isinstance(data, str | PathLike | list | tuple | Sql):
        return lambda: (data, scheduler)
    try:
        held = weakref.ref(data)
    except TypeError:
        return lambda: (None, scheduler)
    return lambda: (held(), scheduler)


def _what_was_kept(kept: Checkpoint | None) -> str:
    if kept is None:
        return "Interrupted; nothing was kept. With a checkpoint folder a run can be gone on with."
    found = "the scan was not done, nothing is kept"
    if kept.has_scan:
        found = f"the scan and {number_of(kept.n_passes, 'pass')} are kept"
    return f"Interrupted; {found} in {kept.folder}. Run the same command again to go on."


def _fitted(
    table: PreparedTable,
    options: Options,
    rule: Rule | None,
    Cs: int | Sequence[float],
    asked: dict[str, Any],
    inferred: Asked,
    progress: Progress,
) -> tuple[Model, list[Warning]]:
    """Return the model, and what to warn of once it is saved."""
    schema, training, clock = table.schema, table.training, table.clock
    shape = shape_of(schema, asked["penalty_factors"], asked["bounds"])
    units = Units(schema.centre, schema.scale)
    chosen = None
    telling = Telling(table, progress)
    if rule is not None:
        grid = Grid(
            options=options,
            units=units,
            shape=shape,
            classes=schema.target.levels,
            seed=table.roles.seed,
            held=schema.held,
        )
        values = fits_wanted(training, grid, Cs)
        chosen = _cross_validated(training, grid, values, rule, telling)
        options = replace(options, C=float(chosen.Cs[chosen.chosen]))
        asked["arguments"] |= {"C": options.C}
        clock.lap("cross-validate")
    telling.passes_of(options)
    rows = Rows(
        source=training,
        schema=schema,
        labels=table.labels,
        units=units,
        shape=shape,
        seed=table.roles.seed,
        on_pass=telling.on_pass,
        on_other_pass=telling.on_other_pass,
    )
    n_outputs = schema.target.n_outputs
    reason = why_none(options, bool(asked["bounds"]), schema.n_coefs, n_outputs)
    separated = False
    if reason is None:
        found = estimate(rows, options, inferred)
    else:
        checked = rows.fit_checked(options, schema.held)
        found, separated = Estimated(checked.fit, None, reason), checked.separated
    result = found.fit
    clock.lap("fit")
    sayings: list[Warning] = []
    if separated:
        sayings.append(ZeroloopWarning(SEPARATED))
    elif not result.converged:
        sayings.append(NotConvergedWarning(result.not_converged(options.tol)))
    said = troubles(found.estimates, result.coef, schema.centre, schema.scale)
    sayings += [ZeroloopWarning(sentence) for sentence in said]
    telling.say("scoring")
    shares = table.labels.shares.tolist()
    held_out: dict[str, Any] | None = None

    def score() -> None:
        nonlocal held_out
        held_out = source_scores(table.held_out, result.coef, shares, options.multi_class)

    sayings += attempted("The rows held out were not scored", score)
    if table.held_out.n_rows:
        clock.lap("score")
    asked |= {"cross_validation": None if chosen is None else chosen.record(), "history": telling.history}
    record = _record(table, result, options, asked)
    model = Model(
        schema=schema,
        coef=result.coef,
        training=record,
        held_out=held_out,
        estimates=found.estimates,
        no_estimates=found.reason,
    )
    return model, sayings


def _cross_validated(
    training: TableSource, grid: Grid, Cs: FloatArray, rule: Rule, telling: Telling
) -> CrossValidation:
    fold_of = partial(hashed_folds, n_folds=CV_FOLDS, seed=grid.seed + 1)
    of = f"of {CV_FOLDS * Cs.size}"
    return cross_validate(
        training, grid, Cs, fold_of, CV_FOLDS, rule, lambda done: telling.say(f"cross-validating, fit {done} {of}")
    )


def _record(table: PreparedTable, result: Fit, options: Options, asked: dict[str, Any]) -> Training:
    counts, roles = table.counts, table.roles
    return Training(
        rows=counts.training,
        held_out_rows=counts.held_out,
        dropped_no_target=counts.no_target,
        dropped_incomplete=counts.incomplete,
        C=float(options.C),
        l1_ratio=float(options.l1_ratio),
        multi_class=options.multi_class,
        max_passes=options.max_passes,
        solver=result.solver,
        tol=options.tol,
        max_iter=options.max_iter or MAX_ITER.get(result.solver, MOST_STEPS),
        learning_rate=options.learning_rate,
        test_fraction=roles.test_fraction,
        seed=roles.seed,
        passes=result.passes,
        n_iter=list(result.n_iter),
        converged=result.converged,
        outcome=result.worst.outcome.value,
        loss=result.loss,
        objective=result.value,
        gradient_norm=result.worst.last.gradient_norm,
        shares=result.labels.shares.tolist(),
        seconds=table.clock.seconds,
        data=table.table.name,
        storage=table.rows.in_words(),
        skipped=[SkippedFile(path=one.path, reason=one.reason) for one in table.table.skipped],
        gaps=counts.gaps,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        version=version("zeroloop"),
        **asked,
    )
