"""Single spots with their spectra beside the mean spectrum of their class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from corespot.axis import MzAxis
from corespot.report.gallery import Gallery, Neighbourhood, neighbourhood
from corespot.report.spectrum_traces import Stretch, curve_traces
from corespot.report.theme import (
    BLUES,
    INK,
    MUTED,
    MZ_TITLE,
    apply_theme,
    colours_of,
    empty_figure,
    even_scale,
    plain,
    two_colours,
)

_N_COLUMNS, _PANEL_PX, _GAP_PX = 3, 210, 84
#: Most points of one curve: a panel is some 350 pixels wide.
_N_POINTS = 700
_MAP_SHARE = 0.3


def gallery_figure(
    gallery: Gallery,
    spectra: npt.NDArray[np.floating],
    class_means: Mapping[str, npt.NDArray[np.floating]],
    axis: MzAxis,
    *,
    neighbourhoods: Sequence[Neighbourhood] | None = None,
    map_title: str = "",
    map_colours: Sequence[str] = BLUES,
) -> go.Figure:
    """One panel a spot: its spectrum upward, the mean spectrum of its true class downward.

    Parameters
    ----------
    gallery : Gallery
        The spots.
    spectra : ndarray, shape (n_spots, n_bins)
        Preprocessed spectra of these spots.
    class_means : mapping of str to ndarray, shape (n_bins,)
        Mean preprocessed spectrum of every class; the order gives the colours.
    axis : MzAxis
        Their axis.
    neighbourhoods : sequence of Neighbourhood, optional
        A map beside each spectrum, with values from 0 to 1, for models that look at patches.
    map_title : str
        What the maps show.
    map_colours : sequence of str
        Their colours, from 0 to 1.

    Raises
    ------
    ValueError
        If there is not one spectrum a spot.
    """
    spots = gallery.spots
    if len(spots) != len(spectra):
        raise ValueError(f"{len(spots)} spots, but {len(spectra)} spectra")
    if spots.empty:
        return empty_figure(gallery.title, "there is no such spot")
    n_rows = -(-len(spots) // _N_COLUMNS)
    height = n_rows * _PANEL_PX + (n_rows - 1) * _GAP_PX
    colours = colours_of(list(class_means))
    stretch = Stretch(axis, float(axis.mz[0]), float(axis.mz[-1]), _N_POINTS)
    # Gathered first and handed over at once: plotly checks a figure anew at every addition.
    traces: list[Any] = []
    layout: dict[str, Any] = {"annotations": []}
    for position, (_, spot) in enumerate(spots.iterrows()):
        row, column = divmod(position, _N_COLUMNS)
        left, width = column * 0.345, 0.31
        top = 1 - row * (_PANEL_PX + _GAP_PX) / height
        along = [max(top - _PANEL_PX / height, 0.0), top]
        number = "" if position == 0 else str(2 * position + 1)
        across = [left, left + width * (1 - _MAP_SHARE if neighbourhoods else 1)]
        layout |= _spectrum_axes(number, across, along, stretch)
        true = str(_true(spot))
        for values, shade, sign in (
            (spectra[position], colours.get(true, MUTED), 1),
            (class_means[true], "#7B8794", -1),
        ):
            place = {"xaxis": f"x{number}", "yaxis": f"y{number}"}
            traces += [one.update(place) for one in _half(stretch, values, shade, sign)]
        if neighbourhoods:
            other = str(2 * position + 2)
            around = neighbourhoods[position]
            beside = [left + width * (1.03 - _MAP_SHARE), left + width]
            layout |= _map_axes(other, beside, along, around)
            traces += _map(around, other, map_colours)
        layout["annotations"].append(_caption(spot, colours, left, top))
    figure = go.Figure(traces, layout=layout | {"margin": {"l": 28}, "showlegend": False})
    note = f"{gallery.why}; up: the spot, down: mean of its true class, each to its highest bin"
    if neighbourhoods:
        note += f"; square: {plain(map_title)} round the spot"
    return apply_theme(figure, title=gallery.title, subtitle=note, height=height + 186, top=116)


def spots_of_gallery(
    gallery: Gallery,
    table: pd.DataFrame,
    class_means: Mapping[str, npt.NDArray[np.floating]],
    axis: MzAxis,
    spectra: npt.NDArray[np.floating],
    *,
    with_maps: bool,
) -> go.Figure:
    """A gallery with, for models that look at patches, what surrounds each spot.

    Parameters
    ----------
    gallery : Gallery
        One of `corespot.report.gallery.pick_galleries`.
    table : DataFrame
        Spot table that it was picked from.
    class_means, axis, spectra
        As for `gallery_figure`.
    with_maps : bool
        Whether the model sees more than one spot at a time.
    """
    classes = list(class_means)
    two = len(classes) == 2
    column = f"prob_{classes[0]}" if two else "probability"
    around = None
    if with_maps:
        around = [neighbourhood(table, spot, column) for _, spot in gallery.spots.iterrows()]
    return gallery_figure(
        gallery,
        spectra,
        class_means,
        axis,
        neighbourhoods=around,
        map_title=f"probability of {classes[0] if two else 'the predicted class'}",
        map_colours=two_colours(*colours_of(classes).values()) if two else BLUES,
    )


def _half(
    stretch: Stretch, values: npt.NDArray[np.floating], shade: str, sign: int
) -> list[go.Scatter]:
    """A spectrum above or below zero, scaled to its highest bin."""
    known = np.asarray(values, dtype=np.float64)
    highest = float(np.max(known, initial=0.0))
    scaled = sign * known / highest if highest > 0 else np.zeros_like(known)
    traces = curve_traces(stretch, scaled, name="", colour=shade, legend=False)
    for trace in traces:
        x = np.asarray(trace.x, dtype=np.float32)
        y = np.asarray(trace.y, dtype=np.float32)
        trace.update(x=x, y=y, hovertemplate="m/z %{x:.2f}<extra></extra>")
    return traces


def _true(spot: pd.Series) -> object:
    """Class of a spot: its own truth where that is known, else the label of its core."""
    return spot["truth"] if spot.get("truth") else spot["class"]


def _caption(
    spot: pd.Series, colours: Mapping[str, str], left: float, top: float
) -> dict[str, Any]:
    true, predicted = str(_true(spot)), str(spot["predicted"])
    verdict = "taken for" if spot["wrong"] else "predicted"
    shade = colours.get(predicted, INK)
    second = f"core {spot['core']} · {spot['tma']} · patient {spot['patient']}"
    return {
        "text": f"<b>{plain(true)}</b>, {verdict} "
        f'<b><span style="color:{shade}">{plain(predicted)}</span></b>: '
        f"{spot['probability']:.3f}<br>{plain(second)} · ({spot['x']}, {spot['y']})",
        "x": left,
        "y": top,
        "xref": "paper",
        "yref": "paper",
        "xanchor": "left",
        "yanchor": "bottom",
        "yshift": 4,
        "align": "left",
        "showarrow": False,
        "font": {"size": 12},
    }


def _spectrum_axes(
    number: str, across: list[float], along: list[float], stretch: Stretch
) -> dict[str, Any]:
    return {
        f"xaxis{number}": {
            "domain": across,
            "anchor": f"y{number}",
            "range": [stretch.low, stretch.high],
            "showgrid": False,
            "nticks": 6,
            "title": {"text": MZ_TITLE, "standoff": 2, "font": {"size": 12}},
        },
        f"yaxis{number}": {
            "domain": along,
            "anchor": f"x{number}",
            "range": [-1.05, 1.05],
            "showticklabels": False,
            "showgrid": False,
            "ticks": "",
            "zeroline": True,
            "zerolinecolor": INK,
        },
    }


def _map_axes(
    number: str, across: list[float], along: list[float], around: Neighbourhood
) -> dict[str, Any]:
    bare = {"visible": False, "constrain": "domain"}
    row, column = np.nonzero(np.isfinite(around.values))
    return {
        f"xaxis{number}": bare
        | {"domain": across, "anchor": f"y{number}"}
        | {"range": [column.min() - 0.7, column.max() + 0.7]},
        f"yaxis{number}": bare
        | {"domain": along, "anchor": f"x{number}"}
        | {"range": [row.max() + 0.7, row.min() - 0.7]}
        | {"scaleanchor": f"x{number}", "constraintoward": "top"},
    }


def _map(
    around: Neighbourhood, number: str, colours: Sequence[str]
) -> tuple[go.Heatmap, go.Scatter]:
    place = {"xaxis": f"x{number}", "yaxis": f"y{number}"}
    shown = go.Heatmap(
        z=around.values.astype(np.float32),
        zmin=0,
        zmax=1,
        colorscale=even_scale(colours),
        showscale=False,
        hoverongaps=False,
        hovertemplate="%{z:.2f}<extra></extra>",
        **place,
    )
    square = {"symbol": "square-open", "size": 9, "color": INK, "line": {"width": 2}}
    middle = [around.centre]
    spot = go.Scatter(x=middle, y=middle, mode="markers", marker=square, hoverinfo="skip", **place)
    return shown, spot
