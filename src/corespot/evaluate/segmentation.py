"""Spot predictions read as a segmentation: how much of a core is tumour, and which spots are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.evaluate.aggregate import Units, in_order, spot_units
from corespot.evaluate.intervals import draw_patients, patient_intervals, percentile_interval
from corespot.evaluate.metrics import auc, confusion_matrix, rates
from corespot.evaluate.tumour_fraction import CORE_COLUMNS, core_table, known_truth
from corespot.seeding import generator

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
_NO_TRUTH = "the label is the same all over each core and the task names no truth of single spots"


def evaluate_segmentation(
    predictions: pd.DataFrame,
    spots: pd.DataFrame,
    classes: Sequence[str],
    *,
    label: str = "",
    truth: Ints | None = None,
    truth_label: str | None = None,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Evaluate the out-of-fold spot predictions of a two-class task as a segmentation.

    The first class is the positive one (tumour); a spot is called positive if it is the more
    probable class, equal probabilities included. Each core counts once in each repeat, whatever
    folds its spots were in.

    Parameters
    ----------
    predictions : DataFrame
        Columns ``row``, ``repeat``, ``fold``, ``y`` and one ``prob_<class>`` a class.
    spots : DataFrame
        Spot table of the store, with ``core``, ``patient`` and maybe ``tma``.
    classes : sequence of str
        Class names in the order of `y`.
    label : str
        Column that `y` was read from, for the record.
    truth : ndarray of int64, shape (len(spots),), optional
        Class that is true of each single spot, -1 where unknown, by row of the store. Without it
        the task's own labels are the truth, if they vary within cores.
    truth_label : str, optional
        Column that `truth` was read from.
    n_bootstrap : int
        Resamples of the patients behind the intervals; 0 leaves them out.
    seed : int
        Seed of the resampling.

    Returns
    -------
    metrics : dict
        As described in ``docs/evaluation.md``, plain values for JSON. ``applicable`` is false,
        with a ``reason``, for tasks of more than two classes; parts that need what is not there
        are None, with their reason under ``reasons``.
    cores : DataFrame
        Columns `CORE_COLUMNS`, one line a core and repeat: what was called positive of all its
        spots (``fraction``), and among those whose truth is known (``n_known``) the true share
        and the Dice coefficient (NaN where no spot is truly positive).

    Raises
    ------
    StoreError
        If the predictions are incomplete or of another store, or `truth` does not fit `spots`.

    References
    ----------
    Schuhmacher, Gerwert, Mosig, "A generic neural network approach to infer segmenting classifiers
    for disease-associated regions in medical images": AUC of cores from their activated share,
    Dice against an expert's annotation.
    """
    names = tuple(classes)
    if len(names) != 2:
        reason = f"a segmentation has a positive and a negative class; the task has {len(names)}"
        return {"applicable": False, "reason": reason}, pd.DataFrame(columns=list(CORE_COLUMNS))
    spot = spot_units(predictions, spots, names)
    row = in_order(predictions)["row"].to_numpy(np.int64)
    known = known_truth(spot, row, truth, len(spots))
    column = truth_label if truth is not None else label or None
    cores = core_table(spot, spots.iloc[row], known, names)
    reasons: dict[str, str] = {}
    metrics: dict[str, Any] = {
        "applicable": True,
        "positive": names[0],
        "truth_column": None if known is None else column,
        "n_cores": int(cores["core"].nunique()),
        "n_positive_cores": int(cores.loc[cores["class"] == names[0], "core"].nunique()),
        "fraction_auc": _fraction_auc(cores, names, n_bootstrap, seed, reasons),
        "n_spots_known": int(cores["n_known"].sum()) // cores["repeat"].nunique(),
        "dice": None,
        "spot_balanced_accuracy": None,
        "spot_auc": None,
    }
    if known is None:
        reasons |= dict.fromkeys(("dice", "spot_balanced_accuracy", "spot_auc"), _NO_TRUTH)
    else:
        metrics["dice"] = _dice(cores, n_bootstrap, seed, reasons)
        metrics |= _against_truth(spot, known, n_bootstrap, seed, reasons)
    return {**metrics, "reasons": reasons}, cores[list(CORE_COLUMNS)]


def _fraction_auc(
    cores: pd.DataFrame, names: Sequence[str], n_bootstrap: int, seed: int, reasons: dict[str, str]
) -> dict[str, Any]:
    """AUC of the fraction against the cores' classes: median over repeats, with interval."""
    fraction = cores["fraction"].to_numpy(np.float64)
    n = len(cores)
    units = Units(
        repeat=cores["repeat"].to_numpy(np.int64),
        fold=np.zeros(n, dtype=np.int64),
        core=np.unique(cores["core"].astype(str), return_inverse=True)[1].astype(np.int64),
        patient=cores["group"].to_numpy(np.int64),
        y=np.asarray(cores["class"] != names[0], dtype=np.int64),
        predicted=(fraction < 0.5).astype(np.int64),
        probability=np.stack([fraction, 1.0 - fraction], axis=1),
        n_spots=cores["n_spots"].to_numpy(np.int64),
        mixed=np.zeros(n, dtype=bool),
    )
    if len(np.unique(units.y)) < 2:
        only = names[int(units.y[0])]
        reasons["fraction_auc"] = f"all cores are {only}: there is nothing to tell them from"
        return {"value": None, "ci95": None}
    values = [auc(part.y, part.probability) for part in _by_repeat(units)]
    interval = _intervals(units, n_bootstrap, seed)["auc"]
    return {"value": float(np.median(values)), "ci95": interval}


def _dice(
    cores: pd.DataFrame, n_bootstrap: int, seed: int, reasons: dict[str, str]
) -> dict[str, Any] | None:
    """Dice coefficient over cores that hold truly positive spots, and that of calling all so."""
    judged = cores[cores["true"] > 0]
    if judged.empty:
        reasons["dice"] = "no spot is truly positive"
        return None
    everything = 2 * judged["true"] / (judged["n_known"] + judged["true"])
    by_repeat = judged.groupby("repeat")["dice"]
    sums = cores.groupby("repeat")[["called", "true", "both", "n_known"]].sum()
    pooled = 2 * sums["both"] / (sums["called"] + sums["true"])
    pooled_everything = 2 * sums["true"] / (sums["n_known"] + sums["true"])
    return {
        "mean": float(by_repeat.mean().median()),
        "sd": float(by_repeat.std(ddof=0).median()),
        "ci95": _mean_interval(judged, n_bootstrap, seed),
        "pooled": float(pooled.median()),
        "n_cores": int(judged["core"].nunique()),
        "all_positive": {
            "mean": float(everything.groupby(judged["repeat"]).mean().median()),
            "pooled": float(pooled_everything.median()),
        },
    }


def _mean_interval(judged: pd.DataFrame, n_bootstrap: int, seed: int) -> list[float] | None:
    """Interval of the mean Dice over cores, resampling patients."""
    group = np.unique(judged["group"], return_inverse=True)[1]
    n_groups = int(group.max()) + 1
    if n_bootstrap == 0 or n_groups < 2:
        return None
    draws = draw_patients(
        np.zeros(n_groups, dtype=np.int64), n_bootstrap, generator(seed, "bootstrap")
    )
    means = []
    for repeat in judged["repeat"].unique():
        here = (judged["repeat"] == repeat).to_numpy()
        dice = judged["dice"].to_numpy(np.float64)[here]
        total = np.bincount(group[here], weights=dice, minlength=n_groups)
        means.append((draws @ total) / (draws @ np.bincount(group[here], minlength=n_groups)))
    return percentile_interval(np.median(np.stack(means), axis=0))


def _against_truth(
    spot: Units, truth: Ints, n_bootstrap: int, seed: int, reasons: dict[str, str]
) -> dict[str, Any]:
    """Balanced accuracy and AUC of spots against their truth."""
    keep = truth >= 0
    units = replace(spot.select(keep), y=truth[keep])
    if len(np.unique(units.y)) < 2:
        why = "the truth knows spots of one class only"
        reasons |= dict.fromkeys(("spot_balanced_accuracy", "spot_auc"), why)
        return {}
    intervals = _intervals(units, n_bootstrap, seed)
    parts = _by_repeat(units)
    accuracy = [
        float(rates(confusion_matrix(part.y, part.predicted, 2))["balanced_accuracy"])
        for part in parts
    ]
    areas = [auc(part.y, part.probability) for part in parts]
    return {
        "spot_balanced_accuracy": {
            "value": float(np.median(accuracy)),
            "ci95": intervals["balanced_accuracy"],
        },
        "spot_auc": {"value": float(np.median(areas)), "ci95": intervals["auc"]},
    }


def _by_repeat(units: Units) -> list[Units]:
    return [units.select(units.repeat == repeat) for repeat in np.unique(units.repeat)]


def _intervals(units: Units, n_bootstrap: int, seed: int) -> dict[str, list[float] | None]:
    return patient_intervals(
        units,
        n_bootstrap=n_bootstrap,
        rng=generator(seed, "bootstrap"),
        over_repeats="median",
    )
