"""How the training went: loss and balanced accuracy by epoch."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from corespot.report.theme import apply_theme, colour, empty_figure, faded


def learning_curves(history: pd.DataFrame, *, title: str = "Learning curves") -> go.Figure:
    """Loss and balanced accuracy by epoch: thin lines single folds, thick ones their median.

    Parameters
    ----------
    history : DataFrame
        One row a fold and epoch: ``epoch``, ``train_loss``, optionally
        ``train_balanced_accuracy``, ``test_balanced_accuracy`` or
        ``validation_balanced_accuracy``, and ``repeat``, ``fold``.
    title : str
        Title of the figure.
    """
    panels = [("loss", "loss"), ("balanced_accuracy", "balanced accuracy")]
    parts = [("train", colour(0)), ("validation", colour(4)), ("test", colour(1))]
    shown = [(key, name) for key, name in panels if any(f"{p}_{key}" in history for p, _ in parts)]
    if history.empty or not shown:
        return empty_figure(title, "this model has no training epochs")
    keys = [key for key in ("repeat", "fold") if key in history]
    folds = [part for _, part in history.groupby(keys)] if keys else [history]
    figure = make_subplots(rows=1, cols=len(shown), horizontal_spacing=0.09)
    for column, (key, name) in enumerate(shown, start=1):
        for part_name, shade in parts:
            measured = f"{part_name}_{key}"
            if measured not in history:
                continue
            common = {"name": part_name, "legendgroup": part_name}
            for fold in folds if len(folds) > 1 else []:
                figure.add_trace(
                    go.Scatter(
                        x=fold["epoch"],
                        y=fold[measured],
                        mode="lines",
                        line={"color": faded(shade, 0.3), "width": 1},
                        showlegend=False,
                        hoverinfo="skip",
                        **common,
                    ),
                    row=1,
                    col=column,
                )
            median = history.groupby("epoch")[measured].median().dropna()
            figure.add_trace(
                go.Scatter(
                    x=median.index,
                    y=median,
                    mode="lines" if len(median) > 1 else "markers",
                    line={"color": shade, "width": 2.5},
                    showlegend=not any(t.name == part_name and t.showlegend for t in figure.data),
                    hovertemplate="epoch %{x}: %{y:.3f}",
                    **common,
                ),
                row=1,
                col=column,
            )
        figure.update_yaxes(title_text=name, row=1, col=column)
    figure.update_xaxes(title_text="epoch")
    subtitle = "thick: median over folds; thin: single folds" if len(folds) > 1 else ""
    return apply_theme(figure, title=title, subtitle=subtitle, height=420)
