"""A query instead of a table: DuckDB runs it once, its result is kept like what comes through a pipe.

DuckDB runs on one thread, so that rows come in one order, and only reads: a query is one SELECT, which writes nothing,
installs nothing and sees no variables of Python's.
"""

from __future__ import annotations

import glob
import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from zeroloop.errors import DataError, OptionError, extra
from zeroloop.tables.files import File
from zeroloop.tables.kept import Keep

READS = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}
"""DuckDB's names for what reads; a common table expression may also write."""

ONLY = "write a SELECT, which is all that is run."
SETTINGS = ("SET TimeZone = 'UTC'", "SET preserve_insertion_order = true", "SET lock_configuration = true")
LEAST_MEMORY = 2**28  # bytes that DuckDB may take, however little a run may
BATCH_ROWS = 2**16
SHOWN = 30  # characters of a query, from where it is wrong
PLACE = re.compile(r"\n+LINE (\d+): (.*)\n([^\n]*?)\^+.*\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Sql:
    """A query in place of a table: joins and filters in front of a fit, run by DuckDB (`pip install 'zeroloop[sql]'`).

    It is run once each time that a table is opened, its files are inputs, and its times of day with a time zone are
    taken in UTC.

    Args:
        query: one SELECT, as DuckDB has it; files are tables: `FROM 'clicks/*.parquet'`.

    Raises:
        OptionError: for what is no text.

    Examples:
        >>> late = Sql("SELECT * EXCLUDE year FROM 'flights.parquet' WHERE origin = 'JFK'")
        >>> model = zeroloop.train(late, target="late")  # doctest: +SKIP

    """

    query: str

    def __post_init__(self) -> None:
        if not isinstance(self.query, str) or not self.query.strip():
            raise OptionError(f"sql is {self.query!r}; it must be a SELECT, such as SELECT * FROM 'clicks/*.parquet'.")


def result_of(sql: Sql, keep: Keep | None) -> File:
    """Return the file that stands for a query's result, to be made when it is opened.

    Raises:
        DataError: for a query that is wrong, or is no SELECT.
        OptionError: where DuckDB is not installed.

    """
    with _connected(None) as connection:
        _checked(connection, sql.query)
    fetch = partial(_fetch, sql.query, keep)
    return File(path="the query", place="query", filesystem=None, size=0, modified=None, fetch=fetch)


def files_of(sql: Sql) -> list[str]:
    """Return the paths and globs of files that a query names, as far as its text has them as they are."""
    with _connected(None) as connection:
        tree = _checked(connection, sql.query)
    found: dict[str, None] = {}
    for node in _nodes(tree):
        if node.get("type") == "BASE_TABLE":
            found[str(node.get("table_name"))] = None
        elif node.get("type") == "TABLE_FUNCTION":
            texts = (value for one in _nodes(node) for value in one.values() if isinstance(value, str))
            found |= dict.fromkeys(texts)
    return [text for text in found if _is_local(text)]


def _is_local(text: str) -> bool:
    try:
        return Path(text).is_file() or (glob.has_magic(text) and bool(glob.glob(text, recursive=True)))
    except (OSError, ValueError):
        return False


@contextmanager
def _connected(keep: Keep | None) -> Iterator[Any]:
    """Open DuckDB, and say in a sentence what goes wrong with it."""
    with extra("SQL", "sql", "duckdb"):
        import duckdb
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": 1,
        "autoinstall_known_extensions": "false",
        "python_enable_replacements": "false",
        "temp_directory": "",
    }
    try:
        with tempfile.TemporaryDirectory(dir=None if keep is None else keep.folder) as folder:
            if keep is not None:
                config["memory_limit"] = f"{max(keep.most, LEAST_MEMORY)}B"
                config["temp_directory"] = folder if keep.folder is not None else ""
            with closing(duckdb.connect(config=config)) as connection:
                yield connection
    except OSError as error:
        raise DataError(f"sql: no temporary folder can be made ({error.strerror}); name another spill.") from error
    except (duckdb.Error, pa.ArrowException, RuntimeError) as error:
        if "interrupted" in str(error).lower():  # by Ctrl-C, or another signal
            raise KeyboardInterrupt from error
        raise DataError(f"sql: {_in_words(str(error))}") from error


def _checked(connection: Any, query: str) -> Any:
    """Return the tree of a query, as DuckDB's parser has it, once it is known that it only reads."""
    import duckdb

    statements = connection.extract_statements(query)
    if len(statements) != 1:
        raise DataError(f"sql: there are {len(statements):,} statements; write one SELECT.")
    kind = statements[0].type
    if kind != duckdb.StatementType.SELECT:
        raise DataError(f"sql: is a statement of the kind {kind.name}; {ONLY}")
    (text,) = connection.execute("SELECT json_serialize_sql(?)", [query]).fetchone()
    tree = json.loads(text)
    if tree.get("error"):
        raise DataError(f"sql: {_in_words(tree['error_message'])}")
    kinds = {str(node.get("type")) for node in _nodes(tree)}
    writes = sorted(kind for kind in kinds if kind.endswith("_NODE") and kind not in READS)
    if writes:
        raise DataError(f"sql: does more than read ({writes[0].split('_')[0]}); {ONLY}")
    return tree


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for one in tree:
            yield from _nodes(one)


def _fetch(query: str, keep: Keep | None, sink: IO[bytes]) -> None:
    with _connected(keep) as connection:
        import duckdb

        _checked(connection, query)
        for setting in SETTINGS:
            connection.execute(setting)
        try:
            result = connection.sql(query)
        except duckdb.Error:
            connection.execute(query)  # fails likewise, and says where
            raise
        read = "to_arrow_reader" if hasattr(result, "to_arrow_reader") else "fetch_arrow_reader"  # as it was before 1.5
        reader = getattr(result, read)(BATCH_ROWS)
        with pa.ipc.new_stream(sink, reader.schema) as writer:
            for batch in reader:
                writer.write_batch(batch)


def _in_words(text: str) -> str:
    """Return what DuckDB says as one sentence, with the place in the query."""
    place = PLACE.search(text)
    if place is None:
        said = " ".join(text.split())
        return said if said.endswith((".", "?")) else said + "."
    line, shown, before = place.groups()
    at = shown[max(0, len(before) - len(f"LINE {line}: ")) :][:SHOWN]
    return f"{' '.join(text[: place.start()].split())} (line {line}, at {at.strip()!r})."
