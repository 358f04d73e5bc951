"""Model + table -> a file of predictions, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path

import numpy as np
import pyarrow as pa

from zeroloop.blocks import FloatArray
from zeroloop.errors import OptionError
from zeroloop.estimates import normal_quantile
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
    interval: float | None = None,
    threads: int | None = None,
    progress: Progress = unheard,
) -> int:
    """Write a row of predictions for each row of `data`, in order; return how many.

    The file has the columns named in `keep`, then `probability` (of the positive class; with more than two classes a
    `probability of CLASS` for each) and `prediction` (the most probable class); all are null where the model cannot
    tell (see `Model.predict_proba`). With an interval, `lower` and `upper` ends follow each probability: those of the
    predictor (or of the class's logit, by the delta method), made probabilities; null where there is no finite one.

    Args:
        model: what predicts.
        data: a table with the model's features.
        path: ends in .parquet or .csv; an existing file is replaced in one step, at the end.
        keep: columns of `data` to copy.
        interval: confidence of an interval for each probability, such as 0.95; None for none.
        threads: None for every core.
        progress: told how the work goes on.

    Raises:
        DataError: for a column that is missing or of another type.
        OutputError: when the file cannot be written.
        OptionError: when `keep` names a column twice or one that is added; for an interval of a model without standard
            errors.

    """
    if interval is not None and not 0 < interval < 1:
        raise OptionError(f"level is {interval}; it must be between 0 and 1, such as 0.95.")
    check_table_path(Path(path))
    probabilities = probability_columns(model, interval is not None)
    clash = [name for name in keep if name in (*probabilities, PREDICTION) or list(keep).count(name) > 1]
    if clash:
        raise OptionError(f"keep: the predictions file would have two columns {clash[0]!r}; rename or leave out one.")
    table = open_table(data)
    prediction_type = pa.array(model.schema.target.levels).type
    rows = 0

    def batches() -> Iterator[pa.RecordBatch]:
        nonlocal rows
        for scored in model.scored(table, keep=keep, errors=interval is not None, threads=threads, progress=progress):
            yield pa.record_batch(
                [
                    *(scored.batch[name].cast(schema.field(name).type) for name in keep),
                    *_predictions(model, scored, interval),
                ],
                schema=schema,
            )
            rows += scored.batch.num_rows

    kept = [(name, table.schema.field(name).type) for name in keep if name in table.schema.names]
    added = [*((name, pa.float64()) for name in probabilities), (PREDICTION, prediction_type)]
    schema = pa.schema([*kept, *added])
    write_batches(batches(), schema, Path(path))
    return rows


def probability_columns(model: Model, interval: bool = False) -> list[str]:
    """Return the names of the columns of probabilities in a file of predictions."""
    levels = model.schema.target.levels
    names = ["probability"] if len(levels) == 2 else [f"probability of {level}" for level in levels]
    return [name + end for name in names for end in ("", " lower", " upper")] if interval else names


def _predictions(model: Model, scored: Scored, interval: float | None) -> list[pa.Array]:
    """Return the columns of probabilities, and the predictions."""
    shares = model.probabilities(scored.z)
    shown = shares[1:] if len(shares) == 2 else shares
    values = pa.array(model.schema.target.levels)
    best = (shares[1] > 0.5).astype(np.int8) if len(shares) == 2 else np.argmax(shares, axis=0).astype(np.int8)
    unknown = ~scored.known
    columns = [pa.array(share, mask=unknown) for share in shown]
    if interval is not None:
        ends = _ends(shares, scored, normal_quantile(interval))
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
        logit = scored.z[np.newaxis] if scored.z.ndim == 1 else np.log(shares) - np.log1p(-shares)
        off = reach * np.atleast_2d(scored.std_err)
        return 1 / (1 + np.exp(off - logit)), 1 / (1 + np.exp(-off - logit))
