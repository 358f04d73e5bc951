"""Damage of every kind of file ends in a result or one clear line: no traceback, no signal."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

import zeroloop
from hostile import CASES, FIRST_SEED
from mutants import FILES, attacked


@pytest.mark.parametrize("kind", FILES)
def test_a_damaged_table_is_a_result_or_an_error(kind: str) -> None:
    # Each mutant of a workbook is read by processes of its own.
    n = (CASES // 20 or 8) if kind in ("xlsx", "xls") else (CASES or 100)
    assert attacked(kind, FIRST_SEED, n) == []


def test_an_archive_of_a_later_version_is_said(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("t.csv", "x,y\n1,0\n2,1\n")
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 6] = 69  # the version that its member needs: 6.9
    path.write_bytes(content)
    with pytest.raises(zeroloop.ZeroloopError, match=r"packed in a way that cannot be read \(zip file version 6.9\)"):
        zeroloop.train(path, "y")
