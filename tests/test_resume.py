"""A run that is killed in a pass, in a process of its own, goes on to the same bits: however its rows are kept."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import zeroloop
from zeroloop import core
from zeroloop.errors import CheckpointError

ROWS = 60_000
# Ends the process with SIGKILL once so many passes are kept: in the middle of the next one.
SCRIPT = """
import json, os, signal, sys
import zeroloop
from zeroloop.sources.checkpoint import Checkpoint

folder, kept, out, last, options = sys.argv[1:]
save = Checkpoint.save
def counted(self, name, record, arrays):
    save(self, name, record, arrays)
    print(name, flush=True)
    if name.startswith("pass") and int(name[5:]) == int(last):
        os.kill(os.getpid(), signal.SIGKILL)
Checkpoint.save = counted
zeroloop.train(folder, "y", checkpoint=kept, out=out, **json.loads(options))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two Parquet files of numbers, with gaps, and levels."""
    place = tmp_path_factory.mktemp("rows")
    rng = np.random.default_rng(11)
    for i in range(2):
        n = ROWS // 2
        x = rng.standard_normal((4, n))
        g = rng.integers(0, 5, n)
        y = rng.random(n) < 1 / (1 + np.exp(-(x[0] - x[1] / 2 + (g == 2) - 0.5)))
        gaps = pa.array(x[3], mask=rng.random(n) < 0.01)
        columns = {"y": y.astype(int), **{f"x{j}": x[j] for j in range(3)}, "gaps": gaps, "g": [f"g{k}" for k in g]}
        pq.write_table(pa.table(columns), place / f"{i}.parquet", row_group_size=10_000)
    return place


KEPT: dict[str, dict[str, Any]] = {
    "in memory": {},
    "spilled": {"memory": "500kB"},
    "decoded again": {"memory": "500kB", "spill": "none"},
}
SOLVERS: dict[str, dict[str, Any]] = {
    "sampled-newton": {"solver": "sampled-newton"},
    "lbfgs": {"solver": "lbfgs"},
    "newton": {"solver": "newton", "C": "inf"},
    "proximal-newton": {"solver": "proximal-newton", "l1_ratio": 1.0, "C": 0.01},
}


# Each case is two processes: all where kills are asked for (`make kills`), else each solver and each place once.
ALL = [(solver, where) for solver in SOLVERS for where in KEPT]
SOME = [("sampled-newton", where) for where in KEPT] + [("newton", "decoded again"), ("proximal-newton", "spilled")]
CASES = ALL if "ZEROLOOP_KILLS" in os.environ else SOME


@pytest.mark.filterwarnings("ignore::zeroloop.ZeroloopWarning")
@pytest.mark.parametrize(("solver", "where"), CASES)
def test_a_killed_run_goes_on_to_the_same_bits(solver: str, where: str, folder: Path, tmp_path: Path) -> None:
    options = {"test_fraction": 0.2, "tol": 1e-8} | SOLVERS[solver]
    kept, out = tmp_path / "kept", tmp_path / "m.json"
    given = json.dumps(options | KEPT[where]).replace('"inf"', "Infinity")

    def run(last: int, level: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "ignore", "-c", SCRIPT, str(folder), str(kept), str(out), str(last), given],
            env=os.environ | {"ZEROLOOP_CPU": level},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    newer, older = core.levels[0], core.levels[:2][-1]  # it goes on on an older processor than it began on
    killed = run(2, newer)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not out.exists()
    done = run(-1, older)
    assert done.returncode == 0, done.stderr
    assert "pass-000001" not in done.stdout  # what was kept was not made again
    plain: Any = dict(options)
    plain["C"] = float(plain.get("C", 1.0))
    model = zeroloop.train(str(folder), "y", **plain)
    resumed = zeroloop.load(out)
    np.testing.assert_array_equal(resumed.coef, model.coef)
    assert resumed.held_out == model.held_out


def test_a_folder_that_is_not_a_checkpoint_is_left_alone(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "run"
    place.mkdir()
    cases: tuple[dict[str, str], ...] = (
        {"run.json": json.dumps({"finished": True, "run": {}}), "thesis.txt": "years"},
        {"run.json": json.dumps({"finished": True, "run": {}})},
        {"run.json": "{"},
        {"run.json": "[]"},
        {"scan.npz": "somebody's"},
        {"pass-000001.npz": "somebody's"},
        {"thesis.txt": "years"},
    )
    for files in cases:
        for name, text in files.items():
            (place / name).write_text(text)
        with pytest.raises(CheckpointError, match=r"name another|other files"):
            zeroloop.train(str(folder), "y", checkpoint=place)
        assert {path.name: path.read_text() for path in place.iterdir()} == files
        for path in place.iterdir():
            path.unlink()
    # A finished one is written over, but not if somebody's file lies in it.
    zeroloop.train(str(folder), "y", checkpoint=place)
    (place / "thesis.txt").write_text("years")
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    with pytest.raises(CheckpointError, match=r"other files than a checkpoint \(thesis.txt\)"):
        zeroloop.train(str(folder), "y", C=2.0, checkpoint=place)
    assert {path.name: path.read_bytes() for path in place.iterdir()} == before
    (place / "thesis.txt").unlink()
    (place / "pass-000009.npz").mkdir()  # a folder is none of a checkpoint's either
    with pytest.raises(CheckpointError, match="other files"):
        zeroloop.train(str(folder), "y", C=2.0, checkpoint=place)
    (place / "pass-000009.npz").rmdir()
    zeroloop.train(str(folder), "y", C=2.0, checkpoint=place)
