"""scikit-learn's own tests of its logistic regressions, from the installed package, run against zeroloop's.

`docs/scikit-learn.md` has the table of what does not apply, and why; a test holds it to the one here.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sklearn
import sklearn.linear_model

import zeroloop

if not sklearn.__version__.startswith("1.9."):
    pytest.skip("the table of what does not apply is that of scikit-learn 1.9", allow_module_level=True)

NAMES = ("LogisticRegression", "LogisticRegressionCV")
MODULE = "sklearn.linear_model.tests.test_logistic"
PRIVATE = "calls a private function of scikit-learn's"
WARNING = "asks for a warning of an option that scikit-learn is about to change or remove"
LIBLINEAR = "of liblinear's limits, which no solver here has"
ARRAY_API = "arrays of other libraries are computed with NumPy, and so are attributes and predictions NumPy's"
STEPS = "counts a callback's tasks by steps; here each pass over the rows is one"
EVERY_SOLVER = "asks for a warning of solvers without callbacks; all have them"

NOT_APPLICABLE = {
    "test_check_solver_option": "asks for errors of solvers that cannot do L1 or several classes; ours can",
    "test_dtype_match": "coefficients are float64 whatever X is: they are sums over all rows",
    "test_l1_ratio_None_deprecated": WARNING,
    "test_l1_ratio_non_elasticnet": WARNING,
    "test_large_sparse_matrix": "asks for an error with 64-bit indices, which are read here",
    "test_liblinear_dual_random_state": LIBLINEAR,
    "test_liblinear_multiclass_raises": LIBLINEAR,
    "test_liblinear_with_large_values": LIBLINEAR,
    "test_logistic_cv_multinomial_score": PRIVATE,
    "test_logistic_regression_array_api_compliance": ARRAY_API,
    "test_logistic_regression_array_api_warm_start": ARRAY_API,
    "test_logistic_regression_callback_support": STEPS,
    "test_logistic_regression_callback_support_warning": EVERY_SOLVER,
    "test_logisticregression_liblinear_sample_weight": "asks for liblinear's dual form",
    "test_logisticregression_warns_with_n_jobs": "n_jobs has an effect here: the number of threads",
    "test_logisticregressioncv_warns_with_use_legacy_attributes": WARNING,
    "test_logreg_predict_proba_multinomial": PRIVATE,
    "test_lr_penalty_l1ratio_incompatible": WARNING,
    "test_lr_scoring_warns": WARNING,
    "test_max_iter": "asks for each solver's own words; the warning is a ConvergenceWarning here too",
    "test_newton_cholesky_fallback_to_lbfgs": "newton does not fall back on collinear columns: it gets along with them",
    "test_penalty_deprecated": WARNING,
    "test_penalty_none": WARNING,
    "test_sample_and_class_weight_equivalence_liblinear": "asks for liblinear's dual form",
    "test_zero_max_iter": "a fit takes at least one step",
}

# Of a test above, the cases that apply all the same.
APPLICABLE: dict[str, Callable[..., bool]] = {
    "test_dtype_match": lambda solver, **_: solver == "liblinear",
    "test_large_sparse_matrix": lambda solver, **_: solver not in ("liblinear", "sag", "saga"),
    "test_logisticregression_liblinear_sample_weight": lambda params, **_: not params.get("dual"),
}

with pytest.MonkeyPatch.context() as patch:
    for name in NAMES:
        patch.setattr(sklearn.linear_model, name, getattr(zeroloop, name))
    sys.modules.pop(MODULE, None)
    module = importlib.import_module(MODULE)

globals().update({name: value for name, value in vars(module).items() if name.startswith("test_")})

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(autouse=True)
def _not_applicable(request: pytest.FixtureRequest) -> None:
    name = request.function.__name__
    applicable = APPLICABLE.get(name)
    if name in NOT_APPLICABLE and not (applicable and applicable(**request.node.callspec.params)):
        # Which arrays of other libraries there are, and how they differ from NumPy's, is theirs to say.
        strict = NOT_APPLICABLE[name] != ARRAY_API
        request.applymarker(pytest.mark.xfail(reason=NOT_APPLICABLE[name], strict=strict))


@pytest.fixture
def global_random_seed() -> int:
    """What scikit-learn's suite seeds its data with."""
    return 42


def test_the_page_has_this_table() -> None:
    page = (Path(__file__).parent.parent / "docs" / "scikit-learn.md").read_text()
    assert [name for name in NOT_APPLICABLE if not hasattr(module, name)] == []
    for name, reason in NOT_APPLICABLE.items():
        assert f"| `{name}` | {reason} |" in page
