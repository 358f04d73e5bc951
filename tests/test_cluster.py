"""The same fit on a Dask cluster of real processes: the same bits, whatever happens to the workers."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from benchmarks.scale import count_bytes, gradient_of, n_bytes
from benchmarks.scale import made as of_columns
from distributed import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse
from typer.testing import CliRunner

import zeroloop
from zeroloop import core
from zeroloop.cli import app
from zeroloop.errors import (
    BadFileError,
    ClusterError,
    DataError,
    OptionError,
    OutputError,
    ZeroloopWarning,
)
from zeroloop.model import Model
from zeroloop.progress import Work
from zeroloop.sources import dask_cluster

pytestmark = pytest.mark.xdist_group("cluster")  # one cluster, not one for each of pytest's processes

INF = float("inf")
DASK = Path(sys.executable).parent / "dask"
FILES, ROWS = 40, 8_192


LEVELS = core.levels[:2]  # that this processor runs best


class Processes:
    """A scheduler and workers, started as a person would start them; every other one as an older processor."""

    def __init__(self, folder: Path, n_workers: int) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        self.folder = folder
        self.workers: list[subprocess.Popen[bytes]] = []
        self.start_scheduler()
        for _ in range(n_workers):
            self.start_worker()
        self.client = Client(self.address, set_as_default=False)
        self.client.wait_for_workers(n_workers, timeout=120)

    def start_scheduler(self) -> None:
        port = self.address.rpartition(":")[2]
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard")
        while True:
            try:
                with socket.create_connection(("127.0.0.1", int(port))):
                    return
            except OSError:
                time.sleep(0.05)

    def start_worker(self, path: Path | None = None, threads: int = 1) -> subprocess.Popen[bytes]:
        options = ("--nthreads", str(threads), "--no-nanny", "--no-dashboard", "--memory-limit", "4GiB")
        place = ("--local-directory", str(self.folder))
        level = LEVELS[len(self.workers) % len(LEVELS)]
        worker = self._start("worker", self.address, *options, *place, path=path, level=level)
        self.workers.append(worker)
        return worker

    def add_worker(self, threads: int = 1) -> None:
        before = len(self.client.nthreads())
        self.start_worker(threads=threads)
        self.client.wait_for_workers(before + 1, timeout=120)

    def pid_of(self, address: str) -> int:
        return int(self.client.run(os.getpid, workers=[address])[address])

    def stop(self) -> None:
        self.client.close()
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()

    def _start(self, *arguments: str, path: Path | None = None, level: str = core.level) -> subprocess.Popen[bytes]:
        # What tests send to other processes is imported from here, and zeroloop from where it is in this process.
        here, package = Path(__file__).parent, Path(zeroloop.__file__).parents[1]
        paths = os.pathsep.join(map(str, [here, here.parent, package, *([path] if path else [])]))
        with (self.folder / f"{arguments[0]}-{len(self.workers)}.log").open("wb") as log:
            environment = os.environ | {"PYTHONPATH": paths, "ZEROLOOP_CPU": level}
            return subprocess.Popen([str(DASK), *arguments], stdout=log, stderr=log, cwd=self.folder, env=environment)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    processes = Processes(tmp_path_factory.mktemp("cluster"), 4)
    yield processes
    processes.stop()


@pytest.fixture
def default(cluster: Processes) -> Iterator[Client]:
    """A client that Dask's collections, and whoever is given none, find."""
    with Client(cluster.address) as client:
        yield client


def frame(rows: int, seed: int = 0, classes: int = 2) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 4)).astype(np.float32)
    level = rng.choice(np.array(["red", "green", "blue", None], dtype=object), rows, p=[0.5, 0.3, 0.15, 0.05])
    z = x[:, 0] - 0.5 * x[:, 1] + (level == "red") - 0.5
    y = (rng.random(rows) < 1 / (1 + np.exp(-z))).astype(int)
    if classes > 2:
        y = np.where(rng.random(rows) < 0.2, 2, y)
    table = pd.DataFrame({f"x{j}": x[:, j] for j in range(4)})
    table["gap"] = np.where(rng.random(rows) < 0.1, np.nan, rng.normal(size=rows))
    table["level"] = level
    table["weight"] = rng.random(rows) + 0.5
    table["group"] = rng.integers(0, 500, rows)
    table["y"] = y
    return table


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Forty Parquet files."""
    path = tmp_path_factory.mktemp("forty")
    table = pa.Table.from_pandas(frame(FILES * ROWS), preserve_index=False)
    for i in range(FILES):
        pq.write_table(table.slice(i * ROWS, ROWS), path / f"part-{i:02}.parquet")
    return str(path)


@pytest.fixture(scope="module")
def here(folder: str) -> Model:
    """The fit of the forty files on one machine."""
    return trained(folder)


def trained(data: Any, **options: Any) -> Model:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ZeroloopWarning)
        return zeroloop.train(data, **({"target": "y", "drop": ["weight", "group"]} | options))


def assert_same_bits(a: Model, b: Model) -> None:
    assert np.array_equal(a.coef, b.coef)
    assert a.schema == b.schema
    assert a.held_out == b.held_out
    assert a.training.history == b.training.history
    assert (a.estimates is None) == (b.estimates is None)
    if a.estimates is not None and b.estimates is not None:
        assert np.array_equal(a.estimates.covariance, b.estimates.covariance, equal_nan=True)
        assert a.estimates.tests == b.estimates.tests


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"C": INF, "covariance": "hc1", "tests": ["level"]},
        {"C": INF, "weights": "weight", "cluster": "group", "drop": []},
        {"C": INF, "method": "firth", "drop": ["weight", "group", "gap"]},
        {"C": 0.01, "l1_ratio": 1.0},
        {"C": "cv", "Cs": 3},
        {"solver": "lbfgs", "missing": "drop"},
        {"test_fraction": 0.0, "categorical": ["group"], "drop": ["weight"]},
    ],
)
def test_a_cluster_gives_the_bits_of_one_machine(options: dict[str, Any], cluster: Processes, folder: str) -> None:
    assert_same_bits(trained(folder, **options), trained(folder, scheduler=cluster.address, **options))


def test_workers_are_of_several_kinds(cluster: Processes) -> None:
    """So every test here is one of a mixed cluster, that gives the answer of one machine."""
    assert set(cluster.client.run(lambda: core.level).values()) == set(LEVELS)


def test_other_files_give_the_bits_of_one_machine(cluster: Processes, tmp_path: Path) -> None:
    """Of CSV files nobody knows the rows before they are counted; classes are three."""
    table = frame(80_000, classes=3)
    for i in range(5):
        table[i * 16_000 : (i + 1) * 16_000].to_csv(tmp_path / f"{i}.csv", index=False)
    a, b = trained(tmp_path), trained(tmp_path, scheduler=cluster.address)
    assert_same_bits(a, b)
    assert "3 partitions on 4 workers" in b.training.storage
    assert_same_bits(
        trained(tmp_path, multi_class="ovr"), trained(tmp_path, multi_class="ovr", scheduler=cluster.address)
    )


def test_rows_beyond_a_worker_s_budget(cluster: Processes, folder: str, here: Model) -> None:
    spilled = trained(folder, memory="2MiB", scheduler=cluster.address)
    assert " in spill files" in spilled.training.storage
    assert_same_bits(here, spilled)
    decoded = trained(folder, memory="1MiB", spill="none", scheduler=cluster.address)
    assert "the rest decoded again in each pass" in decoded.training.storage
    assert_same_bits(here, decoded)


class During:
    """Does something once, as soon as a fit tells that it is at a pass."""

    def __init__(self, at: str, what: Callable[[], None]) -> None:
        self.at, self.what, self.done = at, what, False
        self.heard: list[Work] = []

    def __call__(self, work: Work) -> None:
        self.heard.append(work)
        if not self.done and work.doing.startswith(self.at):
            self.done = True
            self.what()


def test_a_worker_killed_in_mid_pass(cluster: Processes, folder: str, here: Model) -> None:
    victim = cluster.pid_of(min(cluster.client.nthreads()))

    def kill() -> None:
        os.kill(victim, signal.SIGSTOP)  # it cannot end its part of the pass before
        threading.Timer(0.5, os.kill, (victim, signal.SIGKILL)).start()

    during = During("pass 3", kill)
    model = trained(folder, scheduler=cluster.address, progress=during)
    assert during.done
    assert_same_bits(here, model)
    assert len(cluster.client.nthreads()) == 3
    assert any(work.doing == "scanning" and work.rows for work in during.heard)
    cluster.add_worker()


def test_a_worker_that_stands_still_for_a_while(cluster: Processes, folder: str, here: Model) -> None:
    slow = cluster.pid_of(max(cluster.client.nthreads()))

    def stand_still() -> None:
        os.kill(slow, signal.SIGSTOP)
        threading.Timer(1.0, os.kill, (slow, signal.SIGCONT)).start()

    assert_same_bits(here, trained(folder, scheduler=cluster.address, progress=During("pass 2", stand_still)))


def test_partitions_move_to_workers_that_come_late_and_from_slow_ones(cluster: Processes, folder: str) -> None:
    source, one_pass = gradient_of(folder, cluster.client)
    first, partitions = source.reduce(one_pass), source.partitions
    assert len(set(partitions.at)) == 4
    before = set(cluster.client.nthreads())
    cluster.add_worker(threads=2)
    (late,) = set(cluster.client.nthreads()) - before
    for load, has_some in (({}, True), ({late: 9.0}, False)):
        for _ in range(3):
            partitions.seconds = dict.fromkeys(before, 2.0) | load
            again = source.reduce(one_pass)
            assert np.array_equal(again.gradient, first.gradient)
            assert again.loss == first.loss
        assert (late in partitions.at) == has_some
    os.kill(cluster.pid_of(late), signal.SIGKILL)
    assert source.reduce(one_pass).loss == first.loss


def test_a_scheduler_that_is_lost_and_comes_back(folder: str, here: Model, tmp_path: Path) -> None:
    own = Processes(tmp_path, 1)
    checkpoint = tmp_path / "checkpoint"

    def lose() -> None:
        own.scheduler.kill()
        own.scheduler.wait()

    with pytest.raises(ClusterError, match=r"lost .*; when it is back, run the same again"):
        trained(folder, scheduler=own.address, checkpoint=checkpoint, progress=During("pass 3", lose))
    kept = len(list(checkpoint.glob("pass-*")))
    assert kept >= 2
    own.client.close()
    own.workers[0].kill()
    own.start_scheduler()
    own.start_worker()
    during = During("scanning", lambda: None)
    model = trained(folder, scheduler=own.address, checkpoint=checkpoint, progress=during)
    assert_same_bits(here, model)
    assert not during.done, "the scan was not made again"
    own.client = Client(own.address, set_as_default=False)
    own.stop()


def test_a_checkpoint_of_a_cluster_is_gone_on_with_on_one_machine(
    cluster: Processes, folder: str, here: Model, tmp_path: Path
) -> None:
    class StopError(Exception):
        pass

    def stop() -> None:
        raise StopError

    with pytest.raises(StopError):
        trained(folder, scheduler=cluster.address, checkpoint=tmp_path / "c", progress=During("pass 3", stop))
    assert_same_bits(here, trained(folder, checkpoint=tmp_path / "c"))


def test_a_worker_with_another_version_gets_no_work(
    cluster: Processes, folder: str, here: Model, tmp_path: Path
) -> None:
    """What a worker says of its versions is changed as it starts, by Python's own `sitecustomize`."""
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.metadata as m\n"
        "true = m.version\n"
        "m.version = lambda name: '0.0.1' if name == 'zeroloop' else true(name)\n"
    )
    before = set(cluster.client.nthreads())
    processes: list[subprocess.Popen[bytes]] = []

    def join() -> None:
        processes.append(cluster.start_worker(tmp_path))
        cluster.client.wait_for_workers(len(before) + 1, timeout=120)

    drop = ["weight", "group"]
    with pytest.warns(ZeroloopWarning, match=r"has zeroloop 0.0.1, and this process has .*, so it gets no work"):
        model = zeroloop.train(folder, "y", drop=drop, scheduler=cluster.address, progress=During("pass 2", join))
    assert_same_bits(here, model)
    with pytest.raises(ClusterError, match=r"has zeroloop 0\.0\.1, and this process has"):
        trained(folder, scheduler=cluster.address)
    processes[0].kill()
    while set(cluster.client.nthreads()) != before:
        time.sleep(0.05)


def test_a_worker_without_zeroloop_is_said(cluster: Processes, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The question travels by value: its answer needs nothing of zeroloop."""
    ask = dask_cluster._versions_there()
    import cloudpickle

    code = (
        "import importlib.metadata as m, sys, pickle\n"
        "sys.modules['zeroloop'] = None\n"
        "true = m.version\n"
        "def version(name):\n"
        "    if name == 'zeroloop': raise m.PackageNotFoundError(name)\n"
        "    return true(name)\n"
        "m.version = version\n"
        "print(pickle.load(sys.stdin.buffer)()['zeroloop'])"
    )
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, input=cloudpickle.dumps(ask), stdout=subprocess.PIPE, check=True)
    assert found.stdout.decode().strip() == "None"
    client = cluster.client
    monkeypatch.setattr(
        client, "run", lambda *_, workers, **__: {w: dask_cluster.versions() | {"zeroloop": None} for w in workers}
    )
    with pytest.raises(ClusterError, match=r"has no zeroloop, and this process .*pip install 'zeroloop\[dask\]'"):
        trained(folder, scheduler=client)


def test_bad_files_are_named_or_skipped(cluster: Processes, tmp_path: Path) -> None:
    table = pa.Table.from_pandas(frame(300_000), preserve_index=False)
    paths = [tmp_path / f"{i}.parquet" for i in range(6)]
    for i, path in enumerate(paths):
        pq.write_table(table.slice(i * 50_000, 50_000), path, write_page_checksum=True)
    for i in (1, 4):
        content = bytearray(paths[i].read_bytes())
        content[1_000:3_000] = bytes(2_000)
        paths[i].write_bytes(content)
    with pytest.raises(BadFileError, match=rf"{paths[1]}: the file is damaged"):
        trained(tmp_path, scheduler=cluster.address)
    skipping = trained(tmp_path, scheduler=cluster.address, skip_bad_files=True)
    assert [one["path"] for one in skipping.training.skipped] == [str(paths[1]), str(paths[4])]
    assert_same_bits(trained([paths[i] for i in (0, 2, 3, 5)]), skipping)


def test_a_file_that_a_worker_does_not_see(cluster: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from zeroloop.cluster.table import ClusterTable

    path = tmp_path / "only-here.parquet"
    frame(1_000).to_parquet(path)
    parts = ClusterTable.parts

    def gone(self: ClusterTable, *arguments: Any) -> Any:
        path.unlink()  # as if the worker were another machine
        return parts(self, *arguments)

    monkeypatch.setattr(ClusterTable, "parts", gone)
    with pytest.raises(BadFileError, match=rf"{path}: the worker tcp://\S+ finds no such file; every worker must see"):
        trained(path, scheduler=cluster.address)


def test_frames_of_dask_give_the_coefficients_of_pandas(default: Client, tmp_path: Path) -> None:
    table = frame(100_000)
    collection = dd.from_pandas(table, npartitions=7)
    for options in ({"memory": "1MiB"}, {"C": INF, "covariance": "hc0", "weights": "weight", "drop": ["group"]}):
        a, b = trained(table, **options), trained(collection, **options)
        np.testing.assert_allclose(b.coef, a.coef, rtol=0, atol=1e-10)
        assert b.training.rows == a.training.rows
        assert (a.held_out is None) == (b.held_out is None) == ("C" in options)
        if a.held_out is not None and b.held_out is not None:
            assert b.held_out["log_loss"] == pytest.approx(a.held_out["log_loss"], abs=1e-12)
    aligned = dd.from_pandas(table, npartitions=1).partitions[0].repartition(divisions=(0, 32_768, 65_536, 99_999))
    assert_same_bits(trained(table), trained(aligned))
    lost, at_home = (zeroloop.evaluate(a, rows)["log_loss"] for rows in (collection, table))
    assert lost == pytest.approx(at_home, abs=1e-12)
    zeroloop.predict_file(a, collection, tmp_path / "frame.parquet", keep=["level"])
    zeroloop.predict_file(a, table, tmp_path / "here.parquet", keep=["level"])
    there, here = (pd.read_parquet(tmp_path / name) for name in ("frame.parquet", "here.parquet"))
    pd.testing.assert_frame_equal(there, here, check_dtype=False, rtol=1e-12)
    unpenalised = trained(collection, C=INF)
    effects = unpenalised.marginal_effects().to_pandas()  # of the collection, which is still there
    pd.testing.assert_frame_equal(effects, trained(table, C=INF).marginal_effects(table).to_pandas(), rtol=1e-6)


@settings(max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(1, 2_999), max_size=6, unique=True))
def test_the_same_partitions_give_the_same_bits_and_others_the_same_coefficients(
    cuts: list[int], default: Client
) -> None:
    table = frame(3_000)
    divisions = (0, *sorted(cuts), 2_999)
    collection = dd.from_pandas(table, npartitions=1).repartition(divisions=divisions, force=True)
    first, second = trained(collection), trained(collection)
    assert_same_bits(first, second)
    np.testing.assert_allclose(first.coef, trained(table).coef, rtol=0, atol=1e-10)


def test_a_partition_that_cannot_be_computed_is_named(default: Client) -> None:
    def broken(part: pd.DataFrame, partition_info: Any = None) -> pd.DataFrame:
        if partition_info is not None and partition_info["number"] == 3:
            raise RuntimeError("the tape is torn")
        return part

    collection = dd.from_pandas(frame(8_000), npartitions=6)
    collection = collection.map_partitions(broken, meta=collection._meta)
    with pytest.raises(DataError, match=r"Partition 3 of the Dask DataFrame .* RuntimeError: the tape is torn"):
        trained(collection)


def test_a_partition_that_changes_between_two_readings_is_an_error(default: Client, tmp_path: Path) -> None:
    def shrinking(part: pd.DataFrame) -> pd.DataFrame:
        times = len(list(tmp_path.iterdir()))
        (tmp_path / str(times)).touch()
        return part[: len(part) - times]

    collection = dd.from_pandas(frame(1_000), npartitions=1)
    with pytest.raises(DataError, match=r"have 99\d rows, and had (1,000|99\d) when they were counted"):
        trained(collection.map_partitions(shrinking, meta=collection._meta))


def test_predictions_scores_report_and_effects(cluster: Processes, folder: str, tmp_path: Path) -> None:
    options = {"C": INF, "scheduler": cluster.address}
    model = trained(folder, **options)
    there: dict[str, Any] = {"scheduler": cluster.address}
    assert zeroloop.evaluate(model, folder) == zeroloop.evaluate(model, folder, **there)
    how: dict[str, Any] = {"keep": ["level"], "interval": 0.9}
    zeroloop.predict_file(model, folder, tmp_path / "p.parquet", **how)
    for _ in range(2):  # the second takes the first's place
        assert zeroloop.predict_file(model, folder, tmp_path / "there.parquet", **how, **there) == FILES * ROWS
    parts = sorted((tmp_path / "there.parquet").iterdir())
    assert len(parts) > 1
    assert pa.concat_tables(map(pq.read_table, parts)).equals(pq.read_table(tmp_path / "p.parquet"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.parquet", "there.parquet"]
    with pytest.raises(OutputError, match=r"name it NAME\.parquet"):
        zeroloop.predict_file(model, folder, tmp_path / "p.csv", **there)
    uri = (tmp_path / "by-uri.parquet").as_uri()
    assert zeroloop.predict_file(model, folder, uri, **there) == FILES * ROWS
    with pytest.raises(OutputError, match="is there already"):
        zeroloop.predict_file(model, folder, uri, **there)
    pages = []
    for name, where in (("a.html", {}), ("b.html", there)):
        model.report(tmp_path / name, folder, **where)
        pages.append((tmp_path / name).read_text())
    assert pages[0] == pages[1]
    other = tmp_path / "other.parquet"
    frame(70_000, seed=1).to_parquet(other)
    for name, where in (("a.html", {}), ("b.html", there)):
        model.report(tmp_path / name, other, **where)
        pages.append((tmp_path / name).read_text())
    assert pages[2] == pages[3]
    assert pages[2] != pages[0]
    a, b = model.marginal_effects(folder), model.marginal_effects(folder, **there)
    pd.testing.assert_frame_equal(a.to_pandas(), b.to_pandas(), check_exact=True)
    assert model.test("level", data=folder) == model.test("level"), "it remembers its scheduler"


def test_a_path_of_penalties(cluster: Processes, folder: str) -> None:
    drop = ["weight", "group"]
    a = zeroloop.path(folder, "y", drop=drop, Cs=[0.001, 0.1])
    b = zeroloop.path(folder, "y", drop=drop, Cs=[0.001, 0.1], scheduler=cluster.address)
    assert np.array_equal(a.coef, b.coef)


def test_arrays_of_dask(default: Client) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90_000, 6))
    y = np.where(rng.random(90_000) < 1 / (1 + np.exp(-X[:, 0])), "yes", "no")
    weight = rng.random(90_000)
    chunked = da.from_array(X, chunks=(20_000, 4))
    several = np.where(rng.random(90_000) < 0.2, "maybe", y)
    balanced = {"class_weight": "balanced"}
    cases: list[tuple[Any, dict[str, Any], Any]] = [(y, balanced, weight), (several, {"C": 0.1}, None)]
    for labels, options, weights in cases:
        a = zeroloop.LogisticRegression(**options).fit(X, labels, weights)
        b = zeroloop.LogisticRegression(**options).fit(chunked, labels, weights)
        c = zeroloop.LogisticRegression(**options).fit(chunked, da.from_array(labels, chunks=50_000), weights)
        np.testing.assert_allclose(b.coef_, a.coef_, rtol=0, atol=1e-10)
        np.testing.assert_allclose(b.intercept_, a.intercept_, rtol=0, atol=1e-10)
        assert np.array_equal(b.coef_, c.coef_)
        assert b.n_features_in_ == 6
        lazy: Any = b.predict_proba(chunked)
        here = a.predict_proba(X)  # compiles, so that not every worker has to
        np.testing.assert_allclose(lazy.compute(), here, atol=1e-10)
        np.testing.assert_allclose(np.asarray(b.decision_function(chunked)), a.decision_function(X), atol=1e-9)
        assert np.array_equal(np.asarray(b.predict(chunked)), a.predict(X))
    aligned = da.from_array(X, chunks=(65_536, 6))
    plain = zeroloop.LogisticRegression
    assert np.array_equal(plain().fit(aligned, y).coef_, plain().fit(X, y).coef_)

    table = pd.DataFrame(X, columns=list("abcdef"))
    in_parts = dd.from_pandas(table, npartitions=3)
    labels = da.from_array((y == "yes").astype(int), chunks=chunked.chunks[0])
    with pytest.raises(ValueError, match="y is an array of this process, but"):
        plain().fit(in_parts, y)
    with pytest.raises(ValueError, match="y has 5 chunks, but X has 3"):
        plain().fit(in_parts, labels)
    of_frame = plain().fit(in_parts, dd.from_pandas(pd.Series((y == "yes").astype(int)), npartitions=3))
    assert list(of_frame.feature_names_in_) == list("abcdef")
    found: Any = of_frame.predict_proba(in_parts)
    assert found.compute().shape == (90_000, 2)

    S: Any = sparse.random(8_000, 300, density=0.02, format="csr", random_state=0)
    t = (rng.random(8_000) < 1 / (1 + np.exp(-5 * S[:, 0].toarray().ravel()))).astype(int)
    blocks = da.arange(8_000, chunks=3_000)[:, None].map_blocks(
        lambda at: S[at[0, 0] : at[-1, 0] + 1], chunks=((3_000, 3_000, 2_000), (300,)), meta=sparse.csr_matrix((0, 300))
    )
    a, b = plain().fit(S, t), plain().fit(blocks, t)
    np.testing.assert_allclose(b.coef_, a.coef_, rtol=0, atol=1e-10)


def test_bad_arrays_of_dask_are_one_sentence(default: Client) -> None:
    X, y = da.ones((100, 2), chunks=50), np.arange(100) % 2
    fit = zeroloop.LogisticRegression().fit
    with pytest.raises(ValueError, match=r"y has shape \(99,\), but X has 100 rows"):
        fit(X, y[1:])
    with pytest.raises(ValueError, match="one class only"):
        fit(X, np.zeros(100))
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        fit(X, np.linspace(0, 1, 100))
    with pytest.raises(ValueError, match=r"contains NaN(, infinity| or infinity)"):
        fit(da.where(X > 0, np.nan, X), y)
    with pytest.raises(ValueError, match="y holds NaN"):
        fit(X, da.where(da.arange(100, chunks=50) > 3, np.nan, 1.0))
    with pytest.raises(ValueError, match="sample_weight must have"):
        fit(X, y, -np.ones(100))
    with pytest.raises(OptionError, match="are for LogisticRegression"):
        zeroloop.LogisticRegressionCV().fit(X, y)


@pytest.mark.parametrize("n_dimensions", [0, 1, 3])
def test_an_array_of_dask_without_columns_is_one_sentence(n_dimensions: int) -> None:
    rows = np.arange(40.0).reshape([40, 1, 1][:n_dimensions] if n_dimensions else 40)
    X = da.from_array(rows[0] if n_dimensions == 0 else rows)
    labels = np.arange(40) % 2
    with pytest.raises(ValueError, match=f"Expected 2D array, got {n_dimensions}D Dask array"):
        zeroloop.LogisticRegression().fit(X, da.from_array(labels))
    fitted = zeroloop.LogisticRegression().fit(np.arange(40.0)[:, np.newaxis], labels)
    for method in (fitted.predict, fitted.predict_proba, fitted.decision_function):
        with pytest.raises(ValueError, match=f"Expected 2D array, got {n_dimensions}D Dask array"):
            method(X)


def test_bytes_on_the_wire_grow_with_coefficients_and_not_with_rows(cluster: Processes, tmp_path: Path) -> None:
    client = cluster.client
    client.run(count_bytes)
    client.run_on_scheduler(count_bytes)
    count_bytes()

    def of_a_pass(rows: int, columns: int) -> float:
        source, one_pass = gradient_of(of_columns(tmp_path, rows, columns), client)

        def total() -> int:
            return sum([*client.run(n_bytes).values(), client.run_on_scheduler(n_bytes), n_bytes()])

        source.reduce(one_pass)
        start, passes = total(), 10
        for _ in range(passes):
            source.reduce(one_pass)
        return (total() - start) / passes

    few, many, wide = of_a_pass(2**17, 20), of_a_pass(2**19, 20), of_a_pass(2**15, 200)
    assert many < 1.25 * few + 20_000, (few, many)  # heartbeats come and go
    assert few < 8 * 16_000  # a task for each of eight partitions
    assert many < 2**19 * 20 * 4 / 100, "a hundredth of the rows' own bytes"
    # Coefficients out and a gradient back, both through the scheduler or between workers, for each partition.
    assert 8 * 180 * 8 < wide - few < 8 * 8 * 180 * 8, (few, wide)


def test_the_command_line(cluster: Processes, folder: str, here: Model, tmp_path: Path) -> None:
    model, run = str(tmp_path / "m.json"), CliRunner()
    at = ["--scheduler", cluster.address]
    found = run.invoke(app, ["train", folder, "--target", "y", "--drop", "weight,group", "--out", model, *at])
    assert found.exit_code == 0, found.output
    assert np.array_equal(zeroloop.load(model).coef, here.coef)
    found = run.invoke(app, ["evaluate", model, folder, *at])
    assert found.exit_code == 0, found.output
    found = run.invoke(app, ["predict", model, folder, "--out", str(tmp_path / "p.parquet"), *at])
    assert f"{FILES * ROWS:,} predictions" in found.output
    found = run.invoke(app, ["report", model, folder, "--out", str(tmp_path / "r.html"), *at])
    assert found.exit_code == 0, found.output


def test_a_scheduler_that_does_not_answer() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ClusterError, match=rf"No Dask scheduler answers at tcp://127.0.0.1:{port} .* `dask scheduler`"):
        zeroloop.train("x.parquet", "y", scheduler=f"tcp://127.0.0.1:{port}")
    with pytest.raises(OptionError, match="must be an address such as"):
        zeroloop.train("x.parquet", "y", scheduler=3)


def test_rows_of_this_process_are_not_for_a_cluster(cluster: Processes) -> None:
    with pytest.raises(OptionError, match="its workers cannot read the table of this process"):
        zeroloop.train(frame(100), "y", scheduler=cluster.address)
    with pytest.raises(OptionError, match="needs a Dask client"):
        zeroloop.train(dd.from_pandas(frame(100), npartitions=2), "y")


def test_what_is_no_scheduler_is_said(cluster: Processes, folder: str) -> None:
    worker = next(iter(cluster.client.nthreads()))
    with pytest.raises(ClusterError, match="what answers there is a worker"):
        zeroloop.train(folder, "y", scheduler=worker)


def test_a_memory_that_no_worker_has_is_said(cluster: Processes, folder: str) -> None:
    said = r"memory lets the rows of each worker take 5 GiB, and tcp://127\.0\.0\.1:\d+ may take 4 GiB in all"
    with pytest.warns(zeroloop.ZeroloopWarning, match=said):
        zeroloop.train(folder, "y", scheduler=cluster.address, memory="5GiB", max_passes=50)
    with pytest.raises(OptionError, match="memory is 'lots'"):
        zeroloop.train(folder, "y", scheduler=cluster.address, memory="lots")


def test_without_dask_the_error_says_how_to_get_it(flights: str) -> None:
    code = (
        "import sys; sys.modules['distributed'] = None; sys.modules['dask'] = None\n"
        "from zeroloop.cli import main\n"
        f"sys.argv = ['zeroloop', 'train', {flights!r}, '--target', 'late', '--scheduler', 'tcp://127.0.0.1:1']\n"
        "main()"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.returncode == 2
    assert re.search(r"not installed\s+here; get it with `pip install\s+'zeroloop\[dask\]'`", found.stderr)
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize("form", ["dates", "text", "objects", "%d/%m/%Y %H:%M"])
def test_dates_on_a_cluster(form: str, default: Client, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = frame(1_000)
    hours = rng.integers(0, 24 * 500, len(table))
    when = pd.Series(pd.Timestamp("2022-03-01") + pd.to_timedelta(hours, unit="h")).dt.as_unit("us")
    when[::11] = pd.NaT
    table["when"] = when
    if form == "text":
        table["when"] = when.dt.strftime("%Y-%m-%d %H:%M").astype("string")
    elif form == "objects":
        table["when"] = [None if pd.isna(one) else one.date() for one in when]
    elif form != "dates":
        table["when"] = when.dt.strftime(form).astype(object)
    half = len(table) // 2
    for at, part in enumerate([table[:half], table[half:]]):
        part.to_parquet(tmp_path / f"{at}.parquet")
    expected = trained(str(tmp_path))
    assert expected.schema.dates
    assert_same_bits(trained(str(tmp_path), scheduler=default), expected)
    collection = dd.from_pandas(table, npartitions=3)
    on_cluster = trained(collection)
    assert on_cluster.schema.dates == expected.schema.dates
    np.testing.assert_allclose(on_cluster.coef, expected.coef, rtol=0, atol=1e-9)
    scores = zeroloop.evaluate(on_cluster, collection)
    assert scores["log_loss"] == pytest.approx(zeroloop.evaluate(expected, table)["log_loss"], rel=1e-9)
