"""Which of a table's columns hold dates or times, and which parts of them are to be learned from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TypeAlias

import pyarrow as pa
import pyarrow.types as pt

from zeroloop.choices import nearest
from zeroloop.errors import DataError, OptionError
from zeroloop.tables.columns import describe, is_text, kind_of
from zeroloop.tables.date_types import date_kind, kind_in_words, zone_of
from zeroloop.tables.found_dates import Found, are_days, find_in_text
from zeroloop.tables.roles import Roles
from zeroloop.tables.schema import DATE_PARTS, DateColumn, DateKind, DateOrder
from zeroloop.tables.written_dates import ORDERS

Look: TypeAlias = Callable[[Sequence[str]], Generator[pa.RecordBatch]]
EVERY_PART = tuple(dict.fromkeys(part for parts in DATE_PARTS.values() for part in parts))


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedDates:
    """What is asked of columns of dates.

    Attributes:
        parts: by column, those to learn from.
        orders: by column, in which order day, month and year stand in its text.
        unwanted: by column, those to leave out of what is learned from by default.
        features: columns to learn from, those of such parts among them; None for all.
        drop: columns to leave out, all of each.

    """

    parts: dict[str, list[str]]
    orders: dict[str, DateOrder]
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
    orders: dict[str, DateOrder] = {}
    for name, words in (dates or {}).items():
        given = [words] if isinstance(words, str) else list(words)
        strange = [word for word in given if word not in (*EVERY_PART, *ORDERS)]
        if strange or not given:
            what = repr(strange[0]) if strange else "no part"
            raise OptionError(
                f"dates: column {name!r} has {what}; parts of dates are {', '.join(EVERY_PART)}, and orders of "
                f"dates in text {', '.join(ORDERS)}."
            )
        parts |= {name: [word for word in given if word in EVERY_PART]} if set(given) - set(ORDERS) else {}
        written = [one for one in ORDERS if one in given]
        if len(written) > 1:
            raise OptionError(f"dates: column {name!r} has the orders {written[0]} and {written[1]}; name one.")
        orders |= dict.fromkeys([name] if written else [], *written)
    unwanted: dict[str, list[str]] = {}
    for names, by_column in ((features or (), parts), (drop, unwanted)):
        for found in filter(None, (_part(name, columns) for name in names)):
            by_column.setdefault(found[0], []).append(found[1])
    split = [_part(name, columns) or (name, "") for name in features or ()]
    return AskedDates(
        parts=parts,
        orders=orders,
        unwanted=unwanted,
        features=None if features is None else list(dict.fromkeys(name for name, _ in split)),
        drop=[name for name in drop if _part(name, columns) is None],
    )


def _part(name: str, columns: Collection[str]) -> tuple[str, str] | None:
    """Return the column and the part that a name such as `when (month)` stands for; None for any other."""
    source, _, part = name.removesuffix(")").rpartition(" (")
    return (source, part) if name not in columns and source in columns and part in EVERY_PART else None


def find_dates(
    columns: pa.Schema,
    roles: Roles,
    asked: AskedDates,
    *,
    days_only: bool,
    look: Look,
    again: bool,
) -> tuple[tuple[DateColumn, ...], list[str]]:
    """Return the features that hold dates or times, and what a reader should know of them, in words.

    Args:
        columns: of the table.
        roles: of its columns.
        asked: what is asked of them.
        days_only: whether one number is learned from each, unless more is asked for.
        look: yields the rows of some columns, from the first one on.
        again: whether more than the first of these can be looked at.

    Raises:
        OptionError: when more is asked of a column than it has.

    """
    wanted = dict.fromkeys([*asked.parts, *asked.orders, *asked.unwanted])
    for name in wanted:
        if name not in columns.names:
            raise OptionError(f"dates: there is no column {name!r}{nearest(name, columns.names, 'the table has')}")
        if name not in roles.features or name == roles.offset:
            raise OptionError(f"dates: column {name!r} is not among the features; add it or leave it out of both.")
        if name in roles.categorical:
            raise OptionError(f"dates: column {name!r} is categorical too; take it out of one of them.")
    free = [name for name in roles.features if name not in roles.categorical and name != roles.offset]
    head = _head(look, [name for name in free if name in wanted or _is_looked_at(columns.field(name).type)])
    found, said = [], []
    for name in free:
        seen = head.get(name, pa.nulls(0, columns.field(name).type))
        data_type = seen.type
        order = asked.orders.get(name)
        held = Found(kind=date_kind(data_type), zone=zone_of(data_type))
        if is_text(data_type) or (name in wanted and describe(data_type) == "text"):
            held = find_in_text(name, _values_of(name, seen, look if again else None), order) or held
        elif order == "ymd" and kind_of(data_type) == "numeric":
            held = Found(kind="date", order="ymd")
        elif pt.is_integer(data_type) and name not in wanted and are_days(seen):
            said.append(
                f"column {name!r} holds whole numbers such as {seen.drop_null()[0]}, which are read as numbers; if "
                f"they are dates, say so in dates ({name}=ymd)"
            )
        said += held.said if held.kind is not None or name not in wanted else ()
        if held.kind is None:
            if name in wanted:
                raise OptionError(f"dates: {_why_none(name, data_type, held, seen, order)}.")
            continue
        parts = _parts(name, held, data_type, asked, days_only)
        one = DateColumn(name=name, kind=held.kind, zone=held.zone, written=held.order, parts=parts, origin=None)
        found.append(one)
    return tuple(found), said


def _parts(name: str, held: Found, data_type: pa.DataType, asked: AskedDates, days_only: bool) -> tuple[str, ...]:
    """Return the parts of a column that are learned from."""
    assert held.kind is not None
    wanted, known = asked.parts.get(name), DATE_PARTS[held.kind]
    strange = [part for part in wanted or () if part not in known]
    if strange:
        words = kind_in_words(held.kind, held.zone)
        raise OptionError(f"dates: column {name!r} has no {strange[0]}; it holds {words}, with {', '.join(known)}.")
    parts = _by_default(held.kind, data_type, days_only) if wanted is None else dict.fromkeys(wanted)
    left = tuple(part for part in parts if part not in asked.unwanted.get(name, ()))
    if not left:
        raise OptionError(f"drop: no part of column {name!r} is left; drop {name!r} itself.")
    return left


def _head(look: Look, names: Sequence[str]) -> dict[str, pa.Array]:
    """Return the first values of some columns."""
    with closing(look(names)) as batches:
        batch = next((some for some in batches if some.num_rows), None) if names else None
    return {} if batch is None else dict(zip(batch.schema.names, batch.columns, strict=True))


def _values_of(name: str, head: pa.Array, look: Look | None) -> Iterator[pa.Array]:
    """Yield the first values of a column of text, and then all, where they can be looked at."""
    yield head.cast(pa.string())
    if look is not None:
        with closing(look([name])) as batches:
            yield from (batch[name].cast(pa.string()) for batch in batches)


def _is_looked_at(data_type: pa.DataType) -> bool:
    """Return whether only the values of a column tell whether they are dates."""
    return is_text(data_type) or bool(pt.is_null(data_type) or pt.is_int64(data_type) or pt.is_int32(data_type))


def _why_none(name: str, data_type: pa.DataType, held: Found, seen: pa.Array, order: DateOrder | None) -> str:
    if held.said:
        return held.said[0]
    if describe(data_type) != "text" or seen.null_count == len(seen):
        return f"column {name!r} holds {describe(data_type)}, and no dates; leave it out"
    written = "" if order is None else f" in the order {order}"
    return f"column {name!r} holds text such as {seen.drop_null()[0].as_py()!r}, and no dates{written}; leave it out"


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
