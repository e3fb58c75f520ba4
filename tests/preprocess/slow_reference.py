"""The steps in plain numpy and scipy, as slow as they are plain: what the kernels must equal."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy import ndimage, signal
from scipy.linalg import solveh_banded


def convolution(spectra, width):
    data = spectra.astype(np.float64)
    envelope = ndimage.minimum_filter1d(data, width, axis=1, mode="nearest")
    mirror = -1 if width % 2 == 0 else 0
    smooth = ndimage.uniform_filter1d(envelope, width, axis=1, mode="nearest", origin=mirror)
    floor = data.min(axis=1, keepdims=True)
    return np.minimum(np.maximum(smooth, floor), data)


def opening(spectra, width):
    data = spectra.astype(np.float64)
    low = ndimage.minimum_filter1d(data, width, axis=1, mode="nearest")
    mirror = -1 if width % 2 == 0 else 0
    opened = ndimage.maximum_filter1d(low, width, axis=1, mode="nearest", origin=mirror)
    return np.minimum(opened, data)


def clipped(spectra, half_window, *, decreasing):
    baseline = spectra.astype(np.float64)
    for p in range(half_window, 0, -1) if decreasing else range(1, half_window + 1):
        middle = (baseline[:, : -2 * p] + baseline[:, 2 * p :]) / 2
        baseline[:, p:-p] = np.minimum(baseline[:, p:-p], middle)
    return baseline


def asls(spectra, smoothness, asymmetry, max_iterations=50, tolerance=1e-3):
    """Baseline, and how many times the system of each row was solved."""
    n = spectra.shape[1]
    second = np.diff(np.eye(n), 2, axis=0)
    penalty = np.zeros((3, n))
    for offset in range(3):
        penalty[2 - offset, offset:] = smoothness * np.diagonal(second.T @ second, offset)
    baseline, rounds = np.empty(spectra.shape), np.zeros(len(spectra), dtype=int)
    for row, values in enumerate(spectra.astype(np.float64)):
        weights = np.ones(n)
        for _ in range(max_iterations + 1):
            bands = penalty.copy()
            bands[2] += weights
            baseline[row] = solveh_banded(bands, weights * values)
            rounds[row] += 1
            updated = np.where(values > baseline[row], asymmetry, 1 - asymmetry)
            change = np.linalg.norm(updated - weights) / np.linalg.norm(weights)
            weights = updated
            if change < tolerance:
                break
    return baseline, rounds


def above(spectra, baseline):
    return np.maximum(spectra.astype(np.float64) - baseline, 0.0).astype(np.float32)


def row_sums(spectra, *, squared):
    data = spectra.astype(np.float64)
    return np.array([(row**2 if squared else np.abs(row)).sum() for row in data])


def divide(spectra, by, floor=1e-12):
    usable = by > floor
    factor = np.where(usable, 1.0 / np.where(usable, by, 1.0), 0.0)
    return (spectra.astype(np.float64) * factor[:, None]).astype(np.float32)


def median_positive(spectra):
    positive = [row[row > 0].astype(np.float64) for row in spectra]
    return np.array([np.median(row) if row.size else 0.0 for row in positive])


def noise(spectra):
    steps = np.abs(np.diff(spectra.astype(np.float64), axis=1))
    return 1.4826 * np.median(steps, axis=1) / np.sqrt(2)


def interpolate(spectra, axis, target):
    out = np.zeros((len(spectra), target.n_bins), dtype=np.float32)
    slack = 1e-12 * axis.mz[-1]
    inside = (target.mz >= axis.mz[0] - slack) & (target.mz <= axis.mz[-1] + slack)
    wanted = np.clip(target.mz[inside], axis.mz[0], axis.mz[-1])
    right = np.clip(np.searchsorted(axis.mz, wanted), 1, axis.n_bins - 1)
    weight = (wanted - axis.mz[right - 1]) / (axis.mz[right] - axis.mz[right - 1])
    data = spectra.astype(np.float64)
    low = data[:, right - 1]
    out[:, inside] = low + (data[:, right] - low) * weight
    out[:, np.flatnonzero(inside)[weight == 1.0]] = spectra[:, right[weight == 1.0]]
    return out


def rebin(spectra, axis, target):
    data = spectra.astype(np.float64)
    cumulative = np.zeros((len(data), axis.n_bins + 1))
    np.cumsum(data, axis=1, out=cumulative[:, 1:])
    edges = np.clip(target.edges, axis.edges[0], axis.edges[-1])
    right = np.clip(np.searchsorted(axis.edges, edges), 1, axis.n_bins)
    weight = (edges - axis.edges[right - 1]) / (axis.edges[right] - axis.edges[right - 1])
    out = np.diff(cumulative[:, right - 1] + data[:, right - 1] * weight, axis=1)
    positive = data.min(axis=1) >= 0
    out[positive] = np.maximum(out[positive], 0.0)
    return out.astype(np.float32)


def bins(axis, mz):
    found = np.searchsorted(axis.edges, mz, side="right") - 1
    found[mz == axis.edges[-1]] = axis.n_bins - 1
    found[~((mz >= axis.edges[0]) & (mz <= axis.edges[-1]))] = -1
    return found


def bin_sticks(spectra, axis, target):
    found = bins(target, axis.mz)
    inside = found >= 0
    rows = [
        np.bincount(found[inside], weights=row[inside], minlength=target.n_bins) for row in spectra
    ]
    return np.array(rows).astype(np.float32).reshape(len(spectra), target.n_bins)


def savgol(spectra, window, order):
    data = spectra.astype(np.float64)
    centre = signal.savgol_coeffs(window, order)
    smooth = ndimage.convolve1d(data, centre, axis=1, mode="nearest")
    for at in range(window // 2):
        for column, first in ((at, 0), (-1 - at, data.shape[1] - window)):
            position = at if column >= 0 else window - 1 - at
            weights = signal.savgol_coeffs(window, order, pos=position, use="dot")
            total = np.zeros(len(data))
            for offset, weight in enumerate(weights):
                total += weight * data[:, first + offset]
            smooth[:, column] = total
    return smooth.astype(np.float32)


def gaussian(spectra, sigma):
    data = spectra.astype(np.float64)
    smooth = ndimage.gaussian_filter1d(data, sigma, axis=1, mode="nearest", truncate=4.0)
    return smooth.astype(np.float32)


def maxima(spectra, snr, half_window, measure):
    highest = ndimage.maximum_filter1d(spectra, 2 * half_window + 1, axis=1, mode="nearest")
    rises = np.ones(spectra.shape, dtype=bool)
    rises[:, 1:] = spectra[:, 1:] > spectra[:, :-1]
    least = snr * noise(spectra)
    keep = (spectra == highest) & rises & (spectra > 0) & (spectra >= least[:, None])
    if measure == "height":
        return np.where(keep, spectra, 0.0).astype(np.float32)
    data = spectra.astype(np.float64)
    area = ndimage.convolve1d(data, np.ones(2 * half_window + 1), axis=1, mode="constant")
    return np.where(keep, area, 0.0).astype(np.float32)


def listed(spectra, axis, peaks, tolerance, measure):
    out = np.zeros((len(spectra), peaks.n_bins), dtype=np.float32)
    for column, mz in enumerate(peaks.mz):
        window = spectra[:, axis.window(float(mz), tolerance)]
        if window.shape[1] and measure == "height":
            out[:, column] = window.max(axis=1)
        elif window.shape[1]:
            out[:, column] = [row.astype(np.float64).sum() for row in window]
    return out


def shifted(spectra, axis, ends, low, high):
    out = np.array(spectra, copy=True)
    position = (axis.mz - ends[0]) / (ends[1] - ends[0])
    for row in range(len(spectra)):
        error = low[row] + (high[row] - low[row]) * position
        if low[row] or high[row]:
            out[row] = np.interp(axis.mz + error * axis.mz / 1e6, axis.mz, spectra[row])
    return out


def peptide_rule(spectra, axis, max_ppm):
    """Every correction on the grid scored for one spectrum after the other."""
    spacing, proton = 1.000495, 1.007276466
    low, high = max(500.0, axis.mz[0]), min(4000.0, axis.mz[-1])
    n_segments = max(int((high - low) / 100.0), 1)
    cuts = np.searchsorted(axis.mz, np.linspace(low, high, n_segments + 1))
    pairs = [(a, b) for a, b in pairwise(cuts) if b > a]
    angle = 2 * np.pi * (axis.mz - proton) / spacing
    centres = np.array([axis.mz[a:b].mean() for a, b in pairs])
    position = (centres - low) / (high - low)
    coarse = max_ppm / max(round(max_ppm / 25), 1)
    found = []
    for row in spectra.astype(np.float64):
        parts = [row[a:b] - row[a:b].mean() for a, b in pairs]
        sums = [
            [(part * wave[a:b]).sum() for part, (a, b) in zip(parts, pairs, strict=True)]
            for wave in (np.cos(angle), np.sin(angle))
        ]
        at = (0.0, 0.0)
        for step, reach in ((coarse, round(max_ppm / coarse)), (coarse / 5, 5), (coarse / 25, 5)):
            span = range(-reach, reach + 1)
            moves = sorted(
                [(i, j) for i in span for j in span], key=lambda m: abs(m[0]) + abs(m[1])
            )
            best, around = -np.inf, at
            for i, j in moves:
                first, last = around[0] + i * step, around[1] + j * step
                error = first + (last - first) * position
                turn = 2 * np.pi * (error * centres / 1e6) / spacing
                score = 0.0
                for real, imaginary, angle_ in zip(*sums, turn, strict=True):
                    score += real * np.cos(angle_) + imaginary * np.sin(angle_)
                if score > best:
                    best, at = score, (first, last)
        found.append(at)
    return tuple(np.array(found).reshape(-1, 2).T)
