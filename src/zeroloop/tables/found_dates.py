"""Which columns of text hold dates or times, and in which order their days and months stand.

A column is one where nine values in ten of its head are. What its head leaves open, such as which number is the day, is
looked for in the rest; what all of it leaves open is no date, and is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zeroloop.tables.date_types import DAY, MINUTE
from zeroloop.tables.schema import DateKind, DateOrder
from zeroloop.tables.written_dates import ORDERS, Bools, Parsed, parse

MOSTLY = 0.9  # of a head's values: the others are damage; below it the column is text
FEWEST_VALUES = 10  # of which one may be no date
SAMPLE = 10_000  # values of the head
MONTH_NAME = r"(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[A-Za-z]*"
LIKELY = re.compile(
    r"^\s*(?:[A-Za-z]{3,9}[,.]? +)?(?:\d{1,4}[-/.] ?\d{1,2}[-/.] ?\d{1,4}|"
    rf"\d{{1,4}}(?:st|nd|rd|th)?[ /.-]{{0,2}}{MONTH_NAME}|{MONTH_NAME}\.?[ -]{{0,2}}\d{{1,2}}|"
    r"\d{8}[Tt]|\d{1,2}:\d{2})"
)
"""How dates and times may begin: most text does not, and costs no more than this."""
LEAST_DAY, GREATEST_DAY = 1900_01_01, 2099_12_31  # of whole numbers that are taken for dates
NARROWER = 3  # times that dates must be closer together in one order than in another, for that to decide


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a column of text holds.

    Attributes:
        kind: dates or times of day; None where it is to stay text.
        order: of day, month and year, where it matters.
        zone: of dates with offsets from UTC; None where they have none.
        said: what a reader should know, in words.

    """

    kind: DateKind | None
    order: DateOrder | None = None
    zone: str | None = None
    said: tuple[str, ...] = ()


def find_in_text(name: str, columns: Iterator[pa.Array], order: DateOrder | None) -> Found | None:
    """Return what a column of text holds; None where that is no dates or times.

    Args:
        name: the column's.
        columns: its first values, and then all, part by part, where they can be looked at; only as many are taken as
            are needed.
        order: of its days, months and years, where that is known.

    """
    head = next(columns).slice(0, SAMPLE)
    if order is None and not any(LIKELY.match(value) for value in _some(head, 5)):
        return None
    if _mostly(parse(head, "time", None).fits, head):
        return Found(kind="time")
    orders: list[DateOrder | None] = [*_possible(head)]
    if order is not None:
        orders = [order] if _mostly(parse(head, "date", order).fits, head) else []
    if not orders:
        return _in_two_orders(name, head) if order is None else None
    here = parse(head, "date", orders[0])
    zoned = 2 * int(np.sum(here.zoned)) > int(np.sum(here.fits))
    offsets = set(here.offsets[here.zoned].tolist())
    whole = False
    for part in columns:
        whole = True
        if len(orders) == 1 and not (zoned and len(offsets) == 1 and offsets != {0}):
            break
        found = [parse(part, "date", one) for one in orders]
        n_fitting = [int(np.sum(one.fits)) for one in found]
        orders = [one for one, n in zip(orders, n_fitting, strict=True) if n == max(n_fitting)]
        offsets |= set(found[0].offsets[found[0].zoned].tolist())
    said = []
    shown = _some(head.filter(pa.array(here.fits.tolist(), pa.bool_())), 1)[0]
    if len(orders) > 1:
        if not re.match(r"\s*\d+\.", shown) or "dmy" not in orders:
            return Found(kind=None, said=(_open(name, shown, orders),))
        orders = ["dmy"]  # in much of Europe written so; nobody else has points
        said.append(f"{_read_as(name, shown, 'dmy')}; name its order in dates ({name}=mdy) if it is not that")
    elif np.any(here.short):
        short = head.filter(pa.array(here.short.tolist(), pa.bool_()))[0].as_py()
        said.append(f"{_read_as(name, short, orders[0])}, its years having two digits only")
    zone = _zone(offsets, whole) if zoned else None
    if zone == "UTC" and offsets != {0}:
        said.append(f"column {name!r} has several offsets from UTC; its hours and weekdays are those of UTC")
    return Found(kind="date", order=orders[0], zone=zone, said=tuple(said))


def are_days(column: pa.Array) -> bool:
    """Return whether whole numbers look like dates written without a mark, such as 20241231."""
    values = column.slice(0, SAMPLE).drop_null()
    if len(values) < FEWEST_VALUES:
        return False
    ends = pc.min_max(values).as_py()
    if ends["min"] < LEAST_DAY or ends["max"] > GREATEST_DAY:
        return False
    return bool(np.all(parse(values.cast(pa.string()), "date", "ymd").fits))


def _some(column: pa.Array, n: int) -> list[str]:
    """Return the first n values that are there."""
    return [str(value) for value in column.drop_null().slice(0, n).to_pylist()]


def _mostly(fits: Bools, column: pa.Array) -> bool:
    n = int(np.sum(~parse(column, "time", None).missing))
    return n > 0 and bool(np.sum(fits) >= (n if n < FEWEST_VALUES else MOSTLY * n))


def _possible(head: pa.Array) -> list[DateOrder] | list[None]:
    """Return the orders in which (nearly) all values are dates; None for dates that need none."""
    if _mostly(parse(head, "date", None).fits, head):
        return [None]
    found = {order: parse(head, "date", order) for order in ORDERS}
    n_fitting = {order: int(np.sum(one.fits)) for order, one in found.items()}
    most = max(n_fitting.values())
    orders = [order for order in ORDERS if n_fitting[order] == most]
    if not _mostly(found[orders[0]].fits, head):
        return []
    if "ymd" in orders and len(orders) > 1:
        return _nearer(orders, found)
    return orders


def _nearer(orders: list[DateOrder], found: dict[DateOrder, Parsed]) -> list[DateOrder]:
    """Return orders without those that take the days of years of two digits for the years, or the years for the days.

    Dates so read are strewn over decades.
    """
    spans = {order: float(np.ptp(found[order].values[found[order].fits])) for order in orders}
    others = min(spans[order] for order in orders if order != "ymd")
    if spans["ymd"] > NARROWER * others:
        return [order for order in orders if order != "ymd"]
    return ["ymd"] if others > NARROWER * spans["ymd"] else orders


def _in_two_orders(name: str, head: pa.Array) -> Found | None:
    """Return that a column has dates of which some begin with the day and some with the month, if it has."""
    day_first, month_first = parse(head, "date", "dmy").fits, parse(head, "date", "mdy").fits
    only = [np.flatnonzero(one & ~other) for one, other in ((day_first, month_first), (month_first, day_first))]
    if not _mostly(day_first | month_first, head) or not all(one.size for one in only):
        return None
    one, other = (head[int(at[0])].as_py() for at in only)
    return Found(
        kind=None,
        said=(
            f"column {name!r} holds dates that begin with the day, such as {one!r}, and others that begin with the "
            f"month, such as {other!r}; it is read as text: correct them, or name it categorical",
        ),
    )


def _open(name: str, shown: str, orders: Sequence[DateOrder | None]) -> str:
    ways = " or ".join(f"{name}={order}" for order in orders)
    return (
        f"column {name!r} holds dates such as {shown!r}, of which nothing tells the order of day, month and year; "
        f"it is read as text: name the order in dates ({ways}), or name it categorical"
    )


def _read_as(name: str, shown: str, order: DateOrder | None) -> str:
    value = int(parse(pa.array([shown]), "date", order).values[0])
    return f"column {name!r}: {shown!r} is read as {date(1970, 1, 1) + timedelta(days=value // DAY)}"


def _zone(offsets: set[int], whole: bool) -> str:
    """Return the time zone of dates with offsets from UTC, in microseconds: their one offset, or else UTC.

    Args:
        offsets: seen in the column.
        whole: whether these are all.

    """
    (first, *others) = offsets
    if others or first == 0 or not whole:
        return "UTC"
    hours, minutes = divmod(abs(first) // MINUTE, 60)
    return f"{'-' if first < 0 else '+'}{hours:02}:{minutes:02}"
