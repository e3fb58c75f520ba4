"""Calibration alignment of each spectrum on its own, by the clustering of peptide masses."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from corespot.axis import MzAxis
from corespot.preprocess.align import Alignment, FloatVector, undo_shift
from corespot.preprocess.rows import each_row, for_kernel
from corespot.preprocess.step import DataKind, Spectra, register_step
from corespot.threads import over_rows
from corespot.units import PROTON_DA, ppm_to_da

FloatBlock = npt.NDArray[np.float64]

#: Spacing of the clusters of peptide masses in Da.
CLUSTER_DA = 1.000495
#: Peptide clusters are sharp in this m/z range only.
RULE_LOW, RULE_HIGH = 500.0, 4000.0
#: Least m/z range, and widest bin, on which cluster phases say something.
RULE_SPAN_DA, RULE_BIN_DA = 300.0, 0.34
#: Width in Da of the segments whose cluster phase is measured.
SEGMENT_DA = 100.0


def shift_by_peptide_rule(
    spectra: Spectra, axis: MzAxis, *, max_ppm: float
) -> tuple[FloatVector, FloatVector]:
    """Affine shift that brings peptide clusters onto multiples of 1.000495 Da.

    In segments of 100 Da the intensity-weighted phase vector Z = Σ x exp(2πi (m − m_H) / Λ) is
    taken, Λ = 1.000495 Da and m_H the proton; the error e(m) = a + b·t, t running from −1 to 1
    over the range, is the one that maximises
    Σ Re Z exp(−2πi m e(m) 1e−6 / Λ) on a grid refined twice, to about 1 ppm.
    Each segment's mean is taken off first;
    baseline and noise then have no phase and drop out.

    Parameters
    ----------
    spectra : ndarray of float32, shape (n, n_bins)
        Profile intensities.
    axis : MzAxis
        Their axis.
    max_ppm : float
        Largest error looked for at either end.

    Returns
    -------
    low, high : ndarray of float64, shape (n,)
        Error in ppm at both ends of the range (positive: peaks lie too high); zero for empty
        spectra.

    References
    ----------
    Wolski et al., BMC Bioinformatics 6:285, 2005 (doi:10.1186/1471-2105-6-285): calibration by
    the clustering of peptide masses.

    Deviations
    ----------
    A grid over both ends instead of their regression; intensities instead of picked peaks.
    """
    from corespot.preprocess.scale_kernel import phase_sums

    segments = _segments(axis)
    rows, n = for_kernel(spectra), len(spectra)
    real, imaginary = (np.empty((n, segments.centres.size)) for _ in range(2))

    def work(part: slice) -> None:
        phase_sums(rows[part], segments.cuts, segments.weights, real[part], imaginary[part])

    each_row(work, rows)
    at = np.zeros((n, 2))
    coarse = max_ppm / max(round(max_ppm / 25), 1)
    for step, reach in ((coarse, round(max_ppm / coarse)), (coarse / 5, 5), (coarse / 25, 5)):
        at = _better(axis, real, imaginary, at, step, reach)
    low, high = np.ascontiguousarray(at.T)
    return low, high


def _better(
    axis: MzAxis, real: FloatBlock, imaginary: FloatBlock, at: FloatBlock, step: float, reach: int
) -> FloatBlock:
    """The best corrections around those `at`; where none is better, the same, which is the first.

    Spectra that have come to the same place share the tables of what is tried from there.
    """
    from corespot.preprocess.align_kernel import best_moves

    places, place_of = np.unique(at, axis=0, return_inverse=True)
    best, better = np.zeros(len(at), dtype=np.int64), at.copy()

    def search(one: slice) -> None:
        tried, cosines, sines = _corrections(axis, places[one], step, reach)
        here = np.flatnonzero(place_of == one.start)
        best_moves(real, imaginary, here, cosines, sines, best)
        better[here] = tried[best[here]]

    over_rows(search, len(places))
    return better


@dataclass(frozen=True)
class _Segments:
    """Where an axis is cut, and what its bins are weighed with for their phase."""

    cuts: npt.NDArray[np.int64]
    weights: FloatBlock  # cosine and sine of each bin's phase
    centres: FloatVector
    position: FloatVector


@lru_cache(maxsize=2)
def _segments(axis: MzAxis) -> _Segments:
    low, high = max(RULE_LOW, axis.mz[0]), min(RULE_HIGH, axis.mz[-1])
    n_segments = max(int((high - low) / SEGMENT_DA), 1)
    cuts = np.unique(np.searchsorted(axis.mz, np.linspace(low, high, n_segments + 1)))
    angle = 2 * np.pi * (axis.mz - PROTON_DA) / CLUSTER_DA
    centres = np.array([axis.mz[a:b].mean() for a, b in pairwise(cuts)])
    weights = np.stack([np.cos(angle), np.sin(angle)])
    return _Segments(cuts, weights, centres, (centres - low) / (high - low))


def _corrections(
    axis: MzAxis, place: FloatBlock, step: float, reach: int
) -> tuple[FloatBlock, FloatBlock, FloatBlock]:
    """Errors at both ends that are tried around a place, and the turns they mean, per segment.

    From small to large moves, so that among equals the smaller correction stays.
    """
    segments = _segments(axis)
    steps = range(-reach, reach + 1)
    moves = sorted(
        ((i, j) for i in steps for j in steps), key=lambda move: abs(move[0]) + abs(move[1])
    )
    tried = place + np.array(moves) * step
    first, last = tried[:, :1], tried[:, 1:]
    error_ppm = first + (last - first) * segments.position
    turn = 2 * np.pi * ppm_to_da(error_ppm, segments.centres) / CLUSTER_DA
    return tried, np.cos(turn), np.sin(turn)


@register_step
class PeptideRuleAlign(Alignment):
    """Align to the clusters of peptide masses; see `shift_by_peptide_rule`."""

    step: Literal["align"] = "align"
    method: Literal["peptide_rule"] = "peptide_rule"
    max_ppm: float = Field(default=200.0, gt=0, le=300)

    costly_call: ClassVar[bool] = True

    def faults(self, axis: MzAxis, kind: DataKind) -> list[str]:
        """Refuse axes too short, too coarse or too heavy for peptide clusters."""
        found = super().faults(axis, kind)
        low, high = max(RULE_LOW, float(axis.mz[0])), min(RULE_HIGH, float(axis.mz[-1]))
        if high - low < RULE_SPAN_DA:
            return [
                *found,
                f"peptide masses cluster between m/z {RULE_LOW:g} and {RULE_HIGH:g}, of which the "
                f"axis {axis.mz[0]:g}–{axis.mz[-1]:g} covers less than {RULE_SPAN_DA:g}; use "
                "method references, or leave the step out",
            ]
        widest = max(axis.width_da(low), axis.width_da(high))
        if widest > RULE_BIN_DA:
            found.append(
                f"bins are up to {widest:.2g} Da wide, clusters are {CLUSTER_DA} Da apart; at "
                f"most {RULE_BIN_DA} Da shows them: use method references"
            )
        return found

    def apply(
        self, spectra: Spectra, axis: MzAxis, target: MzAxis | None = None
    ) -> tuple[Spectra, MzAxis]:
        """Aligned spectra on the same axis."""
        low, high = shift_by_peptide_rule(spectra, axis, max_ppm=self.max_ppm)
        ends = (max(RULE_LOW, float(axis.mz[0])), min(RULE_HIGH, float(axis.mz[-1])))
        return undo_shift(spectra, axis, ends, low, high), axis
