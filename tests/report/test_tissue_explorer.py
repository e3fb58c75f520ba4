"""Maps of the tissue that can be clicked: what they count, say and send."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import plotly.io
import pytest
from spot_tables import labelled_spots, predictions_of

from corespot.axis import MzAxis
from corespot.evaluate.aggregate import aggregate, spot_units
from corespot.report.core_figures import core_spectrum
from corespot.report.core_votes import core_numbers, core_votes
from corespot.report.map_grid import grids_of
from corespot.report.map_handles import MOST_HANDLES
from corespot.report.map_mosaic import mosaic
from corespot.report.spot_table import spot_table
from corespot.report.ticks import round_ticks, short
from corespot.report.tissue_explorer import core_map, tissue_explorer, with_numbers
from corespot.report.tissue_layers import (
    agreement_layer,
    class_layer,
    ion_layer,
    probability_layer,
    tissue_layers,
)

HOSTILE = ("../../x", "<script>alert('1')</script>", 'a "quoted" 🧪 & co')


def spots_of(classes=("AD", "SQ"), **more):
    labels = labelled_spots(classes, **more)
    return labels, with_numbers(spot_table(predictions_of(labels, classes), labels, classes))


def drawn(table, layers, classes=("AD", "SQ"), **more):
    votes = core_votes(table, classes)
    return tissue_explorer(table, layers, votes, title="map", **more)


def laid(table):
    """Where the maps of `table` are drawn, two a row."""
    return mosaic(grids_of(table), 2, page_px=1000, highest_px=460)


def maps_in(figure):
    return [trace for trace in figure.data if trace.type == "heatmap"]


def handles_in(figure):
    return [trace for trace in figure.data if trace.customdata is not None]


def test_votes_are_those_of_a_groupby() -> None:
    _, table = spots_of(("AD", "SQ", "LC"))
    votes = core_votes(table, ("AD", "SQ", "LC"))
    counted = table.groupby(["tma", "core"])["predicted"].value_counts().unstack(fill_value=0)
    mean = table.groupby(["tma", "core"])[["prob_AD", "prob_SQ", "prob_LC"]].mean()
    for _, core in votes.iterrows():
        key = (core["tma"], core["core"])
        assert [core[f"votes_{name}"] for name in counted.columns] == list(counted.loc[key])
        assert np.allclose(core[list(mean.columns)].astype(float), mean.loc[key])
        assert core["spots"] == counted.loc[key].sum()
    numbers = core_numbers(table)
    assert (votes["core"].to_numpy()[numbers] == table["core"]).all()


def test_cores_are_called_as_in_the_metrics() -> None:
    labels = labelled_spots(n_cores=6, radius=1)
    labels["row"] = np.arange(len(labels))
    predictions = predictions_of(labels, repeats=1, seed=3)
    # Ties of votes, which the mean probability decides.
    predictions.loc[predictions["row"] == 0, ["prob_AD", "prob_SQ"]] = [0.5, 0.5]
    table = spot_table(predictions, labels, ("AD", "SQ"))
    votes = core_votes(table, ("AD", "SQ")).sort_values("core")
    spot = spot_units(predictions, labels, ("AD", "SQ"))
    for column, rule in (("by_majority", "majority"), ("by_mean", "mean")):
        units = aggregate(spot, "core", rule)
        assert list(votes[column]) == [("AD", "SQ")[at] for at in units.predicted]


def test_a_tie_of_votes_goes_to_the_higher_mean() -> None:
    table = pd.DataFrame(
        {
            **{"tma": "T", "core": "c", "patient": "p", "class": "AD"},
            "predicted": ["AD", "SQ"],
            "prob_AD": [0.6, 0.1],
            "prob_SQ": [0.4, 0.9],
        },
        index=[0, 1],
    )
    only = core_votes(table, ("AD", "SQ")).iloc[0]
    assert (only["by_majority"], only["right"]) == ("SQ", "no")
    divided = core_votes(table.assign(**{"class": ["AD", "SQ"]}), ("AD", "SQ")).iloc[0]
    assert (divided["class"], divided["right"]) == ("", "")


def test_right_and_wrong_are_counted_by_the_truth_of_the_spot() -> None:
    labels = labelled_spots()
    truth = labels["class"].to_numpy(dtype=object).copy()
    truth[:4] = "", "", "SQ", "SQ"
    labels["truth"] = truth
    table = spot_table(predictions_of(labels), labels, ("AD", "SQ"))
    codes = agreement_layer(table).codes
    known = (table["truth"] != "").to_numpy()
    disagree = (table["truth"] != table["predicted"]).to_numpy()
    assert (codes == 3).sum() == (~known).sum() == 2
    assert (codes == 2).sum() == (known & disagree).sum()
    assert (codes == 1).sum() == (known & ~disagree).sum()
    assert {"Truth", "Label of the core"} <= set(tissue_layers(table, ("AD", "SQ"), None, ""))


def test_a_map_holds_each_code_where_its_spot_lies() -> None:
    _, table = spots_of()
    layer = class_layer(table, "predicted", ("AD", "SQ"), "predicted class")
    figure = drawn(table, [layer])
    (heat,) = maps_in(figure)
    z = np.asarray(heat.z)
    assert z.dtype == np.uint8 and (z > 0).sum() == len(table)
    for (right, down), (_, here) in zip(laid(table).shifts, table.groupby("file"), strict=True):
        codes = z[here["y"] + down, here["x"] + right]
        assert list(codes) == [1 + ("AD", "SQ").index(one) for one in here["predicted"]]


def test_hovering_tells_core_patient_truth_and_probability() -> None:
    _, table = spots_of()
    figure = drawn(table, [probability_layer(table, ("AD", "SQ"))])
    one = handles_in(figure)[0]
    at = 3
    right, down = laid(table).shifts[0]
    x, y = one.x[at] - right, one.y[at] - down
    spot = table[(table["file"] == "TMA1.imzML") & (table["x"] == x) & (table["y"] == y)].iloc[0]
    assert one.customdata[at] == spot["number"]
    text = one.text[at]
    assert spot["core"] in text and spot["patient"] in text
    assert f"truth {spot['class']}, predicted {spot['predicted']}" in text
    assert f"{spot['probability']:.2f}" in text


def test_the_chosen_core_is_framed_in_its_middle_and_nowhere_else() -> None:
    _, table = spots_of()
    layers = [class_layer(table, "class", ("AD", "SQ"), "truth")]
    for core in table["number"].unique():
        (points,) = handles_in(drawn(table, layers, chosen=int(core)))
        (at,) = points.selectedpoints
        assert points.customdata[at] == core and points.unselected.marker.opacity == 0
        own = np.asarray(points.customdata) == core
        middle = [np.mean(np.asarray(place)[own]) for place in (points.x, points.y)]
        assert np.hypot(points.x[at] - middle[0], points.y[at] - middle[1]) < 1
    elsewhere = drawn(table[table["number"] > 0], [layers[0].of(table["number"] > 0)], chosen=0)
    assert handles_in(elsewhere)[0].selectedpoints == ()
    assert handles_in(drawn(table, layers))[0].selectedpoints is None
    assert handles_in(drawn(table, layers, answers=False)) == []


def test_the_ion_image_is_clipped_and_says_where() -> None:
    values = np.r_[np.linspace(0, 1, 99), 50.0]
    layer = ion_layer(values, "intensity at m/z 1000", percentile=99, window="mean of 3 bins")
    low, high = layer.ends or (-1, -1)
    assert low == 0 and high == pytest.approx(np.percentile(values, 99))
    assert layer.clipped and layer.codes.max() == layer.codes[-1] == layer.n_shades
    assert layer.codes[0] == 1 and layer.note.startswith("mean of 3 bins") and "99" in layer.note
    nothing = ion_layer(np.zeros(5), "nothing", percentile=99)
    assert (nothing.codes == 1).all()
    gaps = ion_layer(np.array([np.nan, 1.0]), "gap", percentile=99)
    assert gaps.codes[0] == 0
    below = ion_layer(np.array([-2.0, 1.0, 3.0]), "below", percentile=100)
    assert below.ends == (-2.0, 3.0)


def test_the_colour_bar_names_its_ends() -> None:
    _, table = spots_of()
    values = np.linspace(0, 180, len(table))
    figure = drawn(table, [ion_layer(values, "ion", percentile=90)])
    bar = next(t.marker.colorbar for t in figure.data if t.type == "scatter" and t.marker.showscale)
    assert bar.ticktext[0] == "0" and bar.ticktext[-1] == "≥ 162"
    assert max(bar.tickvals) == pytest.approx(np.percentile(values, 90))


def test_files_of_one_tma_are_maps_of_their_own_even_at_the_same_places() -> None:
    _, table = spots_of(n_tma=1)
    second = table.assign(file="again.imzML", row=table["row"] + 1000)
    both = with_numbers(pd.concat([table, second], ignore_index=True))
    figure = drawn(both, [class_layer(both, "class", ("AD", "SQ"), "truth")])
    assert [note.text for note in figure.layout.annotations] == [
        "TMA1, TMA1.imzML",
        "TMA1, again.imzML",
    ]
    assert (np.asarray(maps_in(figure)[0].z) > 0).sum() == len(both)
    assert len(core_votes(both, ("AD", "SQ"))) == 3  # measured twice, still three cores


def test_a_core_of_the_same_name_on_two_tmas_is_two() -> None:
    _, table = spots_of()
    table["core"] = "same"
    votes = core_votes(table, ("AD", "SQ"))
    assert list(votes["tma"]) == ["TMA1", "TMA2"]


@pytest.mark.parametrize("bad", HOSTILE)
def test_names_from_outside_are_text(bad: str) -> None:
    classes = (bad, "SQ")
    labels = labelled_spots(classes)
    labels["core"] = bad + labels["core"]
    labels["tma"] = bad + labels["tma"]
    labels["patient"] = bad
    table = with_numbers(spot_table(predictions_of(labels, classes), labels, classes))
    layers = list(tissue_layers(table, classes, None, "").values())
    for figure in (
        drawn(table, layers[:2], classes),
        core_map(table[:3], layers[0].of(table.index < 3), core_votes(table, classes), title=bad),
        core_spectrum(
            MzAxis.equidistant(1000, 1010, 50),
            np.ones(50),
            dict.fromkeys(classes, np.ones(50)),
            core=bad,
            low=1000,
            high=1010,
        ),
    ):
        assert "<script" not in json.dumps(json.loads(plotly.io.to_json(figure)))


def test_many_classes_one_core_and_no_spot() -> None:
    classes = ("A", "B", "C", "D")
    _, table = spots_of(classes, n_tma=1, n_cores=1)
    layers = tissue_layers(table, classes, None, "")
    low, high = layers["Probability"].ends or (0, 0)
    assert (low, high) == (0.25, 1.0)
    figure = drawn(table, list(layers.values())[:2], classes, chosen=0)
    assert len(maps_in(figure)) == 2
    empty = drawn(table[:0], [layers["Truth"].of(np.zeros(len(table), bool))], classes)
    assert "no spot" in empty.layout.annotations[0].text


def test_the_fraction_of_a_core_is_that_of_its_table() -> None:
    _, table = spots_of()
    cores = pd.DataFrame(
        {"tma": "TMA1", "core": ["c00", "c00", "c01"], "fraction": [0.2, 0.6, 1.0]}
    )
    layer = tissue_layers(table, ("AD", "SQ"), cores, "AD")["Tumour fraction"]
    of_core = layer.of((table["core"] == "c00").to_numpy())
    assert set(of_core.texts() or ()) == {"0.4"}
    assert set(layer.codes[(table["core"] == "c12").to_numpy()]) == {0}


def test_a_large_map_stays_small_and_speaks_of_cores() -> None:
    rng = np.random.default_rng(0)
    side, n_cores = 12, 180
    y, x = (part.ravel() for part in np.mgrid[:side, :side])
    n = n_cores * len(x)
    core = np.repeat(np.arange(n_cores), len(x))
    p = rng.random(n)
    table = pd.DataFrame(
        {
            "row": np.arange(n),
            "file": np.where(core < 90, "a.imzML", "b.imzML"),
            "x": np.tile(x, n_cores) + 14 * (core % 15),
            "y": np.tile(y, n_cores) + 14 * (core % 90 // 15),
            "core": [f"core-{one:03d}" for one in core],
            "tma": np.where(core < 90, "A", "B"),
            "patient": [f"P{one:03d}" for one in core],
            "class": "AD",
            "prob_AD": p,
            "prob_SQ": 1 - p,
            "predicted": np.where(p >= 0.5, "AD", "SQ"),
            "probability": np.maximum(p, 1 - p),
            "wrong": p < 0.5,
        }
    )
    table = with_numbers(table)
    layers = tissue_layers(table, ("AD", "SQ"), None, "")
    figure = drawn(table, [layers["Predicted class"], layers["Probability"]], chosen=3)
    points = handles_in(figure)
    assert sum(len(one.x) for one in points) <= MOST_HANDLES
    assert {int(number) for one in points for number in one.customdata} == set(range(n_cores))
    assert "of 144 spots" in points[0].text[0]
    assert len(plotly.io.to_json(figure)) < 400_000
    # Round cores have long outlines, which cells of two pixels would not even show.
    assert "outlines" not in figure.layout.title.subtitle.text
    few = drawn(table[:400], [layers["Truth"].of(np.arange(n) < 400)])
    assert "outlines" in few.layout.title.subtitle.text


def test_a_core_spectrum_keeps_peaks_and_few_points() -> None:
    axis = MzAxis.equidistant(800, 3000, 27_286)
    spectrum, other = np.zeros(axis.n_bins), np.zeros(axis.n_bins)
    spectrum[12_345], other[20_000] = 7.0, 5.0
    figure = core_spectrum(axis, spectrum, {"AD": other}, core="c", low=800, high=3000)
    up, down = figure.data
    assert max(len(trace.x) for trace in figure.data) <= 4_000
    assert max(up.y) == 7.0 and axis.mz[12_345] in up.x
    assert min(down.y) == -5.0 and max(down.customdata) == 5.0
    none = core_spectrum(axis, spectrum, {}, core="c", low=10, high=20)
    assert "no bin" in none.layout.annotations[0].text


@pytest.mark.parametrize(
    ("low", "high"), [(0.0, 1.0), (0.0, 162.0), (-3.0, 3.0), (0.0, 2e-5), (0.25, 1.0)]
)
def test_ticks_are_few_round_and_inside(low: float, high: float) -> None:
    ticks = round_ticks(low, high)
    assert 3 <= len(ticks) <= 7
    assert min(ticks) >= low - 1e-12 and max(ticks) <= high * (1 + 1e-9)
    assert round_ticks(1.0, 1.0) == []


def test_numbers_are_short() -> None:
    texts = [short(one) for one in (0.0, 0.25, 12.5, 201.4, 2e-5, 3e7)]
    assert texts == ["0", "0.25", "12.5", "201", "2.0e-5", "3.0e7"]
