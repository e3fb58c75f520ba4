"""Each TMA's mean spectrum is moved to that of the training part, without labels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from pydantic import Field

from corespot.errors import ModelError
from corespot.explain.sensitivity import bin_sd
from corespot.mitigate.training_mean import mean_of
from corespot.mitigate.way import FloatArray, Spectra, Way, register_way
from corespot.settings import Settings
from corespot.train.data import take_rows

#: A spread below this fraction of the median one is taken for that.
_LEAST_SPREAD = 1e-2


class BatchSettings(Settings):
    """Parameters of the correction.

    Parameters
    ----------
    spread : bool
        Whether the standard deviation of each bin is brought to that of the training part, too.
    """

    spread: bool = Field(False, description="match each bin's standard deviation, too")


@dataclass(frozen=True, eq=False)
class MeanShift:
    """Moves the mean of every TMA to the mean of the training TMAs.

    Parameters
    ----------
    match_spread : bool
        Whether standard deviations are matched, too.
    target : ndarray, shape (2, n_bins), or None
        Mean and standard deviation that TMAs are moved to; ``None`` before the fit.
    known : mapping of str to ndarray, shape (2, n_bins)
        Mean and standard deviation of each TMA it has met.
    """

    match_spread: bool
    target: FloatArray | None = None
    known: dict[str, FloatArray] | None = None

    def fit(self, x: Spectra, tma: npt.NDArray[np.str_]) -> MeanShift:
        """Read means off the training spots; every TMA counts alike."""
        known = _by_tma(x, tma)
        target = np.mean(list(known.values()), axis=0)
        return MeanShift(self.match_spread, target, known)

    def met(self, x: Spectra, tma: npt.NDArray[np.str_]) -> MeanShift:
        """The same, that knows these TMAs, too, from their own spots; where to is not changed."""
        return replace(self, known={**_by_tma(x, tma), **(self.known or {})})

    def elsewhere(self) -> MeanShift:
        """The same for another cohort, whose TMAs may bear the same names."""
        return replace(self, known={})

    def correct(self, x: Spectra, tma: npt.NDArray[np.str_]) -> npt.NDArray[np.float32]:
        """Corrected copies, (n, n_bins).

        Raises
        ------
        ModelError
            If it is not fitted yet, or has not met one of the TMAs.
        """
        if self.target is None or self.known is None:
            raise ModelError("this batch correction is not fitted yet; call fit first")
        corrected = np.empty(x.shape, dtype=np.float32)
        for name in np.unique(tma):
            if str(name) not in self.known:
                raise ModelError(
                    f"batch correction: TMA {name} is new; let it meet that TMA's spots first"
                )
            here = tma == name
            mean, sd = self.known[str(name)]
            moved = np.asarray(x[here], dtype=np.float64) - mean
            if self.match_spread:
                least = _LEAST_SPREAD * float(np.median(sd)) or 1.0
                moved *= self.target[1] / np.maximum(sd, least)
            corrected[here] = moved + self.target[0]
        return corrected


@register_way(
    "batch_correction",
    BatchSettings,
    sentence="each TMA's mean spectrum is moved to that of the training TMAs, without labels; "
    "never where TMAs hold one class: the tissue's difference goes, too",
)
class BatchCorrection(Way):
    """Subtracts what a TMA's spots have in common.

    In use, a TMA that was not trained on is corrected from its own spots, none of them labelled.

    Notes
    -----
    What a TMA's spots have in common is artifact *and* biology. Where each TMA holds one class
    (nesting), the difference between the classes is a difference between TMAs: it is taken away
    with the artifact, and little is left to learn. It is for TMAs that hold the classes in like
    shares. It also ties a spot's prediction to the other spots of its TMA: a TMA of which only a
    few spots, or one class, are measured is corrected wrongly.

    References
    ----------
    Sims et al., BMC Medical Genomics 1:42, 2008, doi:10.1186/1755-8794-1-42 (mean-centring of
    batches); Nygaard et al., Biostatistics 17(1), 2016, doi:10.1093/biostatistics/kxv027 (what
    correction does where groups and batches are unbalanced).
    """

    def batches(self) -> MeanShift:
        """The correction before its fit."""
        return MeanShift(self.settings.spread)


def _by_tma(x: Spectra, tma: npt.NDArray[np.str_]) -> dict[str, FloatArray]:
    return {
        str(name): _moments(take_rows(x, np.flatnonzero(tma == name))) for name in np.unique(tma)
    }


def _moments(x: Spectra) -> FloatArray:
    return np.stack([mean_of(x), bin_sd(x)])
