"""How a fit of a table goes on, told as it does."""

from __future__ import annotations

from zeroloop.fit import Options
from zeroloop.objective import Evaluation, Lowest
from zeroloop.prepared import PreparedTable
from zeroloop.progress import Progress, Work


class Telling:
    """Says how a fit goes on: the pass, what the last one found, and how far the sweep under way is."""

    def __init__(self, table: PreparedTable, progress: Progress) -> None:
        self._progress = progress
        self.history: list[dict[str, float | None]] = []  # of the fit, where it is one: what each pass has found
        self._one_fit = True
        self._doing = "fitting"
        self._limit = ""
        self._n_classes = len(table.schema.target.levels)
        counts = table.counts
        self._rows = counts.training + counts.held_out + counts.no_target + counts.incomplete
        self._bytes = table.table.n_bytes
        table.rows.on_sweep(self._on_block)

    def passes_of(self, options: Options) -> None:
        """Begin with the passes of a fit."""
        self.history = []
        self._one_fit = self._n_classes == 2 or options.multi_class != "ovr"
        limit = options.max_passes
        self._limit = f" of at most {limit}" if limit is not None else ""
        # The scan was the first pass of those that max_passes counts.
        self._offset = 1 if limit is None else 2
        self.say(f"pass {self._offset}{self._limit}")

    def on_pass(self, passes: int, evaluation: Evaluation, _: Lowest) -> None:
        """Tell what a pass has found, and which is next."""
        gradient = evaluation.gradient_norm if evaluation.gradient.size else None
        if self._one_fit:
            self.history.append({"loss": evaluation.loss, "gradient": gradient})
        self.say(f"pass {passes + self._offset}{self._limit}, max |gradient| {evaluation.gradient_norm:.0e}")

    def on_other_pass(self, passes: int, _: Evaluation, __: Lowest) -> None:
        """Tell of a pass of a further fit, of a test."""
        self.say(f"fitting without columns, pass {passes}")

    def say(self, doing: str) -> None:
        """Tell what is begun."""
        self._doing = doing
        self._progress(Work(doing=doing, rows=0, total_rows=self._rows))

    def _on_block(self, rows: int, n_bytes: int) -> None:
        self._progress(
            Work(doing=self._doing, rows=rows, total_rows=self._rows, n_bytes=n_bytes, total_bytes=self._bytes)
        )
