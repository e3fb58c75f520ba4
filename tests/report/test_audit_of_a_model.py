"""What an audit truly writes is what its page reads."""

from __future__ import annotations

import pytest

from corespot.audit.calibration.simulated_cohort import audit_simulated, simulated_store
from corespot.audit.calibration.thresholds import Thresholds
from corespot.audit.design.class_layout import ClassLayout
from corespot.audit.indicators.counterfactual import CounterfactualDrop
from corespot.audit.indicators.shared_windows import shared_windows
from corespot.audit.indicators.tma_sensitivity import tma_sensitivity
from corespot.audit.model.result import judged
from corespot.audit.model.written import write_audit
from corespot.audit.verdict.readings import MEANINGS
from corespot.cohort.groups import unit_ids
from corespot.cohort.splits import FoldSettings
from corespot.report.audit_page import write_audit_page
from corespot.report.audit_records import Leakage
from corespot.report.audit_view import read_audit
from corespot.synth.cohort import SynthSettings, make_cohort

ORGAN = {"n_tmas": 2, "patients_per_tma": 4, "cores_per_patient": [1.0]}
SETTINGS = SynthSettings.parse(
    {
        "design": {"name": "nested", "lung": ORGAN, "pancreas": ORGAN, "control_cores": 2},
        "tissue": {"core_radius": [1.0, 1.0], "background_per_tma": 0},
        "artifacts": {"amplitude": 0.6},
    },
    "cohort",
)
LINES = Thresholds(
    {"artifact_share": 0.2, "non_peptide": 0.2, "control_share": 0.3}, "logistic", True, 9, "here"
)


@pytest.fixture(scope="module")
def result():
    folds = FoldSettings.parse({"group": "tma", "k": 2}, "folds")
    trained = audit_simulated(SETTINGS, 5, {"logistic": {}}, folds=folds, n_bootstrap=20)
    audit = trained["logistic"].audit
    store, task = simulated_store(make_cohort(SETTINGS, 5)), audit.task
    units = unit_ids(task.spots, "patient")
    tma = tma_sensitivity(
        store.spectra, task.y, task.group_of("tma"), units, rows=task.rows, seed=0
    )
    windows = shared_windows(audit.folds[0].profile, tma, store.axis, task.classes)
    drop = CounterfactualDrop(0.9, 0.6, 0.3, (0.2, 0.4), 0.22, {}, 0.0, 16, 8, 0, 2)
    return judged(
        audit,
        LINES,
        ClassLayout.of(task),
        axis=store.axis,
        tma=tma,
        shared_windows=windows,
        counterfactual=drop,
        accuracies=[fold.balanced_accuracy for fold in audit.folds],
        further={"shared_windows": windows.largest.beyond_chance, "counterfactual_drop": 0.3},
    )


def test_it_is_read_as_it_was_measured(result, tmp_path):
    write_audit(tmp_path, result, run_id="abc")
    view = read_audit(tmp_path)
    assert view.verdict == result.verdict.word and view.sentence == result.sentence
    assert view.axis.n_bins == result.axis.n_bins and view.classes == result.audit.task.classes
    for name in MEANINGS:
        assert view.readings.number(name) == result.readings.number(name), name
    assert view.thresholds.lines == LINES.lines
    assert isinstance(view.leakage["tma"], Leakage)
    assert view.overlap.n_shared == result.shared_windows.largest.n_shared
    assert view.second_cohort.there == 0.6
    shares = result.audit.share.by_class["lung"]
    assert view.shares["lung"].shares == pytest.approx(shares.shares)
    assert view.shares["lung"].by_fold["gain"] == pytest.approx(shares.by_fold["gain"])
    assert view.label_by_tma.to_numpy().sum() == 16
    write_audit_page(tmp_path, view)
    assert result.sentence in (tmp_path / "audit.html").read_text(encoding="utf-8")
