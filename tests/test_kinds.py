"""Kinds of file: one table, however it is written, gives the same bits as its Parquet; what cannot be read is named."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from sklearn.datasets import dump_svmlight_file

import zeroloop
from zeroloop.errors import DataError
from zeroloop.model import Model

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
    with pytest.raises(DataError, match="holds a file of Parquet, packed by gzip; unpack it"):
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
