"""A model file that is damaged, doubled, foreign or from elsewhere: one line on load, or nothing fails later."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import zeroloop
from hostile import CASES, FIRST_SEED
from mutants import a_small_table, attacked
from zeroloop.errors import ModelFileError
from zeroloop.model import Model
from zeroloop.packed_estimates import packed

TABLE = a_small_table().drop(["day"])  # which makes no term


@pytest.fixture(scope="module")
def model() -> Model:
    return zeroloop.train(TABLE, "y", C=math.inf, tests=["town"])


@pytest.fixture
def document(model: Model, tmp_path: Path) -> Any:
    model.save(tmp_path / "m.json")
    return json.loads((tmp_path / "m.json").read_text())


def refused(folder: Path, text: str) -> str:
    """Return what is said of a model file of this text."""
    path = folder / "m.json"
    path.write_text(text)
    with pytest.raises(ModelFileError) as caught:
        zeroloop.load(path)
    said = str(caught.value)
    assert said.startswith(f"{path}: ")
    assert "\n" not in said
    return said.removeprefix(f"{path}: ")


def test_mutants_of_models_end_in_a_result_or_an_error() -> None:
    assert attacked("model", FIRST_SEED, CASES or 60) == []


@pytest.mark.parametrize("version", ["5", 4.5, None, True, 0, -1, [4]])
def test_a_format_version_is_a_whole_number(document: Any, tmp_path: Path, version: Any) -> None:
    said = refused(tmp_path, json.dumps(document | {"format_version": version}))
    assert said == (
        f"`format_version` is {version!r}, and should be a whole number from 1 to 5; train or copy the model again."
    )


def test_a_format_version_is_needed(document: Any, tmp_path: Path) -> None:
    del document["format_version"]
    assert refused(tmp_path, json.dumps(document)) == (
        "a zeroloop model without `format_version`; train or copy it again."
    )
    assert refused(tmp_path, json.dumps(document | {"format_version": 6})) == (
        "written in format 6, and this zeroloop reads up to 5; update zeroloop."
    )


@pytest.mark.parametrize("key", ["schema", "C", "name", "x", "(intercept)", "states"])
def test_a_key_that_is_there_twice_is_refused(document: Any, tmp_path: Path, key: str) -> None:
    text = json.dumps(document)
    assert f'"{key}": ' in text
    said = refused(tmp_path, text.replace(f'"{key}": ', f'"{key}": 1, "{key}": ', 1))
    assert said == f"no zeroloop model, or a damaged one (the key {key!r} is there twice)."


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("training", "C"), "much", "Expected `float`, got `str` - at `$.training.C`"),
        (("training", "rows"), 1.5, "Expected `int`, got `float` - at `$.training.rows`"),
        (("training", "rows"), True, "Expected `int`, got `bool` - at `$.training.rows`"),
        (
            ("training", "passes"),
            -1,
            "A whole number from 0 to 9,223,372,036,854,775,807 expected - at `$.training.passes`",
        ),
        (("training", "shares"), [0.5], "1 shares of 2 classes - at `$.training.shares`"),
        (("training", "added"), 1, "The key 'added' is not known - at `$.training`"),
        (("schema", "numeric", 0, "name"), 3, "Expected `str`, got `int` - at `$.schema.numeric[0].name`"),
        (
            ("schema", "numeric", 0, "scale"),
            0.0,
            "A finite number above 0 expected, got 0.0 - at `$.schema.numeric[0].scale`",
        ),
        (
            ("schema", "numeric", 0, "mean"),
            "inf",
            "A finite number expected, got inf - at `$.schema.numeric[0].mean`",
        ),
        (("schema", "categorical", 0, "counts"), [1], "1 counts of 3 levels - at `$.schema.categorical[0]`"),
        (
            ("schema", "categorical", 0, "levels"),
            ["Bern", "Bern", "Basel"],
            "'Bern' is there twice - at `$.schema.categorical[0].levels`",
        ),
        (("schema", "target", "levels"), ["no", 1], "Levels of one kind expected - at `$.schema.target.levels`"),
        (("schema", "target", "name"), "x", "'x' is there twice - at `$.schema`"),
        (("estimates", "condition"), "high", "Expected `float`, got `str` - at `$.estimates.condition`"),
        (("estimates", "states", 0), "lost", "Invalid enum value 'lost' - at `$.estimates.states[0]`"),
        (("estimates", "covariance"), "AAAAAAAAAAA=", "The upper triangle of 9 coefficients expected"),
        (("estimates", "covariance"), "?", "Base64 of float64 expected"),
        (("estimates", "kind"), "other", "One of 'model', 'hc0', 'hc1' expected, got 'other' - at `$.estimates.kind`"),
        (("held_out",), {"rows": 3}, "Object missing required field"),
        (("coefficients", "x"), "inf", "A coefficient is not finite - at `$.coefficients`"),
        (("coefficients", "x"), None, "Expected `float`, got `null` - at `$.coefficients[...]`"),
    ],
)
def test_the_place_of_a_fault_is_said(
    document: Any, tmp_path: Path, place: tuple[Any, ...], value: Any, said: str
) -> None:
    part = document
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    found = refused(tmp_path, json.dumps(document))
    assert found.startswith(f"a damaged zeroloop model ({said}")
    assert found.endswith("; train or copy it again.")


def test_a_covariance_has_no_variances_below_0(model: Model, document: Any, tmp_path: Path) -> None:
    assert model.estimates is not None
    covariance = model.estimates.covariance.copy()
    covariance[0, 1] = covariance[1, 0] = 2 * math.sqrt(covariance[0, 0] * covariance[1, 1])
    figures = packed(type(model.estimates)(**{**_fields(model.estimates), "covariance": covariance}))
    document["estimates"]["covariance"] = figures["covariance"]
    assert "whose variances are all at least 0 - at `$.estimates.covariance`" in refused(tmp_path, json.dumps(document))


def _fields(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__dataclass_fields__}


@pytest.mark.parametrize("name", ["inf", "-inf", "nan"])
def test_names_that_look_like_numbers_stay_names(tmp_path: Path, name: str) -> None:
    table = a_small_table().rename_columns(["y", name, "n", "town", "kind", "day"])
    levels = pa.array([name if town == "Bern" else town for town in table["town"].to_pylist()])
    table = table.set_column(3, "town", levels)
    path = tmp_path / name
    csv = zeroloop.CsvOptions(not_na=[name])
    zeroloop.train(table, "y", C=math.inf, features=[name, "town"], tests=[name], csv=csv).save(path)
    loaded = zeroloop.load(path)
    assert loaded.schema.features == (name, "town")
    assert name in loaded.schema.categorical[0].levels
    assert loaded.training.roles["features"] == [name, "town"]
    assert loaded.training.arguments is not None
    assert loaded.training.arguments["features"] == [name, "town"]
    assert loaded.training.arguments["C"] == math.inf
    assert loaded.training.arguments["csv"] == loaded.training.csv == {"not_na": [name]}
    assert loaded.estimates is not None
    assert loaded.estimates.tests[0].columns == (name,)


def test_infinite_bounds_come_back(tmp_path: Path) -> None:
    zeroloop.train(TABLE, "y", bounds={"x": (0, math.inf)}).save(tmp_path / "m.json")
    training = zeroloop.load(tmp_path / "m.json").training
    assert training.bounds == {"x": [0.0, math.inf]}
    assert training.arguments == {"bounds": {"x": [0.0, math.inf]}}
