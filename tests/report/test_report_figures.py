"""Figures: every kind draws, carries its numbers, and none loses a peak."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corespot.axis import MzAxis
from corespot.explain.markers import Marker
from corespot.explain.peaks import rank_windows
from corespot.explain.profile import SensitivityProfile, average_profiles
from corespot.report.downsample import downsample_minmax, minmax_indices
from corespot.report.fold_figures import fold_boxes
from corespot.report.leakage_figures import leakage_gap
from corespot.report.prediction_figures import confusion, reliability
from corespot.report.preprocessing_figures import before_after
from corespot.report.quality_figures import (
    label_heatmap,
    mean_spectra,
    quality_by_tma,
)
from corespot.report.sensitivity_figures import sensitivity_spectrum, window_ranking
from corespot.report.sensitivity_view import SensitivityView
from corespot.report.sensitivity_zooms import sensitivity_zooms
from corespot.report.tables import label_by_tma
from corespot.report.theme import PALETTE

EVIL = "<script>alert(1)</script>"


@settings(max_examples=60, deadline=None)
@given(
    size=st.integers(1, 3000),
    n=st.integers(4, 400),
    seed=st.integers(0, 9),
)
def test_downsampling_keeps_ends_order_and_extremes(size, n, seed):
    y = np.random.default_rng(seed).normal(size=size)
    x = np.arange(size, dtype=float)
    thin_x, thin_y = downsample_minmax(x, y, n)
    assert len(thin_x) <= max(n, 4)
    assert np.all(np.diff(thin_x) > 0)
    assert thin_x[0] == 0 and thin_x[-1] == size - 1
    assert thin_y.max() == y.max() and thin_y.min() == y.min()
    np.testing.assert_array_equal(thin_y, y[thin_x.astype(int)])


def test_downsampling_keeps_every_lone_spike_and_survives_nan():
    y = np.zeros(100_000)
    spikes = np.arange(500, 100_000, 1000)
    y[spikes] = np.where(np.arange(100) % 2, 1.0, -1.0)
    kept = minmax_indices(y, 2000)
    assert set(spikes) <= set(kept) and len(kept) <= 2000
    y[:2000] = np.nan
    assert set(spikes[2:]) <= set(minmax_indices(y, 2000))
    short = np.arange(5.0)
    np.testing.assert_array_equal(downsample_minmax(short, short, 10)[1], short)
    for wrong in (lambda: minmax_indices(y, 3), lambda: downsample_minmax(short, y, 10)):
        with pytest.raises(ValueError):
            wrong()


def make_view(n_classes=2, *, axis=None, folds=3, of="probability"):
    axis = axis or MzAxis.tof(900, 2000, 12_000)
    rng = np.random.default_rng(0)
    bell = np.exp(-(((axis.mz - 1406.6) / 0.13) ** 2) / 2)
    profiles = []
    for _ in range(folds):
        values = rng.normal(scale=0.01, size=(n_classes, axis.n_bins))
        values[0] += bell
        values[1] -= bell
        profiles.append(
            SensitivityProfile(
                axis, ("AD", EVIL, "C")[:n_classes], values, values * 4, np.ones(axis.n_bins)
            )
        )
    profile = average_profiles(profiles)
    marker = Marker("CK7", 1406.6)
    windows = rank_windows(profile, 0, markers=[marker], of=of)
    means = np.abs(rng.normal(size=(n_classes, axis.n_bins))) + bell
    return SensitivityView(profile, 0, means, windows, [marker], of)


def texts(figure):
    """Everything that plotly would read markup in."""
    parts = [figure.layout.title.text or "", figure.layout.title.subtitle.text or ""]
    parts += [note.text or "" for note in figure.layout.annotations]
    for trace in figure.data:
        parts += [trace.name or "", trace.legendgroup or "", trace.hovertemplate or ""]
        for values in (trace.x, trace.y):
            parts += [
                value for value in (values if values is not None else []) if isinstance(value, str)
            ]
    return parts


PEAKS = MzAxis(np.sort(np.random.default_rng(1).uniform(801, 2279, 593)))


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("axis", [None, PEAKS], ids=["profile", "peak list"])
@pytest.mark.parametrize("of", ["probability", "logit"])
def test_sensitivity_figures_show_the_true_apex_thinned_or_not(n_classes, axis, of):
    view = make_view(n_classes, axis=axis, of=of)
    values = view.profile.of(of)[0]
    figure = sensitivity_spectrum(view, n_points=600)
    drawn = np.concatenate([np.asarray(t.y, dtype=float) for t in figure.data if t.yaxis == "y"])
    assert np.nanmax(drawn) >= values.max() and np.nanmin(drawn) <= values.min()
    assert all(type(trace) is go.Scatter for trace in figure.data), "no WebGL"
    assert sum(len(t.x) for t in figure.data) < 20_000
    assert {trace.name for trace in figure.data} >= {"towards AD", "± SD over folds"}
    assert any("CK7" in note.text for note in figure.layout.annotations)
    zooms = sensitivity_zooms(view, n=4)
    assert len({trace.xaxis for trace in zooms.data}) == 8
    first = next(t for t in zooms.data if t.xaxis == "x" and t.name == "towards AD")
    if axis is None:
        apex = view.windows.iloc[0]["mz"]
        assert abs(first.x[np.nanargmax(first.y)] - apex) < 0.1
        inside = (view.profile.axis.mz > apex - 2) & (view.profile.axis.mz < apex + 4)
        assert np.isin(view.profile.axis.mz[inside], first.x).all(), "full resolution"
    bars = window_ranking(view, n=5)
    assert sum(len(trace.x) for trace in bars.data) == 5
    for drawn_figure in (figure, zooms, bars):
        assert not any("<script" in text for text in texts(drawn_figure))
        assert drawn_figure.layout.paper_bgcolor in (None, "#FFFFFF")
        assert drawn_figure.layout.template.layout.paper_bgcolor == "#FFFFFF"


def test_two_classes_share_one_zero_line_positive_up_negative_down():
    figure = sensitivity_spectrum(make_view(2))
    up = next(t for t in figure.data if t.name == "towards AD")
    down = next(t for t in figure.data if t.name.startswith("towards &lt;script"))
    assert np.min(up.y) == 0 and np.max(down.y) == 0
    assert up.line.color == PALETTE[0] and down.line.color == PALETTE[1]
    crossing = np.isin(np.asarray(up.x), make_view(2).profile.axis.mz)
    assert np.all(np.asarray(up.y)[~crossing] == 0)


def test_figures_without_windows_or_means_say_so():
    view = make_view(2)
    bare = SensitivityView(view.profile, 0)
    assert len(sensitivity_spectrum(bare).data) == 4
    for figure in (sensitivity_zooms(bare), window_ranking(bare)):
        assert "no m/z window" in figure.layout.annotations[0].text


def test_performance_figures_carry_their_numbers():
    folds = pd.DataFrame(
        {
            "task": ["ADSQ"] * 4,
            "model": ["roc_lda", "roc_lda", EVIL, EVIL],
            "level": ["spot", "spot", "spot", "core"],
            "balanced_accuracy": [0.7, np.nan, 0.9, 0.95],
        }
    )
    boxes = fold_boxes(folds)
    assert [list(dots.x) for dots in boxes.data if dots.type == "scatter"] == [[0.7], [0.9]]
    gap = pd.DataFrame(
        {
            "task": "LP",
            "model": "roc_lda",
            "grouping": ["tma", "spot", "core", "patient"],
            "balanced_accuracy": [0.8, 0.95, 0.9, np.nan],
            "q1": [0.75, 0.94, 0.88, np.nan],
            "q3": [0.85, 0.96, 0.92, np.nan],
        }
    )
    figure = leakage_gap(gap)
    assert list(figure.data[0].x) == ["random spots", "cores", "TMAs"]
    assert list(figure.data[0].y) == [0.95, 0.9, 0.8]
    assert any(note.text == "gap +0.150" for note in figure.layout.annotations)
    matrix = confusion([[8, 2], [0, 0]], ["A", EVIL])
    assert matrix.data[0].z.tolist() == [[0.8, 0.2], [0, 0]]
    with pytest.raises(ValueError, match="does not fit"):
        confusion([[1, 2]], ["A", "B"])
    bins = pd.DataFrame({"predicted": [0.95, 0.6], "observed": [0.9, 0.5], "count": [20, 10]})
    curve = reliability(bins).data[1]
    assert list(curve.x) == [0.6, 0.95] and list(curve.y) == [0.5, 0.9]
    for drawn in (boxes, figure, matrix):
        assert not any("<script" in text for text in texts(drawn))
    for empty in (fold_boxes(folds.head(0)), leakage_gap(gap.head(0)), reliability(bins.head(0))):
        assert empty.layout.annotations


def test_quality_figures():
    rng = np.random.default_rng(2)
    spots = pd.DataFrame({"tma": ["TMA10", "TMA2", EVIL] * 40, "noise": 0.0})
    spots["tic"] = rng.lognormal(3, 0.2, 120)
    spots["empty"] = [True, False, False] * 40
    tmas = pd.DataFrame({"tma": ["TMA2", "TMA10", EVIL], "mass_shift_ppm": [3.0, -5.0, np.nan]})
    figure = quality_by_tma(spots, tmas)
    box, shift, empty = figure.data
    assert list(box.x)[1:] == ["TMA2", "TMA10"], "noise of peak lists has no panel"
    assert box.median[1] == pytest.approx(np.median(spots.loc[spots["tma"] == "TMA2", "tic"]))
    assert list(shift.y[1:]) == [3.0, -5.0] and list(empty.y) == [0, 0, 1]
    assert not any("<script" in text for text in texts(figure))
    assert quality_by_tma(spots[["tma"]]).layout.annotations
    assert figure.layout.boxmode == "overlay", "boxes stand over the names of their TMAs"
    assert figure.layout.yaxis.rangemode is None
    normalised = quality_by_tma(spots.assign(tic=593 + spots["tic"] * 1e-7))
    assert normalised.layout.yaxis.rangemode == "tozero", "no scale of rounding errors"

    counts = label_by_tma(
        pd.DataFrame({"tma": ["T10", "T2", "T2", "T2"], "organ": ["lung", "pancreas", "", "lung"]}),
        "organ",
    )
    assert counts.to_numpy().tolist() == [[1, 1], [1, 0]]
    assert list(counts.columns) == ["T2", "T10"]
    heat = label_heatmap(counts)
    assert heat.data[0].z.tolist() == [[1, 1], [1, 0]]
    assert label_heatmap(counts.head(0)).layout.annotations

    axis = MzAxis.tof(500, 4500, 20_000)
    spike = np.zeros(20_000)
    spike[7777] = 5.0
    stacked = mean_spectra({"T10": spike, "T2": spike / 2}, axis, n_points=400)
    assert [trace.y.max() for trace in stacked.data] == [2.5, 5.0]
    assert stacked.data[0].name == "T2"
    both = before_after((axis.mz, spike), (axis, spike / 5), zoom=(1000, 1100), spot=EVIL)
    assert len(both.data) == 4 and both.data[0].y.max() == 5.0
    assert not any("<script" in text for text in texts(both))
