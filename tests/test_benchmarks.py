"""The benchmark's own arithmetic: it judges, and says what it could not measure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmarks.fits import measure, takers
from benchmarks.page import write_page
from benchmarks.problems import PROBLEMS, Problem, judge, load

from conftest import made
from zeroloop import LogisticRegression

pytestmark = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory is measured on Linux")


def test_the_judge_agrees_with_the_fit() -> None:
    X, y = made(400, 3)
    fitted = LogisticRegression(tol=1e-10).fit(X, y)
    objective, gradient_norm = judge(Problem(X, y), fitted.coef_[0], float(fitted.intercept_[0]))
    penalty = float(np.sum(fitted.coef_**2)) / (2 * 400)
    assert objective == pytest.approx(fitted.loss_ + penalty, rel=1e-12)
    assert gradient_norm < 1e-9
    worse = judge(Problem(X, y), fitted.coef_[0] + 0.1, float(fitted.intercept_[0]))
    assert worse[0] > objective
    assert worse[1] > 1e-4


def test_a_case_is_measured_and_written(tmp_path: Path) -> None:
    PROBLEMS["150 x 4"]().save(tmp_path)
    assert load(tmp_path).X.shape == (150, 4)
    ours = measure(str(tmp_path), "zeroloop", tight=False)
    assert ours["gradient_norm"] <= 1e-6
    theirs = measure(str(tmp_path), "scikit-learn lbfgs", tight=True)
    assert theirs["objective"] == pytest.approx(ours["objective"], rel=1e-8)
    gone = measure(str(tmp_path), "no such peer", tight=False)
    assert "KeyError" in gone["stopped"]
    rows = [
        {"peer": "zeroloop", "tight": False} | ours,
        {"peer": "scikit-learn lbfgs", "tight": False} | theirs,
        {"peer": "no such peer", "tight": False} | gone,
    ]
    results = {"150 x 4": {"machine": "a machine", "date": "2026-01-01", "figures": rows}}
    write_page(results, tmp_path)
    page = (tmp_path / "README.md").read_text()
    assert "on a machine; 2026-01-01" in page
    assert "| 150 x 4 | " in page
    assert "no such peer | KeyError" in page


def test_every_peer_takes_part_somewhere_and_zeroloop_first_everywhere() -> None:
    for problem in PROBLEMS:
        taking = list(takers(problem))
        assert taking[0] == ("zeroloop", False)
        assert {("glum", False), ("glum", True), ("scikit-learn lbfgs", False)} <= set(taking)
    assert ("statsmodels", False) in takers("1,000,000 x 50")
