"""The leakage gap: how much of a figure the way of splitting is worth."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from corespot.report.theme import (
    MUTED,
    apply_theme,
    colours_of,
    empty_figure,
    plain,
)

#: Groupings from the most optimistic to the most honest, as they are named in figures.
GROUPINGS = {"spot": "random spots", "core": "cores", "patient": "patients", "tma": "TMAs"}


def leakage_gap(table: pd.DataFrame, *, n_classes: Mapping[str, int] | None = None) -> go.Figure:
    """The same model under four ways of splitting: what random folds promise too much.

    Parameters
    ----------
    table : DataFrame
        One row a task, model and grouping: ``task``, ``model``, ``grouping`` (``spot``,
        ``core``, ``patient``, ``tma``), ``balanced_accuracy`` and optionally ``q1``, ``q3``.
    n_classes : mapping of str to int
        Classes of each task, of which chance is the inverse; two where not given.
    """
    title = "Leakage gap: what the split promises"
    if table.empty:
        return empty_figure(title, "no grouping was compared")
    tasks = list(dict.fromkeys(table["task"].astype(str)))
    models = list(dict.fromkeys(table["model"].astype(str)))
    present = [name for name in GROUPINGS if name in set(table["grouping"])]
    figure = make_subplots(
        rows=1,
        cols=len(tasks),
        shared_yaxes=True,
        subplot_titles=[plain(task) for task in tasks],
        horizontal_spacing=0.03,
    )
    for number, task in enumerate(tasks, start=1):
        for model, shade in colours_of(models).items():
            part = table[
                (table["task"].astype(str) == task) & (table["model"].astype(str) == model)
            ]
            part = part.set_index("grouping").reindex(present).dropna(subset=["balanced_accuracy"])
            if part.empty:
                continue
            value = part["balanced_accuracy"].to_numpy(dtype=float)
            figure.add_trace(
                go.Scatter(
                    x=[GROUPINGS[name] for name in part.index],
                    y=value,
                    mode="lines+markers",
                    name=plain(model),
                    legendgroup=plain(model),
                    showlegend=number == 1,
                    line={"color": shade, "width": 2},
                    marker={
                        "size": 10,
                        "color": ["#FFFFFF" if name == "spot" else shade for name in part.index],
                        "line": {"color": shade, "width": 2},
                    },
                    error_y=_quartile_bars(part, value),
                    hovertemplate="%{x}: %{y:.3f}",
                ),
                row=1,
                col=number,
            )
            if len(value) > 1 and "spot" in part.index:
                figure.add_annotation(
                    x=GROUPINGS[part.index[-1]],
                    y=value[-1],
                    text=f"gap {value[0] - value[-1]:+.3f}".replace("-", "−"),
                    showarrow=False,
                    xanchor="left",
                    xshift=10,
                    font={"size": 12, "color": shade},
                    row=1,
                    col=number,
                )
        figure.add_hline(
            y=1 / (n_classes or {}).get(task, 2),
            line={"color": MUTED, "width": 1, "dash": "dot"},
            row=1,
            col=number,
        )
    order = [GROUPINGS[name] for name in present]
    figure.update_xaxes(
        categoryorder="array", categoryarray=order, range=[-0.35, len(order) - 0.35]
    )
    figure.update_xaxes(title_text="folds made of", showgrid=False)
    low = min(0.45, float(table["balanced_accuracy"].min()) - 0.05)
    low = min([low, *(1 / n - 0.05 for n in (n_classes or {}).values())])
    figure.update_yaxes(range=[max(low, 0), 1.02], dtick=0.1, tickformat=".1f")
    figure.update_yaxes(title_text="balanced accuracy (spot level)", col=1)
    return apply_theme(
        figure,
        title=title,
        subtitle="random spots (open dots) share cores with the training part: optimistic",
        height=440,
        top=112,
    )


def _quartile_bars(part: pd.DataFrame, value: npt.NDArray[np.floating]) -> dict[str, object] | None:
    if not {"q1", "q3"} <= set(part.columns):
        return None
    return {
        "array": np.maximum(part["q3"].to_numpy(dtype=float) - value, 0),
        "arrayminus": np.maximum(value - part["q1"].to_numpy(dtype=float), 0),
        "thickness": 1.2,
        "width": 4,
    }
