"""The reader's own gradient: checked and raced in a process of its own, which may hang, print or end as it likes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

from zeroloop.errors import DataError, ZeroloopError, ZeroloopWarning
from zeroloop.ladder.race import Result
from zeroloop.outputs import is_uri
from zeroloop.plain_text import number_of, one_line

CHECK_SECONDS = 30.0  # to load a file and to compute some gradients of a handful of examples
RACE_SECONDS = 120.0  # the slowest rung takes some 40


def check_mine(path: Path) -> None:
    """Check the gradient in a Python file on small problems.

    Args:
        path: of a file with a function `gradient(X, Y, w, b)`, or with one function of parameters of these names,
            which returns J, dw and db.

    Raises:
        DataError: for a file that is none, or has no such function.
        ZeroloopError: for a function that is wrong, with what is wrong of J, dw and db.

    Warns:
        ZeroloopWarning: where it is right, but for predictors of 1,000 or more, or prints.

    """
    if is_uri(path):
        raise DataError(f"{path} is a URI, and a gradient is read from a file of this machine; copy it here first.")
    if path.suffix != ".py":
        raise DataError(f"{path}: a gradient is read from a Python file; name one that ends in .py.")
    if not path.is_file():
        raise DataError(f"{path}: {'no file' if path.exists() else 'no such file'}.")
    for note in _ask(path, CHECK_SECONDS, "a gradient of a handful of examples"):
        warnings.warn(f"{path}: {note}", ZeroloopWarning, stacklevel=2)


def race_mine(path: Path, n_examples: int, n_features: int, first: float) -> Result:
    """Time the gradient in a Python file on `made_data`.

    Args:
        path: of a file that `check_mine` has checked.
        n_examples: number of examples.
        n_features: number of features.
        first: seconds of the first rung, for the speed-up.

    Raises:
        ZeroloopError: when it fails, or takes too long.

    """
    what = f"its race on {number_of(n_examples, 'example')}, which may be too many"
    found = Result(**_ask(path, RACE_SECONDS, what, race=(n_examples, n_features, first)))
    return replace(found, rung=f"{path.name}:{found.rung}")


def _ask(path: Path, seconds: float, what: str, race: tuple[int, int, float] | None = None) -> Any:
    """Return what `zeroloop.ladder.mine_child` finds."""
    command = [sys.executable, "-P", "-m", "zeroloop.ladder.mine_child"]
    try:
        done = subprocess.run(
            command,
            input=json.dumps([str(path.absolute()), race]).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"MPLBACKEND": "agg"},  # no window waits to be closed
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ZeroloopError(
            f"{path}: no end of {what} within {seconds:g} seconds; is there a loop that does not end?"
        ) from None
    if not done.stdout:
        raise ZeroloopError(f"{path}: its process ended in the middle ({_ending(done.returncode)}).")
    answer = json.loads(done.stdout)
    if "error" in answer:
        kind = DataError if answer["unusable"] else ZeroloopError
        raise kind(f"{path}: {one_line(answer['error'])}")
    return answer["found"]


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {-code}; was there enough memory?"
