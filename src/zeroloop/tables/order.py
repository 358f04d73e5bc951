"""The order of a column's categories, as the dictionaries of pandas and Arrow have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Self

import pyarrow as pa

from zeroloop.tables.schema import Level

MOST_COUNTED = 2**18  # distinct values of a column: an identifier of a billion rows would fill any memory
DISAGREE = {b"zeroloop": b"the categories of two parts are in different order"}  # metadata of a field


@dataclass(frozen=True, slots=True)
class Order:
    """The order of a column's categories; addable.

    Where the dictionaries of two parts of a table differ, values that the first has not met follow its own.

    Attributes:
        values: in order, used or not; None where there is none, as a part of the column is no dictionary.
        disagree: whether two parts have two values in opposite order, so that there is none for both.

    """

    values: tuple[Level, ...] | None = ()
    disagree: bool = False

    def __add__(self, other: Self) -> Order:
        if self.values is None or other.values is None:
            return Order(None, self.disagree or other.disagree)
        if self.values == other.values or not other.values:
            return Order(self.values)
        place = {value: i for i, value in enumerate(self.values)}
        shared = [place[value] for value in other.values if value in place]
        if shared != sorted(shared):
            return Order(None, disagree=True)
        merged = (*self.values, *(value for value in other.values if value not in place))
        return Order(merged if len(merged) <= MOST_COUNTED else None)


def order_of(field: pa.Field, values: Sequence[Level]) -> Order:
    """Return the order of a batch's values, those of its dictionary where it has one."""
    if pa.types.is_null(field.type):
        return Order()
    if not pa.types.is_dictionary(field.type):
        return Order(None, disagree=DISAGREE.items() <= (field.metadata or {}).items())
    return Order(tuple(dict.fromkeys(value for value in values if value is not None)))


def joinable(parts: Sequence[pa.RecordBatch]) -> list[pa.RecordBatch]:
    """Return batches without dictionaries in columns where they differ in order (these are marked), or are not all."""
    parts = list(parts)
    for at, field in enumerate(parts[0].schema):
        columns = [part[field.name] for part in parts]
        coded = [column for column in columns if pa.types.is_dictionary(column.type)]
        if not coded:
            continue
        disagree = False
        if len(coded) == sum(not pa.types.is_null(column.type) for column in columns):
            first = coded[0].dictionary
            if all(column.dictionary.equals(first) for column in coded[1:]):
                continue
            orders = [Order(tuple(dict.fromkeys(column.dictionary.to_pylist()))) for column in coded]
            disagree = reduce(add, orders).disagree
            if not disagree:
                continue
        for i, column in enumerate(columns):
            plain = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
            named = pa.field(field.name, plain.type, metadata=DISAGREE if disagree else None)
            parts[i] = parts[i].set_column(at, named, plain)
    return parts
