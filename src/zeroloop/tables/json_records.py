"""Records in JSON: one a line (JSON lines), one after the other, or in a list; cut into lines, chunk by chunk."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from zeroloop.errors import BadFileError, first_line

CHUNK_BYTES = 2**22
LONGEST = 2**28  # bytes of a record: more is no record, but a list without an end or another mistake
DEEPEST = 1_000  # brackets within brackets; Arrow's parser needs a stack for them, and of too many ends the process
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
MOST_LINES = 100  # looked at for the first record
RECORDS = re.compile(rb'\s*(?:\[\s*)?\{\s*(?:"|\}|$)')
TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"')
BLANKS = re.compile(r"\s*")


def is_json(head: bytes) -> bool:
    """Return whether a file that begins so holds records in JSON."""
    if head.startswith(UTF16):
        head = head[: len(head) // 2 * 2].decode("utf-16", "replace").encode()
    return RECORDS.match(head.removeprefix(codecs.BOM_UTF8)) is not None


def record_chunks(stream: pa.NativeFile, path: str) -> Iterator[bytes]:
    """Yield the records of a file, one a line, in chunks of whole lines; lines may be empty.

    Args:
        stream: what is in the file.
        path: its name, for messages.

    Raises:
        BadFileError: for text that is no JSON, or not of records.
        UnicodeDecodeError: for what is no text.

    """
    head = stream.read(CHUNK_BYTES)
    read: Callable[[int], bytes] = stream.read
    if head.startswith(UTF16):
        decode = codecs.getincrementaldecoder("utf-16")().decode
        head, read = decode(head).encode(), lambda n: decode(content := stream.read(n), not content).encode()
    head = head.removeprefix(codecs.BOM_UTF8)
    for lines in (_lines if _is_of_lines(head) else _cut)(head, read, path):
        if not lines.isascii():
            lines.decode()  # Arrow does not look whether text is UTF-8
        _check_depth(lines, path)
        yield lines


def _is_of_lines(head: bytes) -> bool:
    """Return whether the first line is a whole record."""
    lines = head.split(b"\n", MOST_LINES)
    first = next((line for line in map(bytes.strip, lines) if line not in (b"", b"{}")), b"{}")
    try:
        return isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return False


def _lines(head: bytes, read: Callable[[int], bytes], path: str) -> Iterator[bytes]:
    rest = b""
    while head:
        end = head.rfind(b"\n") + 1
        whole, rest = (rest + head[:end], head[end:]) if end else (b"", rest + head)
        if len(rest) > LONGEST:
            raise _too_long(path)
        if whole:
            yield whole
        head = read(CHUNK_BYTES)
    if rest.strip():
        yield rest + b"\n"


def _cut(head: bytes, read: Callable[[int], bytes], path: str) -> Iterator[bytes]:
    """Yield the records of a list, or with line ends in them."""
    decode = codecs.getincrementaldecoder("utf-8")().decode
    parse = json.JSONDecoder().raw_decode
    text, at, n_records, wanted = decode(head), 0, 0, CHUNK_BYTES
    at = BLANKS.match(text, at).end()  # type: ignore[union-attr]
    in_list = text.startswith("[", at)
    at += in_list
    done: list[str] = []
    while True:
        at = BLANKS.match(text, at).end()  # type: ignore[union-attr]
        if in_list and n_records and text.startswith(",", at):
            at = BLANKS.match(text, at + 1).end()  # type: ignore[union-attr]
        reason = "the file ends within it"
        if text.startswith("{", at):
            try:
                _, end = parse(text, at)
            except RecursionError:
                raise _too_deep(path) from None
            except ValueError as error:
                reason = first_line(error).partition(": line")[0]
            else:
                done.append(text[at:end].replace("\n", " ").replace("\r", " "))
                at, n_records = end, n_records + 1
                continue
        elif in_list and text.startswith("]", at):
            if text[at + 1 :].strip() or read(CHUNK_BYTES).strip():
                raise BadFileError(path, "there is more after the end of its list of records; name a file of one list.")
            break
        elif at < len(text):
            shown = text[at : at + 20]
            raise BadFileError(path, f"record {n_records + 1:,} is no JSON object, but begins with {shown!r}.")
        if done:
            yield "\n".join([*done, ""]).encode()
            done = []
        more = read(wanted)
        if not more:
            if in_list or at < len(text):
                raise BadFileError(path, f"record {n_records + 1:,} is no JSON ({reason}); the file may be cut short.")
            break
        text, at = text[at:] + decode(more), 0
        wanted = max(CHUNK_BYTES, len(text))  # a long record is not parsed again and again
        if len(text) > LONGEST:
            raise _too_long(path)
    if done:
        yield "\n".join([*done, ""]).encode()


def _check_depth(lines: bytes, path: str) -> None:
    """Check that no line has too many brackets within brackets."""
    characters = np.frombuffer(lines, np.uint8)
    starts = np.append(0, np.flatnonzero(characters == ord("\n"))[:-1] + 1)
    opens = np.add.reduceat((characters == ord("{")) | (characters == ord("[")), starts, dtype=np.int64)
    for start in starts[opens > DEEPEST].tolist():
        end = lines.index(b"\n", start)
        plain = np.frombuffer(TEXT.sub(b"", lines[start:end]), np.uint8)
        steps: Any = np.isin(plain, list(b"{[")).astype(np.int64) - np.isin(plain, list(b"}]"))
        if steps.cumsum().max(initial=0) > DEEPEST:
            raise _too_deep(path)


def _too_deep(path: str) -> BadFileError:
    return BadFileError(
        path, f"a record has more than {DEEPEST:,} lists and objects within each other; leave them out."
    )


def _too_long(path: str) -> BadFileError:
    return BadFileError(path, f"a record is longer than {LONGEST:,} bytes; write one record a line.")
