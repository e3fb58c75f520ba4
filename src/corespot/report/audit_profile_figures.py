"""Where on the m/z axis a model looks: on peaks, outside them, where the TMA shows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from corespot.audit.applicable import NotApplicable
from corespot.report.audit_shown import AuditView
from corespot.report.spectrum_traces import Stretch, curve_traces
from corespot.report.theme import (
    INK,
    MUTED,
    MZ_TITLE,
    PALETTE,
    apply_theme,
    empty_figure,
    in_lines,
    plain,
)

#: Kinds of bins with their colours.
ON_PEAKS, OUTSIDE, NO_PEPTIDE = "on peaks", "outside peaks", "on peaks of no peptide"
KIND_COLOURS = {ON_PEAKS: PALETTE[0], OUTSIDE: PALETTE[1], NO_PEPTIDE: PALETTE[3]}
#: Width of a bar of the energy, in Da.
ENERGY_DA = 50.0
#: Most points of a curve: a figure of 27,286 bins is drawn from these.
_POINTS = 3000

Bins = npt.NDArray[np.bool_]


def sensitivity_profile(view: AuditView, name: str) -> go.Figure:
    """The signed sensitivity of a class by kind of bin, its energy, and the mean spectrum.

    Parameters
    ----------
    view : AuditView
        The audit.
    name : str
        The class.
    """
    profile = view.spectrum[f"sensitivity_{name}"].to_numpy(np.float64)
    title = f"What the model looks at: {plain(view.against(name))}"
    if not np.any(profile):
        return empty_figure(title, "the model's sensitivity is zero at every m/z")
    mean = view.spectrum["mean"].to_numpy(np.float64)
    kinds = bin_kinds(view)
    stretch = Stretch(view.axis, float(view.axis.mz[0]), float(view.axis.mz[-1]), _POINTS)
    figure = make_subplots(
        rows=3, cols=1, shared_xaxes=True, vertical_spacing=0.05, row_heights=[0.5, 0.25, 0.25]
    )
    for kind, bins in kinds.items():
        shade = KIND_COLOURS[kind]
        for row, curve in ((1, profile), (3, mean)):
            for trace in curve_traces(
                stretch, np.where(bins, curve, 0.0), name=kind, colour=shade, legend=False
            ):
                figure.add_trace(trace, row=row, col=1)
    shares = energy_shares(view, name)
    for kind, bars in shares.items():
        figure.add_bar(
            x=_middles(view),
            y=bars,
            width=ENERGY_DA * 0.9,
            marker={"color": KIND_COLOURS[kind]},
            name=kind,
            legendgroup=kind,
            hovertemplate="m/z %{x:.0f} ± 25<br>%{y:.1%}",
            row=2,
            col=1,
        )
    figure.update_yaxes(title_text="σ·∂log-odds/∂x", zeroline=True, zerolinecolor=INK, row=1, col=1)
    figure.update_yaxes(title_text="energy", tickformat=".0%", row=2, col=1)
    figure.update_yaxes(title_text="mean intensity", rangemode="tozero", row=3, col=1)
    figure.update_xaxes(showgrid=False, range=[stretch.low - 10, stretch.high + 10])
    figure.update_xaxes(title_text=MZ_TITLE, row=3, col=1)
    figure.update_layout(barmode="stack", hovermode="closest")
    said = ", ".join(f"{100 * float(bars.sum()):.0f} % {kind}" for kind, bars in shares.items())
    return apply_theme(
        figure,
        title=title,
        subtitle=in_lines(
            "change of the log-odds when a bin rises by one standard deviation, mean of "
            f"{len(view.folds)} folds; its energy (squares, by {ENERGY_DA:g} Da): {said}"
        ),
        height=656,
        top=120,
    )


def bin_kinds(view: AuditView) -> dict[str, Bins]:
    """Bins of every kind that occurs; every bin is of one."""
    peak = view.spectrum["is_peak"].to_numpy(np.bool_)
    odd = view.spectrum["is_non_peptide"].to_numpy(np.bool_) & peak
    kinds = {ON_PEAKS: peak & ~odd, OUTSIDE: ~peak, NO_PEPTIDE: odd}
    return {kind: bins for kind, bins in kinds.items() if bins.any()}


def energy_shares(view: AuditView, name: str) -> Mapping[str, npt.NDArray[np.float64]]:
    """Share of the profile's energy by kind of bin in each stretch of 50 Da; all sum to one."""
    energy = np.square(view.spectrum[f"sensitivity_{name}"].to_numpy(np.float64))
    number = _numbers(view)
    total = float(energy.sum()) or 1.0
    return {
        kind: np.bincount(number[bins], energy[bins], minlength=number[-1] + 1) / total
        for kind, bins in bin_kinds(view).items()
    }


def label_and_tma_windows(view: AuditView) -> go.Figure | None:
    """Windows that tell the label upwards, those that tell TMAs within a class downwards."""
    table = view.windows
    if table is None:
        return None
    title = "Windows of the label, and of the TMA"
    middle = (table["mz_low"] + table["mz_high"]).to_numpy(np.float64) / 2
    width = (table["mz_high"] - table["mz_low"]).to_numpy(np.float64)
    tops = [table[f"is_{side}_top"].to_numpy(np.bool_) for side in ("label", "tma")]
    shared = tops[0] & tops[1]
    figure = go.Figure()
    for kind, colour, chosen in (
        # Drawn first, so that its many bars hide none of the others.
        ("neither's first", "#C3CAD1", ~(tops[0] | tops[1])),
        ("label only", PALETTE[0], tops[0] & ~shared),
        ("TMA only", PALETTE[4], tops[1] & ~shared),
        ("both", PALETTE[1], shared),
    ):
        for side, sign in (("label", 1.0), ("tma", -1.0)):
            share = table[f"{side}_share"].to_numpy(np.float64)[chosen]
            figure.add_bar(
                x=middle[chosen],
                y=sign * share,
                # A window of 5 Da is a hair on an axis of 3,000: drawn twice as wide.
                width=2 * width[chosen],
                marker={"color": colour, "line": {"width": 0}},
                name=f"{kind} ({int(chosen.sum())})",
                legendgroup=kind,
                showlegend=side == "label",
                customdata=share,
                hovertemplate="m/z %{x:.1f}<br>%{customdata:.1%} of the energy",
            )
    top, bottom = _reaches(table)
    step = _round_step(top)
    steps = np.arange(-np.floor(bottom / step), np.floor(top / step) + 1) * step
    figure.update_layout(barmode="overlay", hovermode="closest")
    figure.update_xaxes(title_text=MZ_TITLE, showgrid=False)
    figure.update_yaxes(
        title_text="TMA ← share of energy → label",
        range=[-1.08 * bottom, 1.08 * top],
        tickvals=steps,
        ticktext=[f"{abs(100 * at):.3g} %" for at in steps],
        zeroline=True,
        zerolinecolor=INK,
    )
    return apply_theme(
        figure, title=title, subtitle=in_lines(_overlap_text(view)), height=456, top=120
    )


def tma_profile(view: AuditView) -> go.Figure | None:
    """What tells TMAs apart within a class, where that was looked at."""
    if "tma_sensitivity" not in view.spectrum:
        return None
    values = view.spectrum["tma_sensitivity"].to_numpy(np.float64)
    stretch = Stretch(view.axis, float(view.axis.mz[0]), float(view.axis.mz[-1]), _POINTS)
    figure = go.Figure(curve_traces(stretch, values, name="TMA", colour=MUTED, legend=False))
    figure.update_xaxes(title_text=MZ_TITLE, showgrid=False)
    figure.update_yaxes(title_text="sensitivity for the TMA")
    return apply_theme(
        figure,
        title="What tells TMAs apart within a class",
        subtitle=in_lines(
            "of a classifier of the TMA; where the label's profile is high too, the model may "
            "read the TMA"
        ),
        height=320,
    )


def _reaches(table: pd.DataFrame) -> tuple[float, float]:
    """How far the bars reach upwards and downwards; the lower side keeps at least a third."""
    up, down = (float(table[f"{side}_share"].max()) for side in ("label", "tma"))
    top = max(up, down / 3) or 1.0
    return top, max(down, top / 3)


def _round_step(top: float) -> float:
    """A round distance of ticks, some three of them up to `top`."""
    unit = 10.0 ** np.floor(np.log10(top))
    return float(next(unit * factor for factor in (0.2, 0.5, 1, 2, 5) if unit * factor * 4 >= top))


def _overlap_text(view: AuditView) -> str:
    found = view.overlap
    if isinstance(found, NotApplicable):
        return "first windows of either by the energy of its sensitivity"
    return (
        f"for {plain(found.class_name)}, {found.n_shared} of {found.n_label} first windows are "
        f"among the {found.n_tma} of the TMA; chance gives {found.expected:.1f} "
        f"(p = {found.p:.2g}); "
        f"rank correlation {found.rank_correlation:.2f}"
    )


def _numbers(view: AuditView) -> npt.NDArray[np.int64]:
    """Which stretch of 50 Da each bin lies in, the first being 0."""
    number = np.floor(view.axis.mz / ENERGY_DA).astype(np.int64)
    return np.asarray(number - number[0], dtype=np.int64)


def _middles(view: AuditView) -> npt.NDArray[np.float64]:
    first = np.floor(view.axis.mz[0] / ENERGY_DA)
    return np.asarray((first + np.arange(_numbers(view)[-1] + 1) + 0.5) * ENERGY_DA)
