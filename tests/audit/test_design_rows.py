"""A row for each column: between and within units, on positions, rarely by chance."""

from __future__ import annotations

import numpy as np
import pytest
from design_tasks import table

from corespot.audit.applicable import NotApplicable
from corespot.audit.design.design_audit import audit_design
from corespot.audit.permutation import holm
from corespot.cohort.tasks import TaskSpots
from corespot.errors import ParamsError


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


def test_holm_against_its_definition() -> None:
    assert holm([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.09, 0.09, 0.5])
    assert holm([0.9, 0.6]) == [1.0, 1.0]
    assert holm([]) == []
