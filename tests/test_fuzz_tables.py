"""Tables of every Arrow type, each column in every role: a model, or one sentence, never anything else."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

import zeroloop
from hostile import CASES, FIRST_SEED, any_table, within
from zeroloop.errors import ModelFileError, ZeroloopError

N = CASES or 240


def as_source(rng: np.random.Generator, table: pa.Table, folder: Path) -> Any:
    """Return the table itself, or in a file or another dress."""
    which = rng.integers(8)
    try:
        match which:
            case 0:
                pq.write_table(table, folder / "t.parquet")
                return str(folder / "t.parquet")
            case 1:
                feather.write_feather(table, folder / "t.arrow", compression="uncompressed")
                return str(folder / "t.arrow")
            case 2:
                with pa.ipc.new_stream(folder / "t.ipc", table.schema) as writer:
                    writer.write_table(table, max_chunksize=40)
                return str(folder / "t.ipc")
            case 3:
                csv.write_csv(table, folder / "t.csv")
                return str(folder / "t.csv")
            case 4:
                return table.to_reader(max_chunksize=50)
            case 5:
                flat = [name for name in table.column_names if not pa.types.is_nested(table.schema.field(name).type)]
                return table.select(flat).to_pandas()  # of other columns pyarrow may end the process
            case 6:
                import polars as pl

                frame = pl.from_arrow(table)
                frame.to_arrow()  # what polars itself cannot give ends its process when it is asked for as a stream
                return frame
    except (pa.ArrowException, TypeError, ValueError, KeyError, NotImplementedError, OverflowError, OSError):
        pass
    except BaseException as error:
        if type(error).__module__.startswith(("polars", "pyo3")):
            return table  # no such frame can be made
        raise
    return table


def any_roles(rng: np.random.Generator, names: list[str]) -> dict[str, Any]:
    """Return options that name columns."""
    others = names[1:]
    target = names[0] if rng.random() < 0.85 else names[rng.integers(len(names))]
    options: dict[str, Any] = {"target": target}
    for role in ("categorical", "features", "drop"):
        if rng.random() < (0.25 if role == "categorical" else 0.06):
            options[role] = [name for name in others if rng.random() < 0.6]
    for role in ("weights", "offset", "cluster"):
        if rng.random() < 0.07:
            options[role] = others[rng.integers(len(others))]
    if rng.random() < 0.5:
        options["C"] = [float("inf"), "cv", 0.1][rng.choice(3, p=[0.7, 0.1, 0.2])]
    options["missing"] = ["impute", "drop", "error"][rng.choice(3, p=[0.75, 0.2, 0.05])]
    if rng.random() < 0.2:
        options["spill"] = "none"
        options["memory"] = 1000
    return options


@pytest.mark.parametrize("part", range(8))
def test_a_table_of_any_types_gives_a_model_or_a_sentence(part: int, tmp_path: Path) -> None:
    n_models = 0
    for seed in range(FIRST_SEED + part, FIRST_SEED + N, 8):
        rng = np.random.default_rng([seed, 16])
        table = any_table(rng)
        options = any_roles(rng, table.column_names)
        data = as_source(rng, table, tmp_path)
        shown = f"seed {seed}: {type(data).__name__}, {options}\n{table.schema}"
        try:
            with within(60), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = zeroloop.train(data, threads=1, max_iter=20, **options)
                n_models += 1
                model.save(tmp_path / "model.json")
                again = zeroloop.load(tmp_path / "model.json")
                if not isinstance(data, pa.RecordBatchReader):
                    again.predict_proba(data)
                    keep = [name for name in table.column_names if rng.random() < 0.5]
                    ending = [".csv", ".parquet"][rng.integers(2)]
                    zeroloop.predict_file(again, data, tmp_path / f"out{ending}", keep=keep, threads=1)
        except ModelFileError as error:
            raise AssertionError(f"{shown}\na model was saved that cannot be loaded: {error}") from error
        except ZeroloopError as error:
            message = str(error)
            assert "Traceback" not in message, shown + message
            assert message.rstrip()[-1:] in (".", "?", ")"), shown + message
        except Exception as error:
            raise AssertionError(f"{shown}\n{type(error).__name__}: {error}") from error
    assert n_models > 0
