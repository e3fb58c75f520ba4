"""The model beside classifiers that see no peaks."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from corespot.audit.applicable import NotApplicable
from corespot.report.audit_records import FoldAccuracies
from corespot.report.audit_shown import AuditView
from corespot.report.theme import INK, MUTED, PALETTE, apply_theme, in_lines, plain

#: Columns of the comparison with negative controls.
_SHADES = (INK, PALETTE[3], PALETTE[3])
_CLASSIFIERS = {
    "model": "the model",
    "off_peak": "sees only what lies<br>outside peaks",
    "nuisance": "sees only calibration,<br>resolution, noise, baseline",
}


def negative_controls(view: AuditView) -> go.Figure:
    """Balanced accuracy of the model and of classifiers without peaks, in every fold."""
    title = "The model beside classifiers that see no peaks"
    values = {name: [_number(fold, name) for fold in view.folds] for name in _CLASSIFIERS}
    accuracy = view.readings.number("balanced_accuracy")
    figure = go.Figure()
    for number in range(len(view.folds)):
        line = [values[name][number] for name in _CLASSIFIERS]
        figure.add_scatter(
            x=np.arange(3) + 0.24 * ((number + 0.5) / len(view.folds) - 0.5),
            y=line,
            mode="lines+markers",
            line={"color": "rgba(102,113,125,0.35)", "width": 1},
            marker={"color": list(_SHADES), "size": 9, "opacity": 0.75},
            showlegend=False,
            name=f"fold {number + 1}",
            hovertemplate=f"fold {number + 1}: %{{y:.3f}}<extra></extra>",
        )
    for at, name in enumerate(_CLASSIFIERS):
        known = [value for value in values[name] if value is not None]
        middle = float(np.median(known)) if known else accuracy if name == "model" else None
        if middle is None:
            figure.add_annotation(
                x=at,
                y=view.chance,
                yshift=18,
                text="not applicable",
                hovertext=plain(_reason(view, name)),
                showarrow=False,
                font={"size": 12, "color": MUTED},
            )
            continue
        figure.add_shape(
            type="line",
            **{"x0": at - 0.24, "x1": at + 0.24, "y0": middle, "y1": middle},
            line={"color": _SHADES[at], "width": 4},
        )
        figure.add_annotation(
            x=at + 0.26, y=middle, text=f"<b>{middle:.2f}</b>", showarrow=False, xanchor="left"
        )
    _level(figure, view.chance, f"chance {view.chance:.2f}", MUTED)
    allowed = view.without_peaks_line
    if allowed is not None:
        _level(figure, allowed, f"60 % line {allowed:.2f}", "#B3261E")
    figure.update_xaxes(
        tickvals=[0, 1, 2],
        ticktext=list(_CLASSIFIERS.values()),
        range=[-0.5, 2.9],
        showgrid=False,
    )
    figure.update_yaxes(title_text="balanced accuracy", range=[0, 1.05])
    return apply_theme(
        figure,
        title=title,
        subtitle=in_lines(
            "on held-out TMAs; a dot a fold, a bar the median; 60 % line: six tenths of what the "
            "model is above chance"
        ),
        height=448,
        top=100,
    )


def _number(fold: FoldAccuracies, name: str) -> float | None:
    value = getattr(fold, name)
    return None if isinstance(value, NotApplicable) else float(value)


def _reason(view: AuditView, name: str) -> str:
    values = [getattr(fold, name) for fold in view.folds]
    return next((value.reason for value in values if isinstance(value, NotApplicable)), "no fold")


def _level(figure: go.Figure, value: float, text: str, shade: str) -> None:
    figure.add_shape(
        type="line",
        **{"x0": -0.5, "x1": 2.9, "y0": value, "y1": value},
        line={"color": shade, "width": 1.4, "dash": "dash"},
    )
    figure.add_annotation(
        x=2.9,
        y=value,
        text=text,
        showarrow=False,
        xanchor="right",
        yanchor="bottom",
        font={"size": 12, "color": shade},
    )
