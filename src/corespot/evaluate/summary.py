"""All figures of a cross-validated model: every level, fold and repeat, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.evaluate.aggregate import LEVELS, Units, at_level, spot_units
from corespot.evaluate.calibration import (
    brier_terms,
    expected_calibration_error,
    reliability_table,
)
from corespot.evaluate.intervals import METRICS, patient_intervals
from corespot.evaluate.metrics import auc, class_rates, confusion_matrix, rates
from corespot.seeding import generator

#: Metrics reported under ``calibration`` rather than beside the others.
_CALIBRATION = ("brier", "ece")


def evaluate_predictions(
    predictions: pd.DataFrame,
    spots: pd.DataFrame,
    classes: Sequence[str],
    *,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Evaluate out-of-fold predictions on spots, cores and patients.

    Parameters
    ----------
    predictions : DataFrame
        Columns ``row``, ``repeat``, ``fold``, ``y`` and one ``prob_<class>`` a class.
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
        ``{level: {metric: {...}}}`` as described in ``docs/evaluation.md``, plain values for JSON;
        what is undefined is ``None``.

    Raises
    ------
    StoreError
        If the predictions are incomplete, doubled, no probabilities, or of another store.

    References
    ----------
    Behrmann et al., Bioinformatics 34(7), 2018: balanced accuracy on spots and, by majority, on
    cores; median over repeats with interquartile range; spread over folds.
    """
    spot = spot_units(predictions, spots, tuple(classes))
    return {
        level: evaluate_level(
            at_level(spot, level),
            tuple(classes),
            np.unique(spot.repeat).tolist(),
            n_bootstrap,
            generator(seed, "bootstrap"),
        )
        for level in LEVELS
    }


def fold_table(
    predictions: pd.DataFrame, spots: pd.DataFrame, classes: Sequence[str]
) -> pd.DataFrame:
    """Every metric of every fold, for box plots.

    Returns
    -------
    DataFrame
        Columns ``repeat``, ``fold``, ``level``, ``metric``, ``value`` (NaN where undefined).
    """
    spot = spot_units(predictions, spots, tuple(classes))
    lines = [
        {"repeat": repeat, "fold": fold, "level": level, "metric": metric, "value": value}
        for level in LEVELS
        for (repeat, fold), values in _by_fold(at_level(spot, level)).items()
        for metric, value in values.items()
    ]
    return pd.DataFrame(lines, columns=["repeat", "fold", "level", "metric", "value"])


def point_metrics(units: Units) -> dict[str, float]:
    """Every metric of one set of decisions; NaN where a class that is needed does not occur."""
    confusion = confusion_matrix(units.y, units.predicted, units.n_classes)
    values = {name: float(value) for name, value in rates(confusion).items()}
    values["auc"] = auc(units.y, units.probability)
    n = len(units)
    values["brier"] = float(brier_terms(units.y, units.probability).mean()) if n else float("nan")
    values["ece"] = expected_calibration_error(units.y, units.predicted, units.probability)
    return values


def evaluate_level(
    units: Units,
    classes: tuple[str, ...],
    repeats: list[int],
    n_bootstrap: int,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Every metric of the units of one level, with spread and interval; plain values for JSON.

    Parameters
    ----------
    units : Units
        Decisions, all repeats.
    classes : tuple of str
        Class names.
    repeats : list of int
        Numbers of the repeats.
    n_bootstrap : int
        Resamples behind the intervals.
    rng : Generator
        Source of the resampling.
    """
    by_fold = _by_fold(units)
    pooled = [point_metrics(units.select(units.repeat == repeat)) for repeat in repeats]
    intervals = patient_intervals(units, n_bootstrap=n_bootstrap, rng=rng)
    found: dict[str, Any] = {}
    for metric in METRICS:
        folds = [
            [values[metric] for (owner, _), values in by_fold.items() if owner == repeat]
            for repeat in repeats
        ]
        found[metric] = {
            **_spread(folds),
            "ci95": intervals[metric],
            "pooled": _plain(np.mean([values[metric] for values in pooled])),
        }
    per_repeat = len(repeats)
    n_mixed = int(units.mixed.sum()) + units.n_excluded  # the divided ones are mixed too
    n_all = len(units) + units.n_excluded
    return {
        **{metric: found[metric] for metric in METRICS if metric not in _CALIBRATION},
        "per_class": _per_class(units, classes, repeats),
        "confusion": {
            "classes": list(classes),
            "counts": confusion_matrix(units.y, units.predicted, units.n_classes).tolist(),
        },
        "calibration": {
            **{metric: found[metric] for metric in _CALIBRATION},
            "reliability": reliability_table(units.y, units.predicted, units.probability),
        },
        "n_repeats": len(repeats),
        "n_folds": len(by_fold) // per_repeat,
        "n_units": _whole(len(units) / per_repeat),
        "n_patients": len(np.unique(units.patient)),
        "n_mixed": _whole(n_mixed / per_repeat),
        "n_excluded": _whole(units.n_excluded / per_repeat),
        "excluded_fraction": units.n_excluded / n_all if n_all else 0.0,
    }


def _by_fold(units: Units) -> dict[tuple[int, int], dict[str, float]]:
    keys = np.unique(np.stack([units.repeat, units.fold], axis=1), axis=0)
    return {
        (int(repeat), int(fold)): point_metrics(
            units.select((units.repeat == repeat) & (units.fold == fold))
        )
        for repeat, fold in keys
    }


def _spread(folds: list[list[float]]) -> dict[str, Any]:
    """Median and quartiles over repeats, or over folds where there is one repeat only."""
    repeats = [_mean_defined(values) for values in folds]
    over = "repeats" if len(repeats) > 1 else "folds"
    values = np.asarray(repeats if over == "repeats" else folds[0], dtype=np.float64)
    values = values[np.isfinite(values)]
    quartiles = np.percentile(values, [25, 50, 75]).tolist() if len(values) else None
    return {
        "median": quartiles[1] if quartiles else None,
        "iqr": [quartiles[0], quartiles[2]] if quartiles else None,
        "over": over,
        "repeats": [_plain(value) for value in repeats],
        "folds": [[_plain(value) for value in row] for row in folds],
        "n_undefined": int(sum(not np.isfinite(value) for row in folds for value in row)),
    }


def _per_class(
    units: Units, classes: tuple[str, ...], repeats: list[int]
) -> dict[str, dict[str, float | None]]:
    """Rates of every class against the rest, over pooled predictions, averaged over repeats."""
    matrices = np.stack(
        [
            confusion_matrix(units.y[here], units.predicted[here], units.n_classes)
            for here in (units.repeat == repeat for repeat in repeats)
        ]
    )
    found = {name: values.mean(axis=0) for name, values in class_rates(matrices).items()}
    size = matrices.sum(axis=2).mean(axis=0)
    return {
        name: {
            **{metric: _plain(values[index]) for metric, values in found.items()},
            "n": _whole(float(size[index])),
        }
        for index, name in enumerate(classes)
    }


def _mean_defined(values: list[float]) -> float:
    defined = [value for value in values if np.isfinite(value)]
    return float(np.mean(defined)) if defined else float("nan")


def _plain(value: float | npt.NDArray[np.float64] | np.floating[Any]) -> float | None:
    """A number for JSON; ``None`` where it is undefined."""
    return float(value) if np.isfinite(value) else None


def _whole(value: float) -> float | int:
    """A count per repeat: whole unless random-spot folds cut units differently in each repeat."""
    return int(value) if float(value).is_integer() else value
