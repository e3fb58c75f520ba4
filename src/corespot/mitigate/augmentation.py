"""Training spectra are joined by copies that were measured otherwise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import Field, PositiveFloat
from scipy.special import ndtr

from corespot.audit.applicable import NotApplicable
from corespot.audit.shares.gap_parts import DEFAULT_RESOLUTION, scaled_mz
from corespot.audit.shares.mass_rule import non_peptide_bins
from corespot.audit.shares.peak_mask import why_no_profile
from corespot.axis import MzAxis
from corespot.mitigate.resampled import shifted, widened
from corespot.mitigate.training_mean import BLOCK_VALUES, TrainingMean
from corespot.mitigate.way import FloatArray, Spectra, Way, register_way
from corespot.preprocess.align_peptides import CLUSTER_DA
from corespot.seeding import generator
from corespot.settings import Settings
from corespot.units import PROTON_DA

Block = npt.NDArray[np.float32]

#: Waves on the baseline of a copy.
_N_WAVES = 5


class AugmentationSettings(Settings):
    """Strengths of the random changes; each is the standard deviation of a normal variable.

    Parameters
    ----------
    copies : int
        Changed copies of every training spectrum.
    gain : float
        Log intensity, linear and quadratic in scaled m/z.
    calibration_ppm : float
        Shift in ppm, constant, linear and quadratic in scaled m/z.
    width : float
        Log width of the peaks.
    baseline : float
        Log of the level between peaks, and of its slope along m/z.
    pattern : float
        Depth of a 1-Da pattern on the baseline.
    ripple : float
        Height of waves on the baseline at high mass, relative to it.
    ripple_from : float
        m/z above which they occur.
    ripple_periods_da : tuple of float
        Shortest and longest period.
    noise : float
        Additional noise, in multiples of that which is there.
    matrix : float
        Log area of the peaks that lie where no peptide can.
    resolution : float
        Resolving power m/Δm of the instrument.
    """

    copies: int = Field(2, ge=1, le=50, description="changed copies of every training spectrum")
    gain: float = Field(0.15, ge=0, description="log intensity along m/z")
    calibration_ppm: float = Field(20.0, ge=0, description="shift in ppm along m/z")
    width: float = Field(0.08, ge=0, le=0.5, description="log width of peaks")
    baseline: float = Field(0.3, ge=0, description="log level between peaks, and its slope")
    pattern: float = Field(0.3, ge=0, description="depth of a 1-Da pattern on the baseline")
    ripple: float = Field(1.0, ge=0, description="height of waves on it at high mass")
    ripple_from: float = Field(1900.0, gt=0, description="m/z above which waves occur")
    ripple_periods_da: tuple[PositiveFloat, PositiveFloat] = Field(
        (0.7, 5.0), description="shortest and longest period of the waves"
    )
    noise: float = Field(0.3, ge=0, description="noise, in multiples of that which is there")
    matrix: float = Field(0.4, ge=0, description="log area of peaks where no peptide can lie")
    resolution: float = Field(DEFAULT_RESOLUTION, gt=0, description="resolving power m/Δm")


@register_way(
    "augmentation",
    AugmentationSettings,
    sentence="training spectra are joined by copies with a random gain, calibration, resolution, "
    "baseline and noise",
)
class Augmentation(Way):
    """Copies as other measurements of the same tissue would have given them.

    Notes
    -----
    Each copy draws its own smooth gain, its own polynomial of shifts (cubic interpolation), peak
    width (second difference), level and shape of what lies between the peaks, a 1-Da pattern and
    waves at high mass on it, noise, and area of the matrix peaks; then it is scaled to the sum it
    had. Nothing is drawn by label. A model that is fitted on them sees that none of these tells
    the classes apart, linear ones included. The spectra themselves stay in.

    On peak lists and bins of 1 Da and more, only gain, noise and matrix are changed.
    """

    def copies(self, x: Spectra, axis: MzAxis, seed: int) -> npt.NDArray[np.float32]:
        """Changed copies of training spectra, (copies · n, n_bins), in runs of all n."""
        settings: AugmentationSettings = self.settings
        known = TrainingMean.of(x, axis)
        made = np.empty((settings.copies * len(x), axis.n_bins), dtype=np.float32)
        step = max(1, BLOCK_VALUES // (8 * axis.n_bins))
        for run in range(settings.copies):
            for start in range(0, len(x), step):
                block = np.asarray(x[start : start + step], dtype=np.float32)
                at = run * len(x) + start
                draws = np.stack(
                    [
                        generator(seed, "augmentation", run, start + row).standard_normal(40)
                        for row in range(len(block))
                    ]
                )
                rng = generator(seed, "augmentation noise", run, start)
                made[at : at + len(block)] = _changed(block, known, settings, draws, rng)
        return made


def _changed(
    x: Block,
    known: TrainingMean,
    settings: AugmentationSettings,
    draws: FloatArray,
    rng: np.random.Generator,
) -> Block:
    """One changed copy of each spectrum of a block."""
    axis, z = known.axis, scaled_mz(known.axis)
    shapes = np.stack([np.ones_like(z), z, 1.5 * z**2 - 0.5])
    total = x.sum(axis=1, keepdims=True)
    size = np.abs(total) / max(float(np.abs(known.mean.sum())), 1e-300)
    noise = _noise_size(x, known) if settings.noise > 0 else None
    changed = np.array(x)
    forbidden = non_peptide_bins(known.peaks, axis)
    if not isinstance(forbidden, NotApplicable):
        changed[:, forbidden] *= np.exp(settings.matrix * draws[:, 10:11])
    if why_no_profile(axis) is None:
        changed = shifted(changed, axis, settings.calibration_ppm * draws[:, 0:3] @ shapes)
        changed = widened(changed, axis, settings.width * draws[:, 3], settings.resolution)
        changed += size * _baseline_change(known, settings, draws)
    changed *= np.exp(settings.gain * draws[:, 4:6] @ shapes[1:]).astype(np.float32)
    if noise is not None:
        noise *= settings.noise * np.abs(draws[:, 9:10])
        changed += noise * rng.standard_normal(x.shape, dtype=np.float32)
    after = changed.sum(axis=1, keepdims=True)
    changed *= np.where(after > 0, total / np.where(after > 0, after, 1.0), 1.0)
    return np.asarray(changed, dtype=np.float32)


def _baseline_change(
    known: TrainingMean, settings: AugmentationSettings, draws: FloatArray
) -> Block:
    """What is added between (and under) the peaks of a spectrum of usual size, (n, n_bins)."""
    axis, z = known.axis, scaled_mz(known.axis)
    mz, width_da = axis.mz, np.diff(axis.edges)
    phase = 2 * np.pi * (mz - PROTON_DA) / CLUSTER_DA
    pattern = np.sinc(width_da / CLUSTER_DA) * np.cos(phase)
    shape = 1 + (settings.pattern * draws[:, 8:9] * pattern).astype(np.float32)
    high = slice(int(np.searchsorted(mz, settings.ripple_from, side="right")), None)
    if settings.ripple > 0:
        low_log, high_log = np.log(settings.ripple_periods_da)
        height = settings.ripple / np.sqrt(_N_WAVES)
        # Normal draws made uniform, so that periods spread over their whole range.
        share = ndtr(draws[:, 20 : 20 + _N_WAVES])
        for index in range(_N_WAVES):
            per_da = np.exp(-(low_log + (high_log - low_log) * share[:, index : index + 1]))
            # A wave shorter than a bin averages out in it.
            seen = np.sinc(per_da * float(np.median(width_da[high]))) if mz[high].size else 0.0
            turn = draws[:, 25 + index : 26 + index]
            angle = 2 * np.pi * (per_da * (mz[high] - settings.ripple_from) + turn)
            scale = height * seen * draws[:, 30 + index : 31 + index] * np.sqrt(2)
            shape[:, high] += scale.astype(np.float32) * np.cos(angle.astype(np.float32))
    level = np.exp(settings.baseline * (draws[:, 6:7] + draws[:, 7:8] * z)).astype(np.float32)
    return np.asarray((level * shape - 1) * known.mask.baseline.astype(np.float32))


def _noise_size(x: Block, known: TrainingMean) -> Block:
    """Standard deviation of each bin's noise, if it grows as the root of the intensity.

    Its level is read off each spectrum: the mean absolute second difference of neighbours in bins
    where the training mean is below its median, so that no peak bends the spectrum.
    """
    root = np.sqrt(np.maximum(x, 0.0))
    quiet = np.flatnonzero(known.mean[1:-1] <= np.median(known.mean)) + 1
    if len(quiet) == 0:
        return np.zeros_like(root)
    bend = np.abs(x[:, quiet - 1] - 2 * x[:, quiet] + x[:, quiet + 1]) / np.sqrt(6)
    level = bend.mean(axis=1, keepdims=True) * np.sqrt(np.pi / 2)
    here = root[:, quiet].mean(axis=1, keepdims=True)
    root /= np.where(here > 0, here, 1.0)
    np.maximum(root, 1.0, out=root)
    root *= level
    return np.asarray(root, dtype=np.float32)
