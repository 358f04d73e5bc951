"""Columns that the folders of a hive-partitioned table make: `year=2024/country=de/part.parquet`."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import takewhile
from urllib.parse import unquote

import pyarrow as pa

from zeroloop.tables.files import File, Key

NO_PARTITION = "__HIVE_DEFAULT_PARTITION__"  # Hive's word for a missing key
FOLDER = re.compile(r"([^=]+)=(.*)", re.DOTALL)


def keys_of(folders: Sequence[str]) -> tuple[Key, ...]:
    """Return the keys that the names of folders make."""
    found = [match for match in map(FOLDER.fullmatch, folders) if match is not None]
    return tuple((match[1], None if match[2] == NO_PARTITION else unquote(match[2])) for match in found)


def outer_keys(folders: Sequence[str]) -> tuple[Key, ...]:
    """Return the keys of the last folders on a way, up to the first that is none."""
    return keys_of([*takewhile(FOLDER.fullmatch, reversed(folders))][::-1])


def partitioned(files: Sequence[File], text: Collection[str]) -> tuple[list[pa.Field], list[File]]:
    """Return the columns that hive keys make, and the files, each with a value for every one of them.

    Keys are whole numbers where all values are, else text, and so are those of the names in `text`.
    """
    names = list(dict.fromkeys(name for file in files for name, _ in file.keys))
    if not names:
        return [], list(files)
    complete = [replace(file, keys=tuple((name, dict(file.keys).get(name)) for name in names)) for file in files]
    fields = []
    for name in names:
        values = [dict(file.keys)[name] for file in complete]
        whole = all(value is None or value.removeprefix("-").isdecimal() for value in values)
        number = whole and any(values) and name not in text
        fields.append(pa.field(name, pa.int64() if number else pa.string()))
    return fields, complete
