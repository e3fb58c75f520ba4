"""A network is penalised for reading along the artifact directions."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from corespot.audit.applicable import NotApplicable
from corespot.audit.shares.gap_parts import DEFAULT_RESOLUTION
from corespot.audit.shares.mass_rule import non_peptide_bins
from corespot.axis import MzAxis
from corespot.mitigate.artifact_directions import artifact_directions
from corespot.mitigate.training_mean import TrainingMean
from corespot.mitigate.way import FloatArray, Spectra, Way, register_way
from corespot.settings import Settings
from corespot.train.gradient import class_output
from corespot.train.objective import example_scores


class PenaltySettings(Settings):
    """Parameters of the penalty.

    Parameters
    ----------
    strength : float
        Weight of the penalty beside the cross entropy.
    gain, calibration_ppm, width : float
        Sizes of the changes that must not move the log-odds, as in the way `augmentation`.
    off_peak : float
        Size of a change of single bins outside peaks and of peaks where no peptide can lie, in
        standard deviations of each bin.
    resolution : float
        Resolving power m/Δm of the instrument.
    """

    strength: float = Field(0.3, gt=0, description="weight beside the cross entropy")
    gain: float = Field(0.15, ge=0, description="log intensity along m/z")
    calibration_ppm: float = Field(20.0, ge=0, description="shift in ppm along m/z")
    width: float = Field(0.08, ge=0, description="log width of peaks")
    off_peak: float = Field(3.0, ge=0, description="off-peak change, in bins' deviations")
    resolution: float = Field(DEFAULT_RESOLUTION, gt=0, description="resolving power m/Δm")


@dataclass(frozen=True, eq=False)
class DirectionPenalty:
    """strength · Σ_j (ḡ · d_j)², ḡ the mean slope of the log-odds over a batch.

    Parameters
    ----------
    directions : ndarray of float64, shape (n_directions, n_bins)
        Changes of a spectrum that should not matter.
    single : ndarray of float64, shape (n_bins,)
        Size of a change of each bin by itself that should not matter; zero where it may.
    strength : float
        Weight.
    """

    directions: FloatArray
    single: FloatArray
    strength: float

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all of it."""
        digest = hashlib.sha256(np.float64(self.strength).tobytes())
        digest.update(self.directions.tobytes() + self.single.tobytes())
        return digest.hexdigest()

    def __call__(self, network: nn.Module, x: Tensor, scale: float) -> Tensor:
        """Value for a batch of spectra that were multiplied by `scale`, mean over the classes."""
        with torch.enable_grad():
            at = x.detach().requires_grad_(True)
            scores = example_scores(network, network(at)).float()
            total = torch.zeros((), device=x.device)
            lines = torch.from_numpy(self.directions * scale).to(at)
            alone = torch.from_numpy(self.single * scale).to(at)
            n_classes = scores.shape[1]
            # Of two classes, the log-odds of one are those of the other with the sign changed.
            asked = range(1) if n_classes == 2 else range(n_classes)
            for index in asked:
                logit = class_output(scores, index, "logit")
                (slope,) = torch.autograd.grad(logit.sum(), at, create_graph=True)
                mean = slope.mean(dim=0)
                total = total + (lines @ mean).square().sum() + (alone * mean).square().sum()
        return self.strength * total / len(asked)


@register_way(
    "artifact_penalty",
    PenaltySettings,
    sentence="a network's loss grows with how steeply its log-odds change along the artifacts",
    models="network",
)
class ArtifactPenalty(Way):
    """The squared mean slope of the log-odds along gain, calibration, width and off-peak bins.

    Notes
    -----
    Directions and spreads are fitted on the training spectra, without labels. The slope is that
    of the network as it trains (dropout and batch statistics included), once more differentiated
    by its weights, so that an epoch takes about three times as long.

    References
    ----------
    Drucker & LeCun, "Improving generalization performance using double backpropagation", IEEE
    Trans. Neural Networks 3(6), 1992, doi:10.1109/72.165600; Ross et al., IJCAI 2017,
    arXiv:1703.03717 (penalties on the slopes by inputs that must not matter).
    """

    def penalty(
        self, x: Spectra, axis: MzAxis, push: Callable[[FloatArray], FloatArray]
    ) -> DirectionPenalty:
        """Fit the directions on the training spectra."""
        settings: PenaltySettings = self.settings
        known = TrainingMean.of(x, axis)
        shapes = artifact_directions(known.mean, axis, settings.resolution)
        size = {
            "gain": settings.gain,
            "calibration": settings.calibration_ppm,
            "resolution": settings.width,
        }
        directions = np.concatenate([size[part] * shapes[part] for part in shapes])
        apart = known.mask.off_peak
        forbidden = non_peptide_bins(known.peaks, axis)
        if not isinstance(forbidden, NotApplicable):
            apart = apart | forbidden
        single = np.where(apart, settings.off_peak * known.sd, 0.0)
        return DirectionPenalty(push(directions), single, settings.strength)
