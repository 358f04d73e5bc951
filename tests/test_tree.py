"""Sums in one fixed order, whoever adds which parts."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zeroloop.tree import Tree

parts = st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=70)


def total_of(values: list[float]) -> float:
    tree: Tree[float] = Tree()
    for at, value in enumerate(values):
        tree.add(at, value)
    return tree.total()


@given(values=parts, seed=st.integers(0, 999), n_workers=st.integers(1, 9))
def test_any_split_in_any_order_gives_the_same_bits(values: list[float], seed: int, n_workers: int) -> None:
    shuffled = random.Random(seed)
    order = list(range(len(values)))
    shuffled.shuffle(order)
    workers: list[Tree[float]] = [Tree() for _ in range(n_workers)]
    for at in order:
        workers[shuffled.randrange(n_workers)].add(at, values[at])
    whole: Tree[float] = Tree()
    for worker in workers:
        whole = whole + worker
    assert whole.total() == total_of(values)
    assert total_of(values) == pytest.approx(math.fsum(values), abs=1e-2)


@given(values=parts, at=st.integers(0, 69))
def test_a_part_that_is_missing_or_twice_is_found(values: list[float], at: int) -> None:
    lost: Tree[float] = Tree()
    for i, value in enumerate([*values, 0.0]):
        if i != at % len(values):
            lost.add(i, value)
    with pytest.raises(ValueError, match="missing or there twice"):
        lost.total()


def test_a_part_taken_in_twice_is_found() -> None:
    tree: Tree[float] = Tree()
    for at in (0, 1, 2, 0):
        tree.add(at, 1.0)
    with pytest.raises(ValueError, match="missing or there twice"):
        tree.total()


def test_parts_without_a_value_add_nothing() -> None:
    tree: Tree[float | None] = Tree()
    for at, value in enumerate([None, 2.0, None, 3.0, None]):
        tree.add(at, value)
    assert tree.total() == 5.0
    nothing: Tree[None] = Tree()
    nothing.add(0, None)
    assert nothing.total() is None
    assert not Tree[int]()
