"""How work goes on, shown: `progress=True` in a notebook's cell, on a terminal, and nowhere else."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

import zeroloop
from zeroloop import bars
from zeroloop.errors import OptionError
from zeroloop.progress import Work, unheard


def a_table(m: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({"x": rng.normal(size=m), "y": rng.integers(0, 2, m)})


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what a notebook's cell shows, one picture after the other: IPython's two functions, recorded."""
    pictures: list[str] = []

    class Handle:
        def update(self, picture: str) -> None:
            pictures.append(picture)

    def display(picture: str, display_id: bool) -> Handle:
        assert display_id
        assert not pictures, "a second place in the cell"
        pictures.append(picture)
        return Handle()

    ipython, shown = ModuleType("IPython"), ModuleType("IPython.display")
    shell = type("Shell", (), {"kernel": None})()
    vars(ipython).update(get_ipython=lambda: shell, display=shown)
    vars(shown).update(HTML=str, display=display)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", shown)
    monkeypatch.setattr(bars, "A_CHANGE", 0.0)
    return pictures


def test_a_bar_in_a_notebook(cell: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(bars, "QUIET", 0.0)
    model = zeroloop.train(a_table(), "y", progress=True)
    assert any('<progress value="400" max="400"></progress> 0.0 of 0.0 M rows' in one for one in cell)
    assert cell[-1] == ""
    cell.clear()
    assert zeroloop.evaluate(model, a_table(), progress=True)["rows"] == 400
    assert cell[-1] == ""
    cell.clear()
    zeroloop.predict_file(model, a_table(), tmp_path / "p.csv", progress=True)
    assert len(cell) > 1
    cell.clear()
    zeroloop.path(a_table(), "y", Cs=2, progress=True)
    assert any("fitting, C 1 of 2" in one for one in cell)


def test_short_work_shows_nothing_and_an_error_clears_the_bar(cell: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    zeroloop.train(a_table(), "y", progress=True)
    assert cell == []
    monkeypatch.setattr(bars, "QUIET", 0.0)

    def fails(work: Work) -> None:
        with bars.shown(True) as told:
            told(work)
            raise KeyError

    with pytest.raises(KeyError):
        fails(Work(doing="reading <b>&\x1b[2J", n_bytes=10, total_bytes=100))
    assert cell == [
        '<div>reading &lt;b&gt;&amp;\\x1b[2J <progress value="10" max="100"></progress> 10 bytes of 100 bytes</div>',
        "",
    ]


def test_a_function_is_told_and_false_tells_no_one() -> None:
    told: list[Work] = []
    zeroloop.train(a_table(), "y", progress=told.append)
    assert told
    with bars.shown(False) as nobody:
        assert nobody is unheard
    not_a_function: Any = 5
    with pytest.raises(OptionError, match="progress is 5; it must be True for a bar, False, or a function"):
        zeroloop.train(a_table(), "y", progress=not_a_function)


def test_a_bar_on_a_terminal_and_nothing_in_a_pipe() -> None:
    code = (
        "from zeroloop import bars; bars.QUIET = 0.0\n"
        "import zeroloop, time\nfrom zeroloop.progress import Work\n"
        "with bars.shown(True) as told:\n"
        "    for i in range(3):\n        told(Work(doing='reading', rows=i, total_rows=3)); time.sleep(0.3)\n"
    )
    command, how = [sys.executable, "-c", code], os.environ | {"TERM": "xterm"}
    assert subprocess.run(command, env=how, capture_output=True, check=True).stderr == b""
    here, there = pty.openpty()
    with subprocess.Popen(command, env=how, stderr=there, stdin=subprocess.DEVNULL) as child:
        os.close(there)
        seen = b""
        while True:
            try:
                some = os.read(here, 4096)
            except OSError:  # the other end is closed
                break
            if not some:
                break
            seen += some
    os.close(here)
    assert child.returncode == 0
    assert b"reading" in seen


def test_nothing_of_a_terminal_is_loaded_without_a_bar() -> None:
    code = "import zeroloop, sys; zeroloop.train; zeroloop.evaluate; assert 'rich' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
