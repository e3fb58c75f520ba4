"""How the training went: loss and balanced accuracy by epoch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from corespot.report.downsample import downsample_minmax
from corespot.report.theme import INK, apply_theme, colour, empty_figure, faded

_PARTS = {"train": colour(0), "validation": colour(4), "test": colour(1)}
_PANELS = {"loss": "loss", "balanced_accuracy": "balanced accuracy"}
#: Most points a line is drawn with, and most epochs whose single points are marked.
_MOST_POINTS, _FEW_EPOCHS = 240, 15


def learning_curves(history: pd.DataFrame, *, title: str = "Learning curves") -> go.Figure:
    """Loss and balanced accuracy by epoch: thin lines single folds, thick ones their median.

    Between the medians of balanced accuracy on training and on test spots the gap is shaded, and
    its last value written beside it.

    Parameters
    ----------
    history : DataFrame
        One row a fold and epoch: ``epoch``, ``train_loss``, optionally
        ``train_balanced_accuracy``, ``test_balanced_accuracy`` or
        ``validation_balanced_accuracy``, and ``repeat``, ``fold``.
    title : str
        Title of the figure.
    """
    measured = [
        (key, part)
        for key in _PANELS
        for part in _PARTS
        if f"{part}_{key}" in history and history[f"{part}_{key}"].notna().any()
    ]
    if history.empty or not measured:
        return empty_figure(title, "this model has no training epochs")
    panels = list(dict.fromkeys(key for key, _ in measured))
    keys = [key for key in ("repeat", "fold") if key in history]
    folds = [part for _, part in history.groupby(keys)] if keys else [history]
    figure = make_subplots(rows=1, cols=len(panels), horizontal_spacing=0.09)
    last = int(history["epoch"].max())
    for column, key in enumerate(panels, start=1):
        place = {"row": 1, "col": column}
        medians = {
            part: history.groupby("epoch")[f"{part}_{key}"].median().dropna()
            for one, part in measured
            if one == key
        }
        gap = key == "balanced_accuracy" and {"train", "test"} <= set(medians)
        if gap:
            _shade_gap(figure, medians["train"], medians["test"], column)
        for part, median in medians.items():
            if len(folds) > 1:
                figure.add_trace(_single_folds(folds, f"{part}_{key}", part), **place)
            x, y = downsample_minmax(median.index.to_numpy(), median.to_numpy(), _MOST_POINTS)
            figure.add_trace(
                go.Scatter(
                    x=x,
                    y=y.astype(np.float32),
                    mode="lines+markers" if last <= _FEW_EPOCHS else "lines",
                    marker={"size": 7},
                    line={"color": _PARTS[part], "width": 2.5},
                    hovertemplate="epoch %{x}: %{y:.3f}",
                    name=part,
                    legendgroup=part,
                    showlegend=not any(t.name == part and t.showlegend for t in figure.data),
                ),
                **place,
            )
        figure.update_yaxes(title_text=_PANELS[key], **place)
    figure.update_xaxes(title_text="epoch", range=_epoch_range(last), tickformat="d")
    figure.update_xaxes(**({"dtick": 1} if last <= _FEW_EPOCHS else {"nticks": 9}))
    notes = ["thick: median over folds; thin: single folds"] if len(folds) > 1 else []
    if any(part == "test" for _, part in measured):
        notes.append("the test curve is for looking only: it stops, picks and tunes nothing")
    return apply_theme(figure, title=title, subtitle="; ".join(notes), height=440, top=100)


def _epoch_range(last: int) -> list[float]:
    """Epochs from the first, with room for what is written at the last."""
    return [0.4, 1.9] if last == 1 else [1 - 0.02 * last, last * 1.1 + 0.2]


def _single_folds(folds: Sequence[pd.DataFrame], column: str, part: str) -> go.Scatter:
    """Every fold as a thin line; all in one trace, broken between folds."""
    x, y = [], []
    for fold in folds:
        known = fold.dropna(subset=[column]).sort_values("epoch")
        thin_x, thin_y = downsample_minmax(
            known["epoch"].to_numpy(), known[column].to_numpy(dtype=float), _MOST_POINTS
        )
        x += [*thin_x.tolist(), None]
        y += [*np.round(thin_y, 4).tolist(), None]
    few = max(len(fold) for fold in folds) == 1
    return go.Scatter(
        x=x,
        y=y,
        mode="markers" if few else "lines",
        line={"color": faded(_PARTS[part], 0.35), "width": 1},
        marker={"color": faded(_PARTS[part], 0.35), "size": 6},
        showlegend=False,
        hoverinfo="skip",
        name=part,
        legendgroup=part,
    )


def _shade_gap(figure: go.Figure, train: pd.Series, test: pd.Series, column: int) -> None:
    """Fill between the two medians and say how far apart they end."""
    epochs = train.index.intersection(test.index)
    if epochs.empty:
        return
    high, low = train[epochs].to_numpy(dtype=float), test[epochs].to_numpy(dtype=float)
    at = np.unique(np.linspace(0, len(epochs) - 1, _MOST_POINTS).astype(int))
    x = epochs.to_numpy()[at]
    figure.add_trace(
        go.Scatter(
            x=np.concatenate([x, x[::-1]]),
            y=np.concatenate([high[at], low[at][::-1]]).astype(np.float32),
            mode="lines",
            line={"width": 4 if len(epochs) == 1 else 0, "color": "rgba(120,130,140,0.35)"},
            fill="toself",
            fillcolor="rgba(120,130,140,0.16)",
            hoverinfo="skip",
            showlegend=False,
        ),
        row=1,
        col=column,
    )
    figure.add_annotation(
        x=float(epochs[-1]),
        y=(high[-1] + low[-1]) / 2,
        text=f"gap<br>{high[-1] - low[-1]:+.3f}".replace("-", "−"),
        showarrow=False,
        xanchor="left",
        xshift=8,
        align="left",
        font={"size": 12, "color": INK},
        row=1,
        col=column,
    )
