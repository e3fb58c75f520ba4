"""Time and memory of one audit at paper scale: 27,000 spectra, 27,286 bins, four folds.

    python benchmarks/audit/cost.py isotopenet --folder data/audit-cost

The cohort is made once and kept. Models are fitted on few spots, which the audit's cost does not
depend on; it is then timed as the stage runs it, intervals and shared windows included.
"""

from __future__ import annotations

import argparse
import resource
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from corespot.audit.calibration.simulated_cohort import RECIPE, TASK
from corespot.audit.indicators.negative_controls import deal_spots
from corespot.audit.indicators.tma_sensitivity import tma_sensitivity
from corespot.audit.model.model_audit import audit_model
from corespot.cohort.groups import unit_ids
from corespot.cohort.splits import Fold, FoldSettings, make_folds
from corespot.cohort.tasks import TaskSpots, select_spots
from corespot.io.store import SpectraStore, create_store
from corespot.seeding import generator
from corespot.synth.cohort import make_cohort
from corespot.synth.presets import preset
from corespot.train.estimator import make_estimator

_FITTED_ON = 256


def paper_store(folder: Path) -> SpectraStore:
    """The cohort at paper scale, preprocessed; made once."""
    if not (folder / "store.json").is_file():
        cohort = make_cohort(preset("paper"), 1)
        spots = cohort.spots.merge(cohort.cores, on="core", how="left", validate="m:1")
        spots["spectrum"] = np.arange(len(spots))
        with create_store(folder, spots=spots, axis=cohort.axis, meta={}) as store:
            at = 0
            for measured, tissue in zip(cohort.measurements(), cohort.tissues, strict=True):
                seen = 0
                for block in measured.blocks:
                    keep = tissue.core[seen : seen + len(block)] >= 0
                    seen += len(block)
                    done = RECIPE.apply(block, cohort.axis, cohort.axis)[keep]
                    store.write(slice(at, at + len(done)), done)
                    at += len(done)
    return SpectraStore.open(folder)


def fit(model: str, store: SpectraStore, task: TaskSpots, fold: Fold) -> Any:
    """A model of a fold, fitted on few spots."""
    patients = unit_ids(task.spots, "patient")
    at = np.searchsorted(task.rows, fold.train_rows)
    chosen = np.sort(deal_spots(at, patients[at], _FITTED_ON, generator(0, "cost", fold.index)))
    settings = {"epochs": 1, "batch_size": 32} if model not in ("roc_lda", "logistic") else {}
    labels = np.asarray(task.classes)[task.y[chosen]]
    estimator = make_estimator(model, settings, seed=0, device="cpu")
    return estimator.fit(store.take(task.rows[chosen]), labels, groups=patients[chosen])


def main() -> None:
    """Print seconds and the largest memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--folder", type=Path, default=Path("data/audit-cost"))
    wanted = parser.parse_args()
    warnings.simplefilter("ignore")
    store = paper_store(wanted.folder)
    task = select_spots(store.spots, "organ", TASK)
    settings = {"group": "tma", "k": 4, "repeats": 1, "seed": 1}
    folds = make_folds(task, FoldSettings.parse(settings, "folds"))
    fitted = {fold.index: fit(wanted.model, store, task, fold) for fold in folds}
    print(f"{len(task)} spots, {store.axis.n_bins} bins, {len(fitted)} folds: models are there")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started, cpu = time.perf_counter(), time.process_time()
    audit = audit_model(store, task, folds, lambda fold: fitted[fold.index], model=wanted.model)
    tma_sensitivity(
        store.spectra,
        task.y,
        task.group_of("tma"),
        unit_ids(task.spots, "patient"),
        rows=task.rows,
    )
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{wanted.model}: {seconds:.0f} s ({cpu:.0f} s of processor time)")
    print(f"largest resident memory {peak / 1e6:.2f} GB, before the audit {before / 1e6:.2f} GB")
    print({name: value for name, value in audit.readings.as_dict().items() if value is not None})


if __name__ == "__main__":
    main()
