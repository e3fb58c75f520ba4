"""Everything about the classes' differences on the held-out spots of a fold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from corespot.audit.applicable import NotApplicable
from corespot.audit.shares.class_gap import ClassGap, class_gap
from corespot.audit.shares.gap_parts import DEFAULT_RESOLUTION, GapParts, gap_parts
from corespot.audit.shares.mass_rule import find_mean_peaks, non_peptide_bins
from corespot.audit.shares.peak_mask import PeakMask, peak_mask
from corespot.axis import MzAxis


@dataclass(frozen=True, eq=False)
class SplitGap:
    """Differences of the classes on one fold's held-out spots, split into parts.

    Parameters
    ----------
    mask : PeakMask
        Bins of peaks of the training mean spectrum.
    gap : ClassGap
        Patients' mean spectra.
    parts : tuple of GapParts
        For each class, its mean less that of all others.
    non_peptide : ndarray of bool, shape (n_bins,), or NotApplicable
        Bins of peaks that are no peptide's.
    """

    mask: PeakMask
    gap: ClassGap
    parts: tuple[GapParts, ...]
    non_peptide: npt.NDArray[np.bool_] | NotApplicable


def split_gap(
    x: npt.NDArray[np.floating],
    y: npt.NDArray[np.int64],
    patients: npt.NDArray[np.str_],
    n_classes: int,
    *,
    mean_spectrum: npt.ArrayLike,
    axis: MzAxis,
    resolution: float = DEFAULT_RESOLUTION,
) -> SplitGap:
    """Take the differences of the classes on held-out spots and split them.

    It does not depend on a model: one split serves all models of a fold.

    Parameters
    ----------
    x : ndarray or memmap, shape (n_spots, n_bins)
        Spectra of the held-out spots.
    y : ndarray of int64, shape (n_spots,)
        Class of each spot.
    patients : ndarray of str, shape (n_spots,)
        Patient (or core) of each spot.
    n_classes : int
        Number of classes.
    mean_spectrum : array_like, shape (n_bins,)
        Mean over the *training* spectra of the fold.
    axis : MzAxis
        The m/z axis.
    resolution : float
        Resolving power m/Δm of the instrument.

    Raises
    ------
    ModelError
        If arrays do not fit together or a class has no spot.
    """
    mask = peak_mask(mean_spectrum, axis)
    gap = class_gap(x, y, patients, n_classes)
    parts = tuple(
        gap_parts(
            gap.delta(k),
            mean_spectrum=mean_spectrum,
            sigma=gap.sigma,
            axis=axis,
            mask=mask,
            resolution=resolution,
        )
        for k in range(n_classes)
    )
    return SplitGap(
        mask, gap, parts, non_peptide_bins(find_mean_peaks(mean_spectrum, axis, mask), axis)
    )
