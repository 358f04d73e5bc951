"""Outputs: never an input, whole or not at all, into what is no file, and saved before anything is shown."""

from __future__ import annotations

import csv
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest

import command_line
import zeroloop
from forked import Forked, server
from zeroloop.errors import OutputError
from zeroloop.outputs import PREFIX, STALE, check_writable, replacing

MAIN = "from zeroloop.cli import main; main()"
ROOT = os.geteuid() == 0 if hasattr(os, "geteuid") else False


def run(
    *arguments: object, cwd: Path, code: int = 0, env: dict[str, str] | None = None, stdout: int = subprocess.PIPE
) -> str:
    """Run the command line; return what it says on standard error, its exit code as expected.

    In a process of its own where its environment or its streams are not those of this one.
    """
    if env is None and stdout == subprocess.PIPE:
        here = command_line.run(*arguments, cwd=cwd)
        assert here.returncode == code, here.stderr
        return here.stderr
    done = subprocess.run(
        [sys.executable, "-c", MAIN, *map(str, arguments)],
        cwd=cwd,
        env=os.environ | (env or {}),
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def table(n: int = 400, seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(n)
    y = (rng.random(n) < 1 / (1 + np.exp(-x))).astype(int)
    return pa.table({"y": y, "x": x, "g": rng.choice(["a", "b"], n)})


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with data, a model, links to both, and a folder of data."""
    pc.write_csv(table(), tmp_path / "d.csv")
    zeroloop.train(str(tmp_path / "d.csv"), "y").save(tmp_path / "m.json")
    (tmp_path / "link.csv").symlink_to("d.csv")
    os.link(tmp_path / "d.csv", tmp_path / "hard.csv")
    (tmp_path / "parts" / "day=1").mkdir(parents=True)
    pc.write_csv(table(), tmp_path / "parts" / "day=1" / "one.csv")
    (tmp_path / "alias").symlink_to("parts")
    return tmp_path


TRAIN = ("train", "d.csv", "--target", "y")
COLLISIONS: list[tuple[str, Sequence[str]]] = [
    ("one of the files that are read", (*TRAIN, "-o", "d.csv")),
    ("one of the files that are read", (*TRAIN, "-o", "./parts/../d.csv")),
    ("one of the files that are read", (*TRAIN, "-o", "link.csv")),
    ("one of the files that are read", (*TRAIN, "-o", "hard.csv")),
    ("one of the files that are read", ("train", "link.csv", "--target", "y", "-o", "hard.csv")),
    ("one of the files that are read", ("train", "*.csv", "--target", "y", "-o", "d.csv")),
    ("one of the files that are read", ("train", "parts", "--target", "y", "-o", "alias/day=1/one.csv")),
    ("one of the files that are read", ("predict", "m.json", "d.csv", "-o", "d.csv")),
    ("one of the files that are read", ("path", "d.csv", "--target", "y", "-o", "link.csv")),
    ("the model that is read", ("predict", "m.csv", "d.csv", "-o", "m.csv")),
    ("the model that is read", ("report", "m.html", "d.csv", "-o", "m.html")),
    ("named for out and for report", (*TRAIN, "-o", "new.html", "--report", "./new.html")),
    ("named for out and for plot", ("path", "d.csv", "--target", "y", "-o", "p.csv", "--plot", "p.svg")),
    ("lies in the checkpoint's folder", (*TRAIN, "--checkpoint", "kept", "-o", "kept")),
    ("lies in the checkpoint's folder", (*TRAIN, "--checkpoint", "run", "--report", "run/r.html")),
    ("would be read as such the next time", ("predict", "m.json", "parts", "-o", "parts/p.csv")),
    ("would be read as such the next time", ("predict", "m.json", "parts", "-o", "alias/day=1/p.parquet")),
    ("would be read as such the next time", ("train", "parts/*/*", "--target", "y", "-o", "alias/day=1/m.json")),
    ("would be read as such the next time", ("train", "parts/**", "--target", "y", "-o", "parts/m.json")),
]


@pytest.mark.parametrize(
    ("why", "arguments"), COLLISIONS, ids=lambda value: "" if isinstance(value, str) else value[-1]
)
def test_an_output_is_no_input(
    why: str, arguments: Sequence[str], here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from zeroloop.cli import main

    (here / "run").mkdir()
    (here / "p.svg").symlink_to("p.csv")
    (here / "m.csv").write_bytes((here / "m.json").read_bytes())
    (here / "m.html").write_bytes((here / "m.json").read_bytes())
    if "m.csv" not in arguments:  # else a glob of data would find it
        (here / "m.csv").unlink()
    before = {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}
    monkeypatch.chdir(here)
    monkeypatch.setattr(sys, "argv", ["zeroloop", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert why in capsys.readouterr().err
    assert {path: path.read_bytes() for path in here.rglob("*") if path.is_file()} == before


def test_in_python_too_what_is_read_is_not_written_over(here: Path) -> None:
    import pyarrow.dataset as ds

    model = zeroloop.load(here / "m.json")
    before = (here / "d.csv").read_bytes()
    for data in (
        str(here / "d.csv"),
        [here / "hard.csv"],
        f"file://{here}/d.csv",
        ds.dataset(here / "d.csv", format="csv"),
    ):
        with pytest.raises(OutputError, match="files that are read"):
            zeroloop.predict_file(model, data, here / "link.csv")
    page = here / "page.html"
    page.write_bytes(before)
    for call in (
        lambda: model.report(page, str(page)),
        lambda: zeroloop.train(str(page), "y", report=page),
        lambda: zeroloop.train(str(page), "y", out=page),
    ):
        with pytest.raises(OutputError, match="files that are read"):
            call()
    assert (here / "d.csv").read_bytes() == page.read_bytes() == before


def test_outputs_beside_the_data_are_written(here: Path) -> None:
    run("predict", "m.json", "parts", "-o", "parts/_scored.csv", cwd=here)
    run("train", "parts", "--target", "y", "-o", "parts/m.json", cwd=here)
    assert zeroloop.load(here / "parts" / "m.json").training.rows_read == 400


@pytest.mark.skipif(not ROOT, reason="only root makes devices")
def test_a_device_is_written_into_and_stays(here: Path) -> None:
    for name in ("null.json", "null.html", "null.svg", "null.csv"):
        os.mknod(here / name, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    run(*TRAIN, "-o", "null.json", "--report", "null.html", cwd=here)
    run("path", "d.csv", "--target", "y", "--n", 3, "-o", "null.csv", "--plot", "null.svg", cwd=here)
    run("predict", "m.json", "d.csv", "-o", "null.csv", cwd=here)
    for name in ("null.json", "null.html", "null.svg", "null.csv"):
        assert stat.S_ISCHR((here / name).stat().st_mode), name
    os.mknod(here / "full.json", 0o666 | stat.S_IFCHR, os.makedev(1, 7))
    said = run(*TRAIN, "-o", "full.json", cwd=here, code=2)
    saved = [path for path in here.glob("zeroloop-model-*.json") if path.name in said]
    assert zeroloop.load(saved[0]).training.rows_read == 400


@pytest.mark.parametrize("name", ["f.json", "f.csv", "f.parquet", "f.html", "f.png"])
def test_a_fifo_is_written_into(name: str, here: Path) -> None:
    os.mkfifo(here / name)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append((here / name).read_bytes()))
    reader.start()
    model = zeroloop.load(here / "m.json")
    match name.partition(".")[2]:
        case "json":
            model.save(here / name)
        case "html":
            model.report(here / name, str(here / "d.csv"))
        case "png":
            zeroloop.path(str(here / "d.csv"), "y", Cs=3).plot(here / name)
        case _:
            zeroloop.predict_file(model, str(here / "d.csv"), here / name)
    reader.join(60)
    (here / f"copy.{name}").write_bytes(got[0])
    if name == "f.parquet":
        assert pq.read_table(here / f"copy.{name}").num_rows == 400
    elif name == "f.json":
        assert (here / f"copy.{name}").read_bytes() == (here / "m.json").read_bytes()
    elif name == "f.csv":
        assert pc.read_csv(here / f"copy.{name}").num_rows == 400
    else:
        assert got[0][1:9].lower().startswith(b"!doctype" if name == "f.html" else b"png")
    assert stat.S_ISFIFO((here / name).stat().st_mode)


def test_links_are_followed_and_stay(here: Path) -> None:
    elsewhere = here / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "old.json").write_text("old")
    (here / "to_old.json").symlink_to("elsewhere/old.json")
    (here / "to_new.json").symlink_to("elsewhere/new.json")
    (here / "to_none.json").symlink_to("none/new.json")
    model = zeroloop.load(here / "m.json")
    for name in ("old", "new"):
        model.save(here / f"to_{name}.json")
        assert (here / f"to_{name}.json").is_symlink()
        assert (elsewhere / f"{name}.json").read_bytes() == (here / "m.json").read_bytes()
    assert {path.name for path in elsewhere.iterdir()} == {"old.json", "new.json"}
    with pytest.raises(OutputError, match=r"the folder .*none does not exist"):
        model.save(here / "to_none.json")


def test_what_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "fixed").write_text("old")
    (tmp_path / "fixed").chmod(0o444)
    server = socket.socket(socket.AF_UNIX)
    where = os.open(tmp_path, os.O_RDONLY)
    server.bind(f"/proc/self/fd/{where}/socket")  # a socket's address has to be short
    os.close(where)
    for name, why in (
        ("", "is a folder"),
        ("loop", "cannot be written"),
        ("fixed", "is read-only"),
        ("socket", "is a socket"),
        ("none/x", "does not exist"),
        ("fixed/x", "cannot be written|does not exist"),
        ("x" * 256, "too long"),
        ("é" * 128, "too long"),
        ("a\0b", "no file can have this name"),
        ("/".join(["y" * 200] * 30), "too long"),
    ):
        with pytest.raises(OutputError, match=why):
            check_writable(tmp_path / name)
    server.close()
    assert (tmp_path / "fixed").read_text() == "old"


@pytest.mark.parametrize("name", ["m" * 250 + ".json", "é" * 125 + ".json", "[b].json", "-o.json", "a\nb.json"])
def test_any_legal_name_is_written(name: str, tmp_path: Path) -> None:
    check_writable(tmp_path / name)
    with replacing(tmp_path / name) as file:
        file.write(b"new")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_new_file_has_the_mode_of_any_other(tmp_path: Path) -> None:
    script = (
        "import os, pathlib, sys\n"
        "from zeroloop.outputs import replacing\n"
        "os.umask(int(sys.argv[2], 8))\n"
        "os.umask = None\n"  # not even for a moment: it is the whole process's
        "with replacing(pathlib.Path(sys.argv[1])) as file:\n"
        "    file.write(b'new')\n"
    )
    for mask in ("022", "077", "002"):
        path = tmp_path / mask
        subprocess.run([sys.executable, "-c", script, str(path), mask], check=True)
        assert path.stat().st_mode & 0o777 == 0o666 & ~int(mask, 8)


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.json"
    path.write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left"), replacing(path) as file:
        file.write(b"new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_a_mount_is_written_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.json"
    path.write_text("old, and longer than the new one")

    def busy(*_: object) -> None:
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(Path, "replace", busy)
    with replacing(path) as file:
        file.write(b"new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


WRITING = (
    "import pathlib, sys, time\n"
    "from zeroloop.outputs import replacing\n"
    "with replacing(pathlib.Path(sys.argv[1])) as file:\n"
    "    file.write(b'half')\n"
    "    file.flush()\n"
    "    print('begun', flush=True)\n"
    "    time.sleep(60)\n"
)


def test_leftovers_are_cleared_once_old_and_abandoned(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    (tmp_path / f"{PREFIX}folder.tmp").mkdir()
    (tmp_path / ".zeroloop").write_text("somebody's")
    writers = [subprocess.Popen([sys.executable, "-c", WRITING, str(path)], stdout=subprocess.PIPE) for _ in range(3)]
    for writer in writers:
        assert writer.stdout is not None
        writer.stdout.readline()
    left = sorted(one for one in tmp_path.glob(f"{PREFIX}*.tmp") if one.is_file())
    assert len(left) == 3
    writers[0].kill()
    writers[0].communicate()
    with replacing(path) as file:  # none is old yet
        file.write(b"new")
    assert sorted(one for one in tmp_path.glob(f"{PREFIX}*.tmp") if one.is_file()) == left
    for one in left:
        os.utime(one, (time.time() - 2 * STALE,) * 2)
    with replacing(path) as file:
        file.write(b"new")
    living = sorted(one for one in tmp_path.glob(f"{PREFIX}*.tmp") if one.is_file())
    assert len(living) == 2
    for writer in writers[1:]:
        writer.kill()
        writer.communicate()
    for one in living:
        os.utime(one, (time.time() - 2 * STALE,) * 2)
    with replacing(path) as file:
        file.write(b"new")
    assert {one.name for one in tmp_path.iterdir()} == {"m.json", ".zeroloop", f"{PREFIX}folder.tmp"}


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGHUP", 129), ("SIGINT", 130)])
def test_a_signal_ends_a_command_and_leaves_nothing(name: str, code: int, here: Path) -> None:
    """While predictions are written: into rows that a FIFO delivers, and then no more."""
    (here / "old.csv").write_text("old")
    rows = pa.concat_tables([table(seed=seed) for seed in range(200)])
    pq.write_table(rows, here / "many.parquet")
    script = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"  # whoever runs the tests may have had it ignored
        "from zeroloop import predict\n"
        "known = predict._predictions\n"
        "def slow(*given):\n"
        "    print('begun', flush=True)\n"
        "    time.sleep(0.2)\n"
        "    return known(*given)\n"
        "predict._predictions = slow\n"
    ) + MAIN
    process = subprocess.Popen(
        [sys.executable, "-c", script, "predict", "m.json", "many.parquet", "-o", "old.csv"],
        cwd=here,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    assert any(one.name.startswith(PREFIX) for one in here.iterdir())
    process.send_signal(getattr(signal, name))
    _, said = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in said
    assert (here / "old.csv").read_text() == "old"
    assert not any(one.name.startswith(PREFIX) for one in here.iterdir())


def test_under_nohup_a_hangup_is_ignored(here: Path) -> None:
    script = (
        "import signal\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "from zeroloop.commands import signals\n"
        "signals.handle()\n"
        "signal.raise_signal(signal.SIGHUP)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def hostile() -> pa.Table:
    names = np.array(["[/b]", "[red]x"])
    rows = table()
    return rows.set_column(0, "y", pa.array(names[np.asarray(rows["y"])])).append_column(
        "[/i]", pa.array(np.asarray(rows["x"]) ** 2)
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_model_is_saved_whatever_becomes_of_what_is_shown(tmp_path: Path) -> None:
    pq.write_table(hostile(), tmp_path / "d.parquet")
    with pytest.warns(zeroloop.ZeroloopWarning):
        plain = zeroloop.train(str(tmp_path / "d.parquet"), "y", max_iter=1, tol=1e-12)
    arguments = ["train", "d.parquet", "--target", "y", "--max-iter", "1", "--tol", "1e-12", "-o"]
    # What an interpreter finds when it begins.
    for i, (env, streams, more) in enumerate(
        (
            ({"MPLBACKEND": "no such backend"}, "", ["--report", "r.html"]),
            ({}, "2>&-", []),
            ({"PYTHONIOENCODING": "ascii"}, "", []),
        )
    ):
        subprocess.run(
            f'"{sys.executable}" -c "{MAIN}" {" ".join([*arguments, f"{i}.json", *more])} {streams}',
            shell=True,
            cwd=tmp_path,
            env=os.environ | env,
            capture_output=True,
            check=False,
            timeout=120,
        )
        np.testing.assert_array_equal(zeroloop.load(tmp_path / f"{i}.json").coef, plain.coef)
    full, colours = "/dev/full", {"FORCE_COLOR": "1", "TTY_COMPATIBLE": "1"}
    for name, out, err, env, more in (
        ("out.json", full, os.devnull, {}, []),
        ("err.json", os.devnull, full, {}, []),
        ("both.json", full, full, colours, ["--report", "r.html"]),
        ("json.json", full, os.devnull, {}, ["--json"]),
    ):
        with Path(os.devnull).open() as nothing, Path(out).open("wb", 0) as one, Path(err).open("wb", 0) as other:
            ends = [stream.fileno() for stream in (nothing, one, other)]
            with Forked(MAIN, [*arguments, name, *more], server(), ends, tmp_path, os.environ | env) as process:
                process.wait(120)
        np.testing.assert_array_equal(zeroloop.load(tmp_path / name).coef, plain.coef)


@pytest.mark.filterwarnings("ignore::zeroloop.ZeroloopWarning")
def test_a_model_outlives_scores_report_and_checkpoint_that_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zeroloop.report import page
    from zeroloop.sources.checkpoint import Checkpoint

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("something broke")

    monkeypatch.setattr("zeroloop.training.source_scores", fails)
    monkeypatch.setattr(page, "write_page", fails)
    monkeypatch.setattr(Checkpoint, "finish", fails)
    data, out = table(), tmp_path / "m.json"
    with pytest.warns(zeroloop.ZeroloopWarning) as said:
        model = zeroloop.train(
            data, "y", out=out, report=tmp_path / "r.html", checkpoint=tmp_path / "kept", test_fraction=0.3
        )
    assert zeroloop.load(out).held_out is None
    np.testing.assert_array_equal(zeroloop.load(out).coef, model.coef)
    texts = [str(one.message) for one in said]
    for what in ("held out were not scored", "checkpoint was not marked", "report was not written"):
        assert any(what in text and "something broke" in text for text in texts), texts


def test_a_place_that_is_gone_after_the_fit_costs_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:

    monkeypatch.chdir(tmp_path)
    (tmp_path / "gone").mkdir()
    from zeroloop.scoring import source_scores as known

    def remove(*given: object) -> object:
        (tmp_path / "gone").rmdir()
        return known(*given)  # type: ignore[arg-type]

    monkeypatch.setattr("zeroloop.training.source_scores", remove)
    with pytest.raises(OutputError, match=r"does not exist; make it first\. The model is saved as"):
        zeroloop.train(table(), "y", out="gone/m.json")
    (saved,) = tmp_path.glob("zeroloop-model-*.json")
    assert zeroloop.load(saved).training.rows_read == 400


def test_a_path_is_written_and_shown_though_its_chart_fails(here: Path) -> None:
    script = "from zeroloop.paths import Path\nPath.plot = lambda *_: 1 / 0\n" + MAIN
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            script,
            "path",
            "d.csv",
            "--target",
            "y",
            "--n",
            "3",
            "-o",
            "p.csv",
            "--plot",
            "p.png",
            "--json",
        ],
        cwd=here,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith("[{")
    assert pc.read_csv(here / "p.csv").num_rows


TEXTS = [
    "00001", "12345678901234567890", "NA", "1.10", "True", "true", "2020-01-01", "2020-01-01T00:00:00Z", "a,b",
    'say "hi"', "", " x ", "1e5", "nan", "null", "0x10", "two\nlines", "+5", "-0", ".5", "1_000", "é",
]  # fmt: skip


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_kept_columns_of_csv_are_copied_as_they_stand(ending: str, tmp_path: Path) -> None:
    """Also where a column looks like numbers for longer than a block, and is a feature too."""
    rng = np.random.default_rng(8)
    rows = []
    for day, n in (("01", 40_000), ("10", 5_000)):
        place = tmp_path / "d" / f"day={day}"
        place.mkdir(parents=True)
        with (place / "d.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["y", "x", "id", "text"])
            for i in range(n):
                text = "7" if i < n - 500 else TEXTS[rng.integers(len(TEXTS))]
                row = [str(i % 2), f"{rng.standard_normal():.6f}0", f"{i:020d}", text]
                writer.writerow(row)
                rows.append([*row[1:], day])
    model = zeroloop.train(str(tmp_path / "d"), "y", features=["x"])
    out = tmp_path / f"out.{ending}"
    assert zeroloop.predict_file(model, str(tmp_path / "d"), out, keep=["x", "id", "text", "day"]) == len(rows)
    if ending == "csv":
        with out.open(newline="") as file:
            kept = [row[:4] for row in list(csv.reader(file))[1:]]
        np.testing.assert_allclose(
            pc.read_csv(out, parse_options=pc.ParseOptions(newlines_in_values=True))["probability"].to_numpy(),
            model.predict_proba(str(tmp_path / "d"))[:, 1],
        )
    else:
        columns = [pq.read_table(out)[name].to_pylist() for name in ("x", "id", "text", "day")]
        kept = [[value or "" for value in row] for row in zip(*columns, strict=True)]
    assert kept == rows


def test_kept_columns_of_parquet_keep_their_type(tmp_path: Path) -> None:
    rows = table().append_column("id", pa.array(range(2**62, 2**62 + 400))).append_column("s", pa.array(["007"] * 400))
    rows = rows.append_column("when", pa.array([0] * 400, pa.timestamp("us", "UTC")))
    pq.write_table(rows, tmp_path / "d.parquet")
    model = zeroloop.train(rows, "y", features=["x"])
    zeroloop.predict_file(model, str(tmp_path / "d.parquet"), tmp_path / "o.parquet", keep=["id", "s", "when"])
    assert pq.read_table(tmp_path / "o.parquet").select(["id", "s", "when"]).equals(rows.select(["id", "s", "when"]))


def colliding() -> dict[str, pa.Table]:
    base = table()
    x = np.asarray(base["x"])
    gaps = pa.array(x, mask=np.arange(400) % 7 == 0)
    return {
        "g=a": base.append_column("g=a", pa.array(x**2)),
        "gaps is missing": base.append_column("gaps", gaps).append_column("gaps is missing", pa.array(x**2)),
        "(intercept)": base.append_column("(intercept)", pa.array(x**2)),
        "h is missing": base.append_column("h", pa.array(["u", "v", None, "u"] * 100)).append_column(
            "h is missing", pa.array(x**2)
        ),
        "a=b=c": base.append_column("a=b", pa.array(["c", "d"] * 200)).append_column("a", pa.array(["b=c", "e"] * 200)),
    }


@pytest.mark.parametrize("name", colliding())
@pytest.mark.parametrize("kind", ["arrow", "csv", "parquet", "pandas", "polars"])
def test_two_terms_of_one_name_are_refused_before_the_fit(name: str, kind: str, tmp_path: Path) -> None:
    rows: object = colliding()[name]
    assert isinstance(rows, pa.Table)
    if kind == "csv":
        pc.write_csv(rows, tmp_path / "d.csv")
        rows = str(tmp_path / "d.csv")
    elif kind == "parquet":
        pq.write_table(rows, tmp_path / "d.parquet")
        rows = str(tmp_path / "d.parquet")
    elif kind == "pandas":
        rows = rows.to_pandas()
    elif kind == "polars":
        import polars as pl

        rows = pl.from_arrow(rows)
    with pytest.raises(zeroloop.ZeroloopError, match="Two terms would be named") as said:
        zeroloop.train(rows, "y")
    assert repr(name) in str(said.value)


@pytest.mark.parametrize("ending", ["csv", "parquet", "arrow"])
def test_a_file_that_changes_while_it_is_scanned_is_refused(
    ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"d.{ending}"
    rows = pa.concat_tables([table(seed=seed) for seed in range(200)])

    def write() -> None:
        if ending == "csv":
            pc.write_csv(rows, path)
        elif ending == "parquet":
            pq.write_table(rows, path, row_group_size=10_000)
        else:
            with pa.ipc.new_file(path, rows.schema) as writer:
                writer.write_table(rows)

    write()
    from zeroloop.tables.formats import file_batches as known

    def growing(*given: Any) -> Iterator[Any]:
        """Yield what is read; once there is something, the file grows."""
        for i, piece in enumerate(known(*given)):
            if i == 0:
                with path.open("ab") as file:
                    file.write(b"1,2,a\n")
            yield piece

    monkeypatch.setattr("zeroloop.tables.many_files.file_batches", growing)
    with pytest.raises(zeroloop.ZeroloopError, match="changed since this run found it"):
        zeroloop.train(str(path), "y")


def parts(place: Path, names: Sequence[str]) -> None:
    for i, name in enumerate(names):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table(seed=i), place / name)


@pytest.mark.parametrize("how", ["folder", "glob"])
def test_links_are_followed_by_folders_and_globs_alike(how: str, tmp_path: Path) -> None:
    """To files and to folders, each once: also where a link leads round in a circle."""
    parts(tmp_path, ["data/a.parquet", "data/sub/b.parquet", "other/c.parquet", "other/deep/d.parquet"])
    (tmp_path / "data" / "linked").symlink_to("../other")
    (tmp_path / "data" / "e.parquet").symlink_to("../other/c.parquet")
    (tmp_path / "data" / "sub" / "circle").symlink_to("..")
    given = str(tmp_path / "data") + ("/**/*.parquet" if how == "glob" else "")
    assert zeroloop.train(given, "y").training.rows_read == 5 * 400


@pytest.mark.parametrize("how", ["folder", "glob"])
@pytest.mark.parametrize("what", ["dangling", "loop", "fifo", "unreadable"])
def test_data_that_cannot_be_read_is_said(what: str, how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts(tmp_path, ["data/a.parquet", "data/sub/b.parquet"])
    bad = tmp_path / "data" / "sub" / "bad.parquet"
    if what == "dangling":
        bad.symlink_to("nowhere.parquet")
    elif what == "loop":
        bad.symlink_to("bad.parquet")
    elif what == "fifo":
        os.mkfifo(bad)
    else:  # root may read whatever it is, so permission is refused by hand
        bad = tmp_path / "data" / "shut"
        bad.mkdir()
        access, listdir = os.access, os.listdir

        def refuse(path: Any) -> list[str]:
            if str(path).rstrip("/") == str(bad):
                raise PermissionError(13, "Permission denied")
            return listdir(path)

        monkeypatch.setattr(os, "listdir", refuse)
        monkeypatch.setattr(os, "access", lambda path, mode: str(path).rstrip("/") != str(bad) and access(path, mode))
    given = str(tmp_path / "data") + ("/**/*.parquet" if how == "glob" else "")
    with pytest.raises(
        zeroloop.ZeroloopError, match=f"{bad.name}: (a link|cannot be read|no file but|the folder cannot)"
    ):
        zeroloop.train(given, "y")
    with pytest.warns(zeroloop.ZeroloopWarning, match=f"Skipped .*{bad.name}"):
        assert zeroloop.train(given, "y", skip_bad_files=True).training.rows_read == 800


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_forked_while_another_thread_fits_can_fit() -> None:
    """The lock about BLAS is held when the process forks: in the child nobody would ever give it back."""
    from zeroloop.sources import threads

    with threads._held.lock:
        child = os.fork()
        if child == 0:
            signal.alarm(20)  # ends the child if it hangs
            with threads.one_blas_thread():
                held = threads._held.count
            os._exit(0 if held == 1 and threads._held.count == 0 else 1)
    assert os.waitpid(child, 0)[1] == 0
