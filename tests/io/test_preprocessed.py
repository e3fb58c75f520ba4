"""From a cohort folder to a store: row order, axes, blocks, quality, real data."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pandas as pd
import pytest

from corespot.axis import MzAxis
from corespot.cohort.tables import Cohort
from corespot.errors import RecipeError
from corespot.io import preprocessed
from corespot.io.cohort_folder import load_cohort, write_cohort
from corespot.io.imzml import open_imzml, write_processed_imzml
from corespot.io.preprocessed import preprocess_cohort
from corespot.io.store import SpectraStore
from corespot.preprocess.recipe import PreprocessSettings, apply_recipe

AXIS = MzAxis.tof(800.0, 1200.0, 2000)
PEAKS = np.linspace(830.4, 1180.6, 12)


def profile(rng, axis, n, shift_ppm=0.0):
    """Noisy Gaussian peaks on a sloping baseline."""
    centres = PEAKS * (1 + shift_ppm * 1e-6)
    shape = np.exp(-0.5 * ((axis.mz[:, None] - centres) / 0.4) ** 2)
    heights = rng.gamma(5, 10, (n, PEAKS.size))
    baseline = np.linspace(30, 10, axis.n_bins)
    return (heights @ shape.T + baseline + rng.random((n, axis.n_bins))).astype(np.float32)


def positions(n):
    return np.stack([np.arange(n) + 1, np.ones(n, int), np.ones(n, int)], axis=1)


@pytest.fixture
def make_cohort(tmp_path):
    """Write a cohort of continuous files from {file: (axis, spectra)}; one TMA a file."""

    def make(files):
        spots, cores, measurements = [], [], []
        for number, (file, (axis, spectra)) in enumerate(files.items()):
            at = positions(len(spectra))
            core = f"c{number}"
            spots.append(pd.DataFrame({"file": file, "x": at[:, 0], "y": at[:, 1], "core": core}))
            cores.append({"core": core, "tma": f"T{number}", "patient": f"p{number}"})
            measurements.append((file, at, [spectra], axis.mz))
        folder = tmp_path / "cohort"
        cohort = write_cohort(
            folder, spots=pd.concat(spots), cores=pd.DataFrame(cores), measurements=measurements
        )
        return folder, cohort

    return make


def run(folder, cohort, out, **section):
    told = []
    quality = preprocess_cohort(
        folder,
        out,
        cohort=cohort,
        settings=PreprocessSettings.parse(section, "preprocess"),
        progress=told.append,
    )
    return SpectraStore.open(out), quality, told


def test_rows_follow_the_spot_table_and_single_spectra_agree_to_the_bit(
    make_cohort, tmp_path, monkeypatch
):
    rng = np.random.default_rng(0)
    raw = {name: (AXIS, profile(rng, AXIS, n)) for name, n in (("a.imzML", 13), ("b.imzML", 5))}
    raw["a.imzML"][1][3] = 0
    folder, cohort = make_cohort(raw)
    shuffled = Cohort(
        cohort.spots.sample(frac=1, random_state=1).reset_index(drop=True),
        cohort.cores,
        cohort.files,
        cohort.n_background,
    )
    store, quality, told = run(folder, shuffled, tmp_path / "store")
    monkeypatch.setattr(preprocessed, "BLOCK_BYTES", 3 * 8 * AXIS.n_bins)
    small, _, _ = run(folder, cohort, tmp_path / "small")
    order = shuffled.spots.merge(
        cohort.spots.reset_index()[["file", "spectrum", "index"]], on=["file", "spectrum"]
    )["index"]
    assert np.array_equal(store.spectra, small.spectra[order.to_numpy()])
    for row, (file, spectrum) in enumerate(
        zip(store.spots.file, store.spots.spectrum, strict=True)
    ):
        alone = apply_recipe(store.meta["recipe"], AXIS.mz, raw[file][1][spectrum], store.axis)
        assert np.array_equal(alone, store.spectra[row])
    assert store.axis.mz.tolist() == AXIS.mz.tolist()
    assert store.meta["data_kind"] == "profile"
    assert store.meta["skipped"] == []
    assert store.meta["n_empty"] == 1
    assert "1 of 18 spots are empty and stay zero" in told
    full = store.spectra.sum(axis=1) > 0
    assert np.allclose(store.spectra[full].mean(axis=1), 1, rtol=1e-5)
    assert quality.spots["empty"].sum() == 1


def test_different_axes_meet_and_the_shift_of_a_tma_is_seen(make_cohort, tmp_path):
    rng = np.random.default_rng(1)
    other = MzAxis.tof(790.0, 1190.0, 2100)
    folder, cohort = make_cohort(
        {
            "a.imzML": (AXIS, profile(rng, AXIS, 30)),
            "b.imzML": (other, profile(rng, other, 30)),
            "c.imzML": (AXIS, profile(rng, AXIS, 30, shift_ppm=150)),
        }
    )
    store, quality, told = run(folder, cohort, tmp_path / "store")
    assert store.axis.kind == "tof"
    assert store.axis.mz[0] == pytest.approx(800)
    assert store.axis.mz[-1] == pytest.approx(1190)
    assert any("axes differ" in line for line in told)
    shift = quality.tmas.set_index("tma")["mass_shift_ppm"]
    assert shift["T2"] - shift["T0"] == pytest.approx(150, abs=40)
    assert abs(shift["T1"] - shift["T0"]) < 20
    assert set(quality.tables()) == {"tmas", "spots", "mean_spectra"}
    means = quality.mean_spectra
    assert list(means.columns) == ["tma", "mz", "raw_mean", "preprocessed_mean"]
    assert len(means) == 3 * store.axis.n_bins
    expected = np.asarray(store.spectra[:30], dtype=float).mean(axis=0)
    assert np.allclose(means[means.tma == "T0"]["preprocessed_mean"], expected, rtol=1e-5)


@pytest.mark.parametrize("kind", ["profile", "centroid"])
def test_processed_files_are_brought_to_one_axis(tmp_path, kind):
    rng = np.random.default_rng(2)
    folder = tmp_path / "cohort"
    folder.mkdir()
    spectra = []
    for _ in range(9):
        if kind == "profile":
            axis = MzAxis.tof(800 + rng.random(), 1200 - rng.random(), 2000)
            spectra.append((axis.mz, profile(rng, axis, 1)[0]))
        else:
            mz = np.sort(rng.uniform(800, 1200, 60))
            spectra.append((mz, rng.gamma(2, 5, 60).astype(np.float32)))
    write_processed_imzml(
        folder / "a.imzML",
        coordinates=positions(9),
        spectra=spectra,
        profile=kind == "profile",
    )
    spots = pd.DataFrame({"file": "a.imzML", "x": range(1, 10), "y": 1, "core": "c"})
    spots.to_csv(folder / "spots.csv", index=False)
    pd.DataFrame({"core": ["c"], "tma": ["T"], "patient": ["p"]}).to_csv(
        folder / "cores.csv", index=False
    )
    store, quality, told = run(folder, load_cohort(folder), tmp_path / "store")
    assert store.axis.kind == ("tof" if kind == "profile" else "ppm")
    assert store.meta["data_kind"] == kind
    assert bool(store.meta["skipped"]) == (kind == "centroid")
    assert any("processed mode" in line for line in told)
    for row, (mz, intensity) in enumerate(spectra):
        alone = apply_recipe(store.meta["recipe"], mz, intensity, store.axis)
        assert np.array_equal(alone, store.spectra[row])
    assert np.allclose(store.spectra.mean(axis=1), 1, rtol=1e-5)
    raw_total = np.mean([intensity.sum() for _, intensity in spectra])
    assert quality.tmas["tic_median"].iat[0] == pytest.approx(raw_total, rel=0.3)


def test_listed_peaks_make_the_axis(make_cohort, tmp_path):
    folder, cohort = make_cohort({"a.imzML": (AXIS, profile(np.random.default_rng(0), AXIS, 6))})
    listed = {"step": "peaks", "method": "listed", "mz": PEAKS.tolist(), "tolerance": "0.5 Da"}
    store, quality, _ = run(folder, cohort, tmp_path / "store", recipe=[listed])
    assert store.spectra.shape == (6, 12)
    with open_imzml(folder / "a.imzML") as file:
        raw = file.intensity_block(np.arange(6))
    window = np.abs(AXIS.mz - PEAKS[4]) <= 0.5
    assert np.array_equal(store.spectra[:, 4], raw[:, window].max(axis=1))
    assert len(quality.mean_spectra) == 12
    with pytest.raises(RecipeError, match="remove one of the two"):
        run(folder, cohort, tmp_path / "no", recipe=[listed], axis={"low": 900})


def test_a_refused_recipe_leaves_no_store_and_the_old_one_alone(make_cohort, tmp_path):
    folder, cohort = make_cohort({"a.imzML": (AXIS, profile(np.random.default_rng(0), AXIS, 6))})
    before, _, _ = run(folder, cohort, tmp_path / "store")
    with pytest.raises(RecipeError, match="spans 5000 bins"):
        run(
            folder,
            cohort,
            tmp_path / "store",
            recipe=[{"step": "baseline", "method": "tophat", "width": 5000}],
        )
    assert SpectraStore.open(tmp_path / "store").meta == before.meta
    assert [path.name for path in tmp_path.glob("*store*")] == ["store"]


def test_memory_is_bounded_by_blocks(make_cohort, tmp_path, monkeypatch):
    axis = MzAxis.tof(800.0, 1200.0, 10_000)
    monkeypatch.setattr(preprocessed, "BLOCK_BYTES", 5 * 8 * axis.n_bins)
    spectra = np.random.default_rng(0).random((600, axis.n_bins), dtype=np.float32)
    size = spectra.nbytes
    folder, cohort = make_cohort({"a.imzML": (axis, spectra)})
    del spectra
    # Loading the compiled kernels takes memory of its own, once a process.
    run(folder, cohort, tmp_path / "first")
    tracemalloc.start()
    try:
        run(folder, cohort, tmp_path / "store")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < size / 3


def test_float16_holds_the_default_recipe(make_cohort, tmp_path):
    folder, cohort = make_cohort({"a.imzML": (AXIS, profile(np.random.default_rng(0), AXIS, 6))})
    whole, _, _ = run(folder, cohort, tmp_path / "whole")
    half, _, _ = run(folder, cohort, tmp_path / "half", dtype="float16")
    assert half.spectra.dtype == np.float16
    assert np.allclose(half.spectra, whole.spectra, rtol=2e-3, atol=1e-6)


def test_bladder_tma_passes_the_default_recipe_unharmed(shared_data, tmp_path):
    folder = shared_data("bladder-tma")
    cohort = load_cohort(folder)
    store, quality, told = run(folder, cohort, tmp_path / "store")
    assert store.spectra.shape == (3152, 593)
    for name in cohort.files:
        rows = np.flatnonzero(cohort.spots["file"] == name)
        with open_imzml(folder / name) as file:
            raw = file.intensity_block(cohort.spots["spectrum"].to_numpy()[rows])
            assert np.array_equal(store.axis.mz, file.mz)
        assert np.abs(raw - store.spectra[rows]).max() <= 1e-6 * raw.max()
        assert np.array_equal(raw == 0, store.spectra[rows] == 0)
    assert store.meta["n_empty"] == 6
    assert [(s["step"], s["method"]) for s in store.meta["skipped"]] == [
        ("baseline", "convolution")
    ]
    assert any(line.startswith("skipped baseline (convolution): peak-picked") for line in told)
    assert quality.tmas["n_spots"].tolist() == [1512, 1640]
    assert quality.tmas["zero_fraction"].between(0.77, 0.80).all()


@pytest.mark.parametrize(
    "recipe",
    [
        None,
        [
            {"step": "smooth", "method": "savgol"},
            {"step": "baseline", "method": "snip"},
            {"step": "normalize", "method": "tic"},
        ],
        [
            {"step": "smooth", "method": "savgol"},
            {"step": "baseline", "method": "tophat"},
            {"step": "normalize", "method": "tic"},
        ],
    ],
    ids=["default", "snip", "tophat"],
)
def test_mouse_kidney_loses_its_baseline_and_keeps_its_peaks(shared_data, tmp_path, recipe):
    folder = shared_data("mouse-kidney")
    with open_imzml(folder / "mouse_kidney.imzML") as file:
        at = file.coordinates
    spots = pd.DataFrame(
        {
            "file": "mouse_kidney.imzML",
            "spectrum": np.arange(len(at)),
            "x": at[:, 0],
            "y": at[:, 1],
            "core": "kidney",
            "tma": "section",
            "patient": "mouse",
        }
    )
    cohort = Cohort(spots, spots[["core", "tma", "patient"]].head(1), ("mouse_kidney.imzML",), {})
    section = {} if recipe is None else {"recipe": recipe}
    store, quality, _ = run(folder, cohort, tmp_path / "store", **section)
    assert store.spectra.shape == (2222, 3627)
    assert store.axis.kind == "tof"
    assert store.meta["data_kind"] == "profile"
    assert store.spectra.min() >= 0
    assert np.allclose(store.spectra.mean(axis=1, dtype=np.float64), 1, rtol=1e-5)
    means = quality.mean_spectra
    before, after = means["raw_mean"].to_numpy(), means["preprocessed_mean"].to_numpy()
    # The highest peaks stay where they are; the floor of the matrix hump at low m/z sinks
    # relative to that at high m/z, much with a baseline step that follows smoothing.
    for mz in (3362, 3509, 4983):
        near = slice(store.axis.nearest(mz) - 20, store.axis.nearest(mz) + 21)
        assert abs(int(before[near].argmax()) - int(after[near].argmax())) <= 2
    low, high = store.axis.mz < 4000, store.axis.mz > 7000
    tilt_before = np.median(before[low]) / np.median(before[high])
    tilt_after = np.median(after[low]) / np.median(after[high])
    assert tilt_after < (0.9 if recipe is None else 0.5) * tilt_before
    with pytest.raises(RecipeError, match="method references"):
        run(
            folder,
            cohort,
            tmp_path / "no",
            recipe=[{"step": "align", "method": "peptide_rule"}],
        )
