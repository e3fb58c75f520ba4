"""Balanced accuracy of every model over the folds, as box plots that agree with the table."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from corespot.report.result_rows import LEVEL_TITLES
from corespot.report.theme import INK, MUTED, apply_theme, colours_of, empty_figure, faded, plain

_ROW_PX, _MOST_COLUMNS = 40, 3

Floats = npt.NDArray[np.float64]


def fold_boxes(
    table: pd.DataFrame,
    *,
    level: str = "spot",
    n_classes: Mapping[str, int] | None = None,
    colours: Mapping[str, str] | None = None,
) -> go.Figure:
    """Balanced accuracy of every fold, a box a model, a panel a task.

    Boxes and whiskers (least and greatest fold) are numpy's linear quantiles, those of the result
    table. Where there are several repeats the table is about the repeats, each the mean of its
    folds: a diamond and a bar, their median and quartiles, say what it says.

    Parameters
    ----------
    table : DataFrame
        One row a task, model, repeat and fold: ``task``, ``model``, ``balanced_accuracy`` (NaN
        is left out), and optionally ``repeat``, ``fold`` and ``level``, of which `level` is kept.
        Tasks and models are drawn in the order in which they first occur.
    level : str
        Evaluation level, also for the title.
    n_classes : mapping of str to int
        Classes of each task, of which chance is the inverse; two where not given.
    colours : mapping of str to str
        Colours of the models, where other figures beside this one show them, too.
    """
    title = f"Balanced accuracy over folds, {LEVEL_TITLES.get(level, level)} level"
    if "level" in table:
        table = table[table["level"] == level]
    table = table.dropna(subset=["balanced_accuracy"])
    if table.empty:
        return empty_figure(title, "no fold was evaluated")
    tasks = list(dict.fromkeys(table["task"].astype(str)))
    models = list(dict.fromkeys(table["model"].astype(str)))
    shades = colours_of(models) if colours is None else {name: colours[name] for name in models}
    n_columns = min(len(tasks), _MOST_COLUMNS)
    n_rows = -(-len(tasks) // n_columns)
    plot_height = n_rows * max(len(shades) * _ROW_PX, 100) + (n_rows - 1) * 80
    figure = make_subplots(
        rows=n_rows,
        cols=n_columns,
        shared_yaxes=True,
        subplot_titles=[plain(task) for task in tasks],
        horizontal_spacing=0.03,
        vertical_spacing=80 / plot_height if n_rows > 1 else 0,
    )
    repeated = "repeat" in table and table["repeat"].nunique() > 1
    for number, task in enumerate(tasks):
        place = {"row": number // n_columns + 1, "col": number % n_columns + 1}
        for row, (model, shade) in enumerate(shades.items()):
            part = table[
                (table["task"].astype(str) == task) & (table["model"].astype(str) == model)
            ]
            if part.empty:
                continue
            values = part["balanced_accuracy"].to_numpy(dtype=float)
            figure.add_trace(_box(values, row, shade, plain(model)), **place)
            figure.add_trace(_dots(values, row, shade, plain(model)), **place)
            if repeated:
                by_repeat = part.groupby("repeat")["balanced_accuracy"].mean()
                figure.add_trace(_median(by_repeat.to_numpy(dtype=float), row), **place)
        chance = 1 / (n_classes or {}).get(task, 2)
        line = {"color": MUTED, "width": 1, "dash": "dot"}
        figure.add_vline(x=chance, line=line, **place)
    names = [plain(model) for model in shades]
    figure.update_yaxes(
        tickvals=list(range(len(names))),
        ticktext=names,
        range=[len(names) - 0.4, -0.6],
        showgrid=False,
        ticks="",
    )
    lowest = min(
        [float(table["balanced_accuracy"].min()), *(1 / n for n in (n_classes or {}).values())]
    )
    figure.update_xaxes(range=[max(min(lowest, 0.5) - 0.05, 0), 1.02], dtick=0.1, tickformat=".1f")
    figure.update_xaxes(title_text="balanced accuracy", row=n_rows)
    note = "box: quartiles over folds; dot: a test fold; dotted line: chance"
    if repeated:
        note += "; diamond: median and quartiles over repeats, as in the table"
    return apply_theme(figure, title=title, subtitle=note, height=plot_height + 176, top=112)


def _box(values: Floats, row: int, shade: str, name: str) -> go.Box:
    low, q1, median, q3, high = np.percentile(values, [0, 25, 50, 75, 100])
    return go.Box(
        y=[row],
        lowerfence=[low],
        q1=[q1],
        median=[median],
        q3=[q3],
        upperfence=[high],
        orientation="h",
        width=0.56,
        name=name,
        showlegend=False,
        line={"color": shade, "width": 1.6},
        fillcolor=faded(shade, 0.15),
    )


def _dots(values: Floats, row: int, shade: str, name: str) -> go.Scatter:
    """Folds as dots, alternately above and below the middle so that equal ones show."""
    places = np.resize([-0.09, 0.09, 0.0, -0.16, 0.16], len(values))
    return go.Scatter(
        x=values,
        y=row + places,
        mode="markers",
        marker={"size": 6, "color": shade, "opacity": 0.75},
        name=name,
        showlegend=False,
        hovertemplate="%{x:.3f}",
    )


def _median(by_repeat: Floats, row: int) -> go.Scatter:
    """Median over repeats with their quartiles, beneath the box."""
    q1, median, q3 = np.percentile(by_repeat, [25, 50, 75])
    return go.Scatter(
        x=[median],
        y=[row + 0.38],
        mode="markers",
        marker={"symbol": "diamond", "size": 8, "color": INK},
        error_x={
            "array": [q3 - median],
            "arrayminus": [median - q1],
            "color": INK,
            "thickness": 1.4,
            "width": 3,
        },
        showlegend=False,
        hovertemplate="median over repeats %{x:.3f}<extra></extra>",
    )
