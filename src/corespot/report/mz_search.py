"""What lies at an m/z: bins with their sensitivity, ranked windows, markers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from corespot.explain.markers import Marker
from corespot.report.sensitivity_view import SensitivityView
from corespot.units import Tolerance

#: Most bins that are listed.
MOST_BINS = 200


@dataclass(frozen=True)
class Found:
    """What lies at an m/z.

    Parameters
    ----------
    bins, windows, markers : DataFrame
        A row each, by distance; windows and markers may be none.
    nearest_only : bool
        Whether no bin lies within the tolerance, so that the nearest is listed.
    """

    bins: pd.DataFrame
    windows: pd.DataFrame
    markers: pd.DataFrame
    nearest_only: bool


def find_mz(view: SensitivityView, mz: float, tolerance: Tolerance) -> Found:
    """Bins, ranked windows and markers within a tolerance of an m/z.

    Parameters
    ----------
    view : SensitivityView
        Profile, windows and markers of a class.
    mz : float
        The m/z.
    tolerance : Tolerance
        How far from it counts. A window counts if it overlaps; a marker also if `mz` lies within
        the marker's own tolerance.
    """
    axis = view.profile.axis
    inside = axis.window(mz, tolerance)
    nearest_only = inside.start >= inside.stop
    at = (
        np.array([axis.nearest(mz)])
        if nearest_only
        else np.arange(inside.start, inside.stop, dtype=np.int64)
    )
    at = at[np.argsort(np.abs(axis.mz[at] - mz), kind="stable")][:MOST_BINS]
    columns = {
        "m/z": axis.mz[at],
        "offset Da": axis.mz[at] - mz,
        "offset ppm": (axis.mz[at] - mz) / mz * 1e6,
        f"sensitivity for {view.class_name}": view.profile.of(view.of)[view.class_index, at],
    }
    spread = view.profile.spread_of(view.of)
    if spread is not None:
        columns["SD over folds"] = spread[view.class_index, at]
    if view.class_means is not None:
        for index, name in enumerate(view.profile.classes):
            columns[f"mean intensity, {name}"] = np.asarray(view.class_means[index])[at]
    return Found(
        pd.DataFrame(columns),
        _windows(view.windows, mz, tolerance),
        _markers(view.markers, mz, tolerance),
        nearest_only,
    )


def window_table(windows: pd.DataFrame) -> pd.DataFrame:
    """Ranked windows with headings a reader understands, in the order of their rank.

    Parameters
    ----------
    windows : DataFrame
        Windows of one class, as stored.
    """
    table = windows.sort_values("rank", ignore_index=True)
    marker = table["marker"].fillna("").astype(str)
    return pd.DataFrame(
        {
            "rank": table["rank"],
            "m/z": table["mz"],
            "marker": marker,
            "speaks": np.where(table["sign"] > 0, "for", "against"),
            "sensitivity": table["height"],
            "SD over folds": table["fold_sd"],
            "from": table["low"],
            "to": table["high"],
            "isotopes": table["n_isotopes"],
            "shape": table["shape"],
        }
    )


def _windows(windows: pd.DataFrame | None, mz: float, tolerance: Tolerance) -> pd.DataFrame:
    if windows is None or windows.empty:
        return pd.DataFrame()
    low, high = tolerance.bounds(mz)
    touching = windows[(windows["low"] <= high) & (windows["high"] >= low)]
    return window_table(touching)


def _markers(markers: Sequence[Marker], mz: float, tolerance: Tolerance) -> pd.DataFrame:
    near = [
        marker
        for marker in markers
        if abs(marker.mz - mz) <= max(tolerance.at_da(mz), marker.tolerance.at_da(marker.mz))
    ]
    return pd.DataFrame(
        [
            {
                "marker": marker.name,
                "m/z": marker.mz,
                "offset Da": marker.mz - mz,
                "tolerance": str(marker.tolerance),
            }
            for marker in sorted(near, key=lambda marker: abs(marker.mz - mz))
        ]
    )
