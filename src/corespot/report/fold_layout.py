"""Which TMA, patient and core is tested in which fold, and whether any of them is split."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from corespot.cohort.foldtable import FoldTable
from corespot.cohort.groups import unit_ids
from corespot.report.tables import natural
from corespot.report.theme import INK, SEQUENTIAL, apply_theme, empty_figure, plain

#: Levels that folds may keep together, and their words.
UNITS = {"tma": "TMA", "patient": "patient", "core": "core"}
#: Most TMAs whose cells bear their number.
_NUMBERED = 40


def in_order(names: Iterable[object]) -> list[str]:
    """Each name once, ``TMA2`` before ``TMA10``."""
    unique = list({str(name) for name in names})
    unique.sort(key=natural)
    return unique


def fold_members(folds: FoldTable, spots: pd.DataFrame) -> pd.DataFrame:
    """What every spot of a task belongs to, and the fold that tests it.

    Parameters
    ----------
    folds : FoldTable
        The folds.
    spots : DataFrame
        Spot table of the store they were made for.

    Returns
    -------
    DataFrame
        One row a spot and repeat: ``repeat``, ``fold``, ``tma``, ``patient``, ``core``, ``class``.

    Raises
    ------
    FoldError
        If the folds were made for other spots.
    """
    folds.check_against(spots)
    here = spots.iloc[folds.assignment["row"].to_numpy(np.int64)]
    classes = np.asarray(folds.classes, dtype=object)
    return pd.DataFrame(
        {
            "repeat": folds.assignment["repeat"].to_numpy(np.int64),
            "fold": folds.assignment["fold"].to_numpy(np.int64),
            "tma": here["tma"].astype(str).to_numpy(),
            "patient": unit_ids(here, "patient"),
            "core": unit_ids(here, "core"),
            "class": classes[folds.assignment["y"].to_numpy(np.int64)],
        }
    )


def n_split(members: pd.DataFrame, unit: str) -> int:
    """How many TMAs, patients or cores are in the test parts of two folds of a repeat.

    Parameters
    ----------
    members : DataFrame
        From `fold_members`.
    unit : {"tma", "patient", "core"}
        Which.
    """
    in_folds = members.groupby(["repeat", unit])["fold"].nunique()
    split = in_folds[in_folds > 1]
    return int(split.index.get_level_values(unit).nunique())


def fold_table(members: pd.DataFrame, repeat: int) -> pd.DataFrame:
    """One row a fold: its TMAs, how many patients and cores, spots of every class."""
    part = members[members["repeat"] == repeat]
    rows = []
    for fold, test in part.groupby("fold"):
        row: dict[str, object] = {
            "fold": fold,
            "tested TMAs": ", ".join(in_order(test["tma"])),
            "patients": test["patient"].nunique(),
            "cores": test["core"].nunique(),
            "spots": len(test),
        }
        for name in sorted(set(part["class"])):
            row[f"spots: {name}"] = int((test["class"] == name).sum())
        rows.append(row)
    return pd.DataFrame(rows)


def fold_layout(members: pd.DataFrame, repeat: int, *, grouping: str) -> go.Figure:
    """Tested spots of every TMA in every fold: a column with one filled cell is not split.

    Parameters
    ----------
    members : DataFrame
        From `fold_members`.
    repeat : int
        Which repeat.
    grouping : str
        What the folds keep together, as `FoldTable.label` says it.
    """
    title = "Which TMA is tested in which fold"
    part = members[members["repeat"] == repeat]
    if part.empty:
        return empty_figure(title, "there is no such repeat")
    counts = pd.crosstab(part["fold"], part["tma"])
    counts = counts[in_order(counts.columns)]
    values = counts.to_numpy(dtype=float)
    figure = go.Figure(
        go.Heatmap(
            z=np.where(values > 0, values, np.nan),
            x=[plain(name) for name in counts.columns],
            y=[f"fold {fold}" for fold in counts.index],
            zmin=0,
            zmax=float(values.max()) * 1.3,
            colorscale=SEQUENTIAL,
            xgap=3,
            ygap=3,
            showscale=False,
            hovertemplate="%{x}, %{y}: %{z:,} spots are tested<extra></extra>",
        )
    )
    if len(counts.columns) <= _NUMBERED:
        for i, j in zip(*np.nonzero(values), strict=True):
            dark = values[i, j] > 0.75 * values.max()
            figure.add_annotation(
                x=int(j),
                y=int(i),
                text=f"{values[i, j]:,.0f}",
                showarrow=False,
                font={"size": 12, "color": "#FFFFFF" if dark else INK},
            )
    figure.update_xaxes(title_text="TMA", type="category", showgrid=False, ticks="")
    figure.update_yaxes(autorange="reversed", type="category", showgrid=False, ticks="")
    return apply_theme(
        figure,
        title=title,
        subtitle=f"spots tested; grouped {plain(grouping)}; a fold trains on the rest of its row",
        height=170 + 42 * len(counts),
    )
