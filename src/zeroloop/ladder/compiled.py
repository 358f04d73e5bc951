"""What the fused rung has compiled: functions of the core, as they are written there."""

from __future__ import annotations

import re

# In the order in which a tile meets them: predictor, cost and its derivative, the tile's share of dw.
_SHOWN = (
    ("sweep.hpp", "sums_of_one"),
    ("dense.hpp", "add_columns"),
    ("logistic.hpp", "point"),
    ("logistic.hpp", "loss_of_64"),
    ("dense.hpp", "gradient_columns"),
)


def functions() -> list[str]:
    """Return the C++ functions that a tile of `fused` goes through, each with the comment above it."""
    from zeroloop import core

    return [_function(core.sources[header], name) for header, name in _SHOWN]


def loop_depth(function: str) -> int:
    """Return how deep loops are nested in a C++ function that is indented as it is meant."""
    deepest, around = 0, list[int]()
    for line in function.splitlines():
        indent = len(line) - len(line.lstrip())
        if line.strip() and not line.startswith("#"):
            around = [outer for outer in around if outer < indent]
        if re.match(r"\s*(for|while)\b", line):
            around.append(indent)
            deepest = max(deepest, len(around))
    return deepest


def line_count(function: str) -> int:
    """Return the lines of code of a C++ function's body: no comment, hint to the compiler, blank or lone brace."""
    body = [
        line.strip()
        for line in function.splitlines()[1:]
        if not line.startswith(("//", "template", "INLINE", "static"))
    ]
    return sum(bool(line.strip("}; ")) and not line.startswith(("//", "#")) for line in body)


def _function(text: str, name: str) -> str:
    lines = text.splitlines()
    at = next(i for i, line in enumerate(lines) if re.match(rf"(INLINE|static) .*\b{name}\(", line))
    end = next(i for i in range(at, len(lines)) if lines[i] == "}")
    first = at
    while lines[first - 1].startswith(("//", "template")):
        first -= 1
    return "\n".join(lines[first : end + 1]) + "\n"
