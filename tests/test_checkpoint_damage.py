"""A checkpoint whose files are damaged, exchanged, gone or from elsewhere: the same bits, or one line."""

from __future__ import annotations

import json
import random
import shutil
import warnings
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import zeroloop
from hostile import CASES, FIRST_SEED
from mutants import a_small_table, damaged, strange
from zeroloop.errors import CheckpointError, ZeroloopWarning
from zeroloop.model import Model

RUNS: dict[str, dict[str, Any]] = {
    "newton": {"target": "y", "C": 3.0},
    "free": {"target": "y", "C": float("inf")},
    "sampled": {"target": "y", "solver": "sampled-newton"},
    "lbfgs": {"target": "kind", "solver": "lbfgs"},
    "each": {"target": "kind", "multi_class": "ovr"},
}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Model]]:
    """Checkpoints that are not finished, by run, with the models they would lead to."""
    folder = tmp_path_factory.mktemp("kept")
    pq.write_table(a_small_table(2_000), folder / "rows.parquet")
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ZeroloopWarning)
        for name, options in RUNS.items():
            model = zeroloop.train(folder / "rows.parquet", checkpoint=folder / name, **options)
            header = folder / name / "run.json"
            header.write_text(json.dumps(json.loads(header.read_text()) | {"finished": False}, indent=1))
            found[name] = (folder / name, model)
    return found


def resumed(name: str, checkpoint: Path, rows: Path) -> Model:
    return zeroloop.train(rows, checkpoint=checkpoint, **RUNS[name])


def attack(name: str, folder: Path, kept: dict[str, tuple[Path, Model]], rng: random.Random) -> str:
    """Damage a checkpoint and go on with it; return what is not as it should be, or nothing."""
    source, model = kept[name]
    checkpoint = folder / "checkpoint"
    shutil.rmtree(checkpoint, ignore_errors=True)
    shutil.copytree(source, checkpoint)
    files = sorted(checkpoint.iterdir())
    for _ in range(rng.choice((1, 1, 2, 4))):
        path, other = rng.choice(files), rng.choice(files)
        match rng.choice(("bytes", "bytes", "json", "exchanged", "copied", "foreign", "gone", "empty", "folder")):
            case "bytes":
                path.write_bytes(damaged(path.read_bytes() if path.is_file() else b"x", rng))
            case "json" if (checkpoint / "run.json").is_file():
                header = checkpoint / "run.json"
                try:
                    document = json.loads(header.read_bytes())
                except ValueError:
                    continue
                header.write_text(json.dumps(strange(document, rng) if isinstance(document, dict | list) else document))
            case "exchanged" if path.is_file() and other.is_file():
                first, second = path.read_bytes(), other.read_bytes()
                path.write_bytes(second)
                other.write_bytes(first)
            case "copied" if path.is_file() and other.is_file():
                path.write_bytes(other.read_bytes())
            case "foreign" if path.name != "run.json" and path.is_file():
                elsewhere = kept[rng.choice(sorted(kept))][0] / path.name
                if elsewhere.is_file():
                    path.write_bytes(elsewhere.read_bytes())
            case "gone" if path.is_file():
                path.unlink()
                files.remove(path)
            case "empty" if path.is_file():
                path.write_bytes(b"")
            case "folder" if path.is_file():
                path.unlink()
                path.mkdir()
        if not files or not all(one.is_file() for one in files):
            break
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ZeroloopWarning)
            found = resumed(name, checkpoint, source.parent / "rows.parquet")
    except zeroloop.ZeroloopError as error:
        return "" if "\n" not in str(error) else f"more than a line: {error}"
    if found.coef.tobytes() != model.coef.tobytes() or found.held_out != model.held_out:
        return "another model"
    return ""


def test_damaged_checkpoints_lead_to_the_same_bits_or_a_line(
    kept: dict[str, tuple[Path, Model]], tmp_path: Path
) -> None:
    for seed in range(FIRST_SEED, FIRST_SEED + (CASES or 150)):
        rng = random.Random(f"checkpoint {seed}")
        assert attack(rng.choice(sorted(RUNS)), tmp_path, kept, rng) == "", seed


@pytest.mark.parametrize("name", RUNS)
def test_passes_that_are_exchanged_are_made_anew(
    kept: dict[str, tuple[Path, Model]], tmp_path: Path, name: str
) -> None:
    source, model = kept[name]
    shutil.copytree(source, tmp_path / "c")
    first, second = sorted((tmp_path / "c").glob("pass-*.npz"))[:2]
    contents = first.read_bytes(), second.read_bytes()
    first.write_bytes(contents[1])
    second.write_bytes(contents[0])
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = resumed(name, tmp_path / "c", source.parent / "rows.parquet")
    told = [str(one.message) for one in said if "made anew" in str(one.message)]
    assert told == [
        f"{path}: the record is damaged, or not of this run or place; it is made anew." for path in (first, second)
    ]
    assert found.coef.tobytes() == model.coef.tobytes()
    assert (first.read_bytes(), second.read_bytes()) == contents  # kept again, as they were


def test_a_header_without_a_run_is_said(kept: dict[str, tuple[Path, Model]], tmp_path: Path) -> None:
    source, _ = kept["newton"]
    shutil.copytree(source, tmp_path / "c")
    header = tmp_path / "c" / "run.json"
    header.write_text(json.dumps(json.loads(header.read_text()) | {"run": "none"}))
    with pytest.raises(CheckpointError, match="no checkpoint of zeroloop"):
        resumed("newton", tmp_path / "c", source.parent / "rows.parquet")
