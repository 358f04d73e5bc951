"""What the columns of a CSV file hold: numbers, however they are written, text, or nothing; as its head says."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from numpy.typing import NDArray

from zeroloop.csv_options import Mark
from zeroloop.tables.columns import MOST_EXACT
from zeroloop.tables.csv_dialect import Dialect
from zeroloop.tables.expected import Expected
from zeroloop.tables.missing_words import Words, missing_words
from zeroloop.tables.written_numbers import (
    GROUPED,
    NumberFormat,
    chosen_format,
    decimal_of,
    fitting,
    possible_formats,
    tidied,
    to_numbers,
)

MOSTLY = 0.9  # of a head's values: the rest of a column of numbers is damage
MOST_WORDS, FEWEST_NUMBERS = 5, 20  # distinct: so few words among so many numbers are no levels, whatever their share
FEWEST_VALUES = 10  # of which one may be no number
LONG = re.compile(r"^[+-]?\d{16,400}$")
WHOLE = re.compile(r"^\s*[+-]?\d+\s*$")
LEADING_ZERO = re.compile(r"^[+-]?0\d+$")
CANONICAL = r"^(?:-?[1-9]\d*|0)$"
"""Whole numbers as Python writes them: text that is such a number all through may be read as numbers, nothing lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvColumns:
    """How the columns of a file are read.

    Attributes:
        schema: their types.
        written: format of the columns of numbers that pyarrow does not read as they stand.
        digits: of the columns of whole numbers that all have as many.
        decimal: the file's decimal mark; None where no column tells.
        habit: the decimal mark that is more usual in such files.
        said: what a reader should know of them, in words.

    """

    schema: pa.Schema
    written: dict[str, NumberFormat]
    digits: dict[str, int]
    decimal: Mark | None
    habit: Mark
    said: tuple[str, ...]


def find_columns(inferred: pa.Schema, head: pa.RecordBatch, dialect: Dialect, expected: Expected) -> CsvColumns:
    """Return how a file's columns are read.

    Args:
        inferred: types that pyarrow finds in the head.
        head: its rows, as text.
        dialect: of the file.
        expected: what is known of it.

    """
    words = missing_words(expected.csv.na, expected.csv.not_na)
    texts = {field.name: without_missing(head[field.name], words.numbers).to_pylist() for field in inferred}
    kept_text = {name for name, values in texts.items() if _are_codes(values) and name not in expected.numbers}
    kept_text |= expected.levels | expected.text.keys()
    forms: dict[str, list[NumberFormat]] = {}
    points = False  # whether some column has decimal points for sure
    for field in inferred:
        values = texts[field.name]
        if field.name in kept_text or not _may_be_numbers(field.type):
            continue
        certain = pt.is_floating(field.type) and not all(re.match(GROUPED, value) for value in values)
        if pt.is_integer(field.type) or certain:
            points = points or certain
            continue  # as pyarrow reads them: no mark, or one that can only be a decimal point
        found = possible_formats(values, _share(field.name, values, expected))
        if found and (field.name in expected.numbers or _are_numbers(values, found[0])):
            forms[field.name] = found
    decimal = expected.csv.decimal or _decimal(forms, texts, points)
    habit: Mark = "," if dialect.delimiter == ";" else "."  # a spreadsheet's, where a comma stands within numbers
    written: dict[str, NumberFormat] = {}
    said: list[str] = []
    schema = inferred
    for i, field in enumerate(inferred):
        values, data_type = texts[field.name], field.type
        if field.name in kept_text:
            data_type = data_type if pt.is_null(data_type) and not values else pa.string()
        elif field.name in forms:
            form, guessed = chosen_format(forms[field.name], values, decimal, habit)
            if guessed:
                said.append(_guess(field.name, values, form))
            if form.decimal != "." or not _is_native(data_type):
                written[field.name] = form
                data_type = pa.float64()
        elif (pt.is_null(data_type) and values) or pt.is_temporal(data_type):
            data_type = pa.string()  # dates too: pyarrow reads one way of writing them, and loses their offsets
        if not data_type.equals(field.type):
            schema = schema.set(i, pa.field(field.name, data_type))
    numbers = (field.name for field in schema if _is_native(field.type))
    whole = (name for name in numbers if all(WHOLE.match(value) for value in texts[name]))  # float64 beside a gap too
    lengths = {name: {len(value.strip()) for value in texts[name]} for name in whole}
    digits = {name: min(lengths[name]) for name in lengths if len(lengths[name]) == 1 and min(lengths[name]) > 1}
    return CsvColumns(schema=schema, written=written, digits=digits, decimal=decimal, habit=habit, said=tuple(said))


def _share(name: str, values: Sequence[str], expected: Expected) -> float:
    """Return the share of a column's values that have to be numbers for it to be one of numbers."""
    return 0.0 if name in expected.numbers else 1.0 if len(values) < FEWEST_VALUES else 0.5


def _are_numbers(values: Sequence[str], form: NumberFormat) -> bool:
    """Return whether values of which at least half are numbers are numbers and damage, and not text."""
    fits = fitting(values, form)
    if sum(fits) >= MOSTLY * len(values):
        return True
    numbers = {value for value, fit in zip(values, fits, strict=True) if fit}
    words = set(values) - numbers
    return len(words) <= MOST_WORDS and len(numbers) >= FEWEST_NUMBERS


def _are_codes(values: Sequence[str]) -> bool:
    """Return whether values are digits, and no numbers: as numbers they would lose zeros, or not be told apart."""
    if any(LEADING_ZERO.match(value) for value in values):
        return True
    n_large = sum(abs(int(value)) > MOST_EXACT for value in values if LONG.match(value))
    return 2 * n_large > len(values)


def _is_native(data_type: pa.DataType) -> bool:
    return bool(pt.is_integer(data_type) or pt.is_floating(data_type))


def _may_be_numbers(data_type: pa.DataType) -> bool:
    return _is_native(data_type) or bool(pt.is_string(data_type) or pt.is_binary(data_type) or pt.is_null(data_type))


def _decimal(forms: Mapping[str, Sequence[NumberFormat]], texts: Mapping[str, list[str]], points: bool) -> Mark | None:
    """Return the file's decimal mark, None where its columns do not tell, or not with one voice."""
    marks: set[Mark | None] = {decimal_of(found, texts[name]) for name, found in forms.items()} - {None}
    marks |= {"."} if points else set()
    return next(iter(marks)) if len(marks) == 1 else None


def _guess(name: str, values: Sequence[str], form: NumberFormat) -> str:
    shown = next(value for value in values if "." in value or "," in value)
    number = to_numbers(pa.array([shown]), form)[0][0].as_py()
    return (
        f"column {name!r} holds {shown!r}, where a mark may stand between thousands or before decimals, and is read as "
        f"{number:.15g}; --decimal says which mark is before decimals"
    )


def may_be_misread(coded: pa.DictionaryArray) -> bool:
    """Return whether some text has blanks at its ends, which may have stood in quotes, or a quote below a backslash."""
    text = coded.dictionary
    if not pc.utf8_trim_whitespace(text).equals(text):
        return True
    return bool(pc.any(pc.match_substring(text, '\\"'), min_count=0).as_py())


def cleaned_text(column: pa.Array, coded: pa.DictionaryArray, missing: Collection[str], loose: bool) -> pa.Array:
    """Return text, given by its distinct values too, without blanks at its ends, null where it is a word of `missing`.

    Where the file's blanks are `loose`, those outside quotes are gone already, and others belong to the value.
    """
    # Distinct values are few in most columns of text, and most have nothing to clean: half the time of all values.
    values = pc.utf8_trim_whitespace(coded.dictionary)
    gone = pc.is_in(values, pa.array(list(missing), pa.string()))
    if values.equals(coded.dictionary) and not pc.any(gone, min_count=0).as_py():
        return column
    return pc.take(pc.if_else(gone, None, coded.dictionary if loose else values), coded.indices)


def written_numbers(column: pa.Array, form: NumberFormat, words: Words) -> tuple[pa.Array, NDArray[np.bool_]]:
    """Return text as numbers, null where missing, and which values are neither."""
    text = tidied(column)
    text = pc.if_else(pc.is_in(text, pa.array(words.numbers, pa.string())), None, text)
    return to_numbers(text, form)


def without_missing(column: pa.Array, missing: Collection[str]) -> pa.Array:
    """Return a column's values as text, tidied, without those that are missing."""
    text = tidied(column).drop_null()
    return pc.filter(text, pc.invert(pc.is_in(text, pa.array(list(missing), pa.string()))))
