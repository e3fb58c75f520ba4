"""What a design cannot tell apart is said with the names of classes, TMAs and columns."""

from __future__ import annotations

import pytest
from design_tasks import table

from corespot.audit.applicable import NotApplicable
from corespot.audit.design.design_audit import audit_design


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


def test_one_tma_only_is_not_applicable() -> None:
    audit = audit_design(table("ab" * 8, ["T1"] * 16))
    assert isinstance(audit.v, NotApplicable) and audit.as_dict()["V"] is None
    assert "one TMA, T1" in audit.unidentified[0] and "further TMAs" in audit.repairs[0]
