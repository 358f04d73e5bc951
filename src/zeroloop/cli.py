"""The command line: parse, call, print; exit codes.

0: done. 2: something a person can put right, said in one line on standard error. 130: interrupted; 143 and 129:
ended by SIGTERM and SIGHUP.
"""

from __future__ import annotations

import os
import sys
import warnings
from contextlib import suppress
from typing import Any

from zeroloop.commands import learn, models, signals, start
from zeroloop.commands.app import app as app
from zeroloop.errors import ZeroloopError

COMMANDS = (learn, models, start)  # each file adds its commands to the app


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    with suppress(OSError, ValueError):  # no place to say it is no reason to lose what was found
        print(f"zeroloop: warning: {message}", file=sys.stderr)


def main() -> None:
    """Run the command line and exit."""
    warnings.showwarning = _show_warning
    warnings.simplefilter("always", UserWarning)
    signals.handle()
    try:
        app()
    except (SystemExit, KeyboardInterrupt):
        if signals.is_ending():  # wherever it came, also before a command had begun
            sys.exit(signals.exit_code())
        raise
    except ZeroloopError as error:
        print(f"zeroloop: error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
    except MemoryError as error:
        print(
            f"zeroloop: error: out of memory ({' '.join(str(error).split()) or 'no more can be had'}); give --memory "
            "less, or use fewer columns.",
            file=sys.stderr,
        )
        sys.exit(2)
    except BrokenPipeError:  # the reader of a pipe, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:  # a path that no check has met: too long, forbidden, on a disk that fails
        name = "" if error.filename is None else f"{str(error.filename)[:200]}: "
        print(f"zeroloop: error: {name}{error.strerror or error}; name another path.", file=sys.stderr)
        sys.exit(2)
