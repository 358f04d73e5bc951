"""Sums of many parts in one fixed order, whoever adds which of them and when: a binary tree over the parts.

Floating-point addition is not associative, so a sum's last bits depend on the order. Here it is that of the tree: part
0 and 1, 2 and 3, then those pairs, and so on. Any subset of the parts can be summed as far as the tree allows, on any
machine, and what was summed elsewhere be added later: the total has the same bits. It is also more exact than adding
one after the other (Higham, "The accuracy of floating point summation", SIAM Journal on Scientific Computing, 1993).
"""

from __future__ import annotations

from typing import Any, Generic, Self, TypeVar

S = TypeVar("S")


class Tree(Generic[S]):
    """Sums of some parts, each at the largest subtree that is whole.

    `S` supports `+`, which changes neither side; a part may be None, which adds nothing.
    """

    __slots__ = ("_nodes",)

    def __init__(self) -> None:
        self._nodes: dict[tuple[int, int], S] = {}  # by height and place: of the parts place * 2^height and on

    def add(self, at: int, part: S) -> None:
        """Take in the part at index `at`."""
        self._put(0, at, part)

    def __bool__(self) -> bool:
        return bool(self._nodes)

    def __add__(self, other: Self) -> Tree[S]:
        both: Tree[S] = Tree()
        both._nodes = dict(self._nodes)
        for (height, place), found in other._nodes.items():
            both._put(height, place, found)
        return both

    def _put(self, height: int, place: int, found: S) -> None:
        value: Any = found
        while (height, place ^ 1) in self._nodes:
            beside = self._nodes.pop((height, place ^ 1))
            value = _plus(beside, value) if place % 2 else _plus(value, beside)
            height, place = height + 1, place // 2
        self._nodes[height, place] = value

    def total(self) -> S:
        """Return the sum of all parts, from index 0 on: a subtree that lacks its last parts is what there is of it.

        Raises:
            ValueError: where a part is missing or was taken in twice.

        """
        in_order = sorted(self._nodes.items(), key=lambda node: node[0][1] << node[0][0])
        following = 0
        for (height, place), _ in in_order:
            if place << height != following:
                raise ValueError(f"part {following} of the sum is missing or there twice")
            following += 1 << height
        if not in_order:
            raise ValueError("a sum of no parts")
        total: Any = in_order[-1][1]
        for _, found in reversed(in_order[:-1]):
            total = _plus(found, total)
        return total  # type: ignore[no-any-return]


def _plus(a: Any, b: Any) -> Any:
    return b if a is None else a if b is None else a + b
