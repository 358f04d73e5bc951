"""What is known of coefficients, as a model file has it: its covariance in base64, of what was estimated."""

from __future__ import annotations

import base64
import math
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from zeroloop.algebra import cholesky
from zeroloop.blocks import FloatArray
from zeroloop.estimates import Estimates, State
from zeroloop.plain_text import number_of
from zeroloop.records import RecordError, record

ROUNDING = 1e-6  # of the eigenvalues of correlations: left where coefficients are barely told apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """The covariance in a model file.

    Attributes:
        covariance: the upper triangle of what was estimated, base64 of float64, the least significant byte first.
        of: the index of each coefficient in it.
        states: of all coefficients.

    """

    covariance: str
    of: list[int]
    states: tuple[State, ...]


def packed(estimates: Estimates) -> dict[str, Any]:
    """Return the figures as JSON has them; NaN is null."""
    kept = np.flatnonzero(np.diag(estimates.covariance) > 0)
    upper = estimates.covariance[np.ix_(kept, kept)][np.triu_indices(kept.size)]
    record = {name: getattr(estimates, name) for name in (one.name for one in fields(estimates))}
    return record | {
        "covariance": base64.b64encode(upper.astype("<f8").tobytes()).decode(),
        "of": kept.tolist(),
        "separation": None if estimates.separation is None else asdict(estimates.separation),
        "tests": [{k: None if v != v else v for k, v in asdict(test).items()} for test in estimates.tests],
    }


def unpacked(found: Any, place: str) -> Estimates:
    """Return what `packed` made JSON of, found at a place of a document.

    Raises:
        RecordError: for what is none of it.

    """
    of_packing = (
        {name: found[name] for name in Packing.__annotations__ if name in found} if isinstance(found, dict) else found
    )
    packing = record(Packing, of_packing, place)
    n = len(packing.states)
    if not all(0 <= at < n for at in packing.of) or len(set(packing.of)) < len(packing.of):
        raise RecordError(f"Indices of {number_of(n, 'coefficient')} expected - at `{place}.of`")
    kept = np.array(packing.of, dtype=np.intp)
    try:
        upper = np.frombuffer(base64.b64decode(packing.covariance, validate=True), "<f8")
    except ValueError as error:
        raise RecordError(f"Base64 of float64 expected: {error} - at `{place}.covariance`") from error
    if upper.size != kept.size * (kept.size + 1) // 2:
        raise RecordError(
            f"The upper triangle of {number_of(kept.size, 'coefficient')} expected - at `{place}.covariance`"
        )
    part = np.zeros((kept.size, kept.size))
    part[np.triu_indices(kept.size)] = upper
    part = np.where(np.tri(kept.size, dtype=bool), part.T, part)
    _check_covariance(part, f"{place}.covariance")
    covariance = np.zeros((n, n))
    covariance[np.ix_(kept, kept)] = part
    figures = {name: value for name, value in found.items() if name != "of"} | {"covariance": covariance}
    if isinstance(found.get("tests"), list):
        figures["tests"] = [_with_nan(test) for test in found["tests"]]
    return record(Estimates, figures, place)


def _with_nan(test: Any) -> Any:
    """Return a test, as parsed, with NaN where there is no Wald statistic."""
    no_wald = isinstance(test, dict) and test.get("wald", 0.0) is None and test.get("wald_p") is None
    return test | {"wald": math.nan, "wald_p": math.nan} if no_wald else test


def _check_covariance(covariance: FloatArray, place: str) -> None:
    """Check that a matrix of what was estimated is a covariance: finite, and no combination has a variance below 0.

    Raises:
        RecordError: when it is not.

    """
    variances = np.diag(covariance)
    if not (np.all(np.isfinite(covariance)) and np.all(variances > 0)):
        raise RecordError(f"Finite numbers, and variances above 0, expected - at `{place}`")
    unit = 1 / np.sqrt(variances)
    correlation = covariance * unit * unit[:, np.newaxis]
    correlation[np.diag_indices_from(correlation)] += ROUNDING * len(covariance)
    if cholesky(correlation) is None:  # a tenth of the time of eigenvalues
        raise RecordError(f"A covariance expected, whose variances are all at least 0 - at `{place}`")
