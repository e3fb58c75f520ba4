"""What a spatial model uses: how much it loses when positions or spectra are shuffled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from corespot.report.theme import INK, PALETTE, apply_theme, empty_figure, plain

#: Ablation, what is shuffled, and its colour.
_KINDS = {
    "spectral": ("spectra shuffled", PALETTE[1]),
    "spatial": ("positions shuffled", PALETTE[0]),
}


def ablation_table(metrics: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> pd.DataFrame:
    """Drops of all models that were ablated.

    Parameters
    ----------
    metrics : mapping
        ``{task: {model: {"ablation": {"spatial": {"drop": …, "ci95": [low, high]}, …}}}}``.

    Returns
    -------
    DataFrame
        ``task, model, kind, drop, low, high``; no row for a model without ablation.
    """
    rows = []
    for task, models in metrics.items():
        for model, scores in models.items():
            for kind in _KINDS:
                one = (scores.get("ablation") or {}).get(kind) or {}
                if one.get("drop") is None:
                    continue
                low, high = one.get("ci95") or (np.nan, np.nan)
                rows.append((task, model, kind, float(one["drop"]), float(low), float(high)))
    return pd.DataFrame(rows, columns=["task", "model", "kind", "drop", "low", "high"])


def ablation(table: pd.DataFrame, *, title: str = "What the predictions rest on") -> go.Figure:
    """Drop of balanced accuracy under each kind of shuffling, with its interval.

    Parameters
    ----------
    table : DataFrame
        Result of `ablation_table`; ``low`` and ``high`` may be NaN.
    title : str
        Title of the figure.

    References
    ----------
    Lee & Lee, "Spatial-spectral integrative 3D convolutional neural network for MSI-based cancer
    diagnosis": destroying spectral or spatial structure shows that both are used.
    """
    if table.empty:
        return empty_figure(title, "no model was ablated")
    names = (table["task"].astype(str) + ", " + table["model"].astype(str)).to_numpy(dtype=str)
    order = {name: at for at, name in enumerate(dict.fromkeys(names.tolist()))}
    figure = go.Figure()
    for side, (kind, (label, shade)) in enumerate(_KINDS.items()):
        here = (table["kind"] == kind).to_numpy()
        part = table[here]
        if part.empty:
            continue
        drop = part["drop"].to_numpy(dtype=float)
        above = part["high"].fillna(part["drop"]).to_numpy(dtype=float) - drop
        below = drop - part["low"].fillna(part["drop"]).to_numpy(dtype=float)
        figure.add_trace(
            go.Scatter(
                x=drop,
                y=[order[name] + 0.16 * (2 * side - 1) for name in names[here]],
                mode="markers",
                name=label,
                marker={"size": 10, "color": shade, "symbol": "circle" if side else "diamond"},
                error_x={
                    "array": np.maximum(above, 0),
                    "arrayminus": np.maximum(below, 0),
                    "color": shade,
                    "thickness": 1.6,
                    "width": 4,
                },
                hovertemplate="%{x:.3f}",
            )
        )
    figure.update_yaxes(
        tickvals=list(order.values()),
        ticktext=[plain(name) for name in order],
        range=[len(order) - 0.5, -0.5],
        showgrid=False,
        ticks="",
    )
    figure.update_xaxes(title_text="drop of balanced accuracy (spot level)", tickformat=".2f")
    figure.add_vline(x=0, line={"color": INK, "width": 1})
    return apply_theme(
        figure,
        title=title,
        subtitle="right of zero: the model needed what was destroyed; bars: 95 % intervals",
        height=190 + 56 * len(order),
        top=112,
    )
