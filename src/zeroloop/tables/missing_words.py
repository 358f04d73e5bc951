"""Words that stand for a missing value."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

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
