"""The columns' kinds, levels, means and scales, frozen into a model; and the names of the terms they make."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Literal, TypeAlias

import numpy as np

from zeroloop.blocks import FloatArray

Level: TypeAlias = str | int | float | bool
Missing: TypeAlias = Literal["impute", "drop", "error"]

DateKind: TypeAlias = Literal["date", "time", "duration"]
DateOrder: TypeAlias = Literal["dmy", "mdy", "ymd"]
DATE_PARTS: dict[DateKind, tuple[str, ...]] = {
    "date": ("days", "year", "month", "weekday", "hour", "month-cycle", "weekday-cycle", "hour-cycle"),
    "time": ("hours", "hour", "hour-cycle"),
    "duration": ("days",),
}
LEVEL_PARTS = ("year", "month", "weekday", "hour")

INTERCEPT = "(intercept)"
OTHER = "(other)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Numeric:
    """A column of numbers: one term, and one more for its missing values where training had any.

    Attributes:
        name: the column's.
        mean: weighted mean of the values present; stands in for missing ones.
        scale: standard deviation of the column so filled; the penalty's unit.
        missing: training rows without a value; where there are any, there is a term `NAME is missing`.
        decimals: where the column is float32, the places that write every value of it: it is then read as those
            decimals, as its CSV would be. None where no number of places does.

    """

    name: str
    mean: float
    scale: float
    missing: int
    decimals: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Categorical:
    """A column of levels: a term each.

    Attributes:
        name: the column's.
        levels: in the order of the column's categories, where pandas or Arrow say one, else sorted; all strings, all
            numbers or all bools.
        counts: training rows of each level.
        other: training rows of rarer levels; where there are any, they are pooled into a level after the others.
        missing: training rows without a value; where there are any, they are a level of their own, the last.
        reference: whether the first level has no coefficient (no penalty, as in R).

    """

    name: str
    levels: tuple[Level, ...]
    counts: tuple[int, ...]
    other: int
    missing: int
    reference: bool

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the column's terms, in coefficient order: levels, other, missing; reference left out."""
        names = [f"{self.name}={level}" for level in self.levels[self.reference :]]
        names += [f"{self.name}={OTHER}"] * (self.other > 0)
        names += [f"{self.name} is missing"] * (self.missing > 0)
        return tuple(names)

    @property
    def n_terms(self) -> int:
        """Number of the column's terms; counted for every batch, so without making their names."""
        return len(self.levels) - self.reference + (self.other > 0) + (self.missing > 0)


@dataclass(frozen=True, slots=True)
class SparseColumn:
    """A column of maps from index to number, as libsvm files hold: a term for each index up to the largest met.

    Attributes:
        name: the column's.
        scale: largest absolute value of each index in training, 1 where there is none; the penalty's unit.
        deviations: standard deviation of each.

    """

    name: str
    scale: tuple[float, ...]
    deviations: tuple[float, ...]

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the column's terms, in coefficient order."""
        return tuple(f"{self.name}[{j}]" for j in range(len(self.scale)))


@dataclass(frozen=True, slots=True, kw_only=True)
class DateColumn:
    """A column of dates, times of day or durations, and the columns of numbers and levels that are made of it.

    Attributes:
        name: the column's.
        kind: what it holds.
        zone: time zone of what its clocks show; None where its dates have none.
        written: the order of day, month and year in its text, where that is all numbers: "dmy", "mdy" or "ymd"; else
            None.
        parts: what is made of it, of `DATE_PARTS`; each a column, or two, of `Schema.numeric` or `Schema.categorical`.
        origin: the first date (UTC) of the training rows, which days are counted from; None where no number of days is
            made of it.

    """

    name: str
    kind: DateKind
    zone: str | None
    written: DateOrder | None
    parts: tuple[str, ...]
    origin: str | None

    def columns_of(self, part: str) -> tuple[str, ...]:
        """Return the names of the columns that a part makes."""
        round_and_round = part.removesuffix("-cycle")
        if part != round_and_round:
            return f"{self.name} ({round_and_round} sine)", f"{self.name} ({round_and_round} cosine)"
        return (f"{self.name} ({part})",)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns made of it."""
        return tuple(name for part in self.parts for name in self.columns_of(part))

    @property
    def levels(self) -> tuple[str, ...]:
        """Names of those of them that hold levels."""
        return tuple(name for part in self.parts if part in LEVEL_PARTS for name in self.columns_of(part))


def is_day(text: str) -> bool:
    """Return whether text is a date as `DateColumn.origin` has it."""
    try:
        return str(date.fromisoformat(text)) == text
    except ValueError:
        return False


def days_to(day: str) -> int:
    """Return the days from 1970 to a date as `DateColumn.origin` has it."""
    return (date.fromisoformat(day) - date(1970, 1, 1)).days


def sources(features: Iterable[str], dates: Iterable[DateColumn]) -> tuple[str, ...]:
    """Return the columns of a table that features come from: a date for its parts, once."""
    made_of = {part: one.name for one in dates for part in one.columns}
    return tuple(dict.fromkeys(made_of.get(name, name) for name in features))


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A column that makes no term, and why: in a word or some, with the rest after a comma, colon or semicolon."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Target:
    """The column to predict and its values: the classes.

    Attributes:
        name: the column's.
        levels: label k stands for `levels[k]`. Of two, the second is the positive one, whose probability is modelled;
            otherwise they are in the order of a categorical column's levels.

    """

    name: str
    levels: tuple[Level, ...]

    @property
    def n_outputs(self) -> int:
        """Rows of coefficients: one for two classes, else one for each."""
        return len(self.levels) if len(self.levels) > 2 else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """Everything needed to turn a table's rows into blocks, learned from the training rows.

    Attributes:
        numeric: columns of numbers, in table order.
        categorical: columns of levels, in table order.
        left_out: columns that make no term.
        target: what is predicted.
        weights: name of the column of row weights, or None.
        missing: what happens to missing values.
        float32: whether blocks store numbers as float32: every numeric column came as such.
        sparse: a column of maps from index to number, or None.
        offset: name of the numeric column, the last, whose coefficient is held at 1; or None.
        dates: columns of dates and times, whose parts are among the numeric and categorical columns.

    """

    numeric: tuple[Numeric, ...]
    categorical: tuple[Categorical, ...]
    left_out: tuple[LeftOut, ...]
    target: Target
    weights: str | None
    missing: Missing
    float32: bool
    sparse: SparseColumn | None = None
    offset: str | None = None
    dates: tuple[DateColumn, ...] = ()

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the table's columns that make terms."""
        return sources(self.features, self.dates)

    @property
    def parts(self) -> dict[str, tuple[str, ...]]:
        """Features made of each column of dates, by its name; of a cycle one curve may be constant, and make none."""
        made = set(self.features) if self.dates else ()
        return {one.name: tuple(name for name in one.columns if name in made) for one in self.dates}

    @property
    def origins(self) -> dict[str, str]:
        """The date that the days of each column of days are counted from, by that column's name."""
        return {one.columns_of("days")[0]: one.origin for one in self.dates if one.origin is not None}

    def made_of(self, names: Iterable[str]) -> list[str]:
        """Return the features that names stand for: that of dates all of its parts, any other itself."""
        parts = self.parts
        return [part for name in names for part in parts.get(name, (name,))]

    @property
    def held(self) -> FloatArray | None:
        """The value of each coefficient that is held, NaN for the others, `(n_coefs,)`; None where none is."""
        if self.offset is None:
            return None
        held = np.full(self.n_coefs, np.nan)
        held[len(self.numeric)] = 1.0
        return held

    @property
    def n_sparse(self) -> int:
        """Number of the sparse column's terms."""
        return 0 if self.sparse is None else len(self.sparse.scale)

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the columns that make terms."""
        sparse = () if self.sparse is None else (self.sparse,)
        return tuple(column.name for column in (*self.numeric, *sparse, *self.categorical))

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of all terms, in coefficient order (see `zeroloop.objective`)."""
        return (
            INTERCEPT,
            *(column.name for column in self.numeric),
            *(() if self.sparse is None else self.sparse.terms),
            *(f"{column.name} is missing" for column in self.numeric if column.missing),
            *(term for column in self.categorical for term in column.terms),
        )

    @property
    def columns_of_terms(self) -> tuple[str, ...]:
        """Name of the column that makes each term; empty for the intercept."""
        return (
            "",
            *(column.name for column in self.numeric),
            *(() if self.sparse is None else (self.sparse.name,) * self.n_sparse),
            *(column.name for column in self.numeric if column.missing),
            *(column.name for column in self.categorical for _ in range(column.n_terms)),
        )

    @property
    def n_coefs(self) -> int:
        """Number of coefficients, intercept included."""
        indicators = sum(column.missing > 0 for column in self.numeric)
        return 1 + len(self.numeric) + self.n_sparse + indicators + sum(column.n_terms for column in self.categorical)

    @property
    def centre(self) -> FloatArray:
        """Means of the numeric columns, `(n_x,)`."""
        return np.array([column.mean for column in self.numeric])

    @property
    def scale(self) -> FloatArray:
        """Standard deviations of numeric columns, largest values of sparse ones, 1 for other terms, `(n_coefs,)`."""
        scale = np.ones(self.n_coefs)
        first_sparse = 1 + len(self.numeric)
        scale[1:first_sparse] = [column.scale for column in self.numeric]
        if self.sparse is not None:
            scale[first_sparse : first_sparse + self.n_sparse] = self.sparse.scale
        return scale

    def deviations(self, rows: int) -> FloatArray:
        """Return the standard deviation of each term over the training rows, `(n_coefs,)`; 0 for the intercept."""
        counts = [column.missing for column in self.numeric if column.missing]
        for column in self.categorical:
            counts += [*column.counts[column.reference :], *[n for n in (column.other, column.missing) if n]]
        share = np.array(counts) / rows
        sparse = () if self.sparse is None else self.sparse.deviations
        return np.array([0.0, *(column.scale for column in self.numeric), *sparse, *np.sqrt(share * (1 - share))])
