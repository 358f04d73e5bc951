"""A model as scikit-learn's own objects, with the same probabilities: what ONNX, skops and MLflow know."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import Binarizer, LabelBinarizer, OneHotEncoder, StandardScaler

from zeroloop.blocks import FloatArray
from zeroloop.errors import OptionError, ZeroloopWarning
from zeroloop.model import Model
from zeroloop.plain_text import listed
from zeroloop.tables.encode import first_coefs
from zeroloop.tables.schema import Categorical, Level, Schema

# Stands for a missing number on the way to its indicator: no other value is as large, and float32 holds it, which ONNX
# computes in. SimpleImputer's own indicators are lost there without a word, and probabilities off by 0.2.
GAP = float(np.finfo(np.float32).max)
ALMOST_GAP = float(np.nextafter(np.float32(GAP), np.float32(0)))
NO_LEVEL = 2.0**62  # likewise of a column of levels, which ONNX compares as int64
MOST_WHOLE = 2**53  # float64, which levels are compared in, tells larger whole numbers not apart
MOST_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some columns, what makes terms of them, and the terms' coefficients `(n_outputs, terms)`."""

    name: str
    transformer: Any
    columns: list[str]
    coef: FloatArray


def classifier(
    coef: FloatArray,
    intercept: FloatArray,
    classes: NDArray[Any],
    *,
    one_by_one: bool,
    names: NDArray[Any] | None = None,
    **parameters: Any,
) -> Any:
    """Return scikit-learn's classifier of some coefficients.

    Args:
        coef: `(n_outputs, n_features)`.
        intercept: `(n_outputs,)`.
        classes: `(n_classes,)`, sorted.
        one_by_one: whether each of several classes has a model of its own against the rest.
        names: `(n_features,)`, the columns', if they have any.
        parameters: of `sklearn.linear_model.LogisticRegression`.

    Returns:
        A LogisticRegression; one against the rest, a OneVsRestClassifier of them.

    """
    made: Any
    if one_by_one and len(coef) > 1:
        made = OneVsRestClassifier(LogisticRegression(**parameters))
        made.label_binarizer_ = LabelBinarizer(sparse_output=True).fit(classes)
        made.estimators_ = [
            classifier(coef[[k]], intercept[[k]], np.array([0, 1]), one_by_one=False, names=names, **parameters)
            for k in range(len(coef))
        ]
    else:
        made = LogisticRegression(**parameters)
        made.coef_, made.intercept_ = coef.copy(), intercept.copy()
        made.n_iter_ = np.ones(1, np.int32)
    made.classes_, made.n_features_in_ = classes, coef.shape[1]
    if names is not None:
        made.feature_names_in_ = names
    return made


def parameters_of(C: float, l1_ratio: float, **others: Any) -> dict[str, Any]:
    """Return the parameters with which scikit-learn's LogisticRegression has the same objective."""
    lbfgs_can = l1_ratio == 0
    return {"C": C, "l1_ratio": l1_ratio, "solver": "lbfgs" if lbfgs_can else "saga", **others}


def pipeline(model: Model) -> Pipeline:
    """Return a model as scikit-learn's own objects, with the same probabilities.

    They have no code of zeroloop's in them: skops, ONNX and MLflow know them. They take pandas frames with the
    model's columns, in any order, of the types they had in training. Missing values and levels never seen count as they
    do here; missing text is None or NaN (`pd.NA` counts as a level never seen). With `missing="drop"` or "error" a
    missing value is an error. The columns of `predict_proba` are in the order of `classes_`, which are sorted.

    Args:
        model: of columns of numbers and levels.

    Returns:
        A fitted Pipeline of a ColumnTransformer and a LogisticRegression; for "ovr" with more than two classes of a
        OneVsRestClassifier.

    Raises:
        OptionError: for a column of dates or sparse rows, which scikit-learn cannot make terms of; and where pandas is
            not installed.

    Warns:
        ZeroloopWarning: for columns of float32 beside others: here they are read as decimals.

    Examples:
        >>> model = zeroloop.train("flights.parquet", "late")  # doctest: +SKIP
        >>> model.to_sklearn().predict_proba(pandas.read_parquet("flights.parquet"))  # doctest: +SKIP

    """
    schema = model.schema
    _check(schema)
    parts = [*_numbers(schema, model.coef), *_levels(schema, model.coef)]
    if not parts:
        raise OptionError("The model has no terms but the intercept, and scikit-learn wants a column.")
    intercept = model.coef[:, 0] + sum(_other(*found) for found in _categorical(schema, model.coef))
    coef = np.concatenate([part.coef for part in parts], axis=1)
    classes, order = np.unique(np.array(schema.target.levels), return_inverse=True)
    if len(coef) > 1:
        coef, intercept = coef[np.argsort(order)], intercept[np.argsort(order)]
    elif order[0] > order[1]:  # the positive class is the first of the sorted ones
        coef, intercept = -coef, -intercept
    training = model.training
    return Pipeline(
        [
            ("columns", _fitted([(part.name, part.transformer, part.columns) for part in parts], schema)),
            (
                "classifier",
                classifier(
                    coef,
                    intercept,
                    classes,
                    one_by_one=training.multi_class == "ovr",
                    **parameters_of(training.C, training.l1_ratio),
                ),
            ),
        ]
    )


def _check(schema: Schema) -> None:
    if schema.dates:
        name = schema.dates[0].name
        raise OptionError(
            f"Column {name!r} holds dates, and scikit-learn has nothing that makes days, months or hours of them; "
            f"train without it (drop={[name]!r}), or with columns of your own in its place."
        )
    if schema.sparse is not None:
        raise OptionError(
            f"Column {schema.sparse.name!r} holds sparse rows, which scikit-learn takes as a matrix and not in a "
            "frame; fit zeroloop.LogisticRegression to the CSR matrix, and take its to_sklearn()."
        )
    for column in schema.categorical:
        large = [level for level in column.levels if not isinstance(level, str) and abs(level) >= MOST_WHOLE]
        if large:
            raise OptionError(
                f"Column {column.name!r} has the level {large[0]}, and scikit-learn compares levels as float64, which "
                "tells such large numbers not apart; train with the column as text."
            )
    narrow = [column.name for column in schema.numeric if column.decimals and not schema.float32]
    if narrow:
        warnings.warn(
            f"Numbers of {listed(narrow, MOST_NAMED)} came as float32 and are read as the decimals they stand for "
            "(39.02 for 39.020000457763672), which scikit-learn does not do: give it float64, rounded.",
            ZeroloopWarning,
            stacklevel=4,
        )


def _numbers(schema: Schema, coef: FloatArray) -> list[Part]:
    """Return the parts of the columns of numbers: themselves, and which are missing."""
    of = {column.name: coef[:, [1 + j]] for j, column in enumerate(schema.numeric)}
    marks = {column.name: column for column in schema.numeric if column.missing}
    first = 1 + len(schema.numeric)
    filled = [name for name in of if schema.missing == "impute" and name != schema.offset]
    needed = [name for name in of if name not in filled]
    parts = [
        Part(name="numbers", transformer=SimpleImputer(), columns=filled, coef=_joined([of[name] for name in filled])),
        Part(name="needed", transformer=_as_floats(), columns=needed, coef=_joined([of[name] for name in needed])),
        Part(
            name="missing",
            transformer=Pipeline([*_with_gaps(GAP), ("is_missing", Binarizer(threshold=ALMOST_GAP))]),
            columns=list(marks),
            coef=coef[:, first : first + len(marks)],
        ),
    ]
    return [part for part in parts if part.columns]


def _as_floats() -> StandardScaler:
    """Return what makes float64 of any numbers, and NaN of what is missing; a NaN that is left is an error."""
    return StandardScaler(with_mean=False, with_std=False)


def _with_gaps(gap: float) -> list[tuple[str, Any]]:
    return [("floats", _as_floats()), ("gaps", SimpleImputer(strategy="constant", fill_value=gap))]


def _levels(schema: Schema, coef: FloatArray) -> list[Part]:
    """Return the parts of the columns of levels: one-hot, and those in which a missing value is an error."""
    found: dict[str, list[tuple[str, NDArray[Any], FloatArray]]] = {"text": [], "levels": []}
    for column, of_column in _categorical(schema, coef):
        text = isinstance(column.levels[0], str)
        found["text" if text else "levels"].append((column.name, *_categories(column, of_column, text)))
    parts = []
    for name, columns in found.items():
        if columns:
            encoder = OneHotEncoder(categories=[categories for _, categories, _ in columns], handle_unknown="ignore")
            transformer = encoder if name == "text" else Pipeline([*_with_gaps(NO_LEVEL), ("levels", encoder)])
            names, of = [one for one, _, _ in columns], _joined([shown for _, _, shown in columns])
            parts.append(Part(name=name, transformer=transformer, columns=names, coef=of))
            if schema.missing != "impute":
                needed = _needed_text(len(names)) if name == "text" else _as_floats()
                width = 2 * len(names) if name == "text" else len(names)
                nothing = np.zeros((len(coef), width))
                parts.append(Part(name=f"needed_{name}", transformer=needed, columns=names, coef=nothing))
    return parts


def _needed_text(n_columns: int) -> Pipeline:
    """Return what makes NaN, which is an error, of missing text, and 0 of any other."""
    gone = np.array([None, np.nan], dtype=object)
    encoder = OneHotEncoder(categories=[gone] * n_columns, handle_unknown="ignore", sparse_output=False)
    error = SimpleImputer(missing_values=1.0, strategy="constant", fill_value=np.nan, keep_empty_features=True)
    return Pipeline([("is_missing", encoder), ("error", error)])


def _categorical(schema: Schema, coef: FloatArray) -> list[tuple[Categorical, FloatArray]]:
    """Return each column of levels with the coefficients of its terms, `(n_outputs, n_terms)`."""
    firsts = first_coefs(schema)
    return [(one, coef[:, at : at + one.n_terms]) for one, at in zip(schema.categorical, firsts, strict=True)]


def _other(column: Categorical, coef: FloatArray) -> FloatArray:
    """Return what a level that is none of a column's adds, `(n_outputs,)`."""
    at = len(column.levels) - column.reference
    return coef[:, at] if column.other else np.zeros(len(coef))


def _categories(column: Categorical, coef: FloatArray, text: bool) -> tuple[NDArray[Any], FloatArray]:
    """Return a column's categories, and what each adds to a level that is none of them, `(n_outputs, categories)`.

    scikit-learn has no term of a level that is none of the others: the intercept has it, and the others the difference.
    """
    levels: list[Level | None] = list(column.levels)
    shown = np.zeros((len(coef), len(levels)))
    shown[:, int(column.reference) :] = coef[:, : len(levels) - column.reference]
    if not text:
        order = np.argsort(np.array(levels, dtype=np.float64))
        levels, shown = [float(levels[i] or 0) for i in order], shown[:, order]
    if column.missing or column.other:
        gone: Sequence[Any] = (None, np.nan) if text else (NO_LEVEL,)
        levels += gone
        of_missing = coef[:, [-1]] if column.missing else np.zeros((len(coef), 1))
        shown = np.concatenate([shown, *[of_missing] * len(gone)], axis=1)
    return np.array(levels, dtype=object if text else np.float64), shown - _other(column, coef)[:, np.newaxis]


def _fitted(parts: list[tuple[str, Any, list[str]]], schema: Schema) -> ColumnTransformer:
    """Return the columns' transformer, fitted to one row of their means and first levels."""
    try:
        import pandas as pd
    except ModuleNotFoundError as error:
        raise OptionError(
            "to_sklearn needs pandas, whose frames the pipeline takes, and it is not installed here; get it with "
            "`pip install pandas`."
        ) from error
    means = {column.name: np.float32(column.mean) if schema.float32 else column.mean for column in schema.numeric}
    row = {name: np.array([mean], dtype=np.float64) for name, mean in means.items()}
    for column in schema.categorical:
        text = isinstance(column.levels[0], str)
        row[column.name] = np.array([column.levels[0]], dtype=object if text else np.float64)
    return ColumnTransformer(parts).fit(pd.DataFrame({name: row[name] for name in schema.features}))


def _joined(parts: list[FloatArray]) -> FloatArray:
    return np.concatenate(parts, axis=1) if parts else np.empty((1, 0))
