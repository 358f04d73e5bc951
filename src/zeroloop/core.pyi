"""The compiled kernels: what `src/core` defines, as its doors `door_*.cpp` check it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

level: str
levels: tuple[str, ...]
sources: dict[str, str]

class Rows:
    def __init__(
        self,
        numeric: NDArray[Any],
        codes: NDArray[np.int32],
        marks: NDArray[np.int32],
        n_coefs: int,
        y: NDArray[np.float32] | None,
        weight: Floats | None,
        sparse: Any,
    ) -> None: ...
    def sums(self, coef: Floats, centre: Floats, order: int, gradient: Floats, hessian: Floats) -> float: ...
    def sums_together(
        self,
        coef: Floats,
        centre: Floats,
        y: NDArray[np.float32],
        weight: Floats | None,
        losses: Floats,
        gradients: Floats,
    ) -> None: ...
    def diagonal(self, coef: Floats, centre: Floats, diagonal: Floats, squares: Floats) -> None: ...
    def multiply(self, coef: Floats, direction: Floats, centre: Floats, product: Floats) -> None: ...
    def shared_hessian(self, coef: Floats, centre: Floats, pairs: Floats, hessian: Floats) -> None: ...
    def predictor(self, coef: Floats, centre: Floats, z: Floats) -> None: ...
    def moments(self, weight: Floats, mean: Floats, squares: Floats) -> None: ...
    def largest(self, found: Floats) -> None: ...
    def draw(self, state: int, first_row: int, below: NDArray[np.uint64], drawn: NDArray[np.int64]) -> int: ...

def probabilities(z: Floats, p: Floats) -> None: ...
def describe(columns: NDArray[Any], weight: Floats | None, found: Floats) -> None: ...
def read(values: NDArray[Any]) -> float: ...
def hash_rows(state: int, first_row: int, found: NDArray[np.uint64]) -> None: ...
def exp_nonpositive(x: Floats, found: Floats) -> None: ...
def log1p_nonnegative(x: Floats, found: Floats) -> None: ...
def pick_wanted(
    rows: Rows, position: NDArray[np.int64], centre: Floats, unit: Floats
) -> tuple[NDArray[np.int64], NDArray[np.int32], Floats]: ...
def append_columns(
    piece_start: NDArray[np.int64],
    piece_rows: NDArray[np.int32],
    piece_values: Floats,
    first: int,
    free: NDArray[np.int64],
    rows: NDArray[np.int32],
    values: Floats,
) -> None: ...
def descend(
    start: NDArray[np.int64],
    rows: NDArray[np.int32],
    values: Floats,
    y: NDArray[np.int32],
    weight: Floats,
    theta: Floats,
    l2: Floats,
    l1: Floats,
    lower: Floats,
    upper: Floats,
    tol: float,
    most_steps: int,
) -> None: ...
def split_columns(
    indices: NDArray[Any], indptr: NDArray[np.int64], bounds: NDArray[np.int64], places: NDArray[np.int64]
) -> None: ...
