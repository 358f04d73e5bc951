"""Options at the ends of what numbers hold: a model that can be loaded, or a sentence; never NaN in a file."""

from __future__ import annotations

import itertools
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import zeroloop
from hostile import CASES, within
from zeroloop.errors import OptionError, OutputError, ZeroloopError
from zeroloop.fit import MAX_ITER
from zeroloop.resources import Resources

EVERY = [5e-324, 1e-320, 1e-308, 1e-200, 1e-30, 1e30, 1e150, 1e300, 1.7e308]
EXTREMES = EVERY if CASES else [1e-320, 1e-200, 1.7e308]  # all in `make fuzz`


def tables() -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(0)
    n = 200
    two = pd.DataFrame(
        {"y": rng.choice(["no", "yes"], n), "x": rng.normal(size=n), "g": rng.choice(["a", "b", "c"], n)}
    )
    wide = pd.DataFrame(rng.normal(size=(40, 80))).rename(columns=str)
    return {
        "two": two,
        "three": two.assign(y=rng.choice(["p", "q", "r"], n)),
        "wide": wide.rename(columns={"3": "x"}).assign(y=rng.choice(["no", "yes"], 40)),
    }


def cases(value: float) -> list[dict[str, Any]]:
    below_one = min(value, 1 / value if value > 1 else 1.0)
    solvers = [{"C": value, "l1_ratio": 0.0, "solver": solver} for solver in MAX_ITER]
    return [
        *solvers,
        {"C": value, "l1_ratio": 0.5},
        {"C": value, "multi_class": "ovr"},
        {"tol": value},
        {"learning_rate": value, "solver": "gradient-descent"},
        {"l1_ratio": below_one},
        {"test_fraction": below_one},
        {"penalty_factors": {"x": value}},
        {"penalty_factors": {"x": value}, "l1_ratio": 0.5},
        {"bounds": {"x": (-value, value)}},
        {"C": "cv", "Cs": [value, 1.0]},
        {"C": float("inf"), "degrees_of_freedom": value},
    ]


@pytest.mark.parametrize("name", ["two", "three", "wide"])
def test_an_extreme_of_any_option_gives_a_model_that_loads_or_a_sentence(name: str, tmp_path: Path) -> None:
    table = tables()[name]
    path = tmp_path / "model.json"
    n_models = 0
    for value, i in itertools.product(EXTREMES, range(len(cases(1.0)))):
        options = {"max_iter": 20} | cases(value)[i]
        try:
            with within(60), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                zeroloop.train(table, "y", threads=1, out=path, **options)
                assert np.all(np.isfinite(zeroloop.load(path).coef))
            n_models += 1
        except ZeroloopError:
            continue
        except Exception as error:
            raise AssertionError(f"{name}: {options}: {type(error).__name__}: {error}") from error
    assert n_models > 10 * len(EXTREMES)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_is_said_of_a_penalty_beyond_all_numbers() -> None:
    with pytest.raises(OptionError, match=r"C is 9\.99989e-321: .* the penalty is more than any number holds; give a"):
        zeroloop.train(tables()["two"], "y", C=1e-320)
    with pytest.raises(OptionError, match=r"solver 'gradient-descent': .* use a smaller learning_rate\."):
        zeroloop.train(tables()["wide"], "y", learning_rate=1.7e308, solver="gradient-descent", max_iter=30)


@pytest.mark.parametrize("folder", ["a" * 5000, "a\0b"])
def test_a_checkpoint_folder_that_cannot_be_is_said(folder: str) -> None:
    with pytest.raises(OutputError, match="checkpoint: the folder 'a"):
        zeroloop.train(tables()["two"], "y", checkpoint=folder)


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        (Resources(memory="abc"), "memory is 'abc'"),
        (Resources(threads=0), "threads is 0"),
        (Resources(spill="no/such"), "spill: the folder no/such does not exist"),
    ],
)
def test_a_report_checks_its_resources_before_any_work(resources: Resources, said: str, tmp_path: Path) -> None:
    from zeroloop.report.page import report

    model = zeroloop.train(tables()["two"], "y")
    with pytest.raises(ZeroloopError, match=said):
        report(model, tmp_path / "r.html", "no such table.csv", resources)


def test_the_command_line_says_it_too(tmp_path: Path) -> None:
    tables()["two"].to_csv(tmp_path / "d.csv", index=False)
    code = "from zeroloop.cli import main; main()"
    command = [sys.executable, "-c", code, "train", "d.csv", "--target", "y", "--C=1e-320"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("zeroloop: error: C is 9.99989e-321: with these weights")
    assert not (tmp_path / "model.json").exists()
