"""Queries in place of tables: the rows that pandas finds, to the bit; nothing is written; errors in a sentence."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import zeroloop
from hostile import CASES, FIRST_SEED
from test_kinds import a_table
from zeroloop.cli import app
from zeroloop.errors import CheckpointError, DataError, OptionError, OutputError, ZeroloopError, ZeroloopWarning
from zeroloop.report.provenance import command_of
from zeroloop.tables.sql import files_of


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with two parts of a table as Parquet, and what is known of its towns as CSV; the current one."""
    table = a_table(900).to_pandas()
    (tmp_path / "clicks").mkdir()
    table[:500].to_parquet(tmp_path / "clicks" / "1.parquet", index=False)
    table[500:].to_parquet(tmp_path / "clicks" / "2.parquet", index=False)
    towns = pd.DataFrame({"town": ["Ulm", "Köln"], "size": [126.5, 1_087.0]})
    towns.to_csv(tmp_path / "it's towns.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


JOINED = """-- what towns are like
SELECT c.* EXCLUDE n, "size" AS "size, in 1000", n // 2 AS half FROM 'clicks/*.parquet' c
LEFT JOIN read_csv('it''s towns.csv') USING (town) WHERE n > 1 AND a IS NOT NULL ORDER BY ALL"""


def by_pandas(folder: Path) -> pd.DataFrame:
    clicks = pd.concat([pd.read_parquet(folder / "clicks" / f"{part}.parquet") for part in (1, 2)])
    found = clicks.merge(pd.read_csv(folder / "it's towns.csv"), on="town", how="left")
    found = found[found["n"] > 1].assign(half=found["n"] // 2).rename(columns={"size": "size, in 1000"})
    found = found[["a", "b", "town", "y", "size, in 1000", "half"]]
    return found.sort_values("a", ignore_index=True)  # which no two rows have the same


@pytest.mark.parametrize("how", [{}, {"memory": "40kB"}, {"memory": "300kB", "spill": "none"}])
def test_a_query_gives_the_bits_of_what_pandas_finds(how: dict[str, Any], folder: Path) -> None:
    query, frame = zeroloop.Sql(JOINED), by_pandas(folder)
    found, right = zeroloop.train(query, "y", **how), zeroloop.train(frame, "y")
    assert found.schema == right.schema
    assert found.coef.tobytes() == right.coef.tobytes()
    assert found.held_out == right.held_out
    assert found.predict_proba(query).tobytes() == right.predict_proba(frame).tobytes()
    assert (found.training.sql, found.training.paths, found.training.data) == (JOINED, [], "the query")


def test_every_command_takes_a_query(folder: Path) -> None:
    query = "FROM 'clicks/*.parquet' WHERE n < 8"
    frame = pd.concat([pd.read_parquet(folder / "clicks" / f"{part}.parquet") for part in (1, 2)]).query("n < 8")
    frame.to_parquet("right.parquet", index=False)
    said = {}
    commands = {
        "train": ["train", "--target", "y", "--out", "NAME.json", "--C", "inf", "--json"],
        "predict": ["predict", "NAME.json", "--out", "NAME.csv", "--keep", "town"],
        "evaluate": ["evaluate", "NAME.json", "--json"],
        "path": ["path", "--target", "y", "--n", "3"],
        "summary": ["summary", "NAME.json", "--effects"],
        "report": ["report", "NAME.json", "--out", "NAME.html"],
    }
    for name, table in {"found": ["--sql", query], "right": ["right.parquet"]}.items():
        for command, words in commands.items():
            if name == "found" or command in ("train", "predict", "evaluate"):
                words = [word.replace("NAME", name) for word in words]
                result = CliRunner().invoke(app, [*words, *table], catch_exceptions=False)
                assert result.exit_code == 0, f"{command}\n{result.output}"
                said[name, command] = result.stdout
    assert said["found", "evaluate"] == said["right", "evaluate"]
    assert Path("found.csv").read_bytes() == Path("right.csv").read_bytes()
    assert "--sql" in Path("found.html").read_text()
    for both, message in ((["right.parquet", "--sql", query], "there are files too"), ([], "Name the table")):
        with pytest.raises(OptionError, match=message):
            CliRunner().invoke(app, ["train", *both, "--target", "y"], catch_exceptions=False, standalone_mode=False)


@pytest.mark.parametrize("query", [JOINED, "--x\nFROM 'clicks/*.parquet' -- \"$HOME\" `id` \\"])
def test_the_command_again_and_a_checkpoint_know_the_query(query: str, folder: Path) -> None:
    model = zeroloop.train(zeroloop.Sql(query), "y", out="m.json", checkpoint="kept")
    assert zeroloop.load("m.json").training.sql == query
    command = command_of(model)
    assert command is not None
    result = CliRunner().invoke(app, [*shlex.split(command)[1:], "--out", "again.json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    again = zeroloop.load("again.json")
    assert again.coef.tobytes() == model.coef.tobytes()
    assert again.training.sql == query
    header = Path("kept", "run.json")
    header.write_text(header.read_text().replace('"finished": true', '"finished": false'))
    with pytest.raises(CheckpointError, match="of another run"):
        zeroloop.train(zeroloop.Sql(query.replace("clicks/*", "clicks/1")), "y", checkpoint="kept")


@pytest.mark.parametrize(
    "query",
    [
        "COPY (SELECT 1) TO 'evil.csv'",
        "WITH a AS (COPY (SELECT 1) TO 'evil.csv') SELECT * FROM 'clicks/*.parquet'",
        "SELECT * FROM 'clicks/*.parquet' WHERE n IN (WITH a AS (COPY (SELECT 1) TO 'evil.csv') SELECT 1)",
        "FROM query('COPY (SELECT 1) TO ''evil.csv''')",
        "FROM 'clicks/*.parquet'; COPY (SELECT 1) TO 'evil.csv'",
        "ATTACH 'evil.db'",
        "CREATE TABLE t AS SELECT 1",
        "EXPORT DATABASE 'evil'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET threads = 4",
        "PRAGMA database_list",
        "CALL pragma_version()",
        "WITH a AS (INSERT INTO t VALUES (1) RETURNING 1) FROM a",
        "EXPLAIN ANALYZE SELECT 1",
    ],
)
def test_nothing_but_a_select_is_run(query: str, folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    with pytest.raises(DataError, match=r"^sql: [^\n]*\.$"):
        zeroloop.train(zeroloop.Sql(query), "y")
    assert sorted(folder.rglob("*")) == before


def test_no_variable_is_a_table(folder: Path) -> None:
    frame = pd.read_parquet("clicks/1.parquet")
    assert len(frame)
    with pytest.raises(DataError, match="Table with name frame does not exist"):
        zeroloop.train(zeroloop.Sql("FROM frame"), "y")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT * FRM t", r"^sql: Parser Error: syntax error at or near \"t\" \(line 1, at 't'\)\.$"),
        ("SELECT y,\n  nme\nFROM 'clicks/1.parquet'", r"\"nme\" not found.*\(line 2, at 'nme'\)\.$"),
        ("FROM 'no/*.parquet'", r"No files found that match the pattern \"no/\*\.parquet\"\.$"),
        ("SELECT y, town::INT AS t FROM 'clicks/1.parquet'", r"Could not convert string '.*' to INT32.*\(line 1, at"),
        ("SELECT 1 AS y, 2 AS y", "the column 'y' is there twice; rename one"),
        ("FROM 'clicks/1.parquet' WHERE n > 99", "has no value in any row"),
        ("FROM 'clicks/1.parquet' WHERE n > $1", "Values were not provided for the following parameters"),
        ("FROM 'https://example.invalid/a.parquet'", "httpfs"),
        (";", "there are 0 statements; write one SELECT"),
    ],
)
def test_what_is_wrong_with_a_query_is_said(query: str, message: str, folder: Path) -> None:
    with pytest.raises(DataError, match=message) as caught:
        zeroloop.train(zeroloop.Sql(query), "y")
    assert "\n" not in str(caught.value)


def test_what_is_no_query_is_said() -> None:
    for query in ("", " \n", None, 3):
        with pytest.raises(OptionError, match=r"^sql is .*; it must be a SELECT, such as"):
            zeroloop.Sql(query)  # type: ignore[arg-type]


def test_without_duckdb_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(
        OptionError, match=r"SQL needs duckdb, which is not installed here; get it with `pip install 'z"
    ):
        zeroloop.train(zeroloop.Sql("SELECT 1 AS y"), "y")


def test_no_output_is_a_file_of_the_query(folder: Path) -> None:
    for query in ("FROM 'clicks/1.parquet'", "FROM read_parquet(['clicks/1.parquet'])", 'FROM "clicks/1.parquet"',
                  "FROM (SELECT * FROM 'clicks/2.parquet' WHERE n IN (SELECT n FROM 'clicks/1.parquet'))"):  # fmt: skip
        assert "clicks/1.parquet" in files_of(zeroloop.Sql(query))
        with pytest.raises(OutputError, match="is one of the files that are read"):
            zeroloop.train(zeroloop.Sql(query), "y", out="./clicks/../clicks/1.parquet")
    with pytest.raises(OutputError, match=r"lies where clicks/\*\.parquet is searched for data"):
        zeroloop.train(zeroloop.Sql("FROM 'clicks/*.parquet'"), "y", out="clicks/model.parquet")
    Path("yes").mkdir()
    assert zeroloop.train(zeroloop.Sql("FROM 'clicks/*.parquet' WHERE y IN ('yes', 'no')"), "y", out="yes/m.json")


VALUES = {
    "HUGEINT": "170141183460469231731687303715884105727", "UHUGEINT": "3", "DECIMAL(4, 1)": "1.5",
    "DECIMAL(38, 10)": "2.5", "ENUM('b', 'a')": "'a'", "UUID": "uuid()", "INTERVAL": "INTERVAL 3 DAY", "BLOB": "'x'",
    "TIMESTAMPTZ": "'2021-03-04 10:00:00+02'", "TIMESTAMP_NS": "'2021-03-04'", "TIMESTAMP_S": "'2021-03-04'",
    "TIMESTAMP": "'infinity'", "DATE": "'2021-03-04'", "TIME": "'10:30'", "TIMETZ": "'10:30:00+01'", "BIT": "'101'",
    "INT[]": "[1, 2]", "INT[2]": "[1, 2]", "STRUCT(a INT)": "{'a': 1}", "MAP(INT, DOUBLE)": "MAP {1: 2.5}",
    "UNION(a INT, b VARCHAR)": "'z'", "JSON": "'{}'", "BOOLEAN": "true", "UTINYINT": "7", "FLOAT": "'nan'",
    "DOUBLE": "'inf'", "VARCHAR": "'x'", "VARIANT": "1",
}  # fmt: skip


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + (CASES or 15)))
def test_columns_of_every_type_end_in_a_result_or_a_sentence(seed: int) -> None:
    rng = np.random.default_rng(seed)
    columns = []
    for i, kind in enumerate(rng.choice(list(VALUES), 3, replace=False)):
        value = f"TRY_CAST({VALUES[kind]} AS {kind})"
        other = rng.choice(["NULL", value, f"TRY_CAST(hash(i) % {rng.integers(1, 9)} AS {kind})"])
        columns.append(f"CASE WHEN hash(i, {i}) % 3 = 0 THEN {other} ELSE {value} END AS c{i}")
    query = zeroloop.Sql(f"SELECT hash(i) % 2 AS y, sin(i) AS x, {', '.join(columns)} FROM range(80) t(i)")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ZeroloopWarning)
        with suppress(ZeroloopError):
            model = zeroloop.train(query, str(rng.choice(["y", "c0"], p=[0.8, 0.2])))
            assert np.isfinite(model.predict_proba(query)).all()


def test_times_of_day_with_a_zone_are_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    query = "SELECT hash(i) % 2 AS y, hour(TIMESTAMPTZ '2021-03-04 10:00:00+02' + to_hours(i)) AS h FROM range(9) t(i)"
    found = zeroloop.train(zeroloop.Sql(query), "y", test_fraction=0.0)
    assert found.schema.numeric[0].mean == pytest.approx(np.mean(np.arange(8, 17)))


def test_a_query_is_interrupted_as_anything_else_is(folder: Path) -> None:
    endless = "SELECT sum(a.range * b.range) % 2 AS y, 1 AS x FROM range(10_000_000) a, range(10_000_000) b"
    spill = folder / "spill"
    spill.mkdir()
    command = [sys.executable, "-m", "zeroloop", "train", "--sql", endless, "--target", "y", "--spill", str(spill)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        while running.poll() is None and not list(spill.iterdir()):  # DuckDB's folder: it is about to begin
            time.sleep(0.05)
        time.sleep(0.5)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=60)
    assert (running.returncode, b"Interrupted" in said) == (130, True), said
    assert list(spill.iterdir()) == []
