"""What each column of a table is for, and which of its rows train, are held out, or cannot be used."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from zeroloop.blocks import FloatArray
from zeroloop.errors import DataError, OptionError
from zeroloop.kernels.select import statistics
from zeroloop.tables.columns import describe, kind_of, numbers, present, value_numbers
from zeroloop.tables.schema import Level, Missing


@dataclass(frozen=True, slots=True)
class Roles:
    """What each column of the table is for.

    Attributes:
        target: to predict.
        features: candidates for terms, in table order.
        categorical: those of them to read as levels whatever their type.
        weights: row weights, or None.
        missing: what happens to missing values.
        needed: columns that a complete row has a value in. As with R's `na.omit` these are all columns, features or
            not, so that models with different features are fitted to the same rows; empty unless rows are dropped.
        test_fraction: share of rows held out, by a hash of their index.
        seed: of that hash.

    """

    target: str
    features: tuple[str, ...]
    categorical: tuple[str, ...]
    weights: str | None
    missing: Missing
    needed: tuple[str, ...]
    test_fraction: float
    seed: int

    @property
    def read(self) -> frozenset[str]:
        """Names of the columns to read."""
        return frozenset([self.target, *self.features, *self.needed, *([self.weights] if self.weights else [])])


def assign_roles(
    columns: Sequence[str],
    *,
    target: str,
    features: Sequence[str] | None,
    drop: Sequence[str],
    categorical: Sequence[str],
    weights: str | None,
    missing: Missing,
    test_fraction: float,
    seed: int,
) -> Roles:
    """Check every name against the table's columns and return the roles.

    Raises:
        OptionError: for a name that is no column, or one in two roles.

    """
    known = list(columns)
    for option, names in [
        ("target", [target]),
        ("features", features or []),
        ("drop", drop),
        ("categorical", categorical),
        ("weights", [weights] if weights else []),
    ]:
        for name in names:
            if name not in known:
                raise OptionError(f"{option}: there is no column {name!r}{_nearest(name, known)}.")
    for option, names in [("features", features or []), ("drop", drop), ("categorical", categorical)]:
        if target in names:
            raise OptionError(f"{option}: column {target!r} is the target; take it out of {option}.")
    if weights == target:
        raise OptionError(f"weights: column {weights!r} is the target; name another column.")
    not_features = {target, weights, *drop}
    chosen = tuple(name for name in columns if name not in not_features and (features is None or name in features))
    lost = [name for name in categorical if name not in chosen]
    if lost:
        raise OptionError(f"categorical: column {lost[0]!r} is not among the features; add it or leave it out of both.")
    if not chosen:
        raise DataError(f"No column is left to predict {target!r} from; the table has {', '.join(known)}.")
    needed = tuple(name for name in columns if name != target and name not in drop) if missing == "drop" else ()
    return Roles(target, chosen, tuple(categorical), weights, missing, needed, test_fraction, seed)


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"; did you mean {near[0]!r}"
    shown = ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")
    return f"; the table has {shown}"


@dataclass(frozen=True, slots=True)
class Rows:
    """Which rows of one batch are used, `(rows,)` each, and their target.

    Attributes:
        training, held_out, no_target, incomplete: whether a row is used so.
        labels: index of the row's value of the target, -1 where it has none.
        classes: values of the target.

    """

    training: NDArray[np.bool_]
    held_out: NDArray[np.bool_]
    no_target: NDArray[np.bool_]
    incomplete: NDArray[np.bool_]
    labels: NDArray[np.int32]
    classes: tuple[Level, ...]


def split_rows(batch: pa.RecordBatch, roles: Roles, first_row: int) -> Rows:
    """Return which rows train, which are held out, and which cannot be used."""
    labels, classes = value_numbers(batch[roles.target])
    no_target = labels < 0
    complete = np.ones(batch.num_rows, dtype=bool)
    for name in roles.needed:
        if not pa.types.is_null(batch.schema.field(name).type):  # a column empty throughout would drop every row
            complete &= present(batch[name])
    usable = ~no_target & complete
    incomplete = ~no_target & ~complete
    if roles.test_fraction == 0:
        return Rows(usable, np.zeros_like(usable), no_target, incomplete, labels, classes)
    hashes = statistics(batch.num_rows, batch.num_columns).hash_rows(first_row, batch.num_rows, roles.seed)
    test = hashes < np.uint64(int(roles.test_fraction * 2**64))
    return Rows(usable & ~test, usable & test, no_target, incomplete, labels, classes)


def row_weights(batch: pa.RecordBatch, name: str | None, first_row: int) -> FloatArray | None:
    """Return the rows' weights `(rows,)`; None for ones.

    Raises:
        DataError: for a weight that is no finite number of at least 0, naming column and row.

    """
    if name is None:
        return None
    if kind_of(batch.schema.field(name).type) != "numeric":
        raise DataError(f"The weights column {name!r} holds {describe(batch[name].type)}; it must hold numbers.")
    weight: FloatArray = numbers(batch[name], name, first_row)[0].astype(np.float64, copy=False)
    bad = ~(weight >= 0)
    if np.any(bad):
        row = int(np.argmax(bad))
        found = "no value" if np.isnan(weight[row]) else f"{weight[row]:g}"
        raise DataError(
            f"The weights column {name!r} holds {found} in row {first_row + row + 1}; "
            "a weight must be a number of at least 0 (0 leaves the row out)."
        )
    return weight
