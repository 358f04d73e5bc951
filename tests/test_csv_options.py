"""What is said of CSV files and of words for missing values: in every door, in the model, and in the command again."""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from typer.testing import CliRunner

import zeroloop
from zeroloop.cli import app
from zeroloop.errors import BadFileError, CheckpointError, ZeroloopError, ZeroloopWarning
from zeroloop.report.provenance import command_of

ROWS = 300


def a_frame() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "x": np.round(rng.normal(size=ROWS) * 100, 1),
            "age": rng.integers(18, 90, ROWS).astype(float),
            "land": rng.choice(["NA", "DE", "unbekannt"], ROWS),
            "y": rng.integers(0, 2, ROWS),
        }
    )
    frame.loc[rng.random(ROWS) < 0.1, "age"] = -99
    return frame


def meant() -> pd.DataFrame:
    """Return the table as it is meant."""
    frame = a_frame().replace({"age": {-99: np.nan}})
    frame["land"] = frame["land"].replace({"unbekannt": None})
    return frame


SAID = zeroloop.CsvOptions(na=["-99", "unbekannt"], not_na=["NA"])


def trained(data: Any, csv: zeroloop.CsvOptions = SAID, **options: Any) -> zeroloop.Model:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ZeroloopWarning)
        return zeroloop.train(data, "y", csv=csv, **options)


SOURCES: dict[str, Callable[[Path], Any]] = {
    "CSV": lambda folder: as_file(folder / "t.csv", lambda path: a_frame().to_csv(path, index=False)),
    "decimal commas": lambda folder: as_file(
        folder / "t.csv", lambda path: a_frame().to_csv(path, index=False, sep=";", decimal=",")
    ),
    "Parquet": lambda folder: as_file(folder / "t.parquet", lambda path: a_frame().to_parquet(path)),
    "categories": lambda folder: pa.Table.from_pandas(a_frame()).set_column(
        2, "land", pa.array(a_frame()["land"]).dictionary_encode()
    ),
    "pandas": lambda folder: a_frame(),
}


def as_file(path: Path, write: Callable[[Path], object]) -> Path:
    write(path)
    return path


@pytest.mark.parametrize("source", SOURCES)
def test_words_are_missing_in_tables_of_every_kind(source: str, tmp_path: Path) -> None:
    model, expected = trained(SOURCES[source](tmp_path)), trained(meant(), zeroloop.CsvOptions(not_na=["NA"]))
    if source != "categories":  # whose order is their own
        assert model.schema == expected.schema
        assert model.coef.tobytes() == expected.coef.tobytes()
    assert {column.name: column.missing for column in model.schema.categorical} == {
        column.name: column.missing for column in expected.schema.categorical
    }
    assert [column.missing for column in model.schema.numeric] == [column.missing for column in expected.schema.numeric]
    predicted = model.predict_proba(SOURCES[source](tmp_path))
    np.testing.assert_allclose(predicted, expected.predict_proba(meant()), rtol=1e-6)


def test_words_that_are_levels_here_and_missing_in_csv_are_said(tmp_path: Path) -> None:
    with pytest.warns(ZeroloopWarning, match=r"Column 'land' holds 'NA', missing in a CSV file and a level here: --na"):
        model = zeroloop.train(a_frame(), "y", drop=["age"])
    # A level of the model is one in a file to predict from too.
    a_frame().to_csv(tmp_path / "t.csv", index=False)
    np.testing.assert_array_equal(model.predict_proba(tmp_path / "t.csv"), model.predict_proba(a_frame()))


def without_names(path: Path) -> None:
    a_frame().round({"x": 0}).to_csv(path, index=False, header=False, sep="|", encoding="utf-16-le")


GIVEN = zeroloop.CsvOptions(
    encoding="utf-16-le",
    delimiter="|",
    decimal=".",
    header=False,
    skip=0,
    comment="%",
    na=["-99.0", "-x-"],
    not_na=["NA"],
)


def test_a_model_keeps_what_was_said_for_what_it_predicts_from(tmp_path: Path) -> None:
    without_names(tmp_path / "t.txt")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = zeroloop.train(tmp_path / "t.txt", "column4", csv=GIVEN)
        model.save(tmp_path / "model.json")
        again = zeroloop.load(tmp_path / "model.json")
        assert again.training.csv == GIVEN.given() == model.training.csv
        expected = model.predict_proba(tmp_path / "t.txt")
        np.testing.assert_array_equal(again.predict_proba(tmp_path / "t.txt"), expected)
        zeroloop.predict_file(again, tmp_path / "t.txt", tmp_path / "out.csv")
        np.testing.assert_array_equal(pd.read_csv(tmp_path / "out.csv")["probability"], expected[:, 1])
        again.report(tmp_path / "page.html", tmp_path / "t.txt")
        scores = zeroloop.evaluate(again, tmp_path / "t.txt")
    assert scores["rows"] == ROWS
    # Said again, of a file that is written otherwise.
    frame = a_frame().round({"x": 0})
    frame.columns = pd.Index([f"column{i + 1}" for i in range(4)])
    frame.to_csv(tmp_path / "other.csv", index=False, sep=";")
    other = zeroloop.CsvOptions(encoding="utf-8", delimiter=";", header=True)
    np.testing.assert_array_equal(again.predict_proba(tmp_path / "other.csv", csv=other), expected)
    assert zeroloop.evaluate(again, tmp_path / "other.csv", csv=other) == scores
    with pytest.raises(ZeroloopError):
        again.predict_proba(tmp_path / "other.csv")


def test_the_command_again_and_a_checkpoint_know_what_was_said(tmp_path: Path) -> None:
    without_names(tmp_path / "t.txt")
    model = zeroloop.train(tmp_path / "t.txt", "column4", csv=GIVEN, checkpoint=tmp_path / "kept")
    command = command_of(model)
    assert command is not None
    words = shlex.split(command)
    assert words[3:] == [
        "--target", "column4", "--encoding", "utf-16-le", "--delimiter", "|", "--decimal", ".", "--no-header",
        "--skip", "0", "--comment", "%", "--na=-99.0", "--na=-x-", "--not-na", "NA",
    ]  # fmt: skip
    result = CliRunner().invoke(app, [*words[1:], "--out", str(tmp_path / "again.json")], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    again = zeroloop.load(tmp_path / "again.json")
    assert again.coef.tobytes() == model.coef.tobytes()
    assert again.training.arguments == model.training.arguments
    header = tmp_path / "kept" / "run.json"
    header.write_text(header.read_text().replace('"finished": true', '"finished": false'))
    with pytest.raises(CheckpointError, match=r"of another run \(options: csv is"):
        zeroloop.train(tmp_path / "t.txt", "column4", csv=replace(GIVEN, na=["-99"]), checkpoint=tmp_path / "kept")


def test_every_command_that_reads_tables_has_the_options(tmp_path: Path) -> None:
    without_names(tmp_path / "t.txt")
    run = CliRunner()
    said = ["--encoding", "utf-16-le", "--delimiter", "|", "--no-header", "--na=-99.0"]
    model, table = str(tmp_path / "m.json"), str(tmp_path / "t.txt")
    for command in (
        ["train", table, "--target", "column4", "--out", model, "--C", "inf"],
        ["path", table, "--target", "column4", "--n", "5"],
        ["predict", model, table, "--out", str(tmp_path / "p.csv")],
        ["evaluate", model, table],
        ["summary", model, table, "--effects", "--test", "column1"],
        ["report", model, table, "--out", str(tmp_path / "r.html")],
    ):
        result = run.invoke(app, [*command, *said], catch_exceptions=False)
        assert result.exit_code == 0, f"{command}\n{result.output}"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (
            {"encoding": "utf-99"},
            "encoding is 'utf-99', which is no known encoding of text; use utf-8, utf-16, cp1252 or the like.",
        ),
        (
            {"encoding": "base64"},
            "encoding is 'base64', which is no known encoding of text; use utf-8, utf-16, cp1252 or the like.",
        ),
        (
            {"encoding": "a\0b"},
            "encoding is 'a\\x00b', which is no known encoding of text; use utf-8, utf-16, cp1252 or the like.",
        ),
        ({"delimiter": ";;"}, "delimiter is ';;'; it must be one character, such as ';', or tab."),
        ({"delimiter": ""}, "delimiter is ''; it must be one character, such as ';', or tab."),
        ({"decimal": ";"}, "decimal is ';'; it must be '.' or ','."),
        ({"skip": -1}, "skip is -1; it must be a whole number of at least 0."),
        ({"comment": "//"}, "comment is '//'; it must be one character, such as '#', or empty for none."),
        ({"na": "x", "not_na": ["x"]}, "na and not_na both name 'x'; take it out of one of them."),
        ({"delimiter": ",", "decimal": ","}, "delimiter and decimal are both ','; correct one."),
    ],
)
def test_what_cannot_be_is_a_sentence(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ZeroloopError) as caught:
        zeroloop.CsvOptions(**options)
    assert str(caught.value) == problem


def test_what_is_given_wrong_is_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("größe,y\n1,0\n2,1\n".encode())
    for options, problem in [
        ({"encoding": "ascii"}, "it is not in the encoding ascii"),
        ({"encoding": "utf-32"}, "it is not in the encoding utf-32"),
        ({"skip": 3}, "the file has no table below its titles."),
        ({"skip": 99}, "the file has no table below its titles."),
    ]:
        with pytest.raises(BadFileError) as caught:
            zeroloop.train(tmp_path / "t.csv", "y", csv=zeroloop.CsvOptions(**options))  # type: ignore[arg-type]
        assert problem in caught.value.reason, options


@pytest.mark.parametrize(
    ("encoding", "last"), [("cp1252", b"1,\x81x,0\n"), ("utf-16", b"\x00"), ("utf-8", b"1,\xfcx,0\n")]
)
def test_another_encoding_further_down_is_an_error(encoding: str, last: bytes, tmp_path: Path) -> None:
    rows = "n,c,y\n" + "".join(f"{i % 7},Köln,{i % 2}\n" for i in range(30_000))
    (tmp_path / "late.csv").write_bytes(rows.encode(encoding) + last)
    with pytest.raises(BadFileError) as caught:
        trained(tmp_path / "late.csv")
    assert caught.value.reason.endswith("save the file as UTF-8, or name its --encoding.")
