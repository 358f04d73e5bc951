"""The command line: parse, call, print; exit codes.

0: done. 2: something a person can put right, said in one line on standard error. 130: interrupted; 143 and 129:
ended by SIGTERM and SIGHUP.
"""

from __future__ import annotations

import os
import sys
import warnings
from contextlib import suppress
from io import StringIO
from typing import Any

import typer

from zeroloop.commands import learn, models, signals, start
from zeroloop.commands.app import app as app
from zeroloop.errors import ZeroloopError
from zeroloop.plain_text import one_line, plain

COMMANDS = (learn, models, start)  # each file adds its commands to the app

# Click's base of errors in options; some versions of Typer have a Click of their own.
_UsageProblem: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    with suppress(OSError, ValueError):  # no place to say it is no reason to lose what was found
        print(f"zeroloop: warning: {one_line(message)}", file=sys.stderr)


def main() -> None:
    """Run the command line and exit."""
    warnings.showwarning = _show_warning
    warnings.simplefilter("always", UserWarning)
    signals.handle()
    try:
        sys.exit(app(standalone_mode=False) or 0)
    except (SystemExit, KeyboardInterrupt):
        if signals.is_ending():  # wherever it came, also before a command had begun
            sys.exit(signals.exit_code())
        raise
    except _UsageProblem as error:
        said = StringIO()
        error.show(said)
        print("\n".join(plain(line) for line in said.getvalue().rstrip().split("\n")), file=sys.stderr)
        sys.exit(error.exit_code)
    except ZeroloopError as error:
        print(f"zeroloop: error: {one_line(error)}", file=sys.stderr)
        sys.exit(2)
    except MemoryError as error:
        print(
            f"zeroloop: error: out of memory ({one_line(error) or 'no more can be had'}); give --memory "
            "less, or use fewer columns.",
            file=sys.stderr,
        )
        sys.exit(2)
    except BrokenPipeError:  # the reader of a pipe, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:  # a path that no check has met: too long, forbidden, on a disk that fails
        name = "" if error.filename is None else f"{str(error.filename)[:200]}: "
        print(
            f"zeroloop: error: {one_line(name)} {one_line(error.strerror or error)}; name another path.",
            file=sys.stderr,
        )
        sys.exit(2)
