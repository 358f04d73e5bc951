"""A table's scan in, its frozen schema out: which columns make terms, with what levels, means and scales."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Sequence

import numpy as np

from zeroloop.errors import DataError, OptionError, ZeroloopWarning
from zeroloop.kernels.totals import out_of_range
from zeroloop.plain_text import listed, number_of
from zeroloop.tables.alike import BY, alike
from zeroloop.tables.columns import NOT_DECIMAL, fits_float32, kind_of, no_term
from zeroloop.tables.identifiers import identifier_sentence, identifiers
from zeroloop.tables.learn_dates import Learned, learn_dates
from zeroloop.tables.left_out import none_left
from zeroloop.tables.roles import Roles
from zeroloop.tables.row_numbers import counted_from, counts
from zeroloop.tables.scan import ColumnScan, Measured, Scan
from zeroloop.tables.schema import Categorical, LeftOut, Level, Numeric, Schema, SparseColumn, Target
from zeroloop.tables.stray_words import words_sentence

MOST_CLASSES = 100  # of a target
MOST_LEVELS = 1_000  # a column of text with more keeps the most frequent and pools the rest
MOST_WHOLE = 2**63  # floats from here on stay what they are
SMALLEST_IDENTIFIER = 20  # distinct values from which a column where most rows differ is taken for an identifier


def learn_schema(scanned: Scan, roles: Roles, positive: str | None, reference: bool, n_files: int) -> Schema:
    """Return the schema that a whole table's scan says.

    Args:
        scanned: the sum over all batches.
        roles: what each column is for.
        positive: the target's value that is label 1; None for the greater in sorted order.
        reference: whether the first level of a categorical column has no coefficient.
        n_files: of the table, each of which may count its rows; at least 1.

    Raises:
        DataError: for a target that has no classes, or when no feature is left.

    """
    target = _learn_target(scanned, roles, positive)
    if scanned.n_training == 0:
        raise DataError(_no_rows(scanned, roles))
    numeric: list[Numeric] = []
    categorical: list[Categorical] = []
    left_out: list[LeftOut] = []
    sparse: list[SparseColumn] = []
    offset: Numeric | None = None
    counting: dict[str, float] = {}  # from what number on columns count the rows
    measured = scanned.measured.total()
    orders = {name: column.order for name, column in scanned.columns.items()} | {roles.target: scanned.target_order}
    for name in [name for name, order in orders.items() if order.disagree]:
        warnings.warn(
            f"Column {name!r}: parts of the table have its categories in different order; its levels are sorted "
            "instead. For an order of your own, give all parts the same categories.",
            ZeroloopWarning,
            stacklevel=4,
        )
    for name, column in scanned.columns.items():
        words = words_sentence(name, column.levels) if name not in roles.categorical else None
        if words is not None:
            warnings.warn(words, ZeroloopWarning, stacklevel=4)
    if roles.offset is not None:
        offset = _learn_offset(roles.offset, scanned.columns[roles.offset], measured)
    made, dates = learn_dates(_learn_columns(scanned, roles, measured, reference), roles.dates, measured, roles.asked)
    of_dates = {name for one in dates for name in one.columns}
    for name, learned in made.items():
        if isinstance(learned, Numeric) and not roles.named and name not in of_dates:
            first = counted_from(scanned.columns[name].counted, scanned.n_training, n_files)
            if first is not None:
                counting[name] = first
                continue
        if isinstance(learned, Numeric):
            numeric.append(learned)
        elif isinstance(learned, Categorical):
            categorical.append(learned)
        elif isinstance(learned, SparseColumn):
            sparse.append(learned)
        else:
            left_out.append(learned)
    if numeric or categorical or sparse:
        several = {name: len(scanned.columns[name].counted or ()) > 1 for name in counting}
        left_out += [LeftOut(name, counts(first, several[name])) for name, first in counting.items()]
    else:  # a table of nothing else is about them
        numeric += [one for one in made.values() if isinstance(one, Numeric) and one.name in counting]
    if not numeric and not categorical and not sparse:
        raise DataError(none_left(roles.target, left_out))
    if not roles.named:
        whole = {one.name: scanned.columns[one.name].whole for one in numeric if one.name not in {*of_dates, *counting}}
        found = identifiers(whole, scanned.n_training)
        if found:
            warnings.warn(identifier_sentence(found, scanned.n_training), ZeroloopWarning, stacklevel=4)
    if offset is not None:
        numeric.append(offset)
    types = [t for column in numeric for t in scanned.columns[column.name].types]
    exact = all(not column.decimals for column in numeric)
    schema = Schema(
        numeric=tuple(numeric),
        categorical=tuple(categorical),
        left_out=tuple(left_out),
        target=target,
        weights=roles.weights,
        missing=roles.missing,
        float32=bool(types) and exact and all(fits_float32(t) for t in types),
        sparse=sparse[0] if sparse else None,
        offset=roles.offset,
        dates=dates,
    )
    _check_terms(schema)
    return schema


def _check_terms(schema: Schema) -> None:
    """Check that every term has a name of its own: coefficients are told apart by it, in a model's file too."""
    maker: dict[str, str] = {}
    for term, column in zip(schema.terms, schema.columns_of_terms, strict=True):
        if term in maker:
            first = maker[term]
            if not first:
                reason = f"the intercept has that name, so column {column!r} cannot; rename it"
            elif first == column:
                reason = f"two values of column {column!r} are written alike; correct one"
            else:
                reason = f"columns {first!r} and {column!r} both make one; rename or drop one of them"
            raise DataError(f"Two terms would be named {term!r}: {reason}.")
        maker[term] = column


def without_terms(scanned: Scan, roles: Roles) -> list[LeftOut]:
    """Return the features that make no term of rows complete in them, and why: those of one value or none among them.

    Args:
        scanned: the sum over all batches.
        roles: what each column is for.

    """
    measured = scanned.measured.total()
    learned = _learn_columns(scanned, roles, measured, False)
    for name, one in learned.items():
        if isinstance(one, Categorical) and len(one.levels) == 1:
            learned[name] = LeftOut(name, f"constant, {one.levels[0]!r} in every row that has a value")
    made, _ = learn_dates(learned, roles.dates, measured, ())
    return [one for one in made.values() if isinstance(one, LeftOut)]


def _learn_columns(scanned: Scan, roles: Roles, measured: Measured, reference: bool) -> dict[str, Learned]:
    """Return what each feature but the offset makes by itself."""
    return {
        name: _learn_column(name, column, measured, name in roles.categorical, scanned.n_training, reference)
        for name, column in scanned.columns.items()
        if name != roles.offset
    }


def _learn_offset(name: str, column: ColumnScan, measured: Measured) -> Numeric:
    if column.n_missing or name not in measured.numbers:
        n = number_of(column.n_missing, "row")
        raise DataError(f"The offset column {name!r} has no value in {n}; fill them, or use missing='drop'.")
    numbers = measured.numbers[name]
    if out_of_range(numbers.low, numbers.high) is not None:
        raise DataError(f"The offset column {name!r} holds {max(numbers.low, numbers.high, key=abs):g}; is it a logit?")
    return Numeric(
        name=name,
        mean=numbers.mean,
        scale=numbers.deviation(numbers.weight) or 1.0,
        missing=0,
        decimals=None if column.decimals == NOT_DECIMAL else column.decimals,
    )


def _no_rows(scanned: Scan, roles: Roles) -> str:
    if scanned.n_incomplete and not scanned.n_held_out:
        worst = ", ".join(f"{name} ({number_of(n, 'row')})" for name, n in scanned.gaps.most_common(3))
        return (
            f"No row has a value in every column that the model uses: all {scanned.n_incomplete:,} were dropped. Use "
            f"missing='impute', or leave out the columns with most gaps: {worst}."
        )
    return (
        f"No row is left to train on: {scanned.n_held_out:,} held out, {scanned.n_no_target:,} without "
        f"{roles.target!r}, {scanned.n_incomplete:,} incomplete. Use more rows or a smaller test fraction."
    )


def _learn_target(scanned: Scan, roles: Roles, positive: str | None) -> Target:
    name = roles.target
    values = _tidy(name, scanned.target, scanned.target_order.values)
    if not values:
        raise DataError(f"The target {name!r} has no value in any row; a target needs two.")
    if len(values) == 1:
        raise DataError(f"The target {name!r} has one value only, {values[0]!r}, in every row; a target needs two.")
    if len(values) > 2:
        shown = ", ".join(repr(value) for value in values[:3])
        if any(isinstance(value, float) for value in values):
            raise DataError(
                f"The target {name!r} holds continuous numbers ({shown}, ...; {len(values):,} values); a logistic "
                "regression predicts one of a few classes. Make such a column first: whether a limit is passed, say."
            )
        if len(values) > MOST_CLASSES:
            raise DataError(
                f"The target {name!r} has {len(values):,} values ({shown}, ...); expected at most {MOST_CLASSES} "
                "classes. Group them, or make a column that is 1 for the one of interest."
            )
        if positive is not None:
            raise OptionError(
                f"positive is {positive!r}, but the target {name!r} has {len(values)} values"
                + "".join(f" ({listed(group, 5)} differ only {BY})" for group in alike(values)[:1])
                + ", and the model gives the probability of each; leave positive out."
            )
        return Target(name, tuple(values))
    if positive is None:
        return Target(name, tuple(values))
    for one, other in (values, reversed(values)):
        if str(one) == positive or (not isinstance(one, str) and _same(one, positive)):
            return Target(name, (other, one))
    raise OptionError(
        f"positive is {positive!r}, but the target {name!r} holds {values[0]!r} and {values[1]!r}; name one."
    )


def _same(value: float, text: str) -> bool:
    if isinstance(value, bool):
        return text.casefold() in (str(value).casefold(), str(int(value)))
    try:
        return value == float(text)
    except ValueError:
        return False


def _learn_column(
    name: str, column: ColumnScan, measured: Measured, asked: bool, n_rows: int, reference: bool
) -> Learned:
    kinds = {kind_of(t) for t in column.types} - {"empty"}
    if not asked and "other" in kinds:
        worst = next(t for t in column.types if kind_of(t) == "other")
        return LeftOut(name, no_term(worst))
    if name in measured.sparse:
        sparse = measured.sparse[name]
        if not np.any(sparse.largest > 0):
            return LeftOut(name, "no value but 0 in any training row")
        for j in np.flatnonzero(sparse.largest > 0).tolist():
            why = out_of_range(0.0, float(sparse.largest[j]))
            if why is not None:
                raise DataError(f"Column {name!r}, index {j}, {why}")
        scale = np.where(sparse.largest > 0, sparse.largest, 1.0)
        return SparseColumn(name, tuple(scale.tolist()), tuple(sparse.deviations.tolist()))
    if column.n_missing == n_rows:
        return LeftOut(name, "no value in any training row")
    if "categorical" in kinds or asked:
        return _learn_levels(name, column, asked, n_rows, reference)
    numbers = measured.numbers[name]
    why = out_of_range(numbers.low, numbers.high, numbers.squares)
    if why is not None:
        raise DataError(f"Column {name!r} {why}")
    deviation = numbers.deviation(numbers.weight + measured.missing[name])
    if deviation == 0.0 and column.n_missing == 0:
        every = "in every training row" if numbers.low == numbers.high else "to rounding, in every row with weight"
        return LeftOut(name, f"constant, {numbers.mean:g} {every}")
    if numbers.low == numbers.high:
        # One value or none: the column says only whether it is there, which is what levels say.
        level = int(numbers.low) if _is_whole(numbers.low) else numbers.low
        return Categorical(
            name=name,
            levels=(level,),
            counts=(n_rows - column.n_missing,),
            other=0,
            missing=column.n_missing,
            reference=reference,
        )
    decimals = None if column.decimals == NOT_DECIMAL else column.decimals
    return Numeric(name=name, mean=numbers.mean, scale=deviation or 1.0, missing=column.n_missing, decimals=decimals)


def _learn_levels(name: str, column: ColumnScan, asked: bool, n_rows: int, reference: bool) -> Categorical | LeftOut:
    counts = column.levels
    here = n_rows - column.n_missing
    if len(counts) == 1 and column.n_missing == 0:
        return LeftOut(name, f"constant, {next(iter(counts))!r} in every training row")
    n_values = len(counts) + column.n_dropped
    if not asked and n_values >= SMALLEST_IDENTIFIER and 2 * n_values > here:
        found = f"{n_values:,} values in {number_of(here, 'row')}"
        return LeftOut(name, f"an identifier: {found}; name it categorical to use it all the same")
    levels = _tidy(name, counts, column.order.values)
    if len(levels) > MOST_LEVELS:
        by_count = sorted(levels, key=lambda level: -counts[level])  # stable: ties stay in order
        frequent = set(by_count[:MOST_LEVELS])
        levels = [level for level in levels if level in frequent]
    kept = tuple(counts[level] for level in levels)
    return Categorical(
        name=name,
        levels=tuple(levels),
        counts=kept,
        other=here - sum(kept),
        missing=column.n_missing,
        reference=reference,
    )


def _tidy(name: str, values: Iterable[Level], order: Sequence[Level] | None) -> list[Level]:
    """Return distinct values of a column in a given order, else sorted; numbers are ints where all of them are whole.

    Raises:
        DataError: for an infinite number, or a whole one of more than 64 bits, which no file of a model can hold as a
            level.

    """
    found = list(values)
    numbers = [value for value in found if isinstance(value, float)]
    for value in numbers:
        if math.isinf(value):
            raise DataError(
                f"Column {name!r} holds {value}; every number must be finite. Correct the value, or leave it empty to "
                "count as missing."
            )
    if any(isinstance(value, str) for value in found):
        found = [str(value) for value in found]
    elif not all(isinstance(value, bool) for value in found) and all(map(_is_whole, numbers)):
        found = [int(value) for value in found]
    whole = [value for value in found if isinstance(value, int)]
    if whole and not (min(whole) >= -MOST_WHOLE and max(whole) < (MOST_WHOLE if min(whole) < 0 else 2 * MOST_WHOLE)):
        raise DataError(
            f"Column {name!r} holds {max(whole, key=abs)} as a level; whole numbers of more than 64 bits are none: "
            "make it text."
        )
    place = {value: i for i, value in enumerate(order or ())}
    return sorted(found, key=place.__getitem__) if all(value in place for value in found) else sorted(found)


def _is_whole(value: float) -> bool:
    return value.is_integer() and abs(value) < MOST_WHOLE
