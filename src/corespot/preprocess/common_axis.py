"""Choosing the m/z axis on which the spectra of a cohort meet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from corespot.axis import AxisKind, MzAxis
from corespot.errors import RecipeError
from corespot.preprocess.axis_settings import AxisSettings
from corespot.preprocess.step import DataKind

#: Bin width for peak lists whose instrument is not known, about the accuracy of MALDI-TOF.
CENTROID_BIN_PPM = 200.0
#: An axis longer than this is a mistake in the settings.
MAX_BINS = 2_000_000


@dataclass(frozen=True)
class RawAxis:
    """What is known about the m/z axis of one file.

    Parameters
    ----------
    file : str
        Name, for messages.
    mz : ndarray of float64 or None
        The axis its spectra share (continuous mode); None where each has its own.
    low, high : float
        Range its spectra span.
    example : ndarray of float64
        m/z of one spectrum.
    """

    file: str
    mz: npt.NDArray[np.float64] | None
    low: float
    high: float
    example: npt.NDArray[np.float64]


@dataclass(frozen=True)
class AxisChoice:
    """The common axis and, in words, how it came about."""

    axis: MzAxis
    explanation: str


def choose_axis(files: Sequence[RawAxis], settings: AxisSettings, kind: DataKind) -> AxisChoice:
    """Choose the common axis.

    ``auto`` keeps the axis that all files share, cut to ``low`` and ``high`` if given. Otherwise
    profile data get a TOF-like axis with the median raw spacing in √(m/z), peak lists one of
    constant relative width. The range is the one that every file covers: a bin that some files
    cannot fill would be zero there and tell the files apart.

    Raises
    ------
    RecipeError
        If the files have no range in common, or the settings ask for bins that some profile file
        does not cover.
    """
    shared = files[0].mz
    same = shared is not None and all(
        file.mz is not None and np.array_equal(file.mz, shared) for file in files
    )
    if settings.kind == "auto" and same and shared is not None:
        return _kept(shared, settings, len(files))

    low, high = _range(files, settings, kind)
    if settings.kind == "auto":
        why = "processed mode" if any(file.mz is None for file in files) else "axes differ"
        if kind == "centroid":
            axis = _ppm(low, high, CENTROID_BIN_PPM)
            law = f"constant relative width of {CENTROID_BIN_PPM:g} ppm"
        else:
            axis = _tof(low, high, _median_root_step(files))
            law = "TOF law with the median raw spacing in √(m/z)"
        text = f"{why}: {law}, {axis.n_bins} bins over {low:g}–{high:g}, which all files cover"
        return AxisChoice(axis, text)
    axis = _by_law(files, settings, kind, low, high)
    return AxisChoice(axis, f"as set: {settings.kind}, {axis.n_bins} bins over {low:g}–{high:g}")


def spacing_law(mz: npt.NDArray[np.float64]) -> AxisKind:
    """Name of the spacing law an axis follows within 1 %, ``"listed"`` if none."""
    if mz.size < 3:
        return "listed"
    laws: tuple[tuple[AxisKind, npt.NDArray[np.float64]], ...] = (
        ("equidistant", mz),
        ("tof", np.sqrt(mz)),
        ("ppm", np.log(mz)),
    )
    for name, values in laws:
        steps = np.diff(values)
        if steps.max() - steps.min() <= 0.01 * np.median(steps):
            return name
    return "listed"


def _kept(shared: npt.NDArray[np.float64], settings: AxisSettings, n_files: int) -> AxisChoice:
    low = shared[0] if settings.low is None else settings.low
    high = shared[-1] if settings.high is None else settings.high
    mz = shared[(shared >= low) & (shared <= high)]
    if mz.size == 0:
        raise RecipeError(
            f"preprocess.axis: no bin of the files' axis {shared[0]:g}–{shared[-1]:g} lies "
            f"between low {low:g} and high {high:g}; widen the range"
        )
    cut = "" if mz.size == shared.size else f", cut to {low:g}–{high:g}"
    who = "the file's own axis" if n_files == 1 else f"all {n_files} files share one axis"
    text = f"{who}, kept{cut}: {mz.size} bins over {mz[0]:g}–{mz[-1]:g}"
    return AxisChoice(MzAxis(mz, spacing_law(mz)), text)


def _range(files: Sequence[RawAxis], settings: AxisSettings, kind: DataKind) -> tuple[float, float]:
    first, last = max(files, key=lambda file: file.low), min(files, key=lambda file: file.high)
    low = first.low if settings.low is None else settings.low
    high = last.high if settings.high is None else settings.high
    if low >= high:
        raise RecipeError(
            f"the files have no m/z range in common: {first.file} begins at {first.low:g}, "
            f"{last.file} ends at {last.high:g}; leave one of them out"
        )
    # Peak lists end where their last peak happens to be, so only profile ranges bind.
    if kind == "profile" and low < first.low:
        raise RecipeError(
            f"preprocess.axis.low {low:g} lies below {first.low:g}, where {first.file} begins; "
            f"its spectra would be zero there and give the file away: use {first.low:.6g} or null"
        )
    if kind == "profile" and high > last.high:
        raise RecipeError(
            f"preprocess.axis.high {high:g} lies above {last.high:g}, where {last.file} ends; "
            f"its spectra would be zero there and give the file away: use {last.high:.6g} or null"
        )
    return float(low), float(high)


def _by_law(
    files: Sequence[RawAxis], settings: AxisSettings, kind: DataKind, low: float, high: float
) -> MzAxis:
    if settings.n_bins is not None:
        make = {
            "equidistant": MzAxis.equidistant,
            "ppm": MzAxis.constant_ppm,
            "tof": MzAxis.tof,
        }[settings.kind]
        return make(low, high, settings.n_bins)
    if kind == "centroid" and settings.bin_da is None and settings.kind != "ppm":
        raise RecipeError(
            "preprocess.axis: peak lists have no raw bin width to go by; give n_bins or bin_da"
        )
    if settings.kind == "equidistant":
        width = settings.bin_da or float(np.median(_all_steps(files)))
        return MzAxis.equidistant(low, high, _count((high - low) / width))
    if settings.kind == "tof":
        if settings.bin_da is None:
            return _tof(low, high, _median_root_step(files))
        return _tof(low, high, settings.bin_da / (2 * np.sqrt((low + high) / 2)))
    if settings.bin_ppm is None and kind == "profile":
        examples = [np.diff(file.example) / file.example[:-1] for file in files]
        return _ppm(low, high, float(np.median(np.concatenate(examples))) * 1e6)
    return _ppm(low, high, settings.bin_ppm or CENTROID_BIN_PPM)


def _all_steps(files: Sequence[RawAxis]) -> npt.NDArray[np.float64]:
    return np.concatenate([np.diff(file.example) for file in files])


def _median_root_step(files: Sequence[RawAxis]) -> float:
    return float(np.median(np.concatenate([np.diff(np.sqrt(file.example)) for file in files])))


def _tof(low: float, high: float, step: float) -> MzAxis:
    return MzAxis.tof(low, high, _count((np.sqrt(high) - np.sqrt(low)) / step))


def _ppm(low: float, high: float, ppm: float) -> MzAxis:
    return MzAxis.constant_ppm(low, high, _count(np.log(high / low) / np.log1p(ppm * 1e-6)))


def _count(n_steps: float) -> int:
    if n_steps > MAX_BINS:
        raise RecipeError(
            f"preprocess.axis asks for {n_steps:.3g} bins, more than {MAX_BINS}; use wider bins"
        )
    return max(round(n_steps), 1) + 1
