"""Figures that compare models: folds, learning, segmentation, ablation carry their numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from corespot.report.ablation_figures import ablation, ablation_table
from corespot.report.fold_figures import fold_boxes
from corespot.report.leakage_figures import leakage_gap
from corespot.report.segmentation_figures import roc_points, segmentation
from corespot.report.training_figures import learning_curves

EVIL = "<script>alert(1)</script>"


def fold_values(n_repeats=1, n_folds=4):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        [
            (task, model, repeat, fold, rng.uniform(0.5, 1))
            for task in ("ADSQ", EVIL)
            for model in ("second", "first")
            for repeat in range(n_repeats)
            for fold in range(n_folds)
        ],
        columns=["task", "model", "repeat", "fold", "balanced_accuracy"],
    )


def test_boxes_have_the_quartiles_of_the_result_table():
    table = fold_values()
    figure = fold_boxes(table, n_classes={"ADSQ": 2, EVIL: 4})
    boxes = [trace for trace in figure.data if isinstance(trace, go.Box)]
    assert len(boxes) == 4
    for box, (_, part) in zip(boxes, table.groupby(["task", "model"], sort=False), strict=True):
        values = part["balanced_accuracy"]
        drawn = [box.lowerfence[0], box.q1[0], box.median[0], box.q3[0], box.upperfence[0]]
        np.testing.assert_allclose(drawn, np.percentile(values, [0, 25, 50, 75, 100]))
    dots = [trace for trace in figure.data if isinstance(trace, go.Scatter)]
    assert [len(trace.x) for trace in dots] == [4] * 4
    assert list(figure.layout.yaxis.ticktext) == ["second", "first"], "in the order of the params"
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1], "the first is on top"
    chance = {(line.x0, line.xref) for line in figure.layout.shapes}
    assert chance == {(0.5, "x"), (0.25, "x2")}
    assert figure.layout.xaxis2.range[0] < 0.25
    assert "<script" not in figure.layout.annotations[1].text


def test_repeats_are_summed_up_as_in_the_table():
    table = fold_values(n_repeats=3)
    figure = fold_boxes(table)
    diamonds = [trace for trace in figure.data if trace.marker.symbol == "diamond"]
    first = table[(table["task"] == "ADSQ") & (table["model"] == "second")]
    wanted = np.percentile(first.groupby("repeat")["balanced_accuracy"].mean(), [25, 50, 75])
    drawn = diamonds[0]
    assert len(diamonds) == 4 and drawn.x[0] == pytest.approx(wanted[1])
    assert drawn.x[0] - drawn.error_x.arrayminus[0] == pytest.approx(wanted[0])
    assert drawn.x[0] + drawn.error_x.array[0] == pytest.approx(wanted[2])
    assert fold_boxes(table.assign(balanced_accuracy=np.nan)).layout.annotations


def test_chance_follows_the_number_of_classes():
    gap = pd.DataFrame(
        {
            "task": "T",
            "model": "m",
            "grouping": ["spot", "tma"],
            "balanced_accuracy": [0.9, 0.3],
        }
    )
    figure = leakage_gap(gap, n_classes={"T": 4})
    assert figure.layout.shapes[0].y0 == 0.25 and figure.layout.yaxis.range[0] < 0.25


def history(epochs, n_folds=3):
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "fold": fold,
                    "epoch": np.arange(1, epochs + 1),
                    "train_loss": np.linspace(2, 1, epochs) + fold,
                    "train_balanced_accuracy": np.linspace(0.6, 0.95, epochs),
                    "test_balanced_accuracy": np.linspace(0.5, 0.7, epochs) + 0.05 * fold,
                }
            )
            for fold in range(n_folds)
        ],
        ignore_index=True,
    )


@pytest.mark.parametrize("epochs", [1, 10, 400])
def test_learning_curves_show_medians_and_the_gap_between_them(epochs):
    table = history(epochs)
    figure = learning_curves(table)
    thick = {(t.name, t.yaxis): t for t in figure.data if t.line.width == 2.5}
    assert set(thick) == {("train", "y"), ("train", "y2"), ("test", "y2")}
    median = thick["test", "y2"]
    last = table[table["epoch"] == epochs].median(numeric_only=True)
    assert median.x[-1] == epochs
    assert median.y[-1] == pytest.approx(last["test_balanced_accuracy"])
    gap = last["train_balanced_accuracy"] - last["test_balanced_accuracy"]
    assert [note.text for note in figure.layout.annotations] == [f"gap<br>{gap:+.3f}"]
    shaded = [trace for trace in figure.data if trace.fill == "toself"]
    assert len(shaded) == 1 and shaded[0].yaxis == "y2"
    assert "looking only" in figure.layout.title.subtitle.text
    assert max(len(trace.x) for trace in thick.values()) <= 240
    assert len(figure.to_json()) < 60_000
    assert sum(bool(trace.showlegend) for trace in figure.data) == 2


def test_learning_curves_without_a_test_part_or_without_epochs():
    figure = learning_curves(history(5, n_folds=1).drop(columns="test_balanced_accuracy"))
    assert not figure.layout.annotations and figure.layout.title.subtitle.text == ""
    assert learning_curves(pd.DataFrame()).layout.annotations


@pytest.fixture
def cores():
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"core": [f"c{n}" for n in range(30)], "class": ["tumour", EVIL] * 15})
    table["fraction"] = np.round(rng.uniform(size=30) * 0.7 + 0.3 * (table["class"] == "tumour"), 1)
    table["dice"] = np.where(table["class"] == "tumour", rng.uniform(size=30), np.nan)
    return table


def test_roc_is_that_of_scikit_learn_ties_and_all(cores):
    truth = (cores["class"] == "tumour").to_numpy()
    score = cores["fraction"].to_numpy()
    false, found = roc_points(score, truth)
    expected = roc_curve(truth, score, drop_intermediate=False)
    np.testing.assert_allclose(false, expected[0])
    np.testing.assert_allclose(found, expected[1])
    assert np.trapezoid(found, false) == pytest.approx(roc_auc_score(truth, score))


def test_segmentation_shows_fractions_roc_and_dice(cores):
    names = ("tumour", EVIL)
    figure = segmentation(cores, names, "tumour")
    area = roc_auc_score(cores["class"] == "tumour", cores["fraction"])
    assert figure.layout.annotations[0].text == f"AUC {area:.3f}"
    strips = [t for t in figure.data if t.mode == "markers" and t.yaxis == "y"]
    for strip, name in zip(strips, names, strict=True):
        assert sorted(strip.y) == sorted(cores.loc[cores["class"] == name, "fraction"])
    dice = [t for t in figure.data if t.mode == "markers" and t.yaxis == "y3"]
    assert len(dice) == 1 and sorted(dice[0].y) == sorted(cores["dice"].dropna())
    given = segmentation(cores, names, "tumour", auc={"value": 0.5, "ci95": [0.25, 0.75]})
    assert given.layout.annotations[0].text == "AUC 0.500<br>95 %: 0.250–0.750"
    without = segmentation(cores.assign(dice=np.nan), names, "tumour")
    assert not any(trace.yaxis == "y3" for trace in without.data)
    one = segmentation(cores[cores["class"] == "tumour"], names, "tumour")
    assert not any(trace.yaxis == "y2" for trace in one.data), "no curve of a single class"
    assert segmentation(cores.head(0), names, "tumour").layout.annotations
    for drawn in (figure, without):
        assert not any("<script" in str(t) for t in drawn.layout.xaxis.ticktext)


def test_ablation_shows_drops_with_their_intervals():
    metrics = {
        "T": {
            "plain": {"spot": {}},
            EVIL: {
                "ablation": {
                    "spatial": {"drop": 0.1, "ci95": [0.02, 0.17]},
                    "spectral": {"drop": 0.3, "ci95": None},
                }
            },
        }
    }
    table = ablation_table(metrics)
    assert table["model"].unique().tolist() == [EVIL] and len(table) == 2
    figure = ablation(table)
    drawn = {trace.name: trace for trace in figure.data}
    spatial = drawn["positions shuffled"]
    assert spatial.x[0] == 0.1
    assert spatial.x[0] - spatial.error_x.arrayminus[0] == pytest.approx(0.02)
    assert spatial.x[0] + spatial.error_x.array[0] == pytest.approx(0.17)
    assert drawn["spectra shuffled"].error_x.array[0] == 0
    assert "<script" not in figure.layout.yaxis.ticktext[0]
    assert ablation(ablation_table({})).layout.annotations
