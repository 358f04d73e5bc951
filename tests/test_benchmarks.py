"""The benchmark's own arithmetic: it judges, and says what it could not measure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmarks import fits, instant
from benchmarks.fits import measure, takers
from benchmarks.page import write_page
from benchmarks.penalties import CASES, Case, judged, run_one
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


def test_a_case_is_measured_and_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fits, "MOST_SECONDS", 60)  # also where other tests keep the machine busy
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


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_the_judge_of_penalties_agrees_with_the_fit(l1_ratio: float, n_classes: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((500, 4))
    y = np.argmax(X @ rng.standard_normal((4, n_classes)) + rng.gumbel(size=(500, n_classes)), axis=1)
    fitted = LogisticRegression(C=0.1, l1_ratio=l1_ratio, tol=1e-10).fit(X, y)
    strength = 1 / (0.1 * 500)
    assert judged(X, y, strength, l1_ratio, fitted.coef_, fitted.intercept_)[1] < 1e-9
    assert judged(X, y, strength, l1_ratio, fitted.coef_ + 0.1, fitted.intercept_)[1] > 1e-3
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "y.npy", y)
    case = Case(
        make=lambda: (X, y),
        C=0.1,
        l1_ratio=l1_ratio,
        wanted=1.0,
        peers={"zeroloop": CASES["L1, 1,000,000 x 50"].peers["zeroloop"]},
    )
    found = run_one(case, "zeroloop", tmp_path)
    assert found["violation"] < 1e-6
    # At the same tol: with an even number of classes an L1 penalty has several optima, which differ in their zeros.
    assert found["nonzero"] == np.sum(LogisticRegression(C=0.1, l1_ratio=l1_ratio).fit(X, y).coef_ != 0)
    figures = [{"case": "L1, 1,000,000 x 50", "peer": "zeroloop", "wanted": 10} | found]
    figures.append({"case": "L1, 1,000,000 x 50", "peer": "no such peer", "wanted": 10, "stopped": "KeyError"})
    result = {"machine": "a machine", "date": "2026-01-01", "figures": figures}
    write_page({"L1, 1,000,000 x 50": result}, tmp_path)
    assert "| L1, 1,000,000 x 50 | no such peer | KeyError |" in (tmp_path / "README.md").read_text()


def test_zeroloop_is_first_in_every_comparison() -> None:
    assert all(next(iter(case.peers)).startswith("zeroloop") for case in CASES.values())


def test_a_small_problem_is_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instant, "COLD_PROCESSES", 1)
    monkeypatch.setattr(instant, "WARM_FITS", 1)
    case = "LogisticRegression(), 100 x 3,900"
    X, y = instant.CASES[case].make()
    assert X.shape == (100, 3_900)
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "y.npy", y)
    ours = instant.measured(case, "zeroloop", str(tmp_path))
    assert ours["process"]["seconds"] > ours["first"]["seconds"] > 0
    assert ours["process"]["cpu"] > ours["first"]["cpu"] > 0
    rows = [{"case": case, "wanted": 0.02, "peer": peer} | ours for peer in instant.PEERS]
    write_page({"instant": {"machine": "a machine", "date": "2026-01-01", "figures": rows}}, tmp_path)
    assert f"| {case} | 20 ms | scikit-learn | " in (tmp_path / "README.md").read_text()


@pytest.mark.parametrize("name", instant.CASES)
def test_small_problems_are_those_named_and_fit(name: str) -> None:
    case = instant.CASES[name]
    assert list(case.fit) == list(instant.PEERS)
    X, y = case.make()
    fitted = case.fit["zeroloop"](X, y)
    assert np.all(getattr(fitted, "converged_", getattr(fitted, "converged", False)))
