"""A bar in a terminal, and a console to which text is nothing but text."""

from __future__ import annotations

from threading import Timer
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from zeroloop.bars import QUIET, amount_of, share_of
from zeroloop.plain_text import plain
from zeroloop.progress import Work


class PlainConsole(Console):
    """A console to which text is nothing but text: no markup, no emoji, nothing that a terminal acts on.

    Every name comes through here. What is to have a style is given as `styled`.
    """

    def render_str(self, text: str, **options: Any) -> Text:
        """Return text as rich prints it."""
        return super().render_str(plain(text), **options | {"markup": False, "emoji": False, "highlight": False})


class ProgressBar:
    """A bar on standard error once work takes more than a second; nothing where that is no terminal.

    Called with the `Work` that is done, as `zeroloop.train` reports it: rows, and bytes where the rows' number is not
    known yet; the time left is that of the sweep under way.
    """

    def __init__(self) -> None:
        console = PlainConsole(stderr=True)
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=12),
            TextColumn("{task.fields[amount]}", markup=False),
            TimeRemainingColumn(compact=True),
            TextColumn("left", markup=False),
        )
        self._bar = Progress(*columns, console=console, transient=True, refresh_per_second=4)
        self._task = self._bar.add_task("starting", total=None, amount="")
        self._doing = "starting"
        self._timer = Timer(QUIET, self._bar.start) if console.is_terminal else None

    def __call__(self, work: Work) -> None:
        """Show the work."""
        if work.doing != self._doing:
            self._doing = work.doing
            self._bar.reset(self._task)
        done, total = share_of(work)
        self._bar.update(self._task, description=work.doing, completed=done, total=total, amount=amount_of(work))

    def __enter__(self) -> Self:
        if self._timer is not None:
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()
            self._bar.stop()
