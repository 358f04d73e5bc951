"""Damage, drawn from a seed: of bytes, and of JSON; and a process of its own for what may kill one.

`python mutants.py KIND FIRST COUNT` trains on, and predicts from, mutants of a file of that kind. It prints each seed
before it is tried, so that what has killed the process is known, and a line for each that ends in anything but a result
or a `ZeroloopError`.
"""

from __future__ import annotations

import copy
import datetime as dt
import gzip
import io
import json
import lzma
import random
import subprocess
import sys
import tempfile
import traceback
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout, suppress
from functools import partial
from pathlib import Path
from typing import Any

import fastavro
import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import xlwt
from pyarrow import feather, orc


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Return a content with a few faults of the kinds that disks, networks and editors make."""
    made = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        if not made:
            break
        at = rng.randrange(len(made))
        n = rng.choice((1, 2, 4, 8, 100))
        match rng.choice(("bit", "bit", "bit", "byte", "byte", "huge", "zeros", "gone", "again", "cut", "swapped")):
            case "bit":
                made[at] ^= 1 << rng.randrange(8)
            case "byte":
                made[at] = rng.randrange(256)
            case "huge":
                made[at : at + 4] = rng.choice((b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80"))
            case "zeros":
                made[at : at + n] = bytes(len(made[at : at + n]))
            case "gone":
                del made[at : at + n]
            case "again":
                made[at:at] = made[at : at + n]
            case "cut":
                del made[at:]
            case "swapped":
                to = rng.randrange(len(made))
                made[at : at + n], made[to : to + n] = made[to : to + n], made[at : at + n]
    return bytes(made)


def damaged_within(content: bytes, rng: random.Random) -> bytes:
    """Return an archive damaged, half of the time in one of its members, and packed as if that were whole."""
    if rng.random() < 0.5:
        return damaged(content, rng)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {one.filename: archive.read(one) for one in archive.infolist()}
    name = rng.choice(sorted(members))
    return _archive(members | {name: damaged(members[name], rng)})


def _archive(members: dict[str, bytes]) -> bytes:
    def write(sink: Any) -> None:
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, member in members.items():
                archive.writestr(zipfile.ZipInfo(name), member, zipfile.ZIP_DEFLATED)

    return _written(write)


STRANGE: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 10**6, 2**63, -(2**70), 10**400, 0.5, -0.0, 1e308, 1e-308, "inf", "-inf", "nan",
    "", "x", "5", "(intercept)", "estimated", "aliased", "ovr", "drop", "model", "\x1b[31m", "\ud800", [], {}, [None],
    [1, 2], ["a", "b"], [[]], {"a": 1}, {"a": None},
)  # fmt: skip


def places(document: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every (container, key) of a JSON document."""
    items = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in list(items):
        yield document, key
        if isinstance(value, dict | list):
            yield from places(value)


def strange(document: Any, rng: random.Random) -> Any:
    """Return a JSON document with a few parts replaced, left out, doubled, added or exchanged."""
    made = copy.deepcopy(document)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        found = list(places(made))
        if not found:
            return made
        # A part of the document, then one of it: else most would be of the longest list.
        names = sorted({str(key) for _, key in found})
        name = rng.choice(names)
        container, key = rng.choice([one for one in found if str(one[1]) == name])
        value = container[key]
        match rng.choice(("other", "other", "gone", "renamed", "exchanged", "near", "near", "longer")):
            case "other":
                container[key] = copy.deepcopy(rng.choice(STRANGE))
            case "gone":
                del container[key]
            case "renamed" if isinstance(container, dict):
                container[rng.choice(("x", "", key + " ", key.upper()))] = container.pop(key)
            case "exchanged":
                other, other_key = rng.choice(found)
                container[key] = copy.deepcopy(other[other_key]) if other_key in _keys(other) else None
            case "near" if isinstance(value, int | float):
                container[key] = rng.choice((-value, value + 1, value * 2, value / 2, value * 1e300, str(value)))
            case "near" if isinstance(value, str):
                container[key] = rng.choice((value + "A", value[:-1], value[1:], value.upper(), value[::-1]))
            case "longer" if isinstance(value, list) and value:
                value.insert(rng.randrange(len(value)), copy.deepcopy(rng.choice(value)))
            case _:
                container[key] = [value]
    return made


def _keys(container: Any) -> Any:
    return container if isinstance(container, dict) else range(len(container))


def a_small_table(m: int = 120, seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(m)
    town = [("Basel", "Bern", "Züri", None)[at] for at in rng.integers(0, 4, m)]
    return pa.table(
        {
            "y": pa.array(np.where(x + rng.standard_normal(m) > 0, "yes", "no")),
            "x": pa.array(x, mask=rng.random(m) < 0.1),
            "n": rng.integers(0, 5, m),
            "town": pa.array(town, pa.string()),
            "kind": pa.array(rng.choice(["a", "b", "c"], m)).dictionary_encode(),
            "day": pa.array(rng.integers(0, 9, m).astype("datetime64[D]")),
        }
    )


def _written(write: Callable[[Any], None]) -> bytes:
    sink = io.BytesIO()
    write(sink)
    return sink.getvalue()


def _ipc(make: Callable[..., Any], options: Any = None) -> bytes:
    def write(sink: Any) -> None:
        table = a_small_table()
        with make(sink, table.schema, options=options) as writer:
            writer.write_table(table, max_chunksize=50)

    return _written(write)


def _libsvm() -> bytes:
    rng = random.Random(0)
    rows = (f"{rng.randrange(2)} {rng.randrange(1, 4)}:{rng.random():.3f} {rng.randrange(5, 9)}:1" for _ in range(80))
    return "\n".join(rows).encode() + b"\n"


def _csv() -> bytes:
    return _written(lambda sink: pacsv.write_csv(a_small_table().drop(["kind"]), sink))


def _zipped() -> bytes:
    return _archive({"t.csv": _csv()})


def _json(join: Callable[[list[str]], str]) -> bytes:
    return join([json.dumps(row, default=str) for row in a_small_table().to_pylist()]).encode()


def _avro() -> bytes:
    kinds = {"y": "string", "x": "double", "n": "long", "town": "string"}
    fields = [{"name": name, "type": ["null", kind]} for name, kind in kinds.items()]
    schema = {"type": "record", "name": "row", "fields": fields}
    rows = a_small_table().select(list(kinds)).to_pylist()
    return _written(lambda sink: fastavro.writer(sink, schema, rows, sync_interval=500, sync_marker=bytes(16)))


def _rows() -> list[list[Any]]:
    table = a_small_table()
    return [list(table.column_names), *map(list, zip(*(one.to_pylist() for one in table.columns), strict=True))]


def _xlsx() -> bytes:
    book = openpyxl.Workbook()
    for row in _rows():
        book.active.append(row)
    content = _written(book.save)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:  # without the times at which its members were written
        return _archive({one.filename: archive.read(one) for one in archive.infolist()})


def _xls() -> bytes:
    book = xlwt.Workbook()
    sheet = book.add_sheet("t")
    date = xlwt.easyxf(num_format_str="yyyy-mm-dd")
    for i, row in enumerate(_rows()):
        for j, value in enumerate(row):
            sheet.write(i, j, value, date) if isinstance(value, dt.date) else sheet.write(i, j, value)
    return _written(book.save)


FILES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "parquet": (".parquet", lambda: _written(lambda sink: pq.write_table(a_small_table(), sink, row_group_size=50))),
    "checked parquet": (
        ".parquet",
        lambda: _written(lambda sink: pq.write_table(a_small_table(), sink, write_page_checksum=True)),
    ),
    "csv": (".csv", _csv),
    "csv.gz": (".csv.gz", lambda: gzip.compress(_csv(), mtime=0)),
    "csv.xz": (".csv.xz", lambda: lzma.compress(_csv())),
    "csv.zip": (".csv.zip", _zipped),
    "json lines": (".jsonl", lambda: _json("\n".join)),
    "json list": (".json", lambda: _json(lambda rows: "[" + ", ".join(rows) + "]")),
    "orc": (".orc", lambda: _written(lambda sink: orc.write_table(a_small_table().drop(["kind"]), sink))),
    "avro": (".avro", _avro),
    "xlsx": (".xlsx", _xlsx),
    "xls": (".xls", _xls),
    "libsvm": (".svm", _libsvm),
    "libsvm.gz": (".svm.gz", lambda: gzip.compress(_libsvm(), mtime=0)),
    "arrow file": (".arrow", lambda: _ipc(pa.ipc.new_file)),
    "arrow stream": (".arrow", lambda: _ipc(pa.ipc.new_stream)),
    "arrow zstd": (".arrow", lambda: _ipc(pa.ipc.new_file, pa.ipc.IpcWriteOptions(compression="zstd"))),
    "feather": (".feather", lambda: _written(lambda sink: feather.write_feather(a_small_table(), sink))),
}


# What a person may open with pyarrow first.
OPENED: dict[str, dict[str, Callable[[Path], Any]]] = {
    ".arrow": {
        "reader": lambda path: pa.ipc.open_stream(path.read_bytes()),
        "table": lambda path: pa.ipc.open_file(pa.memory_map(str(path))).read_all(),
    },
    ".feather": {"dataset": lambda path: ds.dataset(path, format="feather")},
    ".parquet": {"dataset": lambda path: ds.dataset(path, format="parquet")},
}


def attack(kind: str, first: int, count: int) -> int:
    """Try mutants of a file; return how many of them end in a result."""
    import zeroloop
    from zeroloop.tables import children

    children.SECONDS = 2  # some damaged ones are never done
    suffix, make = FILES[kind]
    content = make()
    target = "label" if "libsvm" in kind else "y"
    done = 0
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder, "damaged" + suffix)
        path.write_bytes(content)
        model = zeroloop.train(path, target, tol=1e-3)
        for seed in range(first, first + count):
            print(f"seed {seed}", flush=True)
            damage = damaged_within if kind == "xlsx" else damaged
            path.write_bytes(damage(content, random.Random(f"{kind} {seed}")))
            tried: dict[str, Callable[[], Any]] = {
                "train": lambda: zeroloop.train(path, target, tol=1e-3),
                "predict": lambda: model.predict_proba(path),
            }
            for name, open_it in OPENED.get(suffix, {}).items():
                with suppress(pa.ArrowException, OSError, UnicodeDecodeError):  # pyarrow's own calls
                    opened = open_it(path)
                    tried[name] = partial(zeroloop.train, opened, target, tol=1e-3)
            for name, one in tried.items():
                try:
                    one()
                    done += 1
                except zeroloop.ZeroloopError:
                    pass
                except BaseException:  # noqa: BLE001  that is what is looked for
                    print(f"FOUND {kind} seed {seed}: {name}\n{traceback.format_exc()}", flush=True)
    return done


def the_models() -> dict[str, bytes]:
    """Return model files of many kinds."""
    import zeroloop

    table = a_small_table()
    three = table.set_column(0, "y", table["kind"].cast(pa.string())).drop(["kind"])
    split = table.append_column("z", pa.array((np.arange(120) % 2 == 0) & (table["y"].to_numpy() == "yes")))
    inf = float("inf")
    made = {
        "plain": zeroloop.train(table, "y"),
        "free": zeroloop.train(table, "y", C=inf, tests=["town"], covariance="hc1", cluster="n", test_fraction=0.2),
        "aliased": zeroloop.train(table.append_column("again", table["n"]), "y", C=inf),
        "separated": zeroloop.train(split, "y", C=inf),
        "classes": zeroloop.train(three, "y", C=inf),
        "each": zeroloop.train(three, "y", C="cv", Cs=[0.1, 1.0], multi_class="ovr"),
        "bounded": zeroloop.train(table, "y", bounds={"x": (0, inf)}),
        "firth": zeroloop.train(table, "y", method="firth", missing="drop"),
        "offset": zeroloop.train(table, "y", offset="n", penalty_factors={"x": 2}),
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, model in made.items():
            model.save(Path(folder, name))
        libsvm = Path(folder, "rows.svm")
        libsvm.write_bytes(_libsvm())
        zeroloop.train(libsvm, "label").save(Path(folder, "sparse"))
        return {name: Path(folder, name).read_bytes() for name in (*made, "sparse")}


def attack_models(first: int, count: int) -> int:
    """Try everything that is done with a model on mutants of model files; return how many can be loaded."""
    import zeroloop
    from zeroloop.cli import main

    contents = the_models()
    loaded = 0
    with tempfile.TemporaryDirectory() as folder:
        path, rows, libsvm = Path(folder, "model.json"), Path(folder, "rows.parquet"), Path(folder, "rows.svm")
        table = a_small_table(60, 1)
        pq.write_table(table.append_column("z", table["n"]).append_column("again", table["n"]), rows)
        libsvm.write_bytes(_libsvm())
        for seed in range(first, first + count):
            print(f"seed {seed}", flush=True)
            rng = random.Random(f"model {seed}")
            name = rng.choice(sorted(contents))
            content = contents[name]
            if rng.random() < 0.3:
                content = damaged(content, rng)
            else:
                text = json.dumps(strange(json.loads(content), rng))
                content = text.encode("utf-8", "surrogatepass")
            path.write_bytes(content)
            data = str(libsvm if name == "sparse" else rows)
            try:
                model = zeroloop.load(path)
            except zeroloop.ZeroloopError:
                continue
            except BaseException:  # noqa: BLE001  that is what is looked for
                print(f"FOUND model seed {seed} ({name}): load\n{traceback.format_exc()}", flush=True)
                continue
            loaded += 1
            for what, use in uses_of(model, path, data, Path(folder), main).items():
                try:
                    use()
                except zeroloop.ZeroloopError:
                    pass
                except BaseException:  # noqa: BLE001  that is what is looked for
                    print(f"FOUND model seed {seed} ({name}): {what}\n{traceback.format_exc()}", flush=True)
    return loaded


def uses_of(model: Any, path: Path, data: str, folder: Path, main: Callable[[], None]) -> dict[str, Callable[[], Any]]:
    """Return all that can be done with a model saved at a path, and data."""
    import zeroloop

    def saved() -> Any:
        model.save(folder / "again.json")
        return zeroloop.load(folder / "again.json")

    return {
        "predict": lambda: model.predict_proba(data),
        "classes": lambda: model.predict(data),
        "intervals": lambda: zeroloop.predict_file(model, data, folder / "p.csv", interval=0.9),
        "evaluate": lambda: zeroloop.evaluate(model, data),
        "terms": model.terms,
        "summary": lambda: str(model.summary()),
        "covariance": model.covariance,
        "test": lambda: model.test(*model.schema.features[:1]),
        "effects": lambda: model.marginal_effects(data),
        "report": lambda: model.report(folder / "r.html", data),
        "save": saved,
        "shown": lambda: _run(main, "summary", str(path)),
        "json": lambda: json.loads(_run(main, "summary", str(path), "--json"), parse_constant=_refuse),
    }


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _run(main: Callable[[], None], *arguments: str) -> str:
    """Run the command line here, and return what it prints."""
    out = io.StringIO()
    before = sys.argv
    sys.argv = ["zeroloop", *arguments]
    try:
        with redirect_stdout(out):
            main()
    except SystemExit as ended:
        if ended.code not in (None, 0, 2):
            raise AssertionError(f"exit code {ended.code}") from ended
    finally:
        sys.argv = before
    return out.getvalue()


def attacked(kind: str, first: int, count: int) -> list[str]:
    """Try mutants in processes of their own; return what is not as it should be."""
    found = []
    while count > 0:
        command = [sys.executable, __file__, kind, str(first), str(count)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60 + count, check=False)
        found += [part.strip() for part in done.stdout.split("FOUND")[1:]]
        seeds = [int(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("seed ")]
        if done.returncode == 0:
            break
        last = seeds[-1] if seeds else first
        found.append(f"{kind} seed {last}: the process ended with {done.returncode}: {done.stderr[-500:]}")
        first, count = last + 1, first + count - last - 1
    return found


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    kind, cases = sys.argv[1], (int(sys.argv[2]), int(sys.argv[3]))
    print("results:", attack_models(*cases) if kind == "model" else attack(kind, *cases))
