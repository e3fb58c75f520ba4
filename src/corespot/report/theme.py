"""One look for all figures: colour-blind safe colours, plain axes, units where they belong."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from html import escape

import plotly.graph_objects as go

#: Okabe and Ito's colours, told apart with every common form of colour blindness, strong first;
#: after eight, four more that differ in lightness, for many models or TMAs.
PALETTE = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#4D4D4D", "#B8A900"),
    *("#6A3D9A", "#7B3F00", "#8FCB9B", "#002F4B"),
)
INK, MUTED, GRID, PAPER = "#1F2933", "#66717D", "#E7EAEE", "#FFFFFF"
FONT = "Inter, 'Helvetica Neue', Arial, 'Liberation Sans', sans-serif"

#: White to the palette's blue and on, for counts and shares.
SEQUENTIAL = [[0.0, "#FFFFFF"], [0.25, "#CFE3F1"], [0.6, "#5AA5D3"], [1.0, "#004B78"]]

#: Six shades of the palette's blue, none of them white: for maps on which white is no spot.
BLUES = ("#E9F1F8", "#CFE3F1", "#9CC7E2", "#5AA5D3", "#2C82B9", "#004B78")

MZ_TITLE = "<i>m/z</i>"


def plain(text: object) -> str:
    """Text from outside made safe for a figure, where plotly would read tags in it."""
    # Plotly knows few entities by name, and that of the quotation mark is not among them.
    return escape(str(text), quote=True).replace("&quot;", "&#34;")


def in_lines(text: str, width: int = 105) -> str:
    """A subtitle broken into lines that fit a tablet; `plain` text stays safe."""
    return "<br>".join(textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False))


def colour(index: int) -> str:
    """Colour number `index`, starting over when the palette is used up."""
    return PALETTE[index % len(PALETTE)]


def colours_of(names: Sequence[str]) -> dict[str, str]:
    """A colour for each name, in the order given."""
    return {name: colour(index) for index, name in enumerate(names)}


def faded(colour_hex: str, opacity: float) -> str:
    """The colour as rgba text."""
    red, green, blue = (int(colour_hex[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"


def two_colours(first: str, second: str) -> list[str]:
    """From the second class over white to the first: a probability of 0, ½ and 1 of the first."""
    shares = (0.65, 0.3)
    falling = [faded(second, share) for share in shares]
    rising = [faded(first, share) for share in reversed(shares)]
    return [second, *falling, "#F4F5F6", *rising, first]


def even_scale(colours: Sequence[str]) -> list[tuple[float, str]]:
    """A continuous plotly colour scale through `colours`, at even distances."""
    return [(at / (len(colours) - 1), shade) for at, shade in enumerate(colours)]


def apply_theme(
    figure: go.Figure, *, title: str, subtitle: str = "", height: int = 420, top: int = 84
) -> go.Figure:
    """Give a figure the common look; returns the same figure.

    Parameters
    ----------
    figure : Figure
        Changed in place.
    title, subtitle : str
        What is shown; how to read it. Outside text must have gone through `plain`.
    height : int
        In pixels; the width follows the page.
    top : int
        Margin above the plot in pixels.
    """
    figure.update_layout(
        template=_TEMPLATE,
        title={
            "text": title,
            "subtitle": {"text": subtitle, "font": {"size": 13, "color": MUTED}},
        },
        height=height,
        margin={"t": top},
    )
    return figure


def empty_figure(title: str, reason: str) -> go.Figure:
    """A figure that says why there is nothing to show."""
    figure = go.Figure()
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    figure.add_annotation(
        text=reason, showarrow=False, font={"size": 14, "color": MUTED}, xref="paper", yref="paper"
    )
    return apply_theme(figure, title=title, height=200)


_AXIS = {
    "showline": True,
    "linecolor": "#9AA5B1",
    "linewidth": 1,
    "ticks": "outside",
    "ticklen": 4,
    "tickcolor": "#9AA5B1",
    "gridcolor": GRID,
    "zeroline": False,
    "automargin": True,
    "exponentformat": "power",
    "title": {"font": {"size": 14, "color": INK}, "standoff": 10},
    "tickfont": {"size": 12, "color": "#3E4C59"},
}

_TEMPLATE = go.layout.Template(
    layout={
        "font": {"family": FONT, "size": 13, "color": INK},
        "paper_bgcolor": PAPER,
        "plot_bgcolor": PAPER,
        "colorway": list(PALETTE),
        "margin": {"l": 76, "r": 28, "t": 84, "b": 56},
        "title": {
            "x": 0,
            "xref": "container",
            "xanchor": "left",
            "pad": {"l": 14, "t": 12},
            "y": 1,
            "yref": "container",
            "yanchor": "top",
            "font": {"size": 18, "color": INK},
        },
        "xaxis": _AXIS | {"exponentformat": "none"},
        "yaxis": _AXIS,
        "legend": {
            "orientation": "h",
            "x": 1,
            "xanchor": "right",
            "y": 1.02,
            "yanchor": "bottom",
            "font": {"size": 12},
            "bgcolor": "rgba(255,255,255,0)",
        },
        "hoverlabel": {"font": {"family": FONT, "size": 12}, "bgcolor": "#FFFFFF"},
        "colorscale": {"sequential": SEQUENTIAL},
        "annotationdefaults": {"font": {"size": 12, "color": INK}},
        "boxmode": "group",
    }
)
