"""Figures of compared runs and of the overview: what is drawn, marked, escaped."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

from corespot.axis import MzAxis
from corespot.explain.compared import profile_correlations, unit_energy
from corespot.explain.markers import Marker
from corespot.explain.profile import SensitivityProfile
from corespot.report.compared_verdicts import ComparedVerdict, VerdictList
from corespot.report.comparison_figures import ProfilesView, difference_plot, profiles_compared
from corespot.report.run_overview import FlagLine, accuracy_by_task

HOSTILE = "<script>alert('1')</script> \"*x*\" ../../x 🧪"
COLOURS = {"A  one": "#0072B2", "B  <b>two</b>": "#D55E00"}


def profile(values, *, start: float = 700.0, classes=("a", "b"), listed=False):
    values = np.asarray(values, dtype=np.float64)
    if listed:
        mz = start + np.cumsum(np.resize([0.5, 7.0, 2.0], len(values)))
        axis = MzAxis(mz, "listed")
    else:
        axis = MzAxis(np.linspace(start, start + 100, len(values)), "linear")
    both = np.stack([values, -values])
    return SensitivityProfile(axis, classes, both, 2 * both, np.ones(len(values)))


def differences() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "label": ["A  one", "A  one", "B  <b>two</b>", "B  <b>two</b>"],
            "level": ["spot", "patient", "spot", "patient"],
            "difference": [0.1, -0.2, 0.05, np.nan],
            "low": [0.05, -0.3, np.nan, np.nan],
            "high": [0.2, -0.1, np.nan, np.nan],
        }
    )


def test_differences_are_drawn_with_their_intervals_in_the_colours_given() -> None:
    figure = difference_plot(differences(), COLOURS, metric="AUC", reference=HOSTILE)
    first, second = figure.data
    assert first.x.tolist() == [0.1, -0.2] and second.x.tolist() == [0.05]
    assert first.error_x.array.tolist() == pytest.approx([0.1, 0.1])
    assert first.error_x.arrayminus.tolist() == pytest.approx([0.05, 0.1])
    assert second.error_x.array.tolist() == [0]
    assert [one.marker.color for one in figure.data] == list(COLOURS.values())
    assert set(first.y) & set(second.y) == set()
    low, high = figure.layout.xaxis.range
    assert low == -high and low < -0.3
    text = figure.to_json()
    assert "<script" not in text and "<b>two" not in text and "&lt;b&gt;two" in text


def test_nothing_paired_is_said() -> None:
    figure = difference_plot(differences().head(0), COLOURS, metric="AUC", reference="A")
    assert "nothing could be paired" in figure.layout.annotations[0].text


def test_unit_energy_makes_shapes_comparable() -> None:
    curve = np.array([0.0, 3.0, -4.0, 0.0])
    assert np.mean(unit_energy(curve) ** 2) == pytest.approx(1)
    assert np.allclose(unit_energy(curve), unit_energy(1000 * curve))
    assert unit_energy(np.zeros(3)).tolist() == [0, 0, 0]


def test_correlations_of_known_profiles() -> None:
    curve = np.random.default_rng(0).normal(size=200)
    profiles = {
        "same": profile(curve),
        "turned": profile(-3 * curve),
        "elsewhere": profile(curve, start=800.0),
        "flat": profile(np.zeros(200)),
        "other": profile(curve, classes=("c", "d")),
    }
    table = profile_correlations(profiles, "a").set_index(["first", "second"])["correlation"]
    assert table["same", "turned"] == pytest.approx(-1)
    assert np.isnan(table["same", "elsewhere"]) and np.isnan(table["same", "flat"])
    assert "other" not in table.index.get_level_values(1)


@pytest.mark.parametrize("stacked", [False, True])
def test_profiles_of_other_axes_lie_over_their_own_m_z(stacked: bool) -> None:
    peaks = np.zeros(500)
    peaks[100] = 1.0
    view = ProfilesView(
        profiles={"A  one": profile(peaks), "B  <b>two</b>": profile(peaks, start=750.0)},
        colours=COLOURS,
        class_name="a",
        low=700,
        high=850,
        stacked=stacked,
        markers=[Marker(name=HOSTILE, mz=760.0)],
    )
    figure = profiles_compared(view)
    apex = [trace.x[int(np.argmax(trace.y))] for trace in figure.data]
    assert apex == pytest.approx([700 + 100 * 100 / 499, 750 + 100 * 100 / 499])
    assert len({trace.yaxis for trace in figure.data}) == (2 if stacked else 1)
    assert "<script" not in figure.to_json() and "<b>two" not in figure.to_json()


def test_peak_lists_and_profiles_are_drawn_together_and_the_class_can_be_missing() -> None:
    profiles = {"A  one": profile([1, 2, 3, 4, 5, 6, 7, 8], listed=True)}
    profiles["B  <b>two</b>"] = profile([1.0, 2.0, 1.0, 0.0], classes=("c", "d"))
    view = ProfilesView(profiles, COLOURS, "a", 700, 800)
    assert [trace.name for trace in profiles_compared(view).data] == ["A  one"]
    empty = profiles_compared(ProfilesView(profiles, COLOURS, "a", 10, 20))
    assert "no run has a profile" in empty.layout.annotations[0].text


def test_six_profiles_of_27286_bins_are_thinned_and_fast() -> None:
    rng = np.random.default_rng(0)
    names = [f"run {number}" for number in range(6)]
    profiles = {name: profile(rng.normal(size=27_286)) for name in names}
    view = ProfilesView(profiles, dict.fromkeys(names, "#0072B2"), "b", 700, 800)
    start = time.process_time()
    figure = profiles_compared(view)
    assert time.process_time() - start < 0.5
    assert max(len(trace.x) for trace in figure.data) <= 4000
    highest = unit_energy(-profiles["run 0"].probability[0]).max()
    assert max(figure.data[0].y) == pytest.approx(highest)


def test_verdicts_are_colour_and_word_and_text_from_outside_stays_text() -> None:
    rows = [
        ComparedVerdict(HOSTILE, "#0072B2", "confounded", 0.51, HOSTILE, HOSTILE),
        ComparedVerdict("B", "#D55E00", "splendid", float("nan"), ""),
    ]
    html = VerdictList(rows).html
    assert "<script>" not in html and html.count("&lt;script&gt;") == 3
    assert "confounded</span>" in html and "artifact share 51 %" in html
    assert "not audited" in html and "splendid" not in html and "nan" not in html


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (FlagLine(4, 4, [("LP x", "confounded"), ("Q", "suspect")]), "2 of 4 models are flagged:"),
        (FlagLine(3, 2, [("LP x", "suspect")]), "1 of 3 models is flagged:"),
        (FlagLine(3, 2, [("LP x", "suspect")]), "1 not audited."),
        (FlagLine(2, 2, []), "None of 2 models is flagged."),
        (FlagLine(2, 2, []), "No verdict certifies a model."),
        (FlagLine(1, 0, []), "None of 1 model was audited."),
        (FlagLine(9, 9, [(f"m{n}", "suspect") for n in range(7)]), "and 3 more"),
        (FlagLine(1, 1, [(HOSTILE, "suspect")]), "&lt;script&gt;"),
    ],
)
def test_the_line_of_flags_counts_in_words(line: FlagLine, said: str) -> None:
    assert said in line.html
    assert "<script>" not in line.html


def test_accuracies_are_marked_by_verdict_and_kept_to_their_task() -> None:
    table = pd.DataFrame(
        {
            "task": ["LP", "LP", "<i>"],
            "label": ["one", HOSTILE, "three"],
            "verdict": ["confounded", "not audited", "confounded"],
            "spot": [0.99, np.nan, 0.4],
            "spot_low": [0.95, np.nan, np.nan],
            "spot_high": [0.98, np.nan, np.nan],
        }
    )
    figure = accuracy_by_task(table.assign(spot=[0.99, 0.7, 0.4]))
    assert [trace.name for trace in figure.data] == ["confounded", "not audited", "confounded"]
    assert [trace.showlegend for trace in figure.data] == [True, True, False]
    assert figure.data[0].marker.symbol != figure.data[1].marker.symbol
    # The interval belongs to the pooled figure and lies below this median.
    assert figure.data[0].error_x.array.tolist() == [0]
    assert figure.data[0].error_x.arrayminus.tolist() == pytest.approx([0.04])
    assert figure.layout.xaxis.range[0] < 0.4
    assert "<script" not in figure.to_json() and "<i>" not in figure.to_json()
    assert len(accuracy_by_task(table).data) == 2
    assert "no run has an accuracy" in accuracy_by_task(table.head(0)).layout.annotations[0].text
    assert "the first 1 runs" in accuracy_by_task(table, most=1).layout.title.subtitle.text
