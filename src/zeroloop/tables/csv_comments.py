"""Comments in a CSV file: lines that begin with a mark, left out on the way to the parser."""

from __future__ import annotations

import io
import re

import pyarrow as pa

CHUNK_BYTES = 1 << 20


def without_comments(text: str, mark: str, quote: str) -> str:
    """Return text with an empty line in place of each comment."""
    return _Filter(mark, quote).passed(text.encode(), last=True).decode()


class _Filter:
    """Drops comments out of chunks of bytes: lines that begin with a mark, outside quotes."""

    def __init__(self, mark: str, quote: str) -> None:
        self._comment = re.compile(re.escape(mark.encode()) + rb"[^\r\n]*")
        self._quote = quote.encode()
        self._quoted = False  # whether what comes next is within quotes
        self._rest = b""

    def passed(self, chunk: bytes, last: bool) -> bytes:
        """Return what is left of whole lines up to the end of a chunk.

        An empty line stands in place of each comment: lines above the header are counted.
        """
        whole = self._rest + chunk
        end = len(whole) if last else max(whole.rfind(b"\n"), whole.rfind(b"\r")) + 1
        lines, self._rest = whole[:end], whole[end:]
        out, start = [], 0
        for match in self._comment.finditer(lines):
            if match.start() > 0 and lines[match.start() - 1] not in b"\r\n":
                continue
            before = lines[start : match.start()]
            out.append(before)
            self._count(before)
            start = match.start() if self._quoted else match.end()
        self._count(lines[start:])
        out.append(lines[start:])
        return b"".join(out)

    def _count(self, part: bytes) -> None:
        if self._quote and part.count(self._quote) % 2:
            self._quoted = not self._quoted


class WithoutComments(io.RawIOBase):
    """A stream of bytes without comments."""

    def __init__(self, stream: pa.NativeFile, mark: str, quote: str) -> None:
        self._stream = stream
        self._filter = _Filter(mark, quote)
        self._ready = b""
        self._ended = False

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, as many as `size` where there are so many; all where it is negative."""
        while not self._ended and (size < 0 or len(self._ready) < size):
            chunk = self._stream.read(CHUNK_BYTES)
            self._ended = not chunk
            self._ready += self._filter.passed(chunk, last=self._ended)
        size = len(self._ready) if size < 0 else size
        out, self._ready = self._ready[:size], self._ready[size:]
        return out

    def readable(self) -> bool:
        """Return that it is."""
        return True
