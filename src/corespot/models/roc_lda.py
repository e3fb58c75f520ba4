"""ROC/LDA: the K bins that separate best by themselves, then linear discriminant analysis."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from scipy.special import softmax
from sklearn.metrics import balanced_accuracy_score

from corespot.errors import ModelError
from corespot.models.bin_auc import bin_auc, discrimination
from corespot.models.catalogue.roc_lda import DEFAULT_GRID, RocLdaConfig
from corespot.models.fitted_arrays import require_shapes
from corespot.models.inner_splits import inner_splits
from corespot.models.linear_classifier import LinearClassifier
from corespot.models.nested_lda import NestedLda
from corespot.models.spectra_input import check_groups, check_labels, check_spectra
from corespot.models.spectra_rows import SpectraRows, stored_rows

Floats = npt.NDArray[np.float64]

#: Spectra whose selected bins are taken at a time.
_BLOCK_SPOTS = 1024


class RocLdaClassifier(LinearClassifier):
    """Linear discriminant analysis with a uniform prior on the K most discriminating bins.

    Parameters
    ----------
    k : int or "inner"
        Number of bins kept; with "inner", `fit` needs `groups`.
    k_grid : sequence of int
        Numbers of bins that are fitted together; those beyond the axis are left out.
    inner_folds : int
        Inner grouped folds that choose K; the best mean balanced accuracy, the smaller K on ties.
    random_state : int
        Seed of the inner folds.

    Attributes
    ----------
    classes_ : ndarray, shape (n_classes,)
        Labels, in the order of the columns.
    bins_ : ndarray of int64
        Bins, best first.
    chosen_k_ : int
        K used by `predict`.
    k_grid_ : list of int
        Numbers of bins available from `predict_proba_by_k`.
    inner_scores_ : dict of int to float
        Mean inner balanced accuracy of each K; empty unless ``k="inner"``.
    n_parameters_, n_features_in_ : int
        Fitted parameters, and bins of the axis.

    References
    ----------
    Behrmann et al., Bioinformatics 34(7), 2018, doi:10.1093/bioinformatics/btx724.

    Notes
    -----
    Deviation: the paper reports the worst and the best K on the test data; this class also
    chooses one inside the training data.
    """

    _fitted: ClassVar[str] = "_lda"

    def __init__(
        self,
        *,
        k: int | str = "inner",
        k_grid: tuple[int, ...] = DEFAULT_GRID,
        inner_folds: int = 3,
        random_state: int = 0,
    ) -> None:
        self.k = k
        self.k_grid = k_grid
        self.inner_folds = inner_folds
        self.random_state = random_state

    def fit(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        groups: npt.ArrayLike | None = None,
        on_epoch: Callable[[Mapping[str, float]], None] | None = None,
        checkpoint: Path | str | None = None,
    ) -> Self:
        """Select the bins and fit the discriminant.

        Parameters
        ----------
        X : array-like, shape (n_spots, n_bins)
            Spectra; compared as float32.
        y : array-like, shape (n_spots,)
            Labels.
        groups : array-like, shape (n_spots,), optional
            What the inner folds must not split (TMA or patient); required by ``k="inner"``.
        on_epoch, checkpoint : optional
            Taken for the sake of a common signature; there are no epochs.

        Raises
        ------
        ModelError
            If the input is unusable, or ``k="inner"`` has no groups or cannot split them.
        ParamsError
            If a parameter is out of range.
        """
        config = self._config()
        x = check_spectra(X)
        self.classes_, index = check_labels(y, len(x))
        self.n_features_in_ = x.shape[1]
        self.k_grid_ = config.usable_grid(x.shape[1])
        self.inner_scores_: dict[int, float] = {}
        if isinstance(config.k, int):
            self.chosen_k_ = config.k
        elif len(self.k_grid_) == 1:
            self.chosen_k_ = self.k_grid_[0]
        else:
            self.inner_scores_ = self._score_grid(x, index, groups, config)
            self.chosen_k_ = max(self.k_grid_, key=lambda k: (self.inner_scores_[k], -k))
        self.bins_, self._lda = _fit_best(x, index, len(self.classes_), self.k_grid_[-1])
        self.ridge_ = self._lda.ridge
        self.history_: list[dict[str, float]] = []
        return self

    def decision_scores(self, X: npt.ArrayLike) -> Floats:
        """Discriminant scores with the chosen K, shape (n, n_classes)."""
        x = check_spectra(X, self._fitted_width())
        scores: Floats = self._lda.scores(_take(x, self.bins_), [self.chosen_k_])[0]
        return scores

    def predict_proba_by_k(self, X: npt.ArrayLike) -> dict[int, Floats]:
        """Class probabilities for every K of `k_grid_`, each of shape (n, n_classes)."""
        x = check_spectra(X, self._fitted_width())
        scores = self._lda.scores(_take(x, self.bins_), self.k_grid_)
        return {k: softmax(each, axis=1) for k, each in zip(self.k_grid_, scores, strict=True)}

    def embed(self, X: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """The selected bins, standardised: what enters the discriminant, shape (n, chosen_k_)."""
        x = check_spectra(X, self._fitted_width())
        bins = self.bins_[: self.chosen_k_]
        centred = _take(x, bins) - self._lda.centre[: self.chosen_k_]
        embedded: npt.NDArray[np.float32] = (centred / self._lda.scale[: self.chosen_k_]).astype(
            np.float32
        )
        return embedded

    @property
    def facts_(self) -> dict[str, Any]:
        """What the fit found worth telling beside its parameters."""
        return {"chosen_k": self.chosen_k_}

    def to_arrays(self) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
        """Everything fitted: named arrays, and what is no array, JSON-able."""
        lda = self._lda
        fitted = {
            "chosen_k": self.chosen_k_,
            "k_grid": self.k_grid_,
            "inner_scores": [self.inner_scores_.get(k) for k in self.k_grid_],
            "ridge": lda.ridge,
        }
        arrays: dict[str, npt.NDArray[Any]] = {
            "bins": self.bins_,
            "centre": lda.centre,
            "scale": lda.scale,
            "factor": lda.factor,
            "whitened": lda.whitened,
        }
        return arrays, fitted

    def from_arrays(
        self, arrays: dict[str, npt.NDArray[Any]], fitted: Mapping[str, Any], where: str
    ) -> None:
        """Take over what `to_arrays` of a fitted classifier gave.

        Raises
        ------
        ModelError
            If an array is missing, unknown, of another shape, or off the axis.
        """
        grid = [int(k) for k in fitted["k_grid"]]
        most, n_classes = grid[-1], len(self.classes_)
        expected = {"bins": (most,), "centre": (most,), "scale": (most,)}
        require_shapes(
            arrays, {**expected, "factor": (most, most), "whitened": (n_classes, most)}, where
        )
        bins, n_bins = arrays["bins"], self.n_features_in_
        if bins.min() < 0 or bins.max() >= n_bins or fitted["chosen_k"] not in grid:
            raise ModelError(f"{where}: bins or K lie outside the axis of {n_bins} bins")
        self.bins_, self.k_grid_ = bins, grid
        self.chosen_k_ = int(fitted["chosen_k"])
        scores = zip(grid, fitted["inner_scores"], strict=True)
        self.inner_scores_ = {k: float(score) for k, score in scores if score is not None}
        self.ridge_ = float(fitted["ridge"])
        self._lda = NestedLda(
            centre=arrays["centre"],
            scale=arrays["scale"],
            factor=arrays["factor"],
            whitened=arrays["whitened"],
            ridge=self.ridge_,
        )

    @property
    def n_parameters_(self) -> int:
        """Parameters of the discriminant: one weight a bin and an offset, a free class."""
        return (len(self.classes_) - 1) * (self.chosen_k_ + 1)

    def _config(self) -> RocLdaConfig:
        values = {"k": self.k, "k_grid": tuple(self.k_grid), "inner_folds": self.inner_folds}
        return RocLdaConfig.parse(values, "roc_lda")

    def _coefficients(self) -> Floats:
        coefficients = np.zeros((len(self.classes_), self.n_features_in_))
        bins = self.bins_[: self.chosen_k_]
        coefficients[:, bins] = self._lda.coefficients(self.chosen_k_)
        return coefficients

    def _score_grid(
        self,
        x: npt.NDArray[np.floating],
        y: npt.NDArray[np.int64],
        groups: npt.ArrayLike | None,
        config: RocLdaConfig,
    ) -> dict[int, float]:
        if groups is None:
            raise ModelError(
                'k="inner" chooses K by grouped folds inside the training spectra: pass '
                "fit(X, y, groups=tma), or give K as a number"
            )
        splits = inner_splits(
            check_groups(groups, len(x)), y, config.inner_folds, int(self.random_state)
        )
        scores = np.zeros((len(splits), len(self.k_grid_)))
        for number, (train, test) in enumerate(splits):
            bins, lda = _fit_best(x, y[train], len(self.classes_), self.k_grid_[-1], rows=train)
            predicted = lda.scores(_take(x, bins, test), self.k_grid_).argmax(axis=2)
            scores[number] = [balanced_accuracy_score(y[test], each) for each in predicted]
        return {k: float(m) for k, m in zip(self.k_grid_, scores.mean(axis=0), strict=True)}


def _fit_best(
    x: npt.NDArray[np.floating],
    y: npt.NDArray[np.int64],
    n_classes: int,
    most: int,
    *,
    rows: npt.NDArray[np.int64] | None = None,
) -> tuple[npt.NDArray[np.int64], NestedLda]:
    """The `most` best bins, best first, and the discriminant on them, of all spots or some."""
    stored, chosen = stored_rows(x, rows)
    strength = discrimination(bin_auc(stored, y, n_classes, rows=chosen))
    bins = np.argsort(-strength, kind="stable")[:most].astype(np.int64)
    return bins, NestedLda.fit(_take(x, bins, rows), y, n_classes)


def _take(
    x: npt.NDArray[np.floating] | SpectraRows,
    bins: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64] | None = None,
) -> Floats:
    """Some bins of all spectra or some, read in the order of the file."""
    x, rows = stored_rows(x, rows)
    n = len(x) if rows is None else len(rows)
    taken = np.empty((n, len(bins)))
    for start in range(0, n, _BLOCK_SPOTS):
        part = slice(start, min(start + _BLOCK_SPOTS, n))
        if rows is not None and isinstance(x, np.ndarray):
            taken[part] = x[rows[part, None], bins]
        else:
            taken[part] = x[part if rows is None else rows[part]][:, bins]
    return taken
