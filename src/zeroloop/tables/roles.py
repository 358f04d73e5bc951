"""What each column of a table is for, and which of its rows train, are held out, or cannot be used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from zeroloop.blocks import FloatArray
from zeroloop.choices import nearest
from zeroloop.errors import DataError, OptionError
from zeroloop.kernels import statistics
from zeroloop.kernels.totals import MOST_WEIGHT
from zeroloop.tables.columns import describe, kind_of, present, stacked, value_numbers
from zeroloop.tables.date_types import date_kind, in_words
from zeroloop.tables.schema import DateColumn, Level, Missing, sources

MOST_CLUSTER = 2**63  # whole numbers below it are clusters as they are


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """What each column of the table is for.

    Attributes:
        target: to predict.
        features: candidates for terms, in table order.
        categorical: those of them to read as levels whatever their type.
        weights: row weights, or None.
        offset: added to the predictor as it is, or None; the last of the features.
        cluster: whose rows hang together, or None.
        missing: what happens to missing values.
        needed: columns that a complete row has a value in, beside the target: those that the model uses, as R's `glm`
            and statsmodels' formulas have it (features, weights, offset and cluster); empty unless rows are dropped.
        test_fraction: share of rows held out, by a hash of their index.
        seed: of that hash.
        named: whether the features were named one by one.
        dates: columns whose parts are features, in place of them.
        asked: parts of dates that were named one by one.

    """

    target: str
    features: tuple[str, ...]
    categorical: tuple[str, ...]
    weights: str | None
    offset: str | None
    cluster: str | None
    missing: Missing
    needed: tuple[str, ...]
    test_fraction: float
    seed: int
    named: bool = False
    dates: tuple[DateColumn, ...] = ()
    asked: frozenset[str] = frozenset()

    @property
    def read(self) -> frozenset[str]:
        """Names of the columns to read."""
        others = [name for name in (self.weights, self.cluster) if name is not None]
        return frozenset([self.target, *sources(self.features, self.dates), *self.needed, *others])

    def source_of(self, feature: str) -> str:
        """Return the column of the table that a feature comes from."""
        return sources([feature], self.dates)[0]


def assign_roles(
    columns: Sequence[str],
    *,
    target: str,
    features: Sequence[str] | None,
    drop: Sequence[str],
    categorical: Sequence[str],
    weights: str | None,
    offset: str | None,
    cluster: str | None,
    missing: Missing,
    test_fraction: float,
    seed: int,
) -> Roles:
    """Check every name against the table's columns and return the roles.

    A cluster column is a feature only where `features` names it.

    Raises:
        OptionError: for a name that is no column, or one in two roles.

    """
    known = list(columns)
    for option, names in [
        ("target", [target]),
        ("features", features or []),
        ("drop", drop),
        ("categorical", categorical),
        ("weights", [weights] if weights is not None else []),
        ("offset", [offset] if offset is not None else []),
        ("cluster", [cluster] if cluster is not None else []),
    ]:
        for name in names:
            if name not in known:
                raise OptionError(f"{option}: there is no column {name!r}{nearest(name, known, 'the table has')}")
    for option, names in [("features", features or []), ("drop", drop), ("categorical", categorical)]:
        if target in names:
            raise OptionError(f"{option}: column {target!r} is the target; take it out of {option}.")
    for option, one in (("weights", weights), ("offset", offset), ("cluster", cluster)):
        if one == target:
            raise OptionError(f"{option}: column {one!r} is the target; name another column.")
        if one is not None and option != "cluster" and one in (features or ()):
            raise OptionError(f"{option}: column {one!r} is among the features too; take it out of one of them.")
    if offset is not None and offset == weights:
        raise OptionError(f"offset: column {offset!r} holds the weights; name another column.")
    not_features = {target, weights, offset, *drop}
    wanted = set(columns) - {cluster} if features is None else set(features)
    chosen = tuple(name for name in columns if name not in not_features and name in wanted)
    lost = [name for name in categorical if name not in chosen]
    if lost:
        raise OptionError(f"categorical: column {lost[0]!r} is not among the features; add it or leave it out of both.")
    if not chosen:
        raise DataError(f"No column is left to predict {target!r} from; the table has {', '.join(known)}.")
    read = chosen if offset is None else (*chosen, offset)
    used = {*read, weights, cluster}
    needed = tuple(name for name in columns if name in used) if missing == "drop" else ()
    return Roles(
        target=target,
        features=read,
        categorical=tuple(categorical),
        weights=weights,
        offset=offset,
        cluster=cluster,
        missing=missing,
        needed=needed,
        test_fraction=test_fraction,
        seed=seed,
        named=features is not None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Which rows of one batch are used, `(rows,)` each, and their target.

    Attributes:
        training, held_out, no_target, incomplete: whether a row is used so.
        gaps: rows with a target and no value in a column that a complete row has one in, by column; none left out.
        labels: index of the row's value of the target, -1 where it has none.
        classes: values of the target.

    """

    training: NDArray[np.bool_]
    held_out: NDArray[np.bool_]
    no_target: NDArray[np.bool_]
    incomplete: NDArray[np.bool_]
    gaps: dict[str, int]
    labels: NDArray[np.int32]
    classes: tuple[Level, ...]


def check_types(columns: pa.Schema, roles: Roles) -> None:
    """Check that the target, named levels and clusters are of types whose values can be told apart.

    Raises:
        DataError: naming the column and what it holds.

    """
    check_target(roles.target, columns.field(roles.target).type)
    for name in roles.categorical:
        data_type = columns.field(name).type
        if date_kind(data_type) is not None:
            raise DataError(
                f"Column {name!r} is named categorical and holds {describe(data_type)}; name parts of it in dates, "
                "such as month, which are levels."
            )
        if kind_of(data_type) in ("other", "sparse"):
            raise DataError(
                f"Column {name!r} is named categorical and holds {describe(data_type)}; levels are text, numbers or "
                "true and false: derive such a column from it."
            )
    if roles.cluster is not None:
        data_type = columns.field(roles.cluster).type
        if kind_of(data_type) in ("other", "sparse") and not _is_instant(data_type):
            raise DataError(
                f"The cluster column {roles.cluster!r} holds {describe(data_type)}; clusters are told apart by text, "
                "numbers, dates or times: derive such a column from it."
            )


def _is_instant(data_type: pa.DataType) -> bool:
    return bool(pa.types.is_temporal(data_type) and not pa.types.is_interval(data_type))


def check_target(name: str, data_type: pa.DataType) -> None:
    """Check that the values of a target can be classes.

    Raises:
        DataError: naming the column and what it holds.

    """
    if kind_of(data_type) in ("other", "sparse"):
        raise DataError(
            f"The target {name!r} holds {describe(data_type)}; classes are text, whole numbers or true and false: "
            "derive such a column from it."
        )


def split_rows(batch: pa.RecordBatch, roles: Roles, first_row: int) -> Rows:
    """Return which rows train, which are held out, and which cannot be used.

    Raises:
        DataError: for a column whose type does not fit its role.

    """
    check_types(batch.schema, roles)
    labels, classes = value_numbers(batch[roles.target], roles.target)
    no_target = labels < 0
    complete = np.ones(batch.num_rows, dtype=bool)
    gaps = {}
    for name in roles.needed:
        here = present(batch[name])
        n_gaps = int(np.sum(~here & ~no_target))
        if n_gaps:
            gaps[name] = n_gaps
            complete &= here
    usable = ~no_target & complete
    incomplete = ~no_target & ~complete
    if roles.test_fraction == 0:
        return Rows(
            training=usable,
            held_out=np.zeros_like(usable),
            no_target=no_target,
            incomplete=incomplete,
            gaps=gaps,
            labels=labels,
            classes=classes,
        )
    hashes = statistics.hash_rows(first_row, batch.num_rows, roles.seed)
    test = hashes < np.uint64(int(roles.test_fraction * 2**64))
    return Rows(
        training=usable & ~test,
        held_out=usable & test,
        no_target=no_target,
        incomplete=incomplete,
        gaps=gaps,
        labels=labels,
        classes=classes,
    )


def row_weights(batch: pa.RecordBatch, name: str | None, first_row: int, gaps: bool) -> FloatArray | None:
    """Return the rows' weights `(rows,)`, NaN where missing; None for ones.

    Args:
        batch: rows with the column of weights.
        name: the column's; None for no weights.
        first_row: index in the table of the batch's first row.
        gaps: whether weights may be missing, because such rows are dropped.

    Raises:
        DataError: for a weight that is no number from 0 to `MOST_WEIGHT`, naming column and row.

    """
    if name is None:
        return None
    if kind_of(batch.schema.field(name).type) != "numeric":
        raise DataError(f"The weights column {name!r} holds {in_words(batch[name].type)}; it must hold numbers.")
    weight: FloatArray = stacked(batch.select([name]), first_row)[0][0].astype(np.float64, copy=False)
    bad = (weight < 0) | (weight > MOST_WEIGHT) if gaps else ~((weight >= 0) & (weight <= MOST_WEIGHT))
    if np.any(bad):
        row = int(np.argmax(bad))
        missing = bool(np.isnan(weight[row]))
        limit = f" and at most {MOST_WEIGHT:g}" if weight[row] > MOST_WEIGHT else ""
        found, way = ("no value", ", or use missing='drop'") if missing else (f"{weight[row]:g}", "")
        raise DataError(
            f"The weights column {name!r} holds {found} in row {first_row + row + 1}; "
            f"a weight must be a number of at least 0 (0 leaves the row out){limit}{way}."
        )
    return weight


def row_clusters(batch: pa.RecordBatch, name: str | None, first_row: int, gaps: bool) -> NDArray[np.int64] | None:
    """Return what tells each row's cluster from all others, `(rows,)`: a whole number itself, or a hash; None for none.

    Args:
        batch: rows with the column of clusters.
        name: the column's; None for no clusters.
        first_row: index in the table of the batch's first row.
        gaps: whether clusters may be missing, because such rows are dropped; what stands for them means nothing.

    Raises:
        DataError: for a row without a cluster.

    """
    if name is None:
        return None
    column = batch[name]
    here = present(column)
    if not gaps and not np.all(here):
        raise DataError(
            f"The cluster column {name!r} has no value in row {first_row + int(np.argmin(here)) + 1}; "
            "name the cluster of every row, or use missing='drop'."
        )
    if pa.types.is_integer(column.type):
        return np.asarray(column.fill_null(0).to_numpy(zero_copy_only=False)).astype(np.int64)
    codes, values = value_numbers(column, name)
    return np.array([*map(_cluster, values), 0], dtype=np.int64)[
        codes
    ]  # -1, of a row without one, picks the last entry


def _cluster(value: Level | None) -> int:
    """Return a whole number itself, whatever its type in this batch, and a hash of anything else.

    Of 64 bits, the same in every batch: a million clusters share one with a chance of 3 in 100 million.
    """
    if isinstance(value, int | float) and abs(value) < MOST_CLUSTER and value == int(value):  # no NaN
        return int(value)
    return int.from_bytes(sha256(repr(value).encode()).digest()[:8], "little", signed=True)
