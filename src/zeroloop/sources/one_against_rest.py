"""The rows of another source with two labels: one class against all others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np

from zeroloop.algebra import softplus
from zeroloop.blocks import Block, FloatArray, Source
from zeroloop.sources.over import Over

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class OneAgainstRest(Over[Source]):
    """The same blocks, with label 1 where theirs is `label`, and 0 elsewhere.

    Attributes:
        source: rows with labels 0 to n_classes - 1.
        label: the one.
        n_classes: of the source.

    """

    label: int
    n_classes: int

    def reduce(self, statistic: Callable[[Block], S]) -> S:
        """Sum `statistic(block)` over all blocks, in block order."""
        return self.source.reduce(partial(_of_relabelled, statistic=statistic, label=self.label))

    def sample(self, fractions: Sequence[float], seed: int) -> OneAgainstRest:
        """Return a source over some rows, drawn by a hash of their index, weighted as `Block.sample` does."""
        of_classes = [fractions[k == self.label] for k in range(self.n_classes)]
        return OneAgainstRest(self.source.sample(of_classes, seed), self.label, self.n_classes)


def as_softmax(z: FloatArray) -> FloatArray:
    """Return what softmax makes the classes' probabilities of, `(n_classes, rows)`, of each class's own predictor.

    These probabilities are each model's sigmoid, divided by their sum over the classes.
    """
    return -softplus(-z)


def _of_relabelled(block: Block, statistic: Callable[[Block], S], label: int) -> S:
    assert block.y is not None
    return statistic(replace(block, y=(block.y == label).astype(np.float32)))
