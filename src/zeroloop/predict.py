"""Model + table -> a file of predictions, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from os import PathLike
from pathlib import Path

import numpy as np
import pyarrow as pa

from zeroloop.errors import OptionError
from zeroloop.kernels.select import statistics
from zeroloop.model import Model, Scored
from zeroloop.tables.read import TableLike, open_table
from zeroloop.tables.write import check_table_path, write_batches

COLUMNS = ("probability", "prediction")


def predict_file(
    model: Model,
    data: TableLike,
    path: str | PathLike[str],
    *,
    keep: Sequence[str] = (),
    threads: int | None = None,
    on_rows: Callable[[int], None] = lambda rows: None,
) -> int:
    """Write a row of predictions for each row of `data`, in order; return how many.

    The file has the columns named in `keep`, then `probability` (of the positive value) and `prediction` (the
    more probable value); both are null where the model cannot tell (see `Model.predict_proba`).

    Args:
        model: what predicts.
        data: a table with the model's features.
        path: ends in .parquet or .csv; an existing file is replaced in one step, at the end.
        keep: columns of `data` to copy.
        threads: None for every core.
        on_rows: called with the number of rows done, batch by batch.

    Raises:
        DataError: for a column that is missing or of another type.
        OutputError: when the file cannot be written.
        OptionError: when `keep` names a column twice or one that is added.

    """
    check_table_path(Path(path))
    clash = [name for name in keep if name in COLUMNS or list(keep).count(name) > 1]
    if clash:
        raise OptionError(f"keep: the predictions file would have two columns {clash[0]!r}; rename or leave out one.")
    table = open_table(data)
    target = model.schema.target
    prediction_type = pa.array([target.negative, target.positive]).type
    rows = 0

    def batches() -> Iterator[pa.RecordBatch]:
        nonlocal rows
        for scored in model.scored(table, keep=keep, threads=threads):
            yield pa.record_batch(
                [
                    *(scored.batch[name].cast(schema.field(name).type) for name in keep),
                    *_predictions(model, scored),
                ],
                schema=schema,
            )
            rows += scored.batch.num_rows
            on_rows(rows)

    kept = [(name, table.schema.field(name).type) for name in keep if name in table.schema.names]
    schema = pa.schema([*kept, ("probability", pa.float64()), ("prediction", prediction_type)])
    write_batches(batches(), schema, Path(path))
    return rows


def _predictions(model: Model, scored: Scored) -> tuple[pa.Array, pa.Array]:
    known = ~np.isnan(scored.z)
    probability = statistics(scored.z.size, model.schema.n_coefs).probabilities(scored.z)[1]
    target = model.schema.target
    values = pa.array([target.negative, target.positive])
    return (
        pa.array(probability, mask=~known),
        values.take(pa.array((probability > 0.5).astype(np.int8), mask=~known)),
    )
