"""One row through a model in microseconds: a dictionary is looked up, and no table is made of it.

What is not of the plain kind (a value that training never met, a date, text for a number) is left to the way of tables,
which knows what it means, or what to say of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from ctypes import c_float
from dataclasses import dataclass
from typing import Any

import numpy as np

from zeroloop.blocks import FloatArray
from zeroloop.tables.encode import first_coefs
from zeroloop.tables.schema import Level, Schema

NUMBERS = frozenset((float, int, bool))
Coef = float | FloatArray
"""Of one output, or `(n_outputs,)`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowPlan:
    """A model's coefficients as a row needs them.

    Attributes:
        intercept: the predictor of a row of nothing.
        numbers: of each column of numbers its name, its coefficient, what a missing value adds, None where that is not
            plain, and whether it may be given as a float32.
        levels: of each column of levels its name, what each level adds, a missing value under None, what any other
            level adds, None where that is not plain, and whether levels are text.
        narrow: whether numbers are rounded to float32, as those of training were.

    """

    intercept: Coef
    numbers: tuple[tuple[str, Coef, Coef | None, bool], ...]
    levels: tuple[tuple[str, dict[Level | None, Coef], Coef | None, bool], ...]
    narrow: bool

    def predictor(self, row: Mapping[str, Any]) -> Coef | None:
        """Return the linear predictor of a row; None where it is not of the plain kind."""
        z = self.intercept
        try:
            for name, coef, gap, any_float in self.numbers:
                value = row[name]
                if type(value) not in NUMBERS and value is not None:
                    if not isinstance(value, np.generic) or (isinstance(value, np.float32) and not any_float):
                        return None
                    value = value.item()
                    if type(value) not in NUMBERS:
                        return None
                if value is None or value != value:
                    if gap is None:
                        return None
                    z = z + gap
                else:
                    z = z + coef * (c_float(value).value if self.narrow else value)
            for name, adds, other, text in self.levels:
                value = row[name]
                added = adds.get(value)
                if added is None and isinstance(value, np.generic):
                    value = value.item()
                    added = adds.get(value)
                if added is None:
                    plain = isinstance(value, str) if text else type(value) in NUMBERS and value == value
                    if other is None or not plain:
                        return None
                    added = other
                z = z + added
        except (KeyError, TypeError, OverflowError):  # no such column, what no number or level can be
            return None
        finite = z - z == 0.0 if isinstance(z, float) else np.isfinite(z).all()  # of a float in a tenth of the time
        return z if finite else None


def plan_of(schema: Schema, coef: FloatArray) -> RowPlan | None:
    """Return a model's plan; None where every row needs a table, for its dates or its sparse column."""
    if schema.dates or schema.sparse is not None:
        return None
    by_term: list[Coef] = coef[0].tolist() if len(coef) == 1 else list(coef.T)
    nothing: Coef = 0.0 * by_term[0]
    marks = iter(by_term[1 + len(schema.numeric) :])
    imputed = schema.missing == "impute"
    numbers = []
    for column, of_column in zip(schema.numeric, by_term[1:], strict=False):
        mark = next(marks) if column.missing else None
        gap = of_column * column.mean + mark if mark is not None and imputed and column.name != schema.offset else None
        numbers.append((column.name, of_column, gap, column.decimals is None))
    levels = []
    for categorical, first in zip(schema.categorical, first_coefs(schema), strict=True):
        adds: dict[Level | None, Coef] = {}
        terms = iter(by_term[first:])
        for i, level in enumerate(categorical.levels):
            adds[level] = nothing if categorical.reference and i == 0 else next(terms)
        other = next(terms) if categorical.other else None
        if categorical.missing and imputed:
            adds[None] = next(terms)
        levels.append((categorical.name, adds, other, isinstance(categorical.levels[0], str)))
    return RowPlan(intercept=by_term[0], numbers=tuple(numbers), levels=tuple(levels), narrow=schema.float32)
