"""How much of every core was called positive, and how much of it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.errors import StoreError
from corespot.evaluate.aggregate import Units

Ints = npt.NDArray[np.int64]

#: Columns of the table of cores.
CORE_COLUMNS = (
    *("repeat", "core", "tma", "patient", "class", "n_spots", "n_known"),
    *("fraction", "truth_fraction", "dice"),
)


def known_truth(spot: Units, row: Ints, truth: Ints | None, n_rows: int) -> Ints | None:
    """Class that is true of every predicted spot, by the best source there is.

    Parameters
    ----------
    spot : Units
        Decided spots, from `spot_units`.
    row : ndarray of int64, shape (len(spot),)
        Row of the store of each.
    truth : ndarray of int64, shape (n_rows,), or None
        Truth by row of the store, -1 where unknown.
    n_rows : int
        Rows of the store.

    Returns
    -------
    ndarray of int64, shape (len(spot),), or None
        `truth` where it is given; else the task's own labels if any core holds both; else None,
        since a label of whole cores does not say what is true of a spot.

    Raises
    ------
    StoreError
        If `truth` does not fit the store.
    """
    if truth is not None:
        if truth.shape != (n_rows,) or not np.isin(truth, (-1, 0, 1)).all():
            raise StoreError(
                f"the truth of the spots must be {n_rows} numbers of -1, 0 or 1, one a row of the "
                f"spot table; got shape {truth.shape} with values {np.unique(truth)[:5].tolist()}"
            )
        return np.asarray(truth[row], dtype=np.int64)
    held = np.unique(np.stack([spot.core, spot.y], axis=1), axis=0)[:, 0]
    return spot.y if len(np.unique(held)) < len(held) else None


def core_table(
    spot: Units, here: pd.DataFrame, truth: Ints | None, names: Sequence[str]
) -> pd.DataFrame:
    """One line a core and repeat: the share called positive, the true share, their overlap.

    Parameters
    ----------
    spot : Units
        Decided spots; class 0 is the positive one.
    here : DataFrame, len(spot) rows
        Rows of the spot table, in the order of `spot`.
    truth : ndarray of int64, shape (len(spot),), or None
        Class that is true of each spot, -1 where unknown.
    names : sequence of two str
        Names of the positive and the negative class.

    Returns
    -------
    DataFrame
        Columns `CORE_COLUMNS`; then, counted among spots of known truth, those called positive
        (``called``), truly so (``true``) and ``both``; then ``group``, the number of the patient.
        ``class`` is the positive one if any spot of the core is labelled so.
    """
    known = np.zeros(len(spot), dtype=bool) if truth is None else truth >= 0
    true = np.zeros(len(spot), dtype=bool) if truth is None else truth == 0
    called = spot.predicted == 0
    table = pd.DataFrame(
        {
            "repeat": spot.repeat,
            "core": here["core"].to_numpy(),
            "tma": here["tma"].to_numpy() if "tma" in here else "",
            "patient": here["patient"].to_numpy(),
            "group": spot.patient,
            "positive": spot.y == 0,
            "called_of_all": called,
            "n_known": known,
            "called": called & known,
            "true": true,
            "both": called & true,
        }
    )
    grouped = table.groupby(["repeat", "core"], sort=True, dropna=False)
    cores = grouped[["n_known", "called", "true", "both"]].sum()
    cores[["tma", "patient", "group"]] = grouped[["tma", "patient", "group"]].first()
    cores["class"] = np.where(grouped["positive"].any(), names[0], names[1])
    cores["n_spots"] = grouped.size()
    cores["fraction"] = grouped["called_of_all"].sum() / cores["n_spots"]
    cores["truth_fraction"] = (cores["true"] / cores["n_known"]).where(cores["n_known"] > 0)
    overlap = 2 * cores["both"] / (cores["called"] + cores["true"])
    cores["dice"] = overlap.where(cores["true"] > 0)
    return cores.reset_index()[[*CORE_COLUMNS, "called", "true", "both", "group"]]
