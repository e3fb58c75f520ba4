"""Which metadata go with a label: known designs, the real bladder TMA, and what is said of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from corespot.audit.applicable import NotApplicable
from corespot.audit.association import IN_QUESTION
from corespot.audit.class_layout import ClassLayout
from corespot.audit.design import audit_design
from corespot.audit.design_result import DesignAudit
from corespot.audit.permutation import holm
from corespot.cohort.tasks import Task, TaskSpots, select_spots
from corespot.errors import ParamsError
from corespot.io.cohort_folder import load_cohort
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


def test_the_repair_does_what_it_says() -> None:
    tmas = [f"T{at}" for at in range(4) for _ in range(8)]
    task = table("a" * 16 + "b" * 16, tmas)
    layout = ClassLayout.of(task, "patient")
    assert layout.counts.tolist() == [[8, 0], [8, 0], [0, 8], [0, 8]]
    said = audit_design(task).repairs[0]
    least = next(k for k in range(1, 9) if f"{k} more patient" in said)
    labels, places = list("a" * 16 + "b" * 16), list(tmas)
    for tma in range(4):
        labels += ["b" if tma < 2 else "a"] * least
        places += [f"T{tma}"] * least
    repaired = audit_design(table("".join(labels), places))
    assert isinstance(repaired.v, float) and repaired.v <= IN_QUESTION
    assert f"to {repaired.v:.2f}." in said
    fewer = audit_design(
        table("".join(labels[: 32 + 4 * (least - 1)]), places[: 32 + 4 * (least - 1)])
    )
    assert fewer.v != repaired.v


def test_a_tma_is_not_filled_beyond_its_largest_class() -> None:
    layout = ClassLayout(("a", "b"), ("T1", "T2"), np.array([[2, 0], [1, 9]]), "patient")
    assert layout.filled_up(1).tolist() == [[2, 1], [1, 9]]
    assert layout.filled_up(4).tolist() == [[2, 2], [4, 9]]


def test_what_comes_with_the_tma_is_not_to_be_stratified_by() -> None:
    tmas = ["T1"] * 20 + ["T2"] * 20
    labels = "a" * 18 + "bb" + "b" * 18 + "aa"
    audit = audit_design(table(labels, tmas, campaign=["A"] * 20 + ["B"] * 20))
    assert audit.row("campaign").notable
    assert not any("stratify" in one for one in audit.repairs)


def test_class_on_one_tma_is_named() -> None:
    tmas = ["T1"] * 12 + ["T2"] * 12
    audit = audit_design(table("a" * 6 + "b" * 6 + "a" * 12, tmas))
    assert any("Class b occurs on T1 only" in one for one in audit.unidentified)
    assert not audit.nested and "1 of 2 TMAs holds more than one class" in audit.unidentified[0]
    assert "Test on T1 alone, which holds every class (patients: 6 of a and 6 of b)." in (
        audit.repairs
    )


def test_three_classes_name_the_pairs_that_never_meet() -> None:
    tmas = ["T1"] * 8 + ["T2"] * 8
    audit = audit_design(table("aaaabbbb" + "bbbbcccc", tmas))
    assert not audit.nested
    assert "a and c share no TMA" in " ".join(audit.unidentified)
    assert "a and b share" not in " ".join(audit.unidentified)
    apart = audit_design(table("aaaabbbbcccc", ["T1"] * 4 + ["T2"] * 4 + ["T3"] * 4))
    assert apart.nested and "No TMA holds two classes" in apart.unidentified[0]


def test_a_column_that_parts_as_the_classes_do_is_said_so() -> None:
    tmas = ["T1", "T2"] * 6
    audit = audit_design(
        table(
            "a" * 6 + "b" * 6, tmas, scanner=["X"] * 6 + ["Y"] * 6, site=list("uvw" * 2 + "rst" * 2)
        )
    )
    assert "Class and scanner are the same partition" in " ".join(audit.unidentified)
    assert "No two classes overlap in site." in audit.unidentified
    assert audit.row("scanner").association == pytest.approx(1.0)
    assert audit.row("scanner").p == pytest.approx(2 / 924)
    assert audit.v == 0.0 and "control cores" not in " ".join(audit.repairs)


def test_columns_that_go_with_the_label_are_stratified_or_matched() -> None:
    rng = np.random.default_rng(0)
    labels = "a" * 30 + "b" * 30
    grade = ["low"] * 25 + ["high"] * 5 + ["low"] * 5 + ["high"] * 25
    age = [*rng.normal(50, 6, 30).round(2), *rng.normal(62, 6, 30).round(2)]
    audit = audit_design(table(labels, ["T1", "T2"] * 30, grade=grade, age=age))
    said = " ".join(audit.repairs)
    assert "inside grade: stratify" in said and "Match the patients of the classes on age" in said
    assert audit.row("age").kind == "numeric" and audit.row("age").notable
    # The table lays the patients out by class.
    assert "Mix the classes over acquisition order" in said


def test_extra_columns_differ_within_units_and_between() -> None:
    task = table("aabb" * 3, ["T1", "T2"] * 6)
    y = np.tile(np.repeat([0, 1], 3), 12)
    halves = TaskSpots("halves", ("a", "b"), task.rows, y, task.spots, "half")
    tic = np.random.default_rng(1).normal(size=len(y)) + 5.0 * y
    audit = audit_design(halves, {"tic": tic})
    rows = {(row.column, row.scope): row for row in audit.rows}
    assert not rows["tic", "between"].notable
    assert rows["tic", "within"].notable and rows["tic", "within"].n_units == 12
    assert rows["spot y", "within"].association == pytest.approx(1.0)
    assert isinstance(rows["patient", "between"].association, NotApplicable)
    with pytest.raises(ParamsError, match="'tic' has 5 values"):
        audit_design(halves, {"tic": tic[:5]})


def test_core_row_and_column_are_lines_of_a_grid() -> None:
    task = table("ab" * 8, ["T1"] * 16)
    audit = audit_design(task)
    assert audit.row("core row").n_levels == 4 and audit.row("core column").n_levels == 4
    column = audit.row("core column")
    # Letters alternate along a row: a on the odd columns, b on the even ones.
    assert isinstance(column.association, float) and column.association > 0.3
    row = audit.row("core row")
    assert row.association == 0.0 and row.p == 1.0


def test_one_tma_only_is_not_applicable() -> None:
    audit = audit_design(table("ab" * 8, ["T1"] * 16))
    assert isinstance(audit.v, NotApplicable) and audit.as_dict()["V"] is None
    assert "one TMA, T1" in audit.unidentified[0] and "further TMAs" in audit.repairs[0]


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


def test_holm_against_its_definition() -> None:
    assert holm([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.09, 0.09, 0.5])
    assert holm([0.9, 0.6]) == [1.0, 1.0]
    assert holm([]) == []


def test_false_alarms_are_rare_over_all_columns() -> None:
    rng = np.random.default_rng(5)
    alarms = 0
    n = 40
    for seed in range(n):
        labels = "".join(rng.permutation(list("a" * 6 + "b" * 6)))
        task = table(
            labels,
            [f"T{at % 3}" for at in range(12)],
            age=rng.normal(60, 9, 12).tolist(),
            grade=rng.integers(1, 4, 12).tolist(),
        )
        audit = audit_design(task, seed=seed)
        alarms += any(row.p_holm is not None and row.p_holm <= 0.05 for row in audit.rows)
    assert alarms / n <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / n)


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
