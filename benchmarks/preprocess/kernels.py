"""The compiled preprocessing steps against the best library call for each, at 27,286 bins.

Peers work a row at a time, which keeps their passes in the cache, into an array for the whole
block, as ours do; they use one core, as they come. Each note gives processor time on one core, too.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pybaselines
from benchmarks.side_by_side import Row, run, side_by_side
from scipy import ndimage
from scipy.linalg import solveh_banded
from scipy.signal import savgol_filter
from threadpoolctl import threadpool_limits

from corespot.axis import MzAxis
from corespot.preprocess.asls import asls_baseline
from corespot.preprocess.baseline import convolution_baseline, snip_baseline, tophat_baseline
from corespot.preprocess.noise import noise_level
from corespot.preprocess.normalize import tic
from corespot.preprocess.recipe import Recipe
from corespot.preprocess.resample import bin_sticks, interpolate
from corespot.preprocess.smooth import gaussian, savitzky_golay
from corespot.threads import n_threads, one_thread, over_rows

N_BINS = 27_286
N_PEAKS = 5_000
SMOOTHNESS, ASYMMETRY = 1e6, 0.01
BINS = MzAxis.constant_ppm(600, 3300, N_BINS)

Block = npt.NDArray[np.float32]
Peer = Callable[[], object]


def spectra(n: int, seed: int = 0) -> Block:
    """Falling baseline, 400 peaks, noise; no two alike."""
    rng = np.random.default_rng(seed)
    at, peak = np.linspace(0, 1, N_BINS), np.exp(-0.5 * (np.arange(-12, 13) / 3) ** 2)
    out = np.empty((n, N_BINS), dtype=np.float32)
    for row in out:
        row[:] = rng.uniform(50, 200) * np.exp(-rng.uniform(2, 5) * at) + rng.gamma(2, 2, N_BINS)
        for top in rng.integers(12, N_BINS - 13, 400):
            row[top - 12 : top + 13] += rng.gamma(0.5, 100) * peak
    return out


def each(block: Block, call: Callable[[Block], object], *, kept: bool = True) -> Peer:
    """`call` on one row after the other, results put together."""
    out = np.zeros_like(block)

    def work() -> None:
        for i in range(len(block)):
            done = call(block[i : i + 1])
            if kept:
                out[i] = done

    return work


def at_its_best(call: Peer) -> Peer:
    """`call` with BLAS on one thread: on several, its banded solver is three times slower."""

    def work() -> None:
        with threadpool_limits(1):
            call()

    return work


def compared(
    work: str,
    peer: tuple[str, Peer],
    ours: Peer,
    n: int,
    *,
    rounds: int,
    peer_share: float = 1.0,
) -> Row:
    """A row whose note gives spectra a second, and the ratio of processor times."""
    row = side_by_side(f"{work}, {n} spectra", peer, ours, rounds=rounds, peer_share=peer_share)
    theirs_us, ours_us = (cpu_us(call, rounds) / n for call in (peer[1], ours))
    theirs_us /= peer_share
    told = [
        f"{n / row.ours_s:,.0f} spectra/s on {n_threads()} threads",
        f"CPU {theirs_us:,.0f} and {ours_us:,.0f} µs a spectrum, ratio {theirs_us / ours_us:.1f}",
        row.note,
    ]
    return replace(row, note="; ".join(text for text in told if text))


def cpu_us(call: Peer, rounds: int) -> float:
    """Least processor time on one core, which a busy machine blurs less than the clock's."""
    taken = []
    with one_thread(), threadpool_limits(1):
        for _ in range(rounds):
            started = time.process_time()
            call()
            taken.append(time.process_time() - started)
    return min(taken) * 1e6


def asls_banded(block: Block) -> None:
    """scipy's banded Cholesky solver in the usual loop."""
    penalty = np.zeros((3, N_BINS))
    penalty[2], penalty[1, 1:], penalty[0, 2:] = 6, -4, 1
    penalty[2, [0, -1]], penalty[2, [1, -2]], penalty[1, [1, -1]] = 1, 5, -2
    penalty *= SMOOTHNESS
    for values in block.astype(np.float64):
        weights = np.ones(N_BINS)
        for _ in range(51):
            bands = penalty.copy()
            bands[2] += weights
            fit = solveh_banded(
                bands, weights * values, overwrite_ab=True, overwrite_b=True, check_finite=False
            )
            updated = np.where(values > fit, ASYMMETRY, 1 - ASYMMETRY)
            change = np.linalg.norm(updated - weights) / np.linalg.norm(weights)
            weights = updated
            if change < 1e-3:
                break


def convolution_scipy(block: Block) -> npt.NDArray[np.float32]:
    low = ndimage.minimum_filter1d(block, 20, axis=1, mode="nearest")
    smooth = ndimage.uniform_filter1d(low, 20, axis=1, mode="nearest", origin=-1)
    return np.maximum(block - smooth, np.float32(0))


def tophat_scipy(block: Block) -> npt.NDArray[np.float32]:
    low = ndimage.minimum_filter1d(block, 100, axis=1, mode="nearest")
    return block - ndimage.maximum_filter1d(low, 100, axis=1, mode="nearest", origin=-1)


def gaussian_scipy(block: Block) -> npt.NDArray[np.float32]:
    return ndimage.gaussian_filter1d(block, 2.0, axis=1, mode="nearest")


def snip_numpy(block: Block) -> npt.NDArray[np.float64]:
    baseline = block.astype(np.float64)
    for p in range(40, 0, -1):
        middle = (baseline[:, : -2 * p] + baseline[:, 2 * p :]) / 2
        baseline[:, p:-p] = np.minimum(baseline[:, p:-p], middle)
    return baseline


def tic_numpy(block: Block) -> npt.NDArray[np.float32]:
    return block * np.float32(N_BINS / block.sum(dtype=np.float64))


def peak_lists(n: int) -> list[tuple[MzAxis, Block]]:
    """Spectra of 5,000 peaks, each with m/z of its own."""
    rng = np.random.default_rng(1)
    return [
        (
            MzAxis(np.sort(rng.uniform(600, 3300, N_PEAKS))),
            rng.gamma(1, 5, (1, N_PEAKS)).astype(np.float32),
        )
        for _ in range(n)
    ]


def searched(mz: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    return np.searchsorted(BINS.edges, mz, side="right") - 1


def logarithmic(mz: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """What is quick to write for bins of constant ppm; a peak near an edge may go next door."""
    low, high = np.log(BINS.mz[[0, -1]])
    return np.rint((np.log(mz) - low) * ((N_BINS - 1) / (high - low))).astype(np.int64)


def binned_numpy(
    peaks: list[tuple[MzAxis, Block]], bins: Callable[[npt.NDArray[np.float64]], npt.NDArray[Any]]
) -> Peer:
    out = np.zeros((len(peaks), N_BINS), dtype=np.float32)

    def work() -> None:
        for i, (axis, row) in enumerate(peaks):
            out[i] = np.bincount(bins(axis.mz), weights=row[0], minlength=N_BINS)

    return work


def binned_ours(peaks: list[tuple[MzAxis, Block]]) -> Peer:
    """As the reading of peak lists does: every spectrum on its own, some on every core."""
    out = np.zeros((len(peaks), N_BINS), dtype=np.float32)

    def work(part: slice) -> None:
        for i in range(part.start, part.stop):
            axis, row = peaks[i]
            out[i] = bin_sticks(row, axis, BINS)[0]

    return lambda: over_rows(work, len(peaks), chunk=32)


def rows(quick: bool) -> list[Row]:
    rounds = 3 if quick else 5
    n = 96 if quick else 256
    block = spectra(n)
    axis = MzAxis.tof(600, 3300, N_BINS)
    target = MzAxis.tof(601, 3299, N_BINS)
    recipe = Recipe.default()
    peaks = peak_lists(n)
    few = 4 if quick else 16
    share: dict[str, Any] = {"rounds": rounds, "peer_share": few / n}
    pybaseline = pybaselines.Baseline()
    return [
        compared(
            "asymmetric least squares",
            ("scipy solveh_banded", at_its_best(lambda: asls_banded(block[:few]))),
            lambda: asls_baseline(block, smoothness=SMOOTHNESS, asymmetry=ASYMMETRY),
            n,
            **share,
        ),
        compared(
            "asymmetric least squares",
            (
                "pybaselines asls",
                at_its_best(
                    each(block[:few], lambda row: pybaseline.asls(row[0], SMOOTHNESS, ASYMMETRY)[0])
                ),
            ),
            lambda: asls_baseline(block, smoothness=SMOOTHNESS, asymmetry=ASYMMETRY),
            n,
            **share,
        ),
        compared(
            "top-hat, width 100",
            ("scipy minimum and maximum_filter1d", each(block, tophat_scipy)),
            lambda: tophat_baseline(block, width=100),
            n,
            rounds=rounds,
        ),
        compared(
            "SNIP, half window 40",
            ("numpy, a pass each window", each(block[: 4 * few], snip_numpy)),
            lambda: snip_baseline(block, half_window=40),
            n,
            rounds=rounds,
            peer_share=4 * few / n,
        ),
        compared(
            "SNIP, half window 40",
            (
                "pybaselines snip",
                each(block[:few], lambda row: pybaseline.snip(row[0], 40, decreasing=True)[0]),
            ),
            lambda: snip_baseline(block, half_window=40),
            n,
            **share,
        ),
        compared(
            f"binning {N_PEAKS} peaks each",
            ("numpy searchsorted and bincount", binned_numpy(peaks, searched)),
            binned_ours(peaks),
            n,
            rounds=rounds,
        ),
        compared(
            f"binning {N_PEAKS} peaks each",
            ("numpy log and bincount, edges not exact", binned_numpy(peaks, logarithmic)),
            binned_ours(peaks),
            n,
            rounds=rounds,
        ),
        compared(
            "convolution baseline, width 20",
            ("scipy minimum and uniform_filter1d", each(block, convolution_scipy)),
            lambda: convolution_baseline(block, width=20),
            n,
            rounds=rounds,
        ),
        compared(
            "total ion count",
            ("numpy", each(block, tic_numpy)),
            lambda: tic(block, total=float(N_BINS)),
            n,
            rounds=rounds,
        ),
        compared(
            "resampling, one axis",
            ("numpy interp", each(block, lambda row: np.interp(target.mz, axis.mz, row[0]))),
            lambda: interpolate(block, axis, target),
            n,
            rounds=rounds,
        ),
        compared(
            "Savitzky–Golay, window 9",
            ("scipy savgol_filter", each(block, lambda row: savgol_filter(row, 9, 2, axis=1))),
            lambda: savitzky_golay(block, window=9, order=2),
            n,
            rounds=rounds,
        ),
        compared(
            "Gaussian, sigma 2",
            ("scipy gaussian_filter1d", each(block, gaussian_scipy)),
            lambda: gaussian(block, sigma=2.0),
            n,
            rounds=rounds,
        ),
        compared(
            "noise level",
            (
                "numpy median of differences",
                each(block, lambda row: np.median(np.abs(np.diff(row[0]))), kept=False),
            ),
            lambda: noise_level(block),
            n,
            rounds=rounds,
        ),
        compared(
            "default recipe (convolution baseline, total ion count)",
            ("scipy and numpy", each(block, lambda row: tic_numpy(convolution_scipy(row)))),
            lambda: recipe.apply(block, axis, axis),
            n,
            rounds=rounds,
        ),
    ]


if __name__ == "__main__":
    run(rows, __doc__)
