"""What leads to a coefficient goes through `zeroloop.algebra`: nothing whose last bits depend on the processor."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.bits import processors, run

import zeroloop
from zeroloop import core

SOURCES = Path(zeroloop.__file__).parent
# What is shown and never computed with, a reader's lessons, and scikit-learn's own formats.
NO_PATH = ("as_sklearn.py", "bars.py", "charts.py", "commands/", "ladder/", "report/", "summary.py", "terminal.py")
ROUNDED = {"tables/dates.py": {"math.sin", "math.cos"}}  # to 15 digits, which every library has right
OWN_ORDER = "X @ coefs if hasattr(X, 'tocsr')"  # scipy's sparse products: a loop over what is stored
DEPENDS = {
    "np": """arctan cbrt convolve correlate cos dot einsum exp exp2 expm1 float_power geomspace hypot inner linalg log
        log10 log1p log2 logaddexp logaddexp2 logspace matmul matvec power sin sinc tan tanh tensordot trapezoid vdot
        vecdot vecmat""",
    "math": "cbrt cos erf erfc exp exp2 expm1 gamma hypot lgamma log log10 log1p log2 pow sin sumprod tanh",
    "special": "expit log_expit logit logsumexp softmax xlogy",
    "scipy": "linalg",
}
NAMES = {f"{module}.{name}" for module, names in DEPENDS.items() for name in names.split()}
ALSO = {"scipy.linalg", "scipy.special.expit", "scipy.special.logsumexp", "numpy.linalg"}


def found_in(code: str) -> Iterator[str]:
    """Yield what of a module's code depends on the processor, with its line."""
    tree = ast.parse(code)
    excused = {id(inside) for node in ast.walk(tree) if OWN_ORDER in _text(node) for inside in ast.walk(node)}
    for node in ast.walk(tree):
        where = f"line {getattr(node, 'lineno', 0)}: "
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.MatMult) and id(node) not in excused:
            yield where + "@"
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and _text(node.right).endswith(".5"):
            yield where + f"** {_text(node.right)}"
        if isinstance(node, ast.Attribute) and _text(node) in NAMES:
            yield where + _text(node)
        if isinstance(node, ast.Call) and _text(node.func).endswith("argsort") and "stable" not in _text(node):
            yield where + "argsort without kind='stable'"
        if isinstance(node, ast.Call) and _text(node.func).endswith(".dot"):
            yield where + ".dot()"
        if isinstance(node, ast.ImportFrom):
            names = {f"{node.module}.{one.name}" for one in node.names}
            yield from (where + name for name in names if name in ALSO or name.replace("numpy.", "np.") in NAMES)


def _text(node: ast.AST) -> str:
    return ast.unparse(node) if isinstance(node, ast.expr) else ""


def on_the_way() -> list[str]:
    """Return the modules that lead to a coefficient, a covariance or a prediction."""
    every = sorted(str(path.relative_to(SOURCES)) for path in SOURCES.rglob("*.py"))
    return [path for path in every if not path.startswith(NO_PATH)]


@pytest.mark.parametrize("path", on_the_way())
def test_no_bit_depends_on_the_processor(path: str) -> None:
    found = list(found_in((SOURCES / path).read_text(encoding="utf-8")))
    assert [one for one in found if one.split(": ")[1] not in ROUNDED.get(path, ())] == []


def test_fits_have_the_same_bits_on_every_processor() -> None:
    """Some of what `make bits` compares: on the least processor that this one can stand in for, and as it is."""
    fits = ["dense, float32", "few rows", "levels", "sparse", "three classes", "L1", "wide", "Firth"]
    kinds = processors(core.levels)
    least = list(kinds)[-1]
    assert run(kinds[least], fits) == run(kinds["as it is"], fits)


@pytest.mark.parametrize(
    "code",
    [
        "a @ b",
        "a @= b",
        "np.linalg.solve(a, b)",
        "np.exp(x)",
        "f = np.log1p",
        "np.einsum('i,i', a, b)",
        "math.log(x)",
        "x ** 0.5",
        "np.argsort(x)",
        "x.dot(y)",
        "from scipy.special import expit",
        "from numpy import exp",
        "from math import exp",
        "def f():\n    from scipy import linalg",
    ],
)
def test_it_would_be_found(code: str) -> None:
    assert list(found_in(code))


def test_what_does_not_depend_on_it_is_not_found() -> None:
    code = (
        "np.sqrt(x) * x ** 2 + np.sum(x) + exp(x) + np.argsort(x, kind='stable') + 2.0 ** 5 + math.sqrt(x) + dot(x, y)"
    )
    assert list(found_in(code)) == []
