"""A CSV file's bytes on their way to the parser: without comments, loose blanks, escapes and what follows the table.

A filter takes whole lines and keeps their number: lines above the header are counted.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Literal, Protocol

import pyarrow as pa

CHUNK_BYTES = 1 << 20
TAIL_BYTES = 65_536
MOST_OPEN = 1 << 24  # bytes that are waited for a closing quote
Escapes = Literal["", "quotes", "all"]
"""What a backslash makes plain: nothing, a quote alone, or any character, with `\\N` for a missing value."""

LETTERS = {b"\\t": b"\\\t", b"\\n": b"\\\n", b"\\r": b"\\\r", b"\\0": b"", b"\\Z": b"\\\x1a", b"\\b": b"\\\x08"}


class Filter(Protocol):
    """What lines go through."""

    def passed(self, chunk: bytes, last: bool) -> bytes:
        """Return what is left of whole lines up to the end of a chunk."""


class Comments:
    """Drops comments: lines that begin with a mark, outside quotes. An empty line stands in place of each."""

    def __init__(self, mark: str, quote: str) -> None:
        self._comment = re.compile(re.escape(mark.encode()) + rb"[^\r\n]*")
        self._quote = quote.encode()
        self._quoted = False  # whether what comes next is within quotes
        self._rest = b""

    def passed(self, chunk: bytes, last: bool) -> bytes:
        """Return what is left of whole lines up to the end of a chunk."""
        whole = self._rest + chunk
        end = len(whole) if last else _end_of_lines(whole)
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


class Tidy:
    """Takes away the blanks around values, outside quotes, and turns escapes into what the parser knows.

    Args:
        delimiter: between values; where it is a blank, any number of blanks and tabs is one.
        quote: around values.
        loose: whether there are blanks to take away.
        escapes: what backslashes make plain.

    """

    def __init__(self, delimiter: str, quote: str, loose: bool, escapes: Escapes) -> None:
        mark, around = re.escape(delimiter.encode()), re.escape(quote.encode())
        inside = rb"(?:[^%b\\]|\\.|%b%b)*" if escapes else rb"(?:[^%b]|%b%b)*"
        field = rb"(%b%b%b)?" % (around, inside % (around, around, around), around) if quote else rb"()"
        blank = rb"[ ]*" if delimiter == "\t" else rb"[ \t]*"
        self._marks = re.compile(rb"%b(%b|\r|\n|\A|\Z)%b%b" % (blank, mark, blank, field), re.DOTALL)
        self._blanks = re.compile(rb"(?:([\r\n]|\A)|[ \t]+)%b" % field, re.DOTALL)
        self._null = re.compile(rb"(?<![^\r\n])\\N(?=%b|[\r\n]|\Z)|(?<=%b)\\N(?=%b|[\r\n]|\Z)" % (mark, mark, mark))
        self._escape = re.compile(rb"\\.", re.DOTALL)
        self._quote, self._blank, self._loose, self._escapes = quote.encode(), delimiter == " ", loose, escapes
        self._rest = b""

    def passed(self, chunk: bytes, last: bool) -> bytes:
        """Return what is left of whole lines up to the end of a chunk."""
        whole = self._rest + chunk
        end = len(whole) if last else _end_of_lines(whole)
        if not last and self._quote and whole.count(self._quote, 0, end) % 2 and len(whole) < MOST_OPEN:
            end = 0  # within quotes
        lines, self._rest = whole[:end], whole[end:]
        if self._escapes == "all":
            lines = self._null.sub(b"", lines)
        if self._escapes == "quotes":
            escaped, doubled = b"\\" + self._quote, self._quote * 2
            lines = self._marks.sub(lambda m: m[1] + (m[2] or b"").replace(escaped, doubled), lines)
        elif self._loose and self._blank:
            lines = re.sub(rb"[ \t]+(?=[\r\n]|\Z)", b"", re.sub(rb"(?:\A|(?<=[\r\n]))[ \t]+", b"", lines))
            lines = self._blanks.sub(lambda m: (b" " if m[1] is None else m[1]) + (m[2] or b""), lines)
        elif self._loose:
            lines = self._marks.sub(lambda m: m[1] + (m[2] or b""), lines)
        if self._escapes == "all":
            return self._escape.sub(lambda m: LETTERS.get(m[0], m[0]), lines)
        return lines


class Without:
    """Holds back the last bytes of a stream: what follows the table."""

    def __init__(self, n_bytes: int) -> None:
        self._n_bytes = n_bytes
        self._rest = b""

    def passed(self, chunk: bytes, last: bool) -> bytes:  # noqa: ARG002
        """Return what surely belongs to the table."""
        whole = self._rest + chunk
        end = max(0, len(whole) - self._n_bytes)
        self._rest = whole[end:]
        return whole[:end]


class Tail:
    """Keeps the last bytes of what passes, as it is."""

    def __init__(self) -> None:
        self.content = b""

    def passed(self, chunk: bytes, last: bool) -> bytes:  # noqa: ARG002
        """Return all of it."""
        self.content = (self.content + chunk if len(chunk) < TAIL_BYTES else chunk)[-TAIL_BYTES:]
        return chunk


def filtered_text(text: str, filters: Sequence[Filter]) -> str:
    """Return what filters leave of text."""
    content = text.encode(errors="surrogatepass")
    for one in filters:
        content = one.passed(content, last=True)
    return content.decode(errors="surrogatepass")


class Filtered(io.RawIOBase):
    """A stream of bytes that have gone through filters, one after the other."""

    def __init__(self, stream: pa.NativeFile, filters: Sequence[Filter]) -> None:
        self._stream = stream
        self._filters = list(filters)
        self._ready = b""
        self._ended = False

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, as many as `size` where there are so many; all where it is negative."""
        while not self._ended and (size < 0 or len(self._ready) < size):
            chunk = self._stream.read(CHUNK_BYTES)
            self._ended = not chunk
            for one in self._filters:
                chunk = one.passed(chunk, last=self._ended)
            self._ready += chunk
        size = len(self._ready) if size < 0 else size
        out, self._ready = self._ready[:size], self._ready[size:]
        return out

    def readable(self) -> bool:
        """Return that it is."""
        return True


def _end_of_lines(content: bytes) -> int:
    return max(content.rfind(b"\n"), content.rfind(b"\r")) + 1
