"""Moving spectra from their own m/z axis to a common one."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from corespot.axis import AxisKind, MzAxis
from corespot.errors import RecipeError
from corespot.preprocess.step import DataKind, Spectra, Step, register_step


def interpolate(spectra: Spectra, axis: MzAxis, target: MzAxis) -> Spectra:
    """Linear interpolation at the target's centres; zero outside the spectra's own range.

    Exact on functions linear in m/z. Right for profile data, whose values are heights; it does
    not conserve sums.
    """
    out = np.zeros((len(spectra), target.n_bins), dtype=np.float32)
    # The ends of a computed axis may lie a rounding outside the range they were computed from.
    slack = 1e-12 * axis.mz[-1]
    inside = (target.mz >= axis.mz[0] - slack) & (target.mz <= axis.mz[-1] + slack)
    wanted = np.clip(target.mz[inside], axis.mz[0], axis.mz[-1])
    if axis.n_bins == 1:
        out[:, inside] = spectra
        return out
    right = np.clip(np.searchsorted(axis.mz, wanted), 1, axis.n_bins - 1)
    weight = (wanted - axis.mz[right - 1]) / (axis.mz[right] - axis.mz[right - 1])
    data = spectra.astype(np.float64)
    low = data[:, right - 1]
    out[:, inside] = low + (data[:, right] - low) * weight
    # With weight one the sum above may miss the right value by a rounding; take it as it is.
    on_point = np.flatnonzero(inside)[weight == 1.0]
    out[:, on_point] = spectra[:, right[weight == 1.0]]
    return out


def rebin(spectra: Spectra, axis: MzAxis, target: MzAxis) -> Spectra:
    """Share each bin's intensity among the target bins it overlaps, by overlap.

    Conserves the total intensity of what lies inside the target's edges. For profile data.
    """
    data = spectra.astype(np.float64)
    cumulative = np.zeros((len(data), axis.n_bins + 1))
    np.cumsum(data, axis=1, out=cumulative[:, 1:])
    edges = np.clip(target.edges, axis.edges[0], axis.edges[-1])
    right = np.clip(np.searchsorted(axis.edges, edges), 1, axis.n_bins)
    weight = (edges - axis.edges[right - 1]) / (axis.edges[right] - axis.edges[right - 1])
    below = cumulative[:, right - 1] + data[:, right - 1] * weight
    out = np.diff(below, axis=1)
    # Differences of a running sum may round below zero where all intensities are positive.
    out[data.min(axis=1) >= 0] = np.maximum(out[data.min(axis=1) >= 0], 0.0)
    return out.astype(np.float32)


def bin_sticks(spectra: Spectra, axis: MzAxis, target: MzAxis) -> Spectra:
    """Add each point's whole intensity to the target bin it falls in.

    Conserves the total intensity of what lies inside the target's edges. For peak lists.
    """
    bins = bin_index(target, axis.mz)
    inside = bins >= 0
    kept = bins[inside]
    out = np.zeros((len(spectra), target.n_bins), dtype=np.float32)
    for row, values in enumerate(spectra):
        out[row] = np.bincount(kept, weights=values[inside], minlength=target.n_bins)
    return out


def bin_index(axis: MzAxis, mz: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Bin of each m/z, −1 outside; a value on an edge belongs to the upper bin.

    Parameters
    ----------
    axis : MzAxis
        The bins. For axes that follow a law, the bin is computed instead of searched.
    mz : ndarray of float64, shape (k,)
        Values.

    Returns
    -------
    ndarray of int64, shape (k,)
        Bin indices; the last bin includes its upper edge.
    """
    edges = axis.edges
    bins = np.full(mz.shape, -1, dtype=np.int64)
    inside = (mz >= edges[0]) & (mz <= edges[-1])
    bins[inside] = _search(axis, mz[inside])
    return bins


def _search(axis: MzAxis, mz: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    last = axis.n_bins - 1
    edges = axis.edges
    if axis.kind != "listed" and last > 0:
        low, high = _law(axis.kind, axis.mz[[0, -1]])
        guess: npt.NDArray[np.int64] = np.rint(
            (_law(axis.kind, mz) - low) * (last / (high - low))
        ).astype(np.int64)
        guess = np.clip(guess, 0, last)
        # Edges are midpoints in m/z, not in the law, so the guess may be one off.
        guess = np.clip(guess - (mz < edges[guess]), 0, last)
        guess = np.clip(guess + (mz >= edges[guess + 1]), 0, last)
        if np.all((mz >= edges[guess]) & ((mz < edges[guess + 1]) | (guess == last))):
            return guess
    found: npt.NDArray[np.int64] = np.searchsorted(edges, mz, side="right") - 1
    return np.clip(found, 0, last)


def _law(kind: AxisKind, mz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The quantity in which an axis of `kind` is evenly spaced."""
    if kind == "ppm":
        return np.log(mz)
    return np.sqrt(mz) if kind == "tof" else mz


@register_step
class Resample(Step):
    """Move to the common axis that ``preprocess.axis`` describes, at this place in the recipe.

    Steps before it see each spectrum on its own axis; without it, moving comes first. Spectra
    that are on the common axis already pass unchanged.

    Parameters
    ----------
    method : {"auto", "interpolate", "sum", "sticks"}
        `interpolate`, `rebin`, `bin_sticks`; ``auto`` interpolates profile data and sums peaks.
    """

    step: Literal["resample"] = "resample"
    method: Literal["auto", "interpolate", "sum", "sticks"] = "auto"

    costly_call: ClassVar[bool] = True

    def resolved(self, kind: DataKind) -> Resample:
        """The step with the method that fits `kind`."""
        if kind == "centroid" and self.method in ("auto", "sum"):
            return Resample(method="sticks")
        return Resample(method="interpolate") if self.method == "auto" else self

    def faults(self, axis: MzAxis, kind: DataKind) -> list[str]:
        """Refuse to interpolate between peaks."""
        if kind == "centroid" and self.method == "interpolate":
            return [
                "interpolation reads heights between neighbouring points, but between the peaks "
                "of peak-picked data there is nothing; use method sum"
            ]
        return []

    def apply(
        self, spectra: Spectra, axis: MzAxis, target: MzAxis | None = None
    ) -> tuple[Spectra, MzAxis]:
        """Spectra on `target`.

        Raises
        ------
        RecipeError
            If there is no target, or the method is still ``auto``.
        """
        if target is None:
            raise RecipeError("resample: there is no common axis to move to")
        if axis == target:
            return spectra, target
        if self.method == "auto":
            raise RecipeError(
                "resample (auto): whether the data are profile or peak-picked is not known here; "
                "resolve the recipe first, or name the method"
            )
        if self.method == "interpolate":
            return interpolate(spectra, axis, target), target
        move = rebin if self.method == "sum" else bin_sticks
        return move(spectra, axis, target), target
