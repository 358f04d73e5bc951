"""URIs of every kind in every place that takes a path: one sentence within seconds, and nothing made on this machine.

No address is of anything outside this machine: what could be somebody's is a port of it that nobody listens on.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import fsspec
import numpy as np
import pytest
import typer

import zeroloop
from command_line import check, run
from hostile import CASES
from zeroloop.cli import app
from zeroloop.errors import DataError, ZeroloopWarning
from zeroloop.outputs import is_uri
from zeroloop.tables import stores

CLOSED = "127.0.0.1:1"
URIS = [
    f"ftp://{CLOSED}/x", f"sftp://{CLOSED}/x", f"ssh://{CLOSED}/x", f"http://{CLOSED}/x", f"https://u:p@{CLOSED}/x",
    f"s3://b/x?endpoint_override={CLOSED}&scheme=http&region=us-east-1",
    f"gs://anonymous@b/x?endpoint_override={CLOSED}&scheme=http&retry_limit_seconds=1", f"hdfs://{CLOSED}/x",
    f"webhdfs://{CLOSED}/x", f"smb://{CLOSED}/s/x", f"abfs://c@{CLOSED}/x", "az://c/x", "adl://a/x", "s3a://b/x", "hf://x/y",
    "zip://x", "zip://x::no.zip", "tar://x::no.tar", "libarchive://x", "data://x", "data://text/csv;base64,eA==",
    "file://x", "file:///no/such/x", "file://host/x", "FILE:///x", "local://x", "memory://x", "github://o:r@m/x",
    "git://x", "dask://x", "dir://x", "jupyter://x", "reference://x", "simplecache::memory://x", "filecache://x",
    "cached://x", "async_wrapper://x", "generic://x", "unknown://x", "1x://y", "://", "x://", "http://[", "ftp://",
    "zip://", "blockcache::ftp://x", "zip://x::simplecache::memory://x", "memory://*", f"ftp://{CLOSED}/*",
]  # fmt: skip

# A run that ends well, of each command that takes a path.
GOOD: dict[str, dict[str, str]] = {
    "train": {"data": "d.csv", "target": "y", "out": "new.json", "report": "new.html", "checkpoint": "c", "spill": "."},
    "path": {"data": "d.csv", "target": "y", "out": "new.csv", "plot": "new.png", "spill": ".", "n": "2"},
    "predict": {"model": "m.json", "data": "d.csv", "out": "new.csv"},
    "evaluate": {"model": "m.json", "data": "d.csv"},
    "summary": {"model": "m.json", "data": "d.csv", "test": "x"},
    "report": {"model": "m.json", "data": "d.csv", "out": "new.html", "spill": "."},
    "data": {"out": "new.parquet"},
    "ladder": {"plot": "new.svg", "examples": "20", "features": "2", "mine": "my.py"},
}
COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
HINTS = {found.callback.__name__: get_type_hints(found.callback) for found in app.registered_commands if found.callback}
TAKES_PATH = [
    (command, place)
    for command, hints in HINTS.items()
    for place, hint in hints.items()
    if Path in (hint, *get_args(hint)) or place in ("data", "out", "spill")
]


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uris")
    rng = np.random.default_rng(1)
    (folder / "d.csv").write_text("\n".join(["y,x", *(f"{rng.integers(2)},{rng.normal():.3f}" for _ in range(60))]))
    (folder / "my.py").write_text("from zeroloop.ladder.rungs import vectorized as gradient\n")
    zeroloop.train(folder / "d.csv", "y", C=float("inf"), out=folder / "m.json")
    return folder


@pytest.fixture(autouse=True)
def here(ready: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ready)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    if not CASES:  # Amazon's and Google's own limits are above
        monkeypatch.setattr(stores, "SILENT", 0.5)
        monkeypatch.setattr(stores, "GIVES_UP", 1.0)


def words(command: str, given: dict[str, str]) -> list[str]:
    found = [command]
    for parameter in COMMANDS[command].params:
        if parameter.name in given:
            value = given[parameter.name]
            found += [value] if parameter.param_type_name == "argument" else [parameter.opts[0], value]
    return found


def test_every_place_that_takes_a_path_is_tried() -> None:
    assert len(TAKES_PATH) >= 22
    for command, place in TAKES_PATH:
        assert place in GOOD.get(command, {}), f"{command} --{place} is new: give it a good value"


@pytest.mark.parametrize(("command", "place"), TAKES_PATH, ids=map("-".join, TAKES_PATH))
def test_a_uri_is_one_sentence_and_nothing_is_made(command: str, place: str, ready: Path) -> None:
    every = CASES or (command, place) == ("train", "data")
    at = TAKES_PATH.index((command, place))
    for uri in URIS if every else URIS[at % 7 :: 7]:
        suffix = Path(GOOD[command][place]).suffix
        named = uri if "?" in uri or "*" in uri or uri.endswith("/") else uri + suffix
        arguments = words(command, GOOD[command] | {place: named})
        before = sorted(ready.iterdir())
        done = run(*arguments, seconds=30)
        check(done, arguments)
        assert done.returncode == 2, arguments
        said = done.stderr.splitlines()[-1]
        if is_uri(named) and place != "data" and suffix and named.endswith(suffix):
            assert "is a URI, and " in said, said
        elif is_uri(named):
            assert named.partition(":")[0] in said, said
        assert sorted(ready.iterdir()) == before, arguments


def test_what_is_said_of_a_uri() -> None:
    def said(*arguments: str) -> str:
        return run(*arguments).stderr.removeprefix("zeroloop: error: ").rstrip("\n")

    train = ("train", "d.csv", "--target", "y")
    assert said("predict", "s3://b/m.json", "d.csv") == (
        "s3:/b/m.json is a URI, and a model is read from a file of this machine; copy it here first."
    )
    assert said(*train, "--out", "s3://b/m.json") == (
        "s3:/b/m.json is a URI, and results are written into files of this machine; name one, and copy it."
    )
    assert said(*train, "--checkpoint", "gs://b/c") == (
        "checkpoint: gs:/b/c is a URI, and a checkpoint is kept on a disk; name a folder."
    )
    assert said(*train, "--spill", "gs://b/c") == (
        "spill: gs://b/c is a URI, and rows are kept on a disk of this machine; name a folder."
    )
    assert said("train", "dir://x", "--target", "y") == (
        "dir://x: cannot be opened (no such store has this address); check the address and what its store needs (a "
        "package, a network, credentials), or copy the files here and name those."
    )


def test_a_folder_whose_name_looks_like_a_uri_is_a_folder(ready: Path, tmp_path: Path) -> None:
    path = tmp_path / "run:"
    path.mkdir()
    model = zeroloop.train(ready / "d.csv", "y")
    model.save(path / "m.json")
    assert zeroloop.load(path / "m.json").coef.tobytes() == model.coef.tobytes()
    assert not is_uri(path / "m.json")


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of what takes calls and says nothing."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        kept: list[Any] = []

        def take() -> None:
            while True:
                try:
                    kept.append(listening.accept())
                except OSError:
                    return

        threading.Thread(target=take, daemon=True).start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        for call, _ in kept:
            call.close()


def test_a_store_that_does_not_answer_is_given_up(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "SILENT", 0.1)
    monkeypatch.setattr(stores, "GIVES_UP", 0.3)
    with (
        pytest.warns(ZeroloopWarning, match=r"no answer yet after 0\.1 seconds"),
        pytest.raises(DataError, match=r"ftp://.*/x\.csv: cannot be opened \(no answer in 0\.3 seconds\); check"),
    ):
        zeroloop.train(f"ftp://{silent}/x.csv", "y")


def test_a_store_that_answers_late_is_waited_for(monkeypatch: pytest.MonkeyPatch, ready: Path) -> None:
    class Slow(fsspec.get_filesystem_class("file")):  # type: ignore[misc]
        protocol = "slow"

        def info(self, path: str, **options: Any) -> Any:
            time.sleep(0.2)
            return super().info(path, **options)

    fsspec.register_implementation("slow", Slow, clobber=True)
    monkeypatch.setattr(stores, "SILENT", 0.1)
    with pytest.warns(ZeroloopWarning, match="no answer yet"):
        model = zeroloop.train(f"slow://{ready}/d.csv", "y")
    assert model.coef.tobytes() == zeroloop.train(ready / "d.csv", "y").coef.tobytes()


def test_a_store_that_takes_no_network_for_no_file_says_why() -> None:
    class Lost(fsspec.get_filesystem_class("memory")):  # type: ignore[misc]
        protocol = "lost"

        def info(self, path: str, **_: Any) -> Any:
            raise FileNotFoundError(path) from ConnectionError("cannot connect to host")

    fsspec.register_implementation("lost", Lost, clobber=True)
    for name in ("x.csv", "*.csv"):
        with pytest.raises(DataError, match=r"(no such file or folder|no file matches the pattern) \(cannot connect"):
            zeroloop.train(f"lost://{name}", "y")


@pytest.mark.skipif(sys.platform == "win32", reason="no such addresses")
def test_what_is_no_scheduler_is_said(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from zeroloop.sources import dask_cluster

    monkeypatch.setattr(dask_cluster, "CONNECTING", 0.3)
    train = ("train", "d.csv", "--target", "y", "--json", "--scheduler")
    assert "(no answer in 0.3 seconds)" in run(*train, f"tcp://{silent}").stderr
    for address in (CLOSED, f"ws://{CLOSED}", "tcp://", "foo://x:1", "tcp://no.invalid:1", "127.0.0.1:99999", "", "x"):
        done = run(*train, address, seconds=20)
        check(done, ("--json",))
        assert f"No Dask scheduler answers at {address}" in done.stderr
        assert done.stderr.endswith("workers with `dask worker ADDRESS`.\n")
