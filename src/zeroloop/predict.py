"""Model + table -> a file of predictions, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path

import numpy as np
import pyarrow as pa

from zeroloop.errors import OptionError
from zeroloop.model import Model, Scored
from zeroloop.progress import Progress, unheard
from zeroloop.tables.read import TableLike, open_table
from zeroloop.tables.write import check_table_path, write_batches

PREDICTION = "prediction"


def predict_file(
    model: Model,
    data: TableLike,
    path: str | PathLike[str],
    *,
    keep: Sequence[str] = (),
    threads: int | None = None,
    progress: Progress = unheard,
) -> int:
    """Write a row of predictions for each row of `data`, in order; return how many.

    The file has the columns named in `keep`, then `probability` (of the positive class; with more than two classes a
    `probability of CLASS` for each) and `prediction` (the most probable class); all are null where the model cannot
    tell (see `Model.predict_proba`).

    Args:
        model: what predicts.
        data: a table with the model's features.
        path: ends in .parquet or .csv; an existing file is replaced in one step, at the end.
        keep: columns of `data` to copy.
        threads: None for every core.
        progress: told how the work goes on.

    Raises:
        DataError: for a column that is missing or of another type.
        OutputError: when the file cannot be written.
        OptionError: when `keep` names a column twice or one that is added.

    """
    check_table_path(Path(path))
    probabilities = probability_columns(model)
    clash = [name for name in keep if name in (*probabilities, PREDICTION) or list(keep).count(name) > 1]
    if clash:
        raise OptionError(f"keep: the predictions file would have two columns {clash[0]!r}; rename or leave out one.")
    table = open_table(data)
    prediction_type = pa.array(model.schema.target.levels).type
    rows = 0

    def batches() -> Iterator[pa.RecordBatch]:
        nonlocal rows
        for scored in model.scored(table, keep=keep, threads=threads, progress=progress):
            yield pa.record_batch(
                [
                    *(scored.batch[name].cast(schema.field(name).type) for name in keep),
                    *_predictions(model, scored),
                ],
                schema=schema,
            )
            rows += scored.batch.num_rows

    kept = [(name, table.schema.field(name).type) for name in keep if name in table.schema.names]
    added = [*((name, pa.float64()) for name in probabilities), (PREDICTION, prediction_type)]
    schema = pa.schema([*kept, *added])
    write_batches(batches(), schema, Path(path))
    return rows


def probability_columns(model: Model) -> list[str]:
    """Return the names of the columns of probabilities in a file of predictions."""
    levels = model.schema.target.levels
    return ["probability"] if len(levels) == 2 else [f"probability of {level}" for level in levels]


def _predictions(model: Model, scored: Scored) -> list[pa.Array]:
    """Return the columns of probabilities, and the predictions."""
    shares = model.probabilities(scored.z)
    shown = shares[1:] if len(shares) == 2 else shares
    values = pa.array(model.schema.target.levels)
    best = (shares[1] > 0.5).astype(np.int8) if len(shares) == 2 else np.argmax(shares, axis=0).astype(np.int8)
    unknown = ~scored.known
    return [*(pa.array(share, mask=unknown) for share in shown), values.take(pa.array(best, mask=unknown))]
