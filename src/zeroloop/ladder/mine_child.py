"""What runs the reader's own file, in a process that has nothing else to do; `zeroloop.ladder.mine` asks it."""

from __future__ import annotations

import importlib.util
import inspect
import io
import json
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zeroloop.errors import DataError, ZeroloopError
from zeroloop.ladder.judge import faults
from zeroloop.ladder.race import check_agreement, made_data, timed
from zeroloop.plain_text import listed

NAME, PARAMETERS = "gradient", ["X", "Y", "w", "b"]
WRONG = "is wrong: "
Problem = tuple[str, NDArray[Any], NDArray[Any], NDArray[Any], float]


def main() -> None:
    """Read a path and what to race from standard input, write what is found to standard output, and end."""
    path, wanted = json.load(sys.stdin)
    answers = os.dup(1)
    os.dup2(2, 1)  # what the file prints is no answer
    warnings.simplefilter("ignore")
    answer: dict[str, Any]
    try:
        function = find(Path(path))
        answer = {"found": check(function) if wanted is None else _raced(function, *wanted)}
    except ZeroloopError as error:
        answer = {"error": str(error), "unusable": isinstance(error, DataError)}
    os.write(answers, json.dumps(answer).encode())
    os._exit(0)  # whatever threads it has left


def find(path: Path) -> Callable[..., Any]:
    """Return the function `gradient` of a file, else the only one of X, Y, w and b.

    Raises:
        DataError: for a file that cannot be loaded, or has no such function.

    """
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(path.parent))  # as for any script
    spec = importlib.util.spec_from_file_location("mine", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["mine"] = module
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise DataError(f"line {error.lineno}: {error.msg}.") from error
    except BaseException as error:  # SystemExit too
        raise DataError(f"it ends when it is loaded, with {_said(error)}.") from error
    if callable(named := getattr(module, NAME, None)):
        if len(_parameters(named)) != len(PARAMETERS):
            raise DataError(f"its function {NAME} has parameters {_parameters(named)}; expected X, Y, w, b.")
        return _counted(named)
    functions = [one for one in vars(module).values() if inspect.isroutine(inspect.unwrap(one))]
    own = [one for one in functions if getattr(one, "__module__", None) == "mine"]
    fitting = [one for one in own if _parameters(one) == PARAMETERS]
    if len(fitting) == 1:
        return _counted(fitting[0])
    for one in own:
        if not fitting and sorted(_parameters(one)) == sorted(PARAMETERS):
            given = ", ".join(_parameters(one))
            raise DataError(f"its function {one.__name__} takes {given}; expected them as X, Y, w, b.")
    names = [one.__name__ for one in fitting or own]
    if fitting:
        raise DataError(f"it has several functions of X, Y, w and b, {listed(names, 5)}; name one of them {NAME}.")
    there = f"it has {listed(names, 5)}" if names else "it has none"
    raise DataError(f"it has no function {NAME}(X, Y, w, b), nor one of such parameters: {there}.")


def check(function: Callable[..., Any]) -> list[str]:
    """Return what is worth a word of a function that is right.

    Raises:
        ZeroloopError: for one that is wrong, with what is.

    """
    notes = []
    with redirect_stdout(io.StringIO()) as printed:
        for where, X, Y, w, b in problems():
            if fault := _fault(function, X, Y, w, b):
                raise ZeroloopError(f"{function.__name__} {fault} ({where}X {X.shape}).")
        X, Y, w, b = made_data(6, 3, seed=1)
        if fault := _fault(function, X, Y, 1000 * w / np.min(np.abs(w.T @ X)), b):
            notes.append(
                f"{function.__name__} is right, but {fault.removeprefix(WRONG)} where Z = w.T X + b is 1,000 and more; "
                "`zeroloop ladder --show vectorized` has a cost and a sigmoid that hold there too."
            )
    if text := printed.getvalue().strip():
        notes.append(f"{function.__name__} prints, such as {text.splitlines()[0]!r}; its time is that of printing too.")
    return notes


def problems() -> Iterator[Problem]:
    """Yield small problems, the general ones first, with how they are special."""
    for seed, (n_x, m) in enumerate([(3, 7), (2, 12), (5, 4)]):
        yield "", *made_data(m, n_x, seed)
    X, Y, w, b = made_data(4, 4, seed=3)
    yield "as many examples as features: ", X, Y, w, b
    for label in (0.0, 1.0):
        yield f"all labels {label:g}: ", X, np.full_like(Y, label), w, b
    yield "w and b 0: ", X, Y, np.zeros_like(w), 0.0
    yield "one feature: ", *made_data(6, 1, seed=4)
    yield "one example: ", *made_data(1, 3, seed=5)


def _fault(function: Callable[..., Any], X: NDArray[Any], Y: NDArray[Any], w: NDArray[Any], b: float) -> str:
    """Return what is wrong with a function on one problem; "" where nothing is."""
    given = {"X": X, "Y": Y, "w": w}
    copies = {name: value.copy() for name, value in given.items()}
    try:
        result = function(*copies.values(), b)
    except BaseException as error:  # noqa: BLE001  SystemExit too
        return f"raises {_said(error)}"
    changed = [name for name, value in given.items() if not np.array_equal(copies[name], value)]
    if changed:
        return f"changes {' and '.join(changed)} in place: what is given belongs to the caller, compute with a copy"
    found = faults(result, X, Y, w, b)
    return f"{WRONG}{'; '.join(found)}" if found else ""


def _raced(function: Callable[..., Any], n_examples: int, n_features: int, first: float) -> dict[str, Any]:
    problem = made_data(n_examples, n_features)
    try:
        with redirect_stdout(io.StringIO()):
            check_agreement(problem[0][:, :100], problem[1][:, :100], *problem[2:], rungs=[function])
            return asdict(timed(function, *problem, first))
    except ZeroloopError:
        raise
    except BaseException as error:  # SystemExit too
        raise ZeroloopError(f"{function.__name__} raises {_said(error)}, of X {problem[0].shape}.") from error


def _counted(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function whose lines can be counted.

    Raises:
        DataError: for what is not written as one.

    """
    if not inspect.isfunction(inspect.unwrap(function)) or inspect.unwrap(function).__name__ == "<lambda>":
        raise DataError(f"its {NAME} is no function written with def.")
    return function


def _parameters(function: Callable[..., Any]) -> list[str]:
    """Return the names of what a function must be given."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [one.name for one in found if one.default is one.empty]


def _said(error: BaseException) -> str:
    """Return an error in a phrase, with the line of the file it came from."""
    file = sys.modules["mine"].__file__
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    said = f"{type(error).__name__}" + (f": {str(error).rstrip('.')}" if str(error) else "")
    return said + (f", in line {lines[-1]}" if lines else "")


if __name__ == "__main__":
    main()
