"""Columns of every Arrow type, tables of them, and a limit on time: what the fuzzers throw at zeroloop."""

from __future__ import annotations

import datetime as dt
import decimal
import os
import signal
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import numpy as np
import pyarrow as pa

CASES = int(os.environ.get("ZEROLOOP_FUZZ", "0"))
"""Cases of each fuzzer; 0 for the few hundred of `make test`. `make fuzz` sets more, and another first seed."""

FIRST_SEED = int(os.environ.get("ZEROLOOP_FUZZ_SEED", "0"))


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fail where the block takes longer: what hangs is found out."""

    def too_long(_: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"no answer within {seconds} s, at {frame}")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Degree(pa.ExtensionType):  # type: ignore[misc]
    """A type of one's own, over float64."""

    def __init__(self) -> None:
        super().__init__(pa.float64(), "zeroloop.tests.degree")

    def __arrow_ext_serialize__(self) -> bytes:
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage_type: pa.DataType, serialized: bytes) -> Degree:
        return cls()


INTS = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()]
DECIMALS = [pa.decimal32(7, 2), pa.decimal64(12, 3), pa.decimal128(20, 4), pa.decimal256(50, 6), pa.decimal128(10, -2)]
TEXTS = [pa.string(), pa.large_string(), pa.string_view()]
BYTES = [pa.binary(), pa.large_binary(), pa.binary_view(), pa.binary(4)]
TIMES = [
    pa.date32(), pa.date64(), pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns"), pa.timestamp("s"),
    pa.timestamp("ns"), pa.timestamp("us", "Europe/Berlin"), pa.timestamp("ms", "+05:30"), pa.duration("s"),
    pa.duration("ns"), pa.month_day_nano_interval(),
]  # fmt: skip
OTHERS = [pa.bool_(), pa.null(), pa.float16(), pa.float32(), pa.float64(), pa.uuid(), pa.bool8(), Degree()]
PLAIN = [*INTS, *DECIMALS, *TEXTS, *BYTES, *TIMES, *OTHERS]


def any_type(rng: np.random.Generator, depth: int = 0) -> pa.DataType:
    """Return one of Arrow's types."""
    plain = PLAIN[rng.integers(len(PLAIN))]
    if depth >= 2 or rng.random() < 0.55:
        return plain
    inner = any_type(rng, depth + 1)
    keys = [t for t in PLAIN if not pa.types.is_null(t) and not isinstance(t, pa.BaseExtensionType)]
    key = keys[rng.integers(len(keys))]
    match rng.integers(10):
        case 0:
            return pa.list_(inner)
        case 1:
            return pa.large_list(inner)
        case 2:
            return pa.list_(inner, 2)
        case 3:
            return pa.struct([("a", inner), ("b", pa.int8())])
        case 4:
            return pa.map_(key, inner)
        case 5:
            return pa.sparse_union([pa.field("a", pa.int32()), pa.field("b", pa.string())])
        case 6:
            return pa.dense_union([pa.field("a", pa.int32()), pa.field("b", pa.string())])
        case 7:
            return pa.list_view(inner)
        case 8:
            return pa.run_end_encoded(pa.int32(), key)
        case _:
            return pa.dictionary([pa.int8(), pa.int32(), pa.uint16(), pa.int64()][rng.integers(4)], key)


def any_column(rng: np.random.Generator, data_type: pa.DataType, n: int, n_values: int, gaps: float) -> pa.Array:
    """Return a column of a type with some of so many values, and some missing."""
    if pa.types.is_null(data_type):
        return pa.nulls(n)
    if isinstance(data_type, pa.BaseExtensionType):
        stored = any_column(rng, data_type.storage_type, n, n_values, gaps)
        return pa.ExtensionArray.from_storage(data_type, stored)
    if pa.types.is_dictionary(data_type):
        values = any_column(rng, data_type.value_type, n_values, n_values, 0)  # repeated values too
        codes = _masked(rng, rng.integers(0, n_values, n), gaps, data_type.index_type)
        return pa.DictionaryArray.from_arrays(codes, values)
    if pa.types.is_run_end_encoded(data_type):
        ends = pa.array(np.unique(np.append(rng.integers(1, n + 1, 8), n)), data_type.run_end_type)
        values = any_column(rng, data_type.value_type, len(ends), n_values, gaps)
        return pa.RunEndEncodedArray.from_arrays(ends, values)
    if pa.types.is_union(data_type):
        kinds = pa.array(rng.integers(0, 2, n), pa.int8())
        children = [pa.array(rng.integers(0, 3, n), pa.int32()), pa.array(["x"] * n)]
        if data_type.mode == "sparse":
            return pa.UnionArray.from_sparse(kinds, children, ["a", "b"])
        return pa.UnionArray.from_dense(kinds, pa.array(np.arange(n), pa.int32()), children, ["a", "b"])
    values = [_value(rng, data_type) for _ in range(n_values)]
    if data_type in TEXTS and rng.random() < 0.15:
        values = dates_in_text(rng, n_values)
    picked = [None if rng.random() < gaps else values[i] for i in rng.integers(0, n_values, n)]
    return pa.array(picked, data_type)


def dates_in_text(rng: np.random.Generator, n: int) -> list[str]:
    """Return dates in one way of writing, but for a few."""
    form = str(
        rng.choice(["%Y-%m-%d", "%d/%m/%y", "%m/%d/%Y %I:%M %p", "%d.%m.%Y", "%H:%M", "%b %d, %Y", "%Y%m%dT%H%M%SZ"])
    )
    dates = [dt.datetime(2020, 1, 1) + dt.timedelta(hours=int(rng.integers(10_000))) for _ in range(n)]
    return [one.strftime(form) if rng.random() < 0.98 else "32/13/2020 25:61" for one in dates]


def _masked(rng: np.random.Generator, values: np.ndarray, gaps: float, data_type: pa.DataType) -> pa.Array:
    return pa.array(values, mask=rng.random(values.size) < gaps).cast(data_type)


def _value(rng: np.random.Generator, data_type: pa.DataType) -> object:
    t = pa.types
    small = int(rng.integers(0, 9))
    if t.is_boolean(data_type):
        return bool(small % 2)
    if t.is_integer(data_type):
        info = np.iinfo(str(data_type))
        return [small, info.min, info.max, info.max // 2 + 1][rng.choice(4, p=[0.85, 0.05, 0.05, 0.05])]
    if t.is_floating(data_type):
        odd = [float("nan"), float("inf"), -0.0, 6e4]
        value = odd[rng.integers(4)] if rng.random() < 0.04 else float(rng.normal())
        return np.float16(value) if t.is_float16(data_type) else value
    if t.is_decimal(data_type):
        return decimal.Decimal(small * 100)
    if t.is_date(data_type):
        return dt.date([2020, 1, 9999][rng.choice(3, p=[0.96, 0.02, 0.02])], 1, 1 + small)
    if t.is_timestamp(data_type):
        return dt.datetime([2020, 1, 9999][rng.choice(3, p=[0.96, 0.02, 0.02])], 1, 1 + small, 3)
    if t.is_time(data_type):
        return dt.time(small, 1)
    if t.is_duration(data_type):
        return dt.timedelta(days=small)
    if t.is_interval(data_type):
        return pa.MonthDayNano([small, 1, 0])
    if t.is_fixed_size_binary(data_type):
        return uuid.UUID(int=small).bytes if data_type.byte_width == 16 else b"abc" + bytes([small])
    if data_type in BYTES:
        return bytes([small, 255])
    if data_type in TEXTS:
        return ["a", "b", "ö", "", "\x1b[31m", "[red]", "NA", "a,b", "x" * 300][small]
    if t.is_struct(data_type):
        return {field.name: _value(rng, field.type) for field in data_type}
    if t.is_map(data_type):
        return [(_value(rng, data_type.key_type), _value(rng, data_type.item_type)) for _ in range(small % 3)]
    if t.is_fixed_size_list(data_type):
        return [_value(rng, data_type.value_type) for _ in range(data_type.list_size)]
    if t.is_null(data_type):
        return None
    if isinstance(data_type, pa.BaseExtensionType):
        return _value(rng, data_type.storage_type)
    if t.is_nested(data_type) and hasattr(data_type, "value_type"):
        return [_value(rng, data_type.value_type) for _ in range(small % 3)]
    return None


EASY = [
    pa.int8(),
    pa.string(),
    pa.bool_(),
    pa.float32(),
    pa.float64(),
    pa.dictionary(pa.int8(), pa.string()),
    pa.uint64(),
]
NAMES = ["x", "y", "a=b", "a,b", 'q"', "ö", "x is missing", "(intercept)", " ", "", "[red]", "\x1b[1m", "a\nb", "label"]


def any_table(rng: np.random.Generator, make: Callable[..., pa.Array] = any_column) -> pa.Table:
    """Return a table of two to five columns of any types; the first is the better target."""
    n = int(rng.choice([0, 1, 3, 60, 150], p=[0.03, 0.03, 0.04, 0.5, 0.4]))
    names = list(rng.choice(NAMES, size=int(rng.integers(2, 6)), replace=False)) if rng.random() < 0.4 else None
    names = names or [f"c{i}" for i in range(rng.integers(2, 6))]
    columns = []
    for j in range(len(names)):
        easy = EASY[rng.integers(len(EASY))]
        data_type = easy if rng.random() < (0.75 if j == 0 else 0.3) else any_type(rng)
        n_values = int(rng.integers(2, 4)) if j == 0 else int(rng.integers(1, 9))
        gaps = float(rng.choice([0, 0.1, 1], p=[0.6, 0.38, 0.02]))
        try:
            columns.append(make(rng, data_type, n, n_values, gaps))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError, TypeError, ValueError):
            columns.append(make(rng, pa.float64(), n, n_values, gaps))  # no such array can be made
    return pa.Table.from_arrays(columns, names=list(map(str, names)))
