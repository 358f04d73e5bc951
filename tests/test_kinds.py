"""Kinds of file: one table, however it is written, gives the same bits as its Parquet; what cannot be read is named."""

from __future__ import annotations

import bz2
import decimal
import gzip
import io
import json
import lzma
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import fastavro
import hypothesis
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.orc as orc
import pyarrow.parquet as pq
import pytest
from hypothesis import strategies as st
from sklearn.datasets import dump_svmlight_file

import zeroloop
from zeroloop.errors import DataError, OptionError, OutputError
from zeroloop.model import Model
from zeroloop.tables import json_records
from zeroloop.tables.expected import Expected
from zeroloop.tables.read import open_table

ROWS = 1_500


def a_table(rows: int = ROWS, seed: int = 0) -> pa.Table:
    """Return numbers of many digits and few, whole ones, levels, gaps, and what is to be predicted."""
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal(rows), np.round(rng.normal(30, 8, rows), 1)
    y = rng.random(rows) < 1 / (1 + np.exp(-a))
    return pa.table(
        {
            "a": a,
            "b": pa.array(b, mask=rng.random(rows) < 0.05),
            "n": rng.integers(0, 9, rows),
            "town": pa.array(rng.choice(["Ulm", "Köln", 'Kiel, "Nord"'], rows), mask=rng.random(rows) < 0.05),
            "y": np.where(y, "yes", "no"),
        }
    )


def as_csv(table: pa.Table) -> bytes:
    content = pa.BufferOutputStream()
    pacsv.write_csv(table, content)
    return content.getvalue().to_pybytes()  # type: ignore[no-any-return]


def by_arrow(codec: str) -> Callable[[bytes], bytes]:
    def pack(content: bytes) -> bytes:
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, codec) as stream:
            stream.write(content)
        return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]

    return pack


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, text in members:
            archive.writestr(name, text)
    return content.getvalue()


def in_zip(content: bytes) -> bytes:
    return zipped(("__MACOSX/._table.csv", b"\0"), ("of/", b""), ("of/table.csv", content), ("readme.html", b"<html>"))


PACKED: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": by_arrow("zstd"),
    ".lz4": by_arrow("lz4"),
    ".zip": in_zip,
}


def in_two(pack: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """Return what packs in two pieces, one after the other, as parallel packers and `cat` do."""
    return lambda content: pack(content[: len(content) // 3]) + pack(content[len(content) // 3 :])


def check_same(data: str | Path | Sequence[str | Path], table: pa.Table, **options: object) -> Model:
    """Check that a table as it is written gives the bits that it gives in memory, at training and at prediction."""
    how: dict[str, object] = {"test_fraction": 0.25, **options}
    found, right = zeroloop.train(data, "y", **how), zeroloop.train(table, "y", **how)  # type: ignore[arg-type]
    assert found.schema == right.schema
    assert found.coef.tobytes() == right.coef.tobytes()
    assert found.held_out == right.held_out
    assert found.predict_proba(data).tobytes() == right.predict_proba(table).tobytes()
    return found


@pytest.mark.parametrize("ending", [*PACKED, *(f"{one} in two pieces" for one in PACKED if one != ".zip")])
def test_packed_tables_are_read_as_what_is_in_them(ending: str, tmp_path: Path) -> None:
    table, (ending, *pieces) = a_table(), ending.split(" ", 1)
    pack = in_two(PACKED[ending]) if pieces else PACKED[ending]
    path = tmp_path / f"table.csv{ending}"
    path.write_bytes(pack(as_csv(table)))
    check_same(path, table)
    check_same(tmp_path, table)
    renamed = path.rename(tmp_path / "table.of-unknown-kind")  # known by its first bytes
    check_same(renamed, table, memory="10kB", spill="none")


@pytest.mark.parametrize("ending", PACKED)
def test_packed_libsvm_files(ending: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((400, 5)), rng.integers(0, 2, 400)
    plain = tmp_path / "table.svm"
    dump_svmlight_file(X, y, str(plain))
    pack = PACKED[ending] if ending != ".zip" else lambda content: zipped(("table.svm", content))
    packed = tmp_path / f"packed.svm{ending}"
    packed.write_bytes(pack(plain.read_bytes()))
    assert zeroloop.train(packed, "label").coef.tobytes() == zeroloop.train(plain, "label").coef.tobytes()


@pytest.mark.parametrize("ending", PACKED)
def test_packed_tables_that_are_cut_short_are_named(ending: str, tmp_path: Path) -> None:
    content = PACKED[ending](as_csv(a_table(20_000)))
    path = tmp_path / f"table.csv{ending}"
    for end in (20, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:end])
        with pytest.raises(DataError, match="damaged or cut short") as caught:
            zeroloop.train(path, "y")
        assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (zipped(("a.csv", b"y,x\n"), ("b.csv", b"y,x\n"), ("c.txt", b"")), r"holds 2 files \(a\.csv, b\.csv\)"),
        (zipped(*((f"{i}.dat", b"y,x\n") for i in range(9))), r"holds 9 files \(0\.dat, .*4\.dat, \.\.\.\)"),
        (zipped(), "holds no file"),
        (zipped(("t.csv.gz", gzip.compress(b"y,x\n1,2\n"))), "packed again by zip; unpack it once"),
    ],
    ids=["two", "nine", "none", "twice"],
)
def test_archives_without_one_table_are_named(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "t.zip"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        zeroloop.train(path, "y")


def test_a_member_without_a_name_is_no_table(tmp_path: Path) -> None:
    table = b"y,x\n" + b"".join(b"%d,%d\n" % (i % 2, i % 7) for i in range(60))
    (tmp_path / "plain.zip").write_bytes(zipped(("t.csv", table)))
    nameless = zipped(("Qname", b"not a table"), ("t.csv", table)).replace(b"Qname", b"\0name")  # ends before its first
    (tmp_path / "nameless.zip").write_bytes(nameless)
    plain, found = (zeroloop.train(tmp_path / f"{name}.zip", "y") for name in ("plain", "nameless"))
    assert np.array_equal(plain.coef, found.coef)


def test_a_locked_archive_is_named(tmp_path: Path) -> None:
    content = bytearray(zipped(("t.csv", b"y,x\n1,2\n")))
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the flag that says so, in both places
        content[content.index(signature) + at] |= 1
    path = tmp_path / "t.zip"
    path.write_bytes(content)
    with pytest.raises(DataError, match="locked by a password"):
        zeroloop.train(path, "y")


def test_parquet_is_not_packed(tmp_path: Path) -> None:
    pq.write_table(a_table(), tmp_path / "t.parquet")
    packed = tmp_path / "t.parquet.gz"
    packed.write_bytes(gzip.compress((tmp_path / "t.parquet").read_bytes()))
    with pytest.raises(DataError, match="holds Parquet, packed by gzip; unpack it"):
        zeroloop.train(packed, "y")


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (b"7z\xbc\xaf\x27\x1c\0\4", "a 7z archive"),
        (b"SQLite format 3\0", "an SQLite database, which is not read; export"),
        (b"train.csv".ljust(257, b"\0") + b"ustar\x0000", "a tar archive"),
        (gzip.compress(b"train.csv".ljust(257, b"\0") + b"ustar  \0"), "a tar archive"),
        (gzip.compress(b"RDX3\nX\n\0\0\0\3"), "R's own format"),
        (b"%PDF-1.7\n", "a PDF"),
        (b"\n<!DOCTYPE HTML><table>", "a web page"),
        (b'\xef\xbb\xbf<?xml version="1.0"?>', "XML"),
        (b"\x89HDF\r\n\x1a\n\0\0", "an HDF5 file"),
    ],
    ids=["7z", "sqlite", "tar", "tar.gz", "rdata", "pdf", "html", "xml", "hdf5"],
)
def test_other_files_are_named_with_what_to_do(head: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(head if head.startswith(b"\x1f\x8b") else head + b"\n1,2\n" * 200)
    with pytest.raises(DataError, match=message):
        zeroloop.train(path, "y")


def written(folder: Path, **files: bytes) -> Path:
    """Write files into a folder, `__` in a name being a point."""
    for name, content in files.items():
        path = folder / name.replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def as_parquet(table: pa.Table) -> bytes:
    content = io.BytesIO()
    pq.write_table(table, content)
    return content.getvalue()


def test_a_folder_with_one_table_several_times_is_refused(tmp_path: Path) -> None:
    table = a_table()
    text = as_csv(table)
    written(tmp_path / "data", t__csv=text, t__csv__gz=gzip.compress(text), t__parquet=as_parquet(table))
    (tmp_path / "data" / "_SUCCESS").write_bytes(b"")
    with pytest.raises(DataError, match=r"1 \.csv, 1 \.csv\.gz, 1 \.parquet.*'.*/data/\*\*/\*\.csv'"):
        zeroloop.train(tmp_path / "data", "y")
    for ending in ("csv", "csv.gz", "parquet"):
        check_same(f"{tmp_path}/data/**/*.{ending}", table)
    assert zeroloop.train(f"{tmp_path}/data/t.*", "y").training.rows_read == 3 * ROWS
    assert zeroloop.train(f"{tmp_path}/data/t.*", "y").training.data.endswith("/data/t.* (3 files)")


def test_other_endings_of_one_kind_are_one_kind(tmp_path: Path) -> None:
    table = a_table()
    written(tmp_path, a__parquet=as_parquet(table.slice(0, 700)), b__pq=as_parquet(table.slice(700)))
    assert check_same(tmp_path, table).training.data == f"{tmp_path} (2 files)"


def test_a_file_that_is_named_twice_is_said(tmp_path: Path) -> None:
    written(tmp_path, t__csv=as_csv(a_table()))
    with pytest.warns(zeroloop.ZeroloopWarning, match=r"t\.csv: is named more than once, and so read"):
        assert zeroloop.train([tmp_path, tmp_path / "t.csv"], "y").training.rows_read == 2 * ROWS


NOTHING = pa.schema(
    [("a", pa.float64()), ("b", pa.float64()), ("n", pa.int64()), ("town", pa.string()), ("y", pa.string())]
)


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet"])
def test_parts_without_rows_are_none(ending: str, tmp_path: Path) -> None:
    table = a_table()
    header = b'"a","b","n","town","y"\n'
    write = {"csv": as_csv, "csv.gz": lambda t: gzip.compress(as_csv(t)), "parquet": as_parquet}[ending]
    empty = {"csv": header, "csv.gz": gzip.compress(header), "parquet": as_parquet(NOTHING.empty_table())}[ending]
    parts = [empty, write(table.slice(0, 600)), empty, write(table.slice(600)), empty]
    names = [f"part-{i:05}-4c1d.c000.{ending}" for i in range(5)]
    for name, content in zip(names, parts, strict=True):
        (tmp_path / name).write_bytes(content)
        (tmp_path / f".{name}.crc").write_bytes(b"crc\0")
    (tmp_path / "_SUCCESS").write_bytes(b"")
    if ending == "csv.gz":  # as Spark leaves a part without header and rows
        (tmp_path / "part-00009-4c1d.c000.csv.gz").write_bytes(gzip.compress(b""))
    if ending == "csv":
        (tmp_path / "part-00009-4c1d.c000.csv").write_bytes(b"")
    check_same(tmp_path, table)
    check_same(tmp_path, table, memory="10kB", spill="none")
    check_same(f"{tmp_path}/part-*", table)
    for name, content in zip(names, parts, strict=True):
        if content is not empty:
            (tmp_path / name).unlink()
    with pytest.raises(DataError, match=r"no rows|the file is empty|no value in any row"):
        zeroloop.train(tmp_path, "y")


def test_a_file_that_lost_its_rows_is_none_of_these(tmp_path: Path) -> None:
    written(tmp_path, a__csv=as_csv(a_table()), b__csv=b"")
    with pytest.raises(DataError, match=r"b\.csv: the file is empty"):
        zeroloop.train(tmp_path, "y")


HIVE = ["hive", "hive/", "hive/g=*/*.parquet", "hive/*/*.parquet", "hive/**/*.parquet"]
LISTS = [["hive/g=1/p.parquet", "hive/g=2/p.parquet"], ["hive/g=1", "hive/g=2/"], ["hive/g=1/*", "./hive/g=2/p.*"]]


@pytest.mark.parametrize("given", [*HIVE, *LISTS], ids=str)
def test_keys_of_folders_are_kept_however_they_are_named(
    given: str | list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = a_table().append_column("g", pa.array([1] * 800 + [2] * 700))
    for g, part in ((1, table.slice(0, 800)), (2, table.slice(800))):
        written(tmp_path / "runs" / "seed=7" / "x" / "hive" / f"g={g}", p__parquet=as_parquet(part.drop_columns(["g"])))
    monkeypatch.chdir(tmp_path / "runs" / "seed=7" / "x")
    model = check_same(given, table)
    assert "g" in model.schema.features
    one = model.predict_proba("hive/g=2/p.parquet")  # one value is enough where the model is
    assert one.tobytes() == model.predict_proba(table.slice(800)).tobytes()
    absolute = [str(tmp_path / "runs" / "seed=7" / "x" / one) for one in ([given] if isinstance(given, str) else given)]
    assert zeroloop.train(absolute, "y", test_fraction=0.25).coef.tobytes() == model.coef.tobytes()


def test_a_column_goes_before_the_name_of_a_folder_above(tmp_path: Path) -> None:
    written(tmp_path / "n=3", t__parquet=as_parquet(a_table()))
    check_same(tmp_path / "n=3" / "t.parquet", a_table())
    check_same(tmp_path / "n=3", a_table())


LOGS: dict[str, tuple[str, str, str]] = {
    "delta": ("_delta_log/00000000000000000000.json", "p.parquet", "is a Delta table"),
    "delta, partitioned": ("_delta_log/00000000000000000000.json", "g=1/p.parquet", "is a Delta table"),
    "iceberg": ("metadata/v3.metadata.json", "data/g=1/p.parquet", "is an Iceberg table"),
    "hudi": (".hoodie/hoodie.properties", "2024/05/p.parquet", "is a Hudi table"),
    "stream": ("_spark_metadata/0", "p.parquet", "is written by a Spark stream"),
}


@pytest.mark.parametrize("kind", LOGS)
def test_folders_with_a_log_are_not_read_file_by_file(kind: str, tmp_path: Path) -> None:
    log, part, message = LOGS[kind]
    root = tmp_path / "t"
    written(root, **{log: b"{}"})
    written(root, **{part: as_parquet(a_table())})
    for given in (
        root,
        root / part,
        (root / part).parent,
        f"{root}/**/*.parquet",
        [root / part],
        tmp_path,
        f"file://{root}",
    ):
        # A Delta table by itself goes to deltalake, where it is installed.
        with pytest.raises(DataError, match=rf"/t: ({message}, whose log says which|deltalake cannot read)"):
            zeroloop.train(given, "y")


def test_other_folders_called_metadata_are_no_log(tmp_path: Path) -> None:
    written(tmp_path / "metadata", notes__metadata__json=b"{}")
    written(tmp_path / "tables", t__parquet=as_parquet(a_table()))
    check_same(tmp_path / "tables", a_table())


def test_delta_tables_are_read_by_their_log(tmp_path: Path) -> None:
    deltalake = pytest.importorskip("deltalake")
    table = a_table().append_column("g", pa.array(["01"] * 800 + ["02"] * 700))
    folder = str(tmp_path / "t")
    deltalake.write_deltalake(folder, table, partition_by=["g"])
    deltalake.DeltaTable(folder).delete("n < 4")
    rows = pa.table(deltalake.DeltaTable(folder).to_pyarrow_dataset().to_table())
    assert 0 < len(rows) < ROWS
    for given in (folder, folder + "/", f"file://{folder}"):
        model = check_same(given, rows)
        assert model.training.rows_read == len(rows)
        assert "g" in [column.name for column in model.schema.categorical]
    with pytest.raises(DataError, match=r"is a Delta table, .* name that folder by itself where"):
        zeroloop.train(f"{folder}/*/*.parquet", "y")
    unread = deltalake.DeltaTable.create(
        str(tmp_path / "marked"),
        deltalake.DeltaTable(folder).schema(),
        configuration={"delta.columnMapping.mode": "name"},
    )
    with pytest.raises(DataError, match="deltalake cannot read this Delta table"):
        zeroloop.train(unread.table_uri, "y")


def as_lines(table: pa.Table, **how: object) -> bytes:
    return "".join(json.dumps(row, **how) + "\n" for row in table.to_pylist()).encode()  # type: ignore[arg-type]


JSON: dict[str, Callable[[pa.Table], bytes]] = {
    "lines": as_lines,
    "lines of UTF-8": lambda table: b"\xef\xbb\xbf" + as_lines(table, ensure_ascii=False),
    "lines without what is missing": lambda table: "\r\n".join(
        json.dumps({name: value for name, value in row.items() if value is not None}) for row in table.to_pylist()
    ).encode(),
    "lines of UTF-16": lambda table: as_lines(table, ensure_ascii=False).decode().encode("utf-16"),
    "a list": lambda table: json.dumps(table.to_pylist()).encode(),
    "a list, a record a line": lambda table: b"[\n" + as_lines(table).strip().replace(b"\n", b"\n,") + b"\n]\n",
    "a list in pretty print": lambda table: json.dumps(table.to_pylist(), indent=2).encode(),
    "pretty print": lambda table: "".join(json.dumps(row, indent=1) + "\n" for row in table.to_pylist()).encode(),
    "of pandas": lambda table: table.to_pandas().to_json(orient="records", double_precision=15).encode(),
    "of polars": lambda table: pl.from_arrow(table).write_ndjson().encode(),
}


@pytest.mark.parametrize("how", JSON)
def test_records_in_json(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = a_table()
    if how == "of pandas":  # which writes 15 digits
        table = table.set_column(0, "a", pa.array(np.round(table["a"].to_numpy(), 9)))
    monkeypatch.setattr(json_records, "CHUNK_BYTES", 5_000)
    path = tmp_path / "t.json"
    path.write_bytes(JSON[how](table))
    check_same(path, table)
    check_same(tmp_path, table, memory="10kB", spill="none")
    (tmp_path / "t.jsonl.zst").write_bytes(by_arrow("zstd")(path.read_bytes()))
    check_same(tmp_path / "t.jsonl.zst", table)
    check_same(path.rename(tmp_path / "unnamed"), table)


@hypothesis.given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["n", "x", "s", "b", "d", "l"]) | st.text(max_size=3),
            st.none() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
            | st.text(max_size=5) | st.booleans() | st.just("2024-05-01")
            | st.lists(st.integers(), max_size=2) | st.just({"k": {}}),
            max_size=5,
        ),
        min_size=1, max_size=40,
    ),
    st.integers(20, 300), st.sampled_from([None, 1]), st.booleans(),
)  # fmt: skip
def test_any_records_are_read_as_python_reads_them(
    records: list[dict[str, object]], chunk: int, indent: int | None, in_list: bool
) -> None:
    text = (
        json.dumps(records, indent=indent) if in_list else "\n".join(json.dumps(one, indent=indent) for one in records)
    )
    kinds: dict[str, set[type]] = {}
    for one in records:
        for name, value in one.items():
            kind = float if type(value) is int else list if type(value) is dict else type(value)
            kinds.setdefault(name, set()).update({kind} - {type(None)})
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_records, "CHUNK_BYTES", chunk)
        path = Path(folder, "t.json")
        path.write_text(text)
        if not kinds or (len(records) == 1 and all(found == {list} for found in kinds.values())):
            with pytest.raises(DataError, match=r"no records|records are empty|one JSON object"):
                open_table(path)
            return
        table = open_table(path)
        assert set(table.schema.names) == set(kinds)
        for name, found in kinds.items():
            values = [one.get(name) for one in records]
            if len(found) > 1:
                with pytest.raises(DataError, match=r"holds .*, and .* in row \d+; make it|not all of one type"):
                    list(table.batches([name]))
                as_levels = open_table(path, Expected(levels=frozenset([name])))
                read = [v for batch in as_levels.batches([name]) for v in batch.rows[name].to_pylist()]
                assert [v is None for v in read] == [v is None for v in values]
                assert all(r == v for r, v in zip(read, values, strict=True) if isinstance(v, str))
            elif found <= {float, str, bool}:
                read = [v for batch in table.batches([name]) for v in batch.rows[name].to_pylist()]
                assert read == [float(v) if type(v) is int and float in map(type, read) else v for v in values]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"y": 1, "x": 2}\n{"y": 0, "x": 3\n', r"row 2 is no JSON \(.*\): '\{\"y\": 0, \"x\": 3'"),
        ('{"y": 1, "x": 2}\n[1, 2]\n', r"row 2 is no JSON object, but '\[1, 2\]'"),
        ('{"y": 1, "x": 2}\n{"y": 0, "x": "n/a"}\n', "column 'x' holds numbers, and 'n/a' in row 2; make it one kind"),
        ('{"y": 1, "x": "a"}\n{"y": 0, "x": 7.50}\n', "column 'x' holds text, and '7.50' in row 2; make it one kind"),
        ('{"y": 1, "x": 1, "x": 2}\n', r"row 1 cannot be read as JSON \(Column\(/x\) was specified twice\)"),
        ('{"y": 1, "x": 1}\n{"y": 1, "x": 1e999}\n', r"row 2 cannot be read as JSON \(Number too big"),
        ('[{"y": 1}, {"y": 0}', "record 3 is no JSON .*the file may be cut short"),
        ('[{"y": 1}, {"y": }]', "record 2 is no JSON"),
        ('[{"y": 1}, 7]', "record 2 is no JSON object, but begins with '7]'"),
        ('[{"y": 1}]\n[{"y": 1}]', "more after the end of its list"),
        ('{"y": {"0": 1, "1": 0}, "x": {"0": 5, "1": 6}}', "holds one JSON object of lists or objects"),
        ('{"data": [[1, 2]]}', "holds one JSON object of lists or objects; expected records"),
        ('"text"', "no records in JSON"),
        ("[]", "no records in JSON"),
        ('{"y": "\udcff"}', "text in it is no UTF-8"),
        ("{}\n{}\n", "its records are empty"),
        ('{"x": ' + "[" * 100_000 + "]" * 100_000 + "}\n", "more than 1,000 lists and objects within each other"),
        ('[{"x": ' + '{"x": ' * 100_000 + "1" + "}" * 100_000 + "}]\n", "more than 1,000 lists and objects within"),
    ],
    ids=range(18),
)  # fmt: skip
def test_what_is_no_json_is_named(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(DataError, match=message) as caught:
        zeroloop.train(path, "y")
    assert str(caught.value).startswith(f"{path}: ")


def test_parts_of_json_may_lack_columns(tmp_path: Path) -> None:
    table = a_table().set_column(1, "b", pa.array([None] * 500 + [1.5, 2.0] * 500))
    for i in range(3):
        rows = [{k: v for k, v in row.items() if v is not None} for row in table.slice(i * 500, 500).to_pylist()]
        (tmp_path / f"part-0000{i}-c000.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    check_same(f"{tmp_path}/part-0000[12]*", table.slice(500))
    order = ["a", "n", "town", "y", "b"]  # as columns are first met
    check_same(tmp_path, table.select(order))


def test_json_beside_other_data_is_about_them(tmp_path: Path) -> None:
    table = a_table()
    written(tmp_path, t__csv=as_csv(table), info__json=b'{"rows": 1500}')
    check_same(tmp_path, table, out=tmp_path / "model.json")
    written(tmp_path / "lines", t__json=as_lines(table))
    with pytest.raises(OutputError, match="would be read as such the next time"):
        zeroloop.train(tmp_path / "lines", "y", out=tmp_path / "lines" / "model.json")


def as_avro(table: pa.Table, codec: str = "deflate", **kinds: object) -> bytes:
    names = {"double": "double", "int64": "long", "string": "string"}
    fields = [
        {"name": one.name, "type": kinds.get(one.name, ["null", names.get(str(one.type))])} for one in table.schema
    ]
    content = io.BytesIO()
    schema = {"type": "record", "name": "row", "fields": fields}
    fastavro.writer(content, schema, table.to_pylist(), codec=codec, sync_interval=4_000)
    return content.getvalue()


def as_orc(table: pa.Table, **how: object) -> bytes:
    content = io.BytesIO()
    orc.write_table(table, content, **how)
    return content.getvalue()


@pytest.mark.parametrize("kind", ["orc", "avro"])
def test_columnar_files_and_rows_of_records(kind: str, tmp_path: Path) -> None:
    table = a_table(30_000)
    of_stripes = partial(as_orc, stripe_size=100_000, batch_size=500)
    write: Callable[[pa.Table], bytes] = of_stripes if kind == "orc" else as_avro
    path = tmp_path / "one" / f"t.{kind}"
    path.parent.mkdir()
    path.write_bytes(write(table))
    check_same(path, table)
    check_same(path.parent, table, memory="10kB", spill="none")
    for i in range(3):
        (tmp_path / f"part-{i}.{kind}").write_bytes(write(table.slice(i * 9_000, 9_000 if i else 0)))
    check_same(f"{tmp_path}/part*", table.slice(9_000, 18_000))
    packed = tmp_path / f"t.{kind}.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(DataError, match=rf"(?i)it holds {kind}, packed by gzip; unpack it"):
        zeroloop.train(packed, "y")


def test_names_with_points_in_orc(tmp_path: Path) -> None:
    table = a_table().append_column("a.k", pa.array(np.arange(ROWS) % 7.5))
    nested = table.append_column("b.k", table["n"]).set_column(1, "b", pa.array([{"k": i} for i in range(ROWS)]))
    (tmp_path / "t.orc").write_bytes(as_orc(nested))
    with pytest.warns(zeroloop.ZeroloopWarning, match="left out"):
        found = zeroloop.train(tmp_path / "t.orc", "y")
    right = zeroloop.train(nested.drop_columns(["b"]), "y")
    assert found.coef.tobytes() == right.coef.tobytes()


def test_hive_files_with_transactions_are_refused(tmp_path: Path) -> None:
    names = ["operation", "originalTransaction", "bucket", "rowId", "currentTransaction"]
    table = pa.table({name: pa.array([0, 0], pa.int64()) for name in names} | {"row": [{"y": 1}, {"y": 0}]})
    (tmp_path / "bucket_00000.orc").write_bytes(as_orc(table))
    with pytest.raises(DataError, match="a file of a Hive table with transactions"):
        zeroloop.train(tmp_path, "y")


def test_types_of_avro(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    size = rng.integers(0, 3, 300)
    when = np.datetime64("2024-01-01", "us") + rng.integers(0, 10**13, 300).astype("m8[us]")
    table = pa.table(
        {
            "whole": rng.integers(0, 99, 300), "mixed": rng.integers(0, 9, 300) / 2.0,
            "size": pa.DictionaryArray.from_arrays(pa.array(size), ["S", "M", "L"]),
            "day": when.astype("M8[D]"), "when": pa.array(when, pa.timestamp("us", "UTC")),
            "price": pa.array([decimal.Decimal(int(v)) / 100 for v in rng.integers(0, 999, 300)], pa.decimal128(9, 2)),
            "flag": rng.random(300) < 0.5, "y": rng.choice(["a", "b"], 300),
        }
    )  # fmt: skip
    kinds: dict[str, Any] = {
        "whole": "int", "mixed": ["int", "double"], "day": {"type": "int", "logicalType": "date"},
        "size": {"type": "enum", "name": "Size", "symbols": ["S", "M", "L"]},
        "when": {"type": "long", "logicalType": "timestamp-micros"},
        "price": ["null", {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}], "flag": "boolean",
    }  # fmt: skip
    (tmp_path / "t.avro").write_bytes(as_avro(table, **kinds))
    model = check_same(tmp_path / "t.avro", table)
    assert {column.name: column.levels for column in model.schema.categorical}["size"] == ("S", "M", "L")


def test_avro_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "t.avro").write_bytes(as_avro(a_table()))
    monkeypatch.setitem(sys.modules, "fastavro", None)
    with pytest.raises(OptionError, match=r"An Avro file needs fastavro, .* `pip install 'zeroloop\[avro\]'`"):
        zeroloop.train(tmp_path, "y")


def test_avro_of_other_than_rows(tmp_path: Path) -> None:
    content = io.BytesIO()
    fastavro.writer(content, "long", [1, 2, 3])
    (tmp_path / "t.avro").write_bytes(content.getvalue())
    with pytest.raises(DataError, match="its values are no records"):
        zeroloop.train(tmp_path, "y")
    table = a_table().append_column("l", pa.array([[1]] * ROWS))
    (tmp_path / "t.avro").write_bytes(as_avro(table, l={"type": "array", "items": "int"}))
    with pytest.raises(DataError, match="column 'l' holds lists, records or values of several kinds; drop it"):
        zeroloop.train(tmp_path, "y", categorical=["l"])
    with pytest.warns(zeroloop.ZeroloopWarning, match="left out"):
        assert zeroloop.train(tmp_path, "y").coef.tobytes() == zeroloop.train(a_table(), "y").coef.tobytes()
