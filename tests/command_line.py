"""The command line in this process, as one of its own would run it, and what any run of it must be."""

from __future__ import annotations

import json
import signal
import sys
import warnings
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import Any

from hostile import within
from zeroloop.cli import main
from zeroloop.commands.signals import ENDING


@dataclass(frozen=True, kw_only=True)
class Done:
    """How a run has ended, and what it has printed."""

    code: Any
    out: str
    err: str


def run(*arguments: str, seconds: float = 60) -> Done:
    """Run a command in this process, and in this folder."""
    out, err = StringIO(), StringIO()
    argv, hook = sys.argv, sys.unraisablehook
    handlers = {getattr(signal, name): signal.getsignal(getattr(signal, name)) for name in ENDING}
    sys.argv = ["zeroloop", *arguments]
    code: Any = None
    try:
        with within(seconds), warnings.catch_warnings(), redirect_stdout(out), redirect_stderr(err):
            main()
    except SystemExit as ended:
        code = ended.code
    finally:
        sys.argv, sys.unraisablehook = argv, hook
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return Done(code=code, out=out.getvalue(), err=err.getvalue())


def check(done: Done, arguments: Sequence[str]) -> None:
    """Check that a run has ended in a result or one line, and that JSON is JSON alone."""
    assert done.code in (0, 2), done
    said = done.err.splitlines()
    errors = [line for line in said if line.startswith("zeroloop: error: ")]
    assert len(errors) == (done.code == 2), done.err
    for line in said:  # no traceback, no library's own words
        assert line.startswith(("zeroloop: error: ", "zeroloop: warning: ")), done.err
        assert len(line) < 2000
    if "--json" in arguments:
        if done.code == 2:
            assert done.out == ""
        else:
            assert done.out.count("\n") == 1
            json.loads(done.out, parse_constant=_refused)


def _refused(name: str) -> Any:
    raise AssertionError(f"{name} is not JSON")
