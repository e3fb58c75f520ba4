"""Measuring a TMA: raw profile spectra of all its spots, made chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from corespot.axis import MzAxis
from corespot.seeding import generator
from corespot.synth.biology import BiologySettings, Proteome, peptide_areas
from corespot.synth.confounds import TmaArtifacts
from corespot.synth.design import TmaPlan
from corespot.synth.spectra import (
    MASS_RULE_DA,
    SpectraSettings,
    add_shot_noise,
    lines_of,
    render_peaks,
)
from corespot.synth.tissue import TmaTissue
from corespot.units import PROTON_DA

# Spectra are always drawn in chunks of this many, whatever blocks are asked for: the same numbers
# come out bit for bit.
_CHUNK = 32
# Off tissue nothing but matrix desorbs, and more of it.
_BACKGROUND_MATRIX = 3.0
_BACKGROUND_BASELINE = 1.4
# Standard deviation of the log area of a matrix cluster between spots.
_MATRIX_LOG_SD = 0.3


class Measurement(NamedTuple):
    """One imaging measurement of one TMA.

    Parameters
    ----------
    file : str
        Name of its imzML file.
    coordinates : ndarray of int64, shape (n, 3)
        x, y, z of each spectrum, from 1.
    blocks : iterable of ndarray of float32, shape (k, n_bins)
        The spectra in the order of `coordinates`; can be gone through once.
    mz : ndarray of float64, shape (n_bins,)
        m/z of every bin.
    """

    file: str
    coordinates: npt.NDArray[np.int64]
    blocks: Iterable[npt.NDArray[np.float32]]
    mz: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TmaMeasurement:
    """Everything that decides the spectra of one TMA.

    Parameters
    ----------
    plan, tissue, artifacts
        The TMA: its patients, its spots, what its measurement does.
    proteome : Proteome
        Peptides and matrix clusters.
    spectra, biology
        Physics and variation.
    axis : MzAxis
        m/z axis.
    seed : int
        Seed of the cohort.
    """

    plan: TmaPlan
    tissue: TmaTissue
    artifacts: TmaArtifacts
    proteome: Proteome
    spectra: SpectraSettings
    biology: BiologySettings
    axis: MzAxis
    seed: int

    def blocks(self, block_size: int) -> Iterator[npt.NDArray[np.float32]]:
        """Spectra with noise, float32, in blocks of `block_size` rows, the last one shorter."""
        return _regroup(self._noisy(), block_size)

    def expected(self) -> Iterator[npt.NDArray[np.float64]]:
        """Spectra without noise, chunk by chunk."""
        spectra, artifacts = self.spectra, self.artifacts
        on_core = self.tissue.core >= 0
        n_spots = on_core.size
        areas = peptide_areas(self.proteome, self.biology, self.plan, self.tissue, self.seed)
        areas *= np.exp(artifacts.coefficients["digestion"])
        rng = generator(self.seed, "spot chemistry", self.plan.tma)
        exposure = np.exp(spectra.tic_log_sd * rng.standard_normal(n_spots))
        level = np.exp(spectra.baseline_log_sd * rng.standard_normal(n_spots))
        level *= np.where(on_core, 1.0, _BACKGROUND_BASELINE)
        jitter_ppm = spectra.jitter_ppm * rng.standard_normal(n_spots)
        n_matrix = self.proteome.matrix_mz.size
        matrix = np.exp(_MATRIX_LOG_SD * rng.standard_normal((n_spots, n_matrix)))
        matrix *= self.proteome.matrix_area * artifacts.matrix_factor
        matrix *= np.where(on_core, 1.0, _BACKGROUND_MATRIX)[:, None]
        compounds = np.concatenate([areas, matrix], axis=1)

        lines = lines_of(np.concatenate([self.proteome.mz, self.proteome.matrix_mz]))
        shift_ppm = artifacts.shift_ppm(lines.mz)
        fwhm = lines.mz / spectra.resolution * artifacts.width_factor
        background = self._background()
        gain = artifacts.gain(self.axis.mz)
        for start in range(0, n_spots, _CHUNK):
            part = slice(start, start + _CHUNK)
            ppm = shift_ppm + jitter_ppm[part, None]
            peaks = render_peaks(
                self.axis,
                lines.mz * (1 + 1e-6 * ppm),
                compounds[part][:, lines.compound] * lines.share,
                np.broadcast_to(fwhm, ppm.shape),
            )
            peaks += level[part, None] * background
            peaks *= exposure[part, None] * gain
            yield peaks

    def _noisy(self) -> Iterator[npt.NDArray[np.float32]]:
        rng = generator(self.seed, "shot noise", self.plan.tma)
        for expected in self.expected():
            yield add_shot_noise(
                expected,
                rng,
                read_noise=self.spectra.read_noise,
                factor=self.artifacts.noise_factor,
            )

    def _background(self) -> npt.NDArray[np.float64]:
        """Baseline per bin: decay, 1-Da chemical noise, ripple."""
        spectra, artifacts, mz = self.spectra, self.artifacts, self.axis.mz
        width_da = np.diff(self.axis.edges)
        level, decay, depth_change = artifacts.baseline_terms
        fall = np.exp(-(mz - spectra.low) / (spectra.baseline_decay_da * decay))
        depth = float(np.clip(spectra.baseline_modulation + depth_change, 0.0, 0.95))
        true_mz = mz * (1 - 1e-6 * artifacts.shift_ppm(mz))
        phase = 2 * np.pi * (true_mz - PROTON_DA) / MASS_RULE_DA
        pattern = 1 + depth * np.sinc(width_da / MASS_RULE_DA) * np.cos(phase)
        ripple = 1 + artifacts.ripple(mz, width_da)
        return spectra.baseline_per_da * level * width_da * fall * pattern * ripple


def _regroup(
    chunks: Iterator[npt.NDArray[np.float32]], block_size: int
) -> Iterator[npt.NDArray[np.float32]]:
    """Cut a stream of rows into blocks of `block_size`, the last one shorter."""
    held: list[npt.NDArray[np.float32]] = []
    n_held = 0
    for chunk in chunks:
        held.append(chunk)
        n_held += len(chunk)
        if n_held >= block_size:
            rows = np.concatenate(held)
            whole = n_held - n_held % block_size
            for start in range(0, whole, block_size):
                yield rows[start : start + block_size]
            held, n_held = ([rows[whole:]], n_held - whole) if n_held > whole else ([], 0)
    if held:
        yield np.concatenate(held)
