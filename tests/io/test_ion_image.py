"""Ion images read from a store: the numbers, and what cannot be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from corespot.axis import MzAxis
from corespot.errors import StoreError
from corespot.io.ion_image import mean_of_bins
from corespot.io.store import SpectraStore, create_store


@pytest.fixture(params=["float32", "float16"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> SpectraStore:
    rng = np.random.default_rng(5)
    axis = MzAxis.equidistant(800, 900, 37)
    spots = pd.DataFrame({"core": np.arange(600)})
    with create_store(
        tmp_path / "store", spots=spots, axis=axis, meta={}, dtype=request.param, scale=8.0
    ) as writer:
        writer.write(slice(0, 600), rng.random((600, 37)))
    return SpectraStore.open(tmp_path / "store")


@pytest.mark.parametrize("bins", [slice(4, 9), slice(36, 37), slice(0, 37)])
def test_an_image_is_the_mean_of_its_bins(store: SpectraStore, bins: slice) -> None:
    rows = np.random.default_rng(1).permutation(600)[:550]
    image = mean_of_bins(store, bins, rows)
    wanted = store.take(rows)[:, bins].mean(axis=1) / 8.0
    assert image.shape == (550,) and image.dtype == np.float32
    assert np.allclose(image, wanted, rtol=1e-5)


def test_rows_and_bins_that_are_not_there_are_told(store: SpectraStore) -> None:
    assert mean_of_bins(store, slice(0, 1), np.array([], dtype=np.int64)).size == 0
    for row in (600, -1):
        with pytest.raises(StoreError, match="not in a store of 600"):
            mean_of_bins(store, slice(0, 1), np.array([0, row]))
    with pytest.raises(ValueError, match="at least one bin"):
        mean_of_bins(store, slice(3, 3), np.array([0]))
