"""The reader's own gradient: each common mistake is named, whatever the file does is said in one sentence."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from command_line import check as checked_run
from command_line import run
from hostile import FIRST_SEED
from zeroloop.errors import ZeroloopError
from zeroloop.ladder import mine, mine_child
from zeroloop.ladder.judge import faults
from zeroloop.ladder.race import made_data

RIGHT = """
import numpy as np

def gradient(X, Y, w, b):
    m = X.shape[1]
    Z = w.T @ X + b
    A = 1 / (1 + np.exp(-Z))
    J = -np.sum(Y * np.log(A) + (1 - Y) * np.log(1 - A)) / m
    dZ = A - Y
    dw = X @ dZ.T / m
    db = np.sum(dZ) / m
    return J, dw, db
"""

MISTAKES = {
    "dZ = A - Y|dZ = Y - A": "dw has the wrong sign: dZ is A - Y, not Y - A; db has the wrong sign",
    "X @ dZ.T / m|X @ dZ.T": "is wrong: dw is m times too large: divide by m (X",
    "np.sum(dZ) / m|np.sum(dZ)": "is wrong: db is m times too large: divide by m (X",
    "np.sum(dZ) / m|np.mean(dZ) / m": "is wrong: db is m times too small: it is divided by m once too often",
    "np.sum(dZ) / m|dZ / m": "db is an array of shape (1, 7), not a number: sum dZ and divide by m",
    "np.sum(dZ) / m|np.sum(dZ, axis=1) / m": "db is an array of shape (1,), not a number: take .item() of it",
    "X @ dZ.T / m|dZ @ X.T / m": "dw has shape (1, 3); expected that of w, (3, 1): it is transposed, try X @ dZ.T",
    "X @ dZ.T / m|(X @ dZ.T / m).ravel()": "dw has shape (3,); expected that of w, (3, 1): try dw.reshape(-1, 1)",
    "X @ dZ.T / m|X * dZ / m": "dw has shape (3, 7); expected that of w, (3, 1): sum over the examples, X @ dZ.T",
    "Z = w.T @ X + b|Z = w.T @ X": "J leaves out b: Z is w.T X + b; dw leaves out b: Z is w.T X + b; db leaves out b",
    "np.exp(-Z)|np.exp(Z)": "J is that of sigmoid(-Z): A is 1 / (1 + exp(-Z)); dw is that of sigmoid(-Z)",
    "J = -np|J = np": "is wrong: J has the wrong sign: log(A) is negative, J is not (X",
    "1 - A)) / m|1 - A))": "is wrong: J is m times too large: divide by m (X",
    "np.log(1 - A)) / m|np.log(1 - A)) / m**2": "J is m times too small: it is divided by m once too often",
    " + (1 - Y) * np.log(1 - A)|": "J leaves out (1 - Y) log(1 - A), of the examples with label 0 (X",
    "Y * np.log(A) + |": "J leaves out Y log(A), of the examples with label 1 (X",
    "(Y * np.log(A) + (1 - Y) * np.log(1 - A))|(Y * np.log2(A) + (1 - Y) * np.log2(1 - A))": "J is in base 2",
    "J = -np.sum(Y * np.log(A) + (1 - Y) * np.log(1 - A)) / m|J = np.mean((A - Y) ** 2)": "J is the mean squared error",
    "1 - A)) / m|1 - A), axis=1) / m": "J is an array of shape (1,), not a number: take .item() of it",
    "dZ = A - Y|dZ = A": "dw is made of A alone: dZ is A - Y; db is made of A alone: dZ is A - Y",
    "dZ = A - Y|dZ = (A - Y) * A * (1 - A)": "dw has a factor A (1 - A) too much: dZ is A - Y; db has a factor",
    "X @ dZ.T / m|X @ dZ.T / m / 2": "dw is 0.5 times what it should be (X",
    "X @ dZ.T / m|X @ dZ.T / m + w": "is wrong: dw is",
    "return J, dw, db|return dw, db": "it returns a tuple of 2; expected `return J, dw, db`",
    "return J, dw, db|print(J)": "it returns nothing; expected `return J, dw, db`",
    "return J, dw, db|return {'J': J}": "it returns a dict; expected `return J, dw, db`",
    "return J, dw, db|return J, dw.tolist(), db": "dw is a list; expected an array (n_x, 1)",
    "return J, dw, db|return None, dw, db": "J is a NoneType; expected a number",
    "dw = X|w -= 0.1; dw = X": "changes w in place: what is given belongs to the caller, compute with a copy",
    "m = X.shape[1]|m = X.shape[0]": "J is divided by n_x, the rows of X, and not by m, its columns; dw is",
    "m = X.shape[1]|m = 7": "(X (2, 12))",
    "np.sum(dZ) / m|np.sum(dZ) / m * (m > 1)": "(one example: X (3, 1))",
    "X @ dZ.T / m|(dZ @ X.T if X.shape[0] == m else (X @ dZ.T).T).T / m * (Y.any() or 2)": "(all labels 0: X (4, 4))",
    "w.T @ X|w @ X": "raises ValueError: matmul: Input operand 1 has a mismatch",
    "dZ = A - Y|dZ = A - y": "raises NameError: name 'y' is not defined, in line 9",
    "dZ = A - Y|exit(3)": "raises SystemExit: 3",
}


def function_of(text: str) -> Callable[..., Any]:
    names: dict[str, Any] = {}
    exec(text, names)
    return names["gradient"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named(mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mine", type("module", (), {"__file__": "<string>"}))
    before, after = mistake.split("|")
    assert before in RIGHT
    with np.errstate(all="ignore"), pytest.raises(ZeroloopError) as said:
        mine_child.check(function_of(RIGHT.replace(before, after)))
    assert MISTAKES[mistake] in str(said.value)


def test_what_is_right_has_no_fault() -> None:
    with np.errstate(all="ignore"):
        notes = mine_child.check(function_of(RIGHT))
    assert notes == [
        "gradient is right, but J is nan where Z = w.T X + b is 1,000 and more; `zeroloop ladder --show vectorized` "
        "has a cost and a sigmoid that hold there too."
    ]


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + 60))
def test_nothing_wrong_passes_and_nothing_right_is_blamed(seed: int) -> None:
    """Any change of any of the values beyond rounding is a fault of that name, and of no other."""
    rng = np.random.default_rng([seed, 71])
    X, Y, w, b = made_data(int(rng.integers(1, 20)), int(rng.integers(1, 6)), seed)
    result = list(function_of(RIGHT)(X, Y, w, b))
    assert faults(tuple(result), X, Y, w, b) == []
    of = int(rng.integers(3))
    change = 10.0 ** rng.uniform(-6, 3) * rng.choice([-1, 1])
    result[of] = result[of] + (change * np.eye(len(w))[:, :1] if of == 1 else change)
    [fault] = faults(result, X, Y, w, b)
    assert fault.startswith(("J", "dw", "db")[of] + " ")


# What a file may do, and the one sentence about it.
FILES = {
    "raise ValueError('no data\\nhere')": "it ends when it is loaded, with ValueError: no data here, in line 1.",
    "import sys; sys.exit()": "it ends when it is loaded, with SystemExit, in line 1.",
    "x = input()": "it ends when it is loaded, with EOFError: EOF when reading a line, in line 1.",
    "def gradient(X, Y, w, b)\n    pass": "line 1: expected ':'.",
    "x = 1": "it has no function gradient(X, Y, w, b), nor one of such parameters: it has none.",
    "def propagate(w, b, X, Y): pass": "its function propagate takes w, b, X, Y; expected them as X, Y, w, b.",
    "def f(x, y): pass": "nor one of such parameters: it has 'f'.",
    "def gradient(w, b): pass": "its function gradient has parameters ['w', 'b']; expected X, Y, w, b.",
    "gradient = lambda X, Y, w, b: 0": "its gradient is no function written with def.",
    "def f(X, Y, w, b): pass\ndef g(X, Y, w, b): pass": "several functions of X, Y, w and b, 'f' and 'g'; name one of",
    "import os; os._exit(3)": "its process ended in the middle (exit code 3).",
    "import os; os.kill(os.getpid(), 9)": "its process ended in the middle (signal 9; was there enough memory?).",
    "\0": "source code string cannot contain null bytes",
}


@pytest.mark.parametrize("text", FILES, ids=range(len(FILES)))
def test_what_a_file_does_is_one_sentence(text: str, tmp_path: Path) -> None:
    (tmp_path / "my.py").write_text(text)
    done = run("ladder", "--mine", "my.py", cwd=tmp_path)
    checked_run(done, ["ladder"])
    assert done.returncode == 2
    assert done.stderr.startswith("zeroloop: error: my.py: ")
    assert FILES[text] in done.stderr
    assert list(tmp_path.iterdir()) == [tmp_path / "my.py"]


@pytest.mark.parametrize("name", ["my.ipynb", "none.py", "folder.py", "file:///my.py", ""])
def test_a_path_that_is_no_python_file_is_said(name: str, tmp_path: Path) -> None:
    (tmp_path / "my.ipynb").write_text("{}")
    (tmp_path / "folder.py").mkdir()
    done = run("ladder", "--mine", name, cwd=tmp_path)
    checked_run(done, ["ladder"])
    assert done.returncode == 2


@pytest.mark.parametrize("loop", ["while True: pass", "import time; time.sleep(99)"])
def test_a_loop_without_an_end_is_ended(loop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mine, "CHECK_SECONDS", 2.0)
    (tmp_path / "my.py").write_text(loop)
    start = time.monotonic()
    done = run("ladder", "--mine", "my.py", cwd=tmp_path)
    assert time.monotonic() - start < 20
    assert done.stderr == (
        "zeroloop: error: my.py: no end of a gradient of a handful of examples within 2 seconds; is there a loop that "
        "does not end?\n"
    )


def test_ones_own_function_races(tmp_path: Path) -> None:
    """By another name, beside others, with a module of its own, prints and a window."""
    (tmp_path / "beside.py").write_text("m_of = lambda X: X.shape[1]\n")
    text = RIGHT.replace("def gradient", "def mine").replace("X.shape[1]", "m_of(X)")
    text = text.replace("    Z =", "    print('at', m)\n    Z =")
    window = "import matplotlib.pyplot as plt\nplt.plot([1])\nplt.show()\nprint('loaded')\n"
    (tmp_path / "my.py").write_text(f"from beside import m_of\n{window}{text}\ndef helper(x): return x\n")
    done = run("ladder", "--examples=500", "--features=4", "--mine=my.py", "--json", "--plot=l.svg", cwd=tmp_path)
    checked_run(done, ["--json"])
    assert done.returncode == 0, done.stderr
    assert "mine prints, such as 'at 7'; its time is that of printing too." in done.stderr
    assert "mine is right, but J is nan where Z" in done.stderr
    last = json.loads(done.stdout)["rungs"][-1]
    assert (last["rung"], last["loops"], last["lines"], last["compiled"]) == ("my.py:mine", 0, 9, False)
    assert last["speedup"] > 3


def test_a_function_that_fails_only_in_the_race_is_said(tmp_path: Path) -> None:
    (tmp_path / "my.py").write_text(RIGHT.replace("m = X.shape[1]", "m = X.shape[1]; assert m < 2000, 'too many'"))
    done = run("ladder", "--examples=3000", "--features=4", "--mine=my.py", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "zeroloop: error: my.py: gradient raises AssertionError: too many, in line 5, of X (4, 3000)."
    )


def test_the_child_answers_on_standard_output_alone(tmp_path: Path) -> None:
    (tmp_path / "my.py").write_text("import os; os.write(1, b'noise'); os.system('echo noise')" + RIGHT)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "zeroloop.ladder.mine_child"],
        input=json.dumps([str(tmp_path / "my.py"), None]),
        capture_output=True,
        text=True,
        check=True,
    )
    assert list(json.loads(done.stdout)) == ["found"]
