"""Sensitivity of rows that are read when they are asked for: the same as of rows in memory."""

from __future__ import annotations

import numpy as np
import pytest

from corespot.axis import MzAxis
from corespot.explain.sensitivity import bin_sd, sensitivity_profile
from corespot.models.spectra_rows import SpectraRows
from corespot.train.estimator import make_estimator

SETTINGS = {
    "isotopenet": {"epochs": 1, "batch_size": 16},
    "roc_lda": {"k": 5},
    "logistic": {"max_iterations": 20},
}


@pytest.mark.parametrize("model", SETTINGS)
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_it_is_the_same(model: str, dtype: type) -> None:
    rng = np.random.default_rng(0)
    stored = rng.gamma(2.0, size=(90, 120)).astype(dtype)
    rows = np.sort(rng.permutation(90)[:64])
    y = np.arange(64) % 2
    axis = MzAxis(np.linspace(800.0, 1000.0, 120), "linear")
    estimator = make_estimator(model, SETTINGS[model], seed=0, device="cpu")
    held = stored[rows].astype(np.float32)
    estimator.fit(held, y)
    unread = SpectraRows(stored, rows)
    np.testing.assert_array_equal(bin_sd(unread), bin_sd(held))
    found, expected = (
        sensitivity_profile(estimator, x, axis=axis, classes=["0", "1"]) for x in (unread, held)
    )
    np.testing.assert_allclose(found.probability, expected.probability, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(found.logit, expected.logit, rtol=1e-6, atol=1e-12)
