"""Synthetic fits for a study: which are wanted, which are there, and how one is made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corespot.audit.calibration.record import Record, read_records
from corespot.audit.calibration.simulated_cohort import audit_simulated
from corespot.audit.calibration.study_cohorts import draw_study_cohort
from corespot.audit.calibration.study_layout import (
    SPOTS_PER_PATIENT,
    SPOTS_PER_PATIENT_OF_IMAGES,
    StudyLayout,
)
from corespot.cohort.splits import FoldSettings
from corespot.errors import AuditError
from corespot.models.registry import entry
from corespot.preprocess.recipe import Recipe

#: First seed of a calibration; those of the benchmark lie elsewhere.
FIRST_SEED = 900_000


@dataclass(frozen=True)
class StudyFit:
    """A task and a model, and all that its synthetic fits depend on besides the cohort.

    Parameters
    ----------
    layout : StudyLayout
        The task's.
    model : str
        Registered name.
    settings : mapping
        Its settings.
    folds : FoldSettings
        The study's; repeats and seed do not matter.
    patient_folds : int or None
        Folds that hold out patients.
    recipe : tuple of mapping
        The study's preprocessing, step by step.
    scale : float
        What the study's store multiplies intensities by.
    spots_per_patient : int
        Spots of a synthetic patient, at most about.
    """

    layout: StudyLayout
    model: str
    settings: Mapping[str, Any]
    folds: FoldSettings
    patient_folds: int | None
    recipe: tuple[Mapping[str, Any], ...]
    scale: float = 1.0
    spots_per_patient: int = SPOTS_PER_PATIENT

    @property
    def task(self) -> str:
        """Name of the task."""
        return self.layout.task

    @property
    def n_spots(self) -> int:
        """Spots of a synthetic patient, at most about: whole cores where models look at them."""
        if entry(self.model).is_spatial:
            return max(self.spots_per_patient, SPOTS_PER_PATIENT_OF_IMAGES)
        return self.spots_per_patient

    @property
    def fingerprint(self) -> str:
        """What the fits are of: records of another layout or of other settings are not used."""
        content = {
            **self.layout.as_dict(),
            "tmas": len(self.layout.tmas),
            "model": self.model,
            "settings": dict(self.settings),
            "folds": [self.folds.group, self.folds.k, self.patient_folds],
            "recipe": list(self.recipe),
            "scale": self.scale,
            "n_spots": self.n_spots,
        }
        text = json.dumps(content, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Job:
    """One synthetic cohort and the models that are to be fitted on it."""

    seed: int
    fits: tuple[StudyFit, ...]
    device: str = "cpu"


def known_records(path: Path, fits: Sequence[StudyFit]) -> list[Record]:
    """Records of a file that are of these fits, each seed once.

    Raises
    ------
    AuditError
        If the file is damaged.
    """
    wanted = {fit.fingerprint for fit in fits}
    try:
        found = read_records(path)
    except (ValueError, KeyError, TypeError) as error:
        raise AuditError(
            f"{path} holds a line that is no record ({error}); delete the line, or the file to "
            "simulate all cohorts anew"
        ) from None
    of_these = [one for one in found if one.cohort.get("fingerprint") in wanted]
    return list({(one.cohort["fingerprint"], one.seed): one for one in of_these}.values())


def records_of(fit: StudyFit, records: Sequence[Record]) -> list[Record]:
    """Records of one task and model."""
    return [one for one in records if one.cohort["fingerprint"] == fit.fingerprint]


def missing_jobs(
    fits: Sequence[StudyFit], known: Sequence[Record], seeds: Sequence[int], device: str = "cpu"
) -> list[Job]:
    """What is still to be simulated: a job a seed and synthetic cohort, not a model.

    Models share a cohort where their layouts and preprocessing are the same.
    """
    have = {(one.cohort["fingerprint"], one.seed) for one in known}
    jobs = []
    for seed in seeds:
        together: dict[str, list[StudyFit]] = {}
        for fit in fits:
            if (fit.fingerprint, seed) not in have:
                together.setdefault(f"{fit.task}\x1f{fit.n_spots}", []).append(fit)
        jobs += [Job(seed, tuple(group), device) for group in together.values()]
    return jobs


def simulate(job: Job) -> list[Record]:
    """Make a job's cohort and its counterfactual, fit and audit its models."""
    first = job.fits[0]
    drawn = draw_study_cohort(job.seed)
    found = audit_simulated(
        drawn.settings(first.layout.settings(first.n_spots)),
        job.seed,
        {fit.model: fit.settings for fit in job.fits},
        folds=first.folds,
        patient_folds=first.patient_folds,
        recipe=Recipe.parse(first.recipe),
        scale=first.scale,
        device=job.device,
    )
    return [
        found[fit.model].record(
            {
                **drawn.as_dict(),
                "design": "study",
                "task": fit.task,
                "fingerprint": fit.fingerprint,
            },
            job.seed,
        )
        for fit in job.fits
    ]
