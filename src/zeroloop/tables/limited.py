"""Runs a program with limits on its memory and time: a program itself, which `zeroloop.tables.children` starts.

`python limited.py ASKED PROGRAM` runs a Python file with ASKED, an object of JSON, as its argument.
"""

from __future__ import annotations

import json
import runpy
import sys
from contextlib import suppress


def limit(memory: int, seconds: int) -> None:
    """Limit this process's memory in bytes, and its processor time; it leaves no core file."""
    with suppress(ImportError):  # Windows
        import resource

        for what, most in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, seconds), (resource.RLIMIT_CORE, 0)):
            _, hard = resource.getrlimit(what)
            most = most if hard == resource.RLIM_INFINITY else min(most, hard)
            with suppress(ValueError, OSError):
                resource.setrlimit(what, (most, hard))


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    limit(asked["memory"], asked["seconds"])
    program = sys.argv.pop()
    runpy.run_path(program, run_name="__main__")
