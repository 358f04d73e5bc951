"""The order of levels: that of the categories of pandas, polars and Arrow, where they have one; else sorted."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

import zeroloop

SIZES = ["small", "medium", "large", "huge"]  # "huge" is met nowhere


def a_frame(seed: int = 0, m: int = 500, *, ordered: bool = False) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    size = pd.Categorical(rng.choice(SIZES[:3], m), SIZES, ordered=ordered)
    x = rng.standard_normal(m)
    z = x + 0.8 * (size == "large") - 0.4 * (size == "small")
    return pd.DataFrame({"size": size, "x": x, "y": (rng.random(m) < 1 / (1 + np.exp(-z))).astype(int)})


def in_pieces(frame: pd.DataFrame) -> pa.Table:
    """Return Arrow's table in chunks, whose dictionaries have but the categories that are met there, in order."""
    parts = [
        frame.iloc[i : i + 40].assign(size=lambda t: t["size"].cat.remove_unused_categories()) for i in (0, 40, 80)
    ]
    parts.append(frame.iloc[120:].assign(size=lambda t: t["size"].cat.remove_unused_categories()))
    return pa.concat_tables([pa.Table.from_pandas(part, preserve_index=False) for part in parts])


def parquet(frame: pd.DataFrame, folder: Path) -> str:
    frame.to_parquet(folder / "rows.parquet", row_group_size=70)
    return str(folder / "rows.parquet")


def arrow_file(frame: pd.DataFrame, folder: Path) -> str:
    feather.write_feather(frame, str(folder / "rows.arrow"), chunksize=80)
    return str(folder / "rows.arrow")


def several(frame: pd.DataFrame, folder: Path) -> str:
    for i in range(4):
        frame.iloc[125 * i : 125 * (i + 1)].to_parquet(folder / f"{i}.parquet")
    return str(folder)


FORMS: dict[str, Callable[[pd.DataFrame, Path], Any]] = {
    "pandas": lambda frame, folder: frame,
    "arrow": lambda frame, folder: pa.Table.from_pandas(frame, preserve_index=False),
    "chunks": lambda frame, folder: in_pieces(frame),
    "parquet": parquet,
    "arrow file": arrow_file,
    "several files": several,
    "polars enum": lambda frame, folder: pl.from_pandas(frame.astype({"size": str})).with_columns(
        pl.col("size").cast(pl.Enum(SIZES))
    ),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("ordered", [False, True])
def test_levels_are_in_the_order_of_the_categories(form: str, ordered: bool, tmp_path: Path) -> None:
    frame = a_frame(ordered=ordered)
    data = FORMS[form](frame, tmp_path)
    model = zeroloop.train(data, "y", C=math.inf)
    (column,) = model.schema.categorical
    assert column.levels == ("small", "medium", "large")
    assert column.counts == tuple(int(np.sum(frame["size"] == level)) for level in column.levels)
    assert model.schema.terms == ("(intercept)", "x", "size=medium", "size=large")
    judge = smf.glm(
        "y ~ x + C(size, Treatment('small'))", frame.astype({"size": str}), family=sm.families.Binomial()
    ).fit(tol=1e-13)
    found = dict(zip(model.schema.terms, model.coef[0], strict=True))
    for level in ("medium", "large"):
        wanted = judge.params[f"C(size, Treatment('small'))[T.{level}]"]
        assert found[f"size={level}"] == pytest.approx(wanted, rel=1e-8)
    same = zeroloop.train(frame, "y", C=math.inf)
    assert model.coef.tobytes() == same.coef.tobytes()
    # A model reads levels by name, whatever the order of the table it is given.
    text = frame.astype({"size": str})
    np.testing.assert_array_equal(model.predict_proba(text), model.predict_proba(data))
    model.save(tmp_path / "model.json")
    assert zeroloop.load(tmp_path / "model.json").schema == model.schema


@pytest.mark.parametrize("form", ["csv", "text", "polars categorical", "some text"])
def test_what_has_no_order_is_sorted(form: str, tmp_path: Path) -> None:
    frame = a_frame()
    data: Any = frame.astype({"size": str})
    if form == "csv":
        data = str(tmp_path / "rows.csv")
        frame.to_csv(data, index=False)
    if form == "polars categorical":  # in the order in which this process has met them
        pl.Series(["small", "large", "medium"], dtype=pl.Categorical)
        data = pl.from_pandas(data).with_columns(pl.col("size").cast(pl.Categorical))
    if form == "some text":
        frame[:250].to_parquet(tmp_path / "0.parquet")
        data[250:].to_parquet(tmp_path / "1.parquet")
        data = str(tmp_path)
    model = zeroloop.train(data, "y", C=math.inf)
    assert model.schema.categorical[0].levels == ("large", "medium", "small")
    free = zeroloop.train(frame, "y", C=math.inf)
    np.testing.assert_allclose(model.predict_proba(frame), free.predict_proba(frame), rtol=1e-9)
    assert model.needed_estimates().log_likelihood == pytest.approx(free.needed_estimates().log_likelihood, rel=1e-12)


def test_polars_categories_of_a_file_are_sorted_too(tmp_path: Path) -> None:
    data = pl.from_pandas(a_frame().astype({"size": str})).with_columns(pl.col("size").cast(pl.Categorical))
    data.write_parquet(tmp_path / "rows.parquet")
    data.write_ipc(tmp_path / "rows.arrow")
    for name in ("rows.parquet", "rows.arrow"):
        model = zeroloop.train(str(tmp_path / name), "y")
        assert model.schema.categorical[0].levels == ("large", "medium", "small")
        kept = tmp_path / "p.parquet"
        from zeroloop.predict import predict_file

        predict_file(model, str(tmp_path / name), kept, keep=["size"])
        assert pq.read_table(kept)["size"].to_pylist() == data["size"].to_list()


def test_files_whose_categories_differ_are_merged_in_order(tmp_path: Path) -> None:
    frame = a_frame()
    first = frame[:250][frame[:250]["size"] != "large"]
    first = first.assign(size=first["size"].cat.set_categories(["small", "medium"]))
    first.to_parquet(tmp_path / "0.parquet", index=False)
    second = frame[250:][frame[250:]["size"] != "small"]
    second = second.assign(size=second["size"].cat.set_categories(["medium", "huge", "large"]))
    second.to_parquet(tmp_path / "1.parquet", index=False)
    model = zeroloop.train(str(tmp_path), "y")
    assert model.schema.categorical[0].levels == ("small", "medium", "large")


def test_files_that_disagree_are_sorted_and_it_is_said(tmp_path: Path) -> None:
    frame = a_frame()
    frame[:250].to_parquet(tmp_path / "0.parquet")
    turned = frame["size"].cat.set_categories(SIZES[::-1])
    frame.assign(size=turned)[250:].to_parquet(tmp_path / "1.parquet")
    with pytest.warns(zeroloop.ZeroloopWarning, match="Column 'size': parts of the table have its categories in diff"):
        model = zeroloop.train(str(tmp_path), "y", C=math.inf)
    assert model.schema.categorical[0].levels == ("large", "medium", "small")


def test_the_order_of_the_target_s_categories_is_that_of_the_classes() -> None:
    frame = a_frame()
    two = frame.assign(y=pd.Categorical(np.where(frame.y == 1, "alive", "dead"), ["dead", "alive"]))
    assert zeroloop.train(two, "y").schema.target.levels == ("dead", "alive")
    assert zeroloop.train(two.astype({"y": str}), "y").schema.target.levels == ("alive", "dead")
    assert zeroloop.train(two, "y", positive="dead").schema.target.levels == ("alive", "dead")
    three = frame.rename(columns={"size": "kind"})
    model = zeroloop.train(three, "kind", C=math.inf)
    assert model.schema.target.levels == ("small", "medium", "large")
    judge = sm.MNLogit(frame["size"].cat.codes, sm.add_constant(frame[["x", "y"]])).fit(disp=0, tol=1e-12)
    effect = [row["coef"] for row in model.terms().to_pylist() if row["term"] == "x"]
    np.testing.assert_allclose(effect, judge.params.loc["x"], rtol=1e-7)


@pytest.mark.parametrize("values", [[3, 1, 2], [2.5, -1.0, 0.0], [True, False]])
def test_categories_of_numbers_have_an_order_too(values: list[Any]) -> None:
    rng = np.random.default_rng(0)
    g = pd.Categorical(rng.choice(values, 300), values)
    model = zeroloop.train(pd.DataFrame({"g": g, "y": rng.integers(0, 2, 300)}), "y", C=math.inf)
    assert list(model.schema.categorical[0].levels) == values


def test_of_many_levels_the_most_frequent_keep_their_order() -> None:
    rng = np.random.default_rng(1)
    names = [f"{i:04}" for i in rng.permutation(1_200)]
    drawn = np.concatenate([names, np.repeat(names[:900], 3), rng.choice(names, 500)])
    g = pd.Categorical(drawn, names)
    frame = pd.DataFrame({"g": g, "y": rng.integers(0, 2, drawn.size)})
    levels = zeroloop.train(frame, "y", test_fraction=0).schema.categorical[0].levels
    assert len(levels) == 1_000
    place = {name: i for i, name in enumerate(names)}
    assert [place[str(level)] for level in levels] == sorted(place[str(level)] for level in levels)
    assert list(levels) != sorted(map(str, levels))


def test_random_cuts_of_one_table_have_one_order() -> None:
    """Whatever chunks a table comes in, and whichever categories each lists, as long as none turns two round."""
    for seed in range(30):
        rng = np.random.default_rng(seed)
        names = [f"l{i}" for i in rng.permutation(6)]
        drawn = rng.choice(names, 200)
        y = rng.integers(0, 2, 200)
        cuts = [0, *sorted(rng.choice(np.arange(1, 200), rng.integers(0, 5), replace=False)), 200]
        parts = []
        for start, stop in pairwise(cuts):
            part = drawn[start:stop]
            # All in order, those not met here perhaps left out, but in the first part none.
            listed = [name for name in names if start == 0 or name in part or rng.random() < 0.5]
            frame = pd.DataFrame({"g": pd.Categorical(part, listed), "y": y[start:stop]})
            parts.append(pa.Table.from_pandas(frame, preserve_index=False))
        model = zeroloop.train(pa.concat_tables(parts), "y")
        met = set(drawn[model_rows(model, 200)])
        assert list(model.schema.categorical[0].levels) == [name for name in names if name in met]


def model_rows(model: zeroloop.Model, m: int) -> Any:
    """Return which rows trained."""
    from zeroloop.blocks import hash_rows

    training = model.training
    return hash_rows(0, m, training.seed) >= np.uint64(int(training.test_fraction * 2**64))
