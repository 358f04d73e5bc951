"""The command line in this process, which starts in no time, or in one of its own; and what any run of it must be."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

from hostile import within
from zeroloop.cli import main
from zeroloop.commands.signals import ENDING

MAIN = "from zeroloop.__main__ import main; main()"

Done = subprocess.CompletedProcess[str]


def run(*words: object, cwd: Path | None = None, seconds: float = 120) -> Done:
    """Run a command in this process."""
    arguments = list(map(str, words))
    out, err = (TextIOWrapper(BytesIO(), "utf-8", "backslashreplace", write_through=True) for _ in range(2))
    argv, hook, folder = sys.argv, sys.unraisablehook, Path.cwd()
    handlers = {getattr(signal, name): signal.getsignal(getattr(signal, name)) for name in ENDING}
    sys.argv = ["zeroloop", *arguments]
    code: Any = 1
    try:
        os.chdir(cwd or folder)
        with within(seconds), warnings.catch_warnings(), redirect_stdout(out), redirect_stderr(err):
            main()
    except SystemExit as ended:
        code = ended.code
    finally:
        sys.argv, sys.unraisablehook = argv, hook
        os.chdir(folder)
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return Done(arguments, code, _written(out), _written(err))


def run_apart(*words: object, cwd: Path | None = None) -> Done:
    """Run a command in a process of its own."""
    command = [sys.executable, "-c", MAIN, *map(str, words)]
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, errors="surrogateescape", timeout=120, check=False
    )


def check(done: Done, arguments: Sequence[str]) -> None:
    """Check that a run has ended in a result or one line, and that JSON is JSON alone."""
    assert done.returncode in (0, 2), done
    said = done.stderr.splitlines()
    errors = [line for line in said if line.startswith("zeroloop: error: ")]
    assert len(errors) == (done.returncode == 2), done.stderr
    for line in said:  # no traceback, no library's own words
        assert line.startswith(("zeroloop: error: ", "zeroloop: warning: ")), done.stderr
        assert len(line) < 2000
    if "--json" in arguments:
        if done.returncode == 2:
            assert done.stdout == ""
        else:
            assert done.stdout.count("\n") == 1
            json.loads(done.stdout, parse_constant=_refused)


def _written(stream: TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()


def _refused(name: str) -> Any:
    raise AssertionError(f"{name} is not JSON")
