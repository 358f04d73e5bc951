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

from zeroloop.tables.csv_dialect import CsvOptions, Dialect
from zeroloop.tables.written_numbers import (
    Mark,
    NumberFormat,
    chosen_format,
    decimal_of,
    possible_formats,
    tidied,
    to_numbers,
)

# pandas' list, and what UCI's files, MySQL, SAS and spreadsheets write.
MISSING = (
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan", "null",
    "?", "\\N", "N.A.", "n.a.", "#DIV/0!", "#VALUE!", "#REF!", "#NUM!", "#NAME?", "#NULL!",
)  # fmt: skip
MISSING_NUMBERS = ("-", "--", "---", ".", "..", "missing", "Missing", "MISSING", "na", "NAN", "Null", "none", "NONE")
"""Missing among numbers; among text they may be levels: + and - are the classes of more than one table."""

MOSTLY = 0.9  # of a head's values: the rest of a column of numbers is damage, above it the column is text
FEWEST_VALUES = 10  # of which one may be no number
GROUPED = re.compile(r"^[+-]?\d{1,3}(?:\.\d{3})*$")
"""Numbers with a point of which it might stand between thousands."""
LEADING_ZERO = re.compile(r"^[+-]?0\d+$")
CANONICAL = r"^(?:-?[1-9]\d*|0)$"
"""Whole numbers as Python writes them: text that is such a number all through may be read as numbers, nothing lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Which words stand for a missing value.

    Attributes:
        text: in any column.
        numbers: in a column of numbers.

    """

    text: tuple[str, ...]
    numbers: tuple[str, ...]


def missing_words(options: CsvOptions) -> Words:
    """Return the words that stand for a missing value in the files that options are for."""
    text = [word for word in dict.fromkeys([*MISSING, *sorted(options.na)]) if word == "" or word not in options.not_na]
    more = [word for word in MISSING_NUMBERS if word not in options.not_na]
    return Words(text=tuple(text), numbers=tuple(dict.fromkeys([*text, *more])))


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvColumns:
    """How the columns of a file are read.

    Attributes:
        schema: their types.
        written: format of the columns of numbers that pyarrow does not read as they stand.
        said: what a reader should know of them, in words.

    """

    schema: pa.Schema
    written: dict[str, NumberFormat]
    said: tuple[str, ...]


def find_columns(inferred: pa.Schema, head: pa.RecordBatch, dialect: Dialect, options: CsvOptions) -> CsvColumns:
    """Return how a file's columns are read.

    Args:
        inferred: types that pyarrow finds in the head.
        head: its rows, as text.
        dialect: of the file.
        options: what is known of it.

    """
    words = missing_words(options)
    texts = {field.name: _values(head[field.name], words.numbers) for field in inferred}
    kept_text = options.text | options.categorical
    forms: dict[str, list[NumberFormat]] = {}
    points = False  # whether some column has decimal points for sure
    for field in inferred:
        if field.name in kept_text or not _may_be_numbers(field.type):
            continue
        values = texts[field.name]
        if any(LEADING_ZERO.match(value) for value in values):
            continue
        if pt.is_integer(field.type) or (pt.is_floating(field.type) and not all(map(GROUPED.match, values))):
            points = points or pt.is_floating(field.type)
            continue  # as pyarrow reads them: no mark, or one that can only be a decimal point
        found = possible_formats(values, 1.0 if len(values) < FEWEST_VALUES else MOSTLY)
        if found:
            forms[field.name] = found
    decimal = options.decimal or _decimal(forms, texts, points, dialect)
    written: dict[str, NumberFormat] = {}
    said: list[str] = []
    schema = inferred
    for i, field in enumerate(inferred):
        values, data_type = texts[field.name], field.type
        if field.name in kept_text or any(LEADING_ZERO.match(value) for value in values):
            data_type = data_type if pt.is_null(data_type) and not values else pa.string()
        elif field.name in forms:
            form, guessed = chosen_format(forms[field.name], decimal)
            plain = pt.is_integer(data_type) or (form.decimal == "." and _is_native(data_type))
            if not plain:
                written[field.name] = form
                data_type = pa.float64()
                if guessed:
                    said.append(_guess(field.name, values, form))
        elif pt.is_null(data_type) and values:
            data_type = pa.string()
        if not data_type.equals(field.type):
            schema = schema.set(i, pa.field(field.name, data_type))
    return CsvColumns(schema=schema, written=written, said=tuple(said))


def _values(column: pa.Array, missing: Collection[str]) -> list[str]:
    """Return a column's values as text, without those that are missing."""
    gone = set(missing)
    return [value for value in tidied(column).to_pylist() if value is not None and value not in gone]


def _is_native(data_type: pa.DataType) -> bool:
    return bool(pt.is_integer(data_type) or pt.is_floating(data_type))


def _may_be_numbers(data_type: pa.DataType) -> bool:
    return _is_native(data_type) or bool(pt.is_string(data_type) or pt.is_binary(data_type) or pt.is_null(data_type))


def _decimal(
    forms: Mapping[str, Sequence[NumberFormat]], texts: Mapping[str, list[str]], points: bool, dialect: Dialect
) -> Mark | None:
    """Return the file's decimal mark, None where its columns do not tell, or not with one voice."""
    marks: set[Mark | None] = {decimal_of(found, texts[name]) for name, found in forms.items()} - {None}
    marks |= {"."} if points else set()
    if len(marks) == 1:
        return next(iter(marks))
    # Semicolons are what spreadsheets put between values where a comma stands within numbers.
    return "," if not marks and dialect.delimiter == ";" else None


def _guess(name: str, values: Sequence[str], form: NumberFormat) -> str:
    shown = next((value for value in values if form.thousands in value), values[0])
    number = to_numbers(pa.array([shown]), form)[0][0].as_py()
    return f"column {name!r} holds {shown!r}, read as {number:.15g}; write more than three decimals if it is not that"


def cleaned_text(column: pa.Array, words: Words) -> pa.Array:
    """Return text without blanks at its ends, null where it is a word for a missing value."""
    # Distinct values are few in most columns of text, and most have nothing to clean: half the time of all values.
    coded = column.dictionary_encode()
    values = pc.utf8_trim_whitespace(coded.dictionary)
    missing = pc.is_in(values, pa.array(words.text, pa.string()))
    if values.equals(coded.dictionary) and not pc.any(missing, min_count=0).as_py():
        return column
    return pc.take(pc.if_else(missing, None, values), coded.indices)


def written_numbers(column: pa.Array, form: NumberFormat, words: Words) -> tuple[pa.Array, NDArray[np.bool_]]:
    """Return text as numbers, null where missing, and which values are neither."""
    text = tidied(column)
    text = pc.if_else(pc.is_in(text, pa.array(words.numbers, pa.string())), None, text)
    return to_numbers(text, form)
