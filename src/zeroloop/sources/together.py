"""Several fits over the same rows, in one pass whenever all of them want one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Self, TypeVar

from zeroloop.blocks import Block, Source, TableSource
from zeroloop.kernels import statistics
from zeroloop.kernels.few import is_small
from zeroloop.sources.memory import MemorySource

S = TypeVar("S")
T = TypeVar("T")


class Together:
    """Sources over the same rows with weights of their own, whose passes are made together.

    Each fit runs in a thread of its own, unaware of the others. One that asks for a pass waits until all that are still
    running have asked; then each block is visited once for all of them. Small data in memory have no sweep to share:
    their fits run one after the other, and wait for no thread.
    """

    def __init__(self, sources: Sequence[TableSource]) -> None:
        self._sources = sources
        self._changed = threading.Condition()
        self._asked: dict[int, Callable[[Block], Any]] = {}
        self._answers: dict[int, Any] = {}
        self._running = len(sources)
        self.passes = 0

    def run(self, work: Callable[[int, Member], T]) -> list[T]:
        """Return `work(k, source)` for each source, all run side by side; the first error is raised."""
        first = self._sources[0]
        if isinstance(first, MemorySource) and is_small(first.n_rows, first.n_coefs):
            return self._run_in_turn(work)
        results: dict[int, T] = {}
        errors: dict[int, BaseException] = {}

        def one(k: int) -> None:
            try:
                results[k] = work(k, Member(self, k, self._sources[k]))
            except BaseException as error:  # noqa: BLE001  raised below, in the caller's thread
                errors[k] = error
            finally:
                self._leave()

        threads = [
            threading.Thread(target=one, args=(k,), name=f"zeroloop-fit-{k}", daemon=True)
            for k in range(len(self._sources))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[min(errors)]
        return [results[k] for k in range(len(self._sources))]

    def _run_in_turn(self, work: Callable[[int, Member], T]) -> list[T]:
        """Run one after the other; passes are counted as those of fits side by side."""
        results = []
        for k, source in enumerate(self._sources):
            alone = Together([source])
            results.append(work(k, Member(alone, 0, source)))
            self.passes = max(self.passes, alone.passes)
        return results

    def reduce(self, k: int, statistic: Callable[[Block], Any]) -> Any:
        """Return source k's sum of `statistic`, once all running fits have asked for one of theirs."""
        with self._changed:
            self._asked[k] = statistic
            self._answer_if_all_asked()
            while k not in self._answers:
                self._changed.wait()
            answer = self._answers.pop(k)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _leave(self) -> None:
        with self._changed:
            self._running -= 1
            self._answer_if_all_asked()

    def _answer_if_all_asked(self) -> None:
        """Make the pass, in the thread that asked last; the others wait."""
        if not self._asked or len(self._asked) < self._running:
            return
        asked = sorted(self._asked.items())
        self._asked.clear()
        first = self._sources[0]
        try:
            totals = first.reduce_together([self._sources[k] for k, _ in asked], partial(_at_block, asked))
            self._answers.update(zip((k for k, _ in asked), totals.parts, strict=True))
            self.passes += 1
        except BaseException as error:  # noqa: BLE001  raised where each fit waits
            self._answers.update((k, error) for k, _ in asked)
        self._changed.notify_all()


class Member:
    """One of the sources, whose passes wait for the others'."""

    def __init__(self, together: Together, k: int, source: TableSource) -> None:
        self._together = together
        self._k = k
        self._source = source
        self.n_rows = source.n_rows
        self.n_coefs = source.n_coefs
        self.n_numeric = source.n_numeric
        self.n_codes = source.n_codes
        self.n_stored = source.n_stored

    def reduce(self, statistic: Callable[[Block], S]) -> S:
        """Sum `statistic(block)` over all blocks, in block order."""
        total: S = self._together.reduce(self._k, statistic)
        return total

    def sample(self, fractions: Sequence[float], seed: int) -> Source:
        """Return a source over some rows, whose passes wait for no one."""
        return self._source.sample(fractions, seed)


class Parts:
    """Sums of several statistics, added each to its like."""

    def __init__(self, parts: list[Any]) -> None:
        self.parts = parts

    def __add__(self, other: Self) -> Parts:
        return Parts([a + b for a, b in zip(self.parts, other.parts, strict=True)])


def _at_block(asked: Sequence[tuple[int, Callable[[Block], Any]]], blocks: Sequence[Block]) -> Parts:
    """Return each statistic of its block; those of gradient passes are made in one sweep over the rows."""
    found: dict[int, Any] = {}
    gradients = []
    for i, (_, statistic) in enumerate(asked):
        if _is_gradient(statistic):
            gradients.append(i)
        else:
            found[i] = statistic(blocks[i])
    if gradients:
        of_each = [asked[i][1].keywords for i in gradients]  # type: ignore[attr-defined]
        coefs = [keywords["coef"] for keywords in of_each]
        sums = statistics.sums_together([blocks[i] for i in gradients], coefs, of_each[0]["centre"])
        found |= zip(gradients, sums, strict=True)
    return Parts([found[i] for i in range(len(asked))])


def _is_gradient(statistic: Callable[[Block], Any]) -> bool:
    """Return whether a statistic is that of a gradient pass of one output: these share a sweep over each tile."""
    if not isinstance(statistic, partial) or statistic.func.__name__ != "sums":
        return False
    return statistic.keywords["order"] == 1 and len(statistic.keywords["coef"]) == 1
