"""Four float64 side by side in a vector register, for loops too short for the compiler to vectorise.

A row of twenty values gives LLVM's loop vectoriser one step of sixteen and four singles, with set-up around them. Each
function is an LLVM instruction or a few; `zeroloop.kernels.dense` has the only loops that use them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import config
from numba.core import types
from numba.extending import intrinsic, models, register_model

LANES = 4
_DOUBLES = ir.VectorType(ir.DoubleType(), LANES)
_FUSED = ("contract",)


class _Lanes(types.Type):
    """The compiler's name for four float64."""

    def __init__(self) -> None:
        super().__init__("Lanes")


_lanes = _Lanes()


@register_model(_Lanes)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _DOUBLES)


def _without_compiler(python: Callable[..., Any]) -> Callable[[Callable[..., Any]], Any]:
    """Say what an intrinsic does, for runs without the compiler (`NUMBA_DISABLE_JIT=1`)."""
    return lambda typing: python if config.DISABLE_JIT else intrinsic(typing)


def _address(context: Any, builder: Any, array_type: Any, array: Any, at: Any) -> tuple[Any, Any, int]:
    """Return (pointer to lanes at `array[at]`, their LLVM type, alignment in bytes)."""
    data = context.make_array(array_type)(context, builder, array).data
    element = data.type.pointee
    lanes = ir.VectorType(element, LANES)
    return builder.bitcast(builder.gep(data, [at]), lanes.as_pointer()), lanes, context.get_abi_sizeof(element)


def _shuffle(builder: Any, a: Any, b: Any, order: tuple[int, ...]) -> Any:
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), len(order)), list(order)))


@_without_compiler(lambda value: np.full(LANES, value))
def spread(_context: Any, value: Any) -> Any:
    """Return `value` in every lane."""

    def build(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        nothing, lane = ir.Constant(_DOUBLES, ir.Undefined), ir.Constant(ir.IntType(32), 0)
        first = builder.insert_element(nothing, arguments[0], lane)
        return _shuffle(builder, first, first, (0,) * LANES)

    return _lanes(types.float64), build


@_without_compiler(lambda array, at: array[at : at + LANES].astype(np.float64))
def load(_context: Any, array: Any, at: Any) -> Any:
    """Return `array[at : at + 4]` of a contiguous float32 or float64 array, as float64."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer, _, size = _address(context, builder, signature.args[0], *arguments)
        loaded = builder.load(pointer, align=size)
        return builder.fpext(loaded, _DOUBLES) if signature.args[0].dtype == types.float32 else loaded

    return _lanes(array, types.intp), build


@_without_compiler(lambda array, at, lanes: np.copyto(array[at : at + LANES], lanes))
def store(_context: Any, array: Any, at: Any, lanes: Any) -> Any:
    """Write `array[at : at + 4] = lanes` to a contiguous float64 array."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer, _, size = _address(context, builder, signature.args[0], *arguments[:2])
        builder.store(arguments[2], pointer, align=size)
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes), build


@_without_compiler(lambda a, b, c: a * b + c)
def multiply_add(_context: Any, a: Any, b: Any, c: Any) -> Any:
    """Return `a * b + c`."""

    def build(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        x, y, z = arguments
        return builder.fadd(builder.fmul(x, y, flags=_FUSED), z, flags=_FUSED)

    return _lanes(a, b, c), build


@_without_compiler(lambda a, b: a + b)
def add(_context: Any, a: Any, b: Any) -> Any:
    """Return `a + b`."""

    def build(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.fadd(*arguments)

    return _lanes(a, b), build


@_without_compiler(lambda a, b, c, d: np.array([np.sum(a), np.sum(b), np.sum(c), np.sum(d)]))
def sums(_context: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    """Return the sum over the lanes of each of a, b, c, d."""

    def build(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        x, y, z, w = arguments
        even, odd = (0, 4, 2, 6), (1, 5, 3, 7)
        xy = builder.fadd(_shuffle(builder, x, y, even), _shuffle(builder, x, y, odd))
        zw = builder.fadd(_shuffle(builder, z, w, even), _shuffle(builder, z, w, odd))
        return builder.fadd(_shuffle(builder, xy, zw, (0, 1, 4, 5)), _shuffle(builder, xy, zw, (2, 3, 6, 7)))

    return _lanes(a, b, c, d), build
