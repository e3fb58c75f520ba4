"""Moving spectra from their own m/z axis to a common one."""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from corespot.axis import MzAxis
from corespot.errors import RecipeError
from corespot.preprocess.rows import each_row, for_kernel
from corespot.preprocess.step import DataKind, Spectra, Step, register_step

#: Cells that help to find a bin; with more than a few a bin, most hold no edge.
CELLS_A_BIN = 16


def interpolate(spectra: Spectra, axis: MzAxis, target: MzAxis) -> Spectra:
    """Linear interpolation at the target's centres; zero outside the spectra's own range.

    Exact on functions linear in m/z. Right for profile data, whose values are heights; it does
    not conserve sums.
    """
    # The ends of a computed axis may lie a rounding outside the range they were computed from.
    slack = 1e-12 * axis.mz[-1]
    start = int(np.searchsorted(target.mz, axis.mz[0] - slack, side="left"))
    stop = int(np.searchsorted(target.mz, axis.mz[-1] + slack, side="right"))
    out = np.zeros((len(spectra), target.n_bins), dtype=np.float32)
    if axis.n_bins == 1:
        out[:, start:stop] = spectra
        return out
    from corespot.preprocess.move_kernel import interpolate_rows

    right, weight = _places(axis.mz, target.mz[start:stop])
    rows = for_kernel(spectra)
    each_row(lambda part: interpolate_rows(rows[part], right, weight, start, out[part]), rows)
    return out


def rebin(spectra: Spectra, axis: MzAxis, target: MzAxis) -> Spectra:
    """Share each bin's intensity among the target bins it overlaps, by overlap.

    Conserves the total intensity of what lies inside the target's edges. For profile data.
    """
    from corespot.preprocess.move_kernel import rebin_rows

    right, weight = _places(axis.edges, target.edges)
    rows, out = for_kernel(spectra), np.empty((len(spectra), target.n_bins), dtype=np.float32)
    each_row(lambda part: rebin_rows(rows[part], right, weight, out[part]), rows)
    return out


def bin_sticks(spectra: Spectra, axis: MzAxis, target: MzAxis) -> Spectra:
    """Add each point's whole intensity to the target bin it falls in.

    Conserves the total intensity of what lies inside the target's edges. For peak lists.
    """
    from corespot.preprocess.move_kernel import bin_rows

    rows, out = for_kernel(spectra), np.zeros((len(spectra), target.n_bins), dtype=np.float32)
    bins = bin_index(target, axis.mz)
    each_row(lambda part: bin_rows(rows[part], bins, out[part]), rows)
    return out


def _places(
    points: npt.NDArray[np.float64], wanted: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Where `wanted` lie among increasing points: the next one, and how far the way to it."""
    from corespot.preprocess.move_kernel import place

    right, weight = np.empty(wanted.size, dtype=np.int64), np.empty(wanted.size)
    place(for_kernel(points), for_kernel(wanted), right, weight)
    return right, weight


def bin_index(axis: MzAxis, mz: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Bin of each m/z, −1 outside; a value on an edge belongs to the upper bin.

    Parameters
    ----------
    axis : MzAxis
        The bins.
    mz : ndarray of float64, shape (k,)
        Values, in any order.

    Returns
    -------
    ndarray of int64, shape (k,)
        Bin indices; the last bin includes its upper edge.
    """
    from corespot.preprocess.move_kernel import find_bins

    bins = np.empty(mz.shape, dtype=np.int64)
    find_bins(for_kernel(mz), for_kernel(axis.edges), _cells(axis), bins)
    return bins


@lru_cache(maxsize=2)
def _cells(axis: MzAxis) -> npt.NDArray[np.int32]:
    """Where to begin to look for a bin; made once for an axis that many spectra are moved to."""
    from corespot.preprocess.move_kernel import fill_cells

    cells = np.empty(CELLS_A_BIN * axis.n_bins, dtype=np.int32)
    fill_cells(for_kernel(axis.edges), cells)
    return cells


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
