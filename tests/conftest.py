"""What tests share: the embedded flights, R's figures, small data with a known shape."""

from __future__ import annotations

import csv
from importlib.resources import files
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from numpy.typing import NDArray

hypothesis.settings.register_profile("zeroloop", deadline=None, max_examples=40, derandomize=True)
hypothesis.settings.load_profile("zeroloop")

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def flights() -> str:
    """The path of the embedded flights."""
    return str(files("zeroloop") / "data" / "flights.parquet")


def r_coefficients(name: str) -> dict[str, float]:
    """Return R's coefficients by R's term names, from tests/reference/NAME."""
    with (HERE / "reference" / name).open() as file:
        return {row["term"]: float(row["coef"]) for row in csv.DictReader(file)}


def made(m: int, n: int, seed: int = 0, dtype: type = np.float64) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return X `(m, n)` with columns of unlike scale and centre, and y `(m,)` drawn from a logistic model."""
    rng = np.random.default_rng(seed)
    standard = rng.standard_normal((m, n))
    y = (rng.random(m) < 1 / (1 + np.exp(-(standard @ rng.standard_normal(n) / np.sqrt(max(n, 1)) - 0.3)))).astype(
        np.float64
    )
    y[:2] = 0, 1  # both classes, however few the rows
    return (standard * np.logspace(-2, 2, n) + np.arange(n)).astype(dtype), y
