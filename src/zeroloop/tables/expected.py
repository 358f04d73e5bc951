"""What is known of a table before it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from zeroloop.csv_options import AS_FOUND, CsvOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What is known of a table before it is read.

    Attributes:
        csv: what is said of its files.
        levels: columns to read as text unless all of their values are whole numbers, written as such.
        text: columns to read as text whatever they hold, and which words for missing values are levels of theirs.
        numbers: columns to read as numbers; where they hold anything else, that is said.
        verbatim: whether columns are read as their characters stand there, an empty field alone as missing.

    """

    csv: CsvOptions = AS_FOUND
    levels: frozenset[str] = frozenset()
    text: Mapping[str, frozenset[str]] = field(default_factory=dict)
    numbers: frozenset[str] = frozenset()
    verbatim: bool = False


NOTHING_EXPECTED = Expected()
