"""Hostile values of every option of every command: a result or one line, JSON alone where JSON was asked for.

Commands, options and their words are the command line's own, so that a new option is tried without being named here.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

import zeroloop
from command_line import check, run, run_apart
from hostile import CASES, FIRST_SEED
from zeroloop.cli import app

N = CASES // 2 or 150  # in this process
N_REAL = CASES // 100 or 6  # of them, in one of their own too
COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]

LONG = "a" * 5000
NUMBERS = [
    "nan", "inf", "-inf", "-1", "0", "1", "3", "0.5", "1e400", "1e308", "1e-9", "1e-320", "9" * 400, "-" + "9" * 30,
    "2147483648", "9223372036854775808", "", " ", "abc", "1_0", "0x10", "\u0661", "1,5", "1:2",
]  # fmt: skip
NAMES = [
    "x", "g", "w", "late", "k", "no such", "ö", "x,g", "x,x", '"', '"x', ",", "x=", "=1", "x=nan", "x=0", "x=0:inf",
    "x=1:0", "x=-1e308:1e308", "g=2", "[red]x", "\x1b[31m", "a\nb", "\udcff", "-", "--", "--json", LONG,
]  # fmt: skip
PATHS = [
    "new.csv", "new.parquet", "new.json", "new.html", "new.png", "new.svg", "d.csv", "m.json", "old.csv", "new",
    "no/such/folder", "d.csv/below", ".", "..", "/", "folder", "folder/new.csv", "folder/../new.json", "none", LONG,
    "new.html/", "-", "link.csv", "loop.csv", "s3://no.invalid/new.csv", "file:///new.csv", "memory://new.parquet",
]  # fmt: skip
ENCODINGS = ["utf-16", "utf-16-be", "utf-32", "utf-7", "cp037", "punycode", "idna", "base64", "latin-1"]
CHARACTERS = [",", ";", "tab", "\t", "\n", " ", '"', "'", "0", "x", "ö", "·", "€", "{", "\\"]
ADDRESSES = ["127.0.0.1:1", "tcp://127.0.0.1:1", "tcp://", "x", "foo://x:1", "tcp://no.invalid:1", "127.0.0.1:99999"]
DATA = [
    "d.csv", "no.csv", "*.csv", "[", "**", "folder", ".", "m.json", "empty.csv", "zip://a", "data://x", "unknown://x",
    "reference://x", "memory://no/such.csv", "file://d.csv", "loop.csv", "link.csv", "d.csv,d.csv", "", LONG, "a\0b",
]  # fmt: skip
ANY = [*NUMBERS, *NAMES, *PATHS, *ENCODINGS, *CHARACTERS, *ADDRESSES, *DATA]
OF_NAME = {
    "scheduler": ADDRESSES, "data": DATA, "encoding": ENCODINGS, "delimiter": CHARACTERS, "decimal": CHARACTERS,
    "comment": CHARACTERS,
}  # fmt: skip
# What a command cannot do without; of all others it has defaults.
NEEDED = {"data": "d.csv", "model": "m.json", "target": "late"}
KEPT = ("d.csv", "m.json", "free.json", "old.csv", "empty.csv")  # of which nothing may be lost


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("options")
    rng = np.random.default_rng(3)
    rows = [
        f"{rng.choice(['no', 'yes'])},{rng.normal():.3f},{rng.choice(['a', 'b'])},{rng.integers(1, 4)},{i % 20}"
        for i in range(200)
    ]
    (folder / "d.csv").write_text("\n".join(["late,x,g,w,k", *rows, ""]))
    zeroloop.train(folder / "d.csv", "late", out=folder / "m.json")
    zeroloop.train(folder / "d.csv", "late", C=float("inf"), cluster="k", out=folder / "free.json")
    (folder / "old.csv").write_text("years of work\n")
    (folder / "empty.csv").write_text("")
    return folder


@contextmanager
def a_copy(ready: Path) -> Iterator[Path]:
    """Yield a folder with the same files, links and a folder, which is the current one meanwhile."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "here")  # so that .. is nobody's
        shutil.copytree(ready, folder)
        (folder / "link.csv").symlink_to("d.csv")
        (folder / "loop.csv").symlink_to("loop.csv")
        (folder / "folder").mkdir()
        os.chdir(folder)
        try:
            yield folder
        finally:
            os.chdir(before)


def words_of(parameter: Any) -> list[str]:
    """Return the words that its help has for an option's values."""
    return re.findall(r"[\w.-]*\w", f"{parameter.help or ''} {parameter.metavar or ''}")


def any_value(rng: np.random.Generator, parameter: Any) -> str:
    kind = rng.choice(["words", "numbers", "names", "paths", "any"])
    pools: dict[str, list[str]] = {
        "words": words_of(parameter), "numbers": NUMBERS, "names": NAMES, "paths": PATHS, "any": ANY
    }  # fmt: skip
    pool = pools[str(kind)] or ANY
    if parameter.name in OF_NAME and rng.random() < 0.7:
        pool = OF_NAME[parameter.name]
    return pool[rng.integers(len(pool))]


def any_command(rng: np.random.Generator) -> list[str]:
    """Return the words of a command, most of them hostile in one to four of its options."""
    names = sorted(COMMANDS)
    often = np.array(
        [{"demo": 0.03, "ladder": 0.2, "data": 0.2}.get(name, 1) for name in names]
    )  # the two take seconds
    name = names[rng.choice(len(names), p=often / often.sum())]
    parameters = COMMANDS[name].params
    options = [one for one in parameters if one.param_type_name == "option" and one.name != "help"]
    chosen = rng.choice(len(options), size=min(len(options), int(rng.integers(0, 5))), replace=False)
    hostile = {options[i].name for i in chosen}
    words = []
    for one in parameters:
        if one.name in NEEDED and (one.required or rng.random() < 0.5):
            given = any_value(rng, one) if rng.random() < 0.1 else NEEDED[one.name]
            given = "free.json" if given == "m.json" and rng.random() < 0.5 else given
            words += [given] if one.param_type_name == "argument" else [one.opts[0], given]
        elif name == "ladder" and one.name in ("examples", "features") and one.name not in hostile:
            words.append(f"{one.opts[0]}=20")
    for one in (one for one in options if one.name in hostile and one.name not in NEEDED):
        words.append(one.opts[0] if one.is_flag else f"{one.opts[0]}={any_value(rng, one)}")
    return [name, *words]


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + N))
def test_hostile_options_end_in_a_result_or_one_line(ready: Path, seed: int) -> None:
    arguments = any_command(np.random.default_rng([seed, 17]))
    print(f"seed {seed}: zeroloop", *map(ascii, arguments))
    with a_copy(ready) as folder:
        done = run(*arguments)
        print(done.stderr[-2000:])
        check(done, arguments)
        for name in KEPT:
            changed = (folder / name).read_bytes() != (ready / name).read_bytes()
            assert not changed or (name not in NEEDED.values() and done.returncode == 0), name
        left = [path for path in folder.rglob("*") if path.name.startswith(".zeroloop")]
        assert not left
        above = [path for path in folder.parent.iterdir() if path != folder]
        assert not above


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + N_REAL))
def test_a_process_of_its_own_says_the_same(ready: Path, seed: int) -> None:
    rng = np.random.default_rng([seed, 18])
    arguments = any_command(rng)
    while any("\0" in word for word in arguments):  # no process can be given it
        arguments = any_command(rng)
    print(f"seed {seed}: zeroloop", *map(ascii, arguments))
    with a_copy(ready):
        here = run(*arguments)
    with a_copy(ready) as folder:
        apart = run_apart(*arguments, cwd=folder)
    check(apart, arguments)
    assert (apart.returncode, apart.stderr) == (here.returncode, here.stderr)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--weights=", "weights: there is no column ''"),
        ("--memory=" + "9" * 400, "more than any machine has"),
        ("--spill=" + LONG, "spill: the folder aaa"),
    ],
    ids=["weights", "memory", "spill"],
)
def test_what_the_line_says(ready: Path, option: str, said: str) -> None:
    with a_copy(ready):
        done = run("train", "d.csv", "--target", "late", option)
    assert said in done.stderr
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_an_index_of_a_libsvm_file_too_large_for_one_is_said(ready: Path) -> None:
    with a_copy(ready) as folder:
        (folder / "a.svm").write_text("2 1:1 99999999999:2\n1 1:2\n")
        done = run("train", "a.svm", "--target", "label")
    assert done.returncode == 2
    assert "a.svm: an index is above 2,147,483,647" in done.stderr
