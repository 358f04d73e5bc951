"""How to do it again: the command, and what tells the data from others."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from zeroloop.model import Model


def command_of(model: Model) -> str:
    """Return the command that trains a model the same way."""
    training, roles = model.training, model.training.roles
    given: list[tuple[str, Any, Any]] = [
        ("--positive", roles.get("positive"), None),
        ("--features", _listed(roles.get("features")), None),
        ("--drop", _listed(roles.get("drop")), None),
        ("--categorical", _listed(roles.get("categorical")), None),
        ("--weights", model.schema.weights, None),
        ("--offset", model.schema.offset, None),
        ("--C", f"{training.C:.17g}", "1"),
        ("--l1-ratio", f"{training.l1_ratio:g}", "0"),
        ("--multi-class", training.multi_class, "multinomial"),
        ("--penalty-factor", ",".join(f"{k}={v:g}" for k, v in training.penalty_factors.items()), ""),
        ("--tol", f"{training.tol:g}", "1e-06"),
        ("--missing", model.schema.missing, "impute"),
        ("--test-fraction", f"{training.test_fraction:g}", "0.2"),
        ("--seed", f"{training.seed}", "0"),
        ("--max-passes", training.max_passes, None),
    ]
    if model.estimates is not None:
        estimates = model.estimates
        given += [
            ("--method", estimates.method, "ml"),
            ("--covariance", estimates.kind, "model"),
            ("--cluster", roles.get("cluster"), None),
            ("--weight-type", estimates.weights, "frequency"),
        ]
    words = ["zeroloop", "train", training.data, "--target", model.schema.target.name]
    for option, value, usual in given:
        if value is not None and value != usual and value != "":
            words += [option, str(value)]
    return shlex.join(words)


def _listed(names: Sequence[str] | None) -> str | None:
    return ",".join(names) if names else None


def fingerprint(model: Model) -> str:
    """Return a hash of what the scan found in the training rows: every level, count, mean and deviation."""
    found = {"schema": asdict(model.schema), "rows": model.training.rows, "shares": model.training.shares}
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:16]
