"""Designs that are known, and the real bladder TMA, are described as they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from design_tasks import ADSQ, LABELS, LP, synthetic, table

from corespot.audit.design.design_audit import audit_design
from corespot.audit.design.design_result import DesignAudit
from corespot.cohort.tasks import Task, TaskSpots, select_spots
from corespot.io.cohort_folder import load_cohort


def test_nested_cohort_names_classes_and_tmas() -> None:
    task = select_spots(synthetic("nested"), "LP", LP)
    audit = audit_design(task, leave_out=LABELS)
    assert audit.nested and audit.layout.unit == "patient" and audit.n_units == 24
    assert isinstance(audit.v, float) and audit.v > 0.85
    tma = audit.row("tma")
    assert tma.notable and tma.p == pytest.approx(1e-4) and not tma.exact
    assert "No TMA holds both classes" in audit.unidentified[0]
    assert (
        "lung on TMA01, TMA02, TMA03 and TMA04; pancreas on TMA05 and TMA06"
        in (audit.unidentified[0])
    )
    assert "No two classes overlap in acquisition_date." in audit.unidentified
    said = " ".join(audit.repairs)
    assert "of class pancreas on each of TMA01, TMA02, TMA03 and TMA04" in said
    assert "control cores of one tissue on every TMA (TMA01 to TMA06)" in said
    assert "second cohort" in said
    assert not any(row.column in LABELS for row in audit.rows)


def test_honest_task_has_nothing_to_repair() -> None:
    task = select_spots(synthetic("nested"), "ADSQ", ADSQ)
    audit = audit_design(task, leave_out=LABELS)
    assert audit.v == 0.0 and not audit.nested
    assert audit.unidentified == () and audit.repairs == ()
    assert not any(row.notable for row in audit.rows)


def test_partial_design_lies_between() -> None:
    audits = [
        audit_design(select_spots(synthetic(name, "demo"), "LP", LP), leave_out=LABELS)
        for name in ("balanced", "partial", "nested")
    ]
    v = [audit.v for audit in audits]
    assert v[0] == 0.0 and isinstance(v[1], float) and 0.3 < v[1] < 0.6
    assert "V = 0.45" in audits[1].unidentified[0] and "12 of 12 TMAs" in audits[1].unidentified[0]
    assert any("falls from 0.45 to 0.00" in one for one in audits[1].repairs)
    assert audits[0].repairs == ()


def test_mixed_campaigns_free_the_date_and_not_the_tma() -> None:
    task = select_spots(synthetic("nested_mixed", "demo"), "LP", LP)
    audit = audit_design(task, leave_out=LABELS)
    assert audit.nested and audit.row("tma").notable
    assert not audit.row("acquisition_date", "numeric").notable
    assert not any("overlap" in one for one in audit.unidentified)


def test_cores_are_the_units_where_patients_are_unknown() -> None:
    task = table("aabb" * 3, ["T1", "T2"] * 6)
    unknown = TaskSpots(
        "t", task.classes, task.rows, task.y, task.spots.assign(patient=""), task.label
    )
    audit = audit_design(unknown)
    assert audit.layout.unit == "core" and audit.n_units == 12


def test_control_cores_are_left_out_and_missing_values_counted() -> None:
    marks = ["yes"] * 2 + [""] * 10
    task = table("aa" + "aaaaabbbbb", ["T1", "T2"] * 6, control=marks, stage=["1", "2", ""] * 4)
    audit = audit_design(task)
    assert audit.n_units == 10 and "2 control cores" in audit.repairs[-1]
    assert audit.row("stage").n_missing == 4 and audit.row("stage").n_units == 6
    nested = table("aaaaabbbbb", ["T1"] * 5 + ["T2"] * 5, control=[""] * 10)
    assert "Control cores are marked" in " ".join(audit_design(nested).repairs)


def test_the_tma_may_be_the_label() -> None:
    task = table("ab" * 6, ["T1"] * 6 + ["T2"] * 6)
    spots = task.spots.drop(columns="label")
    audit = audit_design(select_spots(spots, "slide", Task(label="tma", classes=("T1", "T2"))))
    assert audit.v == pytest.approx(1.0) and audit.layout.label_is_tma
    with pytest.raises(KeyError, match="instrument"):
        audit.row("instrument")


def test_text_and_json_hold_everything() -> None:
    audit = audit_design(table("a" * 6 + "b" * 6, ["T1"] * 6 + ["T2"] * 6))
    plain = json.loads(json.dumps(audit.as_dict(), allow_nan=False))
    assert plain["V"] == audit.v and plain["nested"] is True
    assert plain["tmas"] == {"T1": {"a": 6, "b": 0}, "T2": {"a": 0, "b": 6}}
    assert len(plain["columns"]) == len(audit.rows)
    assert any("not_applicable" in row for row in plain["columns"])
    text = audit.text()
    for part in ("V of label and TMA: 1.00", "slide x", *audit.unidentified, *audit.repairs):
        assert part in text


@pytest.fixture(scope="module")
def bladder(shared_data: Callable[[str], Path]) -> Callable[[str, tuple[str, str]], DesignAudit]:
    spots = load_cohort(shared_data("bladder-tma")).spots
    labels = {"tissue", "slide_in_stroma", "crossed", "diagnosis"}

    def audit(name: str, classes: tuple[str, str]) -> DesignAudit:
        task = select_spots(spots, name, Task(label=name, classes=classes))
        return audit_design(task, leave_out=labels)

    return audit


def test_bladder_tissue_is_honest(
    bladder: Callable[[str, tuple[str, str]], DesignAudit],
) -> None:
    audit = bladder("tissue", ("tumor", "stroma"))
    assert audit.layout.unit == "core" and audit.n_units == 41
    assert audit.layout.counts.tolist() == [[17, 11], [14, 13]]
    assert audit.v == 0.0 and audit.repairs == () and audit.unidentified == ()
    within = next(row for row in audit.rows if row.column == "spot x")
    assert within.scope == "within" and within.n_units == 14


def test_bladder_slide_is_the_measurement_itself(
    bladder: Callable[[str, tuple[str, str]], DesignAudit],
) -> None:
    audit = bladder("slide_in_stroma", ("TMA1", "TMA2"))
    assert audit.v == pytest.approx(1.0) and audit.nested and audit.row("tma").notable
    assert "The classes are the TMAs themselves" in audit.unidentified[0]
    assert "negative control" in audit.repairs[0]


def test_bladder_crossed_cannot_be_separated_and_is_not_called_useless(
    bladder: Callable[[str, tuple[str, str]], DesignAudit],
) -> None:
    audit = bladder("crossed", ("tumor", "stroma"))
    assert audit.v == pytest.approx(1.0) and audit.nested
    said = " ".join(audit.unidentified)
    assert "tumor on TMA1; stroma on TMA2" in said
    assert "cannot separate" in said and "is not shown to be useless" in said
    assert "Class and file and tma are the same partition" in said
    assert "more cores of class tumor on TMA2" in audit.repairs[0]
