"""Dates and times in text: ISO 8601, days and months in either order, names of months -> microseconds.

What a value means does not depend on others, once it is known of a column in which order its numbers stand; see
`zeroloop.tables.found_dates` for how that is found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from zeroloop.tables.columns import absent, bools, whole_numbers
from zeroloop.tables.date_types import DAY, FIRST, HOUR, LAST, MINUTE, SECOND, indices
from zeroloop.tables.missing_words import missing_words
from zeroloop.tables.schema import DateKind, DateOrder
from zeroloop.tables.written_numbers import tidied

WORDS = missing_words().numbers
Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]

MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
NAMES = {name[:n]: at for at, name in enumerate(MONTHS, 1) for n in (3, len(name))} | {"sept": 9}
PIVOT = 69  # two digits of a year from here on are of the last century: as POSIX has it, and Python's %y

FARTHEST = 18  # hours from UTC
TIME = (
    r"(?P<h>\d{1,2})(?::(?P<min>\d{2})(?::(?P<s>\d{2})(?:[.,](?P<frac>\d+))?)?)?"
    r"(?: ?(?P<half>[AaPp])\.?[Mm]\.?)?(?: ?(?P<zone>[Zz]|UTC|GMT|[+-]\d{2}(?::?\d{2})?))?"
)
AFTER = rf"(?:(?:[Tt]|,? +){TIME})?$"
DAY_NAME = r"^(?:(?i:mon|tue|wed|thu|fri|sat|sun)[a-z]*[,.]? +)?"
MONTH = r"(?P<name>[A-Za-z]{3,9})\.?"
ISO = rf"^(?P<y>\d{{4}})(?P<p>[-/.])(?P<m>\d{{1,2}})(?P<q>[-/.])(?P<d>\d{{1,2}}){AFTER}"
BASIC = (
    r"^(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})[Tt](?P<h>\d{2})(?P<min>\d{2})(?:(?P<s>\d{2})(?:[.,](?P<frac>\d+))?)?"
    r"(?P<zone>[Zz]|[+-]\d{2}(?::?\d{2})?)?$"
)
DIGITS = r"^(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})$"
NAMED = (
    rf"{DAY_NAME}(?P<d>\d{{1,2}})(?:st|nd|rd|th)?[ /.-]{{0,2}}{MONTH}[ /.,-]{{0,2}}(?P<y>\d{{4}}|\d{{2}})"
    rf"(?:(?:[Tt:]|,? +){TIME})?$",
    rf"{DAY_NAME}{MONTH}[ -]{{0,2}}(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?:, ?|[ -])(?P<y>\d{{4}}|\d{{2}}){AFTER}",
    rf"^(?P<y>\d{{4}})[ /-]{MONTH}[ /-](?P<d>\d{{1,2}}){AFTER}",
    rf"^(?i:mon|tue|wed|thu|fri|sat|sun) {MONTH} +(?P<d>\d{{1,2}}) {TIME} (?P<y>\d{{4}})$",  # C's ctime
)
PIECES = {"d": r"(?P<d>\d{1,2})", "m": r"(?P<m>\d{1,2})", "y": r"(?P<y>\d{4}|\d{2})"}
ORDERS: tuple[DateOrder, ...] = ("dmy", "mdy", "ymd")
CLOCK = r"^(?P<h>\d{1,2}):(?P<min>\d{2})(?::(?P<s>\d{2})(?:[.,](?P<frac>\d+))?)?(?: ?(?P<half>[AaPp])\.?[Mm]\.?)?$"
ORDERED = {
    order: rf"^{PIECES[order[0]]}(?P<p>[-/.]) ?{PIECES[order[1]]}(?P<q>[-/.]) ?{PIECES[order[2]]}{AFTER}"
    for order in ORDERS
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """Text as dates or as times of day, `(n,)` each.

    Attributes:
        values: microseconds, in UTC where there is an offset; 0 where the text does not fit.
        fits: whether it does.
        zoned: whether there is an offset from UTC.
        offsets: that, in microseconds; 0 where there is none.
        short: whether the year has two digits.
        missing: whether there is no value, or a word for none.

    """

    values: Ints
    fits: Bools
    zoned: Bools
    offsets: Ints
    short: Bools
    missing: Bools


def parse(text: pa.Array, kind: DateKind, order: DateOrder | None) -> Parsed:
    """Return text as dates, or as times of day.

    Args:
        text: `(n,)`.
        kind: which of the two.
        order: in which day, month and year stand where all are numbers and a year of four digits is not the first;
            None where that is not known, and such text is none.

    """
    coded = text.dictionary_encode()  # days repeat, and a value takes a microsecond
    distinct = coded.dictionary.cast(pa.string())
    gone = np.zeros(len(distinct), bool)
    found = _by_arrow(distinct) if kind == "date" else None
    if found is None:
        distinct = tidied(distinct)
        gone = bools(pc.is_in(distinct, pa.array(WORDS, pa.string())))
        distinct = distinct.take(indices(np.flatnonzero(~gone)))
        patterns, read = ([CLOCK], _time_of_day) if kind == "time" else (_patterns(order), _date)
        found = _parsed(distinct, patterns, read)
    # Places of the distinct values among those that are there; the last, of none, is for what is missing.
    places = np.append(np.where(gone, len(distinct), np.cumsum(~gone) - 1), len(distinct))
    at = places[np.where(absent(coded.indices), gone.size, whole_numbers(coded.indices))]
    values = {one.name: getattr(found, one.name) for one in fields(found)}
    with_none = {name: np.append(array, np.zeros(1, array.dtype)) for name, array in values.items()}
    return replace(Parsed(**{name: array[at] for name, array in with_none.items()}), missing=at == len(distinct))


def _nothing(n: int) -> Parsed:
    """Return n values that are no dates."""
    return Parsed(
        values=np.zeros(n, np.int64),
        fits=np.zeros(n, bool),
        zoned=np.zeros(n, bool),
        offsets=np.zeros(n, np.int64),
        short=np.zeros(n, bool),
        missing=np.zeros(n, bool),
    )


def _by_arrow(text: pa.Array) -> Parsed | None:
    """Return what pyarrow reads, several times as fast, where it reads all of it and no offset is lost."""
    in_utc = pc.all(pc.ends_with(text, "Z"), min_count=0).as_py()
    try:
        values = whole_numbers(text.cast(pa.timestamp("us", "UTC" if in_utc else None)))
    except pa.ArrowInvalid:
        return None
    if not np.all((values >= FIRST) & (values < LAST)):
        return None
    n = len(text)
    return replace(_nothing(n), values=values, fits=np.ones(n, bool), zoned=np.full(n, in_utc))


def _patterns(order: DateOrder | None) -> list[str]:
    return [ISO, *([DIGITS] if order == "ymd" else []), *([] if order is None else [ORDERED[order]]), *NAMED, BASIC]


def _parsed(text: pa.Array, patterns: Sequence[str], read: Callable[[Groups], Parsed]) -> Parsed:
    """Return text by the first of some patterns that it fits."""
    n = len(text)
    found = _nothing(n)
    for pattern in patterns:
        left = np.flatnonzero(~found.fits)
        groups = Groups(text if left.size == n else text.take(indices(left)), pattern)
        if not np.any(groups.matched):
            continue
        other = read(groups)
        for one in fields(found):
            values = getattr(found, one.name)
            values[left] = np.where(other.fits, getattr(other, one.name), values[left])
    return found


class Groups:
    """What the groups of a pattern have found in text.

    Args:
        text: `(n,)`.
        pattern: with named groups.

    """

    def __init__(self, text: pa.Array, pattern: str) -> None:
        self.n = len(text)
        found = pc.extract_regex(text, pattern)
        self.matched: Bools = ~absent(found)
        names = [field.name for field in found.type]
        self._columns = dict(zip(names, found.flatten(), strict=True))

    def text(self, name: str) -> pa.Array:
        """Return what a group has found; empty where that is nothing."""
        return pc.fill_null(self._columns[name], "") if name in self._columns else pa.repeat("", self.n)

    def present(self, name: str) -> Bools:
        """Return where a group has found something."""
        return bools(pc.not_equal(self.text(name), ""))

    def number(self, name: str) -> Ints:
        """Return the number that a group has found; 0 where that is nothing."""
        text = self.text(name)
        return whole_numbers(pc.cast(pc.if_else(pc.equal(text, ""), "0", text), pa.int64()))


def _date(found: Groups) -> Parsed:
    year, day = found.number("y"), found.number("d")
    short = found.matched & bools(pc.equal(pc.binary_length(found.text("y")), 2))
    year = np.where(short, year + np.where(year < PIVOT, 2000, 1900), year)
    month = found.number("m")
    named = found.present("name")
    if np.any(named):
        words = pc.index_in(pc.utf8_lower(found.text("name")), pa.array(list(NAMES), pa.string()))
        of_word = np.array([*NAMES.values(), 0], dtype=np.int64)
        month = np.where(named, of_word[whole_numbers(pc.fill_null(words, len(NAMES)))], month)
    fits = found.matched & (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1)
    fits &= bools(pc.equal(found.text("p"), found.text("q")))
    first = _first_of_month(np.where(fits, year, 1970), np.where(fits, month, 1))
    following = _first_of_month(np.where(fits, year + month // 12, 1970), np.where(fits, month % 12 + 1, 2))
    fits &= day <= following - first
    clock = _time(found)
    values = (first + day - 1) * DAY + clock.values - clock.offsets
    fits &= (clock.fits | ~found.present("h")) & (values >= FIRST) & (values < LAST)
    return replace(
        clock, values=np.where(fits, values, 0), fits=fits, offsets=np.where(fits, clock.offsets, 0), short=fits & short
    )


def _first_of_month(year: Ints, month: Ints) -> Ints:
    """Return the days from 1970 to the first of months."""
    months = (year - 1970) * 12 + month - 1
    return months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)


def _time_of_day(found: Groups) -> Parsed:
    clock = _time(found)
    fits = clock.fits & (clock.values < DAY)
    return replace(clock, values=np.where(fits, clock.values, 0), fits=fits)


def _time(found: Groups) -> Parsed:
    hour, minute, second = (found.number(name) for name in ("h", "min", "s"))
    half = pc.utf8_lower(found.text("half"))
    afternoon, halved = bools(pc.equal(half, "p")), found.present("half")
    fits = found.present("h") & (minute < 60) & np.where(halved, (hour >= 1) & (hour <= 12), hour <= 24)
    hour = np.where(halved, hour % 12 + np.where(afternoon, 12, 0), hour)
    # A leap second is the one after it: there are 86,400 in every day. What is below a microsecond is left out.
    fits &= second <= 60
    fraction = pc.utf8_slice_codeunits(pc.utf8_rpad(found.text("frac"), 6, "0"), 0, 6)
    values = hour * HOUR + minute * MINUTE + second * SECOND + whole_numbers(pc.cast(fraction, pa.int64()))
    fits &= (hour < 24) | (values == DAY)
    zone = found.text("zone")
    zoned = bools(pc.not_equal(zone, ""))
    offsets = np.zeros(found.n, np.int64)
    signed = np.flatnonzero(bools(pc.match_substring_regex(zone, "^[+-]")))
    if signed.size:
        digits = pc.replace_substring(zone.take(indices(signed)), ":", "")
        hours = whole_numbers(pc.cast(pc.utf8_slice_codeunits(digits, 1, 3), pa.int64()))
        minutes = whole_numbers(pc.cast(pc.utf8_slice_codeunits(pc.utf8_rpad(digits, 5, "0"), 3, 5), pa.int64()))
        negative = bools(pc.starts_with(digits, "-"))
        offsets[signed] = np.where(negative, -1, 1) * (hours * HOUR + minutes * MINUTE)
        fits[signed] &= (hours <= FARTHEST) & (minutes < 60)
    return replace(
        _nothing(found.n),
        values=np.where(fits, values, 0),
        fits=fits,
        zoned=fits & zoned,
        offsets=np.where(fits, offsets, 0),
    )
