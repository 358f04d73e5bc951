"""The command line: parse, call, print; exit codes.

0: done, also where the reader of standard output, such as `head`, has seen enough. 2: something a person can put right,
said in one line on standard error, or on standard output where that is closed or full. 130: interrupted; 143 and 129:
ended by SIGTERM and SIGHUP.
"""

from __future__ import annotations

import sys
import warnings
from contextlib import suppress
from typing import Any

import typer

from zeroloop.choices import closest
from zeroloop.commands import learn, models, signals, start, streams
from zeroloop.commands.app import app as app
from zeroloop.errors import ZeroloopError
from zeroloop.plain_text import one_line

COMMANDS = (learn, models, start)  # each file adds its commands to the app

# Click's base of errors in options; some versions of Typer have a Click of their own.
_UsageProblem: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    with suppress(OSError, ValueError):  # no place to say it is no reason to lose what was found
        print(f"zeroloop: warning: {one_line(message)}", file=sys.stderr)


def main() -> None:
    """Run the command line and exit."""
    streams.prepare()
    warnings.showwarning = _show_warning
    warnings.simplefilter("always", UserWarning)
    sys.unraisablehook = lambda _: None  # a library that fails to tidy up after itself: nothing depends on it
    signals.handle()
    code = _run()
    try:
        sys.stdout.flush()
    except streams.ReaderGone:
        streams.give_up()
    except streams.StdoutError as error:
        code = code or _failed(one_line(error))
        streams.give_up()
    sys.exit(code)


def _run() -> int | str | None:
    """Run the command; return its exit code."""
    try:
        return app(prog_name="zeroloop", standalone_mode=False) or 0
    except SystemExit as end:
        return signals.exit_code() if signals.is_ending() else end.code
    except KeyboardInterrupt:  # before a command had begun
        return signals.exit_code()
    except streams.ReaderGone:
        streams.give_up()
        return 0
    except _UsageProblem as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            print(error.format_message())
            return 0
        streams.say(f"zeroloop: error: {_usage(error)}")
        return 2
    except (ZeroloopError, streams.StdoutError) as error:
        return _failed(one_line(error))
    except MemoryError as error:
        return _failed(
            f"out of memory ({one_line(error) or 'no more can be had'}); give --memory less, or use fewer columns."
        )
    except OSError as error:  # a path that no check has met: too long, forbidden, on a disk that fails
        name = "" if error.filename is None else f"{str(error.filename)[:200]}: "
        return _failed(f"{one_line(name)} {one_line(error.strerror or error)}; name another path.".strip())


def _usage(error: Any) -> str:
    """Return what is wrong with a command, and where its options are told."""
    said = one_line(error.format_message())
    near = closest(error.option_name, error.possibilities or ()) if hasattr(error, "possibilities") else None
    if near is not None:
        said = f"There is no option {error.option_name}; did you mean {near}?"
    said += "" if said.endswith((".", "?")) else "."
    context = getattr(error, "ctx", None)
    return said if context is None else f"{said} See {one_line(context.command_path)} --help."


def _failed(reason: str) -> int:
    streams.say(f"zeroloop: error: {reason}")
    return 2
