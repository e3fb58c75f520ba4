"""The accuracy a model loses on a second cohort, in which class and measurement are not tied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from corespot.audit.applicable import NotApplicable
from corespot.audit.design.association import IN_QUESTION, cramers_v
from corespot.audit.indicators.decisions import read_decisions
from corespot.errors import StoreError
from corespot.evaluate.intervals import draw_patients, per_patient, percentile_interval
from corespot.seeding import generator

#: Percentile of the one-sided bound.
_BOUND = 5.0
#: What tells one model (or repeat) from another.
_MODELS = ("repeat", "fold")


@dataclass(frozen=True)
class CounterfactualDrop:
    """A model's balanced accuracy on its own cohort and on one whose design is broken.

    Parameters
    ----------
    balanced_accuracy : float
        Out of fold, on spots of the original cohort; mean over repeats.
    counterfactual_balanced_accuracy : float
        On spots of the second cohort; mean over the folds' models.
    drop : float
        What is lost; negative where the second cohort is easier.
    interval : (float, float) or None
        95 % percentile interval of the drop over patients of both cohorts; ``None`` without
        resamples.
    at_least : float or None
        One-sided 95 % lower bound of the drop.
    drop_by_class : dict of str to float
        Loss of each class's recall; the drop is their mean.
    v : float
        Cramér's V of label and TMA over the patients of the second cohort, bias-corrected.
    n_patients, n_counterfactual_patients : int
        Patients of the original and of the second cohort.
    n_shared_patients : int
        Patients whose name is in both: a model may have been trained on them.
    n_models : int
        Models that were put to the second cohort.
    counterfactual_interval : (float, float) or None
        95 % percentile interval of the balanced accuracy there.
    """

    balanced_accuracy: float
    counterfactual_balanced_accuracy: float
    drop: float
    interval: tuple[float, float] | None
    at_least: float | None
    drop_by_class: dict[str, float]
    v: float
    n_patients: int
    n_counterfactual_patients: int
    n_shared_patients: int
    n_models: int
    counterfactual_interval: tuple[float, float] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        for name in ("interval", "counterfactual_interval"):
            plain[name] = None if plain[name] is None else list(plain[name])
        return plain


def counterfactual_drop(
    original: pd.DataFrame,
    second: pd.DataFrame,
    classes: Sequence[str],
    *,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> CounterfactualDrop | NotApplicable:
    """Measure what a model loses where its class and its measurement come apart.

    Parameters
    ----------
    original : DataFrame
        Out-of-fold predictions, one line a spot and repeat: ``y``, ``patient``, and ``predicted``
        or one ``prob_<class>`` a class; ``repeat`` if there are several.
    second : DataFrame
        Predictions of the same models on the second cohort, one line a spot and model: the same
        columns and ``tma``; ``repeat`` or ``fold`` (or both) tell the models apart.
    classes : sequence of str
        Class names in the order of `y`.
    n_bootstrap : int
        Resamples behind the interval; 0 leaves it out.
    seed : int
        Seed of the resampling.

    Returns
    -------
    CounterfactualDrop or NotApplicable
        Not applicable where label and TMA are tied in the second cohort, too (V > .3), where
        either cohort lacks a class, or holds fewer than five patients of one.

    Raises
    ------
    StoreError
        If a column is missing, a class unknown, or models predicted different spots.

    Notes
    -----
    Accuracy is that of spots. Out-of-fold decisions are pooled over the folds of a repeat, as
    everywhere. Each fold's model is judged by itself on the second cohort, and accuracies, not
    probabilities, are averaged: an average of models is better than any one that was tested on
    the original. Patients of both cohorts are drawn independently, with replacement, within the
    class of most of their spots; a patient brings all spots, judged by all models. Differences
    between the cohorts other than the broken tie (tissue, instrument) are part of the drop.

    References
    ----------
    Field & Welsh, "Bootstrapping clustered data", J. R. Stat. Soc. B 69(3), 2007.
    """
    before = read_decisions(original, classes, "original", by=_MODELS[:1])
    after = read_decisions(second, classes, "second", by=_MODELS)
    for cohort in (before, after):
        if (reason := cohort.too_small(classes)) is not None:
            return reason
    if "tma" not in second:
        raise StoreError("the predictions on the second cohort lack the column 'tma'")
    tma = np.unique(second["tma"].to_numpy(dtype=str), return_inverse=True)[1].astype(np.int64)
    n_tmas = int(tma.max()) + 1
    patients_of_class = after.share_of(after.y, len(classes))
    v = cramers_v(patients_of_class, after.share_of(tma, n_tmas))
    held = per_patient(tma, after.y, n_tmas, len(classes)) > 0
    # With a patient or two a TMA, V is near zero, however the classes are laid out.
    nested = bool(held.sum(axis=1).max() < 2)
    if nested or v > IN_QUESTION:
        tied = "no TMA holds two classes" if nested else "they go together"
        return NotApplicable(
            f"label and TMA are tied in the second cohort, too (V {v:.2f}, {tied}): measure one "
            "that has every class on every TMA"
        )
    recalls, other = before.recalls(None), after.recalls(None)
    interval, at_least, there = None, None, None
    if n_bootstrap > 0:
        drops = [
            cohort.recalls(
                draw_patients(cohort.strata(), n_bootstrap, generator(seed, "counterfactual", name))
            ).mean(axis=-1)
            for cohort, name in ((before, "original"), (after, "second"))
        ]
        resampled = drops[0] - drops[1]
        ends = percentile_interval(resampled)
        interval = None if ends is None else (ends[0], ends[1])
        at_least = None if ends is None else float(np.nanpercentile(resampled, _BOUND))
        of_second = percentile_interval(drops[1])
        there = None if of_second is None else (of_second[0], of_second[1])
    accuracy, other_accuracy = float(recalls.mean()), float(other.mean())
    return CounterfactualDrop(
        balanced_accuracy=accuracy,
        counterfactual_balanced_accuracy=other_accuracy,
        drop=accuracy - other_accuracy,
        interval=interval,
        at_least=at_least,
        drop_by_class={
            name: float(loss) for name, loss in zip(classes, (recalls - other)[0], strict=True)
        },
        v=v,
        n_patients=len(before.names),
        n_counterfactual_patients=len(after.names),
        n_shared_patients=len(np.intersect1d(before.names, after.names)),
        n_models=after.n_models,
        counterfactual_interval=there,
    )
