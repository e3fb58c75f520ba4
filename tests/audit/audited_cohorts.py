"""Small cohorts in memory whose classes differ by a marker, by the measurement, or by both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.audit.applicable import NotApplicable
from corespot.audit.calibration.thresholds import ErrorRates, Thresholds
from corespot.audit.design.class_layout import ClassLayout
from corespot.audit.model.model_audit import ModelAudit, audit_model
from corespot.audit.model.regrouped import RegroupedScores
from corespot.audit.model.result import AuditResult, judged
from corespot.audit.model.scored_rows import SecondCohort
from corespot.audit.verdict.readings import Reading
from corespot.axis import MzAxis
from corespot.cohort.splits import Fold, FoldSettings, FoldTable, make_folds
from corespot.cohort.tasks import Task, TaskSpots, select_spots
from corespot.io.store import SpectraStore
from corespot.train.crossvalidate import cross_validate

#: Two bins a peak; long enough for windows of 10 Da.
AXIS = MzAxis.equidistant(1000.0, 1100.0, 1000)
#: Shorter, for models that take their time.
SHORT = MzAxis.equidistant(1000.0, 1030.0, 300)
NOT = NotApplicable("no reason")
LINES = {"artifact_share": 0.2, "non_peptide": 0.1, "control_share": 0.4}
RATES = {
    "confounded": ErrorRates(50, 0.9, (0.8, 0.96)),
    "not_excluded": ErrorRates(40, 0.02, (0.0, 0.1)),
}
THRESHOLDS = Thresholds(LINES, "roc_lda", True, 60, "calibration.json: a command", RATES)


def spot_table(
    tmas: Mapping[str, Sequence[str]],
    *,
    n_spots: int = 4,
    n_cores: int = 1,
    controls: Sequence[str] = (),
    control_patient: str = "control",
) -> pd.DataFrame:
    """Spots of patients whose classes are listed by TMA; `controls` name TMAs with a control core.

    `control_patient` may hold ``{tma}``, so that every TMA has a control tissue of its own.
    """
    rows = []
    for tma, classes in tmas.items():
        cores = [
            (f"{tma}-P{at:02d}-c{core}", f"{tma}-P{at:02d}", label, 0)
            for at, label in enumerate(classes)
            for core in range(n_cores)
        ]
        if tma in controls:
            cores += [
                (f"{tma}-K{core}", control_patient.format(tma=tma), "", 1) for core in range(2)
            ]
        for place, (core, patient, label, control) in enumerate(cores):
            named = {"core": core, "tma": tma, "patient": patient, "label": label}
            rows += [
                {
                    **{"file": f"{tma}.imzML", "control": control, **named},
                    **{"x": 1 + 10 * place + spot % 3, "y": 1 + spot // 3},
                }
                for spot in range(n_spots)
            ]
    table = pd.DataFrame(rows)
    return table.assign(spectrum=table.groupby("file").cumcount())


def store_of(
    spots: pd.DataFrame,
    *,
    marker: float = 0.0,
    baseline: Mapping[str, float] | None = None,
    noise: float = 0.05,
    axis: MzAxis = AXIS,
    seed: int = 0,
) -> SpectraStore:
    """Spectra in which every class has markers of its own, and TMAs a baseline of their own.

    Parameters
    ----------
    marker
        Log factor of a class's own three peaks.
    baseline
        Height by TMA, in units of a usual peak; .05 where it is not named.
    noise
        Standard deviation of patients' peaks on a log scale, and a tenth of it of every bin.
    """
    rng = np.random.default_rng(seed)
    nominal = np.arange(1004, 1098, 3)
    centres = nominal * 1.000495 + 1.00728
    shapes = np.exp(-0.5 * ((axis.mz - centres[:, None]) / 0.1) ** 2)
    n = len(spots)
    names, patient = np.unique(spots["core"], return_inverse=True)
    heights = np.exp(noise * rng.normal(size=(len(names), len(nominal))))[patient]
    heights = heights * np.exp(noise * rng.normal(size=(n, len(nominal))))
    labels = sorted(set(spots["label"]) - {""})
    for k, label in enumerate(labels):
        own = (spots["label"] == label).to_numpy()
        heights[np.ix_(own, np.arange(3 * k, 3 * k + 3) % len(nominal))] *= np.exp(marker)
    level = spots["tma"].map(baseline or {}).fillna(0.05).to_numpy(dtype=float)
    spectra = heights @ shapes + level[:, None]
    spectra += 0.1 * noise * rng.random((n, axis.n_bins))
    spectra /= spectra.sum(axis=1, keepdims=True)
    return SpectraStore(Path(), spectra.astype(np.float32), axis, spots, {"scale": 1.0})


def task_of(store: SpectraStore, name: str = "task") -> TaskSpots:
    classes = tuple(sorted(set(store.spots["label"]) - {""}))
    return select_spots(store.spots, name, Task(label="label", classes=classes))


def folds_of(task: TaskSpots, *, group: str = "tma", k: int = 2, repeats: int = 1) -> FoldTable:
    settings = {"group": group, "k": k, "repeats": repeats, "seed": 1}
    return make_folds(task, FoldSettings.parse(settings, "folds"))


def fits(
    store: SpectraStore,
    task: TaskSpots,
    folds: FoldTable,
    model: str = "roc_lda",
    settings: Mapping[str, Any] | None = None,
) -> dict[tuple[int, int], Any]:
    """Estimator by repeat and fold."""
    if settings is None:
        settings = {"k": 5} if model == "roc_lda" else {}
    results = cross_validate(
        store, task, folds, model=model, settings=settings, seed=1, device="cpu"
    )
    return {(one.fold.repeat, one.fold.index): one.estimator for one in results}


def audited(
    store: SpectraStore,
    *,
    model: str = "roc_lda",
    settings: Mapping[str, Any] | None = None,
    group: str = "tma",
    k: int = 2,
    repeats: int = 1,
    seed: int = 0,
    n_bootstrap: int = 50,
    regrouped: RegroupedScores | NotApplicable = NOT,
    control_rows: npt.NDArray[np.int64] | NotApplicable = NOT,
    second: SecondCohort | None = None,
) -> ModelAudit:
    """Train with TMAs held out, and audit."""
    task = task_of(store)
    folds = folds_of(task, group=group, k=k, repeats=repeats)
    fitted = fits(store, task, folds, model, settings)

    def load(fold: Fold) -> Any:
        return fitted[fold.repeat, fold.index]

    return audit_model(
        store,
        task,
        folds,
        load,
        model=model,
        regrouped=regrouped,
        control_rows=control_rows,
        second=second,
        n_bootstrap=n_bootstrap,
        seed=seed,
    )


def result_of(audit: ModelAudit, *, axis: MzAxis = AXIS, **further: Reading) -> AuditResult:
    """The verdict on an audit, with nothing measured besides."""
    return judged(
        audit,
        THRESHOLDS,
        ClassLayout.of(audit.task),
        axis=axis,
        tma=NOT,
        shared_windows=NOT,
        counterfactual=NOT,
        accuracies=[fold.balanced_accuracy for fold in audit.folds],
        further=further,
    )


def nested(n_tmas: int = 4, n_patients: int = 4, classes: str = "ab") -> dict[str, list[str]]:
    """TMAs that hold one class each, in turn."""
    return {f"T{at}": [classes[at % len(classes)]] * n_patients for at in range(n_tmas)}


def mixed(n_tmas: int = 4, n_patients: int = 4, classes: str = "ab") -> dict[str, list[str]]:
    """TMAs that hold all classes."""
    return {
        f"T{at}": [classes[p % len(classes)] for p in range(n_patients)] for at in range(n_tmas)
    }
