"""Whether the likelihood has a maximum at all, proved by one direction, and which columns or levels are to blame.

Where rows can be told apart without doubt, coefficients grow for ever: Newton's steps shrink no more. Their sum is then
a direction that moves no row away from its own class; one pass over the rows proves that it is one. A fit whose steps
do shrink has a maximum, which its Hessian proves.

Sources: Albert and Anderson, "On the existence of maximum likelihood estimates in logistic regression models",
Biometrika, 1984; Correia, Guimarães and Zylkin, "Verifying the existence of maximum likelihood estimates for
generalized linear models", 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from zeroloop.blocks import FloatArray, Source
from zeroloop.estimates import Separation, relative
from zeroloop.inference.statistics import class_columns, margins, numeric_ranges
from zeroloop.tables.schema import Schema

ROUNDING = 1e-4  # of the largest margin: how far a direction may move rows away from their class
NONE = 1e-9  # of the fastest coefficient: what is left of it where it was taken away again
MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Direction:
    """A fit that keeps going: where it is, and where it is going.

    Attributes:
        at: `(n_outputs, n_coefs)`, coefficients about the centre.
        moved: `(n_outputs, n_coefs)`, the sum of its last steps, about the centre.

    """

    at: FloatArray
    moved: FloatArray


def find_separation(source: Source, schema: Schema, direction: Direction, growing: list[tuple[int, int]]) -> Separation:
    """Return what keeps coefficients growing.

    Args:
        source: the rows.
        schema: of their columns.
        direction: in which they grow.
        growing: (output, coefficient) of those that do, strongest first.

    """
    centre, n_rows = schema.centre, source.n_rows
    coefs = np.stack([direction.at, direction.moved])
    found = source.reduce(partial(margins, coefs=coefs, centre=centre, n_rows=n_rows))
    if found.least[0] > 0:
        kind = "complete"
    elif found.greatest[1] > 0 and found.least[1] >= -ROUNDING * found.greatest[1]:
        kind = "quasi-complete"
    else:
        kind = "suspected"
    causes = [*_levels(source, schema), *_numbers(source, schema)]
    said = _shortened(causes) or [_combination(schema, direction, growing)]
    moved = direction.moved.copy()
    moved[:, 0] -= moved[:, 1 : 1 + centre.size] @ centre
    moved[np.abs(moved) < NONE * np.max(np.abs(moved))] = 0.0
    return Separation(kind, tuple(said), tuple(relative(moved).ravel().tolist()))


def _shortened(causes: list[str]) -> list[str]:
    more = len(causes) - MOST_NAMED
    return causes if more <= 0 else [*causes[:MOST_NAMED], f"and {more} more"]


def _levels(source: Source, schema: Schema) -> list[str]:
    """Return, in words, the levels whose rows lack a class."""
    classes = schema.target.levels
    zero = np.zeros(len(schema.numeric))
    counts = source.reduce(partial(class_columns, centre=zero, n_rows=source.n_rows, n_classes=len(classes)))
    terms = list(schema.terms)
    columns = np.array(schema.columns_of_terms, dtype=object)
    found = []
    for j in range(1 + len(schema.numeric) + schema.n_sparse, schema.n_coefs):
        found += _lacking(schema, terms[j], counts[:, j])
    for column in schema.categorical:
        if column.reference:
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
        rows = f"all {n:,} rows with {term} have" if n > 1 else f"the one row with {term} has"
        return [f"{rows} {target.name} {only!r}"]
    lacking = [level for level, count in zip(target.levels, counts, strict=True) if count == 0]
    return [f"none of the {n:,} rows with {term} has {target.name} {', '.join(map(repr, lacking))}"]


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
            if n_classes == 2 and k == 0:
                continue  # what is said of class 1 is said of class 0
            if least[k, j] >= high and greatest[k, j] > low:
                causes.append(_limit(column.name, ">", float(high), target.name, level, least[k, j] > high))
            elif greatest[k, j] <= low and least[k, j] < high:
                causes.append(_limit(column.name, "<", float(low), target.name, level, greatest[k, j] < low))
    return causes


def _limit(column: str, sign: str, value: float, target: str, level: object, strictly: bool) -> str:
    complete = ", and no others do" if strictly else ""
    return f"all rows with {column} {sign} {value:g} have {target} {level!r}{complete}"


def _combination(schema: Schema, direction: Direction, growing: list[tuple[int, int]]) -> str:
    """Return, in words, the strongest terms of a direction that no single column explains."""
    terms, levels = schema.terms, schema.target.levels
    several = len(direction.moved) > 1
    named = []
    for k, j in [at for at in growing if at[1] != 0][:MOST_NAMED]:
        sign = "+" if direction.moved[k, j] > 0 else "-"
        named.append(f"{sign}{terms[j]}" + (f" for {levels[k]!r}" if several else ""))
    more = len(growing) - MOST_NAMED
    return f"a combination tells rows apart: {', '.join(named)}" + (f" and {more} more terms" if more > 0 else "")
