"""What the estimators of patches share: images of spots in, a probability for every spot out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from corespot.cohort.patches import Patches, cut_patches
from corespot.cohort.positions import SpotPositions, core_grids
from corespot.errors import ModelError
from corespot.models.spectra_input import check_spectra
from corespot.seeding import generator
from corespot.train.data import Held, Spectra
from corespot.train.fit_inputs import Rows, Told
from corespot.train.gradient import Output
from corespot.train.image_outputs import channel_slopes, image_probabilities, spot_means
from corespot.train.loop import Labelled
from corespot.train.network_classifier import NetworkClassifier
from corespot.train.spot_images import SpotImages, carry_back, spot_channels

Ablation = Literal["spatial", "spectral"]
Floats = npt.NDArray[np.float64]

_TINY = 1e-12


class SpatialClassifier(NetworkClassifier):
    """Base of the estimators whose examples are patches of spots.

    The network sees what its front, fitted on the training spots, makes of each spot. Patches are
    cut from the spots that are passed, so that a patch never holds a spot of another core or of
    another part of a fold. A patch bears the class of most of its spots; a spot gets the mean
    probability of the patches it lies in.

    Its ``facts_`` count the training patches, and those left out because they hold too few spots.
    """

    #: Whether a single image has a class of its own to be judged by.
    predicts_patches: ClassVar[bool] = True

    patch: int
    stride: int
    min_coverage: float

    def decision_scores(
        self,
        X: npt.ArrayLike,
        *,
        positions: SpotPositions | None = None,
        held: Held | None = None,
    ) -> Floats:
        """Log probabilities of every spot, shape (n, n_classes); `held` is not made use of."""
        return self._score_images(self._images(self._checked(X, positions), _known(positions)))

    def predict_proba(
        self,
        X: npt.ArrayLike,
        *,
        positions: SpotPositions | None = None,
        held: Held | None = None,
        ablate: Ablation | None = None,
        seed: int = 0,
    ) -> Floats:
        """Class probabilities of every spot, shape (n, n_classes).

        Parameters
        ----------
        X : array-like, shape (n, n_bins)
            Spectra.
        positions : SpotPositions
            Where the spots lie.
        held : Held, optional
            Not made use of: images are made of what the front computes anew.
        ablate : {"spatial", "spectral"}, optional
            Destroy one kind of structure and keep the other: deal the spots of every core anew
            among its places, or mix up the channels of every core, alike in all its spots.
        seed : int
            Seed of the shuffling.
        """
        x = self._checked(X, positions)
        images = self._images(x, _known(positions), ablate=ablate, seed=seed)
        grown = np.exp(self._score_images(images))
        probability: Floats = grown / grown.sum(axis=1, keepdims=True)
        return probability

    def predict(
        self, X: npt.ArrayLike, *, positions: SpotPositions | None = None
    ) -> npt.NDArray[Any]:
        """Most probable class of each spot, shape (n,)."""
        best = self.decision_scores(X, positions=positions).argmax(axis=1)
        predicted: npt.NDArray[Any] = self.classes_[best]
        return predicted

    def predict_patches(
        self, X: npt.ArrayLike, *, positions: SpotPositions
    ) -> tuple[list[Rows], Floats]:
        """Spot indices and class probabilities of every patch of enough spots, not averaged."""
        x = self._checked(X, positions)
        patches = self._cut(positions, cover_all=False)
        images = SpotImages(self._channels(x), list(patches.spots))
        members = [grid[grid >= 0] for grid in images.grids]
        return members, image_probabilities(self.network_, images)

    def mean_gradient(
        self,
        X: npt.ArrayLike,
        *,
        of: Output = "probability",
        positions: SpotPositions | None = None,
    ) -> Floats:
        """Derivative of each class's mean output when a bin rises in all spots of an image.

        Parameters
        ----------
        X : array-like, shape (n, n_bins)
            Spectra, unscaled; the derivative is by these.
        of : {"probability", "logit"}
            Probability p of the class, or log(p / (1 - p)).
        positions : SpotPositions
            Where the spots lie.

        Returns
        -------
        ndarray of float64, shape (n_classes, n_bins)
            The mean over patches, summed over the positions in a patch.
        """
        x = self._checked(X, positions)
        total = np.zeros((len(self.classes_), x.shape[1]))
        for index, _, slope in self._bin_slopes(x, _known(positions), of):
            total[index] += slope.sum(0).cpu().numpy()
        return _mirrored(total)

    def mean_gradients(
        self, X: npt.ArrayLike, *, positions: SpotPositions | None = None
    ) -> dict[Output, Floats]:
        """`mean_gradient` of both outputs."""
        kinds: tuple[Output, ...] = ("probability", "logit")
        return {of: self.mean_gradient(X, of=of, positions=positions) for of in kinds}

    def spot_sensitivity(
        self, X: npt.ArrayLike, sigma: Floats, *, of: Output, positions: SpotPositions
    ) -> Floats:
        """How much each class's mean output hangs on each spot, shape (n_classes, n).

        The sum over bins of |σ · slope|, times the number of spots.

        Parameters
        ----------
        X : array-like, shape (n, n_bins)
            Spectra.
        sigma : ndarray, shape (n_bins,)
            Standard deviation of each bin.
        of : {"probability", "logit"}
            Output that is differentiated.
        positions : SpotPositions
            Where the spots lie.
        """
        x = self._checked(X, positions)
        found = np.zeros((len(self.classes_), len(x)))
        # Where the network is by now, which may not be where it was trained.
        device = next(self.network_.parameters()).device
        spread = torch.tensor(np.asarray(sigma), dtype=torch.float64, device=device)
        if spread.shape != (x.shape[1],):
            raise ModelError(f"sigma: expected shape ({x.shape[1]},), got {tuple(spread.shape)}")
        for index, rows, slope in self._bin_slopes(x, positions, of):
            found[index, rows] = (slope * spread).abs().sum(1).cpu().numpy()
        if len(found) == 2:
            found[1] = found[0]
        return found * len(x)

    def embed(
        self, X: npt.ArrayLike, *, positions: SpotPositions | None = None
    ) -> npt.NDArray[np.float32]:
        """Mean activation of the penultimate layer over the patches of each spot."""
        images = self._images(self._checked(X, positions), _known(positions))
        features: Any = self.network_.forward_features
        embedded = spot_means(self.network_, images, features)
        return embedded.astype(np.float32)

    def _labelled(self, told: Told, train: Rows, validation: Rows) -> Labelled:
        positions = _known(told.positions)
        learnt = self._cut(positions.take(train), cover_all=False)
        self.facts_ = {"n_patches": len(learnt), "n_skipped_patches": learnt.n_skipped}
        grids = [np.where(grid >= 0, train[grid], -1) for grid in learnt.spots]
        if len(validation):
            seen = self._cut(positions.take(validation), cover_all=False)
            grids += [np.where(grid >= 0, validation[grid], -1) for grid in seen.spots]
        images = SpotImages(self._channels(told.x), grids)
        y = np.array([_class_of(grid, told.y) for grid in grids])
        rows = np.arange(len(grids), dtype=np.int64)
        return Labelled(
            images,
            torch.from_numpy(y).to(images.device),
            len(self.classes_),
            rows[: len(learnt)],
            rows[len(learnt) :],
        )

    def _cut(self, positions: SpotPositions, *, cover_all: bool) -> Patches:
        return cut_patches(
            core_grids(positions),
            size=int(self.patch),
            stride=int(self.stride),
            min_coverage=float(self.min_coverage),
            cover_all=cover_all,
        )

    def _grids(self, positions: SpotPositions) -> list[Rows]:
        """Spot indices of the images by which every spot is predicted."""
        return list(self._cut(positions, cover_all=True).spots)

    def _images(
        self,
        x: Spectra,
        positions: SpotPositions,
        *,
        ablate: Ablation | None = None,
        seed: int = 0,
    ) -> SpotImages:
        if ablate not in (None, "spatial", "spectral"):
            raise ModelError(f"expected ablate='spatial' or 'spectral', got {ablate!r}")
        dice = generator(seed, "ablation", str(ablate))
        channels = self._channels(x)
        if ablate == "spatial":
            positions = positions.shuffled(dice)
        elif ablate == "spectral":
            for spots in positions.by_core():
                order = torch.from_numpy(none_in_place(channels.shape[1], dice))
                channels[spots] = channels[spots][:, order.to(channels.device)]
        multiple = int(getattr(self.network_, "multiple", 1))
        return SpotImages(channels, self._grids(positions), multiple=multiple)

    def _channels(self, x: Spectra) -> Tensor:
        self.network_.eval()
        found = spot_channels(_front(self.network_), self._on_device(x))
        return found.to(next(self.network_.parameters()).dtype)

    def _scorer(
        self, x: Spectra, positions: SpotPositions | None, held: Held | None = None
    ) -> Callable[[], Floats]:
        images = self._images(x, _known(positions))
        return lambda: self._score_images(images)

    def _score_images(self, images: SpotImages) -> Floats:
        """Log probability of every spot: the mean over its patches."""
        mean = spot_means(self.network_, images, lambda x: torch.softmax(self.network_(x), 1))
        return np.log(np.maximum(mean, _TINY))

    def _bin_slopes(
        self, x: Spectra, positions: SpotPositions, of: Output
    ) -> Iterator[tuple[int, slice, Tensor]]:
        """Slope of each class's mean output by the bins of spots: (class, spots, slopes)."""
        if of not in ("probability", "logit"):
            raise ModelError(f"expected of='probability' or of='logit', got {of!r}")
        slopes = self._channel_slopes(self._images(x, positions), of)
        spectra = self._on_device(x)
        for index in range(len(slopes)):
            for rows, slope in carry_back(_front(self.network_), spectra, slopes[index]):
                yield index, rows, slope

    def _channel_slopes(self, images: SpotImages, of: Output) -> Tensor:
        """Slope of the mean output over images by each channel of each spot."""
        return channel_slopes(self.network_, images, len(self.classes_), of)

    def _checked(self, X: npt.ArrayLike, positions: SpotPositions | None) -> Spectra:
        if not hasattr(self, "network_"):
            raise ModelError(f"this {type(self).__name__} is not fitted yet; call fit first")
        x = check_spectra(X, self.n_features_in_)
        self._check_positions(positions, len(x))
        return x

    def _check_positions(self, positions: SpotPositions | None, n_spots: int) -> None:
        if positions is None:
            raise ModelError(
                f"{self.model_name} looks at neighbouring spots: pass "
                "positions=SpotPositions(core, x, y), as SpotPositions.of(spot_table) makes them"
            )
        if len(positions) != n_spots:
            raise ModelError(f"got {n_spots} spectra, but positions of {len(positions)} spots")


def _known(positions: SpotPositions | None) -> SpotPositions:
    assert positions is not None, "checked at the door"
    return positions


def none_in_place(n: int, generator: np.random.Generator) -> Rows:
    """A random order of n ≥ 2 things that leaves none where it is; a plain permutation of one.

    Of three channels a plain permutation would leave all in place one time in six.
    """
    order = generator.permutation(n)
    while n > 1 and np.any(order == np.arange(n)):
        order = generator.permutation(n)
    return order


def _front(network: nn.Module) -> nn.Module:
    front = network.front
    assert isinstance(front, nn.Module)
    return front


def _class_of(grid: Rows, y: Rows) -> int:
    """Class of most spots of a patch, the first one of a tie."""
    return int(np.bincount(y[grid[grid >= 0]]).argmax())


def _mirrored(total: Floats) -> Floats:
    """Two classes' outputs mirror each other: only the first one's slope was taken."""
    if len(total) == 2:
        total[1] = -total[0]
    return total
