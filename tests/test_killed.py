"""`kill -9`, and Ctrl-C once or twice, at random moments of each command: the old or the new, and whole.

ZEROLOOP_KILLS says how many of each; `make kills` asks for twenty.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from forked import MAIN, Forked, server

KILLS = int(os.environ.get("ZEROLOOP_KILLS", "1"))
# As it says, or where the interpreter itself is only beginning or already ending, as the system says.
INTERRUPTED = (130, -signal.SIGINT, 0)


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


@contextmanager
def begun(arguments: list[str], cwd: Path) -> Iterator[tuple[Forked, IO[str]]]:
    """Begin a command; give its process, and what it says."""
    with Path(os.devnull).open() as nothing, TemporaryFile("w+") as out, TemporaryFile("w+") as said:
        streams = [one.fileno() for one in (nothing, out, said)]
        with Forked(MAIN, arguments, server(), streams, cwd) as process:
            yield process, said


def run(arguments: list[str], cwd: Path) -> float:
    """Run a command; return how long it took."""
    start = time.perf_counter()
    with begun(arguments, cwd) as (process, said):
        assert process.wait(timeout=240) == 0, text_of(said)
    return time.perf_counter() - start


def kill(arguments: list[str], cwd: Path, seconds: float) -> None:
    """Run a command, and kill it after so many seconds."""
    with begun(arguments, cwd) as (process, said):
        try:
            assert process.wait(timeout=seconds) == 0, text_of(said)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)


def interrupt(arguments: list[str], cwd: Path, *seconds: float) -> None:
    """Run a command, and send it a Ctrl-C after so many seconds, and another after so many more."""
    with begun(arguments, cwd) as (process, told):
        for pause in seconds:
            time.sleep(pause)
            process.send_signal(signal.SIGINT)
        ended, said = process.wait(timeout=60), text_of(told)
    assert ended in INTERRUPTED, said
    assert all(line.startswith("zeroloop: ") for line in said.splitlines()), said
    assert not list(cwd.rglob(".zeroloop-*"))


def text_of(said: IO[str]) -> str:
    said.seek(0)
    return said.read()


SPILLING = ["--memory", "500kB"]
COMMANDS = {
    "train": ["train", "d.parquet", "--target", "y", *SPILLING, "--checkpoint", "kept", "-o", "out.json"],
    "predict": ["predict", "model.json", "d.parquet", "--keep", "a", "-o", "out.parquet"],
    "report": ["report", "model.json", "d.parquet", *SPILLING, "-o", "out.html"],
    "path": ["path", "d.parquet", "--target", "y", "--n", "5", *SPILLING, "-o", "out.csv", "--plot", "out.png"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_is_ended_leaves_the_old_or_the_new(command: str, folder: Path) -> None:
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
        for left in folder.rglob(".zeroloop-*"):  # of the one that was killed before
            left.unlink()
        seconds = (float(rng.uniform(0.3, 1.0) * took), float(rng.choice([0, 0.001, 0.05, 0.3])))
        interrupt(arguments, folder, *seconds[: int(rng.integers(1, 3))])
        for path in outputs:
            assert path.read_bytes() == b"old" or _content(path) == new[path], path
        kill(arguments, folder, float(rng.uniform(0.3, 1.0) * took))
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
