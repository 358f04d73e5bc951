"""Damage of every kind of file ends in a result or one clear line: no traceback, no signal."""

from __future__ import annotations

import pytest

from hostile import CASES, FIRST_SEED
from mutants import FILES, attacked


@pytest.mark.parametrize("kind", FILES)
def test_a_damaged_table_is_a_result_or_an_error(kind: str) -> None:
    # Each mutant of a workbook is read by processes of its own.
    n = (CASES // 20 or 8) if kind in ("xlsx", "xls") else (CASES or 100)
    assert attacked(kind, FIRST_SEED, n) == []
