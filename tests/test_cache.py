"""Compiled kernels on disk: whatever becomes of the files, a fit goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="nothing is compiled")

RUN = """
import sys
import numpy as np
from zeroloop.kernels.dense import add_stacked
x, z = np.arange(8, dtype=sys.argv[1]), np.zeros(4)
{before}
add_stacked(x, 4, 0, np.array([2.0, 3.0]), z)
assert z.tolist() == [12, 17, 22, 27], z
print(sum(add_stacked.stats.cache_hits.values()))
"""


def started(cache: Path, dtype: str = "float64", before: str = "") -> subprocess.Popen[str]:
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
        for process in [started(tmp_path, dtype) for dtype in ("float32", "float64", "float32", "float64")]:
            hits(process)


def test_code_of_another_signature_is_not_taken(tmp_path: Path) -> None:
    hits(started(tmp_path, "float32"))
    (first,) = tmp_path.rglob("*add_stacked*.nbc")
    hits(started(tmp_path, "float64"))
    (second,) = set(tmp_path.rglob("*add_stacked*.nbc")) - {first}
    second.write_bytes(first.read_bytes())
    assert hits(started(tmp_path, "float64")) == 0


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
