"""What commands print with `--json`."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any


def training_json(model: Any, out: Path) -> dict[str, Any]:
    """Return how a model was found, and its scores."""
    said: dict[str, Any] = without_nan(_training(model, out))
    return said


def _training(model: Any, out: Path) -> dict[str, Any]:
    training, schema = model.training, model.schema
    kinds: list[tuple[Any, str]] = [(schema.sparse, "sparse")] if schema.sparse is not None else []
    kinds += [(column, "numeric") for column in schema.numeric] + [(c, "categorical") for c in schema.categorical]
    return {
        "rows": training.rows_read,
        "training_rows": training.rows,
        "held_out_rows": training.held_out_rows,
        "dropped_no_target": training.dropped_no_target,
        "dropped_incomplete": training.dropped_incomplete,
        "gaps": training.gaps,
        "target": {"name": schema.target.name, "classes": list(schema.target.levels), "shares": training.shares},
        "columns": [{"name": column.name, "kind": kind} for column, kind in kinds],
        "dates": [asdict(one) for one in schema.dates],
        "left_out": [{"name": column.name, "reason": column.reason} for column in schema.left_out],
        "C": training.C if math.isfinite(training.C) else "inf",
        "l1_ratio": training.l1_ratio,
        "multi_class": training.multi_class,
        "cross_validation": training.cross_validation,
        "solver": training.solver,
        "max_passes": training.max_passes,
        "passes": training.passes,
        "n_iter": training.n_iter,
        "converged": training.converged,
        "loss": training.loss,
        "objective": training.objective,
        "gradient_norm": training.gradient_norm,
        "storage": training.storage,
        "skipped": training.skipped,
        "seconds": training.seconds,
        "held_out": model.held_out,
        "model": str(out),
    }


def summary_json(model: Any, path: Path, found: Any) -> dict[str, Any]:
    """Return how a model was found, and what is known of its coefficients, its `zeroloop.summary.Summary`."""
    inference = {
        "no_standard_errors": model.no_estimates,
        "fit": found.figures,
        "terms": found.terms,
        "tests": [asdict(test) for test in found.tests],
        "notes": list(found.notes),
        "level": found.level,
    }
    said: dict[str, Any] = without_nan(inference)
    return training_json(model, path) | said


def without_nan(value: Any) -> Any:
    """Return a JSON-able value with null for what is no finite number."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
