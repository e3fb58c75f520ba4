"""Nothing between the peaks: off-peak bins are set to the training mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import Field

from corespot.axis import MzAxis
from corespot.mitigate.training_mean import TrainingMean
from corespot.mitigate.way import FloatArray, Spectra, Way, register_way
from corespot.settings import Settings


class MaskSettings(Settings):
    """Parameters of the mask.

    Parameters
    ----------
    non_peptide : bool
        Whether peaks that lie where no peptide can are masked, too.
    """

    non_peptide: bool = Field(
        False, description="mask peaks more than .3 off the peptide mass rule, too"
    )


@dataclass(frozen=True, eq=False)
class Mask:
    """Some bins are set to a constant.

    Parameters
    ----------
    masked : ndarray of bool, shape (n_bins,)
        Which.
    fill : ndarray of float64, shape (n_bins,)
        To what; read at masked bins only.
    """

    masked: npt.NDArray[np.bool_]
    fill: FloatArray

    def transform(self, x: Spectra) -> Spectra:
        """Masked copies, (n, n_bins)."""
        changed = np.array(x)
        changed[:, self.masked] = self.fill[self.masked]
        return changed

    def pull_back(self, slopes: FloatArray) -> FloatArray:
        """Zero at masked bins."""
        return np.where(self.masked, 0.0, slopes)


@register_way(
    "mask_off_peak",
    MaskSettings,
    sentence="bins outside the peaks of the training mean spectrum are set to that mean",
)
class MaskOffPeak(Way):
    """Bins outside peaks of the training mean are set to that mean, in training and in use."""

    def change(self, x: Spectra, axis: MzAxis) -> Mask:
        """Find the bins on the training spectra."""
        known = TrainingMean.of(x, axis)
        return Mask(known.masked_bins(non_peptide=self.settings.non_peptide), known.mean)
