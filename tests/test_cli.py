"""The command line as a stranger uses it: exit codes, whole error lines; some in a process of its own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

import zeroloop
from command_line import run, run_apart
from test_tables import a_table


def error(*arguments: object, cwd: Path) -> str:
    """Return the one line a failing command says."""
    done = run(*arguments, cwd=cwd)
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if not line.startswith("zeroloop: warning: ")]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("zeroloop: error: ")
    return lines[0].removeprefix("zeroloop: error: ")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pacsv.write_csv(a_table(), tmp_path / "shop.csv")
    return tmp_path


def test_train_predict_evaluate_summary(folder: Path) -> None:
    done = run_apart("train", "shop.csv", "--target", "bought", "--out", "shop.json", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for text in (
        "Read shop.csv: 500 rows;", "the model gives the probability of 1 (against 0)", "colour", "3 levels",
        "missing values have a term", "Fit by newton, C = 1: converged in", "read ", "encode ", "fit ", "log loss",
        "AUC", "Brier score", "accuracy", "base rate", "odds ratio", "Saved shop.json",
    ):  # fmt: skip
        assert text in done.stdout, text
    model = zeroloop.load(folder / "shop.json")
    assert model.coef.tobytes() == zeroloop.train(folder / "shop.csv", "bought").coef.tobytes()

    done = run("predict", "shop.json", "shop.csv", "-o", "p.csv", "--keep", "colour,size", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert pacsv.read_csv(folder / "p.csv").column_names == ["colour", "size", "probability", "prediction"]

    done = run("evaluate", "shop.json", "shop.csv", "--json", cwd=folder)
    assert json.loads(done.stdout) == zeroloop.evaluate(model, folder / "shop.csv")
    assert "AUC" in run("evaluate", "shop.json", "shop.csv", cwd=folder).stdout

    done = run("summary", "shop.json", "--json", cwd=folder)
    assert json.loads(done.stdout)["terms"] == model.terms().to_pylist()
    assert "colour is missing" in run("summary", "shop.json", cwd=folder).stdout


def test_train_json_is_one_object(folder: Path) -> None:
    done = run("train", "shop.csv", "--target", "bought", "--drop", "size", "--json", cwd=folder)
    found = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    assert found["rows"] == 500
    assert [column["name"] for column in found["columns"]] == ["count", "colour"]
    assert found["left_out"] == []
    assert found["converged"] is True
    assert found["passes"] > 3
    assert found["gradient_norm"] <= 1e-6
    assert set(found["seconds"]) == {"read", "encode", "fit", "score"}
    assert set(found["held_out"]) == {"rows", "log_loss", "auc", "brier", "accuracy", "base_rate"}
    assert set(found["held_out"]["base_rate"]) == {"log_loss", "auc", "brier", "accuracy"}
    assert found["model"] == "model.json"
    assert 0.3 < found["loss"] < 0.7


def test_every_option_reaches_the_fit(folder: Path) -> None:
    table = a_table().append_column("w", pa.array([1.0, 2.0] * 250))
    pq.write_table(table, folder / "shop.parquet")
    options = [
        "--target",
        "bought",
        "--positive",
        "0",
        "--features",
        "size,count",
        "--features",
        "colour",
        "--drop",
        "colour",
        "--categorical",
        "count",
        "--weights",
        "w",
        "--C",
        "0.5",
        "--solver",
        "gradient-descent",
        "--tol",
        "1e-3",
        "--max-iter",
        "9000",
        "--learning-rate",
        "0.7",
        "--missing",
        "drop",
        "--test-fraction",
        "0.1",
        "--seed",
        "3",
        "--threads",
        "2",
    ]
    done = run("train", "shop.parquet", *options, "-o", "m.json", cwd=folder)
    assert done.returncode == 0, done.stderr
    same = zeroloop.train(
        table, "bought", positive=0, features=["size", "count"], categorical=["count"], drop=["colour"], weights="w",
        C=0.5, solver="gradient-descent", tol=1e-3, max_iter=9000, learning_rate=0.7, missing="drop",
        test_fraction=0.1, seed=3,
    )  # fmt: skip
    found = zeroloop.load(folder / "m.json")
    assert found.coef.tobytes() == same.coef.tobytes()
    assert found.schema == same.schema
    assert found.held_out == same.held_out
    assert (found.training.max_iter, found.training.learning_rate, found.training.seed) == (9000, 0.7, 3)


def test_not_converged_is_said(folder: Path) -> None:
    done = run("train", "shop.csv", "--target", "bought", "--max-iter", "1", cwd=folder)
    assert done.returncode == 0
    assert "zeroloop: warning: Not converged: after 2 passes of newton max |gradient| is" in done.stderr
    assert "not converged" in done.stdout


def test_bad_input_is_one_line_and_leaves_outputs_alone(folder: Path) -> None:
    (folder / "model.json").write_text("old")
    a_file = {
        "empty.csv": "",
        "header.csv": "bought,x\n",
        "one.csv": "bought,x\n" + "1,1\n1,2\n" * 20,
        "many.csv": "bought,x\n" + "".join(f"{i % 150},1\n" for i in range(300)),
        "real.csv": "bought,x\n" + "".join(f"{i / 8},1\n" for i in range(50)),
        "text.csv": "bought,x\n" + "1,1\n0,2\n" * 25_000 + "1,abc\n" * 5,
        "inf.csv": "bought,x\n" + "1,1\n0,2\n" * 20 + "1,inf\n",
    }
    for name, text in a_file.items():
        (folder / name).write_text(text)
    (folder / "cut.parquet").write_bytes(b"PAR1" + b"\1" * 5000)
    (folder / "two").mkdir()
    (folder / "two" / "a.csv").write_text("bought,x\n1,2\n")
    (folder / "two" / "b.csv").write_text("bought,y\n1,2\n")
    (folder / "bad.json").write_text('{"format": "zeroloop model", "format_version": 1}')
    said = {
        ("train", "none.csv", "--target", "bought"): "none.csv: no such file or folder.",
        ("train", "empty.csv", "--target", "bought"): "empty.csv: the file is empty.",
        ("train", "header.csv", "--target", "bought"): "header.csv: the file has a header and no rows.",
        ("train", "shop.csv", "--target", "bougt"): "target: there is no column 'bougt'; did you mean 'bought'?",
        ("train", "one.csv", "--target", "bought"): (
            "The target 'bought' has one value only, 1, in every row; a target needs two."
        ),
        ("train", "many.csv", "--target", "bought"): (
            "The target 'bought' has 150 values (0, 1, 2, ...); expected at most 100 classes. Group them, or make a "
            "column that is 1 for the one of interest."
        ),
        ("train", "real.csv", "--target", "bought"): (
            "The target 'bought' holds continuous numbers (0.0, 0.125, 0.25, ...; 50 values); a logistic regression "
            "predicts one of a few classes. Make such a column first: whether a limit is passed, say."
        ),
        ("train", "text.csv", "--target", "bought"): (
            "text.csv: column 'x' holds numbers, but for 5 of 50,005 values ('abc' in row 50,001). Correct "
            "them, say that they are missing (--na=abc), or name 'x' categorical if it is a code."
        ),
        ("train", "inf.csv", "--target", "bought"): (
            "Column 'x' holds inf in row 41; every number must be finite. "
            "Correct the value, or leave it empty to count as missing."
        ),
        ("train", "cut.parquet", "--target", "bought"): "cut.parquet: the file is damaged or cut short (",
        ("train", "two", "--target", "bought"): (
            "two/b.csv: its columns are not those of two/a.csv: it lacks 'x' and it adds 'y'. "
            "Files read as one table must have the same columns."
        ),
        ("train", "shop.csv", "--target", "bought", "-o", "no/m.json"): (
            "no/m.json: the folder no does not exist; make it first."
        ),
        ("train", "shop.csv", "--target", "bought", "--C", "0"): (
            "C is 0.0; it must be above 0 (a smaller C is a stronger penalty, inf is none)."
        ),
        ("train", "shop.csv", "--target", "bought", "--C", "-1"): (
            "C is -1.0; it must be above 0 (a smaller C is a stronger penalty, inf is none)."
        ),
        ("train", "shop.csv", "--target", "bought", "--tol", "nan"): (
            "tol is nan; it must be a number above 0, such as 1e-6."
        ),
        ("predict", "bad.json", "shop.csv"): (
            "bad.json: a damaged zeroloop model (KeyError: 'schema'); train or copy it again."
        ),
        ("summary", "shop.csv"): "shop.csv: no zeroloop model, or a damaged one (not JSON: ",
        ("ladder", "--plot", "ladder.pdf"): "ladder.pdf: a chart is written as .png or .svg; name the file so.",
    }
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for arguments, sentence in said.items():
        found = error(*arguments, cwd=folder)
        assert found.startswith(sentence) if sentence.endswith(("(", ": ")) else found == sentence
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_columns_left_out_are_said_once_and_together(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    columns = {f"c{i}": np.full(60, i) for i in range(500)} | {f"e{i}": pa.nulls(60) for i in range(3)}
    columns |= {"rows": np.arange(60), "one": [f"{i}:{i}" for i in range(60)]}
    columns |= {f"x{i}": rng.standard_normal(60) for i in range(30)} | {"y": rng.permutation([0, 1] * 30)}
    pacsv.write_csv(pa.table(columns), tmp_path / "wide.csv")
    done = run("train", "wide.csv", "--target", "y", cwd=tmp_path)
    assert done.stderr.splitlines() == [
        f"zeroloop: warning: {sentence}"
        for sentence in (
            "Columns 'c0', 'c1', 'c2', 'c3', 'c4' and 495 more are left out for reasons like that of 'c0': "
            "constant, 0 in every training row.",
            "Columns 'e0', 'e1' and 'e2' are left out: no value in any training row.",
            "Column 'one' is left out: an identifier: 48 values in 48 rows; name it categorical to use it all the "
            "same.",
            "Column 'rows' is left out: it counts the rows (0, 1, 2, ...); name it among the features to use it.",
        )
    ]
    assert "left out" not in done.stdout
    assert len(done.stdout.splitlines()) < 60
    assert "and 10 more  numeric" in done.stdout
    told = run("summary", "model.json", cwd=tmp_path).stdout
    assert [told.count(f"\n{name} ") for name in ("c0", "c499", "e2", "one", "rows", "x29")] == [1, 1, 1, 1, 1, 2]
    nothing = pa.table({f"c{i}": np.full(60, i) for i in range(500)} | {"y": columns["y"]})
    pacsv.write_csv(nothing, tmp_path / "nothing.csv")
    assert error("train", "nothing.csv", "--target", "y", cwd=tmp_path) == (
        "No column is left to predict 'y' from ('c0', 'c1', 'c2', 'c3', 'c4' and 495 more for reasons like that of "
        "'c0': constant, 0 in every training row)."
    )


def test_one_is_not_several(tmp_path: Path) -> None:
    table = pa.table({"x": [0.5, 1.5, 2.5, None, 4.0], "c": list("ababa"), "y": [0, 1, 1, 0, 1]})
    pacsv.write_csv(table, tmp_path / "five.csv")
    pacsv.write_csv(table.slice(3, 1).append_column("z", [[1]]), tmp_path / "one.csv")
    done = run("train", "five.csv", "--target", "y", "--missing", "drop", "--test-fraction", "0.2", cwd=tmp_path)
    assert "1 of 5 rows was dropped as incomplete" in done.stdout
    done = run("predict", "model.json", "one.csv", cwd=tmp_path)
    assert done.stdout == "Wrote predictions.parquet: 1 prediction\n"
    assert "1 of 1 row has a missing value and gets no prediction" in done.stderr
    pacsv.write_csv(table.slice(1, 1), tmp_path / "known.csv")
    assert run("evaluate", "model.json", "known.csv", cwd=tmp_path).stdout.startswith("1 row\n")


def test_the_flights_are_written(flights: str, tmp_path: Path) -> None:
    done = run("data", "my flights.csv", cwd=tmp_path)
    assert done.stdout.splitlines()[1] == "Next: zeroloop train 'my flights.csv' --target late"
    assert run("data", cwd=tmp_path).returncode == 0
    assert run("data", cwd=tmp_path).returncode == 0  # the same again
    assert (tmp_path / "flights.parquet").read_bytes() == Path(flights).read_bytes()
    read, written = pacsv.read_csv(tmp_path / "my flights.csv"), pq.read_table(flights)
    assert read.num_rows == written.num_rows
    for name in written.column_names:
        assert read[name].cast(written[name].type).to_pylist() == written[name].to_pylist(), name
    assert error("data", "flights.xlsx", cwd=tmp_path) == (
        "flights.xlsx: a table is written as .parquet or .csv; name the file so."
    )


@pytest.mark.parametrize("name", ["flights.parquet", "flights.csv"])
def test_the_flights_are_written_over_no_other_table(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine")
    assert error("data", name, cwd=tmp_path) == (
        f"{name}: is there already, and is another table; name another file, or remove this one."
    )
    assert (tmp_path / name).read_text() == "mine"


def test_the_demo_writes_over_no_other_table(tmp_path: Path) -> None:
    (tmp_path / "flights.parquet").write_text("mine")
    assert error("demo", cwd=tmp_path) == (
        "flights.parquet: is there already, and is another table; run the demo in another folder."
    )
    assert [path.name for path in tmp_path.iterdir()] == ["flights.parquet"]
    assert (tmp_path / "flights.parquet").read_text() == "mine"


def test_demo(flights: str, tmp_path: Path) -> None:
    done = run_apart("demo", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "327,346 rows" in done.stdout
    assert "Next: zeroloop summary flights-model.json" in done.stdout
    assert pq.read_table(tmp_path / "flights-predictions.parquet").num_rows == 327_346
    assert (tmp_path / "flights.parquet").read_bytes() == Path(flights).read_bytes()
    assert "zeroloop train flights.parquet --target late" in (tmp_path / "flights-report.html").read_text()
    model = zeroloop.load(tmp_path / "flights-model.json")
    assert model.held_out is not None
    assert model.held_out["log_loss"] < model.held_out["base_rate"]["log_loss"]


def test_ladder(tmp_path: Path) -> None:
    done = run("ladder", "--examples", "500", "--features", "4", "--plot", "l.svg", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for text in (
        "two_loops",
        "one_loop",
        "tiled",
        "fused",
        "2, compiled",
        "explicit loops",
        "speed-up over two_loops",
        "l.svg",
    ):
        assert text in done.stdout
    assert (tmp_path / "l.svg").read_text().startswith("<?xml")
    found = json.loads(run("ladder", "--examples", "500", "--features", "4", "--json", cwd=tmp_path).stdout)
    assert [rung["loops"] for rung in found["rungs"]] == [2, 1, 0, 1, 2]
    assert run("ladder", "--show", "vectorized", cwd=tmp_path).stdout.startswith("def vectorized(X")
    assert "there are two_loops" in error("ladder", "--show", "three", cwd=tmp_path)


def test_help_has_an_example_and_the_python_call(tmp_path: Path) -> None:
    assert "train" in run("--help", cwd=tmp_path).stdout
    for command in ("train", "predict", "evaluate", "summary", "ladder"):
        text = run(command, "--help", cwd=tmp_path).stdout
        assert f"Example: zeroloop {command}" in text
        assert "In Python:" in text


def test_path(folder: Path) -> None:
    done = run("path", "shop.csv", "--target", "bought", "--n", "12", "-o", "p.csv", "--plot", "p.png", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "12 values of C" in done.stdout
    assert "Wrote p.csv" in done.stdout
    assert (folder / "p.png").read_bytes().startswith(b"\x89PNG")
    written = pacsv.read_csv(folder / "p.csv")
    assert written.num_rows == 12
    path = zeroloop.path(str(folder / "shop.csv"), "bought", Cs=12)
    np.testing.assert_allclose(written[path.terms[0]], path.coef[:, 0, 0], rtol=1e-12, atol=1e-300)
    rows = json.loads(run("path", "shop.csv", "--target", "bought", "--n", "3", "--json", cwd=folder).stdout)
    assert rows[0]["nonzero"] == 0
    for arguments, message in (
        (("--l1-ratio", "2"), "l1_ratio is 2.0"),
        (("--plot", "p.gif"), "p.gif: a chart is written as .png or .svg"),
        (("-o", "p.txt"), "p.txt"),
        (("--penalty-factor", "size"), "penalty-factor is 'size'; expected COLUMN=NUMBER"),
        (("--penalty-factor", "nothing=2"), "penalty_factors: 'nothing' is no column that makes terms"),
    ):
        bad = run("path", "shop.csv", "--target", "bought", *arguments, cwd=folder)
        assert bad.returncode == 2
        assert message in bad.stderr
        assert "Traceback" not in bad.stderr
    best = run("train", "shop.csv", "--target", "bought", "--C", "best", "-o", "m9.json", cwd=folder)
    assert best.returncode == 2
    assert "C is 'best'; it must be a number above 0, or one of cv, cv-1se." in best.stderr
