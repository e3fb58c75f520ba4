"""The steps whose memory is measured, each run in a process of its own.

    python -m benchmarks.memory.steps STEP FOLDER

FOLDER holds ``cohort`` (of `write_large_cohort`) and ``store``. The step waits for a line on
standard input before it starts, so that what its imports take is known.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.memory.large_cohort import TASK

from corespot.audit.model.fold_audit import audit_fold
from corespot.audit.model.regrouped import regrouped_scores
from corespot.cohort.splits import FoldSettings, FoldTable, make_folds
from corespot.cohort.tasks import TaskSpots, select_spots
from corespot.explain.sensitivity import sensitivity_profile
from corespot.io.check import check_cohort
from corespot.io.cohort_folder import load_cohort
from corespot.io.preprocessed import preprocess_cohort
from corespot.io.store import SpectraStore
from corespot.mitigate.crossvalidate import cross_validate_mitigated
from corespot.mitigate.requested import make_ways
from corespot.models.bin_auc import bin_auc
from corespot.preprocess.recipe import PreprocessSettings
from corespot.train.crossvalidate import cross_validate
from corespot.train.estimator import make_estimator
from corespot.tune.score import score_inner_fold
from corespot.tune.settings import InnerSettings
from corespot.tune.training_part import split_again, take_training_part

#: Spots that models are fitted on where the step is not the fit.
_FITTED_ON = 512
_RECIPE = [
    {"step": "baseline", "method": "convolution", "width": 20},
    {"step": "normalize", "method": "tic"},
]
_SETTINGS: dict[str, dict[str, Any]] = {
    "roc_lda": {"k": 10},
    "logistic": {"max_iterations": 50},
    "isotopenet": {"epochs": 1, "batch_size": 32},
}


def check(folder: Path) -> Callable[[], object]:
    """``corespot cohort check``, checksums included."""
    return lambda: check_cohort(folder / "cohort", tasks={"T": TASK})


def preprocess(folder: Path) -> Callable[[], object]:
    """imzML to store, with the quality tables."""
    settings = PreprocessSettings.parse({"recipe": _RECIPE, "data_kind": "profile"}, "benchmark")
    cohort = load_cohort(folder / "cohort")
    return lambda: preprocess_cohort(
        folder / "cohort", folder / "store", cohort=cohort, settings=settings, progress=None
    )


def predict(folder: Path, model: str) -> Callable[[], object]:
    """Probabilities of every spot by a fitted model."""
    store, _, _ = _opened(folder)
    estimator = _fitted(folder, model)
    return lambda: estimator.predict_proba(store.spectra)


def auc(folder: Path) -> Callable[[], object]:
    """The AUC of every bin over all spots."""
    store, task, _ = _opened(folder)
    return lambda: bin_auc(store.spectra, task.y, 2)


def fit(folder: Path, model: str) -> Callable[[], object]:
    """One fit on all spots, from the memory map."""
    store, task, _ = _opened(folder)
    estimator = make_estimator(model, _SETTINGS[model], seed=0, device="cpu")
    return lambda: estimator.fit(store.spectra, np.asarray(task.classes)[task.y])


def folds(folder: Path, model: str) -> Callable[[], object]:
    """Two-fold cross-validation, as the stage ``train`` does it."""
    store, task, table = _opened(folder)
    return lambda: [
        len(result.probabilities)
        for result in cross_validate(
            store, task, table, model=model, settings=_SETTINGS[model], seed=0, device="cpu"
        )
    ]


def tune(folder: Path, model: str) -> Callable[[], object]:
    """One trial of a study: the digest of its training part, and two inner folds."""
    store, task, table = _opened(folder)
    part = take_training_part(store, task, next(iter(table)), table.grouping)
    inner = split_again(part, InnerSettings(k=2, repeats=1), 0)
    return lambda: [
        part.digest,
        *[
            score_inner_fold(part, one, model=model, settings=_SETTINGS[model], seed=0)
            for one in inner.folds
        ],
    ]


def mitigate(folder: Path, model: str) -> Callable[[], object]:
    """Two-fold cross-validation with bins between peaks masked."""
    store, task, table = _opened(folder)
    ways = make_ways("mask_off_peak", model=model)
    return lambda: [
        len(result.probabilities)
        for result in cross_validate_mitigated(
            store, task, table, model=model, settings=_SETTINGS[model], ways=ways, seed=0
        )
    ]


def regroup(folder: Path, model: str) -> Callable[[], object]:
    """The model again with patients held out, as the stage ``regroup`` does it."""
    store, task, _ = _opened(folder)
    return lambda: regrouped_scores(
        store, task, model=model, settings=_SETTINGS[model], k=2, seed=0, device="cpu"
    )


def sensitivity(folder: Path, model: str) -> Callable[[], object]:
    """Sensitivity profile over all spots."""
    store, task, _ = _opened(folder)
    estimator = _fitted(folder, model)
    return lambda: sensitivity_profile(
        estimator, store.spectra, axis=store.axis, classes=task.classes
    )


def audit(folder: Path, model: str) -> Callable[[], object]:
    """The audit of one fold."""
    store, task, table = _opened(folder)
    estimator = _fitted(folder, model)
    fold = next(iter(table))
    return lambda: audit_fold(store, task, fold, estimator, model=model, n_bootstrap=100)


def _opened(folder: Path) -> tuple[SpectraStore, TaskSpots, FoldTable]:
    store = SpectraStore.open(folder / "store")
    task = select_spots(store.spots, "T", TASK)
    settings = FoldSettings.parse({"group": "tma", "k": 2, "repeats": 1, "seed": 1}, "folds")
    return store, task, make_folds(task, settings)


def _fitted(folder: Path, model: str) -> Any:
    store, task, _ = _opened(folder)
    chosen = np.unique(np.linspace(0, len(task) - 1, _FITTED_ON).astype(np.int64))
    estimator = make_estimator(model, _SETTINGS[model], seed=0, device="cpu")
    return estimator.fit(store.take(chosen), np.asarray(task.classes)[task.y[chosen]])


STEPS: dict[str, Callable[[Path], Callable[[], object]]] = {
    "check": check,
    "preprocess": preprocess,
    "bin_auc": auc,
    "predict roc_lda": lambda folder: predict(folder, "roc_lda"),
    "predict logistic": lambda folder: predict(folder, "logistic"),
    "predict isotopenet": lambda folder: predict(folder, "isotopenet"),
    "fit roc_lda": lambda folder: fit(folder, "roc_lda"),
    "fit logistic": lambda folder: fit(folder, "logistic"),
    "train roc_lda": lambda folder: folds(folder, "roc_lda"),
    "tune roc_lda": lambda folder: tune(folder, "roc_lda"),
    "mitigate roc_lda": lambda folder: mitigate(folder, "roc_lda"),
    "regroup roc_lda": lambda folder: regroup(folder, "roc_lda"),
    "sensitivity roc_lda": lambda folder: sensitivity(folder, "roc_lda"),
    "sensitivity isotopenet": lambda folder: sensitivity(folder, "isotopenet"),
    "audit roc_lda": lambda folder: audit(folder, "roc_lda"),
    "audit isotopenet": lambda folder: audit(folder, "isotopenet"),
}


def main(step: str, folder: Path) -> None:
    """Get ready, wait for the word, work, say how long it took."""
    warnings.simplefilter("ignore")
    work = STEPS[step](folder)
    print(json.dumps("ready"), flush=True)
    sys.stdin.readline()
    started = time.perf_counter()
    work()
    print(json.dumps({"seconds": time.perf_counter() - started}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
