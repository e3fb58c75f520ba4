"""Figures of single spots: maps, galleries, embeddings show the right spot at the right place."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from spot_tables import labelled_spots, predictions_of

from corespot.axis import MzAxis
from corespot.errors import StoreError
from corespot.report.embedding_figures import embedding_maps
from corespot.report.gallery import CONFIDENT, neighbourhood, pick_galleries
from corespot.report.gallery_figures import gallery_figure
from corespot.report.map_grid import SpotGrid, grids_of
from corespot.report.spot_table import spot_table
from corespot.report.theme import PALETTE
from corespot.report.tissue_figures import tissue_maps
from corespot.report.value_maps import spot_value_maps

EVIL = "<script>alert(1)</script>"
AXIS = MzAxis.tof(900, 2000, 3000)


@pytest.fixture
def table():
    labels = labelled_spots()
    return spot_table(predictions_of(labels), labels, ("AD", "SQ"))


def texts(figure):
    """Everything in a figure that plotly would read markup in."""
    found = [figure.layout.title.text or "", figure.layout.title.subtitle.text or ""]
    found += [note.text or "" for note in figure.layout.annotations]
    found += [trace.name or "" for trace in figure.data]
    return " ".join(found)


def heatmaps(figure, column):
    """Heat maps in one column of maps, from top to bottom."""
    drawn = [trace for trace in figure.data if isinstance(trace, go.Heatmap)]
    lefts = sorted({figure.layout[trace.xaxis.replace("x", "xaxis")].domain[0] for trace in drawn})
    return [
        trace
        for trace in drawn
        if figure.layout[trace.xaxis.replace("x", "xaxis")].domain[0] == lefts[column]
    ]


def test_spot_table_averages_repeats_and_finds_the_wrong_ones():
    labels = labelled_spots(n_tma=1, n_cores=2, radius=0).iloc[::-1]
    predictions = pd.DataFrame(
        {
            "row": [100, 101, 100, 101],
            "repeat": [0, 0, 1, 1],
            "fold": 0,
            "y": [0, 1, 0, 1],
            "prob_AD": [0.9, 0.6, 0.3, 0.7],
            "prob_SQ": [0.1, 0.4, 0.7, 0.3],
        }
    )
    found = spot_table(predictions, labels, ("AD", "SQ"))
    assert found["row"].tolist() == [100, 101]
    np.testing.assert_allclose(found["prob_AD"], [0.6, 0.65])
    assert found["predicted"].tolist() == ["AD", "AD"]
    assert found["wrong"].tolist() == [False, True]
    np.testing.assert_allclose(found["probability"], [0.6, 0.65])
    weak = spot_table(predictions, labels.assign(truth=["AD", ""]), ("AD", "SQ"))
    assert weak["wrong"].tolist() == [False, False], "its own truth outweighs the core's"
    with pytest.raises(StoreError, match="no spots of the task"):
        spot_table(predictions.assign(row=7), labels, ("AD", "SQ"))


def test_outlines_close_round_each_core_and_hatching_crosses_marked_cells():
    index = np.array([[0, 1, -1], [2, 3, 4]])
    grid = SpotGrid("", 10, 20, index)
    x, y = grid.outlines(np.array([0, 0, 0, 0, 1]))
    segments = np.stack([x, y], axis=1).reshape(-1, 3, 2)[:, :2]
    length = np.abs(np.diff(segments, axis=1)).sum()
    assert length == 8 + 4 - 1, "a 2x2 square and a cell, their common edge drawn once"
    assert np.nanmin(x) == 9.5 and np.nanmax(x) == 12.5
    assert np.nanmin(y) == 19.5 and np.nanmax(y) == 21.5
    for (x0, y0), (x1, y1) in segments:
        assert x0 == x1 or y0 == y1
    x, y = grid.hatching(np.array([False, False, False, False, True]))
    assert x[:2].tolist() == [11.5, 12.5] and y[:2].tolist() == [21.5, 20.5]
    assert len(grid.hatching(np.zeros(5, dtype=bool))[0]) == 0


def test_maps_put_every_spot_where_it_was_measured(table):
    figure = tissue_maps(table, ("AD", "SQ"))
    truth, predicted, probability = (heatmaps(figure, column) for column in range(3))
    assert len(truth) == len(predicted) == len(probability) == 2
    for spot in table.to_dict("records"):
        at = int(spot["tma"][3:]) - 1
        for drawn, wanted in (
            (truth, ("AD", "SQ").index(spot["class"])),
            (predicted, ("AD", "SQ").index(spot["predicted"])),
            (probability, round(100 * spot["prob_AD"])),
        ):
            z = np.asarray(drawn[at].z)
            assert z[spot["y"] - drawn[at].y0, spot["x"] - drawn[at].x0] == wanted + 1
    for drawn in (*truth, *predicted, *probability):
        assert (np.asarray(drawn.z) == 0).any(), "corners of a round core hold no spot"
    clear = truth[0].colorscale[0]
    assert clear == (0.0, "rgba(0,0,0,0)")
    hatched = sum(
        int(np.isnan(np.asarray(t.x, dtype=float)).sum())
        for t in figure.data
        if isinstance(t, go.Scatter) and t.line.width == 1.1
    )
    assert hatched == table["wrong"].sum() > 0
    y_range = figure.layout.yaxis.range
    assert y_range[0] > y_range[1], "y downward"
    assert all(figure.layout[f"yaxis{n}"].scaleanchor == f"x{n}" for n in range(2, 7)), (
        "square cells"
    )


def test_maps_of_many_classes_of_weak_labels_and_of_nothing():
    names = ("AD", EVIL, "other")
    labels = labelled_spots(names, n_tma=3, n_cores=4)
    table = spot_table(predictions_of(labels, names), labels, names)
    figure = tissue_maps(table, names)
    assert "<script" not in texts(figure) and "probability of the predicted class" in texts(figure)
    assert {t.marker.color for t in figure.data if t.showlegend is None and t.name} == set(
        PALETTE[:3]
    )
    best = heatmaps(figure, 2)[0]
    highest = table.loc[table["tma"] == "TMA1", "probability"].max()
    assert np.asarray(best.z).max() == round(100 * highest) + 1
    weak = labels.assign(truth=np.where(labels["x"] % 2, labels["class"], ""))
    shown = tissue_maps(spot_table(predictions_of(labels, names), weak, names), names)
    assert "truth of the spot" in texts(shown) and len(heatmaps(shown, 1)) == 3
    assert (np.asarray(heatmaps(shown, 1)[0].z) == 4).any(), "no known truth has a grey of its own"
    assert tissue_maps(table.head(0), names).layout.annotations


def test_files_of_one_tma_are_told_apart_and_tmas_sorted_as_people_count():
    labels = labelled_spots(n_tma=2)
    labels["tma"] = "TMA1"
    assert [grid.name for grid in grids_of(labels)] == ["TMA1, TMA1.imzML", "TMA1, TMA2.imzML"]
    many = labelled_spots(n_tma=11)
    assert [grid.name for grid in grids_of(many)][1:3] == ["TMA2", "TMA3"]


def test_value_maps_share_one_scale_and_leave_gaps(table):
    values = table.assign(sensitivity=np.arange(len(table), dtype=float))
    figure = spot_value_maps(values, "sensitivity", title="t", unit=EVIL)
    drawn = [trace for trace in figure.data if isinstance(trace, go.Heatmap)]
    assert len(drawn) == 1 and drawn[0].coloraxis == "coloraxis"
    z, place = np.asarray(drawn[0].z), np.asarray(drawn[0].customdata)
    assert sorted(z[np.isfinite(z)]) == list(range(len(table)))
    for row, column in np.argwhere(np.isfinite(z)):
        spot = table.iloc[int(z[row, column])]
        assert list(place[row, column]) == [spot["x"], spot["y"]]
    assert figure.layout.coloraxis.cmax == pytest.approx(0.99 * (len(table) - 1))
    assert "<script" not in texts(figure)
    assert spot_value_maps(values.assign(sensitivity=np.nan), "sensitivity", title="t").layout


def test_galleries_take_the_telling_spots_one_a_core(table):
    found = pick_galleries(table, n=4)
    assert list(found) == ["right", "wrong", "unsure"]
    for gallery in found.values():
        assert not gallery.spots.duplicated(["file", "core"]).any() and len(gallery.spots) <= 4
    right, wrong, unsure = (found[name].spots for name in found)
    assert not right["wrong"].any() and wrong["wrong"].all()
    assert set(right["class"].head(2)) == {"AD", "SQ"}, "classes take turns"
    assert right["probability"].iloc[0] == table.loc[~table["wrong"], "probability"].max()
    assert wrong["probability"].iloc[0] == table.loc[table["wrong"], "probability"].max()
    assert unsure["probability"].iloc[0] == table["probability"].min()
    assert wrong["probability"].is_monotonic_decreasing
    n_sure = (table.loc[~table["wrong"], "probability"] > CONFIDENT).sum()
    assert found["right"].why.startswith(f"{n_sure:,} of ")
    assert pick_galleries(table[~table["wrong"]])["wrong"].spots.empty


def test_gallery_draws_each_spot_over_the_mean_of_its_true_class(table):
    gallery = pick_galleries(table, n=4)["wrong"]
    n = len(gallery.spots)
    spectra = np.zeros((n, AXIS.n_bins), dtype=np.float32)
    spectra[np.arange(n), 1000 + 100 * np.arange(n)] = 4.0
    means = {"AD": np.eye(AXIS.n_bins)[10], "SQ": np.eye(AXIS.n_bins)[2900]}
    figure = gallery_figure(gallery, spectra, means, AXIS)
    for at, spot in enumerate(gallery.spots.to_dict("records")):
        axis = "x" if at == 0 else f"x{2 * at + 1}"
        up, down = (trace for trace in figure.data if trace.xaxis == axis)
        assert up.y.max() == 1 and up.x[np.argmax(up.y)] == np.float32(AXIS.mz[1000 + 100 * at])
        assert down.y.min() == -1
        assert down.x[np.argmin(down.y)] == np.float32(means[spot["class"]] @ AXIS.mz)
        assert len(up.x) <= 700
        caption = figure.layout.annotations[at].text
        for part in (spot["class"], spot["predicted"], spot["core"], spot["tma"], spot["patient"]):
            assert part in caption
        assert f"{spot['probability']:.3f}" in caption
    with pytest.raises(ValueError, match="spectra"):
        gallery_figure(gallery, spectra[:1], means, AXIS)
    empty = pick_galleries(table[~table["wrong"]])["wrong"]
    assert "no such spot" in texts(gallery_figure(empty, spectra[:0], means, AXIS))


def test_neighbourhood_is_that_of_the_spot_on_its_own_core(table):
    gallery = pick_galleries(table, n=3)["wrong"]
    around = [neighbourhood(table, s, "prob_AD", reach=3) for _, s in gallery.spots.iterrows()]
    for shown, (_, spot) in zip(around, gallery.spots.iterrows(), strict=True):
        assert shown.values.shape == (7, 7)
        assert shown.values[shown.centre, shown.centre] == spot["prob_AD"]
        assert np.isfinite(shown.values).sum() <= (table["core"] == spot["core"]).sum()
        right = table[(table.file == spot.file) & (table.x == spot.x + 1) & (table.y == spot.y)]
        if len(right):
            assert shown.values[shown.centre, shown.centre + 1] == right["prob_AD"].iloc[0]
    spectra = np.ones((len(around), AXIS.n_bins))
    means = {"AD": np.ones(AXIS.n_bins), "SQ": np.ones(AXIS.n_bins)}
    figure = gallery_figure(
        gallery, spectra, means, AXIS, neighbourhoods=around, map_title=f"of {EVIL}"
    )
    assert sum(isinstance(trace, go.Heatmap) for trace in figure.data) == len(around)
    assert "<script" not in texts(figure)


def test_embedding_marks_held_out_spots_and_names_few_groups():
    labels = labelled_spots(("AD", EVIL), n_tma=3)
    points = labels.assign(
        tsne_x=np.arange(len(labels)), tsne_y=0.0, held_out=labels["tma"] == "TMA2"
    )
    figure = embedding_maps(points, ("AD", EVIL))
    assert {trace.xaxis for trace in figure.data} == {"x", "x2", "x3"}
    for open_dots, filled in zip(figure.data[::2], figure.data[1::2], strict=True):
        assert open_dots.marker.symbol == "circle-open" and filled.marker.symbol == "circle"
        assert filled.x.tolist() == points.loc[points["held_out"], "tsne_x"].tolist()
    by_class = figure.data[1].marker.color
    wanted = points.loc[points["held_out"], "class"].map({"AD": PALETTE[0], EVIL: PALETTE[1]})
    assert list(by_class) == wanted.tolist()
    said = texts(figure)
    assert "<script" not in said and "TMA3" in said and "9, colours repeat" in said
    many = pd.concat([points] * 100, ignore_index=True)
    drawn = embedding_maps(many)
    assert len(drawn.data[0].x) + len(drawn.data[1].x) <= 2000 and "drawn" in texts(drawn)
    assert embedding_maps(points.head(0)).layout.annotations


def test_spots_of_unknown_truth_are_neither_right_nor_wrong() -> None:
    table = pd.DataFrame(
        {
            "row": range(4),
            "file": "a.imzML",
            "x": range(4),
            "y": 0,
            "core": "C1",
            "tma": "T1",
            "patient": "P1",
            "class": "a",
            "truth": ["a", "b", "", ""],
            "predicted": "a",
            "probability": 0.9,
            "prob_a": 0.9,
            "prob_b": 0.1,
            "wrong": [False, True, False, False],
        }
    )
    subtitle = str(tissue_maps(table, ["a", "b"]).layout.title.subtitle.text)
    assert "50.0% of the spots are right" in subtitle
