"""Files larger than memory: against decoding them, against streaming peers, ten times as many, and killed at random.

`python -m benchmarks.larger zeroloop|sgd|vw FOLDER [OPTIONS]` measures one thing in a process of its own and
prints it as JSON.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from numpy.typing import NDArray

DATA = Path(__file__).parent / ".data"
COLUMNS, FILE_ROWS = 20, 250_000
NAMES = [f"x{j}" for j in range(COLUMNS)]
REPEATS = 3
EPOCHS = 5
KILLS = 10

Figures = dict[str, Any]


def made(n_files: int) -> Path:
    """Return a folder of Parquet files of 250,000 x 20 float32 and a label, made where it does not exist."""
    folder = DATA / f"{n_files}-files"
    folder.mkdir(parents=True, exist_ok=True)
    truth = np.random.default_rng(0).normal(size=COLUMNS) * 0.3
    for i in range(n_files):
        path = folder / f"part-{i:04d}.parquet"
        if path.exists():
            continue
        rng = np.random.default_rng([7, i])
        X = rng.standard_normal((COLUMNS, FILE_ROWS), dtype=np.float32)
        y = rng.random(FILE_ROWS) < 1 / (1 + np.exp(0.5 - truth @ X))
        table = pa.table(dict(zip(NAMES, X, strict=True)) | {"y": y.astype(np.int8)})
        pq.write_table(table, path.with_suffix(".tmp"), use_dictionary=False)
        path.with_suffix(".tmp").rename(path)
    return folder


def larger() -> Figures:
    """Return the figures of all cases."""
    folder = made(40)
    budgets: dict[str, list[str]] = {
        "in memory": [],
        "128 MiB, spilling": ["--memory", "128MiB"],
        "128 MiB, no spill": ["--memory", "128MiB", "--spill", "none"],
    }
    found: Figures = {"budgets": {name: _beside_decoding(folder, options) for name, options in budgets.items()}}
    found["peers"] = {peer: _one(peer, folder) for peer in ("zeroloop", "sgd", "vw")}
    hundred = made(400)
    found["growth"] = {
        "10,000,000": _one("zeroloop", folder, "--memory", "128MiB"),
        "100,000,000": _one("zeroloop", hundred, "--memory", "128MiB"),
    }
    found["csv"] = _csv()
    found["few passes"] = few_passes(folder)
    found["killed"] = killed(folder)
    return found


def _one(what: str, folder: Path, *options: str) -> Figures:
    command = [sys.executable, "-m", "benchmarks.larger", what, str(folder), *options]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def _beside_decoding(folder: Path, options: list[str]) -> Figures:
    """Return medians over processes, each of which decodes the files before and after it fits them."""
    runs = [_one("zeroloop", folder, *options) for _ in range(REPEATS)]
    middle: Figures = sorted(runs, key=lambda run: float(run["ratio"]))[len(runs) // 2]
    return middle


def _decoded(folder: Path) -> float:
    start = time.perf_counter()
    for _ in batches(folder):
        pass
    return time.perf_counter() - start


def batches(folder: Path) -> Iterator[pa.RecordBatch]:
    """Yield a folder's rows, decoded by pyarrow, file after file."""
    for path in sorted(folder.glob("*.parquet")):
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(65_536)


def _zeroloop(folder: Path, options: list[str]) -> Figures:
    import zeroloop

    given = {options[i].removeprefix("--").replace("-", "_"): options[i + 1] for i in range(0, len(options), 2)}
    first = sorted(folder.glob("*.parquet"))[0]
    zeroloop.train(first, "y")  # loads the compiled kernels
    before = _decoded(folder)
    start = time.perf_counter()
    model = zeroloop.train(folder, "y", test_fraction=0, **given)  # type: ignore[arg-type]
    seconds = time.perf_counter() - start
    decode = (before + _decoded(folder)) / 2
    return {
        "seconds": seconds,
        "decode": decode,
        "ratio": seconds / decode,
        "passes": model.training.passes,
        "gradient_norm": gradient_norm(folder, model.coef[0]),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "storage": model.training.storage,
    }


def gradient_norm(folder: Path, coef: NDArray[np.float64]) -> float:
    """Return max |gradient of the mean objective| at C = 1, the columns being of unit variance, the intercept first."""
    total, rows = np.zeros(1 + COLUMNS), 0
    for X, y in arrays(folder):
        residual = 1 / (1 + np.exp(-(coef[0] + X @ coef[1:]))) - y
        total += np.append(np.sum(residual), X.T.astype(np.float64) @ residual)
        rows += y.size
    total[1:] += coef[1:]
    return float(np.max(np.abs(total))) / rows


def arrays(folder: Path) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float64]]]:
    """Yield a folder's rows as X `(m, 20)` and y `(m,)`."""
    for batch in batches(folder):
        X = np.asarray(batch.select(NAMES).to_tensor(row_major=True))
        yield X, np.asarray(batch["y"]).astype(np.float64)


def _sgd(folder: Path) -> Figures:
    from sklearn.linear_model import SGDClassifier

    rows = sum(pq.read_metadata(path).num_rows for path in folder.glob("*.parquet"))
    model = SGDClassifier(loss="log_loss", alpha=1 / rows)
    start = time.perf_counter()
    for _ in range(EPOCHS):
        for X, y in arrays(folder):
            model.partial_fit(X, y, classes=[0, 1])
    seconds = time.perf_counter() - start
    coef = np.append(model.intercept_, model.coef_[0])
    return {"seconds": seconds, "gradient_norm": gradient_norm(folder, coef)}


def _vw(folder: Path) -> Figures:
    from vowpalwabbit import Workspace

    text = DATA / "rows.vw"
    if not text.exists():
        with text.with_suffix(".tmp").open("wb") as file:
            for batch in batches(folder):
                file.write(_as_vw(batch))
        text.with_suffix(".tmp").rename(text)
    options = f"--loss_function logistic --passes {EPOCHS} --cache -k --quiet --data {text} --holdout_off"
    start = time.perf_counter()
    model = Workspace(options)
    seconds = time.perf_counter() - start
    coef = np.array([model.get_weight_from_name(name) for name in ("Constant", *NAMES)])
    return {"seconds": seconds, "gradient_norm": gradient_norm(folder, coef)}


def _as_vw(batch: pa.RecordBatch) -> bytes:
    label = pc.if_else(pc.equal(batch["y"], 1), "1 |", "-1 |")
    values = [pc.binary_join_element_wise(name, pc.cast(batch[name], pa.string()), ":") for name in NAMES]
    lines = pc.binary_join_element_wise(label, *values, " ")
    return "\n".join(lines.to_pylist()).encode() + b"\n"


def _csv(rows: int = 2_000_000) -> Figures:
    """Return seconds of a spilling fit of a CSV file, and of pyarrow reading it once a pass."""
    import zeroloop

    path = DATA / "rows.csv"
    if not path.exists():
        table = pa.concat_tables(
            [pq.read_table(file) for file in sorted(made(40).glob("*.parquet"))[: rows // FILE_ROWS]]
        )
        pacsv.write_csv(table, path)

    def read() -> float:
        start = time.perf_counter()
        with pacsv.open_csv(path) as reader:
            for _ in reader:
                pass
        return time.perf_counter() - start

    runs = []
    for _ in range(REPEATS):
        before = read()
        start = time.perf_counter()
        model = zeroloop.train(path, "y", test_fraction=0, memory="128MiB")
        seconds = time.perf_counter() - start
        runs.append((seconds, (before + read()) / 2))
    seconds, once = (median(column) for column in zip(*runs, strict=True))
    return {"seconds": seconds, "read_once": once, "passes": model.training.passes, "storage": model.training.storage}


def few_passes(folder: Path) -> list[Figures]:
    """Return how far few passes come: the largest error of a coefficient, in standard errors."""
    import zeroloop

    exact = zeroloop.train(folder, "y", test_fraction=0, tol=1e-10).coef[0]
    information = np.zeros((1 + COLUMNS, 1 + COLUMNS))
    for X, _ in arrays(folder):
        V = np.column_stack([np.ones(len(X)), X]).astype(np.float64)
        p = 1 / (1 + np.exp(-(V @ exact)))
        information += V.T @ (V * (p * (1 - p))[:, np.newaxis])
    errors = np.sqrt(np.diag(np.linalg.inv(information)))
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for passes in (2, 3, 4, 5):
            coef = zeroloop.train(folder, "y", test_fraction=0, max_passes=passes).coef[0]
            off = float(np.max(np.abs(coef - exact) / errors))
            found.append(
                {"passes": passes, "standard_errors": off, "relative": float(np.max(np.abs(coef / exact - 1)))}
            )
    return found


def killed(folder: Path) -> Figures:
    """Return how many runs, each killed at a random moment and gone on with, ended with an undisturbed run's bits."""
    import zeroloop

    with TemporaryDirectory() as place:
        spill = Path(place, "spill")
        spill.mkdir()
        options = ["--target", "y", "--memory", "128MiB", "--spill", str(spill), "--out", f"{place}/model.json"]
        command = [sys.executable, "-c", "import zeroloop.cli; zeroloop.cli.main()", "train", str(folder), *options]
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        whole_seconds = time.perf_counter() - start
        whole = zeroloop.load(f"{place}/model.json").coef.tobytes()
        rng = random.Random(0)
        passes, same = [], 0
        for i in range(KILLS):
            kept = Path(place, f"kept-{i}")
            with subprocess.Popen([*command, "--checkpoint", str(kept)], stdout=subprocess.DEVNULL) as process:
                time.sleep(rng.uniform(0.1, 0.9) * whole_seconds)
                process.kill()
            passes.append(len(list(kept.glob("pass-*.npz"))))
            subprocess.run([*command, "--checkpoint", str(kept)], check=True, stdout=subprocess.DEVNULL)
            same += zeroloop.load(f"{place}/model.json").coef.tobytes() == whole
        left = len(list(spill.iterdir()))
    return {"kills": KILLS, "passes_kept": passes, "same_bits": same, "files_left": left}


def main() -> None:
    """Measure one thing and print it."""
    what, folder, *options = sys.argv[1:]
    measures = {"zeroloop": lambda place: _zeroloop(place, options), "sgd": _sgd, "vw": _vw}
    print(json.dumps(measures[what](Path(folder))))


if __name__ == "__main__":
    main()
