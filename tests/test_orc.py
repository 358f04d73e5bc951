"""ORC is decoded in another process: what ends, hangs or fills that one is said in a sentence, and no row is lost."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import orc

import zeroloop
from command_line import run_apart
from mutants import FILES, damaged
from zeroloop.errors import BadFileError
from zeroloop.tables import children
from zeroloop.tables.columnar import orc_rows
from zeroloop.tables.find import find_files

KILLED = 577215098  # a mutant whose stripe pyarrow follows out of its memory


def table(rows: int = 20_000) -> pa.Table:
    rng = np.random.default_rng(0)
    x = rng.standard_normal(rows)
    gap = rng.random(rows) < 0.1
    return pa.table(
        {
            "x": pa.array(x, mask=gap),
            "n": pa.array(rng.integers(-5, 5, rows), pa.int16()),
            "town": pa.array(rng.choice(np.array(["Ulm", "Köln", "Aue"]), rows), pa.string()),
            "y": x + rng.logistic(size=rows) > 0,
        }
    )


def written(path: Path, rows: int = 20_000) -> pa.Table:
    made = table(rows)
    orc.write_table(made, path, stripe_size=60_000, batch_size=1_000)
    return made


def replaced(source: str) -> Callable[[pytest.MonkeyPatch, Path], None]:
    """Return what lets the program of the stripes be another."""

    def replace(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        limited = folder / "limited.py"
        limited.write_text(Path(children.LIMITED).read_text().replace("sys.argv.pop()", repr(str(folder / "other.py"))))
        (folder / "other.py").write_text(source)
        monkeypatch.setattr(children, "LIMITED", str(limited))

    return replace


def own(change: Callable[[str], str]) -> str:
    """Return the program of the stripes, changed."""
    source = Path(children.__file__).with_name("stripes.py").read_text()
    assert change(source) != source
    return change(source)


def test_rows_are_those_of_pyarrow(tmp_path: Path) -> None:
    path = tmp_path / "t.orc"
    made = written(path)
    assert orc.ORCFile(path).nstripes > 3
    [file] = find_files(str(path))
    for columns in (["x", "n", "town", "y"], ["town"], ["y", "x"]):
        batches = list(orc_rows(file, columns))
        assert pa.Table.from_batches([batch for _, batch, _ in batches]).equals(orc.read_table(path).select(columns))
        assert [start for start, _, _ in batches] == np.cumsum([0, *(b.num_rows for _, b, _ in batches)])[:-1].tolist()
        assert batches[-1][2] == path.stat().st_size
    assert orc.read_table(path).equals(made)


def test_no_process_outlives_its_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []

    class Kept(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *arguments: Any, **how: Any) -> None:
            super().__init__(*arguments, **how)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Kept)
    path = tmp_path / "t.orc"
    written(path)
    [file] = find_files(str(path))
    rows = orc_rows(file, ["x"])
    next(rows)
    assert started[0].poll() is None
    rows.close()  # type: ignore[attr-defined]
    rows = orc_rows(file, ["x"])
    next(rows)
    with pytest.raises(ZeroDivisionError):
        rows.throw(ZeroDivisionError)  # type: ignore[attr-defined]
    list(orc_rows(file, ["x"]))
    assert len(started) == 3
    assert all(one.poll() is not None for one in started)


AFTER_A_STRIPE = "        out.flush()\n"


@pytest.mark.parametrize(
    ("replace", "message"),
    [
        (
            replaced(own(lambda s: s.replace(AFTER_A_STRIPE, "        out.flush(); __import__('os').abort()\n"))),
            "signal 6",
        ),
        (replaced(own(lambda s: s.replace(AFTER_A_STRIPE, "        out.flush(); raise OSError('bad')\n"))), "bad"),
        (replaced("import os; os.abort()"), "signal 6"),
        (replaced("while True: pass"), "seconds of computing, and is damaged"),
        (replaced("bytes(2**33)"), "takes more than the 268,435,456 bytes"),
        (replaced("print('{\"stripes\": 3}'); print('nonsense')"), "damaged"),
        (replaced("print('{\"stripes\": 3}')"), "damaged"),
    ],
)
def test_how_a_decoder_ends_is_said(
    replace: Callable[[pytest.MonkeyPatch, Path], None], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.orc"
    written(path)
    replace(monkeypatch, tmp_path)
    monkeypatch.setattr(children, "SECONDS", 1)
    if "takes more" in message:
        monkeypatch.setattr(children, "LEAST_MEMORY", 2**28)
    with pytest.raises(BadFileError, match=message) as caught:
        zeroloop.train(path, "y")
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_file_that_ends_its_decoder_ends_no_command(tmp_path: Path) -> None:
    suffix, make = FILES["orc"]
    path = tmp_path / f"t{suffix}"
    path.write_bytes(damaged(make(), random.Random(f"orc {KILLED}")))
    done = run_apart("train", str(path), "--target", "y", "--out", str(tmp_path / "m.json"))
    assert done.returncode == 2
    assert f"{path}: the file is damaged, or of a kind that cannot be read (signal" in " ".join(done.stderr.split())
    assert not (tmp_path / "m.json").exists()


def test_a_file_without_rows(tmp_path: Path) -> None:
    path = tmp_path / "t.orc"
    written(path, 0)
    with pytest.raises(zeroloop.ZeroloopError, match="no value in any row"):
        zeroloop.train(path, "y")


def test_the_same_model_as_of_parquet(tmp_path: Path) -> None:
    made = written(tmp_path / "t.orc")
    same = partial(np.array_equal, zeroloop.train(made, "y").coef)
    assert same(zeroloop.train(tmp_path / "t.orc", "y").coef)
    assert same(zeroloop.train(tmp_path / "t.orc", "y", memory="1MB", spill="none").coef)
