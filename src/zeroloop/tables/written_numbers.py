"""Numbers as people write them: decimal commas, thousands, currencies, per cent, parentheses -> float64.

Which mark stands for what is decided for a whole column, by the values of its head: `1,234` by itself may be either.
A column in which some values fit no single way of writing keeps its text; see `zeroloop.tables.csv_columns`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from zeroloop.csv_options import Mark

CURRENCY = r"(?:[$€£¥₹]|EUR|USD|GBP|CHF|JPY|CNY|INR)"
BLANKS = "\u00a0\u2007\u2009\u202f"  # no-break, figure, thin, narrow no-break: printed as blanks between thousands
APOSTROPHES = "\u2019\u02bc`\u00b4"
MINUS = "\u2212\u2012\u2013\uff0d"
THOUSANDS: dict[Mark, tuple[str, ...]] = {".": (",", " ", "'", ""), ",": (".", " ", "'", "")}


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberFormat:
    """How a column's numbers are written.

    Attributes:
        decimal: the decimal mark.
        thousands: what stands between groups of three digits; empty for nothing.

    """

    decimal: Mark = "."
    thousands: str = ""

    @property
    def reads_points(self) -> bool:
        """Whether there may be a point in a number."""
        return "." in (self.decimal, self.thousands)

    @property
    def pattern(self) -> str:
        """A regular expression of a whole value: signs, currency and per cent around digits in this format."""
        point, group = re.escape(self.decimal), re.escape(self.thousands)
        whole = rf"(?:[1-9]\d{{0,2}}(?:{group}\d{{3}})+|\d+)" if self.thousands else r"\d+"
        # Decimals and an exponent; a value may begin with its decimal mark.
        digits = rf"(?:{whole}(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?"
        money = rf"(?:{CURRENCY} ?)?"
        after = rf"(?: ?(?:%|{CURRENCY}))?"
        signed = rf"[+-]? ?{money}[+-]?{digits}{after} ?-?"
        return rf"^(?:{signed}|\( ?{money}{digits}{after} ?\)|[+-]?(?:inf|Inf|INF|infinity|Infinity|NaN|nan))$"


PLAIN = NumberFormat()
ALL_FORMATS = tuple(
    sorted(
        (NumberFormat(decimal=mark, thousands=group) for mark, groups in THOUSANDS.items() for group in groups),
        key=lambda form: form.thousands != "",  # of formats that fit alike, one without thousands
    )
)
NATIVE = r"^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$"
"""Numbers that pyarrow reads as they stand."""
GROUPED = r"^[+-]?\d{1,3}(?:\.\d{3})*$"
"""Of these those with a point that might stand between thousands, or without one."""


def tidied(values: pa.Array) -> pa.Array:
    """Return text with one kind of blank, apostrophe and minus, none of them at the ends."""
    values = pc.replace_substring_regex(values, f"[{BLANKS}]", " ")
    values = pc.replace_substring_regex(values, f"[{APOSTROPHES}]", "'")
    values = pc.replace_substring_regex(values, f"[{MINUS}]", "-")
    return pc.utf8_trim_whitespace(values)


def fitting(values: Iterable[str], form: NumberFormat) -> list[bool]:
    """Return which values are numbers in this format."""
    pattern = re.compile(form.pattern)
    return [pattern.match(value) is not None for value in tidied(pa.array(values, pa.string())).to_pylist()]


def possible_formats(values: Sequence[str], share: float = 1.0) -> list[NumberFormat]:
    """Return the formats in which (nearly) all values are numbers, those that fit the most values first.

    Args:
        values: text, none of it missing.
        share: of the values that has to fit.

    """
    counts = {form: sum(fitting(values, form)) for form in ALL_FORMATS}
    most = max(counts.values(), default=0)
    if not values or most < share * len(values):
        return []
    return [form for form in ALL_FORMATS if counts[form] == most]


def decimal_of(forms: Sequence[NumberFormat], values: Sequence[str]) -> Mark | None:
    """Return the decimal mark that a column's values decide on, None where they leave it open.

    They leave it open where no value has a mark, or each mark in them might stand between thousands.
    """
    marks: set[Mark] = {form.decimal for form in forms}
    if len(marks) == 1 and any(mark in value for value in values for mark in marks):
        return next(iter(marks))
    return None


def chosen_format(
    forms: Sequence[NumberFormat], values: Sequence[str], decimal: Mark | None, habit: Mark
) -> tuple[NumberFormat, bool]:
    """Return the format to read a column by, and whether that was a guess, by which its values are others.

    Args:
        forms: those that fit it.
        values: its values.
        decimal: the file's decimal mark, where one is known.
        habit: the decimal mark that is more usual in such files, where nothing tells.

    """
    for mark in (decimal, habit):
        agreeing = [form for form in forms if form.decimal == mark]
        if agreeing:
            marked = any(sign in value for value in values for sign in ".,")
            return agreeing[0], mark != decimal and len(agreeing) < len(forms) and marked
    return forms[0], False


def to_numbers(values: pa.Array, form: NumberFormat) -> tuple[pa.Array, NDArray[np.bool_]]:
    """Return text as float64, null where it is null or no number in this format, and which values are no numbers."""
    text = tidied(values)
    fits = pc.match_substring_regex(text, form.pattern)
    strays = np.asarray(pc.fill_null(pc.invert(fits), False))
    text = pc.if_else(fits, text, None)
    negative = pc.or_(pc.starts_with(text, "("), pc.ends_with(text, "-"))
    text = pc.replace_substring_regex(text, rf"{CURRENCY}|[%() ]|-$", "")
    if form.thousands.strip():
        text = pc.replace_substring(text, form.thousands, "")
    if form.decimal != ".":
        text = pc.replace_substring(text, form.decimal, ".")
    numbers = pc.cast(text, pa.float64())
    return pc.if_else(negative, pc.negate(numbers), numbers), strays
