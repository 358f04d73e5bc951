"""Every table of the corpus is read as what it means, with what is to be said and no other word, or refused."""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from corpus import CASES, NAME, Case, clean, main
from programs import PROGRAMS

import zeroloop
from forked import MAIN, run_forked
from zeroloop.errors import ZeroloopError

ALL = [*CASES, *PROGRAMS]


def trained(data: Any, case: Case) -> tuple[zeroloop.Model, list[str]]:
    """Return the model of a table, and what was said of it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = zeroloop.train(data, "y", csv=zeroloop.CsvOptions(**case.csv), **case.options)
    return model, [str(one.message) for one in caught]


@cache
def expected(means: Any, options: tuple[tuple[str, Any], ...]) -> zeroloop.Model:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return zeroloop.train(means(), "y", **{name: value for name, value in options if name != "drop"})


@pytest.mark.parametrize("case", ALL, ids=lambda case: f"{case.kind}: {case.name}")
def test_a_table_is_read_as_it_is_meant(case: Case, tmp_path: Path) -> None:
    data = case.write(tmp_path) or tmp_path / NAME
    if case.error:
        with pytest.raises(ZeroloopError) as caught:
            trained(data, case)
        assert case.error in str(caught.value)
        return
    model, said = trained(data, case)
    assert len(said) == len(case.said), said
    for sentence, part in zip(said, case.said, strict=True):
        assert part in sentence
    options = {name: tuple(value) if isinstance(value, list) else value for name, value in case.options.items()}
    right = expected(case.means, tuple(options.items()))
    assert model.schema.terms == right.schema.terms
    assert model.coef.tobytes() == right.coef.tobytes()
    assert model.held_out == right.held_out
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.testing.assert_array_equal(model.predict_proba(data), right.predict_proba(case.means()))


WRITERS = [
    "Excel, German CSV", "R, write.csv", "R, write.csv2", "pandas, to_csv", "Spark, CSV", "Spark's parts, CSV",
    "Spark's parts, Parquet", "JSON lines",
]  # fmt: skip


@pytest.mark.parametrize("name", WRITERS)
def test_whoever_wrote_a_table_its_coefficients_are_those_of_parquet(name: str, tmp_path: Path) -> None:
    (case,) = [one for one in ALL if one.name == name]
    case.means().to_parquet(tmp_path / "clean.parquet", index=False)
    parquet, said = trained(tmp_path / "clean.parquet", case)
    assert said == []
    (tmp_path / "data").mkdir()
    model, _ = trained(case.write(tmp_path / "data") or tmp_path / "data" / NAME, case)
    assert model.coef.tobytes() == parquet.coef.tobytes()
    assert model.schema == parquet.schema or case.said  # but for columns left out


@pytest.mark.parametrize("name", ["as it is", "JSON lines", "Excel, German CSV", "a source below"])
def test_a_table_through_standard_input_has_the_coefficients_of_parquet(name: str, tmp_path: Path) -> None:
    (case,) = [one for one in ALL if one.name == name]
    clean().to_parquet(tmp_path / "clean.parquet", index=False)
    data = case.write(tmp_path) or tmp_path / NAME
    for given, out in ((str(tmp_path / "clean.parquet"), "parquet.json"), ("-", "stdin.json")):
        with data.open("rb") as source:
            words = ["train", "--target", "y", given, "--out", out]
            done = run_forked(MAIN, words, stdin=source.fileno(), cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    one, other = (zeroloop.load(tmp_path / file) for file in ("parquet.json", "stdin.json"))
    assert one.coef.tobytes() == other.coef.tobytes()


def test_the_corpus_is_written_with_a_manifest(tmp_path: Path) -> None:
    main(tmp_path)
    manifest = pd.read_csv(tmp_path / "manifest.csv")
    assert len(manifest) == len(ALL) >= 60
    assert list(manifest["name"]) == [case.name for case in ALL]
    one = manifest[manifest["name"] == "as it is"]["file"].item()
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / one, dtype={"zip": str}), clean())
