"""Stores behind URIs: opened by pyarrow or fsspec, and an error within seconds where they do not answer."""

from __future__ import annotations

import glob
import queue
import re
import threading
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import pyarrow as pa

from zeroloop.errors import DataError, ZeroloopWarning, first_line

T = TypeVar("T")

QUERY = re.compile(r"\?[\w.-]+=.*\Z", re.DOTALL)  # options of a store, or a signature
SILENT, GIVES_UP = 5.0, 12.0  # seconds without a first answer, until it is said, and until it is an error


def is_pattern(place: str) -> bool:
    """Return whether a URI, or a place in a store, is a pattern; the question mark before a query makes it none."""
    return glob.has_magic(QUERY.sub("", place))


def root_of(pattern: str) -> str:
    """Return the folder that a pattern begins with."""
    return pattern[: min(pattern.find(sign) for sign in "*?[" if sign in pattern)].rpartition("/")[0]


def ask(uri: str, question: Callable[[Any, str], T]) -> tuple[Any, str, T]:
    """Open the store of a URI and ask it something; the environment has the keys.

    Stores have limits of their own, of minutes, and some have none.

    Returns:
        Its filesystem, pyarrow's or else fsspec's behind pyarrow's interface; the place in it; its answer to
        `question(filesystem, place)`.

    Raises:
        DataError: when it cannot be opened, or does not answer.

    """

    def opened() -> tuple[Any, str, T]:
        filesystem, place = _opened(uri)
        return filesystem, place, question(filesystem, place)

    return answer(uri, opened)


def answer(uri: str, question: Callable[[], T]) -> T:
    """Return what a question to a store is answered with, within seconds; see `ask`."""
    answers: queue.SimpleQueue[tuple[T] | Exception] = queue.SimpleQueue()

    def wait() -> None:
        try:
            answers.put((question(),))
        except Exception as error:  # noqa: BLE001  raised below
            answers.put(error)

    threading.Thread(target=wait, daemon=True).start()
    try:
        try:
            found = answers.get(timeout=SILENT)
        except queue.Empty:
            warnings.warn(
                f"{uri}: no answer yet after {SILENT:g} seconds; is there a network, and is the address right?",
                ZeroloopWarning,
                stacklevel=2,
            )
            found = answers.get(timeout=GIVES_UP - SILENT)
    except queue.Empty:
        raise unreachable(uri, TimeoutError(f"no answer in {GIVES_UP:g} seconds")) from None
    if isinstance(found, DataError):
        raise found
    if isinstance(found, Exception):
        raise unreachable(uri, found) from found
    return found[0]


def unreachable(uri: str, error: BaseException) -> DataError:
    """Return what is said of a store that cannot be opened."""
    # fsspec splits an address without a look, and fails where a part is missing.
    malformed = isinstance(error, TypeError | AttributeError | LookupError)
    reason = "no such store has this address" if malformed else first_line(error)
    return DataError(
        f"{uri}: cannot be opened ({reason}); check the address and what its store needs (a package, "
        "a network, credentials), or copy the files here and name those."
    )


def why_missing(filesystem: Any, place: str) -> str:
    """Return why there is nothing at a place, as fsspec tells it: to some of its stores no network is no file."""
    store = getattr(getattr(filesystem, "handler", None), "fs", None)
    try:
        if store is not None:
            store.info(place)
    except Exception as error:  # noqa: BLE001  whatever it is, it is said
        if error.__cause__ is not None:
            return f" ({first_line(error.__cause__)})"
    return ""


def _opened(uri: str) -> tuple[Any, str]:
    import pyarrow.fs as pafs

    body = QUERY.sub("", uri)
    marked = is_pattern(body)
    try:
        # A pattern's signs are not allowed in a URI: look up what stands before them.
        start = root_of(body) if marked else body
        filesystem, place = pafs.FileSystem.from_uri(start + uri[len(body) :])
        if filesystem.type_name == "abfs":
            # Arrow ends the process where it is asked for a container that it may not see; of a file in it, it raises.
            filesystem.get_file_info(f"{place.rstrip('/')}/_")
        return filesystem, place + body[len(start) :] if marked else place
    except pa.ArrowInvalid:
        pass
    import fsspec

    other, place = fsspec.core.url_to_fs(uri)
    return pafs.PyFileSystem(pafs.FSSpecHandler(other)), place
