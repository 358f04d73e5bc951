"""Hostile values of every option, in real processes: exit code 0 or 2, and one line where it is 2."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hostile import CASES, FIRST_SEED

N = CASES // 20 or 8
LONG = "a" * 5000
NUMBERS = ["nan", "inf", "-inf", "-1", "0", "1e400", "1e308", "9" * 400, "", "abc", "1e-9", "3"]
NAMES = ["", "x", "g", "late", "no such", "ö", "x,g", '"', "x=", "=1", "x=nan", "x=0:inf", LONG]
ENCODINGS = ["", "utf-16", "utf-16-be", "utf-32", "utf-7", "cp037", "punycode", "idna", "base64", "latin-1", "ö", LONG]
CHARACTERS = ["", ",", ";", "tab", "\t", "\n", " ", '"', "'", "0", "x", "ö", "·", "€", "{", "\\", LONG]
PATHS = ["", LONG, "no/such/folder", "d.csv/below", "/dev/full"]
OPTIONS = {
    "--C": NUMBERS, "--l1-ratio": NUMBERS, "--tol": NUMBERS, "--learning-rate": NUMBERS, "--test-fraction": NUMBERS,
    "--seed": NUMBERS, "--max-iter": NUMBERS, "--max-passes": NUMBERS, "--threads": ["0", "-1", "abc", "1"],
    "--memory": NUMBERS, "--df": NUMBERS, "--weights": NAMES, "--offset": NAMES, "--cluster": NAMES,
    "--categorical": NAMES, "--features": NAMES, "--drop": NAMES, "--penalty-factor": NAMES, "--bounds": NAMES,
    "--test": NAMES, "--positive": NAMES, "--solver": NAMES, "--method": NAMES, "--covariance": NAMES,
    "--multi-class": NAMES, "--missing": NAMES, "--weight-type": NAMES, "--spill": PATHS, "--checkpoint": PATHS,
    "--na": NAMES, "--not-na": NAMES, "--encoding": ENCODINGS, "--delimiter": CHARACTERS, "--decimal": CHARACTERS,
    "--skip": NUMBERS, "--comment": CHARACTERS, "--no-header": [""], "--report": PATHS, "--out": PATHS,
    "--no-such-option": NAMES,
}  # fmt: skip
DATA = ["d.csv", "", LONG, "no.csv", "ftp://no.invalid/x", "zip://a", "data://x", "reference://x", "unknown://x", "."]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("options")
    rng = np.random.default_rng(3)
    rows = [f"{rng.choice(['no', 'yes'])},{rng.normal():.3f},{rng.choice(['a', 'b'])}" for _ in range(200)]
    (folder / "d.csv").write_text("\n".join(["late,x,g", *rows]))
    return folder


def zeroloop(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    code = "from zeroloop.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + N))
def test_hostile_options_end_in_a_result_or_one_line(folder: Path, seed: int) -> None:
    rng = np.random.default_rng([seed, 17])
    data = DATA[rng.integers(len(DATA))] if rng.random() < 0.2 else "d.csv"
    arguments = ["train", data, "--target", "late", "--out", "m.json"]
    for option in rng.choice(list(OPTIONS), size=int(rng.integers(1, 3)), replace=False):
        values = OPTIONS[str(option)]
        value = values[rng.integers(len(values))]
        arguments.append(f"{option}={value}" if option != "--no-header" else "--no-header")
    done = zeroloop(folder, *arguments)
    assert done.returncode in (0, 2), f"seed {seed}: {arguments}\n{done.stderr[-2000:]}"
    assert "Traceback" not in done.stderr, f"seed {seed}: {arguments}\n{done.stderr[-2000:]}"
    if done.returncode == 2:
        assert "rror" in done.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--weights=", "weights: there is no column ''"),
        ("--memory=" + "9" * 400, "more than any machine has"),
        ("--spill=" + LONG, "spill: the folder aaa"),
    ],
)
def test_what_the_line_says(folder: Path, option: str, said: str) -> None:
    done = zeroloop(folder, "train", "d.csv", "--target", "late", option)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_an_index_of_a_libsvm_file_too_large_for_one_is_said(folder: Path) -> None:
    (folder / "a.svm").write_text("2 1:1 99999999999:2\n1 1:2\n")
    done = zeroloop(folder, "train", "a.svm", "--target", "label")
    assert done.returncode == 2
    assert "a.svm: an index is above 2,147,483,647" in done.stderr
