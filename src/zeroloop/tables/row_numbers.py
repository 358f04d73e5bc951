"""Columns that number or name the rows of a table, which a model must not learn from.

R's `write.csv` and pandas' `to_csv` put them first, under no name; a filtered pandas frame leaves its index in Parquet,
whose metadata says so; and whoever has read such a file and written it again has them under the name X or Unnamed: 0.
Tables are often sorted by class: the number of a row then tells its class.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

SAID, INDEX = b"zeroloop.said", b"zeroloop.index"
"""Keys of a schema's metadata: what a reader should know, and the columns that number or name the rows."""

FEWEST_COUNTED = 10  # rows: of fewer, a column that happens to count them is no surprise
MOST_OFFSETS = 10_000  # files of which each counts its own rows
GLANCE = 64  # values
INDEX_NAME = re.compile(r"^(?:__index_level_\d+__|Unnamed: 0(?:\.\d+)?)$")

NAMES_ROWS = "it numbers or names the rows; name it among the features to use it all the same"


def counts(value: float, each: bool) -> str:
    """Return why a column is left out that counts the rows, of each file or of all, from `value` on."""
    rows = "the rows of each file" if each else "the rows"
    return f"it counts {rows} ({value:g}, {value + 1:g}, {value + 2:g}, ...); name it among the features to use it"


def with_notes(schema: pa.Schema, said: Sequence[str], index: Sequence[str]) -> pa.Schema:
    """Return a schema that carries what a reader should know, and which columns number or name the rows."""
    return schema.with_metadata({SAID: json.dumps(list(said)), INDEX: json.dumps(list(index))})


def notes(schema: pa.Schema) -> list[str]:
    """Return what a reader of a table should know."""
    return [str(one) for one in json.loads((schema.metadata or {}).get(SAID, b"[]"))]


def index_columns(schema: pa.Schema) -> list[str]:
    """Return the columns that number or name the rows, as a file's metadata or their names say."""
    metadata = schema.metadata or {}
    named = {str(one) for one in json.loads(metadata.get(INDEX, b"[]"))}
    try:
        of_pandas = json.loads(metadata.get(b"pandas", b"{}")).get("index_columns", [])
    except (ValueError, AttributeError):  # written by something else
        of_pandas = []
    named |= {one for one in of_pandas if isinstance(one, str)}
    return [name for name in schema.names if name in named or INDEX_NAME.match(name)]


def counted_offsets(columns: NDArray[np.floating], rows: NDArray[np.int64]) -> list[frozenset[float]]:
    """Return of each column by how much it differs from the rows' indices, if it may count the rows of a few files.

    Args:
        columns: `(columns, n)`.
        rows: `(n,)`, the rows' indices in the table.

    Returns:
        Of other columns none.

    """
    offsets = columns[:, :GLANCE] - rows[:GLANCE]
    n_steps = np.count_nonzero(offsets[:, 1:] != offsets[:, :-1], axis=1)
    found = [frozenset[float]()] * len(columns)
    for j in np.flatnonzero(_may_count(n_steps, offsets.shape[1])).tolist():  # most columns are told by that glance
        of_all = columns[j] - rows
        steps = np.flatnonzero(of_all[1:] != of_all[:-1])
        if _may_count(steps.size, rows.size):
            found[j] = frozenset(of_all[np.append(0, steps + 1)].tolist())
    return found


def _may_count(n_steps: Any, n_rows: int) -> Any:
    return n_steps * FEWEST_COUNTED <= n_rows + FEWEST_COUNTED


def offsets_of_both(a: frozenset[float] | None, b: frozenset[float] | None) -> frozenset[float] | None:
    """Return the offsets of two parts of a column."""
    if a is None or b is None:
        return b if a is None else a
    return a | b if a and b and len(a | b) <= MOST_OFFSETS else frozenset()


def counted_from(offsets: frozenset[float] | None, n_rows: int, n_files: int) -> float | None:
    """Return the value of the first row, 0 or 1, of numbers that count the rows of the table, or of each of its files.

    Args:
        offsets: by how much they differ from their rows' indices in the table.
        n_rows: how many numbers there are.
        n_files: of the table.

    Returns:
        None for other numbers.

    """
    if not offsets or len(offsets) > n_files or n_rows < FEWEST_COUNTED * len(offsets):
        return None
    first = max(offsets)
    return first if first in (0.0, 1.0) else None
