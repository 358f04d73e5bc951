"""Levels that look alike: they differ by case, by blanks at their ends or by a final dot, and may be meant as one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zeroloop.plain_text import listed
from zeroloop.tables.schema import Level, Schema

MOST_NAMED = 5  # levels in a group that look alike
MOST_GROUPS = 3
BY = "by case, outer blanks or a final dot"


def look(level: str) -> str:
    """Return what levels that look alike have in common."""
    return level.strip().removesuffix(".").rstrip().casefold()


def alike(levels: Iterable[Level]) -> list[list[str]]:
    """Return the groups of levels that look alike."""
    groups: dict[str, list[str]] = {}
    for level in levels:
        if isinstance(level, str):
            groups.setdefault(look(level), []).append(level)
    return [group for group in groups.values() if len(group) > 1]


def alike_sentences(schema: Schema) -> list[str]:
    """Return which levels look alike, a sentence for each column that has such, the target's first."""
    target = schema.target
    columns = [(f"The target {target.name!r} has classes that", target.levels)]
    columns += [(f"Levels of column {column.name!r}", column.levels) for column in schema.categorical]
    return [
        f"{subject} differ only {BY}: {_shown(groups)}. They count as different; correct the table if they mean the "
        "same."
        for subject, levels in columns
        if (groups := alike(levels))
    ]


def like_known(levels: Iterable[Level], known: Sequence[Level]) -> dict[str, str]:
    """Return, for each of some levels that looks like a known one, that one."""
    looks = {look(level): level for level in known if isinstance(level, str)}
    return {level: looks[look(level)] for level in levels if isinstance(level, str) and look(level) in looks}


def _shown(groups: Sequence[Sequence[str]]) -> str:
    shown = "; ".join(listed(group, MOST_NAMED) for group in groups[:MOST_GROUPS])
    more = len(groups) - MOST_GROUPS
    return f"{shown}; and {more:,} more such group{'s' if more > 1 else ''}" if more > 0 else shown
