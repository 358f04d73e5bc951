"""Which columns or levels are to blame for separation, in words that say what the rows show and nothing else."""

from __future__ import annotations

from functools import partial

import numpy as np

from zeroloop.blocks import FloatArray, Source
from zeroloop.inference.statistics import class_columns, numeric_ranges
from zeroloop.plain_text import number_of
from zeroloop.tables.schema import Schema

MOST_NAMED = 5


def causes_of(source: Source, schema: Schema, direction: FloatArray) -> tuple[str, ...]:
    """Return what tells classes apart, in words: levels that lack a class, limits of columns; else the direction.

    Args:
        source: the rows.
        schema: of their columns.
        direction: `(n_outputs, n_coefs)`, where the likelihood goes, in the columns' own units.

    """
    causes = [*_levels(source, schema), *_numbers(source, schema)]
    return tuple(_shortened(causes) or [_combination(schema, direction)])


def _shortened(causes: list[str]) -> list[str]:
    more = len(causes) - MOST_NAMED
    return causes if more <= 0 else [*causes[:MOST_NAMED], f"and {more} more"]


def _levels(source: Source, schema: Schema) -> list[str]:
    """Return, in words, the levels whose rows lack a class."""
    classes = schema.target.levels
    zero = np.zeros(len(schema.numeric))
    counts = source.reduce(partial(class_columns, centre=zero, n_classes=len(classes)))
    terms = list(schema.terms)
    columns = np.array(schema.columns_of_terms, dtype=object)
    found = []
    for j in range(1 + len(schema.numeric) + schema.n_sparse, schema.n_coefs):
        found += _lacking(schema, terms[j], counts[:, j])
    with_gaps = {name for parts in schema.parts.values() for name in parts[1:] if f"{parts[0]} is missing" in terms}
    for column in schema.categorical:
        if column.reference and column.name not in with_gaps:  # whose rows without a date are not its first level's
            of_others = np.sum(counts[:, columns == column.name], axis=1)
            found += _lacking(schema, f"{column.name}={column.levels[0]}", counts[:, 0] - of_others)
    return found


def _lacking(schema: Schema, term: str, counts: FloatArray) -> list[str]:
    """Return, in words, which classes the rows of a level lack."""
    target, counts = schema.target, np.round(counts)
    n = int(np.sum(counts))
    if n == 0 or np.all(counts > 0):
        return []
    if np.sum(counts > 0) == 1:
        only = target.levels[int(np.argmax(counts))]
        rows = f"all {number_of(n, 'row')} with {term} have" if n > 1 else f"the one row with {term} has"
        return [f"{rows} {target.name} {only!r}"]
    lacking = [level for level, count in zip(target.levels, counts, strict=True) if count == 0]
    return [f"none of the {number_of(n, 'row')} with {term} has {target.name} {', '.join(map(repr, lacking))}"]


def _numbers(source: Source, schema: Schema) -> list[str]:
    """Return, in words, the columns of numbers of which a limit tells classes apart."""
    target, n_classes = schema.target, len(schema.target.levels)
    if not schema.numeric:
        return []
    found = source.reduce(partial(numeric_ranges, n_classes=n_classes))
    least, greatest = (part.reshape(n_classes, -1) for part in (found.least, found.greatest))
    causes = []
    for j, column in enumerate(schema.numeric):
        if column.name == schema.offset:
            continue
        for k, level in enumerate(target.levels):
            others = np.arange(n_classes) != k
            low, high = np.min(least[others, j]), np.max(greatest[others, j])
            above = least[k, j] >= high and greatest[k, j] > high
            below = greatest[k, j] <= low and least[k, j] < low
            apart = bool(least[k, j] > high if above else greatest[k, j] < low)
            if n_classes == 2 and k == 0 and apart:
                continue  # what is said of class 1, "and no others do", says it of class 0
            if above:
                causes.append(_limit(column.name, ">", float(high), float(least[k, j]), target.name, level, apart))
            elif below:
                causes.append(_limit(column.name, "<", float(low), float(greatest[k, j]), target.name, level, apart))
    return causes


def _limit(column: str, sign: str, value: float, nearest: float, target: str, level: object, strictly: bool) -> str:
    complete = ", and no others do" if strictly else ""
    return f"all rows with {column} {sign} {_between(value, nearest)} have {target} {level!r}{complete}"


def _between(value: float, nearest: float) -> str:
    """Return a limit in the fewest digits that leave the other classes' value on its side, and the class's on its own.

    With six digits "x > 1.7e+09" may be true of all rows. Where both values are the same only that itself will do.
    """
    for digits in range(6, 17):
        text = f"{value:.{digits}g}"
        limit = float(text)
        if limit == value or value < limit < nearest or nearest < limit < value:
            return text
    return f"{value!r}"


def _combination(schema: Schema, direction: FloatArray) -> str:
    """Return, in words, the strongest terms of a direction that no single column explains."""
    terms, levels = schema.terms, schema.target.levels
    strength = np.abs(direction) * schema.scale
    strength[:, 0] = 0.0
    order = [int(i) for i in np.argsort(-strength.ravel(), kind="stable") if strength.flat[i] > 0]
    named = []
    for i in order[:MOST_NAMED]:
        k, j = divmod(i, schema.n_coefs)
        sign = "+" if direction[k, j] > 0 else "-"
        named.append(f"{sign}{terms[j]}" + (f" for {levels[1 + k]!r}" if len(direction) > 1 else ""))
    more = len(order) - MOST_NAMED
    return f"a combination tells rows apart: {', '.join(named)}" + (
        f" and {number_of(more, 'more term')}" if more > 0 else ""
    )
