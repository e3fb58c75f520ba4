"""What the shape of a sensitivity profile says about artifacts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from corespot.audit.applicable import NotApplicable
from corespot.audit.shares.gap_parts import DEFAULT_RESOLUTION, mean_derivatives, why_no_derivative
from corespot.audit.shares.mass_rule import (
    FORBIDDEN_FROM,
    RULE_ENDS_MZ,
    find_mean_peaks,
    mass_rule_distance,
)
from corespot.audit.shares.peak_mask import PeakMask, on_axis
from corespot.axis import MzAxis
from corespot.errors import ModelError

FloatArray = npt.NDArray[np.float64]
Value = float | NotApplicable

INDICATORS = (
    "spectral_entropy",
    "energy_spread",
    "off_peak_energy_density",
    "broadband_oscillation",
    "forbidden_defect_energy",
    "derivative_shape",
)

#: m/z above which oscillation without peaks was seen to be an artifact.
_OSCILLATION_FROM = 1900.0
#: Windows whose oscillation is compared, and how many are needed.
_OSCILLATION_WINDOW_DA, _FEWEST_WINDOWS = 25.0, 4
#: Bins wider than this do not resolve the mass rule.
_WIDEST_DA = 0.4
#: Fewest bins of a peak from which its shape and slope are told apart.
_FEWEST_BINS = 4


@dataclass(frozen=True)
class ProfileIndicators:
    """Indicators of a sensitivity profile by class; each is larger the more artifacts there are.

    Parameters
    ----------
    by_class : tuple of dict
        For each class of the profile: a value, or why there is none, for every name of
        `INDICATORS`.
    """

    by_class: tuple[dict[str, Value], ...]

    def largest(self, name: str) -> Value:
        """Largest value of an indicator over the classes."""
        values = [indicators[name] for indicators in self.by_class]
        numbers = [value for value in values if not isinstance(value, NotApplicable)]
        return max(numbers) if numbers else values[0]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "largest": {name: _plain(self.largest(name)) for name in INDICATORS},
            "by_class": [
                {name: _plain(value) for name, value in indicators.items()}
                for indicators in self.by_class
            ],
        }


def profile_indicators(
    profile: npt.ArrayLike,
    axis: MzAxis,
    mean_spectrum: npt.ArrayLike,
    mask: PeakMask,
    *,
    resolution: float = DEFAULT_RESOLUTION,
) -> ProfileIndicators:
    """Look at a sensitivity profile for what an artifact would leave in it.

    With s the profile of a class and s² its energy:

    - spectral entropy: entropy of the energy over bins, over that of an even spread; 0 to 1;
    - energy spread: share of the bins that hold nine tenths of the energy;
    - off-peak energy density: mean energy of bins outside peaks, over the sum of this and the
      mean energy of bins of peaks; ½ where peaks do not matter;
    - broadband oscillation: root mean square of s about its mean in windows of 25 Da above
      m/z 1900, the median window over that of the whole profile; large only where nearly all
      windows oscillate;
    - forbidden-defect energy: as off-peak energy density, for bins more than .3 off the peptide
      mass rule against the others;
    - derivative shape: on every peak, s is fitted by the mean spectrum's shape and its slope;
      the share of the energy that both explain which the slope explains.

    Parameters
    ----------
    profile : array_like, shape (n_classes, n_bins)
        Sensitivity of every class, best of the log-odds; of one fold or averaged.
    axis : MzAxis
        The m/z axis.
    mean_spectrum : array_like, shape (n_bins,)
        Mean over the training spectra.
    mask : PeakMask
        Bins of peaks of that mean.
    resolution : float
        Resolving power m/Δm of the instrument.

    Raises
    ------
    ModelError
        If the profile does not lie on the axis or is not finite.
    """
    sensitivity = np.asarray(profile, dtype=np.float64)
    if sensitivity.ndim != 2 or sensitivity.shape[1] != axis.n_bins:
        raise ModelError(
            f"a profile of shape {sensitivity.shape} does not lie on {axis.n_bins} bins; expected "
            "one line a class"
        )
    mean = on_axis(mean_spectrum, axis, "mean spectrum")
    for line in sensitivity:
        on_axis(line, axis, "sensitivity profile")
    return ProfileIndicators(
        tuple(_of_class(line, axis, mean, mask, resolution) for line in sensitivity)
    )


def _of_class(
    s: FloatArray, axis: MzAxis, mean: FloatArray, mask: PeakMask, resolution: float
) -> dict[str, Value]:
    energy = np.square(s)
    if not energy.sum() > 0:
        return dict.fromkeys(
            INDICATORS, NotApplicable("the profile is zero: the model reacts to no bin")
        )
    return {
        "spectral_entropy": _entropy(energy),
        "energy_spread": _spread(energy),
        "off_peak_energy_density": mask.no_off_peak or _density(energy, mask.off_peak),
        "broadband_oscillation": mask.no_profile or _oscillation(s, axis),
        "forbidden_defect_energy": mask.no_profile or _forbidden(energy, axis),
        "derivative_shape": mask.no_profile
        or why_no_derivative(axis, resolution)
        or _derivative_shape(s, axis, mean, mask, resolution),
    }


def _entropy(energy: FloatArray) -> float:
    share = energy[energy > 0] / energy.sum()
    return float(-(share @ np.log(share)) / np.log(max(energy.size, 2)))


def _spread(energy: FloatArray) -> float:
    """Share of the bins that hold nine tenths of the energy."""
    held = np.cumsum(np.sort(energy)[::-1])
    needed = int(np.searchsorted(held, 0.9 * held[-1])) + 1
    return needed / energy.size


def _density(energy: FloatArray, chosen: npt.NDArray[np.bool_]) -> Value:
    """Mean energy of the chosen bins over the sum of it and the mean energy of the others."""
    if np.all(chosen) or not np.any(chosen):
        return NotApplicable("all bins are of one kind: there is nothing to compare with")
    inside, outside = float(energy[chosen].mean()), float(energy[~chosen].mean())
    return inside / (inside + outside)


def _oscillation(s: FloatArray, axis: MzAxis) -> Value:
    above = axis.mz >= _OSCILLATION_FROM
    window = ((axis.mz[above] - _OSCILLATION_FROM) // _OSCILLATION_WINDOW_DA).astype(np.int64)
    count = np.bincount(window)
    # A window that the end of the axis cuts short holds too few bins to oscillate.
    whole = count >= 0.5 * np.median(count) if count.size else np.zeros(0, dtype=bool)
    if np.count_nonzero(whole) < _FEWEST_WINDOWS:
        return NotApplicable(
            f"the m/z axis ends at {axis.mz[-1]:.0f}: oscillation is judged above "
            f"{_OSCILLATION_FROM:.0f}, on {_FEWEST_WINDOWS} windows of {_OSCILLATION_WINDOW_DA:g} "
            "Da or more"
        )
    mean = np.bincount(window, weights=s[above]) / np.maximum(count, 1)
    about = np.square(s[above] - mean[window])
    deep = np.sqrt(np.bincount(window, weights=about)[whole] / count[whole])
    return float(np.median(deep) / np.sqrt(np.mean(np.square(s))))


def _forbidden(energy: FloatArray, axis: MzAxis) -> Value:
    judged = axis.mz <= RULE_ENDS_MZ
    if not np.any(judged) or float(np.median(np.diff(axis.mz))) > _WIDEST_DA:
        return NotApplicable(
            f"the peptide mass rule separates bins of at most {_WIDEST_DA:g} Da below m/z "
            f"{RULE_ENDS_MZ:g}; these have {np.median(np.diff(axis.mz)):.2g} Da, from m/z "
            f"{axis.mz[0]:.0f}"
        )
    return _density(energy[judged], mass_rule_distance(axis.mz[judged]) > FORBIDDEN_FROM)


def _derivative_shape(
    s: FloatArray, axis: MzAxis, mean: FloatArray, mask: PeakMask, resolution: float
) -> Value:
    peaks = find_mean_peaks(mean, axis, mask)
    slope = mean_derivatives(mean, axis, resolution)[0]
    above = np.maximum(mean - mask.baseline, 0.0)
    by_shape = by_slope = 0.0
    for start, stop in zip(peaks.start, peaks.stop, strict=True):
        shape, lean, seen = above[start:stop], slope[start:stop], s[start:stop]
        norm = float(shape @ shape)
        if stop - start < _FEWEST_BINS or norm <= 0:
            continue
        # What the slope explains beyond the shape; of a symmetric peak they are orthogonal.
        lean = lean - (lean @ shape) / norm * shape
        by_shape += float(seen @ shape) ** 2 / norm
        by_slope += float(seen @ lean) ** 2 / max(float(lean @ lean), 1e-300)
    if by_shape + by_slope <= 0:
        return NotApplicable(
            f"no peak of the mean spectrum has {_FEWEST_BINS} bins or more to which the model "
            "reacts: its slope cannot be told from its shape"
        )
    return by_slope / (by_shape + by_slope)


def _plain(value: Value) -> Any:
    return value.as_dict() if isinstance(value, NotApplicable) else value
