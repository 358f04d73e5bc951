"""Time the rungs on this machine, on the same data, once they agree."""

from __future__ import annotations

import ast
import inspect
import textwrap
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zeroloop.choices import nearest
from zeroloop.errors import OptionError, ZeroloopError
from zeroloop.ladder.compiled import line_count, loop_depth
from zeroloop.ladder.judge import faults
from zeroloop.ladder.rungs import RUNGS, compiled_functions
from zeroloop.ladder.shapes import Rung, check, check_finite, unchecked
from zeroloop.plain_text import number_of
from zeroloop.sources.budget import memory_limit, size_text
from zeroloop.sources.threads import one_blas_thread

MOST_REPEATS, FEW_REPEATS = 30, 3
SECONDS_A_RUNG = 2.0  # a rung that is slower is timed on fewer examples
REPEATS_SECONDS = 3.0  # what repeats take together, if they are more than a few
FIRST_EXAMPLES = 1_000  # what a rung is tried on first, to guess its time
TELLING_SECONDS = 0.05
N_ROWS_BESIDE = 8  # as long as a feature's: labels, predictors and what else a gradient without loops makes


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One rung's race.

    Attributes:
        rung: its name.
        loops: explicit loops inside each other, counted from the source of the function and what it has compiled.
        lines: lines of code of their bodies, counted likewise.
        compiled: whether the loops are.
        seconds: the least time of one gradient over all examples: what else the machine does only adds to it.
        slowest: the longest.
        speedup: seconds of the first rung / seconds.
        repeats: how many times it was timed.
        timed_examples: how many examples it was timed on; where fewer than all, `seconds` was scaled up.

    """

    rung: str
    loops: int
    lines: int
    compiled: bool
    seconds: float
    slowest: float
    speedup: float
    repeats: int
    timed_examples: int


def made_data(
    n_examples: int, n_features: int, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], float]:
    """Return X, Y, w and b to race on: normal features, labels drawn from a logistic model.

    Raises:
        OptionError: when memory cannot hold so many.

    """
    if n_examples * (n_features + N_ROWS_BESIDE) * 8 > (most := memory_limit()):
        raise OptionError(
            f"{number_of(n_examples, 'example')} of {number_of(n_features, 'feature')} are more than fit the "
            f"{size_text(most)} of memory here; race with fewer."
        )
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_features, n_examples))
    w = rng.standard_normal((n_features, 1)) / np.sqrt(n_features)
    b = -0.5
    Y = (rng.random((1, n_examples)) < 1 / (1 + np.exp(-(w.T @ X + b)))).astype(np.float64)
    return X, Y, w / 2, b


def race(
    X: NDArray[Any],
    Y: NDArray[Any],
    w: NDArray[Any],
    b: float,
    rungs: Sequence[Rung] = RUNGS,
    on_rung: Callable[[str], None] = lambda name: None,
) -> list[Result]:
    """Time one gradient on every rung, after a check that all are right.

    Args:
        X: `(n_x, m)` examples, one a column.
        Y: `(1, m)` labels, 0 or 1.
        w: `(n_x, 1)` weights.
        b: bias.
        rungs: what races, your own functions too; speed-ups are over the first.
        on_rung: called with a rung's name before it is timed.

    Raises:
        ZeroloopError: when a rung is wrong, with what is wrong of it.
        DataError: for X, Y, w or b that no rung takes.

    """
    X, Y, w, b = check(X, Y, w, b)
    check_finite("X", X)
    check_agreement(X[:, :FIRST_EXAMPLES], Y[:, :FIRST_EXAMPLES], w, b, rungs)
    results: list[Result] = []
    for rung in rungs:
        on_rung(rung.__name__)
        results.append(timed(rung, X, Y, w, b, results[0].seconds if results else None))
    return results


def timed(rung: Rung, X: NDArray[Any], Y: NDArray[Any], w: NDArray[Any], b: float, first: float | None) -> Result:
    """Return one rung's race, its speed-up over the seconds of the first one; None where it is the first.

    BLAS has one thread: several wait for each other whenever the machine has other work.
    """
    with one_blas_thread():
        least, most, repeats, examples = _time(rung, X, Y, w, b)
    return Result(
        rung=rung.__name__,
        loops=count_loops(rung),
        lines=count_lines(rung),
        compiled=bool(compiled_functions(rung)),
        seconds=least,
        slowest=most,
        speedup=(first or least) / least,
        repeats=repeats,
        timed_examples=examples,
    )


def check_agreement(X: NDArray[Any], Y: NDArray[Any], w: NDArray[Any], b: float, rungs: Sequence[Rung] = RUNGS) -> None:
    """Raise ZeroloopError unless all rungs return the same cost and gradient as `two_loops`, to rounding."""
    for rung in rungs:
        if found := faults(rung(X, Y, w, b), X, Y, w, b):
            raise ZeroloopError(
                f"{rung.__name__} is wrong, and no time of it means anything: {'; '.join(found)} (of X {X.shape})."
            )


def count_loops(rung: Rung) -> int:
    """Return how deep explicit loops are nested in a function, or in what it has compiled, from the source."""

    def depth(node: ast.AST) -> int:
        inside = max((depth(child) for child in ast.iter_child_nodes(node)), default=0)
        return inside + isinstance(node, ast.For | ast.While | ast.comprehension)

    return max(depth(_parsed(rung)), *map(loop_depth, compiled_functions(rung)), 0)


def count_lines(rung: Rung) -> int:
    """Return a function's lines of code, and those of the loops that it has compiled: no docstring, comment, blank."""
    return _lines_of_body(_parsed(rung)) + sum(map(line_count, compiled_functions(rung)))


def find_rung(name: str) -> Rung:
    """Return the rung of that name.

    Raises:
        OptionError: for a name that is none.

    """
    for rung in RUNGS:
        if rung.__name__ == name:
            return rung
    names = [rung.__name__ for rung in RUNGS]
    raise OptionError(f"There is no rung {name!r}{nearest(name, names, 'there are')}")


def source_code(rung: Rung) -> str:
    """Return a rung's source, and that of the loops that it has compiled."""
    compiled = compiled_functions(rung)
    heading = ["# compiled, in C++:\n"] if compiled else []
    return "\n".join([_source(rung), *heading, *compiled])


def _source(function: Callable[..., Any]) -> str:
    """Return a function's source without its decorators: the article's lines."""
    text = textwrap.dedent(inspect.getsource(inspect.unwrap(function)))
    return "".join(text.splitlines(keepends=True)[_parsed(function).lineno - 1 :])


def _parsed(function: Callable[..., Any]) -> ast.FunctionDef:
    statement = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function)))).body[0]
    assert isinstance(statement, ast.FunctionDef)
    return statement


def _lines_of_body(function: ast.FunctionDef) -> int:
    statements = function.body[1:] if ast.get_docstring(function) else function.body
    return len("\n".join(ast.unparse(statement) for statement in statements).splitlines())


def _time(rung: Rung, X: NDArray[Any], Y: NDArray[Any], w: NDArray[Any], b: float) -> tuple[float, float, int, int]:
    """Return (least and most seconds over all examples, repeats, examples timed on)."""
    m = X.shape[1]
    function = unchecked(rung)

    def once(examples: int) -> float:
        x, y = X[:, :examples], Y[:, :examples]
        start = time.perf_counter()
        function(x, y, w, b)
        return time.perf_counter() - start

    examples = min(m, FIRST_EXAMPLES)
    once(examples)  # compile, warm up
    # Ten times the examples until the clock has something to tell: of a few the fixed costs are most.
    while (seconds := once(examples)) < TELLING_SECONDS and examples < m:
        examples = min(m, 10 * examples)
    if (guess := seconds * m / examples) > SECONDS_A_RUNG:
        examples = max(min(m, FIRST_EXAMPLES), int(m * SECONDS_A_RUNG / guess) // 1000 * 1000)
    else:
        examples = m
    repeats = max(FEW_REPEATS, min(MOST_REPEATS, int(REPEATS_SECONDS / guess)))
    times = [once(examples) * m / examples for _ in range(repeats)]
    return min(times), max(times), repeats, examples
