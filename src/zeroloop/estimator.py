"""The scikit-learn front door: arrays in, an estimator out."""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import assert_all_finite, check_random_state, compute_class_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from zeroloop.blocks import Block, FloatArray
from zeroloop.fit import Options, fit
from zeroloop.kernels.select import statistics
from zeroloop.objective import Evaluation
from zeroloop.sources.memory import stacked
from zeroloop.sources.threads import find_blas, thread_count

find_blas()  # at import, so that no first fit waits for it


class LogisticRegression(ClassifierMixin, BaseEstimator):
    """Logistic regression for two classes, with scikit-learn's interface and objective.

    Minimises `C * sum(sample_weight * log loss) + 1/2 ||coef||^2`, the intercept not penalised: the same numbers as
    `sklearn.linear_model.LogisticRegression`, on every core and without a copy of `X`.

    Args:
        C: inverse strength of the L2 penalty; `np.inf` for none.
        fit_intercept: whether to fit an intercept.
        class_weight: a weight for each class, "balanced", or None.
        tol: stop at `max |gradient of the mean objective| <= tol`, for columns scaled to unit variance; the
            scaling is inside the solver and changes no result.
        max_iter: most iterations of the solver.
        solver: "auto", "newton", "sampled-newton", "newton-cg", "lbfgs" or "gradient-descent"; see
            `zeroloop.fit.choose_solver`.
        learning_rate: of gradient descent.
        warm_start: start from the coefficients of the last fit.
        n_jobs: number of threads; None or -1 for every core, -2 for all but one. Any number gives the same bits.
        random_state: seed of the rows that sampled-newton samples; None for 0, so that a fit is the same again.
        verbose: 1 prints a line a pass.

    Attributes:
        coef_: `(1, n_features)`.
        intercept_: `(1,)`.
        classes_: `(2,)`, sorted; probabilities are of the second.
        n_iter_: `(1,)`, the solver's steps.
        n_passes_: sweeps over all rows.
        converged_: whether the gradient met `tol`.
        loss_: mean log loss of the training rows.
        gradient_norm_: `max |gradient of the mean objective|` where the solver stopped.
        n_features_in_: number of columns.
        feature_names_in_: their names, if X had any.

    """

    coef_: FloatArray
    intercept_: FloatArray
    classes_: NDArray[Any]

    def __init__(
        self,
        *,
        C: float = 1.0,
        fit_intercept: bool = True,
        class_weight: dict[Any, float] | str | None = None,
        tol: float = 1e-6,
        max_iter: int = 100,
        solver: str = "auto",
        learning_rate: float = 0.1,
        warm_start: bool = False,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.C = C
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.tol = tol
        self.max_iter = max_iter
        self.solver = solver
        self.learning_rate = learning_rate
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Fit to `X` `(m, n_features)`, one example a row, and `y` `(m,)` of two classes.

        Args:
            X: float32 and float64 arrays are used where they lie; features contiguous or examples contiguous.
            y: two distinct values of any type.
            sample_weight: `(m,)`, at least 0.

        Raises:
            ValueError: for arrays that do not fit, NaN or infinity, one class, or more than two.

        Warns:
            ConvergenceWarning: when the solver stopped before the optimum.

        """
        options = Options(self.C, self.solver, self.tol, self.max_iter, self.learning_rate)
        X, y = self._arrays(X, y)
        classes, codes = _classes(y)
        if len(classes) > 2:
            raise ValueError(f"Only binary classification is supported. The type of the target is {type_of_target(y)}.")
        if len(classes) < 2:
            raise ValueError(
                f"The labels y have one class only, {classes.tolist()[0]!r}; a classifier needs rows of both classes."
            )
        weight = self._weight(X, y, codes, classes, sample_weight)
        source = stacked(X.T, codes, weight, self._threads())
        columns = source.reduce(statistics(source.n_rows, source.n_coefs).moments)
        if not np.all(np.isfinite(columns.squares)):
            assert_all_finite(X, input_name="X")  # the moments have read X already: no second pass where all is well
            raise ValueError("X holds numbers whose squares overflow; give such columns a larger unit.")
        start = None
        if self.warm_start and hasattr(self, "coef_") and self.coef_.shape[1] == X.shape[1]:
            start = np.column_stack([self.intercept_, self.coef_])
        result = fit(
            source,
            options,
            centre=columns.mean,
            scale=np.append(1.0, columns.scale()),
            penalty_unit=np.ones(source.n_coefs),
            fit_intercept=self.fit_intercept,
            seed=int(check_random_state(self.random_state).randint(2**31)) if self.random_state is not None else 0,
            start=start,
            on_pass=_print_pass if self.verbose else None,
        )
        self.classes_ = classes
        self.coef_ = result.coef[:, 1:].copy()
        self.intercept_ = result.coef[:, 0].copy()
        self.n_iter_ = np.array([result.solution.n_iter])
        self.n_passes_ = result.passes
        self.converged_ = result.solution.converged
        self.loss_ = result.solution.last.loss
        self.gradient_norm_ = result.solution.last.gradient_norm
        if not self.converged_:
            warnings.warn(result.not_converged(self.tol), ConvergenceWarning, stacklevel=2)
        return self

    def decision_function(self, X: Any) -> FloatArray:
        """Return the linear predictor of each row, `(m,)`; positive for the second class."""
        return self._scored(X)

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the more probable class of each row, `(m,)`."""
        positive = self.decision_function(X) > 0
        return self.classes_[positive.astype(np.intp)]

    def predict_proba(self, X: Any) -> FloatArray:
        """Return the probabilities of both classes, `(m, 2)`."""
        return self._scored(X, probability=True).T

    def predict_log_proba(self, X: Any) -> FloatArray:
        """Return the logarithms of the probabilities, `(m, 2)`, finite however small they are."""
        z = self.decision_function(X)
        return -np.column_stack([np.logaddexp(0, z), np.logaddexp(0, -z)])

    def _arrays(self, X: Any, y: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return X and y as arrays that fit each other, without looking into X."""
        plain = type(X) is np.ndarray and X.ndim == 2 and X.dtype in (np.float64, np.float32) and X.size > 0
        if plain and type(y) is np.ndarray and y.shape == X.shape[:1] and _is_finite(y):
            # What `validate_data` would find, without its millisecond: ten of them at the first call of a process.
            self.n_features_in_ = X.shape[1]
            if hasattr(self, "feature_names_in_"):
                del self.feature_names_in_
            return X, y
        return validate_data(  # type: ignore[no-any-return]
            self, X, y, dtype=[np.float64, np.float32], accept_sparse=False, ensure_all_finite=False
        )

    def _scored(self, X: Any, probability: bool = False) -> FloatArray:
        """Return the linear predictor `(m,)`, or the probabilities of both classes `(2, m)`, in one pass."""
        check_is_fitted(self)
        X = validate_data(
            self, X, dtype=[np.float64, np.float32], accept_sparse=False, ensure_all_finite=False, reset=False
        )
        coef = np.column_stack([self.intercept_, self.coef_]).astype(np.float64)
        kernels = statistics(X.shape[0], coef.size)
        centre = np.zeros(coef.shape[1] - 1)
        finite = []

        def of_block(block: Block) -> FloatArray:
            z: FloatArray = kernels.predictor(block, coef=coef, centre=centre)
            finite.append(bool(np.isfinite(np.sum(z))))
            return kernels.probabilities(z) if probability else z

        scored = stacked(X.T, threads=self._threads()).concatenate(of_block, (2,) if probability else ())
        if not all(finite):  # the predictor has read X already: no pass for this where all is well
            assert_all_finite(X, input_name="X")
        return scored

    def _weight(
        self,
        X: NDArray[Any],
        y: NDArray[Any],
        codes: NDArray[Any],
        classes: NDArray[Any],
        sample_weight: ArrayLike | None,
    ) -> FloatArray | None:
        if sample_weight is None and self.class_weight is None:
            return None
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        if self.class_weight is not None:
            by_class = compute_class_weight(self.class_weight, classes=classes, y=y, sample_weight=weight)
            weight = weight * by_class[codes.astype(np.intp)]
        return weight  # type: ignore[no-any-return]

    def _threads(self) -> int:
        every = thread_count(None)
        if self.n_jobs is None:
            return every
        return thread_count(self.n_jobs if self.n_jobs >= 0 else max(1, every + 1 + self.n_jobs))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags


def _is_finite(y: NDArray[Any]) -> bool:
    return y.dtype.kind in "biu" or (y.dtype.kind == "f" and bool(np.isfinite(np.sum(y))))


def _classes(y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the distinct labels, sorted, and the index of each row's."""
    if y.dtype.kind in "biuf":
        low, high = np.min(y), np.max(y)
        is_high = y == high
        whole = y.dtype.kind != "f" or (float(low).is_integer() and float(high).is_integer())
        if whole and low != high and np.all(is_high | (y == low)):
            return np.array([low, high], dtype=y.dtype), is_high  # a tenth of the time that sorting takes
    check_classification_targets(y)
    classes, codes = np.unique(y, return_inverse=True)
    return classes, codes


def _print_pass(passes: int, evaluation: Evaluation) -> None:
    print(f"pass {passes}: objective {evaluation.value:.8g}, max |gradient| {evaluation.gradient_norm:.1e}")
