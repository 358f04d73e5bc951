"""Which rows are held out when nobody says so: a fifth, but none of a fit whose estimates are read."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import zeroloop
from command_line import run

NONE_HELD_OUT = "there are no scores on rows held out; test_fraction=0.2 (--test-fraction 0.2) holds some out"


def a_frame(seed: int = 0, m: int = 500) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(m)
    return pd.DataFrame({"x": x, "y": (rng.random(m) < 1 / (1 + np.exp(-x))).astype(int)})


@pytest.mark.parametrize("options", [{"C": math.inf}, {"method": "firth"}, {"C": math.inf, "bounds": {"x": (0, 9)}}])
def test_without_a_penalty_all_rows_are_used(options: dict[str, Any]) -> None:
    model = zeroloop.train(a_frame(), "y", **options)
    assert (model.training.rows, model.training.held_out_rows, model.training.test_fraction) == (500, 0, 0.0)
    assert model.held_out is None


def test_the_p_values_are_statsmodels_of_all_rows() -> None:
    frame = a_frame(1)
    model = zeroloop.train(frame, "y", C=math.inf)
    judge = sm.Logit(frame.y, sm.add_constant(frame[["x"]])).fit(disp=0, tol=1e-13)
    np.testing.assert_allclose(model.terms()["p"].to_numpy(), judge.pvalues, rtol=1e-8)
    assert NONE_HELD_OUT in str(model.summary())


@pytest.mark.parametrize("options", [{}, {"C": 2.0}, {"C": "cv", "Cs": [0.1, 1.0]}, {"l1_ratio": 1.0}])
def test_with_a_penalty_a_fifth_is_held_out(options: dict[str, Any]) -> None:
    model = zeroloop.train(a_frame(), "y", **options)
    assert model.training.test_fraction == 0.2
    assert model.held_out is not None
    assert 60 < model.training.held_out_rows < 140


def test_a_fraction_that_is_named_is_held_out_and_said() -> None:
    model = zeroloop.train(a_frame(), "y", C=math.inf, test_fraction=0.2)
    n = model.training.rows
    assert model.held_out is not None
    said = f"The estimates are of {n} of 500 rows ({n / 500:.0%}): the others were held out for the scores."
    assert said in str(model.summary())
    assert "With test_fraction=0 (--test-fraction 0) they are of all." in str(model.summary())
    assert NONE_HELD_OUT not in str(model.summary())


def test_the_command_line_says_the_same(tmp_path: Path) -> None:
    a_frame().to_csv(tmp_path / "rows.csv", index=False)
    train = ("train", "rows.csv", "--target", "y", "--C", "inf", "--out", "m.json")
    done = run(*train, "--report", "m.html", cwd=tmp_path)
    assert done.stdout.count(NONE_HELD_OUT) == 1
    assert "500 rows; 500 to train on\n" in done.stdout
    assert run("summary", "m.json", cwd=tmp_path).stdout.count(NONE_HELD_OUT) == 1
    assert json.loads(run("summary", "m.json", "--json", cwd=tmp_path).stdout)["held_out"] is None
    page = (tmp_path / "m.html").read_text()
    assert "No rows were held out, so the scores are of rows that the model has seen" in page
    assert "scored on 500 the rows it was trained on" not in page
    done = run(*train, "--test-fraction", "0.3", cwd=tmp_path)
    assert "held-out rows" in done.stdout
    assert NONE_HELD_OUT not in done.stdout
    summary = run("summary", "m.json", cwd=tmp_path).stdout
    assert "With test_fraction=0 (--test-fraction 0) they are of all." in summary
    assert "Brier score" in summary
