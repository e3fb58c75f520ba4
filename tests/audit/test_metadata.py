"""Metadata of a task's spots, and which spots are of control cores."""

from __future__ import annotations

import numpy as np
from audited_cohorts import mixed, spot_table, store_of, task_of

from corespot.audit.applicable import NotApplicable
from corespot.audit.model.metadata import control_rows, metadata_of
from corespot.cohort.tasks import Task, select_spots


def test_labels_units_and_marks_are_left_out():
    table = spot_table(mixed())
    table["date"], table["other"] = "2015", "x"
    task = task_of(store_of(table))
    found = metadata_of(task, leave_out=["other"])
    assert "date" in found
    assert not {"label", "other", "control", "core", "patient", "tma", "x", "y"} & set(found)
    assert {"slide x", "slide y", "acquisition order", "core column"} <= set(found)
    assert all(len(values) == len(task) for values in found.values())
    np.testing.assert_array_equal(found["slide x"], task.spots["x"])
    assert "control" in metadata_of(task, control="marked")


def test_control_rows_are_those_marked():
    store = store_of(spot_table(mixed(), controls=["T0", "T3"]))
    rows = control_rows(store, task_of(store))
    np.testing.assert_array_equal(rows, np.flatnonzero(store.spots["control"] == 1))
    assert len(control_rows(store, task_of(store), "no such column")) == 0


def test_control_cores_that_were_trained_on_say_nothing():
    spots = spot_table(mixed(), controls=["T0"])
    spots.loc[spots["control"] == 1, "label"] = "a"
    store = store_of(spots)
    task = select_spots(spots, "LP", Task(label="label", classes=("a", "b")))
    found = control_rows(store, task)
    assert isinstance(found, NotApplicable)
    assert "task LP" in found.reason and 'where: {control: ""}' in found.reason
