"""Read what the audit stage left of one model on one task."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from corespot.audit.applicable import NotApplicable
from corespot.audit.calibration.thresholds import LINES, ErrorRates, Thresholds
from corespot.audit.model.stored import FORMAT_VERSION
from corespot.audit.verdict.readings import MEANINGS, Readings
from corespot.audit.verdict.verdict import VERDICTS, Finding
from corespot.axis import MzAxis
from corespot.errors import StoreError
from corespot.io.artifacts import read_json, read_table
from corespot.report.audit_records import (
    ControlCores,
    FoldAccuracies,
    Leakage,
    SecondCohort,
    SharesOfClass,
    WindowOverlap,
    interval_of,
)
from corespot.report.audit_shown import AuditView
from corespot.report.tables import natural

#: Files of an audit; the window table is there where it applies.
AUDIT_FILE, PATIENTS_FILE, SPECTRUM_FILE = "audit.json", "patients.parquet", "spectrum.parquet"
LAYOUT_FILE, WINDOWS_FILE = "label_by_tma.csv", "windows.csv"
_WINDOW_COLUMNS = ("mz_low", "mz_high", "label_share", "tma_share", "is_label_top", "is_tma_top")


def read_audit(folder: Path) -> AuditView:
    """Read what the audit stage left of one model.

    Parameters
    ----------
    folder : Path
        ``data/audit/<task>/<model>``.

    Raises
    ------
    StoreError
        If a file is missing, or does not hold what it should.
    """
    path = folder / AUDIT_FILE
    plain = read_json(path)
    if not isinstance(plain, Mapping) or plain.get("format_version") != FORMAT_VERSION:
        raise StoreError(
            f"{path} is no audit of format {FORMAT_VERSION}; run `dvc repro` again to audit this "
            "model"
        )
    try:
        return _view(folder, plain)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        what = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise StoreError(
            f"{path} is damaged ({what}); run `dvc repro` again to audit this model"
        ) from None


def _view(folder: Path, plain: Mapping[str, Any]) -> AuditView:
    classes = tuple(str(name) for name in plain["classes"])
    if plain["verdict"] not in VERDICTS:
        raise ValueError(f"{plain['verdict']!r} is no verdict; expected one of {VERDICTS}")
    scores = [f"{kind}_{name}" for kind in ("score", "regrouped") for name in classes]
    profile = [f"sensitivity_{name}" for name in classes]
    windows = folder / WINDOWS_FILE
    by_class = plain["control_cores"].get("by_class", plain["control_cores"])
    advice = plain.get("recommended", {})
    return AuditView(
        task=str(plain["task"]),
        model=str(plain["model"]),
        run_id=str(plain["run_id"]),
        classes=classes,
        verdict=plain["verdict"],
        sentence=str(plain["sentence"]),
        limitation=str(plain["limitation"]),
        findings=tuple(
            Finding(str(one["indicator"]), float(one["value"]), float(one["threshold"]))
            for one in plain["findings"]
        ),
        by_counterfactual=bool(plain["by_counterfactual"]),
        thresholds=_thresholds(plain["thresholds"]),
        error_rates=_error_rates(plain["error_rates"]),
        readings=_readings(plain),
        tie_p=None if plain["V_p"] is None else float(plain["V_p"]),
        nested=bool(plain["nested"]),
        shares={name: _or_not(SharesOfClass, plain["share"]["by_class"][name]) for name in classes},
        leakage={name: _or_not(Leakage, one) for name, one in plain["leakage"].items()},
        folds=tuple(
            FoldAccuracies.of(controls, float(accuracy))
            for controls, accuracy in zip(
                plain["negative_controls"], plain["balanced_accuracy_by_fold"], strict=True
            )
        ),
        control_cores=_or_not(ControlCores, by_class),
        overlap=_or_not(WindowOverlap, plain["shared_windows"]),
        second_cohort=_or_not(SecondCohort, plain["counterfactual"]),
        patients=_table(folder / PATIENTS_FILE, ("patient", "tma", "class", *scores)),
        spectrum=_spectrum(
            folder / SPECTRUM_FILE, ("mz", "mean", "is_peak", "is_non_peptide", *profile)
        ),
        windows=_table(windows, _WINDOW_COLUMNS) if windows.is_file() else None,
        label_by_tma=_layout(folder / LAYOUT_FILE, classes),
        ways_out=tuple((str(one["way"]), str(one["why"])) for one in advice.get("ways", ())),
        design=tuple(str(one) for one in advice.get("design", ())),
    )


def _or_not(record: Any, plain: Mapping[str, Any]) -> Any:
    if "not_applicable" in plain:
        return NotApplicable(str(plain["not_applicable"]))
    return record.of(plain)


def _thresholds(plain: Mapping[str, Any]) -> Thresholds:
    return Thresholds(
        {name: float(plain[name]) for name in LINES},
        str(plain["calibrated_on"]),
        bool(plain["is_own"]),
        int(plain["n_clean"]),
        str(plain["source"]),
    )


def _error_rates(plain: Mapping[str, Any] | None) -> ErrorRates | None:
    if plain is None:
        return None
    interval = interval_of(plain["interval"])
    assert interval is not None
    return ErrorRates(int(plain["n"]), float(plain["reliant"]), interval)


def _readings(plain: Mapping[str, Any]) -> Readings:
    """Every indicator; what was not looked at says why as far as that is known."""
    found = Readings.of(plain["readings"], plain["not_applicable"])
    besides = {
        **dict.fromkeys(("control_share", "control_p"), plain["control_cores"]),
        **{name: plain["counterfactual"] for name in MEANINGS if name.startswith("counterfactual")},
        "shared_windows": plain["shared_windows"],
    }
    unknown = {
        name: NotApplicable(str(besides[name]["not_applicable"]))
        for name in besides
        if name not in found.values and "not_applicable" in besides[name]
    }
    return Readings({**found.values, **unknown})


def _table(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    table = read_table(path)
    missing = [name for name in columns if name not in table]
    if missing:
        raise StoreError(
            f"{path} has no column {missing[0]!r}; run `dvc repro` again to audit this model"
        )
    if table.empty:
        raise StoreError(f"{path} has no row; run `dvc repro` again to audit this model")
    return table


def _spectrum(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    table = _table(path, columns)
    MzAxis(table["mz"].to_numpy(float))  # says what is wrong with it
    return table


def _layout(path: Path, classes: tuple[str, ...]) -> pd.DataFrame:
    """Patients, classes as rows and TMAs as columns, ``TMA2`` before ``TMA10``."""
    table = _table(path, ("tma", *classes))
    # Read as text, so that a TMA named 007 stays one.
    names = pd.read_csv(path, dtype=str, keep_default_na=False, usecols=["tma"])["tma"]
    counts = table[list(classes)].set_axis(names, axis=0).T.astype(int)
    order = sorted((str(name) for name in names), key=natural)
    counts = counts[order]
    counts.index.name, counts.columns.name = "class", "tma"
    return counts
