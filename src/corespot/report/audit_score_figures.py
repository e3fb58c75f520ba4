"""Scores of patients by TMA: within a class they should not differ."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from corespot.report.audit_records import Leakage
from corespot.report.audit_shown import AuditView
from corespot.report.tables import natural
from corespot.report.theme import (
    apply_theme,
    colours_of,
    in_lines,
    plain,
)

#: One marker a class, so that nobody has to tell colours apart.
MARKERS = ("circle", "diamond", "square", "triangle-up", "cross", "x", "star", "pentagon")


def scores_by_tma(view: AuditView) -> go.Figure:
    """Mean score of every patient by TMA, one panel a class, coloured and marked by true class."""
    kind = "regrouped" if view.patients_held_out else "score"
    shown = view.shown_classes
    tmas = sorted(set(view.patients["tma"].astype(str)), key=natural)
    slots = _slots(view, tmas)
    shades = colours_of(view.classes)
    figure = make_subplots(
        rows=len(shown),
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.22 / len(shown),
        subplot_titles=[_panel_title(view, name) for name in shown] if len(shown) > 1 else None,
    )
    for row, name in enumerate(shown, start=1):
        for at, own in enumerate(view.classes):
            patients = view.patients[view.patients["class"].astype(str) == own]
            patients = patients.sort_values(["tma", "patient"])
            x = np.array([slots[str(tma), own][0] for tma in patients["tma"]], dtype=np.float64)
            room = np.array([slots[str(tma), own][1] for tma in patients["tma"]], dtype=np.float64)
            y = patients[f"{kind}_{name}"].to_numpy(np.float64)
            figure.add_scatter(
                x=x + 0.7 * room * _spread(patients),
                y=y,
                mode="markers",
                name=plain(own),
                legendgroup=own_group(at),
                showlegend=row == 1,
                marker={
                    "color": shades[own],
                    "symbol": MARKERS[at % len(MARKERS)],
                    "size": 8,
                    "opacity": 0.8,
                    "line": {"color": "#FFFFFF", "width": 0.8},
                },
                customdata=[
                    [plain(patient), plain(tma)]
                    for patient, tma in zip(patients["patient"], patients["tma"], strict=True)
                ],
                hovertemplate="%{customdata[0]} on %{customdata[1]}: %{y:.2f}",
                row=row,
                col=1,
            )
            _means(figure, x, y, room, shades[own], own_group(at), row)
        figure.update_yaxes(
            title_text=f"log-odds of {plain(name)}",
            zeroline=True,
            zerolinecolor="#9AA5B1",
            row=row,
            col=1,
        )
    figure.update_xaxes(
        tickvals=list(range(len(tmas))),
        ticktext=[plain(name) for name in tmas],
        range=[-0.6, len(tmas) - 0.4],
        showgrid=False,
        tickangle=-40 if len(tmas) > 10 else 0,
    )
    figure.update_xaxes(title_text="TMA", row=len(shown), col=1)
    figure.update_layout(hovermode="closest")
    return apply_theme(
        figure,
        title=f"Scores of patients by TMA{_leakage_text(view)}",
        subtitle=in_lines(
            _which_scores(view) + "; a dot a patient, a line the mean of a class on a TMA"
        ),
        height=196 + 260 * len(shown),
        top=128,
    )


def own_group(at: int) -> str:
    """Legend group of a class, free of text from outside."""
    return f"class {at}"


def _slots(view: AuditView, tmas: list[str]) -> dict[tuple[str, str], tuple[float, float]]:
    """Middle and width of the place of each class on each TMA; several lie side by side."""
    held = view.patients.groupby(view.patients["tma"].astype(str))["class"].agg(set)
    slots = {}
    for at, tma in enumerate(tmas):
        here = [name for name in view.classes if name in held[tma]]
        width = min(0.8 / len(here), 0.5)
        for number, name in enumerate(here):
            slots[tma, name] = (at + width * (number - (len(here) - 1) / 2), width)
    return slots


def _spread(patients: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Patients of a class on a TMA side by side, in a fixed order, from −½ to ½."""
    rank = patients.groupby("tma").cumcount().to_numpy(np.float64)
    size = patients.groupby("tma")["tma"].transform("size").to_numpy(np.float64)
    return np.asarray((rank + 0.5) / size - 0.5, dtype=np.float64)


def _means(
    figure: go.Figure,
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    room: npt.NDArray[np.float64],
    shade: str,
    group: str,
    row: int,
) -> None:
    middles, first = np.unique(x, return_index=True)
    half = room[first] * 0.42
    means = [float(np.mean(y[x == middle])) for middle in middles]
    gaps = np.full(len(middles), np.nan)
    figure.add_scatter(
        x=np.stack([middles - half, middles + half, gaps], axis=1).ravel(),
        y=np.stack([means, means, gaps], axis=1).ravel(),
        mode="lines",
        line={"color": shade, "width": 2.5},
        legendgroup=group,
        showlegend=False,
        hoverinfo="skip",
        row=row,
        col=1,
    )


def _leakage_text(view: AuditView) -> str:
    found = view.leakage.get("tma")
    if not isinstance(found, Leakage):
        return ": leakage not applicable"
    return f": L = {found.leakage:.2f}, permutation p = {found.p:.2g}"


def _panel_title(view: AuditView, name: str) -> str:
    found = view.leakage.get("tma")
    text = plain(view.against(name))
    if isinstance(found, Leakage) and name in found.by_class:
        leakage, p = found.by_class[name]
        return f"{text}: L = {leakage:.2f}, p = {p:.2g}"
    return text


def _which_scores(view: AuditView) -> str:
    if view.patients_held_out:
        return "scores of models with patients held out, so that one model has seen all TMAs"
    return (
        "scores with whole TMAs held out: every TMA has a model of its own, so that TMAs differ "
        "for that reason too"
    )
