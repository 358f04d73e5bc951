"""Compiled kernels on disk: whatever becomes of the files, a fit goes on."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest
from numba.core.dispatcher import Dispatcher

import zeroloop.kernels

pytestmark = pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="nothing is compiled")

RUN = """
import sys
import numpy as np
from zeroloop.kernels.sparse import split_columns
rows = np.arange(8, dtype=sys.argv[1])
{before}
places = split_columns(rows, np.array([0, 8]), np.array([0, 4, 8]))
assert places.tolist() == [[0], [4], [8]], places
print(sum(split_columns.stats.cache_hits.values()))
"""

TWO_STATISTICS = """
import sys
import numpy as np
from zeroloop.blocks import Block
from zeroloop.kernels import sweep
rng = np.random.default_rng(0)
for rows in (1_000, 4_096, 5_608):
    x, y = rng.normal(size=(5, rows)), (rng.random(rows) < 0.5).astype(np.float32)
    codes, weight = rng.integers(6, 9, (1, rows)).astype(np.int32), rng.random(rows)
    block = Block(numeric=x, codes=codes, n_coefs=9, y=y, weight=weight)
    at = rng.normal(size=(1, 9)), rng.normal(size=5)
    found = {name: getattr(sweep, name)(block, *at) for name in sys.argv[1:]}
    print(found["hessian_diagonal"].diagonal.tobytes().hex(), found["predictor"].tobytes().hex())
for kernel in (sweep._diagonal, sweep._predict):
    if kernel.stats.cache_misses:
        print(*kernel.inspect_llvm().values(), file=sys.stderr)
"""


def started(cache: Path, dtype: str = "int64", before: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RUN.format(before=before), dtype],
        env=os.environ | {"NUMBA_CACHE_DIR": str(cache)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def hits(process: subprocess.Popen[str]) -> int:
    """Return how often the kernel came from the cache."""
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return int(out)


def test_a_kernel_is_compiled_once(tmp_path: Path) -> None:
    assert [hits(started(tmp_path)) for _ in range(2)] == [0, 1]


def test_processes_may_compile_at_once(tmp_path: Path) -> None:
    # Both signatures may have been written to one file, each process's index naming it as its own.
    for _ in range(2):
        for process in [started(tmp_path, dtype) for dtype in ("int32", "int64", "int32", "int64")]:
            hits(process)


def test_code_of_another_signature_is_not_taken(tmp_path: Path) -> None:
    hits(started(tmp_path, "int32"))
    (first,) = tmp_path.rglob("*split_columns*.nbc")
    hits(started(tmp_path, "int64"))
    (second,) = set(tmp_path.rglob("*split_columns*.nbc")) - {first}
    second.write_bytes(first.read_bytes())
    assert hits(started(tmp_path, "int64")) == 0


@pytest.mark.parametrize("kind", ["*.nbi", "*.nbc"])
def test_damaged_files_are_compiled_anew(tmp_path: Path, kind: str) -> None:
    hits(started(tmp_path))
    for path in tmp_path.rglob(kind):
        path.write_bytes(path.read_bytes()[:40])
    assert hits(started(tmp_path)) == 0
    assert hits(started(tmp_path)) == 1


def test_a_folder_that_goes_away_is_done_without(tmp_path: Path) -> None:
    gone = "import os, shutil; c = os.environ['NUMBA_CACHE_DIR']; shutil.rmtree(c, True); open(c, 'w').close()"
    assert hits(started(tmp_path / "cache", before=gone)) == 0


def test_no_folder_at_all_is_done_without(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    hits(started(blocked / "cache"))


def test_what_a_process_has_compiled_or_called_before_changes_no_bit(tmp_path: Path) -> None:
    def bits(*names: str) -> tuple[str, str]:
        done = subprocess.run(
            [sys.executable, "-c", TWO_STATISTICS, *names],
            env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout, done.stderr

    compiled, code = bits("hessian_diagonal", "predictor")
    loaded, no_code = bits("hessian_diagonal", "predictor")
    in_turn, _ = bits("predictor", "hessian_diagonal")
    assert no_code == ""
    assert compiled == loaded == in_turn
    # A function that the kernels share would be the copy of whichever came first.
    shared = re.findall(r"^define linkonce.*\n(?:(?!^}).*\n)*", code, re.MULTILINE)
    assert len(shared) > 0
    assert [one for one in shared if re.search(r" (fadd|fsub|fmul|fdiv) ", one)] == []


def test_kernels_call_only_what_is_inlined() -> None:
    names = [f"zeroloop.kernels.{module.name}" for module in iter_modules(zeroloop.kernels.__path__)]
    found = [one for name in names for one in vars(import_module(name)).values() if isinstance(one, Dispatcher)]
    called = {
        id(one): one
        for kernel in found
        for name in kernel.py_func.__code__.co_names
        if isinstance(one := kernel.py_func.__globals__.get(name), Dispatcher)
    }
    assert len(called) > 30
    assert [one.py_func.__name__ for one in called.values() if not one.targetoptions.get("forceinline")] == []
