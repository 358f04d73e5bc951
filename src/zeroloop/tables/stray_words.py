"""Words among numbers in text: which of its columns hold numbers for the most part, and what else."""

from __future__ import annotations

from collections import Counter

from zeroloop.plain_text import number_of
from zeroloop.tables.csv_columns import LEADING_ZERO
from zeroloop.tables.csv_header import NUMBER
from zeroloop.tables.schema import Level

MOST_SHOWN = 3


def words_sentence(name: str, counts: Counter[Level]) -> str | None:
    """Return that a column of text holds numbers for the most part; None where it does not, or holds digits only.

    Args:
        name: the column's.
        counts: rows of each of its values.

    """
    texts = Counter({value: n for value, n in counts.items() if isinstance(value, str)})
    numbers = {value for value in texts if NUMBER.match(value)}
    n_numbers, n_values = sum(texts[value] for value in numbers), texts.total()
    if n_numbers == n_values or 2 * n_numbers <= n_values or any(LEADING_ZERO.match(value) for value in numbers):
        return None
    words = Counter({value: n for value, n in texts.items() if value not in numbers})
    shown = ", ".join(f"{word!r} in {number_of(n, 'row')}" for word, n in words.most_common(MOST_SHOWN))
    more = f", and {number_of(len(words) - MOST_SHOWN, 'other value')}" if len(words) > MOST_SHOWN else ""
    return (
        f"Column {name!r} is text, and {n_numbers:,} of its {n_values:,} values are numbers; the others are "
        f"{shown}{more}. Say which words are missing values (--na WORD) to have it read as numbers, or name {name!r} "
        "categorical."
    )
