"""The scikit-learn front door: arrays in, an estimator out."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zeroloop.algebra import exp, log, softplus
from zeroloop.arrays import are_labels, assert_finite, is_sparse, prepare, rows_of, source_of
from zeroloop.blocks import Block, FloatArray
from zeroloop.callbacks import FitTask, with_callbacks
from zeroloop.errors import OptionError, ZeroloopWarning, dask_extra
from zeroloop.estimates import blurred
from zeroloop.fit import Options, Shape, plain_shape
from zeroloop.grid import numbers_of
from zeroloop.inference.unpenalised import SEPARATED, Checked, fit_checked
from zeroloop.kernels import statistics
from zeroloop.objective import Evaluation, Lowest, Units
from zeroloop.parameters import SOLVERS, are_plain, threads_of
from zeroloop.plain_text import number_of
from zeroloop.sklearn_bases import SklearnBases, importing
from zeroloop.sources.one_against_rest import as_softmax
from zeroloop.sources.threads import thread_count
from zeroloop.tables.dask_data import is_dask

FARTHEST_START = 1e100  # of a coefficient: where sums of squares still have room


class _Constraints:
    """What each parameter may be, in scikit-learn's words, which are imported when they are asked for."""

    def __get__(self, instance: Any, owner: type) -> dict[str, Any]:
        with importing():
            from zeroloop.constraints import OF_ONE
        return OF_ONE


class LogisticRegression(SklearnBases):
    """Logistic regression with scikit-learn's interface and objective.

    Minimises `C * sum(sample_weight * log loss) + l1_ratio ||coef||_1 + (1 - l1_ratio) / 2 ||coef||^2`, the intercept
    not penalised: the same numbers as `sklearn.linear_model.LogisticRegression`, on every core and without a copy of
    `X`. With more than two classes the loss is that of softmax. There is no `partial_fit`: a fit reads each row a few
    times. For rows that arrive over time, fit again with `warm_start=True`.

    Parameters
    ----------
    penalty : str or None, default="deprecated"
        scikit-learn's old name: "l1", "l2", "elasticnet", None. Use `l1_ratio` and `C`.
    C : float, default=1.0
        Inverse strength of the penalty; `np.inf` for none.
    l1_ratio : float, default=0.0
        Share of the L1 penalty: 0 is L2 alone, 1 is L1 alone, between them is elastic net.
    dual : bool, default=False
        Only False: all solvers are primal.
    tol : float, default=1e-6
        Stop at `max |gradient of the mean objective| <= tol`, for columns scaled to unit variance; the scaling is
        inside the solver and changes no result.
    fit_intercept : bool, default=True
        Whether to fit an intercept.
    intercept_scaling : float, default=1.0
        Not used; no solver here penalises the intercept, as liblinear does.
    class_weight : dict, "balanced" or None, default=None
        A weight for each class; "balanced" gives all classes the same weight.
    random_state : int, RandomState or None, default=None
        Seed of the rows that are sampled; None for 0, so that a fit is the same again.
    solver : str, default="auto"
        "auto", "newton", "sampled-newton", "newton-cg", "lbfgs", "gradient-descent", "proximal-newton" or
        "coordinate-descent"; see `zeroloop.auto.choose_solver`. Of scikit-learn's names "newton-cholesky" is newton,
        and "liblinear", "sag" and "saga" are "auto".
    max_iter : int, default=100
        Most iterations of the solver.
    multi_class : str, default="multinomial"
        With more than two classes, "multinomial" (softmax; "auto" is the same) or "ovr" (a model of each class against
        the rest).
    verbose : int, default=0
        1 prints a line a pass.
    warm_start : bool, default=False
        Start from the coefficients of the last fit.
    n_jobs : int or None, default=None
        Number of threads; None or -1 for every core, -2 for all but one. Any number gives the same bits.
    learning_rate : float, default=0.1
        Of gradient descent.
    penalty_factors : array-like of shape (n_features,) or None, default=None
        Multiplies each column's penalty; 0 leaves it unpenalised. None for ones.
    bounds : tuple of (lower, upper) or None, default=None
        Each a number or `(n_features,)`, within which coefficients stay; they include 0.

    Attributes
    ----------
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        The coefficients; with two classes of the second.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        The intercepts.
    classes_ : ndarray of shape (n_classes,)
        The classes, sorted; with two, the predictor is of the second.
    n_iter_ : ndarray of shape (1,) or (n_classes,)
        The solver's steps; of each class with "ovr". At least 1, as scikit-learn wants it: a start that is the optimum
        already counts as one.
    n_passes_ : int
        Sweeps over all rows.
    converged_ : bool
        Whether the gradient met `tol`.
    separated_ : bool
        Whether, without a penalty, there is no optimum: some rows can be told apart without doubt, and coefficients
        grow without end. `coef_` is where the solver stopped on the way.
    loss_ : float
        Mean log loss of the training rows; with "ovr" the mean over the models.
    gradient_norm_ : float
        `max |gradient of the mean objective|` where the solver stopped; with an L1 penalty or bounds the violation of
        the optimality conditions.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, if X had any.

    Examples
    --------
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1]
    >>> LogisticRegression().fit(X, y).predict([[0.5], [2.5]])
    array([0, 1])

    """

    coef_: Any
    intercept_: FloatArray
    classes_: NDArray[Any]

    _parameter_constraints: ClassVar[Any] = _Constraints()
    # In a notebook an estimator shows help to its parameters only beside a link to a page: that of the class whose
    # interface this is.
    _doc_link_module = "zeroloop"
    _doc_link_template = "https://scikit-learn.org/stable/modules/generated/sklearn.linear_model.{estimator_name}.html"

    def __init__(
        self,
        penalty: str | None = "deprecated",
        *,
        C: float = 1.0,
        l1_ratio: float | None = 0.0,
        dual: bool = False,
        tol: float = 1e-6,
        fit_intercept: bool = True,
        intercept_scaling: float = 1.0,
        class_weight: dict[Any, float] | str | None = None,
        random_state: int | np.random.RandomState | None = None,
        solver: str = "auto",
        max_iter: int = 100,
        multi_class: str = "multinomial",
        verbose: int = 0,
        warm_start: bool = False,
        n_jobs: int | None = None,
        learning_rate: float = 0.1,
        penalty_factors: ArrayLike | None = None,
        bounds: tuple[ArrayLike, ArrayLike] | None = None,
    ) -> None:
        self.penalty = penalty
        self.C = C
        self.l1_ratio = l1_ratio
        self.dual = dual
        self.tol = tol
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.class_weight = class_weight
        self.random_state = random_state
        self.solver = solver
        self.max_iter = max_iter
        self.multi_class = multi_class
        self.verbose = verbose
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.learning_rate = learning_rate
        self.penalty_factors = penalty_factors
        self.bounds = bounds

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Fit to `X` `(m, n_features)`, one example a row, and labels `y` `(m,)`.

        Args:
            X: float32 and float64 arrays, CSR and CSC matrices are used where they lie; a Dask array or DataFrame on
                the cluster of the current Dask client, with `y` and `sample_weight` cut into the same rows. Predictions
                of such are Dask arrays.
            y: two or more distinct values of any type.
            sample_weight: `(m,)`, at least 0.

        Raises:
            InvalidParameterError: scikit-learn's ValueError, for a parameter that is not what it may be.
            ValueError: for arrays that do not fit, NaN or infinity, or one class.

        Warns:
            ConvergenceWarning: when the solver stopped before the optimum, or when there is none; see `separated_`.
            ZeroloopWarning: when coefficients cancel so much that rounding puts predictions off.

        """
        options = self._options()
        given = X, y, sample_weight, self.class_weight, self._threads(), self
        if is_dask(X):
            with dask_extra():
                from zeroloop.cluster.arrays import prepare_on_cluster
            prepared = prepare_on_cluster(*given)
        else:
            prepared = prepare(*given)
        one_by_one = options.multi_class == "ovr" and len(prepared.classes) > 2
        task = FitTask(
            self, X, y, sample_weight, fitted=None if one_by_one else partial(_fitted, classes=prepared.classes)
        )

        def on_pass(passes: int, evaluation: Evaluation, lowest: Lowest) -> None:
            if self.verbose:
                print(f"pass {passes}: objective {evaluation.value:.8g}, max |gradient| {evaluation.gradient_norm:.1e}")
            task.on_pass(lowest)

        checked = fit_checked(
            prepared.source,
            options,
            units=prepared.units,
            shape=self._shape(prepared.n_features),
            classes=prepared.classes.tolist(),
            fit_intercept=bool(self.fit_intercept),
            seed=self._seed(),
            start=self._start(len(prepared.classes), prepared.n_features),
            on_pass=on_pass,
        )
        result = checked.fit
        for name, value in _fitted(result.coef, prepared.classes).items():
            setattr(self, name, value)
        self.n_iter_ = np.maximum(result.n_iter, 1).astype(np.int32)
        self.n_passes_ = result.passes
        task.end()
        self._say_how_it_ended(checked, prepared.units)
        return self

    def _say_how_it_ended(self, checked: Checked, units: Units, stacklevel: int = 5) -> None:
        """Set what tells how a fit ended, and warn where it has not at an optimum."""
        result = checked.fit
        self.converged_ = result.converged
        self.separated_ = checked.separated
        self.loss_ = result.loss
        self.gradient_norm_ = result.worst.last.gradient_norm
        if checked.separated or not result.converged:
            with importing():
                from sklearn.exceptions import ConvergenceWarning
            sentence = SEPARATED if checked.separated else result.not_converged(self.tol)
            warnings.warn(sentence, ConvergenceWarning, stacklevel=stacklevel)
        for sentence in blurred(result.coef, units.centre, units.scale):
            warnings.warn(sentence, ZeroloopWarning, stacklevel=stacklevel)

    def decision_function(self, X: Any) -> FloatArray:
        """Return the linear predictor of each row: `(m,)`, positive for the second class, or `(m, n_classes)`."""
        return self._lazily("decision_function", X) if is_dask(X) else self._scored(X)

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable class of each row, `(m,)`."""
        if is_dask(X):
            return self._lazily("predict", X)  # type: ignore[no-any-return]
        z = self._scored(X)
        best = np.argmax(z, axis=1) if z.ndim > 1 else (z > 0).astype(np.intp)
        predicted: NDArray[Any] = self.classes_[best]
        return predicted

    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """Return the accuracy on rows `X` and labels `y`: scikit-learn's `accuracy_score`."""
        predicted = self.predict(X)
        if sample_weight is None and are_labels(y, predicted):
            return float(np.mean(predicted == y))
        with importing():
            from sklearn.metrics import accuracy_score
        return float(accuracy_score(y, predicted, sample_weight=sample_weight))

    def predict_proba(self, X: Any) -> FloatArray:
        """Return the probability of each class, `(m, n_classes)`."""
        return self._lazily("predict_proba", X) if is_dask(X) else self._scored(X, probability=True)

    def predict_log_proba(self, X: Any) -> FloatArray:
        """Return the logarithms of the probabilities, `(m, n_classes)`, finite however small they are."""
        if is_dask(X):
            return self._lazily("predict_log_proba", X)  # type: ignore[no-any-return]
        z = self._scored(X)
        if z.ndim == 1:
            return -np.column_stack([softplus(z), softplus(-z)])
        if self.multi_class == "ovr":
            z = as_softmax(z.T).T
        shifted = z - np.max(z, axis=1, keepdims=True)
        logs: FloatArray = np.ascontiguousarray(shifted - log(np.sum(exp(shifted), axis=1, keepdims=True)))
        return logs

    def _lazily(self, method: str, X: Any) -> Any:
        """Return what a method makes of a Dask array or frame: a Dask array, computed when it is asked for."""
        self._check_fitted()
        with dask_extra():
            from zeroloop.cluster.arrays import on_each_block
        return on_each_block(self, method, X)

    def sparsify(self) -> Self:
        """Store `coef_` as a CSR matrix, which an L1 penalty makes small; prediction takes either."""
        self._check_fitted()
        from scipy import sparse

        self.coef_ = sparse.csr_matrix(self._dense_coef())
        return self

    def densify(self) -> Self:
        """Store `coef_` as an array again."""
        self._check_fitted()
        self.coef_ = self._dense_coef()
        return self

    def to_sklearn(self) -> Any:
        """Return scikit-learn's own classifier of the same coefficients, with the same probabilities.

        It has no code of zeroloop's in it: skops, ONNX, PMML and MLflow know it. Of its parameters `C`, `l1_ratio`,
        `fit_intercept` and `class_weight` are those of this fit.

        Returns:
            `sklearn.linear_model.LogisticRegression`, fitted; for "ovr" with more than two classes a
            `OneVsRestClassifier` of such.

        Raises:
            NotFittedError: before `fit`.

        Examples:
            >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [0, 1, 0, 1]
            >>> LogisticRegression().fit(X, y).to_sklearn().classes_
            array([0, 1])

        """
        # Only when it is asked for: what it takes of scikit-learn is a tenth of the import of an estimator.
        with importing():
            from zeroloop.as_sklearn import classifier, parameters_of
        self._check_fitted()
        C, l1_ratio = self._penalty()
        coef = self._dense_coef()
        return classifier(
            coef,
            np.broadcast_to(self.intercept_, len(coef)),
            self.classes_,
            one_by_one=self.multi_class == "ovr",
            names=getattr(self, "feature_names_in_", None),
            **parameters_of(C, l1_ratio, fit_intercept=self.fit_intercept, class_weight=self.class_weight),
        )

    def _penalty(self) -> tuple[float, float]:
        """Return C and l1_ratio of the fit."""
        options = self._options()
        return options.C, options.l1_ratio

    def _dense_coef(self) -> FloatArray:
        coef: FloatArray = self.coef_.toarray() if is_sparse(self.coef_) else self.coef_
        return coef

    def _options(self) -> Options:
        """Return the options, once all parameters are checked."""
        if type(self) is not LogisticRegression or not are_plain(vars(self)):  # a subclass may have others
            self._validate_params()
        C, l1_ratio = self.C, self.l1_ratio
        if self.penalty != "deprecated":
            C, l1_ratio = _from_penalty(self.penalty, C, l1_ratio)
        if self.dual:
            raise OptionError("dual is True; every solver here is primal: leave it out.")
        if l1_ratio is None:
            raise OptionError("l1_ratio is None; it must be from 0 (L2 penalty) to 1 (L1 penalty).")
        solver = SOLVERS.get(self.solver, self.solver)
        multi_class = "multinomial" if self.multi_class == "auto" else self.multi_class
        return Options(
            C=float(C),
            l1_ratio=float(l1_ratio),
            solver=solver,
            tol=float(self.tol),
            max_iter=int(self.max_iter),
            learning_rate=float(self.learning_rate),
            multi_class=multi_class,
        )

    def _shape(self, n_features: int) -> Shape:
        shape = plain_shape(np.ones(1 + n_features))
        given: list[tuple[str, Any, FloatArray]] = [("penalty_factors", self.penalty_factors, shape.factor)]
        if self.bounds is not None:
            if len(self.bounds) != 2:
                raise OptionError(f"bounds has {len(self.bounds)} parts; it must be two: (lower, upper).")
            given += [("bounds", self.bounds[0], shape.lower), ("bounds", self.bounds[1], shape.upper)]
        for name, values, part in given:
            if values is not None:
                of_columns = numbers_of(name, values)
                if of_columns.ndim > 0 and of_columns.shape != (n_features,):
                    raise OptionError(
                        f"{name} has shape {of_columns.shape}; X has {number_of(n_features, 'column')}: a number each."
                    )
                part[1:] = of_columns
        return replace(shape)  # checks it

    def _seed(self) -> int:
        if self.random_state is None:
            return 0
        if type(self.random_state) is int:
            return int(np.random.RandomState(self.random_state).randint(2**31))
        with importing():
            from sklearn.utils import check_random_state
        return int(check_random_state(self.random_state).randint(2**31))

    def _check_fitted(self) -> None:
        """Raise NotFittedError before `fit`."""
        if type(self) is not LogisticRegression or "coef_" not in vars(self):  # a subclass may see to it otherwise
            with importing():
                from sklearn.utils.validation import check_is_fitted
            check_is_fitted(self)

    def _start(self, n_classes: int, n_features: int) -> FloatArray | None:
        if not self.warm_start or not hasattr(self, "coef_"):
            return None
        shape = (n_classes if n_classes > 2 else 1, n_features)
        try:
            coef, intercept = (np.asarray(part, dtype=np.float64) for part in (self._dense_coef(), self.intercept_))
        except (TypeError, ValueError):
            return None
        if coef.shape != shape or intercept.shape not in ((), (1,), shape[:1]):
            return None
        start = np.column_stack([np.broadcast_to(intercept, len(coef)), coef])
        return start if np.max(np.abs(start)) < FARTHEST_START else None  # NaN is none either

    def _scored(self, X: Any, probability: bool = False) -> FloatArray:
        """Return the predictor, `(m,)` or `(m, n_classes)`, or the probabilities `(m, n_classes)`, in one pass."""
        self._check_fitted()
        X = rows_of(self, X)
        coef = self._dense_coef()
        coef = np.column_stack([np.broadcast_to(self.intercept_, len(coef)), coef]).astype(np.float64)
        source = source_of(X, threads=self._threads())
        centre = np.zeros(source.n_numeric)
        one_by_one = len(coef) > 1 and self.multi_class == "ovr"
        finite = []

        def of_block(block: Block) -> FloatArray:
            z = statistics.predictor(block, coef=coef, centre=centre)
            finite.append(bool(np.isfinite(np.sum(z))))
            if not probability:
                return z
            return statistics.probabilities(as_softmax(z) if one_by_one else z)

        lines = (len(self.classes_),) if probability or len(coef) > 1 else ()
        scored = source.concatenate(of_block, lines)
        if not all(finite):  # the predictor has read X already: no pass for this where all is well
            assert_finite(X)
        return np.ascontiguousarray(scored.T)

    def _threads(self) -> int:
        return threads_of(self.n_jobs, thread_count(None))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _from_penalty(penalty: str | None, C: float, l1_ratio: float | None) -> tuple[float, float | None]:
    """Return (C, l1_ratio) of scikit-learn's old `penalty`."""
    warnings.warn("penalty is deprecated; use l1_ratio, and C=np.inf for no penalty.", FutureWarning, stacklevel=6)
    if penalty is None:
        return np.inf, 0.0
    if penalty in ("l1", "l2"):
        return C, float(penalty == "l1")
    return C, l1_ratio


def _fitted(coef: FloatArray, classes: NDArray[Any]) -> dict[str, Any]:
    """Return the attributes of an estimator of coefficients `(n_outputs, n_coefs)`."""
    return {"classes_": classes, "coef_": coef[:, 1:].copy(), "intercept_": coef[:, 0].copy()}
