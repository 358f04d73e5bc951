"""Model + table -> a file of predictions, in bounded memory; on a cluster a folder of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from zeroloop.algebra import exp, log, log1p
from zeroloop.bars import shown
from zeroloop.blocks import FloatArray
from zeroloop.csv_options import AS_FOUND, CsvOptions
from zeroloop.errors import DataError, OptionError, dask_extra, first_line
from zeroloop.estimates import reach_of
from zeroloop.model import Model
from zeroloop.progress import Progress, unheard
from zeroloop.resources import Resources
from zeroloop.scored_rows import Scored, Tally
from zeroloop.tables.conflicts import check_outputs
from zeroloop.tables.dask_data import is_dask
from zeroloop.tables.frames import column_names
from zeroloop.tables.raw import RawTable
from zeroloop.tables.read import TableLike, open_table
from zeroloop.tables.verbatim import as_they_stand, taker
from zeroloop.tables.write import check_table_path, replacing_folder, write_batches, write_to_folder

PREDICTION = "prediction"


def predict_file(
    model: Model,
    data: TableLike,
    path: str | PathLike[str],
    *,
    keep: Sequence[str] = (),
    interval: float | None = None,
    threads: int | None = None,
    scheduler: Any = None,
    csv: CsvOptions = AS_FOUND,
    progress: Progress | bool = unheard,
) -> int:
    """Write a row of predictions for each row of `data`, in order; return how many.

    The file has the columns named in `keep`, then `probability` (of the positive class; with more than two classes a
    `probability of CLASS` for each) and `prediction` (the most probable class); all are null where the model cannot
    tell (see `Model.predict_proba`). With an interval, `lower` and `upper` ends follow each probability: those of the
    predictor (or of the class's logit, by the delta method), made probabilities; null where there is no finite one.

    The workers of a cluster write a folder of Parquet files instead, whose order is that of the rows.

    Args:
        model: what predicts.
        data: a table with the model's features.
        path: ends in .parquet or .csv; an existing file is replaced in one step, at the end. On a cluster a folder,
            which ends in .parquet, that all workers and this process see; or a URI of one that is empty.
        keep: columns of `data` to copy: from CSV files their characters as they stand, an empty field as null; from
            other tables their values with their type.
        interval: confidence of an interval for each probability, such as 0.95; None for none.
        threads: None for every core.
        scheduler: of a Dask cluster whose workers read the rows and write the predictions; see `zeroloop.train`.
        csv: how CSV files are written; what it leaves open is as it was said in training.
        progress: as in `zeroloop.train`.

    Raises:
        DataError: for a column that is missing or of another type.
        OutputError: when the file cannot be written.
        OptionError: when `keep` names a column twice or one that is added; for an interval of a model without standard
            errors.

    """
    if interval is not None and not 0 < interval < 1:
        raise OptionError(f"level is {interval}; it must be between 0 and 1, such as 0.95.")
    check_outputs({"out": path}, data)
    keep = column_names(keep)
    wanted = Wanted(tuple(keep), interval)
    clash = [name for name in keep if name in (*wanted.added(model), PREDICTION) or list(keep).count(name) > 1]
    if clash:
        raise OptionError(f"keep: the predictions file would have two columns {clash[0]!r}; rename or leave out one.")
    if interval is not None:
        model.needed_estimates()
    tally = Tally()
    with shown(progress) as told:
        if scheduler is not None or is_dask(data):
            with dask_extra():
                from zeroloop.cluster.scored import write_on_cluster

            resources = Resources(threads=threads, progress=told, scheduler=scheduler, csv=csv)
            with replacing_folder(str(path)) as folder:
                write = partial(_write_part, wanted=wanted, folder=folder)
                tally = write_on_cluster(model, data, write, keep, resources)
        else:
            check_table_path(Path(path))
            table = open_table(data, model.expected(csv))
            batches = _batches(model, table, wanted, tally, threads, told)
            write_batches(batches, _schema(model, table, wanted), Path(path))
    tally.warn(model.blurred)
    return tally.rows


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a file of predictions holds beside them: columns copied, and the confidence of intervals, if any."""

    keep: tuple[str, ...]
    interval: float | None

    def added(self, model: Model) -> list[str]:
        """Return the names of the columns of probabilities."""
        return probability_columns(model, self.interval is not None)


def _write_part(table: RawTable, model: Model, wanted: Wanted, folder: str) -> Tally:
    """Write the predictions of a part of a table, on a worker; the file's name has its place among the parts."""
    tally = Tally()
    batches = _batches(model, table, wanted, tally, threads=1)
    write_to_folder(batches, _schema(model, table, wanted), folder, f"part-{table.span.first_batch:09}.parquet")
    return tally


def _schema(model: Model, table: RawTable, wanted: Wanted) -> pa.Schema:
    columns = as_they_stand(table, [name for name in wanted.keep if name in table.schema.names]) or table
    kept = [(name, columns.schema.field(name).type) for name in wanted.keep if name in table.schema.names]
    added = [*((name, pa.float64()) for name in wanted.added(model)), (PREDICTION, _levels(model).type)]
    return pa.schema([*kept, *added])


def _batches(
    model: Model,
    table: RawTable,
    wanted: Wanted,
    tally: Tally,
    threads: int | None,
    progress: Progress = unheard,
) -> Iterator[pa.RecordBatch]:
    schema = _schema(model, table, wanted)
    errors = wanted.interval is not None
    model.columns_read(table, False, wanted.keep)  # says which column is missing
    text = as_they_stand(table, wanted.keep)
    take = None if text is None else taker(text, wanted.keep)
    keep = wanted.keep if take is None else ()
    for scored in model.scored(table, keep=keep, errors=errors, threads=threads, progress=progress, tally=tally):
        if take is None:
            kept = [_copied(scored.batch, name, schema.field(name).type) for name in keep]
        else:
            kept = take(scored.batch.num_rows)
        yield pa.record_batch([*kept, *_predictions(model, scored, wanted.interval)], schema=schema)


def _copied(batch: pa.RecordBatch, name: str, data_type: pa.DataType) -> pa.Array:
    """Return a column as the file has it."""
    column = batch[name]
    if column.type == data_type:  # Arrow's own cast breaks slices of some types
        return column
    try:
        return column.cast(data_type)
    except pa.ArrowException as error:
        raise DataError(
            f"Column {name!r} holds {column.type} in some rows and {data_type} in others, which no column of a file "
            f"holds ({first_line(error)}); leave it out of keep, or convert it."
        ) from error


def probability_columns(model: Model, interval: bool = False) -> list[str]:
    """Return the names of the columns of probabilities in a file of predictions."""
    levels = model.schema.target.levels
    names = ["probability"] if len(levels) == 2 else [f"probability of {level}" for level in levels]
    return [name + end for name in names for end in ("", " lower", " upper")] if interval else names


def _levels(model: Model) -> pa.Array:
    """Return the classes as a column; whole numbers above int64 as uint64, or as fractions beside negative ones."""
    levels = model.schema.target.levels
    for data_type in (None, pa.uint64(), pa.float64()):
        try:
            return pa.array(levels, data_type)
        except (OverflowError, pa.ArrowInvalid):
            continue
    return pa.array(map(str, levels))


def _predictions(model: Model, scored: Scored, interval: float | None) -> list[pa.Array]:
    """Return the columns of probabilities, and the predictions."""
    shares = model.probabilities(scored.z)
    shown = shares[1:] if len(shares) == 2 else shares
    values = _levels(model)
    best = (shares[1] > 0.5).astype(np.int8) if len(shares) == 2 else np.argmax(shares, axis=0).astype(np.int8)
    unknown = ~scored.known
    columns = [pa.array(share, mask=unknown) for share in shown]
    if interval is not None:
        ends = _ends(shares, scored, reach_of(interval, model.needed_estimates().degrees_of_freedom))
        columns = [
            column
            for share, lower, upper in zip(columns, *ends, strict=True)
            for column in (share, pa.array(lower, mask=np.isnan(lower)), pa.array(upper, mask=np.isnan(upper)))
        ]
    return [*columns, values.take(pa.array(best, mask=unknown))]


def _ends(shares: FloatArray, scored: Scored, reach: float) -> tuple[FloatArray, FloatArray]:
    """Return the lower and upper ends of the probabilities shown, `(n_shown, rows)` each."""
    assert scored.std_err is not None
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        logit = scored.z[np.newaxis] if scored.z.ndim == 1 else log(shares) - log1p(-shares)
        off = reach * np.atleast_2d(scored.std_err)
        return 1 / (1 + exp(off - logit)), 1 / (1 + exp(-off - logit))
