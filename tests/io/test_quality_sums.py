"""Sums and counts of the quality tables against plain numpy, with any number of threads."""

from __future__ import annotations

import numpy as np
import pytest

from corespot.axis import MzAxis
from corespot.io.preprocessed_quality import QualityTally, _add_rows, _sum_of, _zero_fraction
from corespot.preprocess.recipe import Recipe
from corespot.preprocess.resample import Resample


def block(n: int, n_bins: int) -> np.ndarray:
    rng = np.random.default_rng(n * n_bins)
    values = (rng.normal(size=(n, n_bins)) * 10.0 ** rng.integers(-9, 9, (n, n_bins))).astype("f4")
    values[rng.random((n, n_bins)) < 0.3] = 0
    values[rng.random((n, n_bins)) < 0.1] = -0.0
    return values


@pytest.mark.parametrize("threads", ["1", "2", "5"])
@pytest.mark.parametrize(("n", "n_bins"), [(1, 1), (1, 7), (3, 2), (40, 1001), (76, 3000)])
def test_sums_and_counts(
    n: int, n_bins: int, threads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    values = block(n, n_bins)
    assert np.array_equal(_zero_fraction(values), (values == 0).mean(axis=1))
    for rows in (np.arange(n), np.arange(n)[::3], np.arange(0)):
        ours = _sum_of(values, rows)
        slow = np.zeros(n_bins)
        for row in rows:
            slow += values[row].astype(np.float64)
        assert np.array_equal(ours, slow)
        if n_bins > 1:
            assert np.array_equal(ours, values[rows].sum(axis=0, dtype=np.float64))
        total = slow.copy()
        _add_rows(values, rows, total)
        for row in rows:
            slow += values[row].astype(np.float64)
        assert np.array_equal(total, slow)


@pytest.mark.parametrize("kind", ["profile", "centroid"])
def test_spectra_of_a_processed_file_one_by_one(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    axis = MzAxis.tof(800.0, 900.0, 300)
    onto = Resample().resolved(kind)
    lengths = [50, 0, 1, 2, 200, 3, 77]
    spectra = [
        (np.sort(rng.uniform(790, 910, k)), rng.gamma(2, 5, k).astype(np.float32)) for k in lengths
    ]
    done = block(len(spectra), axis.n_bins)
    tmas = np.array(["A", "B", "A", "A", "B", "B", "A"])
    tables = {}
    for threads in ("1", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        tally = QualityTally(tmas, axis, kind, Recipe((onto,)))
        tally.add_spectra(slice(0, 4), spectra[:4], done[:4])
        tally.add_spectra(slice(4, 7), spectra[4:], done[4:])
        tables[threads] = tally.tables()
        for name in "AB":
            expected = np.zeros(axis.n_bins)
            for i in np.flatnonzero((tmas == name) & (np.array(lengths) > 0)):
                raw, own = spectra[i][1][None, :], MzAxis(spectra[i][0])
                expected += onto.apply(raw, own, axis)[0][0]
            means = tables[threads].mean_spectra
            ours = means[means.tma == name]["raw_mean"]
            assert np.allclose(ours, expected / (tmas == name).sum(), rtol=1e-6)
        assert tally.empty.tolist() == [k == 0 for k in lengths]
    for name, table in tables["1"].tables().items():
        assert table.equals(tables["3"].tables()[name])
