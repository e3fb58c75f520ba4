"""A second cohort on the axis of the first: the same spectra give the same rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from corespot.axis import MzAxis
from corespot.cohort.tables import Cohort
from corespot.errors import RecipeError, StoreError
from corespot.io import second_store
from corespot.io.cohort_folder import load_cohort, write_cohort
from corespot.io.preprocessed import preprocess_cohort
from corespot.io.second_store import preprocess_second
from corespot.io.store import SpectraStore
from corespot.preprocess.recipe import PreprocessSettings

AXIS = MzAxis.tof(800.0, 1000.0, 1200)
RECIPE = [
    {"step": "baseline", "method": "convolution", "width": 20},
    {"step": "normalize", "method": "tic"},
]


def spectra(n: int, axis: MzAxis = AXIS, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    shape = np.exp(-0.5 * ((axis.mz[:, None] - np.arange(810.4, 995, 15)) / 0.4) ** 2)
    heights = rng.gamma(5, 10, (n, shape.shape[1]))
    return (heights @ shape.T + 20 + rng.random((n, axis.n_bins))).astype(np.float32)


def cohort(folder: Path, files: dict[str, np.ndarray], axis: MzAxis = AXIS) -> Cohort:
    """A cohort of one TMA a file."""
    tables, cores, measurements = [], [], []
    for name, block in files.items():
        places = np.stack([np.arange(len(block)) + 1, np.ones(len(block), int)], axis=1)
        at = np.column_stack([places, np.ones(len(block), int)])
        tables.append(pd.DataFrame({"file": name, "x": at[:, 0], "y": 1, "core": f"c{name}"}))
        cores.append({"core": f"c{name}", "tma": name, "patient": name})
        measurements.append((name, at, [block], axis.mz))
    spots = pd.concat(tables)
    write_cohort(folder, spots=spots, cores=pd.DataFrame(cores), measurements=measurements)
    return load_cohort(folder)


def first_store(tmp_path: Path, block: np.ndarray, dtype: str = "float32") -> SpectraStore:
    section = {"axis": {"kind": "auto"}, "dtype": dtype, "recipe": RECIPE}
    preprocess_cohort(
        tmp_path / "a",
        tmp_path / "store",
        cohort=cohort(tmp_path / "a", {"one.imzML": block}),
        settings=PreprocessSettings.parse(section, "preprocess"),
        progress=None,
    )
    return SpectraStore.open(tmp_path / "store")


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_same_spectra_give_the_same_rows(tmp_path: Path, dtype: str):
    block = spectra(9)
    first = first_store(tmp_path, block, dtype)
    again = cohort(tmp_path / "b", {"two.imzML": block[:4], "x.imzML": block[4:]})
    second = preprocess_second(tmp_path / "b", tmp_path / "out", cohort=again, like=first)
    assert second.axis == first.axis and second.scale == first.scale
    assert second.spectra.dtype == first.spectra.dtype
    np.testing.assert_array_equal(second.spectra, first.spectra)
    assert second.meta["recipe"] == first.meta["recipe"]
    assert second.spots["tma"].tolist() == ["two.imzML"] * 4 + ["x.imzML"] * 5


@pytest.mark.parametrize("size", [2, 256])
def test_a_table_that_names_files_in_turn_keeps_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
):
    monkeypatch.setattr(second_store, "_BLOCK", size)
    block = spectra(10)
    first = first_store(tmp_path, block)
    files = {"x.imzML": block[:5], "y.imzML": block[5:]}
    read = cohort(tmp_path / "b", files)
    again = replace(read, spots=read.spots.sort_values(["x", "file"], kind="stable"))
    assert again.spots["file"].tolist()[:4] == ["x.imzML", "y.imzML"] * 2
    second = preprocess_second(tmp_path / "b", tmp_path / "out", cohort=again, like=first)
    order = np.stack([np.arange(5), np.arange(5, 10)], axis=1).ravel()
    np.testing.assert_array_equal(second.spectra, first.spectra[order])


def test_a_narrower_range_is_refused_and_leaves_nothing(tmp_path: Path):
    first = first_store(tmp_path, spectra(4))
    narrow = MzAxis.tof(850.0, 1000.0, 900)
    other = cohort(tmp_path / "b", {"n.imzML": spectra(3, narrow)}, narrow)
    with pytest.raises(StoreError, match=r"n\.imzML of the second cohort reaches from m/z 850"):
        preprocess_second(tmp_path / "b", tmp_path / "out", cohort=other, like=first)
    assert not (tmp_path / "out").exists()
    wide = MzAxis.tof(790.0, 1010.0, 1400)
    other = cohort(tmp_path / "c", {"w.imzML": spectra(3, wide)}, wide)
    second = preprocess_second(tmp_path / "c", tmp_path / "out", cohort=other, like=first)
    np.testing.assert_allclose(second.spectra.mean(axis=1), 1.0, rtol=1e-3)


def test_a_spectrum_that_the_steps_do_not_fit_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    first = first_store(tmp_path, spectra(4))
    other = cohort(tmp_path / "b", {"n.imzML": spectra(3)})

    def fail(*_: object) -> None:
        raise RecipeError("it does not fit")

    monkeypatch.setattr(second_store, "apply_recipe", fail)
    with pytest.raises(RecipeError, match=r"n\.imzML, spectrum 0: it does not fit"):
        preprocess_second(tmp_path / "b", tmp_path / "out", cohort=other, like=first)
