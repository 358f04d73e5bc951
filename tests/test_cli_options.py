"""Options as such: groups, words to choose among, names of columns with anything in them, completion, usage errors."""

from __future__ import annotations

import csv
import io
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from command_line import run
from test_cli import error
from zeroloop import core
from zeroloop.choices import SOLVERS, closest, nearest
from zeroloop.cli import app
from zeroloop.commands.app import GROUPS
from zeroloop.commands.options import factors, names, parts, ranges
from zeroloop.fit import MAX_ITER

COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
NAMES = st.lists(st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1), min_size=1, max_size=4)


def as_csv(values: list[str]) -> str:
    """Return values as a line of CSV; those with blanks at their ends in quotes."""
    line = io.StringIO()
    outer = any(value != value.strip() for value in values)
    csv.writer(line, lineterminator="", quoting=csv.QUOTE_ALL if outer else csv.QUOTE_MINIMAL).writerow(values)
    return line.getvalue()


@given(NAMES)
def test_names_are_read_as_a_line_of_csv(wanted: list[str]) -> None:
    assert names([as_csv(wanted)]) == wanted
    assert names([as_csv([one]) for one in wanted]) == wanted


@given(NAMES)
def test_names_with_values_may_have_anything_in_them(wanted: list[str]) -> None:
    wanted = list(dict.fromkeys(wanted))
    quoted = ['"' + name.replace('"', '""') + '"' for name in wanted]
    assert factors([",".join(f"{name}={i}" for i, name in enumerate(quoted))]) == {
        name: i for i, name in enumerate(wanted)
    }
    assert factors([as_csv([f"{name}={i}" for i, name in enumerate(wanted)])]) == factors(
        [f"{name}={i}" for i, name in enumerate(quoted)]
    )
    assert ranges([",".join(f"{name}=-1:inf" for name in quoted)]) == dict.fromkeys(wanted, (-1.0, float("inf")))
    assert parts([f"{name}=days,month" for name in quoted]) == {name: ["days", "month"] for name in wanted}


@given(st.text(min_size=1, max_size=8), st.lists(st.text(min_size=1, max_size=8), max_size=20))
def test_what_may_be_meant_is_there(name: str, known: list[str]) -> None:
    near = closest(name, known)
    assert near is None or near in known
    assert nearest(name, known, "there are").endswith(("?", "."))
    for one in known:
        assert (closest(one, known) or one).strip().casefold() == one.strip().casefold()
    shouted = closest(name.upper(), [*known, name])
    assert shouted is not None


def test_every_solver_can_be_asked_for() -> None:
    assert set(SOLVERS) == {"auto", *MAX_ITER}


def test_every_option_of_a_long_command_has_a_group() -> None:
    grouped = [name for group in GROUPS.values() for name in group]
    assert len(grouped) == len(set(grouped))
    there = set()
    for command in COMMANDS.values():
        there |= {one.name for one in command.params}
    assert set(grouped) <= there
    for name in ("train", "path", "predict", "summary"):
        options = {one.name for one in COMMANDS[name].params if one.param_type_name == "option"}
        assert options - set(grouped) == set(), name


def test_help_fits_80_columns_and_has_groups(tmp_path: Path) -> None:
    text = run("train", "-h", cwd=tmp_path).stdout
    assert text == run("train", "--help", cwd=tmp_path).stdout
    assert max(map(len, text.splitlines())) <= 80
    heads = [line.removesuffix(":") for line in text.splitlines() if line.endswith(":") and line[0] != " "]
    assert heads == ["Arguments", *GROUPS, "Options"]
    assert "--missing impute|drop|error" in text


def test_version_and_module(tmp_path: Path) -> None:
    said = f"zeroloop {version('zeroloop')}\n"
    assert run("--version", cwd=tmp_path).stdout == said
    module = subprocess.run([sys.executable, "-m", "zeroloop", "--version"], capture_output=True, text=True, check=True)
    assert module.stdout == said
    assert run(cwd=tmp_path).stdout == run("-h", cwd=tmp_path).stdout != ""


def test_version_says_which_core_runs(tmp_path: Path) -> None:
    first, *others = run("--version", "--verbose", cwd=tmp_path).stdout.splitlines()
    assert first == f"zeroloop {version('zeroloop')}"
    assert others == [
        f"Core: {core.level}; this processor runs {', '.join(core.levels)}, and ZEROLOOP_CPU names one of them",
        f"Python {platform.python_version()}, NumPy {version('numpy')}, {platform.system()} {platform.machine()}",
    ]
    assert error("--verbose", cwd=tmp_path) == "--verbose goes with --version. See zeroloop --help."


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("zeroloop su", {"summary"}),
        ("zeroloop train --missing ", {"impute", "drop", "error"}),
        ("zeroloop train --solver newton", {"newton", "newton-cg"}),
        ("zeroloop train --test-f", {"--test-fraction"}),
    ],
)
def test_completion(line: str, completed: set[str], tmp_path: Path) -> None:
    asked = {"_ZEROLOOP_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    done = subprocess.run(
        [sys.executable, "-m", "zeroloop"],
        env=os.environ | asked,
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert set(done.stdout.split()) == completed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["trian"], "No such command 'trian'. Did you mean 'train'? See zeroloop --help."),
        (
            ["train", "x", "--targt", "y"],
            "There is no option --targt; did you mean --target? See zeroloop train --help.",
        ),
        (["train", "x"], "Missing option '--target'. See zeroloop train --help."),
        (
            ["train", "x", "--target", "y", "--l1-ratio", "half"],
            "Invalid value for '--l1-ratio': 'half' is no number. See zeroloop train --help.",
        ),
        (
            ["ladder", "--examples", "1e3"],
            "Invalid value for '--examples': '1e3' is no whole number. See zeroloop ladder --help.",
        ),
        (["ladder", "--features", "0"], "Invalid value for '--features': 0 is below 1. See zeroloop ladder --help."),
    ],
    ids=["command", "option", "missing", "number", "whole", "few"],
)
def test_a_usage_error_is_a_line(arguments: list[str], said: str, tmp_path: Path) -> None:
    assert error(*arguments, cwd=tmp_path) == said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--missing", "dorp"], "missing is 'dorp'; did you mean 'drop'? It must be one of impute, drop, error."),
        (["--solver", "SAGA"], f"solver is 'SAGA'; it must be one of {', '.join(SOLVERS)}."),
        (["--multi-class", "OVR"], "multi_class is 'OVR'; did you mean 'ovr'? It must be one of multinomial, ovr."),
        (["--covariance", "hc3"], "covariance is 'hc3'; did you mean 'hc1'? It must be one of model, hc0, hc1."),
        (["--drop", "lenght"], "drop: there is no column 'lenght'; did you mean ' Length, cm'?"),
        (["--drop", "colour"], "drop: there is no column 'colour'; the table has \" Length, cm\", x, y."),
    ],
    ids=["missing", "solver", "classes", "covariance", "column", "none"],
)
def test_what_may_be_meant_is_asked(arguments: list[str], said: str, tmp_path: Path) -> None:
    rows = "".join(f"{i % 7},{i % 5},{i % 2}\n" for i in range(40))
    (tmp_path / "t.csv").write_text(f'" Length, cm",x,y\n{rows}')
    assert error("train", "t.csv", "--target", "y", *arguments, cwd=tmp_path) == said


def test_a_column_with_commas_and_outer_blanks_is_named(tmp_path: Path) -> None:
    rows = "".join(f"{i % 7},{i % 5},{i % 2}\n" for i in range(40))
    (tmp_path / "t.csv").write_text(f'"a, b ",x,y\n{rows}')
    done = run(
        "train", "t.csv", "--target", "y", "--penalty-factor", '"a, b "=0', "--features", 'x,"a, b "', cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "a, b " in done.stdout
