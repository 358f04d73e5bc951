"""How work goes on, as whoever shows it is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What is being done, and how far it is.

    Attributes:
        doing: in words.
        rows: done so far, of this sweep over the rows.
        total_rows: of it; None where that is not known yet.
        n_bytes: read so far, of this sweep.
        total_bytes: of it; 0 for tables in memory.

    """

    doing: str
    rows: int = 0
    total_rows: int | None = None
    n_bytes: int = 0
    total_bytes: int = 0


Progress = Callable[[Work], None]
"""Called as work goes on."""


def unheard(work: Work) -> None:
    """Tell no one."""
