"""A model keeps every bit in JSON, refuses other files, and writes predictions whole or not at all."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

import zeroloop
from test_tables import a_table
from zeroloop.again import read_again
from zeroloop.errors import ModelFileError, OptionError, OutputError
from zeroloop.model import Model
from zeroloop.progress import Work
from zeroloop.tables.write import replacing_folder
from zeroloop.terms import FIGURES


@pytest.fixture(scope="module")
def model() -> Model:
    return zeroloop.train(a_table(), "bought", C=math.inf)


def test_a_saved_model_is_the_same_model(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path / "m.json")
    loaded = zeroloop.load(tmp_path / "m.json")
    assert loaded.coef.tobytes() == model.coef.tobytes()
    assert (loaded.schema, loaded.training, loaded.held_out) == (model.schema, model.training, model.held_out)
    assert math.inf == loaded.training.C
    document = json.loads((tmp_path / "m.json").read_text(), parse_constant=lambda name: pytest.fail(name))
    assert document["format"] == "zeroloop model"
    assert document["format_version"] == 5
    assert tuple(document["coefficients"]) == model.schema.terms
    known = {"format", "format_version", "schema", "coefficients", "training", "held_out", "estimates", "no_estimates"}
    assert set(document) == known


def test_a_model_of_format_1_is_read(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    model.save(path)
    document = json.loads(path.read_text())
    training, target = document["training"], document["schema"]["target"]
    for name in ("l1_ratio", "multi_class", "penalty_factors", "bounds", "cross_validation"):
        del training[name]
    training |= {"base_rate": training.pop("shares")[1], "n_iter": training["n_iter"][0]}
    target["negative"], target["positive"] = target.pop("levels")
    del document["schema"]["sparse"]
    path.write_text(json.dumps(document | {"format_version": 1}))
    loaded = zeroloop.load(path)
    assert loaded.coef.tobytes() == model.coef.tobytes()
    assert (loaded.schema, loaded.held_out) == (model.schema, model.held_out)
    assert loaded.training.C == model.training.C
    np.testing.assert_allclose(loaded.training.shares, model.training.shares, rtol=1e-15)


def test_a_model_of_format_3_is_read(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    model.save(path)
    document = json.loads(path.read_text())
    for part, name in (("training", "roles"), ("schema", "offset")):
        del document[part][name]
    del document["estimates"], document["no_estimates"]
    path.write_text(json.dumps(document | {"format_version": 3}))
    loaded = zeroloop.load(path)
    assert loaded.coef.tobytes() == model.coef.tobytes()
    assert loaded.terms()["std_err"].null_count == len(model.schema.terms)
    with pytest.raises(OptionError, match="standard errors: the model was saved by a version of zeroloop"):
        loaded.covariance()
    with pytest.raises(OptionError, match="by an older version, which did not say how its table was read; train again"):
        read_again(loaded, a_table())


def test_a_model_of_format_2_is_read(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    model.save(path)
    document = json.loads(path.read_text())
    for name in ("storage", "skipped", "max_passes"):
        del document["training"][name]
    path.write_text(json.dumps(document | {"format_version": 2}))
    loaded = zeroloop.load(path)
    assert loaded.coef.tobytes() == model.coef.tobytes()
    assert (loaded.schema, loaded.held_out) == (model.schema, model.held_out)
    assert (loaded.training.passes, loaded.training.skipped) == (model.training.passes, [])


def test_terms_are_a_table(model: Model) -> None:
    terms = model.terms()
    assert terms.column_names == ["term", "coef", "odds_ratio", *FIGURES, "state"]
    assert {terms[name].null_count for name in FIGURES} == {0}  # the fit is not penalised
    assert terms["term"].to_pylist()[:3] == ["(intercept)", "size", "count"]
    np.testing.assert_allclose(terms["odds_ratio"], np.exp(terms["coef"]))


def _without(key: str) -> Any:
    return lambda d: {k: v for k, v in d.items() if k != key}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda d: "{", "no zeroloop model, or a damaged one"),
        (lambda d: b"\xff\xfe\x00", "no zeroloop model, or a damaged one"),
        (lambda d: [1, 2], "JSON, but no zeroloop model"),
        (lambda d: {"format": "other"}, "JSON, but no zeroloop model"),
        (lambda d: d | {"format_version": 6}, "written in format 6, and this zeroloop reads up to 5; update"),
        (_without("schema"), "a damaged zeroloop model"),
        (_without("training"), "a damaged zeroloop model"),
        (_without("held_out"), "a damaged zeroloop model"),
        (
            lambda d: d | {"coefficients": {"(intercept)": 1.0}},
            r"The terms that the schema makes, in order, expected - at `\$.coefficients`",
        ),
        (lambda d: d | {"coefficients": dict.fromkeys(d["coefficients"], None)}, "a damaged zeroloop model"),
        (lambda d: d | {"coefficients": dict.fromkeys(d["coefficients"], "inf")}, "not finite"),
        (lambda d: d | {"schema": d["schema"] | {"numeric": [{"name": "x"}]}}, "a damaged zeroloop model"),
        (lambda d: d | {"schema": d["schema"] | {"target": 3}}, "a damaged zeroloop model"),
        (lambda d: json.dumps(d)[:400], "no zeroloop model, or a damaged one"),
    ],
)
def test_other_files_are_refused(model: Model, tmp_path: Path, damage: Any, message: str) -> None:
    path = tmp_path / "m.json"
    model.save(path)
    damaged = damage(json.loads(path.read_text()))
    if isinstance(damaged, bytes):
        path.write_bytes(damaged)
    else:
        path.write_text(damaged if isinstance(damaged, str) else json.dumps(damaged))
    with pytest.raises(ModelFileError, match=message) as caught:
        zeroloop.load(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_no_file_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="cannot be read"):
        zeroloop.load(tmp_path / "none.json")


def test_saving_where_nothing_can_be_written(model: Model, tmp_path: Path) -> None:
    for place in (tmp_path / "none" / "m.json", tmp_path):
        with pytest.raises(OutputError):
            model.save(place)


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_predictions_stream_to_a_file(model: Model, tmp_path: Path, ending: str) -> None:
    table = pa.concat_tables([a_table(5000, seed) for seed in range(8)])
    path = tmp_path / f"p.{ending}"
    told: list[Work] = []
    rows = zeroloop.predict_file(model, table, path, keep=["colour", "bought"], progress=told.append)
    assert rows == told[-1].rows == told[-1].total_rows == 40_000
    assert len(told) == 2  # a batch at a time, not all at once
    found = pq.read_table(path) if ending == "parquet" else pacsv.read_csv(path)
    assert found.column_names == ["colour", "bought", "probability", "prediction"]
    np.testing.assert_allclose(found["probability"], model.predict_proba(table)[:, 1], rtol=1e-15)
    assert found["prediction"].to_pylist() == list(model.predict(table))
    assert found["bought"].to_pylist() == table["bought"].to_pylist()


def test_predictions_that_cannot_be_written_leave_the_old_file(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("old")
    bad = pa.concat_tables([a_table(20_000), a_table(20_000)]).to_pandas()
    bad.loc[39_999, "size"] = np.inf
    with pytest.raises(zeroloop.ZeroloopError, match="row 40000"):
        zeroloop.predict_file(model, bad, path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(OutputError, match=r"written as \.parquet or \.csv"):
        zeroloop.predict_file(model, a_table(), tmp_path / "p.txt")
    with pytest.raises(OptionError, match="two columns 'probability'"):
        zeroloop.predict_file(model, a_table(), path, keep=["probability"])
    with pytest.raises(zeroloop.ZeroloopError, match="there is no column 'none'"):
        zeroloop.predict_file(model, a_table(), path, keep=["none"])


def test_a_killed_save_leaves_the_old_model(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_text("old")
    script = (
        "import os, sys, pathlib\n"
        "from zeroloop.outputs import replacing\n"
        "with replacing(pathlib.Path(sys.argv[1])) as file:\n"
        "    file.write(b'half')\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", script, str(path)], check=False).returncode == -9
    assert path.read_text() == "old"


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "p.parquet"

    def written(text: str) -> None:
        with replacing_folder(str(path)) as folder:
            Path(folder, "part-000000000.parquet").write_text(text)
            Path(folder, ".part-000000000.parquet.x.tmp").write_text("of a worker that was killed")

    def holds(text: str) -> bool:
        return [one.read_text() for one in path.iterdir()] == [text] and list(tmp_path.iterdir()) == [path]

    written("first")
    assert holds("first")
    written("second")
    assert holds("second")
    rename = Path.rename
    monkeypatch.setattr(Path, "rename", lambda a, b: _fail() if a.suffix == ".tmp" else rename(a, b))
    with pytest.raises(OutputError, match="cannot be written"):
        written("third")
    assert holds("second")


def _fail() -> None:
    raise OSError(28, "No space left on device")


def test_a_replaced_file_keeps_its_mode(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    model.save(path)
    umask = os.umask(0)
    os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask
    path.chmod(0o640)
    model.save(path)
    assert path.stat().st_mode & 0o777 == 0o640


def test_evaluating_needs_a_target(model: Model) -> None:
    table = a_table()
    gone = table.set_column(0, "bought", pa.nulls(500, pa.int64()))
    with pytest.raises(zeroloop.ZeroloopError, match="No row has a value of the target 'bought'"):
        zeroloop.evaluate(model, gone)
    with pytest.raises(zeroloop.ZeroloopError, match="there is no column 'bought'"):
        model.score(table.drop(["bought"]))
    other = table.set_column(0, "bought", pa.array([3] * 500))
    with pytest.raises(zeroloop.ZeroloopError, match="holds 3; the model knows 0 and 1"):
        zeroloop.evaluate(model, other)


def test_an_empty_table_has_no_predictions(model: Model) -> None:
    assert model.predict_proba(a_table().slice(0, 0)).shape == (0, 2)


def test_probabilities_keep_both_tails() -> None:
    table = pa.table({"y": [0, 1] * 50, "x": [float(i % 2) + i / 1000 for i in range(100)]})
    steep = zeroloop.train(table, "y", C=1e6, test_fraction=0)
    p = steep.predict_proba(pa.table({"x": [-1e6, 1e6]}))
    assert np.all((p >= 0) & (p <= 1))
    np.testing.assert_allclose(p.sum(axis=1), 1)
