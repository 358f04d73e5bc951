"""Damage of every kind of file ends in a result or one clear line: no traceback, no signal."""

from __future__ import annotations

import pytest

from hostile import CASES, FIRST_SEED
from mutants import FILES, attacked


@pytest.mark.parametrize("kind", FILES)
def test_a_damaged_table_is_a_result_or_an_error(kind: str) -> None:
    few = 8 if kind in ("xlsx", "xls") else 100  # each is read by a process of its own
    assert attacked(kind, FIRST_SEED, CASES or few) == []
