"""Record batch -> Draft + schema -> Block: levels as codes, gaps filled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, islice
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from zeroloop.blocks import Block
from zeroloop.choices import closest
from zeroloop.errors import DataError
from zeroloop.plain_text import listed, number_of
from zeroloop.sparse import Sparse, from_triples
from zeroloop.tables.alike import BY, like_known
from zeroloop.tables.columns import as_decimals, describe, kind_of, looked_up, value_numbers
from zeroloop.tables.dates import check_date_type, with_parts
from zeroloop.tables.draft import Draft, Interner, Layout, draft
from zeroloop.tables.left_out import MOST_NAMED
from zeroloop.tables.schema import Categorical, Level, Numeric, Schema, SparseColumn, days_to


@dataclass(frozen=True, slots=True)
class Surprises:
    """Values that training never met, counted by column; addable.

    Attributes:
        unseen: rows with a level that has no coefficient.
        filled: rows with a missing value in a column that had none.
        alike: of columns with such levels, one that looks like a known level, and that one.

    """

    unseen: Counter[str] = field(default_factory=Counter)
    filled: Counter[str] = field(default_factory=Counter)
    alike: dict[str, tuple[str, str]] = field(default_factory=dict)

    def __add__(self, other: Self) -> Surprises:
        return Surprises(self.unseen + other.unseen, self.filled + other.filled, other.alike | self.alike)

    def sentence(self) -> str | None:
        """Return the one warning that counts them; None where there is nothing to say."""
        parts = []
        if self.unseen:
            parts.append(f"levels never seen in training count as no effect: {_listed(self.unseen)}")
        for name in [name for name, _ in self.unseen.most_common(MOST_NAMED) if name in self.alike]:
            new, known = self.alike[name]
            parts.append(f"of column {name!r}, {new!r} differs from the known {known!r} only {BY}")
        if self.filled:
            parts.append(f"missing values in columns without any in training count as average: {_listed(self.filled)}")
        said = "; ".join(parts)
        return f"{said[0].upper()}{said[1:]}." if said else None


def _listed(counts: Counter[str]) -> str:
    shown = [f"{name} ({number_of(n, 'row')})" for name, n in counts.most_common(MOST_NAMED)]
    more = len(counts) - len(shown)
    return ", ".join(shown) + (f" and {number_of(more, 'more column')}" if more else "")


@dataclass(frozen=True, slots=True)
class Encoded:
    """An encoded batch: the block and what was odd about it.

    Attributes:
        block: all rows of the batch; `y` only where the target was asked for, NaN where it is missing.
        complete: `(rows,)`, whether the row has a value in every feature, and a weight where weights were read.
        surprises: what training never met.

    """

    block: Block
    complete: NDArray[np.bool_]
    surprises: Surprises


def check_columns(schema: Schema, table: pa.Schema, name: str) -> None:
    """Check that a table has the features, of the kinds they had in training.

    Raises:
        DataError: naming the column that is missing or of another type, and what holds it.

    """
    missing = [source for source in schema.sources if source not in table.names]
    if len(missing) == 1:
        near = closest(missing[0], [other for other in table.names if other not in schema.sources])
        asked = f"; did you mean {near!r}?" if near is not None else "."
        raise DataError(f"{name}: column {missing[0]!r}, which the model needs, is missing{asked}")
    if missing:
        raise DataError(f"{name}: columns {listed(missing, MOST_NAMED)}, which the model needs, are missing.")
    for date in schema.dates:
        check_date_type(date, table.field(date.name).type, name)
    sparse = () if schema.sparse is None else (schema.sparse,)
    columns: tuple[Numeric | Categorical | SparseColumn, ...] = (*schema.numeric, *sparse, *schema.categorical)
    for column in columns:
        if column.name not in schema.sources:  # a part of a date
            continue
        found = table.field(column.name).type
        if kind_of(found) == "empty":
            continue
        values = found.value_type if pa.types.is_dictionary(found) else found
        text = isinstance(column, Categorical) and isinstance(column.levels[0], str)
        kind = "sparse" if isinstance(column, SparseColumn) else "categorical" if text else "numeric"
        if kind_of(values) != kind:
            wanted = {"sparse": "maps of index to number", "categorical": "text"}.get(kind, "numbers")
            raise DataError(
                f"{name}: column {column.name!r} holds {describe(found)}, but held {wanted} in training; convert it."
            )


def encode(batch: pa.RecordBatch, schema: Schema, first_row: int, labelled: bool) -> Encoded:
    """Return a batch as a block.

    Args:
        batch: rows with the schema's features, and its target and weights if `labelled`.
        schema: frozen by training.
        first_row: index of the batch's first row in its table.
        labelled: whether to fill the block's `y` and `weight`.

    Raises:
        DataError: for an infinite number; for a missing value where the schema's rule is "error"; for a class that
            training did not know.

    """
    batch = with_parts(batch, schema.dates, first_row)
    made = draft(batch, layout_of_schema(schema, schema.weights if labelled else None), first_row)
    if labelled:
        codes, classes = value_numbers(batch[schema.target.name], schema.target.name)
        made = replace(made, labels=codes, classes=classes)
    return finish(made, schema, None)


def layout_of_schema(schema: Schema, weights: str | None, cluster: str | None = None) -> Layout:
    """Return what a draft needs to read of a table whose schema is known, and what else it is to read."""
    return Layout(
        numeric=[column.name for column in schema.numeric],
        categorical=[column.name for column in schema.categorical],
        sparse=None if schema.sparse is None else schema.sparse.name,
        weights=weights,
        cluster=cluster,
        gaps=schema.missing == "drop",
    )


@dataclass(frozen=True, slots=True)
class Lookup:
    """What the numbers of a column's values mean, each array by number, the last entry for a missing value.

    Attributes:
        coefs: index of the coefficient.
        unseen: whether it is a level that training did not know.

    """

    coefs: NDArray[np.int32]
    unseen: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Codebook:
    """What the numbers that an `Interner` gave mean to a schema.

    Attributes:
        lookups: of each column of levels.
        classes: label of each number of the target's values.

    """

    lookups: dict[str, Lookup]
    classes: NDArray[np.float32]


def codebook(schema: Schema, interner: Interner) -> Codebook:
    """Return what an interner's numbers mean; where it is frozen, the number after its values is no level."""
    lookups = {}
    for column, first in zip(schema.categorical, first_coefs(schema), strict=True):
        values = list(interner.numbers.get(column.name, {}))
        lookups[column.name] = _lookup([*values, *[None] * interner.frozen], column, first, schema.n_coefs)
    classes = _positions(list(interner.numbers.get(schema.target.name, {})), schema.target.levels)
    return Codebook(lookups, np.append(classes.astype(np.float32), np.float32(np.nan)))


def levels_only(schema: Schema) -> Interner:
    """Return an interner that knows a schema's levels and no other value."""
    known = {column.name: column.levels for column in schema.categorical} | {schema.target.name: schema.target.levels}
    return Interner({name: {v: i for i, v in enumerate(levels)} for name, levels in known.items()}, frozen=True)


def finish(draft: Draft, schema: Schema, book: Codebook | None) -> Encoded:
    """Return a draft as a block; its arrays become the block's and are changed where they lie.

    Args:
        draft: rows with the schema's columns, and perhaps others.
        schema: of the table.
        book: what codes mean; None where the draft has the values itself.

    Raises:
        DataError: for a missing value where the schema's rule is "error"; for a class that training did not know.

    """
    rows, n_coefs = draft.n_rows, schema.n_coefs
    names = tuple(column.name for column in schema.numeric)
    dtype = np.float32 if schema.float32 else np.float64
    in_place = names == draft.names and draft.numeric.dtype == dtype
    numeric = draft.numeric if in_place else np.empty((len(names), rows), dtype)
    complete = np.ones(rows, dtype=bool) if draft.weight is None else ~np.isnan(draft.weight)
    surprises = Surprises()
    coefficient = 1 + len(schema.numeric) + schema.n_sparse
    marks = []
    place = {name: at for at, name in enumerate(draft.names)}
    gaps_of = set(draft.gaps)
    origins = {name: days_to(first) for name, first in schema.origins.items()}
    others = {name for parts in schema.parts.values() for name in parts[1:]}  # the first says what is missing
    for j, column in enumerate(schema.numeric):
        at = place[column.name]
        origin = origins.get(column.name, 0.0)
        if in_place and at not in gaps_of and column.decimals is None and not column.missing and not origin:
            continue  # nothing to do, of nearly all columns of most tables
        if column.decimals is not None and draft.narrow[at]:
            numeric[j] = as_decimals(draft.numeric[at].astype(np.float64), column.decimals)
        elif origin:
            np.subtract(draft.numeric[at], origin, out=numeric[j])
        elif not in_place:
            numeric[j] = draft.numeric[at]
        met = np.flatnonzero(np.isnan(numeric[j])).astype(np.int32) if at in gaps_of else np.empty(0, np.int32)
        if met.size > 0:
            complete[met] = False
            numeric[j, met] = column.mean
            if column.name == schema.offset and schema.missing != "drop":
                row = draft.row(int(met[0])) + 1
                raise DataError(f"The offset column {column.name!r} has no value in row {row}; fill it.")
            if not column.missing and schema.missing == "impute" and column.name not in others:
                surprises.filled[column.name] += met.size
        if column.missing:
            marks.append(np.stack([met, np.full_like(met, coefficient)]))
            coefficient += 1
    codes = np.empty((len(schema.categorical), rows), np.int32)
    for row, (levels, first) in enumerate(zip(schema.categorical, first_coefs(schema), strict=True)):
        numbers_of, lookup = _coded(draft, levels, first, n_coefs, book)
        missing = numbers_of < 0
        codes[row] = looked_up(lookup.coefs, numbers_of)
        complete &= ~missing
        if np.any(lookup.unseen):
            unseen = lookup.unseen[numbers_of]
            surprises.unseen[levels.name] += int(np.sum(unseen))
            if levels.name in draft.coded and book is None:
                values = draft.values[draft.coded.index(levels.name)]
                strange = (values[code] for code in np.unique(numbers_of[unseen]))
                for pair in islice(like_known(strange, levels.levels).items(), 1):
                    surprises.alike[levels.name] = pair
        if not levels.missing and schema.missing == "impute" and levels.name not in others:
            surprises.filled[levels.name] += int(np.sum(missing))
    if schema.missing == "error" and not np.all(complete):
        at = draft.row(int(np.argmin(complete))) + 1
        raise DataError(f"Row {at} has a missing value, and the model was trained with missing='error'; fill it.")
    pairs = np.concatenate(marks, axis=1) if marks else np.empty((2, 0), np.int32)
    sparse = None if schema.sparse is None else draft.sparse  # a column of zeros alone is left out
    if schema.sparse is not None and sparse is not None:
        sparse, n_unseen = _within(sparse, schema.n_sparse)
        surprises.unseen[f"indices of {schema.sparse.name}"] += n_unseen
    block = Block(
        numeric=numeric,
        codes=codes,
        n_coefs=n_coefs,
        y=None if draft.labels is None else _labels(draft, schema, book),
        weight=draft.weight,
        cluster=draft.cluster,
        first_row=draft.first_row,
        kept=draft.kept,
        marks=np.ascontiguousarray(pairs[:, np.argsort(pairs[0], kind="stable")]),
        sparse=sparse,
    )
    return Encoded(block, complete, Surprises(+surprises.unseen, +surprises.filled, surprises.alike))


def first_coefs(schema: Schema) -> list[int]:
    """Return the index of each categorical column's first coefficient."""
    first = schema.n_coefs - sum(column.n_terms for column in schema.categorical)
    return list(accumulate((column.n_terms for column in schema.categorical[:-1]), initial=first))[
        : len(schema.categorical)
    ]


def _coded(
    draft: Draft, column: Categorical, first: int, none: int, book: Codebook | None
) -> tuple[NDArray[np.int32], Lookup]:
    """Return the number of each row's level, -1 where it is missing, and what the numbers mean."""
    if column.name not in draft.coded:  # a column of numbers of which training had but one
        j = draft.names.index(column.name)
        values = draft.numeric[j]
        level = float(column.levels[0])
        same = values == (np.float32(level) if draft.narrow[j] else level)
        return np.where(np.isnan(values), -1, np.where(same, 0, 1)).astype(np.int32), _lookup(
            [column.levels[0], None], column, first, none
        )
    k = draft.coded.index(column.name)
    lookup = _lookup(draft.values[k], column, first, none) if book is None else book.lookups[column.name]
    return draft.codes[k], lookup


def _lookup(values: Sequence[Level | None], column: Categorical, first: int, none: int) -> Lookup:
    """Return what numbers mean that stand for `values`; None among them for a level never seen."""
    positions = _positions(values, column.levels)
    n_levels = len(column.levels)
    # The coefficient of each level, then of "other" or a level never seen, then of a missing value.
    after = first + n_levels - column.reference
    of_level = np.arange(first - column.reference, after, dtype=np.int32)
    if column.reference:
        of_level[:1] = none
    of_other = after if column.other else none
    of_missing = after + (column.other > 0) if column.missing else none
    coefs = np.append(np.append(of_level, of_other)[positions], of_missing).astype(np.int32)
    unseen = (positions == n_levels) & (column.other == 0)
    return Lookup(coefs, np.append(unseen, False))


def _within(sparse: Sparse, n_columns: int) -> tuple[Sparse, int]:
    """Return sparse rows without the columns that training never met, and how many rows have such."""
    if sparse.n_columns <= n_columns:
        return replace(sparse, n_columns=n_columns), 0
    row, column, values = sparse.triples()
    kept = column < n_columns
    unseen = np.unique(row[~kept]).size
    return from_triples(row[kept], column[kept], values[kept], sparse.n_rows, n_columns), unseen


def _positions(values: Sequence[Level | None], levels: Sequence[Level]) -> NDArray[np.int64]:
    """Return each value's place among the levels, `len(levels)` for one that is not there."""
    place: dict[Level | None, int] = {level: i for i, level in enumerate(levels)}
    return np.array([place.get(value, len(levels)) for value in values], dtype=np.int64)


def _labels(draft: Draft, schema: Schema, book: Codebook | None) -> NDArray[np.float32]:
    """Return the index of each row's class, NaN where the target is missing, `(rows,)`."""
    assert draft.labels is not None
    if book is not None:
        return looked_up(book.classes, draft.labels)
    target = schema.target
    known = target.levels
    texts = [isinstance(value, str) for value in draft.classes]
    comparable = all(text == isinstance(known[0], str) for text in texts)
    positions = _positions(draft.classes, known) if comparable else np.full(len(texts), len(known))
    unknown = np.flatnonzero(positions == len(known))
    strange = [int(k) for k in unknown if np.any(draft.labels == k)]  # a dictionary may hold values of no row
    if strange:
        listed = ", ".join(repr(level) for level in known[:-1])
        new = draft.classes[strange[0]]
        near = like_known([new], known)
        differs = "".join(f", and {new!r} differs from {one!r} only {BY}" for one in near.values())
        raise DataError(
            f"The target {target.name!r} holds {new!r}; the model knows {listed} and {known[-1]!r}{differs}."
        )
    return looked_up(np.append(positions.astype(np.float32), np.float32(np.nan)), draft.labels)
