"""The door to spectra: numbers, windows, and stores that are not the run's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from app_projects import run_ids

from app.data import runs, spectra
from app.data.runs import LoggedRun
from corespot.errors import StoreError
from corespot.io.store import SpectraStore
from corespot.units import Tolerance

pytestmark = pytest.mark.slow


@pytest.fixture
def opened(own_project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(own_project)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    st.cache_resource.clear()
    yield own_project
    st.cache_resource.clear()


def the_run(project: Path, name: str = "LP roc_lda") -> LoggedRun:
    return runs.run_of(run_ids(project)[name])


def test_an_ion_image_is_the_mean_of_its_window(opened: Path) -> None:
    run, store = the_run(opened), SpectraStore.open(opened / "data" / "store")
    rows = runs.spots(run)["row"].to_numpy()
    mz = float(store.axis.mz[2000])
    for tolerance in (Tolerance(0.5, "da"), Tolerance(400, "ppm")):
        low, high = tolerance.bounds(mz)
        inside = (store.axis.mz >= low) & (store.axis.mz <= high)
        assert inside.sum() > 1
        image = spectra.ion_image(run, mz, tolerance)
        wanted = store.take(rows)[:, inside].mean(axis=1) / store.scale
        assert np.allclose(image, wanted, rtol=1e-5, atol=0)
        window = spectra.ion_window(run, mz, tolerance)
        assert (window.n_bins, window.nearest) == (inside.sum(), False)
        assert low <= window.low < window.high <= high


def test_a_window_without_a_bin_takes_the_nearest(opened: Path) -> None:
    run, store = the_run(opened), SpectraStore.open(opened / "data" / "store")
    mz = float(store.axis.mz[100] * 0.6 + store.axis.mz[101] * 0.4)
    window = spectra.ion_window(run, mz, Tolerance(1e-4, "ppm"))
    assert window.nearest and window.bins == slice(100, 101)
    rows = runs.spots(run)["row"].to_numpy()
    image = spectra.ion_image(run, mz, Tolerance(1e-4, "ppm"))
    assert np.allclose(image, store.take(rows)[:, 100] / store.scale)


@pytest.mark.parametrize("mz", [1.0, 1e6])
def test_an_ion_that_was_not_measured_is_told(opened: Path, mz: float) -> None:
    with pytest.raises(StoreError, match="was not measured"):
        spectra.ion_image(the_run(opened), mz, Tolerance(0.5, "da"))


def test_means_of_cores_and_classes_have_one_unit(opened: Path) -> None:
    run, store = the_run(opened, "ADSQ roc_lda"), SpectraStore.open(opened / "data" / "store")
    table = runs.spots(run)
    first = table.iloc[0]
    same = table[(table["tma"] == first["tma"]) & (table["core"] == first["core"])]
    mean = spectra.mean_spectrum(run, first["tma"], first["core"])
    assert np.allclose(mean, store.take(same["row"].to_numpy()).mean(axis=0) / store.scale)
    means = spectra.class_spectra(run)
    assert list(means) == ["AD", "SQ"]
    rows = table.loc[table["class"] == "SQ", "row"].to_numpy()
    assert np.allclose(means["SQ"], store.take(rows).mean(axis=0) / store.scale, rtol=1e-4)
    taken = spectra.spectra_of(run, (int(rows[3]),))
    assert np.allclose(taken, store.take(rows[3:4]) / store.scale)


def test_what_is_not_there_is_told(opened: Path) -> None:
    run = the_run(opened)
    with pytest.raises(StoreError, match="no spot of core"):
        spectra.mean_spectrum(run, "TMA01", "../../x")
    with pytest.raises(StoreError, match="the store has"):
        spectra.spectra_of(run, (10**7,))


def test_a_run_of_another_store_gets_no_spectra(opened: Path) -> None:
    run = the_run(opened)
    assert spectra.store_of(run).n_spots
    other = replace(run, tags={**run.tags, "dvc.store": "0123456789abcdef.dir"})
    with pytest.raises(StoreError, match="01234567"):
        spectra.ion_image(other, 1000.0, Tolerance(0.5, "da"))


def test_a_store_that_is_replaced_is_noticed_at_once(opened: Path) -> None:
    run = the_run(opened)
    spectra.store_of(run)
    lock = opened / "dvc.lock"
    lock.write_text(lock.read_text().replace(run.tags["dvc.store"], "f" * 32 + ".dir"))
    with pytest.raises(StoreError, match="ffffffff"):
        spectra.store_of(run)
