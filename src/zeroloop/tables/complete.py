"""Complete rows only: which columns they are complete in.

As with R's `glm`, these are the columns that the model uses. Those that make no term (of one value or none,
identifiers) are not among them, and what they are is known once the table is read: where such a column has gaps, it is
set aside, and the table is read again without it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

import pyarrow as pa

from zeroloop.errors import DataError, OptionError
from zeroloop.tables.columns import kind_of, no_term
from zeroloop.tables.learn import without_terms
from zeroloop.tables.left_out import none_left
from zeroloop.tables.raw import RawTable
from zeroloop.tables.roles import Roles
from zeroloop.tables.scan import Scan
from zeroloop.tables.schema import DateColumn, LeftOut, Schema


def without_empty(table: RawTable, roles: Roles) -> Roles:
    """Return roles in which no row has to be complete in a column whose type says that it makes no term."""

    def counts(name: str) -> bool:
        data_type = table.schema.field(name).type
        if pa.types.is_null(data_type):
            return bool(table.files)  # a CSV column without a value so far may have some further on
        return name in roles.categorical or name not in roles.features or kind_of(data_type) != "other"

    return replace(roles, needed=tuple(filter(counts, roles.needed)))


def without_other(table: RawTable, roles: Roles) -> tuple[Roles, list[LeftOut]]:
    """Return roles without the features whose type makes no term, which are then not read at all, and these.

    Raises:
        DataError: when no feature is left.

    """
    own = [name for name in roles.features if name in table.schema.names]  # the others are parts of dates
    left_out = [
        LeftOut(name, no_term(table.schema.field(name).type))
        for name in own
        if name not in (*roles.categorical, roles.offset) and kind_of(table.schema.field(name).type) == "other"
    ]
    roles = without_features(roles, [one.name for one in left_out])
    if not set(roles.features) - {roles.offset}:
        raise DataError(none_left(roles.target, left_out))
    return roles, left_out


def read_complete(
    table: RawTable, roles: Roles, read: Callable[[RawTable, Roles], tuple[RawTable, Scan]]
) -> tuple[RawTable, Roles, Scan, list[LeftOut]]:
    """Read a table's complete rows.

    Args:
        table: to be read.
        roles: of its columns.
        read: reads a table; returns it, perhaps without bad files, and what it holds.

    Returns:
        The table, the roles without the features set aside, what the table holds, and these features.

    Raises:
        DataError: when no feature is left.
        OptionError: when the table has to be read again and cannot be.

    """
    table, scanned = read(table, roles)
    doubtful = [one.name for one in without_terms(scanned, roles)] if scanned.n_training else roles.features
    costly = [name for name in doubtful if scanned.gaps[name] > 0]
    if not costly:
        return table, roles, scanned, []
    if not table.again:
        raise OptionError(
            f"Column {costly[0]!r} makes no term of the complete rows, but its gaps would cost rows, and the table can "
            f"be read only once: leave {costly[0]!r} out, or give the table as a file."
        )
    # Of all rows, as far as weights, offset and clusters go: whether a column is constant or empty is its own affair.
    others = tuple(name for name in roles.needed if name not in roles.features or name == roles.offset)
    table, of_all = read(table, replace(roles, needed=others))
    set_aside = [one for one in without_terms(of_all, roles) if scanned.gaps[one.name] > 0]
    roles = without_features(roles, [one.name for one in set_aside])
    if not set(roles.features) - {roles.offset}:
        raise DataError(none_left(roles.target, set_aside))
    table, scanned = read(table, roles)
    return table, roles, scanned, set_aside


def without_features(roles: Roles, names: Collection[str]) -> Roles:
    """Return roles without some of the features; without dates, without all their parts."""
    gone = {*names, *(part for one in roles.dates if one.name in names for part in one.columns)}
    return replace(
        roles,
        features=tuple(name for name in roles.features if name not in gone),
        categorical=tuple(name for name in roles.categorical if name not in gone),
        needed=tuple(name for name in roles.needed if name not in gone),
        dates=tuple(one for one in roles.dates if one.name not in gone),
    )


def with_left_out(
    schema: Schema, columns: Sequence[LeftOut], names: Sequence[str], dates: Iterable[DateColumn]
) -> Schema:
    """Return a schema with further columns left out, in the order of the table's names, parts of dates behind these."""
    if not columns:
        return schema
    parts = {one.name: one.columns for one in dates}
    place = {name: at for at, name in enumerate(each for name in names for each in (name, *parts.get(name, ())))}
    return replace(schema, left_out=tuple(sorted((*schema.left_out, *columns), key=lambda one: place[one.name])))
