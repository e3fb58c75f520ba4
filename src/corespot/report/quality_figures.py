"""What the data look like: quality by TMA, mean spectra, classes on TMAs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from corespot.axis import MzAxis
from corespot.report.spectrum_traces import Stretch, curve_traces
from corespot.report.tables import natural
from corespot.report.theme import (
    INK,
    MZ_TITLE,
    PALETTE,
    SEQUENTIAL,
    apply_theme,
    empty_figure,
    faded,
    plain,
)

#: Column of the spots' quality, panel title, axis title.
_SPOT_PANELS = (
    ("tic", "Total ion count", "sum of intensities"),
    ("noise", "Noise", "noise level"),
    ("zero_fraction", "Bins without intensity", "share of bins"),
)
_N_COLUMNS = 2
#: Ratio of high to low percentile above which a scale is logarithmic, below which it has a zero.
_WIDE, _NARROW = 30, 1.01


def quality_by_tma(spots: pd.DataFrame, tmas: pd.DataFrame | None = None) -> go.Figure:
    """Quality of the spectra TMA by TMA: boxes over spots, and figures of whole TMAs.

    Parameters
    ----------
    spots : DataFrame
        One row a spot: ``tma``, and any of ``tic``, ``noise``, ``zero_fraction`` and ``empty``
        (bool). A column without a positive value, such as the noise of peak lists, is left out.
    tmas : DataFrame, optional
        One row a TMA: ``tma``, ``mass_shift_ppm`` (NaN where unknown).
    """
    title = "Quality of the spectra by TMA"
    panels = [panel for panel in _SPOT_PANELS if panel[0] in spots and (spots[panel[0]] > 0).any()]
    shifts = None if tmas is None or "mass_shift_ppm" not in tmas else tmas
    shifts = None if shifts is None or shifts["mass_shift_ppm"].isna().all() else shifts
    titles = [panel[1] for panel in panels]
    titles += [] if shifts is None else ["Mass shift against the cohort"]
    titles += ["Empty spots"] if "empty" in spots else []
    if spots.empty or not titles:
        return empty_figure(title, "nothing was measured")
    names = sorted(set(spots["tma"].astype(str)), key=natural)
    n_rows = -(-len(titles) // _N_COLUMNS)
    height = 100 + 340 * n_rows
    figure = make_subplots(
        rows=n_rows,
        cols=_N_COLUMNS,
        subplot_titles=titles,
        horizontal_spacing=0.1,
        vertical_spacing=110 / (height - 170) if n_rows > 1 else 0,
    )
    places = [
        {"row": at // _N_COLUMNS + 1, "col": at % _N_COLUMNS + 1} for at in range(len(titles))
    ]
    for (column, _, axis_title), place in zip(panels, places, strict=False):
        grouped = spots[column].groupby(spots["tma"].astype(str))
        values = [grouped.get_group(name).to_numpy(dtype=float) for name in names]
        figure.add_trace(_boxes(values, names), **place)
        figure.update_yaxes(title_text=axis_title, **place)
        positive = spots[column][spots[column] > 0]
        spread = float(positive.quantile(0.99) / positive.quantile(0.01))
        if spread > _WIDE:
            figure.update_yaxes(type="log", dtick=1, **place)
        elif spread < _NARROW:
            # As after normalisation: the digits that differ are not worth a scale.
            figure.update_yaxes(rangemode="tozero", **place)
    if shifts is not None:
        place = places[len(panels)]
        shift = shifts.set_index(shifts["tma"].astype(str))["mass_shift_ppm"].reindex(names)
        figure.add_trace(_bars(names, shift.to_numpy(dtype=float), "%{y:+.1f} ppm"), **place)
        figure.update_yaxes(title_text="shift (ppm)", zeroline=True, zerolinecolor=INK, **place)
    if "empty" in spots:
        place = places[-1]
        share = spots["empty"].groupby(spots["tma"].astype(str)).mean().reindex(names)
        figure.add_trace(_bars(names, share.to_numpy(dtype=float), "%{y:.2%}"), **place)
        top = max(float(share.max()) * 1.15, 0.01)
        figure.update_yaxes(title_text="share of spots", tickformat=".1%", **place)
        figure.update_yaxes(range=[0, top], **place)
    figure.update_xaxes(showgrid=False, tickangle=-40 if len(names) > 6 else 0, type="category")
    # Beside each other, boxes of different panels would keep places free for one another.
    figure.update_layout(boxmode="overlay")
    return apply_theme(
        figure,
        title=title,
        subtitle="boxes: quartiles over spots; whiskers: 5th and 95th percentile",
        height=height,
        top=112,
    )


def mean_spectra(
    means: Mapping[str, npt.NDArray[np.floating]],
    axis: MzAxis,
    *,
    title: str = "Mean spectrum of each TMA",
    subtitle: str = "",
    mz_range: tuple[float, float] | None = None,
    n_points: int = 3000,
) -> go.Figure:
    """Mean spectra one above the other on a shared m/z axis and a shared scale.

    Parameters
    ----------
    means : mapping of str to ndarray, shape (n_bins,)
        Mean spectrum of each TMA; drawn in natural order, from top to bottom.
    axis : MzAxis
        Their axis.
    title, subtitle : str
        Say there whether they are raw or preprocessed.
    mz_range : (float, float), optional
        Shown range; the whole axis if not given.
    n_points : int
        Most points a spectrum is drawn with.
    """
    if not means:
        return empty_figure(title, "there is no spectrum")
    low, high = mz_range or (float(axis.mz[0]), float(axis.mz[-1]))
    stretch = Stretch(axis, low, high, n_points)
    figure = make_subplots(rows=len(means), cols=1, shared_xaxes=True, vertical_spacing=0.008)
    means = {name: means[name] for name in sorted(means, key=natural)}
    shown = [np.asarray(mean, dtype=np.float64) for mean in means.values()]
    top = max((float(mean[stretch.bins].max(initial=0.0)) for mean in shown), default=1.0) or 1.0
    for number, (name, mean) in enumerate(zip(means, shown, strict=True), start=1):
        for trace in curve_traces(stretch, mean, name=name, colour=PALETTE[0], legend=False):
            figure.add_trace(trace, row=number, col=1)
        figure.update_yaxes(
            range=[0, top * 1.05], showticklabels=False, ticks="", row=number, col=1
        )
        figure.add_annotation(
            text=plain(name),
            x=1,
            xref="paper",
            y=0.92,
            yref="y domain" if number == 1 else f"y{number} domain",
            showarrow=False,
            xanchor="right",
            yanchor="top",
            font={"size": 13},
            bgcolor="rgba(255,255,255,0.7)",
        )
    figure.update_xaxes(range=[low, high], showgrid=False)
    figure.update_xaxes(title_text=MZ_TITLE, row=len(means), col=1)
    figure.update_yaxes(showgrid=False)
    note = subtitle or f"one scale for all, up to {top:.3g}"
    return apply_theme(
        figure, title=title, subtitle=note, height=150 + max(62 * len(means), 180), top=80
    )


def label_heatmap(
    table: pd.DataFrame, *, title: str = "Spots of each class on each TMA"
) -> go.Figure:
    """Counts of spots, class by TMA: empty cells show where class and TMA are nested.

    Parameters
    ----------
    table : DataFrame
        Classes as rows, TMAs as columns; see `corespot.report.tables.label_by_tma`.
    title : str
        Title of the figure.
    """
    if table.empty:
        return empty_figure(title, "no spot is labelled")
    counts = table.to_numpy(dtype=float)
    top = float(counts.max()) or 1.0
    figure = go.Figure(
        go.Heatmap(
            z=counts,
            x=[plain(name) for name in table.columns],
            y=[plain(name) for name in table.index],
            zmin=0,
            zmax=top,
            colorscale=SEQUENTIAL,
            xgap=2,
            ygap=2,
            showscale=False,
            hovertemplate="%{y} on %{x}: %{z:,}<extra></extra>",
        )
    )
    # At once: plotly validates all of them anew whenever one is added.
    figure.layout.annotations = [
        {
            **{"x": j, "y": i, "showarrow": False},
            "text": f"{counts[i, j]:,.0f}" if counts[i, j] else "0",
            "font": {"size": 13, "color": _on_shade(float(counts[i, j]) / top)},
        }
        for i, j in np.ndindex(*counts.shape)
    ]
    figure.update_xaxes(title_text="TMA", showgrid=False, type="category", ticks="", showline=False)
    figure.update_yaxes(autorange="reversed", showgrid=False, type="category")
    figure.update_yaxes(ticks="", showline=False, title_text=plain(table.index.name or "class"))
    return apply_theme(
        figure,
        title=title,
        subtitle="a class that never shares a TMA with another cannot be told from its TMA",
        height=170 + 54 * len(table),
    )


def _on_shade(share: float) -> str:
    """Text colour on a cell of a heat map; nothing to see where nothing is."""
    return "#FFFFFF" if share > 0.6 else INK if share > 0 else "#B0B8C1"


def _boxes(values: Sequence[npt.NDArray[np.floating]], names: Sequence[str]) -> go.Box:
    """Boxes from five percentiles, so that a figure does not carry every spot."""
    five = np.full((5, len(names)), np.nan)
    for at, group in enumerate(values):
        known = group[np.isfinite(group)]
        if known.size:
            five[:, at] = np.percentile(known, [5, 25, 50, 75, 95])
    return go.Box(
        x=[plain(name) for name in names],
        lowerfence=five[0],
        q1=five[1],
        median=five[2],
        q3=five[3],
        upperfence=five[4],
        name="",
        showlegend=False,
        line={"color": PALETTE[0], "width": 1.6},
        fillcolor=faded(PALETTE[0], 0.2),
    )


def _bars(names: Sequence[str], values: npt.NDArray[np.floating], hover: str) -> go.Bar:
    return go.Bar(
        x=[plain(name) for name in names],
        y=values,
        marker={"color": PALETTE[0]},
        width=0.6,
        showlegend=False,
        hovertemplate="%{x}: " + hover + "<extra></extra>",
    )
