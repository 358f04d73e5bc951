"""Tables through pipes, predictions to standard output, files from the web: as if they were files here."""

from __future__ import annotations

import gzip
import json
import os
import pty
import socket
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest
from distributed import Client

import zeroloop
from test_kinds import a_table, as_csv, as_lines, as_orc, as_parquet, check_same, in_zip
from zeroloop import after_fit, disks, fifos
from zeroloop.errors import DataError, OptionError, OutputError
from zeroloop.tables import kept, stores
from zeroloop.terminal import console_beside

SCRIPT = [sys.executable, "-c", "from zeroloop.cli import main; main()"]
WAYS = {
    "csv": as_csv,
    "csv.gz": lambda table: gzip.compress(as_csv(table)),
    "zip": lambda table: in_zip(as_csv(table)),
    "json": as_lines,
    "parquet": as_parquet,
    "orc": as_orc,
}


def shell(command: str, *words: str, cwd: Path, stdin: Any = subprocess.DEVNULL) -> subprocess.CompletedProcess[bytes]:
    """Run a command of bash, in which `zeroloop` is the command line."""
    function = f'set -o pipefail; zeroloop() {{ "$PYTHON" -c "{SCRIPT[2]}" "$@"; }}; '
    environment = os.environ | {"PYTHON": sys.executable, "COLUMNS": "100"}
    return subprocess.run(
        ["bash", "-c", function + command, "bash", *words], cwd=cwd, stdin=stdin, capture_output=True, timeout=120,
        check=False, env=environment,
    )  # fmt: skip


def ok(done: subprocess.CompletedProcess[bytes]) -> str:
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pipes")
    for ending, write in WAYS.items():
        (folder / f"t.{ending}").write_bytes(write(a_table()))
    zeroloop.train(folder / "t.parquet", "y", out=folder / "right.json", test_fraction=0.25)
    zeroloop.predict_file(
        zeroloop.load(folder / "right.json"), folder / "t.parquet", folder / "right.csv", keep=["town"]
    )
    return folder


@pytest.fixture
def through() -> Iterator[Callable[[bytes], str]]:
    """Return what has a content come through a pipe, whose path it returns."""
    handles: list[int] = []

    def feed(content: bytes) -> str:
        reading, writing = os.pipe()
        handles.append(reading)

        def write() -> None:
            with suppress(BrokenPipeError), os.fdopen(writing, "wb") as stream:
                stream.write(content)

        threading.Thread(target=write, daemon=True).start()
        return f"/dev/fd/{reading}"

    yield feed
    for handle in handles:
        os.close(handle)


@pytest.mark.parametrize("ending", WAYS)
@pytest.mark.parametrize("where", ["", "60kB", "1MB none"])
def test_a_pipe_is_a_table(ending: str, where: str, folder: Path, through: Callable[[bytes], str]) -> None:
    options = dict(zip(("memory", "spill"), where.split(), strict=False))
    path = through((folder / f"t.{ending}").read_bytes())
    model = check_same(path, a_table(), **options)  # read at training and at prediction
    assert (model.training.data, model.training.paths) == (path, ["-"])


def test_pipes_by_name(folder: Path, tmp_path: Path) -> None:
    def fed() -> str:
        os.mkfifo(tmp_path / "fifo")
        feeder = threading.Thread(target=lambda: (tmp_path / "fifo").write_bytes((folder / "t.csv.gz").read_bytes()))
        feeder.start()
        return str(tmp_path / "fifo")

    found = zeroloop.train(fed(), "y", test_fraction=0.25)
    right = zeroloop.load(folder / "right.json")
    assert found.coef.tobytes() == right.coef.tobytes()
    assert found.training.paths == ["-"]


def test_the_command_line_in_pipes(folder: Path, tmp_path: Path) -> None:
    command = 'gzip -dc "$1"/t.csv.gz | zeroloop train - --target y --test-fraction 0.25 --out a.json'
    assert "Read standard input: 1,500 rows" in ok(shell(command, str(folder), cwd=tmp_path))
    found, right = zeroloop.load(tmp_path / "a.json"), zeroloop.load(folder / "right.json")
    assert found.coef.tobytes() == right.coef.tobytes()
    done = shell("cat t.orc | zeroloop predict right.json - --keep town -o -", cwd=folder)
    assert ok(done) == (folder / "right.csv").read_text()
    assert done.stderr.decode() == "Wrote standard output: 1,500 predictions\n"
    done = shell("zeroloop predict right.json <(cat t.json) -o - | head -n 2", cwd=folder)
    assert ok(done).count("\n") == 2
    assert b"error" not in done.stderr
    ok(shell("zeroloop train t.csv --target y --C inf --out free.json", cwd=folder))
    done = shell("cat t.csv | zeroloop summary free.json - --test a --effects --json", cwd=folder)  # reads it two times
    assert len(json.loads(ok(done))["effects"]) > 0


def test_a_path_to_standard_output(folder: Path, tmp_path: Path) -> None:
    done = shell("zeroloop path t.csv --target y --n 3 -o -", cwd=folder)
    zeroloop.path(folder / "t.csv", "y", Cs=3)
    lines = ok(done).splitlines()
    assert lines[0].startswith('"C","nonzero",')
    assert len(lines) == 4
    assert "3 values of C" in done.stderr.decode()


def test_what_standard_input_may_not_be(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    main, terminal = pty.openpty()
    (folder / "nothing").write_bytes(b"")
    with (
        os.fdopen(main),
        os.fdopen(terminal) as stream,
        (folder / "nothing").open() as nothing,
        (folder / "t.parquet").open() as cut,
    ):
        cut.seek(300)  # of which a shell has read some already
        for stdin, message in (
            (None, r"^standard input is closed; pipe a table into it, or name a file\.$"),
            (stream, r"^standard input is a terminal; pipe a table into it, or name a file\.$"),
            (nothing, r"^standard input: the file is empty\.$"),
            (cut, "^standard input: it is of no kind that is read"),
        ):
            monkeypatch.setattr(sys, "stdin", stdin)
            with pytest.raises(DataError, match=message):
                zeroloop.train("-", "y")


def test_more_than_may_be_kept_is_said(folder: Path, tmp_path: Path, through: Callable[[bytes], str]) -> None:
    content = (folder / "t.csv").read_bytes()
    with pytest.raises(OptionError, match="has more than the 20,000 bytes that memory allows to keep"):
        zeroloop.train(through(content), "y", memory="20kB", spill="none")
    with pytest.raises(OutputError, match=r"spill: no file can be written in .*none|the folder .* does not exist"):
        zeroloop.train(through(content), "y", spill=str(tmp_path / "none"))


def test_a_disk_without_room_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch, through: Callable[[bytes], str]
) -> None:
    monkeypatch.setattr(kept, "OFTEN", 1_000)
    monkeypatch.setattr(kept, "has_room", lambda folder, n_bytes: False)
    with pytest.raises(OutputError, match=r"spill: .* is full after [\d,]+ bytes of /dev/fd/\d+ \(fewer than"):
        zeroloop.train(through((folder / "t.csv").read_bytes()), "y")


def test_what_standard_output_may_not_be(folder: Path) -> None:
    model = zeroloop.load(folder / "right.json")
    only = "^-: is standard output, which only tables are written to; name a file"
    with pytest.raises(OutputError, match=only):
        zeroloop.train(folder / "t.csv", "y", out="-")
    for write in (
        lambda: zeroloop.train(folder / "t.csv", "y", report="-"),
        lambda: model.report("-", folder / "t.csv"),
    ):
        with pytest.raises(OutputError, match=r"^-: "):
            write()
    with pytest.raises(OptionError, match="json: prints on standard output, and so does --out -"):
        console_beside(Path("-"), True)
    with pytest.raises(DataError, match="is a device or a socket, which holds no table"):
        zeroloop.train("/dev/zero", "y")


def test_standard_output_in_python_may_take_no_bytes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Notebook:
        def write(self, text: str) -> int:
            return len(text)

    monkeypatch.setattr(sys, "stdout", Notebook())
    with pytest.raises(OutputError, match="standard output takes no bytes here"):
        zeroloop.predict_file(zeroloop.load(folder / "right.json"), folder / "t.csv", "-")


def test_a_checkpoint_knows_what_came_through_a_pipe(folder: Path, tmp_path: Path) -> None:
    command = """
import sys, zeroloop
def tell(work):
    if sys.argv[1] in work.doing:
        raise KeyboardInterrupt
try:
    zeroloop.train("-", "y", test_fraction=0.25, checkpoint="kept", out="m.json", progress=tell)
except (KeyboardInterrupt, zeroloop.ZeroloopError) as error:
    print(error)
"""

    def run(content: bytes, until: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", command, until],
            input=content,
            capture_output=True,
            timeout=60,
            check=False,
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    content = (folder / "t.csv").read_bytes()
    assert "the scan and 2 passes are kept" in run(content, "pass 3")
    assert "of another run (data: standard input is" in run(content[: content.rindex(b"\n", 0, -1) + 1], "nothing")
    assert run(content, "nothing") == ""
    found, right = zeroloop.load(tmp_path / "m.json"), zeroloop.load(folder / "right.json")
    assert found.coef.tobytes() == right.coef.tobytes()


def test_workers_cannot_read_a_pipe_of_this_process(through: Callable[[bytes], str]) -> None:
    path = through(b"")
    with Client(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0") as client:
        for name, what in (("-", "standard input"), (path, f"the pipe {path}")):
            with pytest.raises(OptionError, match=f"its workers cannot read {what} of this process; give paths"):
                zeroloop.train(name, "y", scheduler=client)


class Pages(BaseHTTPRequestHandler):
    """A server of what it is told to serve."""

    pages: ClassVar[dict[str, bytes]] = {}
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        """Answer."""
        self.asked.append(self.path)
        name = self.path.partition("?")[0]
        if name == "/moved":
            self.send_response(302)
            self.send_header("Location", "/t.csv?from=/moved")
            self.end_headers()
        elif name not in self.pages:
            self.send_error(404)
        else:
            content = self.pages[name]
            cut = "cut" in self.path
            self.send_response(200)
            if "unsized" not in self.path:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if cut else content)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server(folder: Path) -> Iterator[str]:
    Pages.pages = {f"/t.{ending}": (folder / f"t.{ending}").read_bytes() for ending in WAYS}
    Pages.pages |= {"/page": b"<!DOCTYPE html><p>log in</p>", "/t.svm": b"1 1:2.5\n0 2:1\n1 1:1 2:3\n0 1:1\n" * 9}
    with HTTPServer(("127.0.0.1", 0), Pages) as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{made.server_port}"
        made.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "name", [*(f"t.{ending}" for ending in WAYS), "moved", "t.parquet?key=*&b=[1]", "t.csv?unsized"]
)
def test_files_on_the_web_are_tables(name: str, server: str) -> None:
    Pages.asked.clear()
    model = zeroloop.train(f"{server}/{name.replace('cut_not', 'k')}", "y", test_fraction=0.25, memory="60kB")
    assert len(Pages.asked) == 1 + (name == "moved")  # however many passes there are
    assert model.coef.tobytes() == zeroloop.train(a_table(), "y", test_fraction=0.25).coef.tobytes()


def test_libsvm_on_the_web_is_known_by_its_name(server: str) -> None:
    assert zeroloop.train(f"{server}/t.svm?key=1", "label").schema.sparse is not None


def test_what_the_web_does_not_give_is_named(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "GIVES_UP", 0.3)
    silent = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{silent.getsockname()[1]}/t.csv"
    for place, message in (
        (f"{server}/none.csv", r"none\.csv: cannot be opened \(404 Not Found\); check the address"),
        (f"{server}/t.csv?cut", r"t\.csv\?cut: [\d,]+ of [\d,]+ bytes came; try again"),
        (f"{server}/page", "it is a web page"),
        (url, r"cannot be opened \((timed out|no answer in 0\.3 seconds)\)"),
        ("http://127.0.0.1:1/t.csv", r"cannot be opened \(.*Connection refused\)"),
        ("http://[::1/t.csv", "is no address"),
        ("https://", r"cannot be opened \(no host given\)"),
    ):
        with pytest.raises(DataError, match=message):
            zeroloop.train(place, "y")
    silent.close()


def test_workers_fetch_files_from_the_web_themselves(server: str) -> None:
    Pages.asked.clear()
    with Client(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0") as client:
        model = zeroloop.train([f"{server}/t.csv", f"{server}/t.parquet"], "y", test_fraction=0.25, scheduler=client)
    assert len(Pages.asked) > 2
    twice = pa.concat_tables([a_table(), a_table()])
    assert model.coef.tobytes() == zeroloop.train(twice, "y", test_fraction=0.25).coef.tobytes()


def test_a_fifo_without_anybody_at_its_other_end_is_said(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both ends begin to wait alone; the other one comes once it has been said."""
    monkeypatch.setattr(fifos, "PATIENCE", 0.1)
    content = (folder / "t.csv").read_bytes()
    model = zeroloop.load(folder / "right.json")
    os.mkfifo(tmp_path / "in")
    os.mkfifo(tmp_path / "out.csv")
    got: list[bytes] = []
    said: list[str] = []

    def come(message: Warning | str, *_: Any, **__: Any) -> None:
        said.append(str(message))
        if "reads" in said[-1]:
            other = threading.Thread(target=lambda: got.append((tmp_path / "out.csv").read_bytes()))
        else:
            other = threading.Thread(target=lambda: (tmp_path / "in").write_bytes(content))
        other.start()
        others.append(other)

    others: list[threading.Thread] = []
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        monkeypatch.setattr(warnings, "showwarning", come)
        for _ in range(2):  # each reading waits for a writer of its own
            zeroloop.predict_file(model, tmp_path / "in", tmp_path / "out.csv", keep=["town"])
            for other in others:
                other.join(60)
    waits = ["is a pipe that nobody has written into yet; waiting", "is a pipe that nobody reads from; waiting"] * 2
    assert all(wait in one for wait, one in zip(waits, said, strict=True))
    assert got == [(folder / "right.csv").read_bytes()] * 2


def test_no_folder_for_temporary_files_is_said_only_where_one_is_needed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, through: Callable[[bytes], str]
) -> None:
    none = str(tmp_path / "none")
    access = SimpleNamespace(environ={"TMPDIR": none}, path=os.path, access=lambda *_: False, W_OK=2, X_OK=1)
    monkeypatch.setattr(disks, "os", access)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [none])
    monkeypatch.setattr(tempfile, "tempdir", None)
    table, right = folder / "t.csv", zeroloop.load(folder / "right.json")
    some: list[dict[str, Any]] = [{}, {"memory": "20kB", "spill": "none"}]
    for options in some:
        assert np.array_equal(zeroloop.train(table, "y", test_fraction=0.25, **options).coef, right.coef)
    zeroloop.predict_file(right, table, tmp_path / "p.csv")
    with pytest.raises(OutputError, match=r"spill: no file can be written in .*/none"):
        zeroloop.train(table, "y", memory="20kB")
    with pytest.raises(OutputError, match=r"spill: no file can be written in .*/none"):
        zeroloop.train(through(table.read_bytes()), "y")

    def full(*_: Any) -> None:
        raise OutputError("m.json: cannot be written.")

    monkeypatch.setattr(type(right), "save", full)
    with pytest.raises(OutputError, match=r"^m\.json: cannot be written\.$"):  # nor anywhere else
        after_fit.save(right, tmp_path / "m.json")
