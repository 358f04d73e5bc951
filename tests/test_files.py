"""Files larger than memory: the same bits wherever rows are, bad files named, runs that go on after being killed."""

from __future__ import annotations

import gzip
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.dataset as ds
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import dump_svmlight_file

import zeroloop
from command_line import run
from test_cli import error
from test_tables import a_table
from zeroloop import disks
from zeroloop.errors import (
    BadFileError,
    CheckpointError,
    DataError,
    NotConvergedWarning,
    OptionError,
    OutputError,
    ZeroloopWarning,
)
from zeroloop.model import Model
from zeroloop.sources import budget, files

ROWS = 120_000  # four blocks of few columns


def large(rows: int = ROWS, classes: int = 2) -> pa.Table:
    """Return a table of several blocks, with all that an encoder meets."""
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal(rows), rng.normal(3, 2, rows)
    town = rng.integers(0, 40, rows)
    z = np.stack([k * (0.7 * a - 0.3 * b) + 0.1 * k * (town % 3) for k in range(classes)])
    label = np.argmax(z + rng.gumbel(size=z.shape), axis=0)
    return pa.table(
        {
            "a": pa.array(a, mask=rng.random(rows) < 0.01),
            "b": b,
            "town": pa.array([f"town {t}" for t in town], mask=rng.random(rows) < 0.02),
            "w": rng.integers(1, 4, rows).astype(float),
            "y": pa.array(label, mask=rng.random(rows) < 0.005),
        }
    )


def forty(table: pa.Table, folder: Path) -> Path:
    """Write a table as files of unlike sizes."""
    folder.mkdir(exist_ok=True)
    cuts = np.unique(np.append([0, len(table)], np.random.default_rng(1).integers(0, len(table), 39)))
    for i, (start, stop) in enumerate(pairwise(cuts.tolist())):
        pq.write_table(table.slice(start, stop - start), folder / f"part-{i:03d}.parquet", row_group_size=1_500)
    return folder


def same(one: Model, other: Model) -> bool:
    return (
        one.coef.tobytes() == other.coef.tobytes()
        and one.held_out == other.held_out
        and one.schema == other.schema
        and (one.training.passes, one.training.n_iter) == (other.training.passes, other.training.n_iter)
    )


WHERE: dict[str, dict[str, Any]] = {
    "in memory": {},
    "spilled": {"memory": "100kB"},
    "partly spilled": {"memory": "14MB"},
    "decoded again": {"memory": "100kB", "spill": "none"},
    "partly decoded again": {"memory": "14MB", "spill": "none"},
}


@pytest.mark.parametrize(
    "options",
    [
        {"weights": "w"},
        {"C": float("inf"), "missing": "drop"},
        {"l1_ratio": 1.0, "C": 0.001},
        {"solver": "lbfgs", "test_fraction": 0},
        {"C": "cv", "Cs": 3},
    ],
    ids=str,
)
def test_the_same_bits_wherever_the_rows_are(options: dict[str, Any], tmp_path: Path) -> None:
    table = large()
    pq.write_table(table, tmp_path / "one.parquet")
    folder = forty(table, tmp_path / "forty")
    model = zeroloop.train(table, "y", **options)
    assert same(zeroloop.train(tmp_path / "one.parquet", "y", **options), model)
    for name, where in WHERE.items():
        found = zeroloop.train(folder, "y", **where, **options)
        assert same(found, model), name
        assert ("spill file" in found.training.storage) == ("spilled" in name), found.training.storage
        assert ("again" in found.training.storage) == ("again" in name), found.training.storage
        assert ("in memory" in found.training.storage) == ("partly" in name or "in memory" in name)


@pytest.mark.parametrize("options", [{}, {"multi_class": "ovr"}, {"l1_ratio": 0.5, "C": 0.01}], ids=str)
def test_many_classes_give_the_same_bits(options: dict[str, Any], tmp_path: Path) -> None:
    table = large(classes=4)
    folder = forty(table, tmp_path / "forty")
    model = zeroloop.train(table, "y", **options)
    for name in ("spilled", "partly decoded again"):
        assert same(zeroloop.train(folder, "y", **WHERE[name], **options), model), name


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "arrow", "stream"])
def test_every_format_is_read_again(kind: str, tmp_path: Path) -> None:
    table = large(70_000).select(["a", "b", "w", "y"])
    path = tmp_path / f"data.{kind}"
    if kind.startswith("csv"):
        pacsv.write_csv(table, path)
        if kind == "csv.gz":
            path.write_bytes(gzip.compress(path.read_bytes(), mtime=0))
    elif kind == "arrow":
        feather.write_feather(table, str(path))
    else:
        with pa.ipc.new_stream(path, table.schema) as writer:
            writer.write_table(table, max_chunksize=7_777)
    model = zeroloop.train(path, "y")
    for name in ("spilled", "partly decoded again"):
        assert same(zeroloop.train(path, "y", **WHERE[name]), model), name


@pytest.mark.parametrize("ending", ["svm", "svm.gz"])
def test_libsvm_files_are_read_again(ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from scipy.sparse import csr_matrix

    rng = np.random.default_rng(0)
    dense = np.where(rng.random((40_000, 30)) < 0.2, rng.random((40_000, 30)), 0.0)
    X, y = csr_matrix(dense), (dense @ rng.standard_normal(30) + rng.logistic(size=40_000) > 0).astype(int)
    plain, path = tmp_path / "data.svm", tmp_path / f"again.{ending}"
    dump_svmlight_file(X, y, str(plain), zero_based=True)
    path.write_bytes(gzip.compress(plain.read_bytes(), mtime=0) if ending.endswith("gz") else plain.read_bytes())
    model = zeroloop.train(plain, "label")
    for name in ("spilled", "partly decoded again"):
        assert same(zeroloop.train(path, "label", **WHERE[name]), model), name


@given(
    cuts=st.lists(st.integers(0, 3_000), max_size=6), memory=st.sampled_from([1, 800_000, 10**9]), spilled=st.booleans()
)
def test_any_cut_into_files_and_any_budget_gives_the_same_bits(
    cuts: list[int], memory: int, spilled: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    table = a_table(3_000)
    ends = sorted({0, 3_000, *cuts})
    for i, (start, stop) in enumerate(pairwise(ends)):
        pq.write_table(table.slice(start, stop - start), folder / f"{i}.parquet", row_group_size=500)
    found = zeroloop.train(folder, "bought", memory=memory, spill=None if spilled else "none")
    assert same(found, zeroloop.train(table, "bought"))


def test_columns_that_cannot_be_kept_while_scanning_are_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zeroloop.tables.draft.MOST_VALUES", 30)  # fewer than there are towns
    folder = forty(large(), tmp_path / "forty")
    model = zeroloop.train(folder, "y")
    monkeypatch.undo()
    assert same(zeroloop.train(folder, "y"), model)


def test_hive_keys_are_columns(tmp_path: Path) -> None:
    table = a_table(900)
    year = np.repeat([2021, 2022, 2023], 300)
    shop = np.repeat(["north side", "south"] * 3, 150)
    for y in (2021, 2022, 2023):
        for s in ("north side", "south"):
            folder = tmp_path / "data" / f"year={y}" / f"shop={s.replace(' ', '%20')}"
            folder.mkdir(parents=True)
            pq.write_table(table.filter(pa.array((year == y) & (shop == s))), folder / "part.parquet")
    whole = table.append_column("year", pa.array(year)).append_column("shop", pa.array(shop))
    model = zeroloop.train(tmp_path / "data", "bought")
    assert model.coef.tobytes() == zeroloop.train(whole, "bought").coef.tobytes()
    assert {"year", "shop=south"} <= set(model.schema.terms)
    assert same(zeroloop.train(f"{tmp_path}/data/*/*/*.parquet", "bought"), model)
    few = zeroloop.train(tmp_path / "data", "bought", features=["year", "size"])
    assert few.schema.features == ("size", "year")
    assert model.predict_proba(tmp_path / "data").shape == (900, 2)


@pytest.mark.parametrize("scheme", ["memory", "file"])
def test_uris_open_files_folders_and_globs(scheme: str, tmp_path: Path) -> None:
    table = large(70_000).select(["a", "b", "town", "y"])
    root = f"{tmp_path}/bucket" if scheme == "file" else "/bucket"
    filesystem = fsspec.filesystem(scheme)
    for i in range(3):
        filesystem.makedirs(f"{root}/k={i % 2}", exist_ok=True)
        with filesystem.open(f"{root}/k={i % 2}/part-{i}.parquet", "wb") as file:
            pq.write_table(table.slice(i * 25_000, 25_000), file)
    with filesystem.open(f"{root}/one.csv.gz", "wb") as file:
        content = pa.BufferOutputStream()
        pacsv.write_csv(table, content)
        file.write(gzip.compress(content.getvalue().to_pybytes(), mtime=0))
    uri = f"{scheme}://{root}"
    order = pa.concat_tables([table.slice(0, 25_000), table.slice(50_000), table.slice(25_000, 25_000)])
    model = zeroloop.train(order.append_column("k", pa.array([0] * 45_000 + [1] * 25_000)), "y")
    try:
        parts = [f"{uri}/k={i % 2}/part-{i}.parquet" for i in (0, 2, 1)]
        for place in (f"{uri}/*/*.parquet", [f"{uri}/k=0", f"{uri}/k=1/*"], parts):
            assert same(zeroloop.train(place, "y", **WHERE["partly decoded again"]), model)
        with pytest.warns(ZeroloopWarning, match="'k' is left out: constant, 1 in every"):
            assert zeroloop.train(f"{uri}/k=1", "y").training.rows_read == 25_000
        assert same(zeroloop.train(f"{uri}/one.csv.gz", "y", **WHERE["spilled"]), zeroloop.train(table, "y"))
        with pytest.raises(DataError, match=r"part-9.parquet: no such file or folder"):
            zeroloop.train(f"{uri}/part-9.parquet", "y")
        with pytest.raises(DataError, match="no file matches the pattern"):
            zeroloop.train(f"{uri}/*.nothing", "y")
    finally:
        filesystem.rm(root, recursive=True)


def test_a_uri_that_nothing_opens_is_named() -> None:
    with pytest.raises(DataError, match=r"^nowhere://x/y: cannot be opened"):
        zeroloop.train("nowhere://x/y", "y")


def test_tables_from_python(tmp_path: Path) -> None:
    table = large()
    folder = forty(table, tmp_path / "forty")
    model = zeroloop.train(table, "y")
    given: dict[str, Callable[[], Any]] = {
        "dataset": lambda: ds.dataset(folder),
        "reader": lambda: pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=9_999)),
        "relation": lambda: duckdb.from_arrow(table),
        "query": lambda: duckdb.sql(f"from read_parquet('{folder}/*.parquet') order by filename, file_row_number"),
    }
    for name, make in given.items():
        for memory in (None, "100kB"):
            assert same(zeroloop.train(make(), "y", memory=memory), model), name
    with pytest.raises(OptionError, match="read only once, and there is no room for all of it"):
        zeroloop.train(given["reader"](), "y", memory="100kB", spill="none")


def test_evaluation_and_prediction_are_bounded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = forty(large(classes=3), tmp_path / "forty")
    model = zeroloop.train(folder, "y")
    exact = zeroloop.evaluate(model, folder)
    monkeypatch.setattr("zeroloop.scoring.EXACT_VALUES", 50_000)
    binned = zeroloop.evaluate(model, folder)
    assert binned.pop("auc_bins") == 2**16
    assert binned["auc"] == pytest.approx(exact["auc"], abs=2e-5)
    assert {k: v for k, v in binned.items() if k != "auc"} == {k: v for k, v in exact.items() if k != "auc"}
    assert zeroloop.predict_file(model, folder, tmp_path / "p.parquet") == ROWS


# Limits


def test_a_run_keeps_within_a_limit_on_its_address_space(tmp_path: Path) -> None:
    """490 MB of numbers under a limit that leaves 300 MB beside libraries, threads and compiled code."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20, 170_000))
    rows = pa.table({**{f"x{j}": x for j, x in enumerate(X)}, "y": X[0] + rng.logistic(size=170_000) > 0})
    pq.write_table(rows, tmp_path / "0.parquet", use_dictionary=False, compression="none")
    for i in range(1, 18):
        (tmp_path / f"{i}.parquet").hardlink_to(tmp_path / "0.parquet")
    script = (
        "import sys, resource, warnings, zeroloop\n"
        "status = lambda: int(open('/proc/self/status').read().split('VmSize:')[1].split()[0]) * 1024\n"
        "options = {'memory': '16MB', 'threads': 2}\n"
        "zeroloop.train(sys.argv[1] + '/0.parquet', 'y', **options)\n"
        "limit = status() + int(300e6)\n"
        "resource.setrlimit(resource.RLIMIT_AS, (limit, limit))\n"
        "options['memory'] = sys.argv[2]\n"
        "print(zeroloop.train(sys.argv[1], 'y', **options).coef.sum())\n"
    )
    environment = os.environ | {"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "2"}

    def under_limit(memory: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", script, str(tmp_path), memory]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    done = under_limit("16MB")
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == zeroloop.train(tmp_path, "y").coef.sum()
    assert under_limit("1GB").returncode != 0  # the limit bites where the budget does not keep below it


def test_memory_budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    for text, size in [("4GiB", 2**32), ("500MB", 5 * 10**8), ("1.5k", 1500), ("1048576", 2**20), ("2 tib", 2**41)]:
        assert budget.memory_budget(text) == size
    assert 2**24 < budget.memory_budget(None) <= budget.memory_limit() // 2
    for bad in ("much", "-1", "4 elephants", 0, "0"):
        with pytest.raises(OptionError, match="memory is"):
            budget.memory_budget(bad)
    assert budget.size_text(0) == "0 bytes"
    assert budget.size_text(1.5 * 2**30) == "1.5 GiB"


def test_places_to_spill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OutputError, match=r"spill: the folder .* does not exist"):
        zeroloop.train(a_table(), "bought", spill=str(tmp_path / "none"))
    free = shutil.disk_usage(tmp_path).free
    assert disks.has_room(tmp_path, 0) == (free >= disks.RESERVE)
    assert not disks.has_room(tmp_path, 2 * free)
    folder = forty(large(), tmp_path / "forty")
    place = tmp_path / "spill"
    place.mkdir()
    model = zeroloop.train(folder, "y", memory="100kB", spill=str(place))
    assert str(place) in model.training.storage
    assert list(place.iterdir()) == []
    monkeypatch.setattr(files, "has_room", lambda folder, n_bytes: False)
    short = zeroloop.train(folder, "y", memory="100kB", spill=str(place))
    assert "decoded again in each pass, as" in short.training.storage
    assert same(short, model)


def test_a_disk_that_fills_up_is_one_line(tmp_path: Path) -> None:
    folder = forty(large(), tmp_path / "forty")
    script = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, 10**6))\n"
        "from zeroloop.cli import main; main()"
    )
    command = [sys.executable, "-c", script, "train", str(folder), "--target", "y", "--memory", "1kB", "--spill", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done
    assert "zeroloop: error: spill: . is full after" in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["forty"]


# Bad files


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _damage_row_group(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[2_000:4_000] = b"\xff" * 2_000
    path.write_bytes(content)


def _rewrite(change: Callable[[pa.Table], pa.Table]) -> Callable[[Path], None]:
    return lambda path: pq.write_table(change(pq.read_table(path)), path)


def _as_csv(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def rewrite(path: Path) -> None:
        content = pa.BufferOutputStream()
        pacsv.write_csv(pq.read_table(path), content)
        path.write_bytes(change(content.getvalue().to_pybytes()))

    return rewrite


def _line(content: bytes, number: int, line: bytes) -> bytes:
    lines = content.split(b"\n")
    lines[number] = line
    return b"\n".join(lines)


BAD: dict[str, tuple[Callable[[Path], Any], str]] = {
    "cut short": (_cut, "the file is damaged or cut short"),
    "a bad row group": (_damage_row_group, "the file is damaged or cut short"),
    "no file of ours": (lambda path: path.write_bytes(b"\0\1\2" * 99), "it is of no kind that is read"),
    "empty": (lambda path: path.write_bytes(b""), "the file is empty"),
    "a column less": (_rewrite(lambda t: t.drop_columns(["size"])), "it lacks 'size'"),
    "a column more": (_rewrite(lambda t: t.append_column("z", t["size"])), "it adds 'z'"),
    "another type": (
        _rewrite(lambda t: t.set_column(1, "size", t["size"].cast(pa.string()))),
        "column 'size' holds text, but numbers in",
    ),
    "a gzip cut short": (
        _as_csv(lambda content: gzip.compress(content, mtime=0)[:-300]),
        "the file is damaged or cut short|cannot be read",
    ),
    "too many fields": (_as_csv(lambda c: _line(c, 700, b"1,2,3,red,5,6")), "line 70[01]|Expected 4 columns, got 6"),
    "text below numbers": (
        _as_csv(lambda c: _line(c, 700, b'1,much,3,"red"')),
        "column 'size' holds numbers, but for 1 of 898 values",
    ),
    "no permission": (lambda path: path.chmod(0), "cannot be read .*denied"),
}


@pytest.mark.parametrize("damage", BAD)
def test_bad_files_are_named_or_skipped(damage: str, tmp_path: Path) -> None:
    if damage == "no permission" and os.geteuid() == 0:
        pytest.skip("no file is without permission to root")
    folder = tmp_path / "data"
    folder.mkdir()
    tables = [a_table(1_000, seed) for seed in range(4)]
    for i, table in enumerate(tables):
        pq.write_table(table, folder / f"{i}.parquet", write_page_checksum=True)
    change, message = BAD[damage]
    bad = folder / "2.parquet"
    change(bad)
    with pytest.raises(BadFileError, match=message) as caught:
        zeroloop.train(folder, "bought")
    assert str(caught.value).startswith(f"{bad}: ")
    assert "\n" not in str(caught.value)
    assert error("train", "data", "--target", "bought", cwd=tmp_path).startswith("data/2.parquet: ")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    with pytest.warns(ZeroloopWarning, match=r"Skipped .*2\.parquet: "):
        model = zeroloop.train(folder, "bought", skip_bad_files=True, memory="10kB", spill="none")
    rest = zeroloop.train(pa.concat_tables([tables[0], tables[1], tables[3]]), "bought")
    assert model.coef.tobytes() == rest.coef.tobytes()
    assert [one["path"] for one in model.training.skipped] == [str(bad)]
    model.save(tmp_path / "m.json")
    assert zeroloop.load(tmp_path / "m.json").training.skipped == model.training.skipped


def test_several_bad_files_are_skipped_in_one_go(tmp_path: Path) -> None:
    tables = [a_table(1_000, seed) for seed in range(6)]
    for i, table in enumerate(tables):
        pq.write_table(table, tmp_path / f"{i}.parquet", write_page_checksum=True)
    for i in (0, 2, 3):
        (_damage_row_group if i else _cut)(tmp_path / f"{i}.parquet")
    done = run("train", ".", "--target", "bought", "--skip-bad-files", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for name in ("0.parquet", "2.parquet", "3.parquet"):
        assert f"Skipped {name}: " in done.stdout
        assert f"zeroloop: warning: Skipped {name}: " in done.stderr
    rest = pa.concat_tables([tables[i] for i in (1, 4, 5)])
    assert zeroloop.load(tmp_path / "model.json").coef.tobytes() == zeroloop.train(rest, "bought").coef.tobytes()
    for i in (1, 4, 5):
        _cut(tmp_path / f"{i}.parquet")
    assert "No other file is left" in error("train", ".", "--target", "bought", "--skip-bad-files", cwd=tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path: path.unlink(), "the file is gone since this run found it"),
        (lambda path: os.utime(path, ns=(1, 1)), "the file has changed since this run found it"),
        (_rewrite(lambda t: t.slice(5)), "the file has changed since this run found it"),
    ],
)
def test_a_file_that_changes_between_passes_is_named(
    change: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    folder = forty(large(), tmp_path / "forty")
    changed = sorted(folder.iterdir())[20]

    def after_the_scan(work: Any) -> None:
        if work.doing.startswith("pass 2") and changed.exists() and changed.stat().st_mtime_ns != 1:
            change(changed)

    with pytest.raises(BadFileError, match=message) as caught:
        zeroloop.train(folder, "y", progress=after_the_scan, **WHERE["decoded again"])
    assert str(caught.value).startswith(f"{changed}: ")


# Checkpoints and interruptions


def test_a_checkpoint_is_read_instead_of_the_rows(tmp_path: Path) -> None:
    folder = forty(large(), tmp_path / "forty")
    kept = tmp_path / "kept"
    for options in ({}, {"l1_ratio": 1.0, "C": 0.01}, {"C": "cv", "Cs": 2}):
        model = zeroloop.train(folder, "y", **options)
        stopped = _stop_in_pass(3, folder, kept, **options)
        assert "passes are kept in" in stopped
        made = sorted(path.name for path in kept.iterdir())
        assert "scan.npz" in made
        told: list[Any] = []
        assert same(zeroloop.train(folder, "y", checkpoint=kept, progress=told.append, **options), model)
        assert not any(work.doing == "scanning" for work in told)
        assert same(zeroloop.train(folder, "y", checkpoint=kept, **options), model)  # all of it replayed


def _stop_in_pass(n: int, folder: Path, kept: Path, **options: Any) -> str:
    sweeps = 0
    whole = files.Store.sweep

    def until(self: files.Store, part: Any, function: Any) -> Any:
        nonlocal sweeps
        sweeps += 1
        for i, value in enumerate(whole(self, part, function)):
            if sweeps == n and i == 1:
                raise KeyboardInterrupt
            yield value

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files.Store, "sweep", until)
        with pytest.raises(KeyboardInterrupt) as caught:
            zeroloop.train(folder, "y", checkpoint=kept, memory="100kB", **options)
    return str(caught.value)


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    folder = forty(large(), tmp_path / "forty")
    kept = tmp_path / "kept"
    _stop_in_pass(3, folder, kept)
    before = {path.name: path.read_bytes() for path in kept.iterdir()}
    with pytest.raises(CheckpointError, match=r"of another run \(options: C is 0.5 here, 1.0 there\)"):
        zeroloop.train(folder, "y", checkpoint=kept, C=0.5)
    file = sorted(folder.iterdir())[3]
    os.utime(file, ns=(1, 1))
    with pytest.raises(CheckpointError, match=rf"of another run \(data: {file} is"):
        zeroloop.train(folder, "y", checkpoint=kept)
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == before
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("years of work")
    with pytest.raises(CheckpointError, match="holds other files than a checkpoint"):
        zeroloop.train(folder, "y", checkpoint=tmp_path / "other")
    assert (tmp_path / "other" / "thesis.txt").exists()


def test_a_checkpoint_of_other_rows_in_memory_is_refused(tmp_path: Path) -> None:
    table = a_table(2_000)
    kept = tmp_path / "kept"
    with pytest.raises(KeyboardInterrupt):
        zeroloop.train(table, "bought", checkpoint=kept, progress=_interrupt_at("pass 3"))
    with pytest.raises(CheckpointError, match="of other data"):
        zeroloop.train(a_table(2_000, 1), "bought", checkpoint=kept)
    assert same(zeroloop.train(table, "bought", checkpoint=kept), zeroloop.train(table, "bought"))
    # Complete: the folder may serve another run.
    assert same(zeroloop.train(table, "bought", checkpoint=kept, C=2), zeroloop.train(table, "bought", C=2))


def _interrupt_at(doing: str) -> Callable[[Any], None]:
    def told(work: Any) -> None:
        if work.doing.startswith(doing):
            raise KeyboardInterrupt

    return told


def test_half_a_record_is_none(tmp_path: Path) -> None:
    folder = forty(large(), tmp_path / "forty")
    kept = tmp_path / "kept"
    _stop_in_pass(4, folder, kept)
    last = max(kept.glob("pass-*.npz"))
    last.write_bytes(last.read_bytes()[:200])
    with pytest.warns(ZeroloopWarning, match=rf"{last.name}: the record is damaged, .*; it is made anew\."):
        resumed = zeroloop.train(folder, "y", checkpoint=kept)
    assert same(resumed, zeroloop.train(folder, "y"))


def _start(cwd: Path, *options: str) -> subprocess.Popen[str]:
    script = "from zeroloop.cli import main; main()"
    command = [sys.executable, "-c", script, "train", "data", "--target", "y", "--memory", "100kB", *options]
    return subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


SLOW = ("--tol", "1e-12", "--solver", "gradient-descent", "--max-iter", "150", "--learning-rate", "1.0")


def test_a_run_killed_at_random_moments_ends_with_the_same_bits(tmp_path: Path) -> None:
    forty(large(), tmp_path / "data")
    (tmp_path / "tmp").mkdir()
    place = ("--checkpoint", "kept", "--spill", "tmp", *SLOW)
    rng = np.random.default_rng(int(time.time()))
    for _ in range(3):
        process = _start(tmp_path, *place)
        time.sleep(rng.uniform(1.0, 3.5))
        process.kill()
        process.communicate()
    for options in (place, (*SLOW, "--out", "whole.json")):
        process = _start(tmp_path, *options)
        said = process.communicate(timeout=120)
        assert process.returncode == 0, said
    assert same(zeroloop.load(tmp_path / "model.json"), zeroloop.load(tmp_path / "whole.json"))
    assert list((tmp_path / "tmp").iterdir()) == []
    assert not list(tmp_path.glob(".*.tmp"))


@pytest.mark.parametrize("checkpoint", [True, False])
def test_ctrl_c_ends_within_a_second_and_says_what_was_kept(checkpoint: bool, tmp_path: Path) -> None:
    forty(large(), tmp_path / "data")
    slow = ("--tol", "1e-12", "--solver", "gradient-descent", "--max-iter", "100000", "--learning-rate", "1e-3")
    process = _start(tmp_path, *slow, *(["--checkpoint", "kept"] if checkpoint else []))
    if checkpoint:
        while not list(tmp_path.glob("kept/pass-000005.npz")):
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
    else:
        time.sleep(4)
    start = time.perf_counter()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert time.perf_counter() - start < 5  # of which the interpreter's own end takes some on a busy machine
    assert "Traceback" not in said
    lines = said.strip().splitlines()
    assert len(lines) == 1
    kept = "passes are kept in kept. Run the same command again to go on."
    assert lines[0].endswith(kept if checkpoint else "With a checkpoint folder a run can be gone on with.")
    assert not (tmp_path / "model.json").exists()


# Few passes


def test_max_passes_is_kept_to(tmp_path: Path) -> None:
    table = large()
    exact = zeroloop.train(table, "y", tol=1e-10)
    folder = forty(table, tmp_path / "forty")
    errors = []
    for passes in (2, 3, 4):
        with pytest.warns(NotConvergedWarning, match="made all the passes it was allowed"):
            model = zeroloop.train(folder, "y", max_passes=passes, **WHERE["decoded again"])
        assert model.training.passes == passes - 1
        assert not model.training.converged
        errors.append(float(np.max(np.abs(model.coef - exact.coef))))
    assert errors[0] < 0.05
    assert errors[2] < errors[0] / 5
    with pytest.raises(OptionError, match="max_passes is 1; it must be at least 2"):
        zeroloop.train(table, "y", max_passes=1)


@pytest.mark.parametrize(
    "options",
    [
        {"l1_ratio": 1.0, "C": 0.01},
        {"solver": "newton"},
        {"solver": "lbfgs"},
        {"solver": "newton-cg"},
        {"solver": "gradient-descent"},
        {"solver": "coordinate-descent"},
        {"multi_class": "ovr"},
    ],
    ids=str,
)
def test_every_solver_keeps_to_max_passes(options: dict[str, Any]) -> None:
    table = large(40_000, classes=3 if "multi_class" in options else 2)
    with pytest.warns(NotConvergedWarning, match="made all the passes it was allowed"):
        model = zeroloop.train(table, "y", max_passes=3, **options)
    assert model.training.passes == 2 * (3 if "multi_class" in options else 1)
    assert np.all(np.isfinite(model.coef))


def test_targets_and_categories_with_values_that_no_row_has(tmp_path: Path) -> None:
    table = large(40_000).drop_columns(["w"])
    wide = pa.array([f"{k}" for k in range(20)])
    y = pa.DictionaryArray.from_arrays(table["y"].combine_chunks().cast(pa.int32()), wide)
    coded = table.set_column(table.column_names.index("y"), "y", y)
    text = table.set_column(table.column_names.index("y"), "y", table["y"].cast(pa.string()))
    assert same(zeroloop.train(coded, "y"), zeroloop.train(text, "y"))


def test_a_target_of_too_many_values_does_not_wait_for_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zeroloop.reading.MOST_VALUES", 1_000)
    table = pa.table({"x": np.arange(10**6) % 7, "y": np.arange(10**6)})
    told: list[Any] = []
    with pytest.raises(DataError, match="expected at most 100 classes"):
        zeroloop.train(table, "y", progress=told.append)
    assert len(told) < 3
