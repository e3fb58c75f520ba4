"""What a model loses when one kind of structure is destroyed: paired drops of balanced accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.errors import StoreError
from corespot.evaluate.aggregate import Units, in_order, spot_units
from corespot.evaluate.intervals import (
    can_vary,
    draw_patients,
    patient_strata,
    per_patient,
    percentile_interval,
)
from corespot.evaluate.metrics import rates
from corespot.seeding import generator

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def ablation_drops(
    intact: pd.DataFrame,
    ablated: Mapping[str, pd.DataFrame],
    spots: pd.DataFrame,
    classes: Sequence[str],
    *,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> dict[str, dict[str, Any]]:
    """Balanced accuracy of spots with and without a kind of structure, and the paired drop.

    The same spots are predicted by the same models, so both sides of a drop are compared patient
    by patient: each resample of the patients is applied to both.

    Parameters
    ----------
    intact : DataFrame
        Out-of-fold predictions: ``row``, ``repeat``, ``fold``, ``y`` and one ``prob_<class>`` a
        class.
    ablated : mapping of str to DataFrame
        What was destroyed (``spatial``, ``spectral``) to the predictions made without it, of the
        same spots and repeats. A column ``shuffle`` tells several shufflings apart; each is
        evaluated by itself and the results are averaged, since a mean of their probabilities
        would be an ensemble that is better than any of them.
    spots : DataFrame
        Spot table of the store, with ``core`` and ``patient``.
    classes : sequence of str
        Class names in the order of `y`.
    n_bootstrap : int
        Resamples of the patients behind the intervals; 0 leaves them out.
    seed : int
        Seed of the resampling.

    Returns
    -------
    dict
        What was destroyed to ``intact`` and ``ablated`` (balanced accuracy of spots, pooled over
        folds, mean over repeats), ``drop`` = intact − ablated, ``ci95`` of the drop, and
        ``n_shuffles``. Plain values for JSON; what is undefined is None.

    Raises
    ------
    StoreError
        If a table is incomplete, or holds other spots, folds or classes than the intact one.

    References
    ----------
    Lee & Lee, "Spatial-spectral integrative 3D convolutional neural network for MSI-based cancer
    diagnosis": ablation of spatial and of spectral features.
    """
    names = tuple(classes)
    whole = spot_units(intact, spots, names)
    rows = in_order(intact)["row"].to_numpy(np.int64)
    patients, code = np.unique(whole.patient, return_inverse=True)
    draws = None
    if n_bootstrap > 0 and can_vary(whole):
        strata = patient_strata(code, whole, len(patients))
        draws = draw_patients(strata, n_bootstrap, generator(seed, "bootstrap"))
    before = _accuracy(whole, code, draws)
    found = {}
    for kind, table in ablated.items():
        parts = [part for _, part in table.groupby("shuffle")] if "shuffle" in table else [table]
        if not parts:
            raise StoreError(f"there are no predictions of the ablation {kind!r}")
        after = np.mean(
            [
                _accuracy(_same_spots(kind, part, spots, names, whole, rows), code, draws)
                for part in parts
            ],
            axis=0,
        )
        drop = before - after
        found[kind] = {
            "intact": _plain(before[0]),
            "ablated": _plain(after[0]),
            "drop": _plain(drop[0]),
            "ci95": percentile_interval(drop[1:]) if draws is not None else None,
            "n_shuffles": len(parts),
        }
    return found


def _same_spots(
    kind: str,
    table: pd.DataFrame,
    spots: pd.DataFrame,
    names: tuple[str, ...],
    whole: Units,
    rows: Ints,
) -> Units:
    """Decisions of an ablation, checked to be about the spots of the intact predictions."""
    units = spot_units(table, spots, names)
    same = len(units) == len(whole) and all(
        np.array_equal(ours, theirs)
        for ours, theirs in (
            (in_order(table)["row"].to_numpy(np.int64), rows),
            (units.repeat, whole.repeat),
            (units.fold, whole.fold),
            (units.y, whole.y),
        )
    )
    if not same:
        raise StoreError(
            f"the predictions of the ablation {kind!r} ({len(units)}) are not about the same "
            f"spots, folds and labels as the intact ones ({len(whole)}); predict both anew"
        )
    return units


def _accuracy(units: Units, code: Ints, draws: Floats | None) -> Floats:
    """Balanced accuracy, mean over repeats: of all patients once, then under every resample."""
    n_patients, k = int(code.max()) + 1, units.n_classes
    weights = np.ones((1, n_patients))
    if draws is not None:
        weights = np.concatenate([weights, draws])
    values = []
    for repeat in np.unique(units.repeat):
        here = units.repeat == repeat
        cells = per_patient(code[here], (units.y * k + units.predicted)[here], n_patients, k * k)
        values.append(rates((weights @ cells).reshape(-1, k, k))["balanced_accuracy"])
    return np.asarray(np.mean(values, axis=0), dtype=np.float64)


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
