"""Inference and the report on the command line, as a stranger uses them."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import pyarrow.csv as pacsv
import pytest

import zeroloop
from command_line import run
from test_inference import REFERENCE
from zeroloop.cli import main


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "births.csv").write_bytes((REFERENCE / "birthwt.csv").read_bytes())
    done = run(
        "train", "births.csv", "--target", "low", "--C", "inf", "--features", "age,lwt,race,smoke",
        "--test-fraction", 0, "--test", "race", "--test", "age,lwt", "-o", "m.json", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Test of race (2 df): Wald 7.843, p 0.020; likelihood ratio 8.302, p 0.016" in done.stdout
    assert "Test of age + lwt (2 df): Wald " in done.stdout
    return tmp_path


def test_summary_prints_what_r_prints(folder: Path) -> None:
    done = run("summary", "m.json", "--level", 0.9, cwd=folder)
    assert done.returncode == 0, done.stderr
    for text in (
        "Standard errors", "from the model", "Observations", "189", "-107.289", "Null deviance", "234.672", "AIC",
        "BIC", "McFadden's pseudo R2", "90% interval", "race=white", "-1.23167", "0.5172", "0.017", "Condition number",
    ):  # fmt: skip
        assert text in done.stdout, text
    found = json.loads(run("summary", "m.json", "--json", cwd=folder).stdout)
    model = zeroloop.load(folder / "m.json")
    assert [term["std_err"] for term in found["terms"]] == model.terms()["std_err"].to_pylist()
    assert {"std_err", "z", "p", "ci_lower", "ci_upper"} <= set(found["terms"][1])
    assert found["fit"]["aic"] == model.summary().figures["aic"]
    assert found["tests"][0]["columns"] == ["race"]
    assert found["no_standard_errors"] is None


def test_summary_reads_the_rows_again_where_it_needs_them(folder: Path) -> None:
    without = run("summary", "m.json", "--test", "smoke", cwd=folder).stdout
    assert "Test of smoke (1 df): Wald 7.7, p 0.006\n" in without
    done = run("summary", "m.json", "births.csv", "--test", "smoke", "--effects", cwd=folder)
    assert "Test of smoke (1 df): Wald 7.7, p 0.006; likelihood ratio " in done.stdout
    for text in ("Average marginal effects", "derivative", "from black", "-0.24306", "0.021"):
        assert text in done.stdout, text
    found = json.loads(run("summary", "m.json", "births.csv", "--effects", "--json", cwd=folder).stdout)
    assert [row["term"] for row in found["effects"]] == ["age", "lwt", "smoke", "race=other", "race=white"]


def test_predictions_with_intervals(folder: Path) -> None:
    done = run("predict", "m.json", "births.csv", "-o", "p.csv", "--interval", "--level", 0.9, cwd=folder)
    assert done.returncode == 0, done.stderr
    found = pacsv.read_csv(folder / "p.csv")
    assert found.column_names == ["probability", "probability lower", "probability upper", "prediction"]


def test_a_penalised_model_says_why_it_has_no_p_values(folder: Path) -> None:
    run("train", "births.csv", "--target", "low", "-o", "c.json", cwd=folder)
    said = run("summary", "c.json", cwd=folder).stdout
    assert "No standard errors: the fit is penalised (C = 1)" in said
    assert "train with C = inf for them" in said
    found = json.loads(run("summary", "c.json", "--json", cwd=folder).stdout)
    assert "the fit is penalised" in found["no_standard_errors"]
    assert found["terms"][0]["p"] is None


def test_errors(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(folder)

    def error(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["zeroloop", *map(str, arguments)])
        with warnings.catch_warnings(), pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        said = capsys.readouterr()
        assert said.out == ""
        (line,) = said.err.splitlines()
        return line.removeprefix("zeroloop: error: ")

    train = ("train", "births.csv", "--target", "low", "--C", "inf", "--features", "age,lwt")
    assert error("summary", "m.json", "--effects") == (
        "effects: a model file holds no rows to average over; name the table too."
    )
    assert error("summary", "m.json", "--level", 1) == "level is 1.0; it must be between 0 and 1, such as 0.95."
    assert error("summary", "m.json", "--test", "colour") == (
        "test: 'colour' is no column that makes terms; these do: age, lwt, smoke, race."
    )
    assert error(*train, "--cluster", "clinik") == "cluster: there is no column 'clinik'; did you mean 'clinic'?"
    assert error(*train, "--weight-type", "survey", "--weights", "pweight") == (
        "weight_type is 'survey'; it must be one of frequency, sampling."
    )
    assert error("train", "births.csv", "--target", "low", "--covariance", "hc1") == (
        "covariance: a penalised fit (C = 1.0) has no standard errors; add C = inf, or leave covariance out."
    )
    assert error(*train, "--report", "page.pdf") == ("page.pdf: a report is written as .html; name the file so.")
    run("train", "births.csv", "--target", "low", "-o", "c.json", cwd=folder)
    assert error("predict", "c.json", "births.csv", "--interval").startswith(
        "The model has no standard errors: the fit is penalised (C = 1)"
    )
    assert error("report", "m.json", "nothing.csv").startswith("nothing.csv: ")
    assert not (folder / "predictions.parquet").exists()


def test_report_from_a_model_and_its_data(folder: Path) -> None:
    done = run("report", "m.json", "births.csv", "-o", "page.html", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Wrote page.html: open it in a browser\n"
    page = (folder / "page.html").read_text("utf-8")
    assert "What predicts <em>low</em>?" in page
    assert "Test of race (2 df)" in page
