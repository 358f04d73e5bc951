"""What the parts of dates make: terms of those that vary, an origin for days, one term for all that is missing."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import TypeAlias

from zeroloop.tables.scan import Measured
from zeroloop.tables.schema import Categorical, DateColumn, LeftOut, Numeric, SparseColumn, days_to

Learned: TypeAlias = Numeric | Categorical | SparseColumn | LeftOut


def learn_dates(
    learned: Mapping[str, Learned], dates: Sequence[DateColumn], measured: Measured, asked: Collection[str]
) -> tuple[dict[str, Learned], tuple[DateColumn, ...]]:
    """Return what columns make once the parts of dates are seen together, and the dates that make terms.

    Args:
        learned: what each feature makes by itself, in the order of the table.
        dates: whose parts are among them.
        measured: what the numbers of each are.
        asked: parts asked for by name, of which it is said when they make no term.

    """
    made: dict[str, Learned] = dict(learned)
    kept = []
    for one in dates:
        parts = {name: learned[name] for name in one.columns if name in learned}
        telling = [name for name, part in parts.items() if _varies(part)] or _presence(parts, one)
        for name, part in parts.items():
            if name in telling:
                # What is missing is missing in all parts at once: the first one's term says so.
                made[name] = part if name == telling[0] or isinstance(part, LeftOut) else _without_missing(part)
            elif not telling and name == next(iter(parts)):
                made[name] = LeftOut(one.name, _why(part))
            elif name in asked and telling:
                made[name] = part if isinstance(part, LeftOut) else LeftOut(name, "constant where it has a value")
            else:
                del made[name]
        if telling:
            kept.append(_counted(one, made, measured))
            for name in telling:
                made[name] = _since(made[name], kept[-1])
    return made, tuple(kept)


def _varies(part: Learned) -> bool:
    return isinstance(part, Numeric) or (isinstance(part, Categorical) and len(part.levels) > 1)


def _presence(parts: Mapping[str, Learned], one: DateColumn) -> list[str]:
    """Return the part that says whether a date is there, where all that are there are the same."""
    telling = [name for name, part in parts.items() if isinstance(part, Categorical)]
    return ([name for name in telling if name in one.levels] or telling)[:1]


def _why(part: Learned) -> str:
    of_all = isinstance(part, LeftOut) and part.reason.startswith("no value")
    return "no value in any training row" if of_all else "constant, the same in every training row"


def _without_missing(part: Learned) -> Learned:
    assert isinstance(part, Numeric | Categorical)
    return replace(part, missing=0)


def _counted(one: DateColumn, made: Mapping[str, Learned], measured: Measured) -> DateColumn:
    """Return a column of dates with the parts that make terms, its days counted from the first one."""
    parts = tuple(part for part in one.parts if any(_makes(made.get(name)) for name in one.columns_of(part)))
    days = one.columns_of("days")[0]
    if one.kind != "date" or not isinstance(made.get(days), Numeric):
        return replace(one, parts=parts)
    first = math.floor(measured.numbers[days].low)
    return replace(one, parts=parts, origin=str(date(1970, 1, 1) + timedelta(days=first)))


def _makes(part: Learned | None) -> bool:
    return part is not None and not isinstance(part, LeftOut)


def _since(part: Learned, one: DateColumn) -> Learned:
    """Return the days of a column as those since its origin; any other part as it is."""
    if one.origin is None or part.name != one.columns_of("days")[0]:
        return part
    assert isinstance(part, Numeric)
    return replace(part, mean=part.mean - days_to(one.origin))
