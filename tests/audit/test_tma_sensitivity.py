"""Sensitivity for the TMA, and the windows it shares with the label."""

from __future__ import annotations

import itertools
import json
import tracemalloc
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import spearmanr

from corespot.audit.applicable import NotApplicable
from corespot.audit.indicators import negative_controls
from corespot.audit.indicators import tma_sensitivity as module
from corespot.audit.indicators.shared_windows import SharedWindows, shared_windows
from corespot.audit.indicators.tma_sensitivity import TmaSensitivity, tma_sensitivity
from corespot.axis import MzAxis
from corespot.errors import ModelError

FloatArray = npt.NDArray[np.float64]
AXIS = MzAxis.equidistant(1000.25, 1199.75, 400)
CLASSES = ("lung", "pancreas")
MARKER, ARTIFACT = slice(100, 104), slice(300, 304)


class Cohort:
    """Spectra with a class difference at one place and a TMA difference at another."""

    def __init__(self, *, nested: bool = True, seed: int = 0, n_tmas: int = 6) -> None:
        rng = np.random.default_rng(seed)
        n_patients, per_patient = 8 * n_tmas, 6
        patient = np.repeat(np.arange(n_patients), per_patient)
        tma = patient // 8
        self.y = (tma >= n_tmas // 2 if nested else patient % 2).astype(np.int64)
        self.patients = np.char.add("P", patient.astype(str))
        self.tmas = np.char.add("T", tma.astype(str))
        x = 10 + rng.normal(size=(len(patient), AXIS.n_bins))
        x += 0.3 * rng.normal(size=(n_patients, AXIS.n_bins))[patient]
        x[:, MARKER] += 5.0 * self.y[:, None]
        # Alternating, so that it does not go with the class.
        x[:, ARTIFACT] += np.where(tma % 2, 2.0, -2.0)[:, None]
        self.x = x.astype(np.float32)

    def sensitivity(self, **options: object) -> TmaSensitivity:
        found = tma_sensitivity(self.x, self.y, self.tmas, self.patients, **options)  # type: ignore[arg-type]
        assert isinstance(found, TmaSensitivity)
        return found


def of(values: FloatArray, n_tmas: int = 3) -> TmaSensitivity:
    return TmaSensitivity(values, tuple(f"T{i}" for i in range(n_tmas)), 100, 10)


def windows(profile: npt.ArrayLike, tma: FloatArray, **options: object) -> SharedWindows:
    found = shared_windows(profile, of(tma), AXIS, CLASSES, **options)  # type: ignore[arg-type]
    assert isinstance(found, SharedWindows)
    return found


def mirrored(values: FloatArray) -> FloatArray:
    return np.stack([-values, values])


@pytest.mark.parametrize("nested", [True, False])
def test_it_finds_what_tells_tmas_apart_and_not_what_tells_classes_apart(nested: bool) -> None:
    found = Cohort(nested=nested).sensitivity()
    energy = found.profile**2
    assert set(np.argsort(energy)[-4:]) == set(range(*ARTIFACT.indices(400)))
    assert energy[MARKER].mean() < 2 * np.median(energy)
    assert found.tmas == ("T0", "T1", "T2", "T3", "T4", "T5")
    assert (found.n_spots, found.n_patients) == (288, 48)


def test_it_is_the_weighted_ridge_regression_in_its_primal_form() -> None:
    cohort = Cohort(nested=False, n_tmas=3)
    rng = np.random.default_rng(1)
    keep = np.sort(rng.permutation(len(cohort.y))[:97])  # patients with unlike numbers of spots
    x, y = cohort.x[keep], cohort.y[keep]
    patients, tmas = cohort.patients[keep], cohort.tmas[keep]
    found = tma_sensitivity(x, y, tmas, patients)
    assert isinstance(found, TmaSensitivity)

    pairs = list(zip(y, patients, strict=True))
    w = np.array([1.0 / pairs.count(pair) for pair in pairs])
    w /= w.mean()
    names = np.unique(tmas)
    t = (tmas[:, None] == names).astype(float)
    z = x.astype(float)
    for k in (0, 1):
        z[y == k] -= np.average(z[y == k], axis=0, weights=w[y == k])
        t[y == k] -= np.average(t[y == k], axis=0, weights=w[y == k])
    z /= np.sqrt(np.average(z**2, axis=0, weights=w))
    slopes = np.linalg.solve((z.T * w) @ z + 0.1 * 400 * np.eye(400), (z.T * w) @ t)
    np.testing.assert_allclose(found.profile, np.sqrt((slopes**2).mean(axis=1)), rtol=1e-3)


def test_patients_count_alike_whatever_their_spots() -> None:
    cohort = Cohort()
    heavy = np.flatnonzero(cohort.patients == "P3")
    rows = np.concatenate([np.arange(len(cohort.y)), np.repeat(heavy, 7)])
    doubled = tma_sensitivity(
        cohort.x, cohort.y[rows], cohort.tmas[rows], cohort.patients[rows], rows=rows
    )
    assert isinstance(doubled, TmaSensitivity)
    # Not to the last digit: weights have a mean of one, so that more spots bear the penalty.
    expected = cohort.sensitivity().profile
    assert np.corrcoef(doubled.profile, expected)[0, 1] > 0.999


def test_neither_scale_nor_order_of_spots_matters_and_constant_bins_say_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cohort = Cohort()
    expected = cohort.sensitivity().profile
    monkeypatch.setattr(module, "_BLOCK_VALUES", 5 * 400)
    order = np.random.default_rng(3).permutation(len(cohort.y))
    cohort.y, cohort.tmas = cohort.y[order], cohort.tmas[order]
    cohort.patients = cohort.patients[order]
    cohort.x = cohort.x[order] * np.linspace(0.5, 50, 400, dtype=np.float32)
    np.testing.assert_allclose(cohort.sensitivity().profile, expected, rtol=2e-3)
    cohort.x[:, 7] = 123.4
    assert cohort.sensitivity().profile[7] == 0
    assert np.isfinite(cohort.sensitivity().profile).all()


def test_a_class_on_one_tma_is_left_out_and_all_on_one_each_is_not_applicable() -> None:
    cohort = Cohort()
    lonely = np.where(cohort.y == 1, "T9", cohort.tmas)
    found = tma_sensitivity(cohort.x, cohort.y, lonely, cohort.patients)
    assert isinstance(found, TmaSensitivity)
    assert found.tmas == ("T0", "T1", "T2") and found.n_spots == 144
    every = np.where(cohort.y == 1, "T9", "T8")
    reason = tma_sensitivity(cohort.x, cohort.y, every, cohort.patients)
    assert isinstance(reason, NotApplicable) and "one TMA" in reason.reason


def test_no_more_than_the_allowed_spots_are_used_and_every_patient_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert negative_controls.MOST_SPOTS == 3000
    monkeypatch.setattr(module, "MOST_SPOTS", 96)
    found = Cohort().sensitivity(seed=4)
    assert (found.n_spots, found.n_patients) == (96, 48)
    assert np.array_equal(found.profile, Cohort().sensitivity(seed=4).profile)
    assert not np.array_equal(found.profile, Cohort().sensitivity(seed=5).profile)


def test_a_store_is_read_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cohort = Cohort()
    np.save(tmp_path / "spectra.npy", np.tile(cohort.x, (40, 10)))
    store = np.load(tmp_path / "spectra.npy", mmap_mode="r")
    monkeypatch.setattr(module, "_BLOCK_VALUES", 40_000)
    rows = np.arange(288, dtype=np.int64) + 288
    tracemalloc.start()
    found = tma_sensitivity(store, cohort.y, cohort.tmas, cohort.patients, rows=rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(found, TmaSensitivity) and found.profile.shape == (4000,)
    assert peak < 3 * 288 * 4000 * 4 < store.nbytes / 10


def test_arrays_that_do_not_fit_are_refused() -> None:
    cohort = Cohort()
    with pytest.raises(ModelError, match="do not fit"):
        tma_sensitivity(cohort.x, cohort.y[:-1], cohort.tmas, cohort.patients)
    with pytest.raises(ModelError, match="do not lie"):
        shared_windows(np.ones((2, 3)), of(np.ones(400)), AXIS, CLASSES)
    with pytest.raises(ModelError, match="not finite"):
        shared_windows(np.full((2, 400), np.nan), of(np.ones(400)), AXIS, CLASSES)
    with pytest.raises(ModelError, match="above zero"):
        shared_windows(np.ones((2, 400)), of(np.ones(400)), AXIS, CLASSES, width_da=0.0)


def test_windows_hold_the_energy_of_their_bins() -> None:
    rng = np.random.default_rng(0)
    label, tma = rng.normal(size=400), np.abs(rng.normal(size=400))
    found = windows(mirrored(label), tma)
    table = found.table
    assert list(table.columns) == [
        "mz_low",
        "mz_high",
        "label_share",
        "tma_share",
        "is_label_top",
        "is_tma_top",
    ]
    assert len(table) == 40 and table["mz_low"].iloc[0] == 1000 and table["mz_high"].max() == 1200
    for _, row in table.iterrows():
        inside = (AXIS.mz >= row["mz_low"]) & (AXIS.mz < row["mz_high"])
        assert inside.sum() == 10
        assert row["label_share"] == pytest.approx((label[inside] ** 2).sum() / (label**2).sum())
        assert row["tma_share"] == pytest.approx((tma[inside] ** 2).sum() / (tma**2).sum())
    assert table["is_label_top"].sum() == table["is_tma_top"].sum() == 20
    top = table["label_share"][table["is_label_top"]].min()
    assert top > table["label_share"][~table["is_label_top"]].max()
    both = table[table["is_label_top"] & table["is_tma_top"]]
    assert found.largest.n_shared == len(both)
    assert found.largest.shared_label_share == pytest.approx(both["label_share"].sum())
    rank = spearmanr(table["label_share"], table["tma_share"])[0]
    assert found.largest.rank_correlation == pytest.approx(rank)
    plain = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert len(plain["windows"]) == plain["n_shared"] and plain["n_windows"] == 40
    assert plain["windows"][0]["mz_low"] == both["mz_low"].iloc[0]


def test_chance_is_that_of_all_choices_of_windows() -> None:
    """Seven windows, the first three of each: compare with every way to choose them."""
    axis = MzAxis.equidistant(1000.5, 1006.5, 7)
    label, tma = np.array([9.0, 8, 7, 1, 1, 1, 1]), np.array([9.0, 8, 0.1, 7, 1, 1, 1])
    found = shared_windows(label[None], of(tma), axis, ("a",), width_da=1.0, top=3)
    assert isinstance(found, SharedWindows)
    counts = [len({0, 1, 2} & set(pick)) for pick in itertools.combinations(range(7), 3)]
    assert found.largest.n_shared == 2
    assert found.largest.expected == pytest.approx(np.mean(counts))
    assert found.largest.p == pytest.approx(np.mean(np.array(counts) >= 2))
    assert found.largest.beyond_chance == pytest.approx((2 - 9 / 7) / (3 - 9 / 7))


def test_unrelated_profiles_share_what_chance_gives() -> None:
    rng = np.random.default_rng(2)
    found = [
        windows(mirrored(rng.normal(size=400)), rng.normal(size=400), top=10).largest
        for _ in range(300)
    ]
    assert np.mean([one.n_shared for one in found]) == pytest.approx(2.5, abs=0.2)
    assert np.mean([one.p <= 0.05 for one in found]) <= 0.08
    assert abs(np.mean([one.rank_correlation for one in found])) < 0.05


def test_a_model_that_reads_the_measurement_shares_windows_and_one_that_does_not_does_not() -> None:
    cohort = Cohort()
    tma = cohort.sensitivity().profile
    weak = 0.01 * np.random.default_rng(5).normal(size=400)
    honest, reliant = weak.copy(), weak.copy()
    honest[MARKER] += 1.0
    reliant[ARTIFACT] += 1.0
    options = {"width_da": 5.0, "top": 1}
    assert windows(mirrored(honest), tma, **options).largest.n_shared == 0
    found = windows(mirrored(reliant), tma, **options).largest
    assert found.n_shared == 1 and found.p == pytest.approx(1 / 40)
    assert found.shared_label_share > 0.9 and found.beyond_chance == 1.0


def test_every_class_is_kept_and_the_one_that_shares_most_reported() -> None:
    tma = np.zeros(400)
    tma[[5, 105, 205]] = 1.0
    profile = np.zeros((3, 400))
    profile[0, [15, 115, 215]] = 1.0
    profile[1, [5, 105, 215]] = 1.0
    profile[2, [5, 15]] = 1.0
    found = shared_windows(profile, of(tma), AXIS, ("a", "b", "c"))
    assert isinstance(found, SharedWindows)
    assert {name: one.n_shared for name, one in found.by_class.items()} == {"a": 0, "b": 2, "c": 1}
    assert found.largest_class == "b" and found.as_dict()["class"] == "b"
    # Windows without energy are no top windows, so that chance knows of three against two.
    assert found.by_class["c"].n_label == 2 and found.by_class["c"].n_tma == 3
    assert found.by_class["c"].expected == pytest.approx(3 * 2 / 40)
    assert list(found.table_of("c")["label_share"][[0, 1]]) == [0.5, 0.5]


def test_what_cannot_be_compared_is_not_applicable() -> None:
    some = np.ones(400)
    for profile, tma, width_da, reason in (
        (np.zeros((2, 400)), some, 5.0, "zero everywhere"),
        (mirrored(some), np.zeros(400), 5.0, "zero everywhere"),
        (mirrored(some), some, 10.0, "narrower"),
    ):
        found = shared_windows(profile, of(tma), AXIS, CLASSES, width_da=width_da)
        assert isinstance(found, NotApplicable) and reason in found.reason
