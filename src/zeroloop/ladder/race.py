"""Time the rungs on this machine, on the same data, once they agree."""

from __future__ import annotations

import ast
import inspect
import textwrap
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zeroloop.choices import nearest
from zeroloop.errors import OptionError, ZeroloopError
from zeroloop.ladder.rungs import RUNGS, Gradient, Rung
from zeroloop.plain_text import number_of
from zeroloop.sources.budget import memory_limit, size_text

AGREEMENT = 1e-9  # relative: thousands of float64 roundings, and nothing else
MOST_REPEATS, FEW_REPEATS = 9, 3
SECONDS_A_RUNG = 2.0  # a rung slower than this is timed on fewer repeats, then on fewer examples
FIRST_EXAMPLES = 1_000  # what a rung is tried on first, to guess its time
TELLING_SECONDS = 0.05
N_ROWS_BESIDE = 8  # as long as a feature's: labels, predictors and what else a gradient without loops makes


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One rung's race.

    Attributes:
        rung: its name.
        loops: explicit loops inside each other, counted from the source.
        lines: lines of code of its body, counted from the source.
        seconds: median time of one gradient over all examples.
        speedup: seconds of the first rung / seconds.
        repeats: how many times it was timed.
        timed_examples: how many examples it was timed on; where fewer than all, `seconds` was scaled up.

    """

    rung: str
    loops: int
    lines: int
    seconds: float
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
    """Time one gradient on every rung, after a check that all agree to rounding.

    Args:
        X: `(n_x, m)` examples, one a column.
        Y: `(1, m)` labels.
        w: `(n_x, 1)` weights.
        b: bias.
        rungs: what races; speed-ups are over the first.
        on_rung: called with a rung's name before it is timed.

    Raises:
        ZeroloopError: when two rungs disagree.

    """
    check_agreement(X[:, :FIRST_EXAMPLES], Y[:, :FIRST_EXAMPLES], w, b, rungs)
    timings = []
    for rung in rungs:
        on_rung(rung.__name__)
        timings.append(_time(rung, X, Y, w, b))
    return [
        Result(
            rung=rung.__name__,
            loops=count_loops(rung),
            lines=count_lines(rung),
            seconds=seconds,
            speedup=timings[0][0] / seconds,
            repeats=repeats,
            timed_examples=examples,
        )
        for rung, (seconds, repeats, examples) in zip(rungs, timings, strict=True)
    ]


def check_agreement(X: NDArray[Any], Y: NDArray[Any], w: NDArray[Any], b: float, rungs: Sequence[Rung] = RUNGS) -> None:
    """Raise ZeroloopError unless all rungs return the same cost and gradient, to rounding."""
    first = _flat(rungs[0](X, Y, w, b))
    for rung in rungs[1:]:
        other = _flat(rung(X, Y, w, b))
        gap = float(np.max(np.abs(other - first)))
        if not gap <= AGREEMENT * max(1.0, float(np.max(np.abs(first)))):
            raise ZeroloopError(
                f"{rung.__name__} and {rungs[0].__name__} disagree by {gap:.1e} on the same data; "
                "a rung is wrong and no time of it means anything."
            )


def count_loops(rung: Rung) -> int:
    """Return how deep explicit loops are nested in a function, from its source."""

    def depth(node: ast.AST) -> int:
        inside = max((depth(child) for child in ast.iter_child_nodes(node)), default=0)
        return inside + isinstance(node, ast.For | ast.While | ast.comprehension)

    return depth(_body(rung))


def count_lines(rung: Rung) -> int:
    """Return a function's lines of code, from its source: its body without docstring, comments, blank lines."""
    body = _body(rung).body
    statements = body[1:] if ast.get_docstring(_body(rung)) else body
    return len("\n".join(ast.unparse(statement) for statement in statements).splitlines())


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
    """Return a rung's source."""
    return textwrap.dedent(inspect.getsource(rung))


def _body(rung: Rung) -> ast.FunctionDef:
    function = ast.parse(source_code(rung)).body[0]
    assert isinstance(function, ast.FunctionDef)
    return function


def _flat(result: Gradient) -> NDArray[np.float64]:
    J, dw, db = result
    return np.concatenate([[J], np.ravel(dw), [db]])


def _time(rung: Rung, X: NDArray[Any], Y: NDArray[Any], w: NDArray[Any], b: float) -> tuple[float, int, int]:
    """Return (median seconds over all examples, repeats, examples timed on)."""
    m = X.shape[1]

    def once(examples: int) -> float:
        x, y = X[:, :examples], Y[:, :examples]
        start = time.perf_counter()
        rung(x, y, w, b)
        return time.perf_counter() - start

    examples = min(m, FIRST_EXAMPLES)
    once(examples)  # compile, warm up
    # Ten times the examples until the clock has something to tell: of a few the fixed costs are most.
    while (seconds := once(examples)) < TELLING_SECONDS and examples < m:
        examples = min(m, 10 * examples)
    guess = seconds * m / examples
    if guess > SECONDS_A_RUNG:
        examples = max(min(m, FIRST_EXAMPLES), int(m * SECONDS_A_RUNG / guess) // 1000 * 1000)
        return median(once(examples) for _ in range(FEW_REPEATS)) * m / examples, FEW_REPEATS, examples
    repeats = MOST_REPEATS if guess * MOST_REPEATS <= SECONDS_A_RUNG else FEW_REPEATS
    return median(once(m) for _ in range(repeats)), repeats, m
