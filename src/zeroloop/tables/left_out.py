"""Columns that make no term, in sentences: those left out for like reasons together, however many they are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from zeroloop.plain_text import listed
from zeroloop.tables.schema import LeftOut

LIKE = re.compile(r"[,:;(]")  # ends what like reasons have in common
MOST_NAMED = 5  # of such columns


def _together(columns: Iterable[LeftOut]) -> Iterator[tuple[str, bool, str, str]]:
    """Yield columns left out for like reasons: their names, whether there are several, whose reason, the reason."""
    groups: dict[str, list[LeftOut]] = {}
    for one in columns:
        groups.setdefault(LIKE.split(one.reason, maxsplit=1)[0], []).append(one)
    for group in groups.values():
        first = group[0]
        alike = "" if all(one.reason == first.reason for one in group) else f" for reasons like that of {first.name!r}"
        yield listed([one.name for one in group], MOST_NAMED), len(group) > 1, alike, first.reason


def left_out_sentences(columns: Iterable[LeftOut]) -> list[str]:
    """Return that columns are left out and why, a sentence a kind of reason."""
    return [
        f"Column{'s' if several else ''} {names} {'are' if several else 'is'} left out{alike}: {reason}."
        for names, several, alike, reason in _together(columns)
    ]


def none_left(target: str, left_out: Iterable[LeftOut]) -> str:
    """Return that every column is left out, and why."""
    reasons = "; ".join(f"{names}{alike}: {reason}" for names, _, alike, reason in _together(left_out))
    return f"No column is left to predict {target!r} from ({reasons})."
