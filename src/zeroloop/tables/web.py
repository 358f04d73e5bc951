"""Files on the web, fetched whole and kept."""

from __future__ import annotations

import http.client
from functools import partial
from importlib.metadata import version
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from zeroloop.errors import BadFileError, DataError
from zeroloop.tables import stores
from zeroloop.tables.files import File

SCHEMES = ("http://", "https://")
AGAIN = "try again, or fetch the file here and name that."
PIECE = 2**20  # bytes that are read at once


def is_page(given: str) -> bool:
    """Return whether a path is an address on the web."""
    return given.lower().startswith(SCHEMES)


def page(url: str) -> File:
    """Return the file at an address, to be fetched when it is opened."""
    try:
        name = urlsplit(url).path
    except ValueError as error:
        raise DataError(f"{url}: is no address ({error}).") from error
    return File(path=url, place=name, filesystem=None, size=0, modified=None, fetch=partial(_fetch, url))


def _fetch(url: str, sink: IO[bytes]) -> None:
    """Write what is at an address to `sink`.

    Raises:
        DataError: when it cannot be fetched.

    """
    request = Request(url, headers={"User-Agent": f"zeroloop/{version('zeroloop')}"})  # some servers want one
    done = 0
    with stores.answer(url, partial(_opened, request)) as response:
        size = response.length
        try:
            while piece := response.read(PIECE):
                sink.write(piece)
                done += len(piece)
        except (http.client.HTTPException, TimeoutError, ConnectionError) as error:
            raise BadFileError(url, f"{done:,} bytes came, and then {_reason(error)}; {AGAIN}") from error
    if size is not None and done != size:
        raise BadFileError(url, f"{done:,} of {size:,} bytes came; {AGAIN}")


def _opened(request: Request) -> Any:
    try:
        return urlopen(request, timeout=stores.GIVES_UP)
    except HTTPError as error:
        error.close()
        raise ConnectionError(f"{error.code} {error.reason}") from error
    except URLError as error:
        raise ConnectionError(str(error.reason)) from error


def _reason(error: Exception) -> str:
    return f"nothing for {stores.GIVES_UP:g} seconds" if isinstance(error, TimeoutError) else "the connection broke"
