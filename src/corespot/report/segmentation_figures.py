"""Segmentation from core labels: tumour fraction of each core, its ROC curve, and overlap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from corespot.report.theme import (
    MUTED,
    PALETTE,
    apply_theme,
    colours_of,
    empty_figure,
    faded,
    plain,
)

Floats = npt.NDArray[np.float64]


def segmentation(
    cores: pd.DataFrame,
    classes: Sequence[str],
    positive: str,
    *,
    auc: Mapping[str, Any] | None = None,
    title: str = "Segmentation of the cores",
) -> go.Figure:
    """Share of each core taken for the positive class, how well it tells cores apart, and Dice.

    Parameters
    ----------
    cores : DataFrame
        One row a core: ``core``, ``class``, ``fraction`` (share of its spots predicted positive)
        and ``dice`` (overlap with the truth of single spots; NaN where that is not known).
    classes : sequence of str
        Class names in the order of their colours.
    positive : str
        The class whose share is meant.
    auc : mapping, optional
        ``value`` and ``ci95`` of the area under the curve, written into it.
    title : str
        Title of the figure.

    References
    ----------
    Schuhmacher, Gerwert, Mosig, "A generic neural network approach to infer segmenting
    classifiers for disease-associated regions in medical images": AUC of the core's tumour
    fraction, Dice against an expert.
    """
    cores = cores[np.isfinite(cores["fraction"].astype(float))]
    if cores.empty:
        return empty_figure(title, "no core was segmented")
    with_dice = cores["dice"].notna().any() if "dice" in cores else False
    colours = colours_of(classes)
    names = [name for name in classes if (cores["class"].astype(str) == name).any()]
    figure = go.Figure()
    domains = [[0, 0.27], [0.36, 0.63], [0.73, 1.0]] if with_dice else [[0, 0.45], [0.56, 1.0]]
    for number, domain in enumerate(domains, start=1):
        axis = "" if number == 1 else str(number)
        figure.update_layout(
            {
                f"xaxis{axis}": {"domain": domain, "anchor": f"y{axis}"},
                f"yaxis{axis}": {"anchor": f"x{axis}", "range": [-0.03, 1.03]},
            }
        )
    _strips(figure, cores, "fraction", names, colours, "")
    figure.update_layout(yaxis_title_text=f"share of spots taken for {plain(positive)}")
    truth = (cores["class"].astype(str) == positive).to_numpy()
    if truth.any() and not truth.all():
        _roc(figure, cores["fraction"].to_numpy(dtype=float), truth, auc)
    figure.update_layout(
        xaxis2={"title_text": "1 − specificity", "range": [-0.03, 1.03]},
        yaxis2_title_text="sensitivity",
    )
    note = f"a dot a core; positive: {plain(positive)}"
    if with_dice:
        known = cores[cores["dice"].notna()]
        present = [name for name in names if (known["class"].astype(str) == name).any()]
        _strips(figure, known, "dice", present, colours, "3")
        figure.update_layout(yaxis3_title_text="Dice")
        note += f"; Dice against the truth of single spots, {len(known)} cores"
    return apply_theme(figure, title=title, subtitle=note, height=440, top=100)


def roc_points(score: Floats, truth: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """False and true positive rate at every threshold, from (0, 0) to (1, 1).

    Parameters
    ----------
    score : ndarray, shape (n,)
        Higher is more positive; equal scores share a threshold.
    truth : ndarray of bool, shape (n,)
        Both values occur.
    """
    order = np.argsort(-score, kind="stable")
    last = np.append(np.diff(score[order]) != 0, True)
    found, false = np.cumsum(truth[order])[last], np.cumsum(~truth[order])[last]
    return np.append(0.0, false / false[-1]), np.append(0.0, found / found[-1])


def _roc(
    figure: go.Figure, score: Floats, truth: npt.NDArray[np.bool_], auc: Mapping[str, Any] | None
) -> None:
    false, found = roc_points(score, truth)
    place = {"xaxis": "x2", "yaxis": "y2", "showlegend": False}
    figure.add_trace(
        go.Scatter(
            x=[0, 1],
            y=[0, 1],
            mode="lines",
            line={"color": MUTED, "width": 1, "dash": "dash"},
            hoverinfo="skip",
            **place,
        )
    )
    figure.add_trace(
        go.Scatter(
            x=false,
            y=found,
            mode="lines",
            line={"color": PALETTE[0], "width": 2.5},
            fill="tozeroy",
            fillcolor=faded(PALETTE[0], 0.08),
            hovertemplate="%{x:.3f}, %{y:.3f}<extra></extra>",
            **place,
        )
    )
    value = float(np.trapezoid(found, false)) if not auc else auc.get("value")
    if value is None:
        return
    interval = auc.get("ci95") if auc else None
    text = f"AUC {value:.3f}"
    text += f"<br>95 %: {interval[0]:.3f}–{interval[1]:.3f}" if interval else ""
    place = {"x": 0.97, "y": 0.06, "xref": "x2", "yref": "y2", "showarrow": False}
    figure.add_annotation(text=text, xanchor="right", yanchor="bottom", align="right", **place)


def _strips(
    figure: go.Figure,
    cores: pd.DataFrame,
    column: str,
    names: Sequence[str],
    colours: Mapping[str, str],
    axis: str,
) -> None:
    """Dots of each class beside each other, spread out sideways, with a bar at their median."""
    for at, name in enumerate(names):
        part = cores[cores["class"].astype(str) == name]
        values = part[column].to_numpy(dtype=float)
        # Multiples of the golden ratio, modulo 1, spread evenly without a draw.
        aside = 0.5 * ((np.arange(len(values)) * 0.618034) % 1 - 0.5)
        figure.add_trace(
            go.Scatter(
                x=at + aside,
                y=values,
                mode="markers",
                marker={"size": 7, "color": colours[name], "opacity": 0.7},
                text=[plain(core) for core in part["core"]],
                hovertemplate="%{text}: %{y:.3f}<extra></extra>",
                showlegend=False,
                xaxis=f"x{axis}",
                yaxis=f"y{axis}",
            )
        )
        figure.add_trace(
            go.Scatter(
                x=[at - 0.34, at + 0.34],
                y=[float(np.median(values))] * 2,
                mode="lines",
                line={"color": colours[name], "width": 3},
                hovertemplate="median %{y:.3f}<extra></extra>",
                showlegend=False,
                xaxis=f"x{axis}",
                yaxis=f"y{axis}",
            )
        )
    figure.update_layout(
        {
            f"xaxis{axis}": {
                "tickvals": list(range(len(names))),
                "ticktext": [plain(name) for name in names],
                "range": [-0.6, len(names) - 0.4],
                "title_text": "class of the core",
                "showgrid": False,
            }
        }
    )
