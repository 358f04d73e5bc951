"""Streams that are closed, full or narrow, and a reader that leaves: the work is kept, the exit code is right."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import zeroloop
from hostile import CASES
from zeroloop import model_file
from zeroloop.errors import ModelFileError

SCRIPT = "from zeroloop.cli import main; main()"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("streams")
    rng = np.random.default_rng(5)
    rows = [f"{rng.choice(['no', 'ja-ö'])},{rng.normal():.3f},{rng.choice(['a', 'ß'])}" for _ in range(300)]
    (folder / "d.csv").write_text("\n".join(["spät,x,g", *rows]), "utf-8")
    zeroloop.train(str(folder / "d.csv"), "spät", out=folder / "ready.json")
    return folder


COMMANDS = {
    "train": ["train", "d.csv", "--target", "spät", "-o", "new.json"],
    "predict": ["predict", "ready.json", "d.csv", "-o", "new.csv"],
    "evaluate": ["evaluate", "ready.json", "d.csv"],
    "summary": ["summary", "ready.json"],
    "report": ["report", "ready.json", "d.csv", "-o", "new.html"],
    "path": ["path", "d.csv", "--target", "spät", "--n", "3", "-o", "new.csv"],
    "ladder": ["ladder", "--examples", "100", "--features", "2"],
    "rung": ["ladder", "--show", "two_loops"],
}
NO_JSON = ("report", "rung")
NAMES = list(COMMANDS) if CASES else ["train", "predict", "summary"]  # all in `make fuzz`


def run(folder: Path, shell: str, command: list[str], **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command as a shell's words, which redirect "$@"."""
    new = ["new.json", "new.csv", "new.html"]
    for name in new:
        (folder / name).unlink(missing_ok=True)
    return subprocess.run(
        ["bash", "-c", f'set -o pipefail; "$@" {shell}', "bash", sys.executable, "-c", SCRIPT, *command],
        cwd=folder,
        capture_output=True,
        timeout=120,
        check=False,
        env=os.environ | environment,
    )


def check_kept(folder: Path, command: list[str]) -> None:
    if "-o" in command:
        assert (folder / command[command.index("-o") + 1]).stat().st_size > 100
    if command[0] == "train":
        zeroloop.load(folder / "new.json")


@pytest.fixture
def full(tmp_path: Path) -> Path:
    """A device that is always full."""
    path = tmp_path / "full"
    try:
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 7))
        path.open("wb").close()
    except (OSError, AttributeError):
        pytest.skip("no device can be made here")
    return path


@pytest.mark.parametrize("name", NAMES)
def test_a_closed_or_full_standard_output_is_said_and_nothing_is_lost(name: str, folder: Path, full: Path) -> None:
    for shell in (">&-", f"> {full}"):
        done = run(folder, shell, COMMANDS[name])
        said = done.stderr.decode()
        assert done.returncode == 2, said
        assert said.strip().splitlines()[-1].startswith("zeroloop: error: standard output cannot be written to ("), said
        assert "Traceback" not in said
        assert "Exception ignored" not in said
        check_kept(folder, COMMANDS[name])


@pytest.mark.parametrize("shell", [">&-", "> full"])
def test_a_demo_whose_standard_output_is_closed_or_full_leaves_its_files(
    shell: str, full: Path, tmp_path: Path
) -> None:
    done = run(tmp_path, shell, ["demo"])
    assert done.returncode == 2
    assert done.stderr.decode().startswith("zeroloop: error: standard output cannot be written to (")
    assert zeroloop.load(tmp_path / "flights-model.json").training.rows_read > 0
    assert (tmp_path / "flights-report.html").read_text().rstrip().endswith("</html>")


@pytest.mark.parametrize("name", NAMES)
def test_a_reader_that_has_seen_enough_is_no_error(name: str, folder: Path) -> None:
    for shell in ("| head -1", "| true"):
        done = run(folder, shell, COMMANDS[name])
        assert (done.returncode, done.stderr) == (0, b""), done.stderr.decode()
        check_kept(folder, COMMANDS[name])


@pytest.mark.parametrize("name", NAMES)
def test_a_standard_error_that_is_closed_or_full_costs_nothing(name: str, folder: Path, full: Path) -> None:
    arguments = COMMANDS[name] + ([] if name in NO_JSON else ["--json"])
    for shell in ("2>&-", f"2> {full}"):
        done = run(folder, shell, arguments)
        assert done.returncode == 0
        assert done.stdout
        if name not in NO_JSON:
            json.loads(done.stdout)
        check_kept(folder, COMMANDS[name])


def test_an_error_is_said_on_the_stream_that_is_left(folder: Path, full: Path) -> None:
    for shell in ("2>&-", f"2> {full}"):
        done = run(folder, shell, ["evaluate", "ready.json", "no.csv"])
        assert (done.returncode, done.stdout) == (2, b"zeroloop: error: no.csv: no such file or folder.\n")
        done = run(folder, shell, ["evaluate", "ready.json", "no.csv", "--json"])
        assert (done.returncode, done.stdout) == (2, b"")
    assert run(folder, ">&- 2>&-", COMMANDS["train"]).returncode == 2
    check_kept(folder, COMMANDS["train"])


@pytest.mark.parametrize("name", ["train", "summary", "path", "report"] if CASES else ["train"])
def test_an_encoding_that_cannot_show_a_name_shows_its_number(name: str, folder: Path) -> None:
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    for environment, encoding in (
        ({"PYTHONIOENCODING": "ascii"}, "ascii"),
        ({"LC_ALL": "C"}, "utf-8"),
        (ascii_only, "ascii"),
    ):
        done = run(folder, "", COMMANDS[name], **environment)
        assert done.returncode == 0, done.stderr.decode()
        shown = done.stdout.decode(encoding)
        check_kept(folder, COMMANDS[name])
        if name in ("train", "summary"):
            assert ("\\xdf" if encoding == "ascii" else "ß") in shown


def test_a_model_may_come_through_a_pipe_that_brings_one(
    folder: Path, full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = run(folder, "/dev/stdin d.csv < <(cat ready.json)", ["evaluate"])
    assert (done.returncode, done.stderr) == (0, b"")
    fifo = folder / "model.pipe"
    os.mkfifo(fifo)
    monkeypatch.setattr(model_file, "SILENT", 0.1)
    with pytest.raises(ModelFileError, match=r"model\.pipe: is a pipe through which nothing comes for 0\.1 seconds"):
        zeroloop.load(fifo)
    with pytest.raises(ModelFileError, match="is a device, and no model"):
        zeroloop.load(full)


def test_what_is_printed_to_is_no_output(folder: Path) -> None:
    for stream, shell in (("/dev/stdout", "| cat"), ("/dev/stdout", "> new.html"), ("/dev/stderr", "2> >(cat >&2)")):
        done = run(folder, shell, [*COMMANDS["train"][:-1], stream, "--json"])
        assert (done.returncode, done.stdout) == (2, b"")
        said = f"zeroloop: error: {stream}: is where this process prints to; name another file.\n"
        assert done.stderr.decode() == said


TIDYING = """
import os, signal, sys, time
from zeroloop import training
def slow(*_, **__):
    try:
        print("begun", file=sys.stderr, flush=True)
        time.sleep(60)
    finally:
        print("tidying", file=sys.stderr, flush=True)
        time.sleep(1.5)
        print("tidied", file=sys.stderr, flush=True)
training.train = slow
from zeroloop.cli import main
main()
"""


@pytest.mark.parametrize(("n", "tidied"), [(1, True), (2, True), (3, False)])
def test_a_second_ctrl_c_does_not_interrupt_the_tidying_up_and_a_third_ends_it(
    n: int, tidied: bool, folder: Path
) -> None:
    command = [sys.executable, "-c", TIDYING, *COMMANDS["train"]]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        assert process.stderr.readline() == "tidying\n"
        for _ in range(n - 1):
            time.sleep(0.2)
            process.send_signal(signal.SIGINT)
        said = process.stderr.read()
        assert process.wait(60) == 130
    assert said == ("tidied\nzeroloop: Interrupted.\n" if tidied else "")
