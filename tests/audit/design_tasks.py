"""Tasks whose design is known: synthetic cohorts, and tables written out core by core."""

from __future__ import annotations

import numpy as np
import pandas as pd

from corespot.cohort.tasks import Task, TaskSpots, select_spots
from corespot.synth.cohort import SynthSettings, make_cohort
from corespot.synth.presets import preset

LABELS = {"organ", "subtype"}
LP = Task(label="organ", classes=("lung", "pancreas"))
ADSQ = Task(label="subtype", classes=("AD", "SQ"))


def synthetic(design: str, name: str = "tiny") -> pd.DataFrame:
    settings = preset(name)
    assert isinstance(settings, SynthSettings)
    design_settings = settings.design.model_copy(update={"name": design})
    cohort = make_cohort(settings.model_copy(update={"design": design_settings}), 3)
    spots = cohort.spots.merge(cohort.cores, on="core")
    return spots.assign(spectrum=spots.groupby("file").cumcount())


def table(
    labels: str, tmas: list[str], *, spots_each: int = 6, **columns: list[object]
) -> TaskSpots:
    """A patient with one core for each letter of `labels`, and metadata."""
    classes = tuple(sorted(set(labels)))
    n = len(labels)
    cores = pd.DataFrame(
        {
            "file": [f"{tma}.imzML" for tma in tmas],
            "core": [f"c{at:02d}" for at in range(n)],
            "tma": tmas,
            "patient": [f"P{at:02d}" for at in range(n)],
            "label": list(labels),
            **columns,
        }
    )
    spots = cores.loc[np.repeat(np.arange(n), spots_each)].reset_index(drop=True)
    at, place = np.arange(len(spots)) % spots_each, np.arange(len(spots)) // spots_each
    spots["x"] = 1 + 10 * (place % 4) + at % 3
    spots["y"] = 1 + 10 * (place // 4) + at // 3
    spots["spectrum"] = spots.groupby("file").cumcount()
    return select_spots(spots, "task", Task(label="label", classes=classes))
