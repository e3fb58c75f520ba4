"""A classifier of spectra with ways out of confounding built in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin

from corespot.axis import MzAxis
from corespot.errors import ModelError
from corespot.mitigate.computed_rows import changed_by
from corespot.mitigate.way import Change, FloatArray, Spectra, Way
from corespot.models.spectra_input import check_spectra
from corespot.seeding import derive_seed
from corespot.train.fit_inputs import Watched
from corespot.train.gradient import Output


class MitigatedClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Changes spectra, joins copies to them and penalises as its ways say, then fits a model.

    It takes raw spectra and answers for raw spectra: whoever predicts, explains or audits need not
    know of the ways. Corrections of whole TMAs are none of its business; see `prepare_fold`.

    Parameters
    ----------
    estimator : estimator
        The model, of single spectra; fitted in place.
    ways : sequence of Way
        Changes of spectra follow each other in this order. Copies are made of the spectra as they
        were, then changed like these.
    axis : MzAxis
        m/z axis of the spectra.
    random_state : int
        Seed of the copies.

    Attributes
    ----------
    classes_ : ndarray, shape (n_classes,)
        Labels, in the order of the columns.
    changes_ : list of Change
        Fitted changes.
    n_features_in_ : int
        Bins of the axis.
    """

    def __init__(
        self, estimator: Any, ways: Sequence[Way], axis: MzAxis, *, random_state: int = 0
    ) -> None:
        self.estimator = estimator
        self.ways = ways
        self.axis = axis
        self.random_state = random_state

    def fit(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        groups: npt.ArrayLike | None = None,
        on_epoch: Callable[[Mapping[str, float]], None] | None = None,
        checkpoint: Path | str | None = None,
        *,
        watched: Watched | None = None,
    ) -> Self:
        """Fit the changes on the spectra alone, then the model on what comes out.

        Parameters
        ----------
        X : array-like or SpectraRows, shape (n_spots, n_bins)
            Training spectra.
        y : array-like, shape (n_spots,)
            Their labels, seen by the model alone.
        groups : array-like, shape (n_spots,), optional
            What an inner split must not split; a copy is of its spectrum's group.
        on_epoch, checkpoint : optional
            Passed on to the model.
        watched : Watched, optional
            Held-out spots that a network is looked at with; changed as all others are.

        Raises
        ------
        ModelError
            If the spectra do not lie on the axis, or do not support a way.
        """
        x = check_spectra(X)
        if x.shape[1] != self.axis.n_bins:
            raise ModelError(
                f"spectra of {x.shape[1]} bins do not lie on an axis of {self.axis.n_bins} bins"
            )
        self.n_features_in_ = x.shape[1]
        self.changes_: list[Change] = []
        changed = x
        for way in self.ways:
            change = way.change(changed, self.axis)
            if change is not None:
                self.changes_.append(change)
                changed = changed_by(change, changed)
        more: dict[str, Any] = {}
        penalties = [way.penalty(x, self.axis, self._push) for way in self.ways]
        found = [penalty for penalty in penalties if penalty is not None]
        if len(found) > 1:
            raise ModelError("two ways add to the loss of a network; ask for one of them")
        if found:
            more["penalty"] = found[0]
        if watched is not None:
            more["watched"] = Watched(self.changed(watched.X), watched.y)
        copies = self._copies(x)
        times = 1 + sum(len(made) for made in copies) // len(x)
        joined = np.concatenate([changed, *copies]) if copies else changed
        self.estimator.fit(
            joined,
            np.tile(np.asarray(y), times),
            groups=None if groups is None else np.tile(np.asarray(groups), times),
            on_epoch=on_epoch,
            checkpoint=checkpoint,
            **more,
        )
        self.classes_ = self.estimator.classes_
        return self

    def _copies(self, x: Spectra) -> list[Spectra]:
        made = [
            way.copies(x, self.axis, derive_seed(self.random_state, "copies", way.name))
            for way in self.ways
        ]
        return [self.changed(some) for some in made if some is not None]

    def changed(self, X: npt.ArrayLike) -> Spectra:
        """The spectra as the model sees them, shape (n, n_bins); see `changed_by`."""
        if not hasattr(self, "changes_"):
            raise ModelError("this MitigatedClassifier is not fitted yet; call fit first")
        x = check_spectra(X, self.n_features_in_)
        for change in self.changes_:
            x = changed_by(change, x)
        return x

    def _push(self, directions: FloatArray) -> FloatArray:
        """Differences of spectra as the model sees them."""
        at = np.concatenate([np.zeros((1, directions.shape[1])), directions])
        for change in self.changes_:
            at = np.asarray(change.transform(at), dtype=np.float64)
        pushed: FloatArray = at[1:] - at[0]
        return pushed

    def decision_scores(self, X: npt.ArrayLike) -> FloatArray:
        """Scores before the softmax, shape (n, n_classes)."""
        scores: FloatArray = self.estimator.decision_scores(self.changed(X))
        return scores

    def predict_proba(self, X: npt.ArrayLike) -> FloatArray:
        """Class probabilities, shape (n, n_classes)."""
        probability: FloatArray = self.estimator.predict_proba(self.changed(X))
        return probability

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[Any]:
        """Most probable class of each spectrum, shape (n,)."""
        predicted: npt.NDArray[Any] = self.estimator.predict(self.changed(X))
        return predicted

    def mean_gradient(self, X: npt.ArrayLike, *, of: Output = "probability") -> FloatArray:
        """Mean over `X` of the derivative of each class's output by each raw bin.

        Shape (n_classes, n_bins). The changes are affine, so the chain rule is exact: the model's
        slopes times their matrices.
        """
        return self._pull_back(self.estimator.mean_gradient(self.changed(X), of=of))

    def mean_gradients(self, X: npt.ArrayLike) -> dict[Output, FloatArray]:
        """`mean_gradient` of both outputs."""
        changed = self.changed(X)
        both = getattr(self.estimator, "mean_gradients", None)
        kinds: tuple[Output, ...] = ("probability", "logit")
        slopes = (
            {of: self.estimator.mean_gradient(changed, of=of) for of in kinds}
            if both is None
            else both(changed)
        )
        return {of: self._pull_back(slope) for of, slope in slopes.items()}

    def _pull_back(self, slopes: FloatArray) -> FloatArray:
        for change in reversed(self.changes_):
            slopes = change.pull_back(slopes)
        return slopes

    def embed(self, X: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """The model's embedding of the changed spectra, (n, n_features of it)."""
        embedded: npt.NDArray[np.float32] = self.estimator.embed(self.changed(X))
        return embedded

    @property
    def history_(self) -> list[dict[str, float]]:
        """One entry an epoch; empty for models without epochs."""
        return list(getattr(self.estimator, "history_", None) or [])

    @property
    def facts_(self) -> dict[str, Any]:
        """What the model's fit found worth telling, and the ways with their settings."""
        ways = {way.name: way.settings.model_dump(mode="json") for way in self.ways}
        return {**getattr(self.estimator, "facts_", {}), "ways": ways}

    @property
    def n_parameters_(self) -> int:
        """Trainable parameters of the model."""
        return int(self.estimator.n_parameters_)
