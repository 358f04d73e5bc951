"""ONNX models of what `to_sklearn` gives: probabilities equal to float32's digits, which ONNX computes in."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import zeroloop
from hostile import CASES, FIRST_SEED
from test_as_sklearn import some_frame, strange, trained

skl2onnx = pytest.importorskip("skl2onnx")  # of the test extra
onnxruntime = pytest.importorskip("onnxruntime")
FLOAT32 = 2e-5
SEEDS = range(FIRST_SEED, FIRST_SEED + (CASES or 6))


def run_onnx(made: Any, frame: Any, types: Any = None) -> np.ndarray:
    """Return probabilities of an estimator as ONNX."""
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    if types is None:
        text = [frame[name].dtype == object or str(frame[name].dtype) == "str" for name in frame]
        types = [
            (name, (StringTensorType if of else FloatTensorType)([None, 1]))
            for name, of in zip(frame, text, strict=True)
        ]
        feed = {
            name: frame[[name]].to_numpy(dtype=object if of else np.float32)
            for name, of in zip(frame, text, strict=True)
        }
    else:
        feed = {types[0][0]: frame}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        document = skl2onnx.to_onnx(made, initial_types=types, options={"zipmap": False}, target_opset=18)
    session = onnxruntime.InferenceSession(document.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, feed)[1]  # type: ignore[no-any-return]


@pytest.mark.parametrize("seed", SEEDS)
def test_any_table_has_its_probabilities_in_onnx(seed: int) -> None:
    rng = np.random.default_rng([seed, 32])
    frame = some_frame(rng, text=("a", "b", "c d", "ö"), half=2)  # what ONNX tells apart
    model = trained(rng, frame)
    made = model.to_sklearn()
    for rows in (frame.drop(columns=["two", "three"]), strange(rng, frame)):
        rows = pd.DataFrame({name: rows[name] for name in made.feature_names_in_})
        fed = {}
        for name in rows:
            kind = str(name).split("_")[0]
            if kind in ("text", "category"):  # ONNX has no missing text: the word nan stands for it
                fed[name] = rows[name].astype(object).where(rows[name].notna(), "nan")
            else:
                fed[name] = rows[name].astype("Float64" if kind == "Int64" else float).astype(float)
        found = run_onnx(made, pd.DataFrame(fed))
        exact = 1e-3 if any(name.startswith("far") for name in fed) else FLOAT32  # 10,000 has few digits left
        np.testing.assert_allclose(found, made.predict_proba(rows), rtol=0, atol=exact)


def test_scikit_learns_converter_registered_for_our_class_is_off() -> None:
    """Why `to_sklearn` is there: softmax of -z and z is the sigmoid of 2 z."""
    from skl2onnx.common.data_types import FloatTensorType
    from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes
    from skl2onnx.operator_converters.linear_classifier import convert_sklearn_linear_classifier

    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4)).astype(np.float32)
    ours = zeroloop.LogisticRegression().fit(X, X[:, 0] + rng.logistic(size=300) > 0)
    types = [("X", FloatTensorType([None, 4]))]
    np.testing.assert_allclose(run_onnx(ours.to_sklearn(), X, types), ours.predict_proba(X), rtol=0, atol=FLOAT32)
    skl2onnx.update_registered_converter(
        zeroloop.LogisticRegression,
        "Zeroloop",
        calculate_linear_classifier_output_shapes,
        convert_sklearn_linear_classifier,
        options={"zipmap": [False], "nocl": [True, False], "raw_scores": [True, False], "output_class_labels": [False]},
    )
    wrong = run_onnx(ours, X, types)
    assert np.max(np.abs(wrong - ours.predict_proba(X))) > 0.1
    z = ours.decision_function(X)
    np.testing.assert_allclose(wrong[:, 1], 1 / (1 + np.exp(-2 * z)), atol=FLOAT32)
