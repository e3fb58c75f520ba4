"""The estimator of networks that segment whole cores: a map of every core, and a threshold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import log
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from corespot.cohort.positions import SpotPositions, core_grids
from corespot.errors import ModelError
from corespot.models.committee import Committee
from corespot.models.fitted_arrays import require_shapes
from corespot.train.best_threshold import best_threshold
from corespot.train.fit_inputs import Rows, Told, Watched
from corespot.train.gradient import Output, class_output, frozen
from corespot.train.inner_networks import fit_inner_networks
from corespot.train.loop import Labelled, OnEpoch
from corespot.train.spatial_classifier import SpatialClassifier
from corespot.train.spot_images import SpotImages

Floats = npt.NDArray[np.float64]

#: Cores that are predicted at a time.
_PREDICT_BATCH = 16

_OTHER_CLASS = "name the other class as `positive`, or "
_NEITHER_CLASS = "no core is free of the other class either, so "


class SegmentationClassifier(SpatialClassifier):
    """Base of the estimators whose examples are whole cores, segmented by an activation map.

    Training knows one label a core: a core of which any training spot bears the positive class is
    positive, the others are free of it. Every spot gets the activation of the map at its place.
    Its probability is that of the logit minus the threshold's, so that it is a half where the
    activation is at the threshold.

    With ``threshold="inner"`` a network is trained on each of some inner folds of the training
    part. The threshold is the one that best tells the labels of the spots they did not see, by
    Youden's index, which is to say balanced accuracy. Which threshold is best by that measure does
    not change when a share of the spots labelled positive is not, as in cores that hold both. In
    prediction the logits of these networks and of the one trained on everything are averaged.

    Inner folds keep together what `groups` says, cores if it is left out or cannot be dealt. If
    cores cannot be dealt either the threshold is chosen on the training spots, which is told in
    ``facts_``.

    Attributes
    ----------
    threshold_ : float
        Activation from which a spot is positive.

    References
    ----------
    Menon et al., "Learning from corrupted binary labels via class-probability estimation",
    ICML 2015: balanced error and labels that are wrong at random within their class.

    Notes
    -----
    Deviations: Schuhmacher et al. train one network, and choose the threshold by eye on maps of
    cores kept apart.
    """

    predicts_patches: ClassVar[bool] = False

    threshold: float | str
    inner_folds: int
    positive: str | None

    def maps(self, X: npt.ArrayLike, *, positions: SpotPositions) -> dict[str, Floats]:
        """Activation of every core on its grid, (height, width), by core; NaN where no spot is.

        Parameters
        ----------
        X : array-like, shape (n, n_bins)
            Spectra.
        positions : SpotPositions
            Where the spots lie.
        """
        logits = self.spot_logits(X, positions=positions)
        activation = np.append(1.0 / (1.0 + np.exp(-logits)), np.nan)
        names = sorted(set(positions.core.tolist()))
        return {
            name: activation[grid] for name, grid in zip(names, core_grids(positions), strict=True)
        }

    def spot_logits(self, X: npt.ArrayLike, *, positions: SpotPositions) -> Floats:
        """Logit of the activation of every spot, before the threshold, shape (n,)."""
        return self._logits(self._images(self._checked(X, positions), positions))

    def embed(
        self, X: npt.ArrayLike, *, positions: SpotPositions | None = None
    ) -> npt.NDArray[np.float32]:
        """Features of each spot before the last convolution, shape (n, width)."""
        images = self._images(self._checked(X, positions), _given(positions))
        found = self._at_spots(images, self.network_.forward_features)  # type: ignore[arg-type]
        return found.astype(np.float32)

    def to_arrays(self) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
        """Everything fitted: named arrays, and what is no array, JSON-able."""
        arrays, fitted = super().to_arrays()
        return arrays, {**fitted, "threshold": self.threshold_, "n_networks": self._n_networks}

    def from_arrays(
        self, arrays: dict[str, npt.NDArray[Any]], fitted: Mapping[str, Any], where: str
    ) -> None:
        """Take over what `to_arrays` of a fitted estimator gave.

        Raises
        ------
        ModelError
            If an array is missing, unknown or of another shape.
        """
        self.threshold_ = float(fitted["threshold"])
        count = int(fitted["n_networks"])
        if count == 1:
            super().from_arrays(arrays, fitted, where)
            return
        rest = dict(arrays)
        scales = rest.pop("scales", np.empty(0))
        members = []
        for number in range(count):
            prefix = f"members.{number}."
            own = [name for name in rest if name.startswith(prefix)]
            super().from_arrays(
                {name.removeprefix(prefix): rest.pop(name) for name in own}, fitted, where
            )
            members.append(self.network_)
        require_shapes({**rest, "scales": scales}, {"scales": (count,)}, where)
        device = next(self.network_.parameters()).device
        self.network_ = Committee(members, scales.tolist()).to(device).eval()

    def _train(
        self,
        told: Told,
        watched: Watched | None,
        on_epoch: OnEpoch | None,
        checkpoint: Path | str | None,
    ) -> None:
        self.parsed_settings()
        positive = told.y == self._positive_index()
        self._refuse_if_all_positive(core_grids(_given(told.positions)), positive)
        inner = None
        self.threshold_ = 0.5 if self.threshold == "inner" else float(self.threshold)
        if self.threshold == "inner":
            inner = fit_inner_networks(self, told, self.classes_, positive)
            if inner.estimators:
                self.threshold_ = _activation(best_threshold(inner.logits, positive))
        super()._train(told, watched, on_epoch, checkpoint)
        about = {"threshold_from": "settings"}
        if inner is not None and inner.estimators:
            self.network_ = self._committee(inner.estimators)
            about = {"threshold_from": f"inner folds, {inner.kept_together} kept together"}
        elif inner is not None:
            seen = self._logits(self._images(told.x, _given(told.positions)))
            self.threshold_ = _activation(best_threshold(seen, positive))
            about = {"threshold_from": "training spots", "no_inner_folds": inner.reason}
        self.facts_ |= {"threshold": self.threshold_, "n_networks": self._n_networks, **about}

    def _committee(self, inner: list[SegmentationClassifier]) -> Committee:
        """The network together with those of the inner folds."""
        members = [self, *inner]
        scales = [each.input_scale_ / self.input_scale_ for each in members]
        device = torch.device(self.device_)
        return Committee([each.network_ for each in members], scales).to(device).eval()

    @property
    def _n_networks(self) -> int:
        return len(self.network_.members) if isinstance(self.network_, Committee) else 1

    def _labelled(self, told: Told, train: Rows, validation: Rows) -> Labelled:
        learnt, seen = (_part_grids(_given(told.positions), part) for part in (train, validation))
        holds = told.y == self._positive_index()
        y = np.array([holds[grid[grid >= 0]].any() for grid in learnt + seen], dtype=np.int64)
        n_positive = int(y[: len(learnt)].sum())
        self._refuse_if_all_positive(learnt, holds)
        self.facts_ = {"n_cores": len(learnt), "n_positive_cores": n_positive}
        channels = self._channels(told.x)
        images = SpotImages(channels, learnt + seen, multiple=self._multiple)
        rows = np.arange(len(y), dtype=np.int64)
        labels = torch.from_numpy(y).to(images.device)
        n_classes, n = len(self.classes_), len(learnt)
        return Labelled(images, labels, n_classes, rows[:n], rows[n:])

    def _refuse_if_all_positive(self, cores: list[Rows], holds: npt.NDArray[np.bool_]) -> None:
        members = [grid[grid >= 0] for grid in cores]
        if not all(holds[spots].any() for spots in members):
            return
        # A core of one class only is free of the other, which could be the positive one.
        helps = any(holds[spots].all() for spots in members)
        raise ModelError(
            f"all {len(cores)} training cores hold spots of class "
            f"{self.classes_[self._positive_index()]}: {self.model_name} learns by comparing "
            f"them with cores free of it; {_OTHER_CLASS if helps else _NEITHER_CLASS}leave "
            "this model out of `models`"
        )

    @property
    def _multiple(self) -> int:
        return int(self.network_.multiple)  # type: ignore[arg-type]

    def _grids(self, positions: SpotPositions) -> list[Rows]:
        """Spot indices of the images by which every spot is predicted: whole cores."""
        return core_grids(positions)

    def _score_images(self, images: SpotImages) -> Floats:
        """Log probability of every spot."""
        scores = self._class_scores(torch.from_numpy(self._logits(images)))
        found: Floats = scores.numpy()
        return found

    def _class_scores(self, logits: Tensor) -> Tensor:
        """Log probabilities in the order of the classes, shape (n, 2), from logits of spots."""
        shifted = logits - log(self.threshold_ / (1 - self.threshold_))
        both = [functional.logsigmoid(-shifted), functional.logsigmoid(shifted)]
        return torch.stack(both if self._positive_index() == 1 else both[::-1], 1)

    def _logits(self, images: SpotImages) -> Floats:
        """Logit of the activation of every spot, before the threshold, shape (n,)."""
        return self._at_spots(images, lambda batch: self.network_(batch)[:, :1])[:, 0]

    def _at_spots(self, images: SpotImages, of: Callable[[Tensor], Tensor]) -> Floats:
        """Values at every spot of the maps (B, d, height, width) that `of` makes, shape (n, d)."""
        self.network_.eval()
        found: Floats | None = None
        with torch.no_grad():
            for _, spots, batch in images.batches(_PREDICT_BATCH):
                image, row, column = np.nonzero(spots >= 0)
                values = of(batch).double().cpu().numpy()[image, :, row, column]
                if found is None:
                    found = np.empty((images.n_spots, values.shape[1]))
                found[spots[image, row, column]] = values
        assert found is not None
        return found

    def _channel_slopes(self, images: SpotImages, of: Output) -> Tensor:
        """Slope of the first class's mean output over spots by each channel of each spot."""
        self.network_.eval()
        shape = (1, images.n_spots, images.n_channels)
        slopes = torch.zeros(shape, dtype=torch.float64, device=images.device)
        with frozen(self.network_):
            for _, spots, batch in images.batches(_PREDICT_BATCH):
                batch.requires_grad_(True)
                index = torch.from_numpy(spots).to(images.device)
                image, row, column = (index >= 0).nonzero(as_tuple=True)
                logits = self.network_(batch)[image, 0, row, column].double()
                output = class_output(self._class_scores(logits), 0, of).sum()
                (slope,) = torch.autograd.grad(output, batch)
                values = slope[image, :-1, row, column].double() / images.n_spots
                slopes[0, index[image, row, column]] = values
        return slopes

    def _positive_index(self) -> int:
        """Index of the positive class among `classes_`."""
        if self.positive is None:
            return 0
        found = [str(name) for name in self.classes_]
        if self.positive not in found:
            raise ModelError(
                f"{self.model_name}: positive is {self.positive!r}, but the training spots are of "
                f"classes {', '.join(found)}; name one of them"
            )
        return found.index(self.positive)


def _activation(logit: float) -> float:
    """Activation of a logit, kept away from 0 and 1, where it has no logit."""
    return float(np.clip(1.0 / (1.0 + np.exp(-logit)), 1e-9, 1 - 1e-9))


def _part_grids(positions: SpotPositions, part: Rows) -> list[Rows]:
    """Grids of the cores that a part of the spots lies on; indices are those of all spots."""
    if not len(part):
        return []
    return [np.where(grid >= 0, part[grid], -1) for grid in core_grids(positions.take(part))]


def _given(positions: SpotPositions | None) -> SpotPositions:
    assert positions is not None, "checked at the door"
    return positions
