"""How well the models do: balanced accuracy over folds, and the leakage gap."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from corespot.report.tables import LEVEL_TITLES
from corespot.report.theme import (
    MUTED,
    apply_theme,
    colours_of,
    empty_figure,
    faded,
    plain,
)

#: Groupings from the most optimistic to the most honest, as they are named in figures.
GROUPINGS = {"spot": "random spots", "core": "cores", "patient": "patients", "tma": "TMAs"}


def fold_boxes(table: pd.DataFrame, *, level: str = "spot") -> go.Figure:
    """Balanced accuracy of every fold, a box a model, side by side for each task.

    Parameters
    ----------
    table : DataFrame
        One row a task, model, repeat and fold: ``task``, ``model``, ``balanced_accuracy`` (NaN
        is left out), and optionally ``level``, of which `level` is kept.
    level : str
        Evaluation level, also for the title.
    """
    title = f"Balanced accuracy over folds, {LEVEL_TITLES.get(level, level)} level"
    if "level" in table:
        table = table[table["level"] == level]
    table = table.dropna(subset=["balanced_accuracy"])
    if table.empty:
        return empty_figure(title, "no fold was evaluated")
    figure = go.Figure()
    models = list(dict.fromkeys(table["model"].astype(str)))
    for model, shade in colours_of(models).items():
        part = table[table["model"].astype(str) == model]
        figure.add_trace(
            go.Box(
                x=[plain(task) for task in part["task"]],
                y=part["balanced_accuracy"].to_numpy(dtype=float),
                name=plain(model),
                boxpoints="all",
                jitter=0.35,
                pointpos=0,
                marker={"size": 6, "color": shade, "opacity": 0.75},
                line={"color": shade, "width": 1.6},
                fillcolor=faded(shade, 0.15),
                hovertemplate="%{y:.3f}",
            )
        )
    _accuracy_axis(figure, table["balanced_accuracy"], "balanced accuracy")
    figure.update_layout(boxmode="group", boxgap=0.35, boxgroupgap=0.25)
    return apply_theme(figure, title=title, subtitle="one dot a test fold", height=440)


def leakage_gap(table: pd.DataFrame) -> go.Figure:
    """The same model under four ways of splitting: what random folds promise too much.

    Parameters
    ----------
    table : DataFrame
        One row a task, model and grouping: ``task``, ``model``, ``grouping`` (``spot``,
        ``core``, ``patient``, ``tma``), ``balanced_accuracy`` and optionally ``q1``, ``q3``.
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
    order = [GROUPINGS[name] for name in present]
    figure.update_xaxes(
        categoryorder="array", categoryarray=order, range=[-0.35, len(order) - 0.35]
    )
    figure.update_xaxes(title_text="folds made of", showgrid=False)
    _accuracy_axis(figure, table["balanced_accuracy"], None)
    figure.update_yaxes(title_text="balanced accuracy (spot level)", col=1)
    return apply_theme(
        figure,
        title=title,
        subtitle="random spots (open dots) share cores with the training part: optimistic",
        height=440,
        top=112,
    )


def _accuracy_axis(figure: go.Figure, values: pd.Series, title: str | None) -> None:
    """Axis from below chance, or the worst value, to 1, with chance for two classes marked."""
    low = min(0.45, float(values.min()) - 0.05) if values.notna().any() else 0.45
    figure.update_yaxes(range=[max(low, 0), 1.02], dtick=0.1, tickformat=".1f")
    if title:
        figure.update_yaxes(title_text=title)
    figure.add_hline(y=0.5, line={"color": MUTED, "width": 1, "dash": "dot"})


def _quartile_bars(part: pd.DataFrame, value: npt.NDArray[np.floating]) -> dict[str, object] | None:
    if not {"q1", "q3"} <= set(part.columns):
        return None
    return {
        "array": np.maximum(part["q3"].to_numpy(dtype=float) - value, 0),
        "arrayminus": np.maximum(value - part["q1"].to_numpy(dtype=float), 0),
        "thickness": 1.2,
        "width": 4,
    }
