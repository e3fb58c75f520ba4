"""The compiled features against numpy's, window by window."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from corespot.audit.indicators.nuisance_features import nuisance_features
from corespot.audit.shares.mass_rule import FORBIDDEN_FROM, mass_rule_distance
from corespot.axis import MzAxis
from corespot.units import PROTON_DA

Floats = npt.NDArray[np.float64]


def axis(n_bins: int) -> MzAxis:
    return MzAxis(np.linspace(800.0, 800.0 + 0.07 * n_bins, n_bins), "linear")


def slowly(x: npt.NDArray[Any], axis: MzAxis) -> Floats:
    """Every range and window by itself, in float64."""
    values = x.astype(np.float32).astype(np.float64)
    bounds = np.searchsorted(axis.mz, np.linspace(axis.mz[0], axis.mz[-1], 5))
    bounds[-1] = axis.n_bins
    columns = []
    for start, stop in pairwise(bounds):
        part, mz = values[:, start:stop], axis.mz[start:stop]
        total = part.sum(axis=1)
        whole = np.where(total > 0, total, np.inf)
        turn = part @ np.exp(2j * np.pi * (mz - PROTON_DA) / 1.000495)
        strength = np.abs(turn)
        unit = np.where(strength > 0, turn / np.where(strength > 0, strength, 1), 0)
        off = mass_rule_distance(mz) > FORBIDDEN_FROM
        second = np.abs(np.diff(part, 2, axis=1)).mean(axis=1) * mz.size
        some, at = part[:, :: max(1, mz.size // 1024)], mz[:: max(1, mz.size // 1024)]
        n_windows = min(max(1, round((at[-1] - at[0]) / 50)), max(1, at.size // 20))
        low = [
            np.percentile(some[:, window], 10, axis=1)
            for window in np.array_split(np.arange(at.size), n_windows)
        ]
        columns += [
            *(unit.real, unit.imag, strength / whole, second / whole),
            part[:, off].sum(axis=1) * (mz.size / max(off.sum(), 1)) / whole,
            np.mean(low, axis=0) * mz.size / whole,
        ]
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("n_bins", [83, 84, 1001, 9001])
@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.float64])
def test_it_equals_numpy(n_bins: int, dtype: type) -> None:
    rng = np.random.default_rng(n_bins)
    x = rng.gamma(0.5, size=(9, n_bins)).astype(dtype)
    x[1] = np.round(x[1])  # ties
    x[2] = 0
    x[3] = 2.5
    x[4, n_bins // 2 :] = 0
    x[5] = np.sort(x[5])
    x[6] = np.sort(x[6])[::-1]
    where = axis(n_bins)
    found, expected = nuisance_features(x, where), slowly(x, where)
    assert isinstance(found, np.ndarray)
    # A constant spectrum has second differences, and a phase, of rounding alone.
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-6)
    np.testing.assert_array_equal(found[2], 0.0)


def test_blocks_and_threads_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    from corespot.audit.indicators import nuisance_features as module

    x = np.random.default_rng(0).gamma(0.5, size=(40, 500)).astype(np.float32)
    expected = nuisance_features(x, axis(500))
    monkeypatch.setattr(module, "_BLOCK_VALUES", 3 * 500)
    for threads in ("1", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        np.testing.assert_array_equal(nuisance_features(x, axis(500)), expected)
    np.testing.assert_array_equal(nuisance_features(x[:0], axis(500)), np.empty((0, 24)))
