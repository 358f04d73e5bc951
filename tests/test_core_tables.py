"""What the core reads of Arrow's columns, against pyarrow's own casts and NumPy."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from numpy.typing import NDArray

from zeroloop import core
from zeroloop.errors import DataError
from zeroloop.tables.columns import MOST_TABLED, count, looked_up, stacked, value_numbers

WHOLE = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
SEEDS = (11, 12, 13)
LENGTHS = (0, 1, 7, 1_023, 1_024, 5_000)  # about the pieces that are converted at once


def a_column(kind: str, n: int, rng: np.random.Generator) -> pa.Array:
    """Return `n` values of a type, the ends of its range among them, some missing."""
    mask = rng.random(n) < rng.choice([0.0, 0.3, 1.0])
    if kind == "null":
        return pa.nulls(n)
    if kind == "bool":
        return pa.array(rng.random(n) < 0.5, pa.bool_(), mask=mask)
    if kind == "decimal":
        cents = rng.integers(-(10**15), 10**15, n)
        exact = [None if gone else Decimal(int(cent)).scaleb(-2) for cent, gone in zip(cents, mask, strict=True)]
        return pa.array(exact, pa.decimal128(30, 2))
    if kind in WHOLE:
        ends = np.iinfo(kind)
        values = rng.integers(ends.min, ends.max, n, dtype=kind, endpoint=True)
        near = rng.random(n) < 0.2
        values[near] = rng.choice(np.array([ends.min, ends.max, 0], kind), np.count_nonzero(near))
        return pa.array(values, mask=mask)
    values = (rng.normal(size=n) * 10.0 ** rng.integers(-4, 5, n)).astype(kind)
    values[rng.random(n) < 0.05] = np.nan
    values[rng.random(n) < 0.05] = -0.0
    return pa.array(values, from_pandas=False, mask=mask)


def as_numpy(column: pa.Array) -> NDArray[np.float64]:
    """Return a column's numbers as Python and NumPy understand them, NaN where there is none."""
    return np.array([np.nan if value is None else float(value) for value in column.to_pylist()], dtype=np.float64)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("narrow", [True, False])
@pytest.mark.parametrize("n", LENGTHS)
def test_columns_of_all_types_are_stacked(seed: int, narrow: bool, n: int) -> None:
    rng = np.random.default_rng([seed, n])
    kinds = ["float32", "float16", "int8", "int16", "uint8", "uint16", "bool"]
    kinds += [] if narrow else ["float64", "int32", "int64", "uint32", "uint64", "decimal", "null"]
    start = int(rng.integers(0, 20))
    columns = [a_column(kind, start + n + 5, rng) for kind in kinds]
    whole = pa.RecordBatch.from_arrays(columns, names=kinds)
    batch = whole.slice(start, n)
    found, gaps = stacked(batch, 0)
    assert found.dtype == (np.float32 if narrow else np.float64)
    assert found.shape == (len(kinds), n)
    true = [as_numpy(column) for column in batch]
    for j, kind in enumerate(kinds):
        np.testing.assert_array_equal(found[j], true[j], err_msg=kind)
        assert np.array_equal(np.signbit(found[j]), np.signbit(true[j])) or np.isnan(true[j]).any()
    assert gaps == [j for j in range(len(kinds)) if np.isnan(true[j]).any()]


@pytest.mark.parametrize("offset", range(9))
def test_bits_of_what_is_present_may_begin_anywhere(offset: int) -> None:
    rng = np.random.default_rng(offset)
    n = 2_100
    mask = rng.random(offset + n + 3) < 0.4
    column = pa.array(rng.normal(size=mask.size), mask=mask).slice(offset, n)
    flags = pa.array(rng.random(mask.size) < 0.5, mask=mask).slice(offset, n)
    # Beside a column whose own values begin elsewhere.
    batch = pa.RecordBatch.from_arrays([column, flags, pa.array(np.arange(n))], names=["a", "b", "c"])
    for part in (batch, batch.slice(13, 1_500)):
        found, gaps = stacked(part, 0)
        filled = [pc.fill_null(part["a"], np.nan), pc.fill_null(part["b"].cast(pa.float64()), np.nan), part["c"]]
        np.testing.assert_array_equal(found, [column.to_numpy(zero_copy_only=False) for column in filled])
        assert gaps == [0, 1]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_what_is_infinite_is_refused_and_what_hides_under_a_null_is_not(dtype: str) -> None:
    values = np.random.default_rng(5).normal(size=3_000).astype(dtype)
    values[[1_500, 2_000]] = -np.inf, np.inf
    fine = pa.array(np.zeros(3_000))
    hidden = pa.RecordBatch.from_arrays([pa.array(values, mask=np.isinf(values)), fine], names=["x", "y"])
    found, gaps = stacked(hidden, 0)
    assert gaps == [0]
    assert np.count_nonzero(np.isnan(found)) == 2
    seen = pa.RecordBatch.from_arrays([fine, pa.array(values)], names=["y", "x"])
    with pytest.raises(DataError, match=r"Column 'x' holds -inf in row 1,?611;"):
        stacked(seen, 110)
    for part in (seen.slice(1_501, 400), seen.slice(2_001)):
        assert stacked(part, 0)[1] == []


def test_no_columns_and_no_rows() -> None:
    batch = pa.RecordBatch.from_arrays([pa.array([1, 2, 3])], names=["a"])
    assert stacked(batch.select([]), 0)[0].shape == (0, 3)
    assert stacked(batch.slice(0, 0), 0)[0].shape == (1, 0)


def pair(batch: pa.RecordBatch) -> Any:
    """Return a batch as Arrow hands it over."""
    return batch.__arrow_c_array__()


def test_the_door_refuses_what_it_cannot_stack() -> None:
    batch = pa.RecordBatch.from_arrays([pa.array([1.0, 2.0])], names=["a"])
    some = np.empty(1, np.int64)
    found = np.empty((1, 2))
    texts = pa.RecordBatch.from_arrays([pa.array(["a", "b"])], names=["a"])
    codes = pa.RecordBatch.from_arrays([pa.array(["a", "b"]).dictionary_encode()], names=["a"])
    for bad in (texts, codes):
        with pytest.raises(ValueError, match="cannot be stacked"):
            core.stack(pair(bad), found, some, some)
    with pytest.raises(ValueError, match=r"found has shape \(1, 3\); it must be \(1, 2\)"):
        core.stack(pair(batch), np.empty((1, 3)), some, some)
    with pytest.raises(ValueError, match="found must be float32 or float64"):
        core.stack(pair(batch), np.empty((1, 2), np.int64), some, some)
    with pytest.raises(ValueError, match=r"n_missing has shape \(2, 1\)"):
        core.stack(pair(batch), found, some.repeat(2).reshape(2, 1), some)
    with pytest.raises(ValueError, match="pair of capsules"):
        core.stack((), found, some, some)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="PyCapsule"):
        core.stack(pair(batch)[::-1], found, some, some)
    with pytest.raises(ValueError, match="must be columns"):
        core.stack(pa.array([1.0, 2.0]).__arrow_c_array__(), found, some, some)
    given_up = pair(batch)
    pa.RecordBatch._import_from_c_capsule(*given_up)
    with pytest.raises(ValueError, match="given up"):
        core.stack(given_up, found, some, some)
    with pytest.raises(TypeError):
        core.stack(pair(batch), np.empty((1, 4))[:, ::2], some, some)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", WHOLE)
def test_whole_numbers_are_numbered_by_size(kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ends = np.iinfo(kind)
    for low in (ends.min, ends.max - 100, ends.max - min(MOST_TABLED, 200), 0):
        some = rng.choice(101, 9, replace=False)
        values = np.array([int(low) + int(x) for x in rng.choice(some, 700)], dtype=kind)
        met, true = np.unique(values, return_inverse=True)
        codes, found = value_numbers(pa.array(values).slice(3, 690), "y")
        assert [found[code] for code in codes] == values[3:693].tolist()
        codes = np.empty(values.size, np.int32)
        assert core.number_whole(values, MOST_TABLED, codes) == tuple(met.tolist())
        assert np.array_equal(codes, true)


def test_whole_numbers_far_apart_are_not_numbered() -> None:
    codes = np.empty(2, np.int32)
    for kind in WHOLE:
        ends = np.iinfo(kind)
        assert core.number_whole(np.array([ends.min, ends.max], kind), 255, codes) is None
    near = np.array([5, 5 + MOST_TABLED - 1])
    assert core.number_whole(near, MOST_TABLED, codes) == (5, 5 + MOST_TABLED - 1)
    assert core.number_whole(near + np.arange(2), MOST_TABLED, codes) is None
    for bad in (np.empty(0, np.int64), np.zeros(2), np.arange(8)[::4], np.zeros((2, 1), np.int8)):
        with pytest.raises(ValueError, match="values must be"):
            core.number_whole(bad, MOST_TABLED, codes)
    with pytest.raises(ValueError, match="codes has shape"):
        core.number_whole(near, MOST_TABLED, np.empty(3, np.int32))
    for most in (0, 2**24 + 1):
        with pytest.raises(ValueError, match="most must be"):
            core.number_whole(near, most, codes)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_numbers_are_looked_up(dtype: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = rng.integers(-50, 50, 9).astype(dtype)
    numbers = rng.integers(-1, 9, 1_000).astype(np.int32)
    found = looked_up(table, numbers)
    assert found.dtype == dtype
    assert np.array_equal(found, table[numbers])
    assert looked_up(table, numbers[:0]).size == 0
    for strange in (-2, 9, 2**31 - 1, -(2**31)):
        with pytest.raises(ValueError, match="lead out of the table"):
            looked_up(table, np.array([0, strange], np.int32))
    with pytest.raises(ValueError, match="at least one entry"):
        looked_up(table[:0], numbers)
    with pytest.raises(ValueError, match="found has shape"):
        core.look_up(table, numbers, np.empty(3, dtype))


@pytest.mark.parametrize("seed", SEEDS)
def test_numbers_are_counted(seed: int) -> None:
    rng = np.random.default_rng(seed)
    numbers = rng.integers(-1, rng.integers(1, 40), 2_000).astype(np.int32)
    true = np.bincount(numbers + 1, minlength=51)
    assert np.array_equal(count(numbers, 50), np.append(true[1:], true[0]))
    assert np.array_equal(count(numbers[:0], 2), [0, 0, 0])
    with pytest.raises(ValueError, match="lead out of the table"):
        count(np.array([3], np.int32), 2)
    with pytest.raises(ValueError, match="at least one entry"):
        core.count(numbers, np.empty(0, np.int64))


@pytest.mark.parametrize("seed", SEEDS)
def test_rows_are_picked_by_their_hashes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    hashes = rng.integers(0, 2**64, 1_000, dtype=np.uint64)
    labels = rng.integers(0, 3, 1_000).astype(np.int32)
    below = np.array([0, 2**51, 2**53], np.uint64)
    picked = np.empty(1_000, np.int64)
    n = core.pick(hashes, labels, below, picked)
    fractions = hashes.astype(np.float64) / 2.0**64
    assert np.array_equal(picked[:n], np.flatnonzero(fractions < np.array([0.0, 0.25, 1.0])[labels]))
    with pytest.raises(ValueError, match="lead out of the table"):
        core.pick(hashes, labels, below[:2], picked)
    for bad in ((hashes, labels[1:], below, picked), (hashes, labels, below, picked[1:])):
        with pytest.raises(ValueError, match="has shape"):
            core.pick(*bad)
