"""Tables written in any way: each value is what was written, or something is said."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import pytest

from hostile import CASES, FIRST_SEED
from written_tables import Written, any_written
from zeroloop.errors import ZeroloopError
from zeroloop.tables.read import open_table

N = CASES or 240


def read_back(path: Path) -> tuple[dict[str, list[Any]], list[str]]:
    """Return the columns of a file, and what was said of them."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        table = open_table(str(path))
        batches = [batch.rows for batch in table.batches(table.schema.names)]
        found = {name: [v for batch in batches for v in batch[name].to_pylist()] for name in table.schema.names}
    return found, [str(one.message) for one in caught]


def same(meant: Any, found: Any) -> bool:
    found = None if isinstance(found, float) and math.isnan(found) else found
    if meant is None or found is None:
        return meant is found
    if isinstance(meant, str):  # of digits: whole numbers are float64 beside a gap of blanks
        return (f"{found:.0f}" if isinstance(found, float) else str(found)) == meant
    return isinstance(found, int | float) and float(found) == float(meant)


def differences(one: Written, found: dict[str, list[Any]]) -> list[tuple[str, Any, Any]]:
    """Return columns with a value that is another than was meant, and both."""
    different = []
    for name, values in one.columns.items():
        if name not in found:
            continue  # who asks for it is told that it is not there
        got = found[name]
        if len(got) != len(values):
            different.append((name, len(values), len(got)))
            continue
        pairs = [(a, b) for a, b in zip(values, got, strict=True) if not same(a, b)]
        different += [(name, *pairs[0])] if pairs else []
    return different


@pytest.mark.parametrize("part", range(4))
def test_values_are_those_written_or_something_is_said(part: int, tmp_path: Path) -> None:
    right = 0
    for seed in range(FIRST_SEED + part, FIRST_SEED + N, 4):
        one = any_written(seed)
        path = tmp_path / "table.csv"
        path.write_bytes(one.content)
        try:
            found, said = read_back(path)
        except ZeroloopError:
            continue
        except Exception as error:
            raise AssertionError(f"{one.about}: {error}") from error
        different = differences(one, found)
        for name, meant, got in different:
            words = f"column {name!r}" if isinstance(meant, float) else "is read as"
            assert any(words in sentence for sentence in said), f"{one.about}\n{name}: {meant!r}, read as {got!r}"
        right += not different and set(one.columns) <= set(found)
    assert right > N // 12
