"""A figure apart from its title and subtitle, for pages where text wraps and figures do not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape

import plotly.graph_objects as go

_TAG = re.compile(r"<[^>]*>")
_BREAK = re.compile(r"\s*<br\s*/?>\s*")


@dataclass(frozen=True)
class Captioned:
    """A figure and its words.

    Parameters
    ----------
    figure : Figure
        Without title.
    title, text : str
        Plain text, nothing escaped: what is shown, and how to read it.
    """

    figure: go.Figure
    title: str
    text: str


def captioned(figure: go.Figure, *, height: int | None = None) -> Captioned:
    """Take title and subtitle off a copy of a figure, and the room they had.

    Parameters
    ----------
    figure : Figure
        Left as it is.
    height : int, optional
        Height of the copy in pixels; less than before by what the title took if not given.
    """
    bare = go.Figure(figure)
    title = figure.layout.title
    subtitle = title.subtitle.text if title.subtitle is not None else None
    before = figure.layout.margin.t if figure.layout.margin.t is not None else 84
    top = 14 + 22 * _has_legend(figure) + _titles_of_panels(figure)
    bare.update_layout(
        title={"text": "", "subtitle": {"text": ""}},
        margin={"t": top},
        height=height or max((figure.layout.height or 450) - (before - top), 120),
        modebar={"orientation": "v"},
    )
    return Captioned(bare, _plain(title.text), _plain(subtitle))


def _has_legend(figure: go.Figure) -> bool:
    shown = [trace for trace in figure.data if getattr(trace, "showlegend", False) is not False]
    return len(shown) > 1 or any(trace.showlegend for trace in shown if "showlegend" in trace)


def _titles_of_panels(figure: go.Figure) -> int:
    """Room in pixels for the titles of panels, which plotly keeps as notes above them."""
    above = [
        note.text for note in figure.layout.annotations if note.yref == "paper" and note.y == 1
    ]
    return max((18 * (1 + (text or "").count("<br>")) for text in above), default=0)


def _plain(text: str | None) -> str:
    return unescape(_TAG.sub("", _BREAK.sub(" ", text or ""))).strip()
