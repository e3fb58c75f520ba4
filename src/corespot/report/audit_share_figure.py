"""What the difference of the classes is made of, as the model sees it."""

from __future__ import annotations

import textwrap

import numpy as np
import plotly.graph_objects as go

from corespot.audit.applicable import NotApplicable
from corespot.audit.shares.class_shares import ARTIFACT, NON_PEPTIDE
from corespot.audit.shares.gap_parts import ARTIFACT_PARTS
from corespot.report.audit_records import SharesOfClass
from corespot.report.audit_shown import AuditView
from corespot.report.theme import (
    INK,
    MUTED,
    apply_theme,
    colour,
    empty_figure,
    faded,
    in_lines,
    plain,
)

#: Parts from left to right, with what is written beneath.
SHOWN_PARTS = {
    ARTIFACT: "artifact share<br>(sum of the<br>next four)",
    **{part: part.replace("_", "-") for part in ARTIFACT_PARTS},
    NON_PEPTIDE: "peaks of<br>no peptide",
}
#: The indicator whose line a part is held against.
_LINE_OF = {ARTIFACT: "artifact_share", NON_PEPTIDE: "non_peptide"}
_LINE_COLOUR = "#B3261E"
#: Letters on a line of a reason that stands in place of the figure.
_REASON_WIDTH = 110


def gap_shares(view: AuditView) -> go.Figure:
    """Shares of the class gap with intervals over patients, folds as dots, against the lines."""
    title = "What the class gap is made of"
    known = {
        name: shares
        for name in view.shown_classes
        if isinstance(shares := view.shares[name], SharesOfClass)
    }
    if not known:
        reasons = [why.reason for why in view.shares.values() if isinstance(why, NotApplicable)]
        lines = textwrap.wrap(f"not applicable: {reasons[0]}", _REASON_WIDTH)
        return empty_figure(title, "<br>".join(plain(line) for line in lines))
    figure = go.Figure()
    width = 0.8 / len(known)
    for at, (name, shares) in enumerate(known.items()):
        offset = (at - (len(known) - 1) / 2) * width
        _bars(figure, view, name, shares, offset, width, colour(view.classes.index(name)))
    for at, part in enumerate(SHOWN_PARTS):
        if part in _LINE_OF:
            _line(figure, at, view.thresholds.lines[_LINE_OF[part]])
        missing = [shares.missing[part] for shares in known.values() if part in shares.missing]
        if missing:
            _not_applicable(figure, at, missing[0].reason)
    figure.update_xaxes(
        tickvals=list(range(len(SHOWN_PARTS))),
        ticktext=list(SHOWN_PARTS.values()),
        range=[-0.6, len(SHOWN_PARTS) - 0.4],
        showgrid=False,
        tickangle=0,
        tickfont={"size": 11},
    )
    figure.update_yaxes(
        title_text="share of the class gap", tickformat=".0%", zeroline=True, zerolinecolor=INK
    )
    figure.update_layout(legend={"traceorder": "normal"})
    note = "bar: median over folds; whisker: 95 % over patients; dot: a fold; red: the line"
    if not all(ARTIFACT not in shares.missing and _complete(shares) for shares in known.values()):
        note += "; without the parts that do not apply, the artifact share is a lower bound"
    return apply_theme(figure, title=title, subtitle=in_lines(note), height=476, top=116)


def _complete(shares: SharesOfClass) -> bool:
    return not any(part in shares.missing for part in ARTIFACT_PARTS)


def _bars(
    figure: go.Figure,
    view: AuditView,
    name: str,
    shares: SharesOfClass,
    offset: float,
    width: float,
    shade: str,
) -> None:
    """Bars of one class, with whiskers where there is an interval, and a dot a fold."""
    parts = [part for part in SHOWN_PARTS if part in shares.shares]
    x = np.array([list(SHOWN_PARTS).index(part) for part in parts], dtype=float) + offset
    y = np.array([shares.shares[part] for part in parts])
    # Without an interval there is no whisker at all, not one of no length.
    ends = [shares.intervals.get(part) or (np.nan, np.nan) for part in parts]
    low, high = np.array(ends, dtype=float).reshape(-1, 2).T
    label = plain(view.against(name))
    figure.add_bar(
        x=x,
        y=y,
        width=width * 0.9,
        name=label,
        legendgroup=label,
        showlegend=True,
        marker={"color": faded(shade, 0.55), "line": {"color": shade, "width": 1}},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": np.maximum(high - y, 0.0),
            "arrayminus": np.maximum(y - low, 0.0),
            "color": INK,
            "thickness": 1.4,
            "width": 5,
        },
        customdata=[
            [plain(part), "" if shares.intervals.get(part) is None else f"{a:.1%} to {b:.1%}"]
            for part, (a, b) in zip(parts, ends, strict=True)
        ],
        hovertemplate="%{customdata[0]}: %{y:.1%}<br>%{customdata[1]}",
    )
    places, values = [], []
    for place, part in zip(x, parts, strict=True):
        folds = shares.by_fold.get(part, ())
        # Beside the whisker, not on it.
        places += list(place + width * (0.2 + 0.12 * np.linspace(0, 1, max(len(folds), 1))))[
            : len(folds)
        ]
        values += list(folds)
    figure.add_scatter(
        x=places,
        y=values,
        mode="markers",
        name=f"{label}: folds",
        legendgroup=label,
        showlegend=False,
        marker={"color": shade, "size": 6, "line": {"color": "#FFFFFF", "width": 1}},
        hovertemplate="a fold: %{y:.1%}",
    )


def _line(figure: go.Figure, at: int, value: float) -> None:
    figure.add_shape(
        type="line",
        x0=at - 0.5,
        x1=at + 0.5,
        y0=value,
        y1=value,
        line={"color": _LINE_COLOUR, "width": 2, "dash": "dash"},
    )
    figure.add_annotation(
        x=at + 0.5,
        y=value,
        text=f"line {100 * value:.0f} %",
        showarrow=False,
        bgcolor="rgba(255,255,255,0.85)",
        xanchor="right",
        yanchor="bottom",
        font={"size": 12, "color": _LINE_COLOUR},
    )


def _not_applicable(figure: go.Figure, at: int, reason: str) -> None:
    figure.add_annotation(
        x=at,
        y=0,
        text="not<br>applicable",
        hovertext=plain(reason),
        showarrow=False,
        yanchor="bottom",
        yshift=6,
        font={"size": 12, "color": MUTED},
    )
