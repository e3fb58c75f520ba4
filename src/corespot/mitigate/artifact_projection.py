"""Each spectrum is relieved of what gain, calibration and resolution explain of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import Field

from corespot.audit.shares.gap_parts import DEFAULT_RESOLUTION
from corespot.axis import MzAxis
from corespot.mitigate.artifact_directions import artifact_directions
from corespot.mitigate.mask_off_peak import Mask
from corespot.mitigate.training_mean import BLOCK_VALUES, TrainingMean
from corespot.mitigate.way import FloatArray, Spectra, Way, register_way
from corespot.settings import Settings

#: A bin whose spread is below this fraction of the median one is weighted as if it had that.
_LEAST_SPREAD = 1e-2


class ProjectionSettings(Settings):
    """Parameters of the projection.

    Parameters
    ----------
    ridge : float
        Penalty on the coefficients, relative to the weighted sum of squares of each direction.
    mask : bool
        Whether bins outside peaks are set to the training mean.
    non_peptide : bool
        Whether peaks that lie where no peptide can are set to it, too.
    resolution : float
        Resolving power m/Δm of the instrument.
    """

    ridge: float = Field(
        1e-3, ge=0, description="penalty on coefficients, relative to each direction's own size"
    )
    mask: bool = Field(True, description="set bins outside peaks to the training mean, too")
    non_peptide: bool = Field(
        True, description="with mask, also peaks more than .3 off the peptide mass rule"
    )
    resolution: float = Field(DEFAULT_RESOLUTION, gt=0, description="resolving power m/Δm")


@dataclass(frozen=True, eq=False)
class Projection:
    """x -> x − D (P (x − mean)), then masked.

    Parameters
    ----------
    directions : ndarray of float64, shape (n_directions, n_bins)
        D, zero outside peaks.
    pulls : ndarray of float64, shape (n_directions, n_bins)
        P: how each bin pulls at the coefficient of each direction.
    mean : ndarray of float64, shape (n_bins,)
        Mean training spectrum.
    mask : Mask or None
        What is set to the mean afterwards.
    """

    directions: FloatArray
    pulls: FloatArray
    mean: FloatArray
    mask: Mask | None

    def transform(self, x: Spectra) -> Spectra:
        """Relieved copies, (n, n_bins); in float64 inside, block by block."""
        changed = np.empty_like(x)
        step = max(1, BLOCK_VALUES // max(x.shape[1], 1))
        for start in range(0, len(x), step):
            block = np.asarray(x[start : start + step], dtype=np.float64)
            explained = ((block - self.mean) @ self.pulls.T) @ self.directions
            changed[start : start + step] = block - explained
        return changed if self.mask is None else self.mask.transform(changed)

    def pull_back(self, slopes: FloatArray) -> FloatArray:
        """Slopes by the bins of the spectrum as it was."""
        inner = slopes if self.mask is None else self.mask.pull_back(slopes)
        outer: FloatArray = inner - (inner @ self.directions.T) @ self.pulls
        return outer


@register_way(
    "artifact_projection",
    ProjectionSettings,
    sentence="of each spectrum is taken away what gain, calibration and resolution explain of it",
)
class ArtifactProjection(Way):
    """Weighted ridge regression of x − x̄ on the artifact directions, and what it explains removed.

    Notes
    -----
    On peak bins, with weights 1/σ² (σ the spread over the training spectra, whatever their
    class), c minimises Σ w (x − x̄ − c·D)² + λ Σ_j (Σ w D_j²) c_j², and c·D is taken away. It is
    linear in the spectrum, so that slopes go through it exactly, and it needs no label. What
    tissue does along the directions is lost with the artifact: eight numbers a spectrum.
    """

    def change(self, x: Spectra, axis: MzAxis) -> Projection:
        """Fit mean, spread and directions on the training spectra."""
        settings: ProjectionSettings = self.settings
        known = TrainingMean.of(x, axis)
        on_peak = known.mask.is_peak
        mask = None
        if settings.mask:
            masked = known.masked_bins(non_peptide=settings.non_peptide)
            mask = Mask(masked, known.mean)
            on_peak = on_peak & ~masked
        shapes = artifact_directions(known.mean, axis, settings.resolution)
        directions = np.where(on_peak, np.concatenate(list(shapes.values())), 0.0)
        least = _LEAST_SPREAD * float(np.median(known.sd[on_peak])) or 1.0
        weight = np.where(on_peak, np.maximum(known.sd, least) ** -2.0, 0.0)
        return Projection(
            directions, ridge_pulls(directions, weight, settings.ridge), known.mean, mask
        )


def ridge_pulls(directions: FloatArray, weight: FloatArray, ridge: float) -> FloatArray:
    """The matrix P of a weighted ridge regression, with coefficients c = P y.

    Parameters
    ----------
    directions : ndarray, shape (k, n_bins)
        The regressors.
    weight : ndarray, shape (n_bins,)
        Weight of each bin.
    ridge : float
        Penalty relative to each regressor's weighted sum of squares.
    """
    size = np.sqrt((directions**2) @ weight)
    size[~(size > 0)] = 1.0
    scaled = directions / size[:, None]
    gram = (scaled * weight) @ scaled.T + ridge * np.eye(len(scaled))
    pulls: FloatArray = np.linalg.pinv(gram, hermitian=True) @ (scaled * weight) / size[:, None]
    return pulls
