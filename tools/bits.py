"""Ten fits under every level of processor and every compiler here: one table of hashes, all of which must be equal.

    python tools/bits.py [NAME=COMMAND ...]

A COMMAND is another Python that has zeroloop, for instance one for ARM under qemu (see tools/arm64.sh).
"""

import hashlib
import importlib.util
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


# Rows are made of integers alone: random numbers of other kinds take logarithms, which differ between processors.
def rows(n_rows: int, n_columns: int, n_classes: int = 2) -> tuple[Any, Any]:
    """Return columns `(n_rows, n_columns)` that float32 holds too, and labels that they predict, with noise."""
    import numpy as np

    random = np.random.default_rng(7)
    x = random.integers(-512, 513, (n_rows, n_columns)) + random.integers(-512, 513, (n_rows, 1))
    true = random.integers(-8, 9, (n_columns, n_classes))
    noise = random.integers(-30_000, 30_001, (2, n_rows, n_classes)).sum(axis=0)
    return x / 256.0, np.argmax(x @ true + noise, axis=1)


def of_array(x: Any, y: Any, **options: Any) -> dict[str, Any]:
    """Return what an estimator finds."""
    from zeroloop import LogisticRegression

    fitted = LogisticRegression(**options).fit(x, y)
    return {"coefficients": [fitted.coef_, fitted.intercept_], "predictions": [fitted.predict_proba(x)]}


def of_table(data: Any, **options: Any) -> dict[str, Any]:
    """Return what a model of a table finds, with the covariance where nothing is penalised."""
    import zeroloop

    model = zeroloop.train(data, **options)
    covariance = [model.covariance()] if options.get("C") == float("inf") else []
    return {"coefficients": [model.coef], "covariance": covariance, "predictions": [model.predict_proba(data)]}


def fits(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the ten fits."""
    import numpy as np
    import pyarrow as pa
    import scipy.sparse as sp

    import zeroloop

    x, y = rows(20_011, 23)
    yield "dense, stacked, float64", of_array(np.asfortranarray(x), y)
    yield "dense, row-major, float64", of_array(np.ascontiguousarray(x), y)
    yield "dense, stacked, float32", of_array(np.asfortranarray(x, dtype=np.float32), y)
    yield "dense, row-major, float32", of_array(np.ascontiguousarray(x, dtype=np.float32), y)
    yield "sparse", of_array(sp.csr_array(np.where(np.abs(x) > 3, x, 0.0)), y)
    yield "L1", of_array(x, y, C=0.01, l1_ratio=1.0)
    yield "wide", of_array(*rows(3_001, 211), C=0.5)
    yield "three classes", of_array(*rows(9_001, 17, 3))
    random = np.random.default_rng(11)
    columns = {
        "y": y,
        "level": pa.array([f"level {k}" for k in random.integers(0, 40, len(y))]),
        "number": pa.array(x[:, 0], mask=random.integers(0, 9, len(y)) == 0),
        "other": x[:, 1],
    }
    yield "codes and missing values", of_table(pa.table(columns), target="y", C=float("inf"), missing="impute")
    flights = folder / "flights.parquet"
    shutil.copy(Path(zeroloop.__file__).with_name("data") / "flights.parquet", flights)
    yield "from a file", of_table(str(flights), target="late", C=float("inf"), missing="drop")


def hashes() -> dict[str, str]:
    """Return a hash for each array of each fit."""
    import numpy as np

    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, result in fits(Path(folder)):
            for what, arrays in result.items():
                if arrays:
                    taken = hashlib.sha256(b"".join(np.ascontiguousarray(one).tobytes() for one in arrays))
                    found[f"{name}: {what}"] = taken.hexdigest()[:12]
    return found


def packages() -> Iterator[tuple[str, Path]]:
    """Yield a name and a folder with zeroloop: the working tree, and a copy for each other compiler here."""
    yield "", ROOT / "src"
    zig = importlib.util.find_spec("ziglang")
    compilers = {"gcc": shutil.which("g++"), "clang": shutil.which("clang++")}
    default = os.path.realpath(shutil.which("c++") or "")
    compilers = {name: path for name, path in compilers.items() if path and os.path.realpath(path) != default}
    if zig is not None and zig.origin is not None:
        compilers["zig"] = f"{Path(zig.origin).with_name('zig')} c++"
    for name, compiler in compilers.items():
        folder = ROOT / "build" / "bits" / name
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(ROOT / "src" / "zeroloop", folder / "zeroloop", ignore=shutil.ignore_patterns("core.*.so"))
        command = [sys.executable, str(ROOT / "tools" / "backend.py"), str(folder / "zeroloop")]
        subprocess.run(command, env={**os.environ, "CXX": compiler}, check=True)
        yield f"{name} ", folder


def processor_of(level: str) -> dict[str, str]:
    """Return what tells NumPy and OpenBLAS too that this processor is of that level."""
    from numpy._core._multiarray_umath import __cpu_dispatch__ as features

    above = {"v3": [one for one in features if "512" in one or one.endswith("V4")], "plain": list(features)}
    blas = {"v3": {"OPENBLAS_CORETYPE": "Haswell"}, "plain": {"OPENBLAS_CORETYPE": "Nehalem"}}
    return {"ZEROLOOP_CPU": level, "NPY_DISABLE_CPU_FEATURES": " ".join(above.get(level, [])), **blas.get(level, {})}


def builds() -> Iterator[tuple[str, list[str], dict[str, str]]]:
    """Yield a name, a command of Python and its environment: each compiler's core, under each level."""
    for name, folder in packages():
        where = {**os.environ, "PYTHONPATH": str(folder)}
        asked = [sys.executable, "-c", "from zeroloop import core; print(*core.levels)"]
        for level in subprocess.run(asked, env=where, capture_output=True, text=True, check=True).stdout.split():
            yield f"{name}{level}", [sys.executable], {**where, **processor_of(level)}


def main() -> None:
    """Print the table; exit code 1 where two hashes differ."""
    if sys.argv[1:] == ["--here"]:
        print(json.dumps(hashes()))
        return
    given = [word.partition("=") for word in sys.argv[1:]]
    others = [(name, shlex.split(command), dict(os.environ)) for name, _, command in given]
    table = {}
    for name, command, where in [*builds(), *others]:
        done = subprocess.run(
            [*command, "-W", "ignore", __file__, "--here"], env=where, capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.exit(f"{name}: {done.stderr}")
        table[name] = json.loads(done.stdout.splitlines()[-1])
    wide = max(len(fit) for found in table.values() for fit in found)
    print(" " * wide, *(f"{name:>14}" for name in table))
    for fit in next(iter(table.values())):
        print(f"{fit:{wide}}", *(f"{found[fit]:>14}" for found in table.values()))
    different = {fit for found in table.values() for fit in found if len({one[fit] for one in table.values()}) > 1}
    print(f"{len(different)} of {len(next(iter(table.values())))} differ" if different else "All are equal.")
    sys.exit(bool(different))


if __name__ == "__main__":
    main()
