"""Models trained and audited on synthetic cohorts, whose counterfactuals tell the truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from corespot.audit.calibration.record import Record
from corespot.audit.indicators.control_cores import find_control_spots
from corespot.audit.indicators.masking import balanced_accuracy
from corespot.audit.indicators.negative_controls import NegativeControls
from corespot.audit.model.model_audit import ModelAudit, audit_model
from corespot.audit.model.regrouped import regrouped_scores
from corespot.audit.shares.changed_spectra import log_odds
from corespot.cohort.positions import SpotPositions
from corespot.cohort.splits import Fold, FoldSettings, make_folds
from corespot.cohort.tasks import Task, TaskSpots, select_spots
from corespot.io.store import SpectraStore
from corespot.preprocess.recipe import Recipe
from corespot.seeding import derive_seed
from corespot.synth.cohort import SyntheticCohort, SynthSettings, make_cohort
from corespot.synth.design import ORGANS
from corespot.train.crossvalidate import cross_validate
from corespot.train.estimator import where_they_lie

#: The classes that a synthetic cohort can tie to its measurement.
TASK = Task(label="organ", classes=ORGANS)
#: What the demo does to its spectra.
RECIPE = Recipe.parse(
    [
        {"step": "baseline", "method": "convolution", "width": 20},
        {"step": "normalize", "method": "tic"},
    ]
)


@dataclass(frozen=True, eq=False)
class SimulatedModel:
    """A model on a synthetic cohort: what the audit says, and what is true.

    Parameters
    ----------
    audit : ModelAudit
        The audit, which knows nothing of the counterfactual.
    balanced_accuracy : float
        On held-out TMAs, mean over folds.
    counterfactual : float
        On the cohort in which every campaign measured every class, mean over the folds' models.
    """

    audit: ModelAudit
    balanced_accuracy: float
    counterfactual: float

    @property
    def drop(self) -> float:
        """What the model owes to the tie between class and measurement."""
        return self.balanced_accuracy - self.counterfactual

    def record(self, cohort: Mapping[str, Any], seed: int) -> Record:
        """What is kept of it for lines and error rates."""
        return Record(
            seed, cohort, self.audit.model, self.balanced_accuracy, self.drop, self.audit.readings
        )


def simulated_store(
    cohort: SyntheticCohort, recipe: Recipe = RECIPE, *, scale: float = 1.0
) -> SpectraStore:
    """Measure and preprocess a synthetic cohort in memory; intensities are times `scale`."""
    parts = []
    for measured, tissue in zip(cohort.measurements(), cohort.tissues, strict=True):
        keep = tissue.core >= 0
        spectra = np.concatenate(
            [recipe.apply(block, cohort.axis, cohort.axis) for block in measured.blocks]
        )
        parts.append(spectra[keep])
    spots = cohort.spots.merge(cohort.cores, on="core", how="left", validate="m:1")
    spots["spectrum"] = np.arange(len(spots))
    spectra = np.concatenate(parts) * np.float32(scale)
    return SpectraStore(Path(), spectra, cohort.axis, spots, {"scale": scale})


def audit_simulated(
    settings: SynthSettings,
    seed: int,
    models: Mapping[str, Mapping[str, Any]],
    *,
    folds: FoldSettings | None = None,
    patient_folds: int | None = None,
    recipe: Recipe = RECIPE,
    scale: float = 1.0,
    n_bootstrap: int = 0,
    device: str = "cpu",
) -> dict[str, SimulatedModel]:
    """Train models on a synthetic cohort with TMAs held out, audit them, and find the truth.

    Parameters
    ----------
    settings : SynthSettings
        The cohort; its counterfactual follows from it.
    seed : int
        Seed of the cohort, the folds and the fits.
    models : mapping of str to mapping
        Settings of every model to be trained.
    folds : FoldSettings, optional
        What is held out together, and in how many folds; the seed is the cohort's. Four folds of
        TMAs unless given.
    patient_folds : int, optional
        Folds that hold out patients; as many as those of TMAs unless given.
    recipe : Recipe
        Preprocessing.
    scale : float
        What preprocessed intensities are multiplied by, as in a store.
    n_bootstrap : int
        Draws behind intervals.
    device : str
        Where networks are trained.
    """
    wanted = folds or FoldSettings.parse({"group": "tma", "k": 4}, "folds")
    store = simulated_store(make_cohort(settings, seed), recipe, scale=scale)
    task = select_spots(store.spots, "organ", TASK)
    dealt = make_folds(task, wanted.model_copy(update={"seed": seed, "repeats": 1}))
    broken = simulated_store(make_cohort(settings.as_counterfactual(), seed), recipe, scale=scale)
    target = select_spots(broken.spots, "organ", TASK)
    known: dict[int, NegativeControls] = {}
    found: dict[str, SimulatedModel] = {}
    for model, values in models.items():
        fits: dict[int, Any] = {}
        own, other = [], []
        fit_seed = derive_seed(seed, model) % 2**31
        for result in cross_validate(
            store, task, dealt, model=model, settings=values, seed=fit_seed, device=device
        ):
            fits[result.fold.index] = result.estimator
            y = task.y[np.searchsorted(task.rows, result.fold.test_rows)]
            own.append(balanced_accuracy(y, result.probabilities.argmax(axis=1)))
            other.append(_accuracy(result.estimator, broken, target, model))

        audit = audit_model(
            store,
            task,
            dealt,
            _of_fold(fits),
            model=model,
            regrouped=regrouped_scores(
                store,
                task,
                model=model,
                settings=values,
                k=patient_folds or wanted.k,
                seed=fit_seed,
                device=device,
            ),
            control_rows=np.flatnonzero(find_control_spots(store.spots)).astype(np.int64),
            negative=_of_fold(known),
            n_bootstrap=n_bootstrap,
            seed=seed,
        )
        known |= {index: fold.controls for index, fold in enumerate(audit.folds)}
        found[model] = SimulatedModel(audit, float(np.mean(own)), float(np.mean(other)))
    return found


def _of_fold(values: Mapping[int, Any]) -> Callable[[Fold], Any]:
    return lambda fold: values.get(fold.index)


def _accuracy(estimator: Any, store: SpectraStore, task: TaskSpots, model: str) -> float:
    places = where_they_lie(model, SpotPositions.of(task.spots))
    scores = log_odds(estimator, store.take(task.rows), task.classes, places=places)
    return balanced_accuracy(task.y, scores.argmax(axis=1))
