"""Folders of stored audits, as the audit stage leaves them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from corespot.audit.design.class_layout import ClassLayout
from corespot.audit.model.stored import FORMAT_VERSION
from corespot.io.artifacts import write_json, write_table

PARTS = ("off_peak", "gain", "calibration", "resolution", "peak", "non_peptide", "artifact")
THRESHOLDS = {
    **{"artifact_share": 0.22, "non_peptide": 0.15, "control_share": 0.2},
    **{"calibrated_on": "conv1d", "is_own": False, "n_clean": 120, "source": "c.json: command"},
}
NOT = {"not_applicable": "a <b>reason</b>"}
N_BINS, N_FOLDS, N_PATIENTS = 600, 4, 5


def write_audit(
    folder,
    *,
    classes=("AD", "SQ"),
    tmas=("TMA1", "TMA2", "TMA10"),
    verdict="confounded",
    applies=True,
    task="T",
    model="conv1d",
):
    """An audit in which everything applies, or nothing does; returns the content of its JSON."""
    content = _content(classes, verdict, applies) | {"task": task, "model": model}
    write_json(folder / "audit.json", content)
    write_table(folder / "patients.parquet", patients(classes, tmas, applies))
    write_table(folder / "spectrum.parquet", spectrum(classes, applies))
    layout = ClassLayout(
        classes, tmas, np.eye(len(tmas), len(classes), dtype=np.int64) * 5, "patient"
    )
    columns = {name: layout.counts[:, k] for k, name in enumerate(classes)}
    write_table(folder / "label_by_tma.csv", pd.DataFrame({"tma": tmas, **columns}))
    if applies:
        write_table(folder / "windows.csv", windows())
    return content


def patients(classes, tmas, applies):
    rng = np.random.default_rng(3)
    rows = []
    for tma in tmas:
        for k, name in enumerate(classes):
            for one in range(N_PATIENTS):
                scores = rng.normal(size=len(classes)) - 2.0
                scores[k] += 4.0
                row = {"patient": f"{tma}-{k}{one}<i>", "tma": tma, "class": name}
                row |= {f"score_{c}": score for c, score in zip(classes, scores, strict=True)}
                held = scores + 100.0 if applies else np.full(len(classes), np.nan)
                row |= {f"regrouped_{c}": score for c, score in zip(classes, held, strict=True)}
                rows.append(row)
    return pd.DataFrame(rows)


def spectrum(classes, applies):
    mz = np.linspace(700.0, 1300.0, N_BINS)
    at = np.arange(N_BINS)
    peak = at % 3 == 0 if applies else np.ones(N_BINS, dtype=bool)
    columns = {"mz": mz, "mean": 1.0 + (at % 7), "is_peak": peak}
    columns["is_non_peptide"] = (at % 30 == 0) & applies
    for k, name in enumerate(classes):
        columns[f"sensitivity_{name}"] = np.sin(at / 9.0 + k) * (at % 5)
    if applies:
        columns["tma_sensitivity"] = np.cos(at / 11.0)
    return pd.DataFrame(columns)


def windows():
    low = np.arange(700.0, 1300.0, 5.0)
    n = len(low)
    share = np.linspace(2.0, 0.0, n) / n
    top = np.arange(n) < 20
    return pd.DataFrame(
        {
            **{"mz_low": low, "mz_high": low + 5.0, "label_share": share},
            **{
                "tma_share": np.roll(share, 10),
                "is_label_top": top,
                "is_tma_top": np.roll(top, 10),
            },
        }
    )


def _content(classes, verdict, applies):
    shares = dict(zip(PARTS, (0.3, 0.1, 0.05, 0.02, 0.53, 0.04, 0.47), strict=True))
    missing = ("calibration", "resolution")
    of_class = {
        "shares": {part: share for part, share in shares.items() if part not in missing},
        "intervals": {
            part: None if part == "gain" else [share - 0.03, share + 0.04]
            for part, share in shares.items()
            if part not in missing
        },
        "by_fold": {
            part: [share + 0.01 * fold for fold in range(N_FOLDS)]
            for part, share in shares.items()
            if part not in missing
        },
        "missing": dict.fromkeys(missing, NOT),
        "artifact_is_complete": False,
        "whole_effect": 3.0,
    }
    leakage = {
        **{"column": "tma", "kind": "categorical", "leakage": 0.21, "p": 0.012, "exact": False},
        "by_class": {
            name: {"leakage": 0.2 + 0.01 * k, "p": 0.01} for k, name in enumerate(classes)
        },
        **{"n_arrangements": 999, "n_units": 30, "n_levels": 3, "classes_used": list(classes)},
    }
    control = {
        **{"share": 0.61, "p": 0.03, "p_two_sided": 0.06, "interval": [0.4, 0.8]},
        "by_class": dict.fromkeys(classes, 0.61),
        **{"exact": True, "n_arrangements": 70, "n_tmas": 3, "n_cores": 6},
    }
    overlap = {
        **{"n_label": 20, "n_tma": 20, "n_shared": 10, "expected": 3.3, "p": 1e-4},
        **{"beyond_chance": 0.4, "rank_correlation": 0.5, "class": classes[0]},
    }
    second = {
        **{"balanced_accuracy": 0.9, "counterfactual_balanced_accuracy": 0.65, "drop": 0.25},
        **{"interval": [0.2, 0.3], "at_least": 0.21, "drop_by_class": {}, "v": 0.0},
        **{"n_patients": 30, "n_counterfactual_patients": 12, "n_shared_patients": 0},
        "n_models": 4,
    }
    readings = {
        **{"V": 0.8, "balanced_accuracy": 0.9, "artifact_share": 0.47, "off_peak": 0.3},
        **{"gain": 0.1, "calibration": None, "resolution": None, "non_peptide": 0.04},
        **{"control_share": 0.61, "control_p": 0.03, "leakage": 0.21, "leakage_p": 0.012},
        **{"negative_control": 0.8, "masking_drop": 0.1, "grouping_gap": 0.05},
        **{"shared_windows": 0.4, "counterfactual_drop": 0.25},
        **{"counterfactual_drop_low": 0.2, "counterfactual_drop_high": 0.3},
    }
    reasons = dict.fromkeys(("calibration", "resolution"), NOT["not_applicable"])
    if not applies:
        reasons = dict.fromkeys(set(readings) - {"balanced_accuracy"}, NOT["not_applicable"])
        readings |= dict.fromkeys(reasons)
    lines = {name: THRESHOLDS[name] for name in ("artifact_share", "control_share")}
    return {
        "format_version": FORMAT_VERSION,
        "classes": list(classes),
        "verdict": verdict,
        "sentence": f"model on T: tied to <{classes[0]}>",
        "limitation": "it cannot say <this>",
        "findings": [
            {"indicator": name, "value": readings[name], "threshold": line}
            for name, line in lines.items()
            if applies and verdict == "confounded"
        ],
        "by_counterfactual": False,
        "score": 2.0,
        "thresholds": THRESHOLDS,
        "error_rates": {"n": 50, "reliant": 0.96, "interval": [0.9, 0.99]} if applies else None,
        "artifact_share": readings["artifact_share"],
        "parts": {"off_peak": readings["off_peak"], "peak": None},
        "V": readings["V"],
        "V_p": 0.0004 if applies else None,
        "nested": True,
        "leakage": {"tma": leakage if applies else NOT, "scanner <x>": NOT},
        "balanced_accuracy_by_fold": [0.9] * N_FOLDS,
        "negative_controls": [
            {"off_peak": 0.7 + 0.01 * fold, "nuisance": 0.8, "largest": 0.8}
            if applies
            else {"off_peak": NOT, "nuisance": NOT, "largest": NOT}
            for fold in range(N_FOLDS)
        ],
        "masking": [
            {"balanced_accuracy": 0.9, "masked_balanced_accuracy": 0.8, "drop": 0.1}
            if applies
            else NOT
            for _ in range(N_FOLDS)
        ],
        "share": {
            "largest": {},
            "by_class": dict.fromkeys(classes, of_class if applies else NOT),
            "n_folds": N_FOLDS,
            "notes": [],
        },
        "control_cores": {"by_class": control, "by_tma": leakage} if applies else NOT,
        "shared_windows": overlap if applies else NOT,
        "counterfactual": second if applies else NOT,
        "recommended": {
            "ways": [{"way": "off_peak_mask", "why": "30 % <off> peak"}] if applies else [],
            "design": ["Measure <both> on one TMA."] if applies else [],
        },
        "readings": readings,
        "not_applicable": reasons,
        "run_id": "0123abc",
    }
