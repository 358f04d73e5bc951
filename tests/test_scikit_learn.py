"""scikit-learn's own tests of its logistic regressions, from the installed package, run against zeroloop's."""

from __future__ import annotations

import importlib
import sys

import pytest
import sklearn.linear_model

import zeroloop

NAMES = ("LogisticRegression", "LogisticRegressionCV")
MODULE = "sklearn.linear_model.tests.test_logistic"

with pytest.MonkeyPatch.context() as patch:
    for name in NAMES:
        patch.setattr(sklearn.linear_model, name, getattr(zeroloop, name))
    sys.modules.pop(MODULE, None)
    module = importlib.import_module(MODULE)

globals().update({name: value for name, value in vars(module).items() if name.startswith("test_")})
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture
def global_random_seed() -> int:
    """What scikit-learn's suite seeds its data with."""
    return 42
