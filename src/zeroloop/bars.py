"""How work goes on, shown: a bar in a terminal, a bar in a notebook's cell."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from threading import Lock
from types import TracebackType
from typing import Any, Self

from zeroloop.errors import OptionError
from zeroloop.plain_text import plain
from zeroloop.progress import Progress, Work, unheard
from zeroloop.sources.budget import size_text

QUIET = 1.0  # seconds of work without a bar
A_CHANGE = 0.25  # seconds between two pictures of a notebook's bar


@contextmanager
def shown(to: Progress | bool) -> Iterator[Progress]:
    """Yield what is told how work goes on: for True a bar, in a notebook's cell or on a terminal; for False no one.

    Raises:
        OptionError: for what is neither a function, True nor False.

    """
    if not isinstance(to, bool):
        if not callable(to):
            raise OptionError(f"progress is {to!r}; it must be True for a bar, False, or a function of a Work.")
        yield to
    elif not to:
        yield unheard
    else:
        from zeroloop.terminal_bar import ProgressBar  # and rich, which nothing else here needs

        with NotebookBar() if _in_notebook() else ProgressBar() as bar:
            yield bar


class NotebookBar:
    """A bar in a notebook's cell once work takes more than a second, gone at its end; it needs no widgets."""

    def __init__(self) -> None:
        self._start = self._last = time.monotonic()
        self._handle: Any = None
        self._lock = Lock()  # work is told of from several threads

    def __call__(self, work: Work) -> None:
        """Show the work."""
        now = time.monotonic()
        if now < self._start + QUIET or now < self._last + A_CHANGE or not self._lock.acquire(blocking=False):
            return
        try:
            self._last = now
            self._show(_as_html(work))
        finally:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handle is not None:
            self._show("")

    def _show(self, html: str) -> None:
        from IPython.display import HTML, display  # a notebook has it

        if self._handle is None:
            self._handle = display(HTML(html), display_id=True)
        else:
            self._handle.update(HTML(html))


def _in_notebook() -> bool:
    """Return whether cells of a notebook show what is displayed."""
    ipython = sys.modules.get("IPython")
    return hasattr(ipython.get_ipython(), "kernel") if ipython is not None else False


def _as_html(work: Work) -> str:
    done, total = share_of(work)
    far = f' value="{done}" max="{total}"' if total else ""
    return f"<div>{escape(plain(work.doing))} <progress{far}></progress> {escape(amount_of(work))}</div>"


def share_of(work: Work) -> tuple[int, int | None]:
    """Return how much is done, of how much, None where that is not known: rows, or else bytes."""
    if work.total_rows is not None:
        return work.rows, work.total_rows
    return work.n_bytes, work.total_bytes or None


def amount_of(work: Work) -> str:
    """Return how much is done, in words."""
    parts = []
    if work.rows:
        of = f" of {work.total_rows / 1e6:.1f}" if work.total_rows else ""
        parts.append(f"{work.rows / 1e6:.1f}{of} M rows")
    if work.n_bytes:
        parts.append(f"{size_text(work.n_bytes)} of {size_text(work.total_bytes)}")
    return ", ".join(parts)
