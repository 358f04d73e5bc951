"""Which rows `missing="drop"` drops: those that R's `glm` and statsmodels' formulas drop, wherever the table is."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

import zeroloop
from zeroloop.errors import DataError, OptionError

SEEDS = range(12)
FREE: dict[str, Any] = {"C": math.inf, "missing": "drop"}


def a_table(seed: int, m: int = 400) -> pd.DataFrame:
    """Return rows with gaps in columns of every role, and in some of none."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "x": rng.standard_normal(m),
            "u": rng.standard_normal(m) * 3 + 1,
            "g": rng.choice(["a", "b", "c"], m),
            "other": rng.standard_normal(m),
            "o": rng.standard_normal(m) / 4,
            "w": rng.integers(1, 4, m).astype(float),
            "who": rng.integers(0, 30, m).astype(float),
        }
    )
    z = frame.x - 0.3 * frame.u + (frame.g == "b") - 0.2 + frame.o
    frame["y"] = (rng.random(m) < 1 / (1 + np.exp(-z))).astype(float)
    for name in frame.columns:
        frame.loc[rng.random(m) < rng.choice([0.0, 0.02, 0.1]), name] = None
    return frame


def used_by(options: dict[str, Any]) -> list[str]:
    """Return the columns that a fit uses, as a formula would name them."""
    features = options.get("features") or [
        name
        for name in ("x", "u", "g", "other", "o", "w", "who")
        if name not in (*options.get("drop", ()), *(options.get(role) for role in ("weights", "offset", "cluster")))
    ]
    return ["y", *features, *(options[role] for role in ("weights", "offset", "cluster") if options.get(role))]


OPTIONS: list[dict[str, Any]] = [
    {"features": ["x", "u"]},
    {"features": ["x", "g"], "offset": "o"},
    {"features": ["u", "g"], "weights": "w"},
    {"features": ["x", "u", "g"], "cluster": "who"},
    {"drop": ["other", "who"]},
    {"drop": ["u"], "weights": "w", "offset": "o", "cluster": "who"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(options))
def test_the_rows_are_those_of_a_formula_of_the_columns_used(options: dict[str, Any]) -> None:
    for seed in SEEDS:
        frame = a_table(seed)
        used = used_by(options)
        rows = frame.dropna(subset=used)
        model = zeroloop.train(frame, "y", **FREE, **options)
        training = model.training
        assert training.rows == len(rows)
        assert training.dropped_no_target == frame.y.isna().sum()
        with_target = frame[frame.y.notna()]
        assert training.dropped_incomplete == len(with_target) - len(rows)
        gaps = with_target[used].isna().sum()
        assert training.gaps == {name: n for name, n in gaps.items() if n}
        terms = [
            name
            for name in used
            if name != "y" and name not in [options.get(role) for role in ("weights", "offset", "cluster")]
        ]
        judge = smf.glm(
            "y ~ " + " + ".join(terms),
            rows,
            family=sm.families.Binomial(),
            freq_weights=rows.w if options.get("weights") else None,
            offset=rows.o if options.get("offset") else None,
        ).fit(tol=1e-13)
        ours = {row["term"]: row["coef"] for row in model.terms().to_pylist()}
        for name, value in judge.params.items():
            ours_name = "(intercept)" if name == "Intercept" else name.replace("[T.", "=").rstrip("]")
            assert ours[ours_name] == pytest.approx(value, rel=1e-8, abs=1e-8)


def test_dropping_says_how_many_rows_went_and_for_which_columns() -> None:
    frame = a_table(3).assign(u=lambda t: t.u.where(t.index % 4 > 0))
    model = zeroloop.train(frame, "y", **FREE, features=["x", "u"])
    n, gaps = model.training.dropped_incomplete, model.training.gaps
    assert next(iter(gaps)) == "u"
    assert f"{n:,} of 400 rows were dropped as incomplete, without a value in u ({gaps['u']:,})" in str(model.summary())


def in_memory(frame: pd.DataFrame, folder: Path) -> tuple[Any, dict[str, Any]]:
    return frame, {}


def csv(frame: pd.DataFrame, folder: Path) -> tuple[Any, dict[str, Any]]:
    frame.to_csv(folder / "rows.csv", index=False)
    return str(folder / "rows.csv"), {}


def files_of_it(frame: pd.DataFrame, folder: Path) -> tuple[Any, dict[str, Any]]:
    for i in range(3):
        pq.write_table(pa.Table.from_pandas(frame[i::3], preserve_index=False), folder / f"{i}.parquet")
    ordered = pd.concat([frame[i::3] for i in range(3)])
    frame[:] = ordered.to_numpy()
    return str(folder), {}


def read_in_each_pass(frame: pd.DataFrame, folder: Path) -> tuple[Any, dict[str, Any]]:
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), folder / "rows.parquet")
    return str(folder / "rows.parquet"), {"memory": "1kB", "spill": "none"}


def spilled(frame: pd.DataFrame, folder: Path) -> tuple[Any, dict[str, Any]]:
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), folder / "rows.parquet")
    return str(folder / "rows.parquet"), {"memory": "1kB", "spill": str(folder)}


@pytest.mark.parametrize("source", [in_memory, csv, files_of_it, read_in_each_pass, spilled])
def test_gaps_of_weights_offset_and_clusters_are_dropped_from_any_source(source: Any, tmp_path: Path) -> None:
    frame = a_table(5).astype({"g": object})
    data, how = source(frame, tmp_path)
    options: dict[str, Any] = {"features": ["x", "g"], "weights": "w", "offset": "o", "cluster": "who"}
    frame = frame.infer_objects()
    by_hand = frame.dropna(subset=["y", *used_by(options)])
    model = zeroloop.train(data, "y", **FREE, **options, **how)
    assert model.training.rows == len(by_hand)
    clean = zeroloop.train(by_hand, "y", **FREE, **options)
    np.testing.assert_allclose(model.coef, clean.coef, rtol=1e-9)
    np.testing.assert_allclose(model.covariance(), clean.covariance(), rtol=1e-8)
    # The same rows when they are read again, whoever asks for them.
    assert model.test("g", data=data).wald == pytest.approx(clean.test("g", data=by_hand).wald, rel=1e-8)
    effects = model.marginal_effects(data)["effect"].to_numpy()
    np.testing.assert_allclose(effects, clean.marginal_effects(by_hand)["effect"].to_numpy(), rtol=1e-8)
    # Nobody's cluster is asked for by a score.
    with pytest.warns(zeroloop.ZeroloopWarning, match="rows have a missing value and get no prediction"):
        assert zeroloop.evaluate(model, data)["rows"] == len(frame.dropna(subset=["y", "x", "g", "w", "o"]))
    model.save(tmp_path / "model.json")
    loaded = zeroloop.load(tmp_path / "model.json")
    assert loaded.training.gaps == model.training.gaps
    assert loaded.test("g", data=data).wald == model.test("g", data=data).wald
    loaded.report(tmp_path / "page.html", data)
    assert "were dropped as incomplete, without a value in" in (tmp_path / "page.html").read_text()


EMPTY: dict[str, Callable[[int, Any], Any]] = {
    "nothing": lambda m, rng: np.full(m, np.nan),
    "null": lambda m, rng: np.full(m, None),
    "constant": lambda m, rng: np.where(rng.random(m) < 0.5, np.nan, 5.0),
    "one level": lambda m, rng: pd.Series(["only"] * m).where(rng.random(m) < 0.5),
    "cabin": lambda m, rng: pd.Series([f"C{i % (m // 2)}" for i in range(m)]).where(rng.random(m) < 0.3),
    "date": lambda m, rng: pd.Series([pd.Timestamp(2020, 1, 1)] * m).where(rng.random(m) < 0.5),
}


@pytest.mark.parametrize("name", EMPTY)
@pytest.mark.parametrize("as_file", [False, True])
def test_a_column_that_makes_no_term_costs_no_row(name: str, as_file: bool, tmp_path: Path) -> None:
    frame = a_table(7)[["x", "u", "g", "y"]]
    rows = frame.dropna()
    plain = zeroloop.train(frame, "y", **FREE)
    with_it = frame.assign(**{name: EMPTY[name](len(frame), np.random.default_rng(1))})
    data: Any = with_it
    if as_file:
        data = str(tmp_path / "rows.csv")
        with_it.to_csv(data, index=False)
    with pytest.warns(zeroloop.ZeroloopWarning, match=f"Column '{name}' is left out"):
        model = zeroloop.train(data, "y", **FREE)
    assert model.training.rows == plain.training.rows == len(rows)
    np.testing.assert_allclose(model.coef, plain.coef, rtol=1e-10)
    assert name in [one.name for one in model.schema.left_out]
    assert name not in model.training.gaps


def test_what_costs_no_row_is_kept_in_a_checkpoint(tmp_path: Path) -> None:
    frame = a_table(7)[["x", "u", "g", "y"]]
    data = str(tmp_path / "rows.csv")
    frame.assign(cabin=EMPTY["cabin"](len(frame), np.random.default_rng(1))).to_csv(data, index=False)

    def stop(work: Any) -> None:
        if work.doing.startswith("pass 3"):
            raise KeyboardInterrupt

    how = FREE | {"checkpoint": tmp_path / "kept"}
    with (
        pytest.warns(zeroloop.ZeroloopWarning, match="'cabin' is left out"),
        pytest.raises(KeyboardInterrupt, match="kept"),
    ):
        zeroloop.train(data, "y", **how, progress=stop)
    with pytest.warns(zeroloop.ZeroloopWarning, match="'cabin' is left out"):
        resumed = zeroloop.train(data, "y", **how)
    with pytest.warns(zeroloop.ZeroloopWarning, match="'cabin' is left out"):
        whole = zeroloop.train(data, "y", **FREE)
    assert resumed.training.rows == whole.training.rows
    assert resumed.training.gaps == whole.training.gaps
    assert resumed.coef.tobytes() == whole.coef.tobytes()


def test_a_table_that_can_be_read_once_says_which_column_to_leave_out() -> None:
    frame = a_table(7)[["x", "u", "g", "y"]]
    table = pa.Table.from_pandas(
        frame.assign(cabin=EMPTY["cabin"](len(frame), np.random.default_rng(1))), preserve_index=False
    )
    with pytest.raises(OptionError, match=r"Column 'cabin' makes no term .* leave 'cabin' out"):
        zeroloop.train(table.to_reader(), "y", **FREE)
    model = zeroloop.train(table.to_reader(), "y", **FREE, drop=["cabin"])
    assert model.training.rows == len(frame.dropna())


@pytest.mark.parametrize(("role", "column"), [("weights", "w"), ("cluster", "who")])
def test_without_dropping_a_gap_of_a_role_is_an_error_that_says_the_way(role: str, column: str) -> None:
    frame = (
        a_table(1)
        .assign(**{column: lambda t: t[column].where(t.index != 6)})[["x", column, "y"]]
        .dropna(subset=["x", "y"])
    )
    given: dict[str, Any] = {role: column}
    with pytest.raises(DataError, match=f"{role} column '{column}' .* no value in row .*missing='drop'"):
        zeroloop.train(frame, "y", C=math.inf, **given)


def test_no_complete_row_names_the_columns_with_most_gaps() -> None:
    frame = a_table(1)[["x", "u", "y"]].dropna()
    frame["x"] = frame.x.where(frame.index % 2 == 0)
    frame["u"] = frame.u.where(frame.index % 2 == 1)
    with pytest.raises(DataError, match=r"most gaps: [xu] \(\d+ rows\), [xu] \(\d+ rows\)"):
        zeroloop.train(frame, "y", **FREE)
