"""Damage of every kind of file ends in a result or one clear line: no traceback, no signal."""

from __future__ import annotations

import pytest

from mutants import CASES, FILES, attacked


@pytest.mark.parametrize("kind", FILES)
def test_a_damaged_table_is_a_result_or_an_error(kind: str) -> None:
    assert attacked(kind, 0, CASES or 100) == []
