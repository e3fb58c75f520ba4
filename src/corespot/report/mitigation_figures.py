"""Before and after a way out of confounding: what it cost, and what it brought."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from corespot.report.mitigation_record import MitigationRecord, Side
from corespot.report.theme import INK, MUTED, PALETTE, apply_theme, empty_figure, plain
from corespot.report.verdict_badge import verdict_text

_LINE_COLOUR = "#B3261E"
#: What is compared, with its place and how it is read off a side.
_PANELS: tuple[tuple[str, Callable[[Side], float | None]], ...] = (
    ("accuracy<br>cross-validated", lambda side: side.cross_validated),
    ("accuracy on the<br>second cohort", lambda side: side.second),
    ("artifact share<br>of the class gap", lambda side: side.artifact_share),
)


def before_after_figure(
    records: Sequence[MitigationRecord], *, chance: float | None = None, line: float | None = None
) -> go.Figure:
    """Accuracy, accuracy on the second cohort and artifact share, without and with each way.

    Parameters
    ----------
    records : sequence of MitigationRecord
        Of one model; what it was before is taken from the first.
    chance : float, optional
        Balanced accuracy of guessing.
    line : float, optional
        The artifact share above which a model is called confounded.
    """
    title = "Accuracy and artifact share, before and after"
    if not records:
        return empty_figure(title, "this model was not trained with a way out")
    sides = [("the plain model", records[0].before)]
    sides += [(f"with {record.name}", record.after) for record in records]
    figure = make_subplots(
        rows=1,
        cols=3,
        shared_yaxes=True,
        horizontal_spacing=0.05,
        subplot_titles=[name for name, _ in _PANELS],
    )
    for column, (_, value_of) in enumerate(_PANELS, start=1):
        _panel(figure, column, [side for _, side in sides], value_of)
    for column, value, text in ((1, chance, "chance"), (2, chance, "chance"), (3, line, "line")):
        if value is not None:
            shade = _LINE_COLOUR if text == "line" else MUTED
            figure.add_vline(
                x=value,
                line={"color": shade, "width": 1.4, "dash": "dash"},
                annotation={
                    "text": f"{text} {100 * value:.0f} %"
                    if text == "line"
                    else f"{text} {value:.2f}",
                    "font": {"size": 11, "color": shade},
                    # Beneath the labels of the ticks.
                    **{"y": 0, "yref": "y domain", "yanchor": "top", "yshift": -24},
                    "xanchor": "center",
                },
                row=1,
                col=column,
            )
    figure.update_xaxes(range=[-0.04, 1.12], tickvals=[0, 0.5, 1], ticktext=["0", ".5", "1"])
    figure.update_xaxes(ticktext=["0 %", "50 %", "100 %"], col=3)
    figure.update_yaxes(
        tickvals=list(range(len(sides))),
        ticktext=[_row_name(name, side) for name, side in sides],
        range=[len(sides) - 0.4, -0.6],
        showgrid=False,
        ticks="",
    )
    return apply_theme(
        figure,
        title=title,
        subtitle="open: without, full: with the way out; whisker: 95 % over patients",
        height=170 + 62 * len(sides),
        top=110,
    )


def _panel(
    figure: go.Figure,
    column: int,
    sides: Sequence[Side],
    value_of: Callable[[Side], float | None],
) -> None:
    values = [value_of(side) for side in sides]
    start = values[0]
    for at, value in enumerate(values):
        if value is None:
            figure.add_scatter(
                x=[0.0],
                y=[at],
                mode="text",
                textposition="middle right",
                text=["not measured"],
                textfont={"color": MUTED, "size": 12},
                hoverinfo="skip",
                showlegend=False,
                row=1,
                col=column,
            )
            continue
        if at and start is not None:
            figure.add_scatter(
                x=[start, value],
                y=[at, at],
                mode="lines",
                line={"color": PALETTE[0], "width": 2},
                hoverinfo="skip",
                showlegend=False,
                row=1,
                col=column,
            )
            _dots(figure, column, at, start, INK, None, is_open=True)
        whisker = sides[at].interval if column == 2 else None
        _dots(figure, column, at, value, INK if at == 0 else PALETTE[0], whisker, is_open=at == 0)
        text = f"{round(100 * value)} %" if column == 3 else f"{value:.2f}"
        figure.add_annotation(
            x=value,
            y=at,
            text=f"<b>{text}</b>",
            showarrow=False,
            yshift=16,
            row=1,
            col=column,
        )


def _dots(
    figure: go.Figure,
    column: int,
    at: int,
    value: float,
    shade: str,
    whisker: tuple[float, float] | None,
    *,
    is_open: bool,
) -> None:
    error = None
    if whisker is not None:
        error = {
            "type": "data",
            "symmetric": False,
            "array": [max(whisker[1] - value, 0.0)],
            "arrayminus": [max(value - whisker[0], 0.0)],
            "color": shade,
            "thickness": 1.2,
            "width": 4,
        }
    figure.add_scatter(
        x=[value],
        y=[at],
        mode="markers",
        marker={
            "size": 11,
            "color": "#FFFFFF" if is_open else shade,
            "line": {"color": shade, "width": 2},
        },
        error_x=error,
        hovertemplate="%{x:.3f}<extra></extra>",
        showlegend=False,
        row=1,
        col=column,
    )


def _row_name(name: str, side: Side) -> str:
    verdict = verdict_text(side.verdict, None)
    return f"{_wrapped(name)}<br><b>{verdict}</b>"


def _wrapped(name: str) -> str:
    return "<br>".join(plain(part) for part in name.replace(" + ", " +\n").split("\n"))
