"""How well whole patches are classified, and the cores and slides that they vote for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.errors import StoreError
from corespot.evaluate.aggregate import Units, aggregate, cores_and_patients
from corespot.evaluate.checks import check_values
from corespot.evaluate.summary import evaluate_level
from corespot.seeding import generator

Ints = npt.NDArray[np.int64]


def evaluate_patches(
    patches: pd.DataFrame,
    spots: pd.DataFrame,
    classes: Sequence[str],
    *,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Evaluate out-of-fold predictions of patches on patches, cores and slides.

    Cores and slides are decided by the majority of their patches; a tie goes to the tied class of
    higher mean probability. A slide is an imzML file (the TMA where no file is named).

    Parameters
    ----------
    patches : DataFrame
        One line a patch and repeat: ``row`` (any of its spots), ``repeat``, ``fold``, ``n_spots``,
        ``y`` (class of most of its spots) and one ``prob_<class>`` a class.
    spots : DataFrame
        Spot table of the store, with ``core``, ``patient`` and ``file`` or ``tma``.
    classes : sequence of str
        Class names in the order of `y`.
    n_bootstrap : int
        Resamples behind the intervals; 0 leaves them out.
    seed : int
        Seed of the resampling.

    Returns
    -------
    dict
        ``patch``, ``core`` and ``slide``, each as a level of `evaluate_predictions` is;
        ``median_spots`` of a patch. Where slides have no class of their own, ``slide`` is
        ``{"applicable": False, "reason": ...}``.

    Raises
    ------
    StoreError
        If the table is empty or incomplete, of another store, or holds no probabilities.

    References
    ----------
    Lee & Lee, "Spatial-spectral integrative 3D convolutional neural network for MSI-based cancer
    diagnosis": accuracy of patches and of slides.
    """
    names = tuple(classes)
    units, here = _patch_units(patches, spots, names)
    repeats = np.unique(units.repeat).tolist()

    def evaluated(level: Units) -> dict[str, Any]:
        return evaluate_level(level, names, repeats, n_bootstrap, generator(seed, "bootstrap"))

    slide = _slide_names(here)
    reason = _without_slides(slide, units.y, names)
    by_slide: dict[str, Any] = {"applicable": False, "reason": reason}
    if not reason:
        by_slide = {"applicable": True, **evaluated(_slide_units(units, slide))}
    return {
        "patch": evaluated(units),
        "core": evaluated(aggregate(units, "core", "majority")),
        "slide": by_slide,
        "median_spots": float(np.median(units.n_spots)),
    }


def _patch_units(
    patches: pd.DataFrame, spots: pd.DataFrame, names: tuple[str, ...]
) -> tuple[Units, pd.DataFrame]:
    """Patches as units of decision, and the line of the spot table of each."""
    wanted = ["row", "repeat", "fold", "y", "n_spots", *(f"prob_{name}" for name in names)]
    for table, where, columns in (
        (patches, "patch table", wanted),
        (spots, "spot table", ["core", "patient"]),
    ):
        missing = [column for column in columns if column not in table.columns]
        if missing:
            raise StoreError(f"the {where} lacks the column {missing[0]!r}")
    if len(patches) == 0:
        raise StoreError("there are no patches to evaluate")
    table = patches.sort_values(["repeat", "fold", "row"], kind="stable")
    row, repeat, fold, y, n_spots = (table[name].to_numpy(np.int64) for name in wanted[:5])
    probability = table[wanted[5:]].to_numpy(np.float64)
    check_values(row, y, probability, len(spots))
    here = spots.iloc[row]
    core, patient = cores_and_patients(here)
    units = Units(
        repeat=repeat,
        fold=fold,
        core=core,
        patient=patient,
        y=y,
        predicted=probability.argmax(axis=1).astype(np.int64),
        probability=probability,
        n_spots=n_spots,
        mixed=np.zeros(len(row), dtype=bool),
    )
    return units, here


def _slide_names(here: pd.DataFrame) -> npt.NDArray[np.str_]:
    """Slide of each patch: its file, or its TMA where no file is named."""
    for column in ("file", "tma"):
        if column in here:
            names = here[column].fillna("").astype(str).to_numpy(dtype=str)
            if np.all(names != ""):
                return names
    return np.full(len(here), "", dtype=str)


def _without_slides(slide: npt.NDArray[np.str_], y: Ints, names: Sequence[str]) -> str:
    """Why slides cannot be judged; empty where they can."""
    if np.any(slide == ""):
        return "neither a file nor a TMA is named for every spot"
    held = pd.DataFrame({"slide": slide, "y": y}).drop_duplicates()
    classes_of = held.groupby("slide")["y"].nunique()
    if (classes_of > 1).any():
        mixed = classes_of.index[classes_of > 1]
        return (
            f"slides hold patches of several classes ({len(mixed)} of {len(classes_of)}, among "
            f"them {mixed[0]}): no class is true of a slide"
        )
    slides_of = held.groupby("y")["slide"].nunique().reindex(range(len(names)), fill_value=0)
    few = [index for index in range(len(names)) if slides_of[index] < 2]
    if few:
        return (
            f"class {names[few[0]]} is on {slides_of[few[0]]} "
            f"slide{'' if slides_of[few[0]] == 1 else 's'}; at least two slides of every class "
            "are needed"
        )
    return ""


def _slide_units(units: Units, slide: npt.NDArray[np.str_]) -> Units:
    """Slides by the majority of their patches; what is resampled are slides.

    Slides that share a patient are resampled together.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    _, number = np.unique(slide, return_inverse=True)
    n_slides, n_patients = int(number.max()) + 1, int(units.patient.max()) + 1
    shape = (n_slides + n_patients,) * 2
    shared = coo_matrix((np.ones(len(number)), (number, n_slides + units.patient)), shape=shape)
    _, component = connected_components(shared, directed=False)
    cluster = component[number].astype(np.int64)
    by_slide = replace(units, core=number.astype(np.int64), patient=cluster)
    return aggregate(by_slide, "core", "majority")
