"""The command that a report names, run: it makes the same model, to the last bit."""

from __future__ import annotations

import math
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import zeroloop
from command_line import run
from zeroloop.commands.options import names
from zeroloop.plain_text import in_list
from zeroloop.report.provenance import IN_MEMORY, command_of

ODD = ["a,b", 'say "x"', " blank ", "-z", "--target", "it's; $HOME", "x=1", "é\n2"]


def a_frame(m: int = 600, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({name: rng.standard_normal(m) for name in ODD})
    frame["g"] = rng.choice(["red", "green", "blue, dark", "-"], m)
    frame["code"] = rng.integers(0, 4, m)
    frame["w"] = rng.integers(1, 4, m)
    frame["who"] = rng.integers(0, 50, m)
    frame["o"] = rng.standard_normal(m) / 3
    z = frame["a,b"] - 0.5 * frame["-z"] + (frame.g == "red") + frame.o
    frame["y"] = np.where(rng.random(m) < 1 / (1 + np.exp(-z)), "yes", "-no")
    frame["kind"] = rng.choice(["one", "two", "three"], m)
    frame.loc[rng.random(m) < 0.05, "-z"] = np.nan
    return frame


INF = math.inf
OPTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "defaults": ("y", {"drop": ["kind"]}),
    "roles": (
        "y",
        {
            "positive": "-no", "features": ODD, "weights": "w", "C": INF, "tests": ["a,b", ["-z", 'say "x"']],
            "missing": "drop",
        },
    ),
    "inference": (
        "y",
        {
            "features": ["a,b", "g", "-z"], "cluster": "who", "offset": "o", "C": INF, "covariance": "hc1",
            "degrees_of_freedom": "clusters", "weights": "w", "weight_type": "sampling", "missing": "drop",
        },
    ),
    "firth": ("y", {"features": ["a,b", "code"], "categorical": ["code"], "method": "firth", "test_fraction": 0.25}),
    "penalties": (
        "y",
        {
            "features": ["a,b", "x=1", "g"], "C": 0.1 + 0.2, "l1_ratio": 1 / 3, "seed": 7, "tol": 1e-9,
            "penalty_factors": {"a,b": 0.1, "x=1": 1e-17}, "bounds": {"x=1": (0, INF), "a,b": (-INF, 0.25)},
        },
    ),
    "cut short": ("y", {"features": ["a,b", "g"], "max_passes": 4}),
    "descent": (
        "y",
        {
            "features": ["a,b"], "solver": "gradient-descent", "learning_rate": 0.3, "max_iter": 17,
            "test_fraction": 0.0,
        },
    ),
    "chosen": ("y", {"features": ["a,b", "g"], "C": "cv-1se", "Cs": [0.01, 1 / 7, 3.0]}),
    "classes": ("kind", {"features": ["a,b", "g"], "multi_class": "ovr", "solver": "lbfgs"}),
    "numpy": ("y", {"features": np.array(["a,b", "x=1"]), "C": np.float64(0.3), "seed": np.int64(5)}),
}  # fmt: skip


def run_command(command: str, folder: Path) -> zeroloop.Model:
    """Run a command as a shell's words; return the model."""
    words = shlex.split(command)
    assert words[0] == "zeroloop"
    # The model's place goes before the table, which may follow a `--`.
    done = run(words[1], "--out", "again.json", *words[2:], cwd=folder)
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    return zeroloop.load(folder / "again.json")


def assert_the_same(one: zeroloop.Model, other: zeroloop.Model) -> None:
    assert one.coef.tobytes() == other.coef.tobytes()
    assert one.schema == other.schema
    assert one.held_out == other.held_out
    assert one.training.arguments == other.training.arguments
    assert (one.estimates is None) == (other.estimates is None)
    if one.estimates is not None and other.estimates is not None:
        assert one.estimates.covariance.tobytes() == other.estimates.covariance.tobytes()
        assert one.estimates.tests == other.estimates.tests
        assert one.terms().to_pylist() == other.terms().to_pylist()


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.filterwarnings("ignore::zeroloop.ZeroloopWarning")
@pytest.mark.filterwarnings("ignore::zeroloop.errors.NotConvergedWarning")
def test_the_command_makes_the_same_model(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    target, options = OPTIONS[name]
    a_frame().to_parquet("rows of 'it'.parquet")
    zeroloop.train("rows of 'it'.parquet", target, **options).save("model.json")
    model = zeroloop.load("model.json")
    command = command_of(model)
    assert command is not None
    assert_the_same(model, run_command(command, tmp_path))


def test_of_several_files_in_their_order_but_the_bad_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    table = pa.Table.from_pandas(a_frame(), preserve_index=False)
    paths = ["-b.parquet", "a b.parquet", "bad.parquet"]
    pq.write_table(table.slice(0, 350), paths[0])
    pq.write_table(table.slice(350), paths[1])
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 but no more")
    with pytest.warns(zeroloop.ZeroloopWarning, match=r"Skipped bad\.parquet"):
        model = zeroloop.train([Path(path) for path in paths], "y", features=["-z", "g"], skip_bad_files=True)
    command = command_of(model)
    assert command is not None
    assert_the_same(model, run_command(command, tmp_path))


def test_of_a_target_that_looks_like_an_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    frame = a_frame().rename(columns={"y": "--target", "--target": "y"})
    frame.to_csv("rows.csv", index=False)
    model = zeroloop.train("rows.csv", "--target", drop=["y", "kind", *ODD[:4]], seed=2)
    command = command_of(model)
    assert command is not None
    assert_the_same(model, run_command(command, tmp_path))


def test_of_a_table_in_memory_it_names_a_file_to_write(tmp_path: Path) -> None:
    frame = a_frame()[["a,b", "g", "y"]]
    model = zeroloop.train(frame, "y", report=tmp_path / "page.html")
    command = command_of(model)
    assert command is not None
    frame.to_parquet(tmp_path / IN_MEMORY)
    assert_the_same(model, run_command(command, tmp_path))
    assert f"The table was in memory: {IN_MEMORY} stands for it" in (tmp_path / "page.html").read_text()


def test_a_model_that_does_not_know_shows_no_command(tmp_path: Path) -> None:
    from dataclasses import replace

    model = zeroloop.train(a_frame()[["a,b", "y"]], "y")
    old = replace(model, training=replace(model.training, arguments=None, paths=None))
    assert command_of(old) is None
    old.report(tmp_path / "page.html", a_frame()[["a,b", "y"]])
    assert "zeroloop train" not in (tmp_path / "page.html").read_text()


def test_lists_of_names_are_read_as_they_are_written() -> None:
    rng = np.random.default_rng(3)
    for _ in range(2_000):
        listed = ["".join(rng.choice(list('a ",=\n-x\t'), rng.integers(0, 7))) for _ in range(rng.integers(1, 5))]
        assert names([",".join(map(in_list, listed))]) == listed
    assert names(["a , b", "c,,d"]) == ["a", "b", "c", "d"]
