"""The page of data sets says what the command makes of them: those that are installed here are trained on again."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from benchmarks.datasets import PAGE, SETS, DataSet, row_of, shown, trained

HERE = [one for one in SETS if one.package == "sklearn"]
LINES = PAGE.read_text().splitlines()


@pytest.mark.parametrize("one", HERE, ids=lambda one: f"{Path(one.file).stem} {one.target}")
def test_the_page_has_what_is_found_and_said(one: DataSet, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found, said = trained(one, tmp_path)
    assert row_of(one, found) in LINES
    for line in said:
        assert any(shown(line) in written for written in LINES)


def test_the_page_has_thirty_data_sets_with_scores() -> None:
    rows = [line.split("|") for line in LINES if line.startswith("| ") and ": " in line.split("|")[1]]
    assert len(rows) == len(SETS)
    assert sum(bool(cells[7].strip()) for cells in rows) >= 30
