"""Ranked m/z windows on profiles whose peaks are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from corespot.axis import MzAxis
from corespot.errors import ParamsError
from corespot.explain.isotopes import ISOTOPE_SPACING_DA, expected_heavy_isotopes
from corespot.explain.markers import Marker, marker_ranks, match_markers, parse_markers
from corespot.explain.peaks import WINDOW_COLUMNS, is_continuous, rank_windows
from corespot.explain.profile import SensitivityProfile
from corespot.units import Tolerance

MARKERS = pd.DataFrame(
    {
        "name": ["CK7", "CK5", "CK15", "CK15", "HSP27"],
        "mz": [1406.6, 1410.7, 1821.8, 1877.8, 1905.9],
        "tolerance": ["0.3 Da", "200 ppm", "0.3", "0.3 da", ""],
    }
)
PLANTED = {1406.6: 1.0, 1410.7: -0.9, 1821.8: -0.8, 1877.8: -0.7, 1905.9: -0.6}


def make_profile(axis, values):
    both = np.stack([values, -np.asarray(values)])
    return SensitivityProfile(axis, ("AD", "SQ"), both, 4 * both, np.ones(axis.n_bins))


def poisson(mz, steps):
    mean = expected_heavy_isotopes(mz)
    weights = np.exp(-mean) * mean ** np.arange(steps) / [1, 1, 2, 6, 24, 120, 720, 5040][:steps]
    return weights / weights.max()


def envelope(axis, mz, height, *, shape="peak", steps=5):
    """An isotope pattern of Gaussian peaks, or of their derivatives (a shifted peak)."""
    total = np.zeros(axis.n_bins)
    for step, weight in enumerate(poisson(mz, steps)):
        centre = mz + step * ISOTOPE_SPACING_DA
        sd = centre / 4500 / 2.3548
        z = (axis.mz - centre) / sd
        bell = np.exp(-(z**2) / 2)
        total += height * weight * (bell if shape == "peak" else -z * bell * np.exp(0.5))
    return total


AXES = {
    "tof, 27,286 bins": MzAxis.tof(500, 4500, 27286),
    "equidistant 0.1 Da": MzAxis.equidistant(600, 3200, 26001),
    "ppm 100": MzAxis.constant_ppm(600, 3200, 16740),
    "equidistant 0.4 Da": MzAxis.equidistant(600, 3200, 6501),
}


@pytest.mark.parametrize("name", AXES)
def test_planted_markers_lead_the_ranking_once_each(name):
    axis = AXES[name]
    rng = np.random.default_rng(0)
    values = 0.03 * rng.normal(size=axis.n_bins)
    for mz, height in PLANTED.items():
        values += envelope(axis, mz, height)
    for mz in rng.uniform(700, 3000, 30):
        values += envelope(axis, mz, rng.choice([-1, 1]) * rng.uniform(0.05, 0.3))
    table = rank_windows(make_profile(axis, values), 0, n=10, markers=MARKERS)
    assert list(table.columns) == WINDOW_COLUMNS
    assert table["rank"].tolist() == list(range(1, 11))
    assert np.all(np.diff(np.abs(table["height"])) <= 0)
    ranks = marker_ranks(table, parse_markers(MARKERS))
    assert (ranks["rank"] <= 10).sum() >= (4 if name == "equidistant 0.4 Da" else 5)
    top = table.head(5)
    assert top["marker"].str.len().gt(0).all(), top
    assert top["n_isotopes"].ge(2).all()
    assert set(top["sign"]) == {1, -1} and (top["sign"] == np.sign(top["height"])).all()
    assert (top["class"] == "AD").all()
    opposite = rank_windows(make_profile(axis, values), 1, n=10)
    np.testing.assert_allclose(opposite["height"], -table["height"])


def test_apex_height_area_and_isotopes_of_one_clean_pattern():
    axis = MzAxis.equidistant(1300, 1500, 10001)
    profile = make_profile(axis, envelope(axis, 1406.6, 2.0))
    row = rank_windows(profile, 0, n=3, markers=MARKERS).iloc[0]
    assert abs(row["mz"] - 1406.6) <= 0.02
    assert row["low"] < 1406.6 < row["high"] and row["high"] - row["low"] < 0.4
    assert row["height"] == pytest.approx(2.0, rel=0.15)
    assert row["area"] > 0 and row["shape"] == "peak"
    assert row["marker"] == "CK7" and abs(row["marker_offset_da"]) <= 0.02
    steps = [float(part.split(":")[0]) for part in row["isotopes"].split(";")]
    heights = [float(part.split(":")[1]) for part in row["isotopes"].split(";")]
    assert steps == [1, 2, 3]
    np.testing.assert_allclose(heights, 1.75 * poisson(1406.6, 4)[1:], rtol=0.15)
    assert len(rank_windows(profile, 0, n=3)) <= 2, "isotopes must not be windows of their own"
    logit = rank_windows(profile, 0, n=1, of="logit").iloc[0]
    assert logit["height"] == pytest.approx(4 * row["height"])


def test_a_shifted_peak_is_one_bipolar_window_at_its_larger_lobe():
    axis = MzAxis.tof(500, 4500, 27286)
    values = envelope(axis, 1410.7, 1.0, shape="shift") + envelope(axis, 1410.7, 0.2)
    values += envelope(axis, 2000.0, 0.3)
    table = rank_windows(make_profile(axis, values), 0, n=20)
    first = table.iloc[0]
    assert first["shape"] == "bipolar" and first["sign"] == 1
    sd = 1410.7 / 4500 / 2.3548
    assert abs(first["mz"] - (1410.7 - sd)) < 0.05, "the larger lobe lies left of the peak"
    assert first["low"] < 1410.7 - sd and first["high"] > 1410.7 + sd
    large = table[table["height"].abs() > 0.05 * first["height"]]
    assert large["mz"].between(1409, 1416).sum() == 1
    second = table.iloc[1]
    assert second["shape"] == "peak" and abs(second["mz"] - 2000 - 1.00235) < 1.1


def test_ringing_on_both_sides_is_a_peak():
    axis = MzAxis.equidistant(1000, 1100, 5001)
    sd = 1050 / 4500 / 2.3548
    z = (axis.mz - 1050) / sd
    table = rank_windows(make_profile(axis, (1 - z**2) * np.exp(-(z**2) / 2)), 0)
    assert table.iloc[0]["shape"] == "peak" and abs(table.iloc[0]["mz"] - 1050) < 0.03
    assert len(table) == 1


def test_heavy_peptides_are_one_window_named_by_isotope():
    axis = MzAxis.tof(500, 4500, 27286)
    marker = Marker("big", 2800.4, Tolerance(0.3, "da"))
    profile = make_profile(axis, envelope(axis, 2800.4, 1.0, steps=7))
    table = rank_windows(profile, 0, markers=[marker])
    assert abs(table.iloc[0]["mz"] - (2800.4 + ISOTOPE_SPACING_DA)) < 0.1
    assert table.iloc[0]["marker"] == "big (isotope +1)"
    assert table.iloc[0]["isotopes"].startswith("-1: ")
    assert (table["height"] > 0.05).sum() == 1
    assert marker_ranks(table, [marker]).iloc[0]["isotope"] == 1


def test_isotopes_weighed_against_each_other_are_one_window():
    axis = MzAxis.tof(900, 2000, 12_000)
    values = envelope(axis, 1437.77, 1.0, steps=1) - envelope(axis, 1438.77, 0.8, steps=1)
    table = rank_windows(make_profile(axis, values), 0)
    assert len(table) == 1 and table.iloc[0]["sign"] == 1
    assert table.iloc[0]["isotopes"].startswith("+1: -0.")
    rising = envelope(axis, 1437.77, 1.0, steps=1) + envelope(axis, 1439.77, 0.9, steps=1)
    assert len(rank_windows(make_profile(axis, rising), 0)) == 2, "a gap ends the pattern"


def test_peak_list_every_bin_its_own_window_isotopes_grouped():
    rng = np.random.default_rng(5)
    mz = np.sort(np.concatenate([rng.uniform(800, 2200, 300), 1406.6 + 1.00235 * np.arange(3)]))
    axis = MzAxis(mz)
    assert not is_continuous(axis)
    values = 0.02 * rng.normal(size=len(mz))
    for step, height in enumerate([1.0, 0.7, 0.3]):
        values[axis.nearest(1406.6 + 1.00235 * step)] = height
    lone = int(np.argmax(mz > 1000))
    values[lone] = -0.5
    table = rank_windows(make_profile(axis, values), 0, n=400, markers=MARKERS)
    assert table.iloc[0]["mz"] == 1406.6 and table.iloc[0]["height"] == 1.0
    assert table.iloc[0]["isotopes"].startswith("+1: 0.7; +2: 0.3")
    assert table.iloc[0]["marker"] == "CK7"
    assert table.iloc[1]["mz"] == mz[lone] and table.iloc[1]["sign"] == -1
    assert table["n_isotopes"].sum() + len(table) == np.count_nonzero(values)
    assert table.iloc[0]["area"] == pytest.approx(1.0)


def test_continuous_axes_are_told_from_peak_lists():
    assert is_continuous(MzAxis(MzAxis.tof(500, 4500, 3000).mz))
    assert is_continuous(
        MzAxis(np.concatenate([np.arange(500, 600, 0.1), np.arange(700, 800, 0.1)]))
    )
    assert not is_continuous(MzAxis(np.array([800.4, 1200.6])))


def test_a_flat_profile_has_no_windows_and_bad_arguments_are_refused():
    profile = make_profile(AXES["equidistant 0.4 Da"], np.zeros(6501))
    assert rank_windows(profile, 0).empty
    assert list(rank_windows(profile, 0).columns) == WINDOW_COLUMNS
    assert marker_ranks(rank_windows(profile, 0), parse_markers(MARKERS))["rank"].isna().all()
    for wrong in ({"class_index": 2}, {"n": 0}, {"resolution": -1.0}):
        with pytest.raises(ValueError):
            rank_windows(profile, **({"class_index": 0} | wrong))


def test_markers_are_parsed_with_units():
    markers = parse_markers(MARKERS.rename(columns={"mz": "m/z"}))
    assert [str(marker.tolerance) for marker in markers] == [
        *("0.3 Da", "200 ppm", "0.3 Da", "0.3 Da", "0.3 Da")
    ]
    assert parse_markers(MARKERS[["name", "mz"]])[1].tolerance == Tolerance(0.3, "da")
    assert parse_markers(MARKERS.head(0)) == ()


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("name", "  ", "row 3: the name is empty"),
        ("mz", "12x", "row 3: m/z must be a positive number"),
        ("mz", -1.0, "row 3: m/z must be a positive number"),
        ("mz", float("nan"), "row 3: m/z must be a positive number"),
        ("tolerance", "0.3 mDa", "row 3: a tolerance is written"),
        ("tolerance", "-5 ppm", "row 3: a tolerance is written"),
        ("tolerance", "e", "row 3: a tolerance is written"),
    ],
)
def test_bad_marker_values_are_named(column, value, message):
    table = MARKERS.astype(object)
    table.loc[1, column] = value
    with pytest.raises(ParamsError, match=message):
        parse_markers(table)


def test_missing_marker_columns_and_duplicates_are_named():
    with pytest.raises(ParamsError, match="'name' is missing"):
        parse_markers(pd.DataFrame({"mz": [1.0]}))
    with pytest.raises(ParamsError, match="given twice"):
        parse_markers(pd.concat([MARKERS, MARKERS.head(1)]))


def test_the_nearest_marker_wins_and_direct_matches_beat_isotopes():
    near, far = Marker("near", 1000.05), Marker("far", 1000.2)
    heavy = Marker("heavy", 1000.0 - ISOTOPE_SPACING_DA)
    names = [str(match) for match in match_markers(1000.0, [far, heavy, near])]
    assert names == ["near", "far"]
    assert [str(match) for match in match_markers(1000.0, [heavy])] == ["heavy (isotope +1)"]
    assert match_markers(1000.0, [Marker("off", 1000.4)]) == []
    assert match_markers(2000.0, [Marker("ppm", 2000.3, Tolerance(100, "ppm"))]) == []
