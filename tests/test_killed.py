"""`kill -9` at random moments of each command: what it was to write is the old or the new, and whole.

ZEROLOOP_KILLS says how many of each; `make fuzz` asks for twenty.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

KILLS = int(os.environ.get("ZEROLOOP_KILLS", "1"))
MAIN = "from zeroloop.cli import main; main()"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("killed")
    rng = np.random.default_rng(5)
    n = 60_000
    x = rng.standard_normal((3, n))
    y = (rng.random(n) < 1 / (1 + np.exp(-x[0]))).astype(int)
    pq.write_table(pa.table({"y": y, "a": x[0], "b": x[1], "c": x[2]}), place / "d.parquet")
    run(["train", "d.parquet", "--target", "y"], place)
    return place


def run(arguments: list[str], cwd: Path, seconds: float | None = None) -> float:
    """Run a command, and kill it after so many seconds; return how long it took."""
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, *arguments], cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        _, said = process.communicate(timeout=240 if seconds is None else seconds)
        assert process.returncode == 0, said
    except subprocess.TimeoutExpired:
        assert seconds is not None
        process.kill()
        process.communicate()
    return time.perf_counter() - begun


SPILLING = ["--memory", "500kB"]
COMMANDS = {
    "train": ["train", "d.parquet", "--target", "y", *SPILLING, "--checkpoint", "kept", "-o", "out.json"],
    "predict": ["predict", "model.json", "d.parquet", "--keep", "a", "-o", "out.parquet"],
    "report": ["report", "model.json", "d.parquet", *SPILLING, "-o", "out.html"],
    "path": ["path", "d.parquet", "--target", "y", "--n", "5", *SPILLING, "-o", "out.csv", "--plot", "out.png"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_killed_command_leaves_the_old_or_the_new(command: str, folder: Path) -> None:
    arguments = COMMANDS[command]
    outputs = [folder / name for name in arguments if name.startswith("out.")]
    for path in outputs:
        path.write_text("old")
    took = run(arguments, folder)
    new = {path: _content(path) for path in outputs}
    rng = np.random.default_rng(int.from_bytes(command.encode(), "big") % 2**32)
    for _ in range(KILLS):
        for path in outputs:
            path.write_text("old")
        for left in (folder / "kept").glob("*"):
            left.unlink()
        run(arguments, folder, float(rng.uniform(0.3, 1.0) * took))
        for path in outputs:
            assert path.read_bytes() == b"old" or _content(path) == new[path], path
        run(arguments, folder)  # again, from the checkpoint where there is one
        assert {path: _content(path) for path in outputs} == new


def _content(path: Path) -> object:
    """Return what a file holds, but for what each run makes anew: dates, times, and matplotlib's version."""
    if path.suffix == ".json":
        import zeroloop

        model = zeroloop.load(path)
        return model.coef.tobytes(), model.held_out, model.schema
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pydict()
    if path.suffix == ".html":
        text = path.read_text()
        return text.rstrip().endswith("</html>"), len(text) > 50_000
    if path.suffix == ".png":
        content = path.read_bytes()
        return content.startswith(b"\x89PNG") and content.rstrip().endswith(b"IEND\xaeB`\x82")
    return path.read_bytes()
