"""Words that stand for a missing value."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

# pandas' list, and what UCI's files, MySQL, SAS and spreadsheets write.
MISSING = (
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan", "null",
    "?", "\\N", "N.A.", "n.a.", "#DIV/0!", "#VALUE!", "#REF!", "#NUM!", "#NAME?", "#NULL!",
)  # fmt: skip
MISSING_NUMBERS = ("-", "--", "---", ".", "..", "missing", "Missing", "MISSING", "na", "NAN", "Null", "none", "NONE")
"""Missing among numbers; among text they may be levels: + and - are the classes of more than one table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Which words stand for a missing value.

    Attributes:
        text: in any column.
        numbers: in a column of numbers.

    """

    text: tuple[str, ...]
    numbers: tuple[str, ...]


def missing_words(na: Collection[str] = (), not_na: Collection[str] = ()) -> Words:
    """Return the words that stand for a missing value.

    Args:
        na: words that do, besides those known.
        not_na: words that do not; an empty value always does.

    """
    text = [word for word in dict.fromkeys([*MISSING, *sorted(na)]) if word == "" or word not in not_na]
    more = [word for word in MISSING_NUMBERS if word not in not_na]
    return Words(text=tuple(text), numbers=tuple(dict.fromkeys([*text, *more])))


def without_words(batch: pa.RecordBatch, words: Collection[str]) -> pa.RecordBatch:
    """Return rows in which text that is one of some words is null, and so are numbers that one of them is."""
    if not words:
        return batch
    texts, numbers = pa.array(list(words), pa.string()), pa.array(_numbers(words), pa.float64())
    columns = [_without(column, texts, numbers) for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def _without(column: pa.Array, texts: pa.Array, numbers: pa.Array) -> pa.Array:
    data_type = column.type
    if pt.is_dictionary(data_type):
        codes = pc.indices_nonzero(_is_in(column.dictionary, texts, numbers))
        gone = pc.is_in(column.indices, codes.cast(column.indices.type))
        indices = pc.if_else(gone, pa.scalar(None, column.indices.type), column.indices)
        return pa.DictionaryArray.from_arrays(indices, column.dictionary, ordered=data_type.ordered)
    return pc.if_else(_is_in(column, texts, numbers), pa.scalar(None, data_type), column)


def _is_in(values: pa.Array, texts: pa.Array, numbers: pa.Array) -> pa.Array:
    data_type = values.type
    if pt.is_string(data_type) or pt.is_large_string(data_type):
        return pc.is_in(pc.utf8_trim_whitespace(values).cast(pa.string()), texts)
    if pt.is_integer(data_type) or pt.is_floating(data_type) or pt.is_decimal(data_type):
        return pc.is_in(values.cast(pa.float64(), safe=False), numbers)
    return pa.repeat(pa.scalar(False), len(values))


def _numbers(words: Collection[str]) -> list[float]:
    found = []
    for word in words:
        try:
            found.append(float(word))
        except ValueError:
            continue
    return found
