"""A table in, its rows out: scanned once, encoded, split into rows to train on and rows held out."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from zeroloop.blocks import TableSource
from zeroloop.choices import MISSING_RULES, check_choice, nearest
from zeroloop.csv_options import CsvOptions
from zeroloop.errors import BadFileError, OptionError, ZeroloopWarning, dask_extra
from zeroloop.fit import Shape, plain_shape
from zeroloop.labels import Labels, checked_labels
from zeroloop.learned import Learned, RowCounts, load_learned, save_learned
from zeroloop.progress import Work
from zeroloop.reading import RowsHere, TableRows
from zeroloop.resources import Resources
from zeroloop.sources.checkpoint import Checkpoint, Recorded
from zeroloop.sources.files import Sampled
from zeroloop.tables.alike import alike_sentences
from zeroloop.tables.complete import read_complete, with_left_out, without_empty, without_features, without_other
from zeroloop.tables.dask_data import is_dask
from zeroloop.tables.date_columns import asked_dates, find_dates, with_dates
from zeroloop.tables.expected import Expected
from zeroloop.tables.learn import learn_schema
from zeroloop.tables.left_out import left_out_sentences
from zeroloop.tables.many_files import open_files
from zeroloop.tables.missing_words import missing_words
from zeroloop.tables.raw import RawTable, Skipped
from zeroloop.tables.read import TableLike
from zeroloop.tables.roles import Roles, assign_roles
from zeroloop.tables.row_numbers import NAMES_ROWS, index_columns
from zeroloop.tables.scan import Scan
from zeroloop.tables.schema import LeftOut, Missing, Schema


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedTable:
    """A table's rows, encoded, or to be when they are first swept.

    Attributes:
        table: what is read.
        roles: of its columns.
        schema: learned from the training rows.
        counts: of its rows, by use.
        labels: of the training rows.
        training: rows to train on.
        held_out: rows held out.
        clock: seconds spent so far.
        rows: where both are kept.

    """

    table: RawTable
    roles: Roles
    schema: Schema
    counts: RowCounts
    labels: Labels
    training: TableSource
    held_out: TableSource
    clock: Clock
    rows: TableRows


def prepare_table(
    data: TableLike,
    target: str,
    *,
    positive: Any,
    features: Sequence[str] | None,
    drop: Sequence[str],
    categorical: Sequence[str],
    weights: str | None,
    missing: Missing,
    test_fraction: float,
    seed: int,
    offset: str | None = None,
    cluster: str | None = None,
    dates: Mapping[str, str | Sequence[str]] | None = None,
    reference: bool,
    resources: Resources,
    checkpoint: Callable[[RawTable], Checkpoint] | None = None,
) -> PreparedTable:
    """Read and encode a table; the arguments are those of `zeroloop.train`, and say what it says.

    `reference` is whether the first level of a categorical column has no coefficient; `checkpoint` opens the one of
    this table, which the scan is read from or kept in.
    """
    if not 0 <= test_fraction < 1:
        raise OptionError(f"test_fraction is {test_fraction}; it must be at least 0 and below 1.")
    check_choice("missing", missing, MISSING_RULES)
    if not 0 <= seed < 2**63:
        raise OptionError(f"seed is {seed}; it must be a whole number of at least 0.")
    rows = _rows(data, resources)
    expected = Expected(csv=resources.csv, levels=frozenset(categorical))
    table = rows.open(data, expected)
    asked = asked_dates(dates, features, drop, table.schema.names)
    roles = assign_roles(
        table.schema.names,
        target=target,
        features=asked.features,
        drop=asked.drop,
        categorical=categorical,
        weights=weights,
        offset=offset,
        cluster=cluster,
        missing=missing,
        test_fraction=test_fraction,
        seed=seed,
    )
    index = [] if roles.named else [name for name in index_columns(table.schema) if name in roles.features]
    index = [name for name in index if name not in (roles.offset, *roles.categorical, *asked.parts)]
    roles = without_features(roles, index)
    look = partial(rows.look, table)
    found, said = find_dates(table.schema, roles, asked, days_only=reference, look=look, again=table.again)
    for sentence in said:
        warnings.warn(f"{sentence[0].upper()}{sentence[1:]}.", ZeroloopWarning, stacklevel=3)
    roles = with_dates(roles, found, table.schema.names, asked.parts)
    roles, of_other_types = without_other(table, without_empty(table, roles))
    clock = Clock()
    kept = None if checkpoint is None else checkpoint(table)
    learned = None if kept is None or not table.files else load_learned(kept)
    if learned is None:
        read = partial(_read_all, rows=rows, skip_bad_files=resources.skip_bad_files, expected=expected)
        table, roles, scanned, incomplete = read_complete(table, roles, read)
        set_aside = [*of_other_types, *incomplete]
        set_aside += [LeftOut(name, NAMES_ROWS) for name in index]
        clock.lap("read")
        resources.progress(Work(doing="encoding"))
        schema = learn_schema(
            scanned, roles, None if positive is None else str(positive), reference, n_files=max(1, len(table.files))
        )
        schema = with_left_out(schema, set_aside, table.schema.names, found)
        learned = _learned(scanned, schema, rows.sampled(schema), table.skipped, set_aside)
        if kept is not None:
            save_learned(kept, learned, compare=not table.files)
    else:
        if learned.skipped:
            table = _without(table, {one.path: one.reason for one in learned.skipped}, expected)
        roles = without_features(roles, learned.set_aside)
        rows.read_again(table, roles, learned.schema)
        clock.lap("read")
    for sentence in left_out_sentences(learned.schema.left_out):
        warnings.warn(sentence, ZeroloopWarning, stacklevel=3)
    _warn_of_words(learned.schema, resources.csv)
    for sentence in alike_sentences(learned.schema):
        warnings.warn(sentence, ZeroloopWarning, stacklevel=3)
    for one in learned.skipped:
        warnings.warn(f"Skipped {one.path}: {one.reason}", ZeroloopWarning, stacklevel=3)
    training, held_out = rows.sources(learned)
    clock.lap("encode")
    if kept is not None:
        training = Recorded(training, kept)
    labels = checked_labels(learned.labels, learned.schema.target.levels)
    return PreparedTable(
        table=table,
        roles=roles,
        schema=learned.schema,
        counts=learned.counts,
        labels=labels,
        training=training,
        held_out=held_out,
        clock=clock,
        rows=rows,
    )


def _warn_of_words(schema: Schema, csv: CsvOptions) -> None:
    """Say which levels are missing values in CSV files, where they are not missing here."""
    words = set(missing_words(csv.na, csv.not_na).text)
    levels = {column.name: column.levels for column in schema.categorical} | {schema.target.name: schema.target.levels}
    for name, known in levels.items():
        found = ", ".join(repr(level) for level in known if level in words)
        if found:
            warnings.warn(
                f"Column {name!r} holds {found}, missing in a CSV file and a level here: --na counts such a word as "
                "missing, --not-na as a level everywhere.",
                ZeroloopWarning,
                stacklevel=4,
            )


def _rows(data: TableLike, resources: Resources) -> TableRows:
    """Return where a table's rows are to be."""
    if resources.scheduler is None and not is_dask(data):
        return RowsHere(resources)
    with dask_extra():
        from zeroloop.cluster.rows import RowsOnCluster

    return RowsOnCluster(resources)


def shape_of(schema: Schema, penalty_factors: Mapping[str, float], bounds: Mapping[str, tuple[float, float]]) -> Shape:
    """Return the shape of the penalty that a table's columns ask for.

    Raises:
        OptionError: for a name that makes no term, and for factors and bounds out of their range.

    """
    shape = plain_shape(schema.scale)
    column = np.array(schema.columns_of_terms, dtype=object)
    for option, names in (("penalty_factors", penalty_factors), ("bounds", bounds)):
        for name in names:
            free = [feature for feature in schema.features if feature != schema.offset]
            if name not in (*free, *schema.parts):
                raise OptionError(f"{option}: {name!r} is no column that makes terms{nearest(name, free, 'these do:')}")
    for name, factor in penalty_factors.items():
        shape.factor[np.isin(column, schema.made_of([name]))] = factor
    for name, (lower, upper) in bounds.items():
        mine = np.isin(column, schema.made_of([name]))
        shape.lower[mine], shape.upper[mine] = lower, upper
    return replace(shape)  # checks them


def _read_all(
    table: RawTable, roles: Roles, *, rows: TableRows, skip_bad_files: bool, expected: Expected
) -> tuple[RawTable, Scan]:
    """Read a table, and where bad files are to be left out, read it again without them."""
    while True:
        try:
            return table, rows.read(table, roles)
        except BadFileError as error:
            if not skip_bad_files or not table.files:
                raise
            table = _without(table, rows.bad_files(error), expected)


def _without(table: RawTable, bad: Mapping[str, str], expected: Expected) -> RawTable:
    files = [file for file in table.files if file.path not in bad]
    skipped = (*table.skipped, *(Skipped(path, reason) for path, reason in bad.items()))
    if not files:
        path, reason = next(iter(bad.items()))
        raise BadFileError(path, f"{reason} No other file is left.")
    left = open_files(files, table.name, expected, skip_bad_files=False)
    return replace(left, skipped=tuple({one.path: one for one in skipped}.values()))


def _learned(
    scanned: Scan, schema: Schema, sampled: Sampled | None, skipped: Sequence[Skipped], set_aside: Sequence[LeftOut]
) -> Learned:
    levels = schema.target.levels
    measured = scanned.measured.total()
    labels = Labels(
        np.array([measured.classes.get(level, 0.0) for level in levels], dtype=np.float64),
        tuple(scanned.class_rows[level] for level in levels),
    )
    gaps = dict(scanned.gaps.most_common())
    counts = RowCounts(
        training=scanned.n_training,
        held_out=scanned.n_held_out,
        no_target=scanned.n_no_target,
        incomplete=scanned.n_incomplete,
        gaps=gaps,
    )
    n_stored = sum(sparse.n_stored for sparse in measured.sparse.values())
    return Learned(
        schema=schema,
        counts=counts,
        labels=labels,
        n_stored=n_stored,
        sampled=sampled,
        skipped=tuple(skipped),
        set_aside=tuple(one.name for one in set_aside),
    )


@dataclass(slots=True)
class Clock:
    """Seconds between laps, by name."""

    last: float = field(default_factory=time.perf_counter)
    seconds: dict[str, float] = field(default_factory=dict)

    def lap(self, name: str) -> None:
        """Name what was done since the last lap."""
        now = time.perf_counter()
        self.seconds[name] = now - self.last
        self.last = now
