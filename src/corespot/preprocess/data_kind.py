"""Telling profile from peak-picked data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from corespot.preprocess.step import DataKind

#: Profile sampling follows a smooth law: most neighbouring spacings differ by less than this.
SMOOTH_SPACING = 0.01
#: Share of smooth spacings from which the sampling counts as regular.
REGULAR_SHARE = 0.8
#: Share of zeros from which a regularly sampled set counts as peak-picked and binned.
SPARSE_SHARE = 0.9


@dataclass(frozen=True)
class KindDecision:
    """Whether spectra are profile or centroid, and how that was decided."""

    kind: DataKind
    explanation: str


def decide_kind(
    declared: Iterable[bool | None],
    spectra: Iterable[tuple[npt.NDArray[np.float64], npt.NDArray[np.floating]]],
    *,
    wanted: DataKind | Literal["auto"] = "auto",
) -> KindDecision:
    """Decide the kind of a cohort from its files' declarations, or from the data.

    Parameters
    ----------
    declared : iterable of bool or None
        Per file: whether it says that it holds profile spectra; None where it says nothing.
    spectra : iterable of (mz, intensity)
        A few spectra.
    wanted : {"auto", "profile", "centroid"}
        The user's own word, which wins.

    Returns
    -------
    KindDecision
        The files' word if they agree, else what the data look like. The explanation says when
        the two differ: many programs declare a kind without looking.
    """
    looks, why = _look(spectra)
    if wanted != "auto":
        return KindDecision(wanted, f"set in the parameters; the data look {looks} ({why})")
    said = {value for value in declared if value is not None}
    if len(said) == 1:
        kind: DataKind = "profile" if said.pop() else "centroid"
        text = f"declared in the files; the data look {looks} ({why})"
        if kind != looks:
            text += f"; if the files are wrong, set preprocess.data_kind: {looks}"
        return KindDecision(kind, text)
    text = "the files contradict each other" if said else "the files do not say"
    return KindDecision(looks, f"{text}; the data look {looks} ({why})")


def _look(
    spectra: Iterable[tuple[npt.NDArray[np.float64], npt.NDArray[np.floating]]],
) -> tuple[DataKind, str]:
    smooth = n_spacings = n_zeros = n_values = 0
    for mz, intensity in spectra:
        spacing = np.diff(mz)
        if spacing.size > 1:
            ratio = spacing[1:] / spacing[:-1]
            smooth += int((np.abs(ratio - 1) < SMOOTH_SPACING).sum())
            n_spacings += ratio.size
        n_zeros += int((intensity == 0).sum())
        n_values += intensity.size
    regular = smooth / n_spacings if n_spacings else 0.0
    zeros = n_zeros / n_values if n_values else 1.0
    why = f"{regular:.0%} of the m/z steps are even, {zeros:.0%} of the intensities zero"
    profile = regular >= REGULAR_SHARE and zeros < SPARSE_SHARE
    return ("profile" if profile else "centroid"), why
