"""The figures of an audit show the numbers that were stored, and say what does not apply."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from audit_folders import N_FOLDS, write_audit

from corespot.report.audit_figures import audit_figures
from corespot.report.audit_profile_figures import bin_kinds, energy_shares
from corespot.report.audit_view import read_audit
from corespot.report.html import save_figure_json

THREE = ("AD", "SQ", "X")


@pytest.fixture(scope="module")
def views(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audits")
    write_audit(folder / "two")
    write_audit(folder / "three", classes=THREE)
    write_audit(folder / "none", applies=False, verdict="not_excluded")
    return {name: read_audit(folder / name) for name in ("two", "three", "none")}


@pytest.fixture(scope="module")
def figures(views):
    return {name: audit_figures(view) for name, view in views.items()}


def texts(figure):
    return [note.text for note in figure.layout.annotations]


def test_there_is_a_figure_for_all_that_applies(figures):
    always = {"audit_shares", "audit_negative_controls", "audit_scores", "audit_label_by_tma"}
    windows = {"audit_windows", "audit_tma_sensitivity"}
    assert set(figures["two"]) == always | windows | {"audit_sensitivity_0"}
    assert set(figures["three"]) == always | windows | {f"audit_sensitivity_{k}" for k in range(3)}
    assert set(figures["none"]) == always | {"audit_sensitivity_0"}


def test_shares_have_their_intervals_folds_and_lines(figures):
    figure = figures["two"]["audit_shares"]
    bar, dots = figure.data
    parts = figure.layout.xaxis.ticktext
    at = dict(zip([parts[int(x)] for x in bar.x], range(len(bar.x)), strict=True))
    assert list(bar.y) == pytest.approx([0.47, 0.3, 0.1, 0.04])
    assert bar.error_y.array[at["off-peak"]] == pytest.approx(0.04)
    assert bar.error_y.arrayminus[at["off-peak"]] == pytest.approx(0.03)
    # Without an interval there is no whisker.
    assert np.isnan(bar.error_y.array[at["gain"]])
    assert list(dots.y)[:N_FOLDS] == pytest.approx([0.47, 0.48, 0.49, 0.5])
    assert [(line.y0, round((line.x0 + line.x1) / 2)) for line in figure.layout.shapes] == [
        (0.22, 0),
        (0.15, 5),
    ]
    assert texts(figure).count("not<br>applicable") == 2
    assert "lower bound" in figure.layout.title.subtitle.text


def test_every_class_has_bars_of_its_own_beside_each_other(figures):
    bars = [trace for trace in figures["three"]["audit_shares"].data if trace.type == "bar"]
    assert [bar.name for bar in bars] == [f"{name} against the rest" for name in THREE]
    assert np.diff([bar.x[0] for bar in bars]).min() >= bars[0].width


def test_scores_are_those_with_patients_held_out_where_there_are_any(views, figures):
    for name, held_out, column in (("two", True, "regrouped_AD"), ("none", False, "score_AD")):
        figure = figures[name]["audit_scores"]
        shown = np.concatenate([t.y for t in figure.data if t.mode == "markers"])
        assert sorted(shown) == pytest.approx(sorted(views[name].patients[column]))
        said = "patients held out" if held_out else "TMAs held out"
        assert said in figure.layout.title.subtitle.text
    assert figures["two"]["audit_scores"].layout.title.text.endswith(
        "L = 0.21, permutation p = 0.012"
    )
    assert "leakage not applicable" in figures["none"]["audit_scores"].layout.title.text


def test_classes_differ_in_colour_and_marker_and_lie_beside_each_other(figures):
    dots = [t for t in figures["three"]["audit_scores"].data if t.mode == "markers"]
    first = dots[:3]
    assert len({t.marker.color for t in first}) == len({t.marker.symbol for t in first}) == 3
    assert len(dots) == 9
    # On the first TMA, where all three classes were measured, no place is taken twice.
    on_first = [[x for x in t.x if x < 0.5] for t in first]
    assert max(on_first[0]) < min(on_first[1]) and max(on_first[1]) < min(on_first[2])


def test_bars_of_means_are_means(views, figures):
    figure, patients = figures["two"]["audit_scores"], views["two"].patients
    lines = [t for t in figure.data if t.mode == "lines"]
    of_class = patients[patients["class"] == "AD"].groupby("tma")["regrouped_AD"].mean()
    drawn = np.asarray(lines[0].y, dtype=float)[::3]
    assert sorted(drawn) == pytest.approx(sorted(of_class))


def test_negative_controls_are_held_against_chance_and_the_line(figures):
    figure = figures["two"]["audit_negative_controls"]
    assert [list(t.y) for t in figure.data][1] == pytest.approx([0.9, 0.71, 0.8])
    medians = [s.y0 for s in figure.layout.shapes if s.line.dash is None]
    assert medians == pytest.approx([0.9, 0.715, 0.8])
    levels = [s.y0 for s in figure.layout.shapes if s.line.dash == "dash"]
    assert levels == pytest.approx([0.5, 0.74])
    third = figures["three"]["audit_negative_controls"]
    # 1/3 + .6 · (.9 − 1/3)
    assert [s.y0 for s in third.layout.shapes if s.line.dash == "dash"] == pytest.approx(
        [1 / 3, 0.673333], abs=1e-5
    )
    assert texts(figures["none"]["audit_negative_controls"]).count("not applicable") == 2


def test_the_layout_says_how_closely_label_and_tma_are_tied(figures):
    assert (
        "V = 0.80, permutation p = 0.0004" in figures["two"]["audit_label_by_tma"].layout.title.text
    )
    assert "V not applicable" in figures["none"]["audit_label_by_tma"].layout.title.text


def test_energy_by_kind_and_stretch_is_all_of_the_energy(views):
    view = views["three"]
    shares = energy_shares(view, "SQ")
    assert sum(float(bars.sum()) for bars in shares.values()) == pytest.approx(1.0)
    kinds = bin_kinds(view)
    assert np.array_equal(np.sum(list(kinds.values()), axis=0), np.ones(len(view.spectrum)))
    energy = view.spectrum["sensitivity_SQ"] ** 2
    outside = ~view.spectrum["is_peak"]
    here = view.spectrum["mz"].between(800, 849.999)
    expected = energy[outside & here].sum() / energy.sum()
    assert shares["outside peaks"][2] == pytest.approx(expected)


def test_a_profile_of_many_bins_stays_small_and_keeps_its_peak(tmp_path):
    write_audit(tmp_path)
    n = 27_286
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "mz": np.linspace(600.0, 3200.0, n),
            "mean": rng.gamma(1.0, size=n),
            "is_peak": np.arange(n) % 10 < 4,
            "is_non_peptide": np.arange(n) % 50 == 0,
            "sensitivity_AD": rng.normal(size=n),
            "sensitivity_SQ": 0.0,
        }
    )
    table.loc[12_345, "sensitivity_AD"] = 50.0
    table.to_parquet(tmp_path / "spectrum.parquet")
    figure = audit_figures(read_audit(tmp_path))["audit_sensitivity_0"]
    save_figure_json(figure, tmp_path / "figure.json")
    assert (tmp_path / "figure.json").stat().st_size < 600_000
    assert max(np.max(t.y) for t in figure.data) == 50.0


def test_windows_are_told_apart_by_whose_first_they_are(figures):
    figure = figures["two"]["audit_windows"]
    names = [t.name for t in figure.data[::2]]
    assert names == ["neither's first (90)", "label only (10)", "TMA only (10)", "both (10)"]
    for up, down in zip(figure.data[::2], figure.data[1::2], strict=True):
        assert np.min(up.y) >= 0 >= np.max(down.y)
    assert "10 of 20 first windows" in figure.layout.title.subtitle.text


def test_a_model_that_looks_at_nothing_says_so(tmp_path):
    write_audit(tmp_path)
    table = pd.read_parquet(tmp_path / "spectrum.parquet").assign(sensitivity_AD=0.0)
    table.to_parquet(tmp_path / "spectrum.parquet")
    assert "zero" in texts(audit_figures(read_audit(tmp_path))["audit_sensitivity_0"])[0]
