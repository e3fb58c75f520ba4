"""What is asked for repairs the design, and nothing is asked for that would not."""

from __future__ import annotations

import numpy as np
from design_tasks import table

from corespot.audit.design.association import IN_QUESTION
from corespot.audit.design.class_layout import ClassLayout
from corespot.audit.design.design_audit import audit_design


def test_the_repair_does_what_it_says() -> None:
    tmas = [f"T{at}" for at in range(4) for _ in range(8)]
    task = table("a" * 16 + "b" * 16, tmas)
    layout = ClassLayout.of(task)
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
