"""Which of a table's columns hold dates or times, and which parts of them are to be learned from."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.types as pt

from zeroloop.choices import nearest
from zeroloop.errors import DataError, OptionError
from zeroloop.tables.columns import describe
from zeroloop.tables.date_types import date_kind, in_words, zone_of
from zeroloop.tables.roles import Roles
from zeroloop.tables.schema import DATE_PARTS, DateColumn, DateKind

EVERY_PART = tuple(dict.fromkeys(part for parts in DATE_PARTS.values() for part in parts))


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedDates:
    """What is asked of columns of dates.

    Attributes:
        parts: by column, those to learn from.
        unwanted: by column, those to leave out of what is learned from by default.
        features: columns to learn from, those of such parts among them; None for all.
        drop: columns to leave out, all of each.

    """

    parts: dict[str, list[str]]
    unwanted: dict[str, list[str]]
    features: list[str] | None
    drop: list[str]


def asked_dates(
    dates: Mapping[str, str | Sequence[str]] | None,
    features: Sequence[str] | None,
    drop: Sequence[str],
    columns: Collection[str],
) -> AskedDates:
    """Return what is asked of columns of dates by `zeroloop.train`; features and drop may name parts of them.

    Args:
        dates: as `zeroloop.train` takes it.
        features: likewise.
        drop: likewise.
        columns: of the table.

    Raises:
        OptionError: for what is no part.

    """
    parts: dict[str, list[str]] = {}
    for name, words in (dates or {}).items():
        parts[name] = [words] if isinstance(words, str) else list(words)
        strange = [word for word in parts[name] if word not in EVERY_PART]
        if strange or not parts[name]:
            given = repr(strange[0]) if strange else "no part"
            raise OptionError(f"dates: column {name!r} has {given}; parts of dates are {', '.join(EVERY_PART)}.")
    unwanted: dict[str, list[str]] = {}
    for names, by_column in ((features or (), parts), (drop, unwanted)):
        for found in filter(None, (_part(name, columns) for name in names)):
            by_column.setdefault(found[0], []).append(found[1])
    split = [_part(name, columns) or (name, "") for name in features or ()]
    return AskedDates(
        parts=parts,
        unwanted=unwanted,
        features=None if features is None else list(dict.fromkeys(name for name, _ in split)),
        drop=[name for name in drop if _part(name, columns) is None],
    )


def _part(name: str, columns: Collection[str]) -> tuple[str, str] | None:
    """Return the column and the part that a name such as `when (month)` stands for; None for any other."""
    source, _, part = name.removesuffix(")").rpartition(" (")
    return (source, part) if name not in columns and source in columns and part in EVERY_PART else None


def find_dates(columns: pa.Schema, roles: Roles, asked: AskedDates, *, days_only: bool) -> tuple[DateColumn, ...]:
    """Return the features that hold dates or times.

    Args:
        columns: of the table.
        roles: of its columns.
        asked: what is asked of them.
        days_only: whether one number is learned from each, unless more is asked for.

    Raises:
        OptionError: when more is asked of a column than it has.

    """
    for name in (*asked.parts, *asked.unwanted):
        if name not in columns.names:
            raise OptionError(f"dates: there is no column {name!r}{nearest(name, columns.names, 'the table has')}")
        if name not in roles.features or name == roles.offset:
            raise OptionError(f"dates: column {name!r} is not among the features; add it or leave it out of both.")
        if name in roles.categorical:
            raise OptionError(f"dates: column {name!r} is categorical too; take it out of one of them.")
    found = []
    for name in roles.features:
        if name in roles.categorical or name == roles.offset:
            continue
        data_type = columns.field(name).type
        kind = date_kind(data_type)
        if kind is None:
            if name in asked.parts or name in asked.unwanted:
                raise OptionError(f"dates: column {name!r} holds {describe(data_type)}, and no dates; leave it out.")
            continue
        wanted = asked.parts.get(name)
        strange = [part for part in wanted or () if part not in DATE_PARTS[kind]]
        if strange:
            raise OptionError(
                f"dates: column {name!r} has no {strange[0]}; it holds {in_words(data_type)}, with "
                f"{', '.join(DATE_PARTS[kind])}."
            )
        parts = _by_default(kind, data_type, days_only) if wanted is None else dict.fromkeys(wanted)
        left = tuple(part for part in parts if part not in asked.unwanted.get(name, ()))
        if not left:
            raise OptionError(f"drop: no part of column {name!r} is left; drop {name!r} itself.")
        found.append(DateColumn(name=name, kind=kind, zone=zone_of(data_type), written=None, parts=left, origin=None))
    return tuple(found)


def _by_default(kind: DateKind, data_type: pa.DataType, days_only: bool) -> Sequence[str]:
    """Return the parts that are learned from: of a penalised fit also the levels, of which some may not vary."""
    number = DATE_PARTS[kind][:1]
    levels = {"date": ("year", "month", "weekday", "hour"), "time": ("hour",), "duration": ()}[kind]
    if days_only:
        return number
    return [*number, *(part for part in levels if part != "hour" or not pt.is_date(data_type))]


def with_dates(roles: Roles, dates: Sequence[DateColumn], columns: Collection[str], asked: Collection[str]) -> Roles:
    """Return roles with the parts of dates in place of these.

    Args:
        roles: of a table's columns.
        dates: among the features.
        columns: of the table.
        asked: dates whose parts were named one by one.

    Raises:
        DataError: for a part whose name another column has.

    """
    made = {one.name: one.columns for one in dates}
    for name, parts in made.items():
        twice = [part for part in parts if part in columns]
        if twice:
            raise DataError(
                f"Column {twice[0]!r} has the name that a part of column {name!r} gets; rename it, or drop one of them."
            )
    return replace(
        roles,
        features=tuple(part for name in roles.features for part in made.get(name, (name,))),
        categorical=(*roles.categorical, *(part for one in dates for part in one.levels)),
        dates=tuple(dates),
        asked=frozenset(part for one in dates if one.name in asked for part in one.columns),
    )
