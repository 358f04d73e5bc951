"""The scikit-learn front door with the penalty chosen by cross-validation."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zeroloop.algebra import powers_of_ten
from zeroloop.arrays import PreparedArrays, prepare
from zeroloop.blocks import Block, FloatArray
from zeroloop.callbacks import FitTask, with_callbacks
from zeroloop.errors import OptionError
from zeroloop.estimator import LogisticRegression
from zeroloop.grid import Grid, checked, choose, fit_grid, numbers_of
from zeroloop.inference.unpenalised import SEPARATED, check, fit_checked
from zeroloop.scorers import accuracies, of_classes, score_with
from zeroloop.sklearn_bases import importing
from zeroloop.sources.together import Together

with importing():
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.metrics import get_scorer, get_scorer_names
    from sklearn.model_selection import check_cv
    from sklearn.utils import _safe_indexing
    from sklearn.utils._param_validation import StrOptions
    from sklearn.utils.metadata_routing import UNUSED, MetadataRouter, MethodMapping, _routing_enabled, process_routing
    from sklearn.utils.validation import _check_method_params, check_is_fitted

    from zeroloop.constraints import OF_MANY


class LogisticRegressionCV(LogisticRegression):
    """Logistic regression whose C (and l1_ratio) is chosen by cross-validation, with scikit-learn's interface.

    Folds are weights, not copies of rows, and all folds' fits pass over the rows together; those of small data, which
    NumPy serves, are made one after the other.

    Parameters
    ----------
    Cs : int or array-like of shape (n_Cs,), default=10
        Values of C, or how many: evenly spread in their logarithm from 1e-4 to 1e4.
    l1_ratios : array-like of shape (n_l1_ratios,) or None, default=None
        Shares of the L1 penalty to try; None for L2 alone.
    fit_intercept : bool, default=True
        Whether to fit an intercept.
    cv : int, splitter, iterable or None, default=None
        Number of folds, at least 2, or anything scikit-learn's `check_cv` takes; None for 5 stratified folds.
    dual : bool, default=False
        Only False: all solvers are primal.
    penalty : str or None, default="deprecated"
        scikit-learn's old name: "l1", "l2", "elasticnet", None. Use `l1_ratio` and `C`.
    scoring : str, callable or None, default=None
        Name of a score or a scorer, higher is better; None for accuracy. A metric that asks for `labels` or `pos_label`
        gets the classes, and with two the second, unless the scorer brings its own. NaN at a fold leaves that fold out
        of the mean, with a warning.
    solver : str, default="auto"
        "auto", "newton", "sampled-newton", "newton-cg", "lbfgs", "gradient-descent", "proximal-newton" or
        "coordinate-descent"; see `zeroloop.auto.choose_solver`. Of scikit-learn's names "newton-cholesky" is newton,
        and "liblinear", "sag" and "saga" are "auto".
    tol : float, default=1e-6
        Stop at `max |gradient of the mean objective| <= tol`, for columns scaled to unit variance; the scaling is
        inside the solver and changes no result.
    max_iter : int, default=100
        Most iterations of the solver.
    class_weight : dict, "balanced" or None, default=None
        A weight for each class; "balanced" gives all classes the same weight.
    n_jobs : int or None, default=None
        Number of threads; None or -1 for every core, -2 for all but one. Any number gives the same bits.
    verbose : int, default=0
        1 prints a line a pass.
    refit : bool, default=True
        True fits all rows with the chosen C; False averages the folds' coefficients at each one's best C.
    rule : {"min", "1se"}, default="min"
        "min" chooses the best mean score, "1se" the strongest penalty within a standard error of it (glmnet's
        `lambda.1se`).
    intercept_scaling : float, default=1.0
        Not used; no solver here penalises the intercept, as liblinear does.
    random_state : int, RandomState or None, default=None
        Seed of the rows that are sampled; None for 0, so that a fit is the same again.
    multi_class : str, default="multinomial"
        With more than two classes, "multinomial" (softmax; "auto" is the same) or "ovr" (a model of each class against
        the rest).
    learning_rate : float, default=0.1
        Of gradient descent.
    penalty_factors : array-like of shape (n_features,) or None, default=None
        Multiplies each column's penalty; 0 leaves it unpenalised. None for ones.
    bounds : tuple of (lower, upper) or None, default=None
        Each a number or `(n_features,)`, within which coefficients stay; they include 0.
    use_legacy_attributes : bool
        True for scikit-learn's attributes as they are up to 1.9 (dictionaries by class, shaped as its documentation
        tells), False for those listed here.

    Attributes
    ----------
    C_ : float
        The chosen C.
    l1_ratio_ : float
        The chosen share of the L1 penalty.
    Cs_ : ndarray of shape (n_Cs,)
        The values of C that were tried.
    l1_ratios_ : ndarray of shape (n_l1_ratios,)
        The shares that were tried.
    scores_ : ndarray of shape (n_folds, n_l1_ratios, n_Cs)
        The score of each fold.
    coefs_paths_ : ndarray of shape (n_folds, n_l1_ratios, n_Cs, n_outputs, n_features + 1)
        The coefficients of each fold's fits, the intercept last.
    n_iter_ : ndarray of shape (n_folds, n_l1_ratios, n_Cs)
        The solver's steps, at least 1.
    n_passes_ : int
        Sweeps over all rows, a pass of each of several folds counted once.
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Of the final fit; with `refit=False` the mean of the folds' fits at each one's best C.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        Likewise.
    classes_ : ndarray of shape (n_classes,)
        The classes, sorted.
    converged_ : bool
        Whether the final fit's gradient met `tol`. With `refit=False` it, `loss_` and `gradient_norm_` are not set.
    separated_ : bool
        Whether the final fit, or with `refit=False` any of those averaged, has no optimum.
    loss_ : float
        Mean log loss of the training rows.
    gradient_norm_ : float
        `max |gradient of the mean objective|` where the solver stopped.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, if X had any.

    Examples
    --------
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]] * 5, [0, 0, 1, 1] * 5
    >>> LogisticRegressionCV(Cs=3, cv=2, use_legacy_attributes=False).fit(X, y).predict([[0.5], [2.5]])
    array([0, 1])

    """

    def __init__(
        self,
        *,
        Cs: int | Sequence[float] = 10,
        l1_ratios: Sequence[float] | None = None,
        fit_intercept: bool = True,
        cv: Any = None,
        dual: bool = False,
        penalty: str | None = "deprecated",
        scoring: Any = None,
        solver: str = "auto",
        tol: float = 1e-6,
        max_iter: int = 100,
        class_weight: dict[Any, float] | str | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        refit: bool = True,
        rule: str = "min",
        intercept_scaling: float = 1.0,
        random_state: int | np.random.RandomState | None = None,
        multi_class: str = "multinomial",
        learning_rate: float = 0.1,
        penalty_factors: ArrayLike | None = None,
        bounds: tuple[ArrayLike, ArrayLike] | None = None,
        use_legacy_attributes: bool = True,
    ) -> None:
        self.Cs = Cs
        self.l1_ratios = l1_ratios
        self.fit_intercept = fit_intercept
        self.cv = cv
        self.dual = dual
        self.penalty = penalty
        self.scoring = scoring
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.class_weight = class_weight
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.refit = refit
        self.rule = rule
        self.intercept_scaling = intercept_scaling
        self.random_state = random_state
        self.multi_class = multi_class
        self.learning_rate = learning_rate
        self.penalty_factors = penalty_factors
        self.bounds = bounds
        self.use_legacy_attributes = use_legacy_attributes

    C_: Any
    l1_ratio_: Any
    scores_: Any
    coefs_paths_: Any
    n_iter_: Any

    _parameter_constraints: ClassVar[dict[str, Any]] = OF_MANY | {
        "scoring": [StrOptions(set(get_scorer_names())), callable, None]
    }

    __metadata_request__score = {"sample_weight": UNUSED}  # noqa: RUF012  it goes to the scorer

    # What the parent's methods read; here they are chosen.
    C, l1_ratio, warm_start = 1.0, 0.0, False

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None, **params: Any) -> Self:
        """Choose C by cross-validation and fit to `X` `(m, n_features)` and labels `y` `(m,)`.

        Args:
            X: float32 and float64 arrays, CSR and CSC matrices are used where they lie.
            y: two or more distinct values of any type.
            sample_weight: `(m,)`, at least 0; used to fit, and to score where scikit-learn would.
            params: for the splitter and the scorer, with metadata routing.

        Raises:
            InvalidParameterError: scikit-learn's ValueError, for a parameter that is not what it may be.
            ValueError: for arrays that do not fit, NaN or infinity, one class, or a scorer that gives no number.

        Warns:
            ConvergenceWarning: when a fit stopped before its optimum.

        """
        options = self._options()
        ratios = self._ratios(options.l1_ratio)
        given = powers_of_ten(np.linspace(-4, 4, int(self.Cs))) if isinstance(self.Cs, Integral) else self.Cs
        increasing, Cs = checked(given), numbers_of("Cs", given)
        places = np.searchsorted(increasing, Cs)
        prepared = prepare(X, y, sample_weight, self.class_weight, self._threads(), self)
        split_params, score_params = self._routed(sample_weight, params)
        folds = list(check_cv(self.cv, prepared.y, classifier=True).split(X, prepared.y, **split_params))
        grids = [
            Grid(
                options=replace(options, l1_ratio=ratio),
                units=prepared.units,
                shape=self._shape(prepared.n_features),
                classes=prepared.classes.tolist(),
                fit_intercept=bool(self.fit_intercept),
                seed=self._seed(),
            )
            for ratio in ratios
        ]
        task = FitTask(self, X, y, sample_weight, in_passes=False)
        self.classes_ = prepared.classes
        of_folds = [prepared.source.viewed(_Mask(train, len(prepared.y))) for train, _ in folds]
        members = [of_fold for of_fold in of_folds for _ in grids]
        together = Together(members)
        found = together.run(lambda k, rows: fit_grid(rows, grids[k % len(grids)], increasing, in_fold=True))
        self.n_passes_ = together.passes
        by_fold = (len(folds), len(ratios))
        coefs = np.array([[one.coef for one in fits] for fits in found])[:, places]
        n_iter = np.array([[max(1, *one.n_iter) for one in fits] for fits in found])[:, places]
        coefs = np.roll(coefs, -1, axis=-1) if self.fit_intercept else coefs[..., 1:]
        self.coefs_paths_ = coefs.reshape(*by_fold, *coefs.shape[1:])
        self.n_iter_ = n_iter.reshape(*by_fold, -1)
        self.Cs_, self.l1_ratios_ = Cs, np.asarray(ratios)
        self.scores_ = self._scores(prepared, folds, score_params)
        unfinished = [one for fits in found for one in fits if not one.converged]

        def is_separated(fold: int, ratio: int, place: int) -> bool:
            at, grid = fold * len(grids) + ratio, grids[ratio]
            how = replace(grid.options, C=float(Cs[place]))
            return check(
                members[at],
                found[at][places[place]],
                how,
                units=grid.units,
                shape=grid.shape,
                fit_intercept=grid.fit_intercept,
            ).separated

        self._choose(prepared, grids, is_separated)
        task.end()
        if unfinished:
            message = f"{len(unfinished)} of {len(found) * Cs.size} fits to folds are not converged; the worst: "
            worst = max(unfinished, key=lambda one: one.worst.last.gradient_norm)
            warnings.warn(message + worst.not_converged(self.tol), ConvergenceWarning, stacklevel=4)
        if self.use_legacy_attributes:
            self._as_before()
        return self

    def _choose(
        self,
        prepared: PreparedArrays,
        grids: Sequence[Grid],
        is_separated: Callable[[int, int, int], bool],
    ) -> None:
        """Set C_, l1_ratio_ and the coefficients by the folds' scores; a fold without one has no say."""
        has_score = ~np.isnan(self.scores_)
        n_missing = int(np.sum(~has_score))
        if not np.any(has_score) and self.scores_[0].size > 1:
            raise ValueError(
                f"scoring={self.scoring!r} gave no number at any fold, only NaN: there is nothing to choose C by; use "
                "another scoring, or folds whose rows it is defined for."
            )
        if n_missing:
            warnings.warn(
                f"scoring={self.scoring!r} gave NaN at {n_missing} of {self.scores_.size} fits to folds; they are left "
                "out of the means that C is chosen by.",
                UserWarning,
                stacklevel=5,
            )
        if not self.refit:
            with_score = np.flatnonzero(np.any(has_score, axis=(1, 2)))
            folds = with_score if with_score.size else np.arange(len(self.scores_))
            flat = np.where(has_score, self.scores_, -np.inf)[folds].reshape(len(folds), -1)
            best = np.unravel_index(np.argmax(flat, axis=1), self.scores_.shape[1:])
            self.C_, self.l1_ratio_ = float(np.mean(self.Cs_[best[1]])), float(np.mean(self.l1_ratios_[best[0]]))
            coef = np.mean([path[i, j] for path, i, j in zip(self.coefs_paths_[folds], *best, strict=True)], axis=0)
            self._set(np.roll(coef, 1, axis=-1) if self.fit_intercept else np.insert(coef, 0, 0.0, axis=-1))
            self.separated_ = any(map(is_separated, folds.tolist(), best[0].tolist(), best[1].tolist()))
            if self.separated_:
                warnings.warn(SEPARATED, ConvergenceWarning, stacklevel=5)
            return
        mean, error = _over_folds(self.scores_)
        at, place = (int(i) for i in np.unravel_index(int(np.argmax(mean)), mean.shape))
        if self.rule == "1se":
            order = np.argsort(self.Cs_, kind="stable")
            place = int(order[choose(-mean[at, order], error[at, order], "1se")])
        self.C_, self.l1_ratio_ = float(self.Cs_[place]), float(self.l1_ratios_[at])
        start = np.mean(self.coefs_paths_[:, at, place], axis=0)
        grid = grids[at]
        checked = fit_checked(
            prepared.source,
            replace(grid.options, C=self.C_),
            units=grid.units,
            shape=grid.shape,
            classes=grid.classes,
            fit_intercept=bool(self.fit_intercept),
            seed=grid.seed,
            start=np.roll(start, 1, axis=-1) if self.fit_intercept else np.insert(start, 0, 0.0, axis=-1),
        )
        self._set(checked.fit.coef)
        self.n_passes_ += checked.fit.passes
        self._say_how_it_ended(checked, prepared.units, stacklevel=6)

    def _set(self, coef: FloatArray) -> None:
        self.coef_, self.intercept_ = coef[:, 1:].copy(), coef[:, 0].copy()

    def _ratios(self, from_penalty: float) -> list[float]:
        if self.penalty in ("l1", "l2"):
            return [from_penalty]
        if self.penalty == "elasticnet" and self.l1_ratios is None:
            raise OptionError("l1_ratios is None, and penalty is 'elasticnet'; name the shares of L1 to try.")
        ratios = np.zeros(1) if self.l1_ratios is None else numbers_of("l1_ratios", self.l1_ratios)
        if ratios.ndim != 1 or ratios.size == 0 or not np.all((ratios >= 0) & (ratios <= 1)):
            raise OptionError(f"l1_ratios is {self.l1_ratios!r}; it must hold numbers from 0 (L2) to 1 (L1).")
        return [float(ratio) for ratio in ratios]

    def _scores(
        self, prepared: PreparedArrays, folds: Sequence[tuple[Any, Any]], params: dict[str, Any]
    ) -> NDArray[np.float64]:
        """Return each fold's score on its own rows, `(n_folds, n_l1_ratios, n_Cs)`."""
        scores = np.empty(self.coefs_paths_.shape[:3])
        if self.scoring in (None, "accuracy"):
            for f, (_, test) in enumerate(folds):
                weight = _check_method_params(X=prepared.X, params=params, indices=test).get("sample_weight")
                coefs = self.coefs_paths_[f]
                intercepts = coefs[..., -1] if self.fit_intercept else np.zeros(coefs.shape[:-1])
                by_column = coefs[..., : self.n_features_in_]
                rows = _safe_indexing(prepared.X, test)
                scores[f] = accuracies(by_column, intercepts, rows, prepared.codes[test], weight)
            return scores
        scorer = of_classes(self._get_scorer(), self.classes_)
        model = LogisticRegression(multi_class=self.multi_class, n_jobs=self.n_jobs)
        model.classes_, model.n_features_in_ = self.classes_, self.n_features_in_
        for f, (_, test) in enumerate(folds):
            rows, labels = _safe_indexing(prepared.X, test), _safe_indexing(prepared.y, test)
            of_fold = _check_method_params(X=prepared.X, params=params, indices=test)
            for at in np.ndindex(scores.shape[1:]):
                coef = self.coefs_paths_[f][at]
                model.C, model.l1_ratio = float(self.Cs_[at[1]]), float(self.l1_ratios_[at[0]])
                model.coef_ = coef[:, :-1] if self.fit_intercept else coef
                model.intercept_ = coef[:, -1] if self.fit_intercept else np.zeros(len(coef))
                scores[f][at] = score_with(scorer, model, rows, labels, of_fold)
        return scores

    def _get_scorer(self) -> Any:
        return get_scorer("accuracy" if self.scoring is None else self.scoring)

    def _routed(self, sample_weight: ArrayLike | None, params: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the parameters of the splitter and of the scorer."""
        if _routing_enabled():
            routed = process_routing(self, "fit", sample_weight=sample_weight, **params)
            return dict(routed.splitter.split), dict(routed.scorer.score)
        _only_with_routing("fit", params)
        return {}, {} if sample_weight is None else {"sample_weight": sample_weight}

    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None, **params: Any) -> float:
        """Return the score by `scoring`, accuracy by default, on rows `X` and labels `y`, as the folds are scored."""
        check_is_fitted(self)
        if sample_weight is not None:
            params["sample_weight"] = sample_weight
        if _routing_enabled():
            params = dict(process_routing(self, "score", **params).scorer.score)
        else:
            _only_with_routing("score", set(params) - {"sample_weight"})
        return score_with(of_classes(self._get_scorer(), self.classes_), self, X, y, params)

    def get_metadata_routing(self) -> MetadataRouter:
        """Return who gets which metadata: the splitter and the scorer in `fit`, the scorer in `score`."""
        to_score = MethodMapping().add(caller="score", callee="score").add(caller="fit", callee="score")
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(splitter=self.cv, method_mapping=MethodMapping().add(caller="fit", callee="split"))
            .add(scorer=self._get_scorer(), method_mapping=to_score)
        )

    def _penalty(self) -> tuple[float, float]:
        return float(np.ravel(self.C_)[0]), float(np.ravel(self.l1_ratio_)[0])

    def _as_before(self) -> None:
        """Shape the attributes as scikit-learn did up to 1.9."""
        n_outputs = len(self.coef_)
        names = self.classes_ if n_outputs > 1 else self.classes_[1:]
        scores = np.swapaxes(self.scores_, 1, 2)  # fold, C, l1_ratio
        paths = np.moveaxis(self.coefs_paths_, 3, 0).swapaxes(2, 3)  # output, fold, C, l1_ratio, coefficient
        n_iter = np.swapaxes(self.n_iter_, 1, 2)
        if self.l1_ratios is None:
            scores, paths, n_iter = scores[..., 0], paths[..., 0, :], n_iter[..., 0]
        self.scores_ = dict.fromkeys(names, scores)
        self.coefs_paths_ = dict(zip(names, paths, strict=True))
        self.n_iter_ = n_iter[np.newaxis]
        self.C_, self.l1_ratio_ = np.full(n_outputs, self.C_), np.full(n_outputs, self.l1_ratio_)


def _only_with_routing(method: str, names: Iterable[str]) -> None:
    if names:
        raise ValueError(
            f"Passing {', '.join(names)} to {method} is only supported if enable_metadata_routing=True, which "
            "sklearn.set_config sets."
        )


def _over_folds(scores: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return (mean, its standard error) over the folds that have a score; a mean of -inf where none has."""
    has_score = ~np.isnan(scores)
    n = np.sum(has_score, axis=0)
    with np.errstate(invalid="ignore"):  # infinities of both signs
        mean = np.sum(scores, axis=0, where=has_score) / np.maximum(n, 1)
        spread = np.sum((scores - mean) ** 2, axis=0, where=has_score) / np.maximum(n, 1)
        error = np.sqrt(spread / np.maximum(n - 1, 1))
    return np.where((n > 0) & ~np.isnan(mean), mean, -np.inf), np.where(np.isfinite(error), error, 0.0)


class _Mask:
    """Leaves the weight of some rows, given by position, and takes that of the others."""

    def __init__(self, rows: NDArray[np.intp], m: int) -> None:
        self._used = np.bincount(np.arange(m)[rows], minlength=m).astype(np.float64)

    def __call__(self, block: Block) -> Block:
        used = self._used[block.first_row : block.first_row + block.n_rows]
        return replace(block, weight=used if block.weight is None else used * block.weight)
