"""What the predictions look like: confusion matrix and calibration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from corespot.report.theme import (
    INK,
    MUTED,
    SEQUENTIAL,
    apply_theme,
    colour,
    empty_figure,
    plain,
)


def confusion(
    matrix: npt.NDArray[np.floating] | Sequence[Sequence[float]],
    classes: Sequence[str],
    *,
    title: str = "Confusion matrix",
    unit: str = "spots",
) -> go.Figure:
    """Counts of true against predicted class, shaded by the share of the true class.

    Parameters
    ----------
    matrix : array, shape (n_classes, n_classes)
        Rows are the true, columns the predicted classes.
    classes : sequence of str
        Their names.
    title, unit : str
        What is counted.

    Raises
    ------
    ValueError
        If the matrix does not fit the classes.
    """
    counts = np.asarray(matrix, dtype=float)
    if counts.shape != (len(classes), len(classes)):
        raise ValueError(f"a {counts.shape} matrix does not fit {len(classes)} classes")
    total = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)
    names = [plain(name) for name in classes]
    figure = go.Figure(
        go.Heatmap(
            z=share,
            x=names,
            y=names,
            zmin=0,
            zmax=1,
            colorscale=SEQUENTIAL,
            xgap=3,
            ygap=3,
            showscale=False,
            hovertemplate="true %{y}, predicted %{x}: %{z:.1%}<extra></extra>",
        )
    )
    for i, j in np.ndindex(*counts.shape):
        figure.add_annotation(
            x=j,
            y=i,
            text=f"<b>{share[i, j]:.1%}</b><br>{counts[i, j]:,.0f}",
            showarrow=False,
            font={"size": 15, "color": "#FFFFFF" if share[i, j] > 0.6 else INK},
        )
    figure.update_yaxes(title_text="true class", autorange="reversed", showgrid=False)
    figure.update_xaxes(title_text="predicted class", showgrid=False, constrain="domain")
    figure.update_yaxes(scaleanchor="x", constrain="domain", ticks="", showline=False)
    figure.update_xaxes(ticks="", showline=False)
    return apply_theme(
        figure,
        title=title,
        subtitle=f"share of the true class, and number of {unit}",
        height=200 + 110 * len(classes),
    )


def reliability(table: pd.DataFrame, *, title: str = "Calibration") -> go.Figure:
    """Accuracy against confidence; on the diagonal the probabilities mean what they say.

    Parameters
    ----------
    table : DataFrame
        One row a confidence bin: ``predicted`` (mean probability of the predicted class),
        ``observed`` (share of right decisions), ``count``, and optionally ``model``.
    title : str
        Title of the figure.
    """
    table = table[table["count"] > 0] if len(table) else table
    if table.empty:
        return empty_figure(title, "no prediction to compare")
    named = table.assign(model=table.get("model", "model"))
    figure = make_subplots(
        rows=2, cols=1, shared_xaxes=True, row_heights=[0.76, 0.24], vertical_spacing=0.05
    )
    figure.add_trace(
        go.Scatter(
            x=[0, 1],
            y=[0, 1],
            mode="lines",
            name="calibrated",
            line={"color": MUTED, "width": 1, "dash": "dash"},
            hoverinfo="skip",
        ),
        row=1,
        col=1,
    )
    for index, (model, part) in enumerate(named.groupby("model", sort=False)):
        part = part.sort_values("predicted")
        figure.add_trace(
            go.Scatter(
                x=part["predicted"],
                y=part["observed"],
                mode="lines+markers",
                name=plain(model),
                legendgroup=plain(model),
                line={"color": colour(index), "width": 2},
                marker={"size": 8},
                hovertemplate="confidence %{x:.3f}, accuracy %{y:.3f}",
            ),
            row=1,
            col=1,
        )
        figure.add_trace(
            go.Scatter(
                x=part["predicted"],
                y=part["count"],
                mode="lines+markers",
                showlegend=False,
                legendgroup=plain(model),
                line={"color": colour(index), "width": 1.5},
                marker={"size": 5},
                hovertemplate="%{y:,} at %{x:.3f}<extra></extra>",
            ),
            row=2,
            col=1,
        )
    figure.update_yaxes(title_text="accuracy", range=[-0.02, 1.02], row=1, col=1)
    figure.update_yaxes(title_text="spots", rangemode="tozero", nticks=4, row=2, col=1)
    # The probability of the predicted class starts at 1 / n_classes.
    low = 0.1 * np.floor(10 * float(named["predicted"].min()))
    figure.update_xaxes(range=[low - 0.01, 1.01])
    figure.update_xaxes(title_text="confidence: probability of the predicted class", row=2, col=1)
    subtitle = "below the diagonal the model is surer than it is right"
    return apply_theme(figure, title=title, subtitle=subtitle, height=520)
