"""Check a cohort folder: every problem at once, and what is in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from corespot.cohort.labels import label_columns, lookalikes, task_problems
from corespot.cohort.tables import Cohort
from corespot.cohort.tasks import Task
from corespot.errors import CohortError, Problem
from corespot.io.cohort_folder import assemble
from corespot.io.cohort_report import render
from corespot.io.cohort_summary import FileFacts, describe_file, summarise
from corespot.io.cohort_tables import FolderTables, read_cohort_tables
from corespot.io.imzml import check_imzml, open_imzml
from corespot.progress import track


@dataclass(frozen=True)
class CohortReport:
    """What a check found.

    Parameters
    ----------
    folder : str
        The folder as it was given.
    problems : tuple of Problem
        Everything wrong, without limit of number; empty if the cohort can be used.
    notes : tuple of str
        What is allowed but worth knowing.
    summary : mapping
        JSON-able content of the cohort (see `corespot.io.cohort_summary.summarise`); empty as
        long as there are problems.
    """

    folder: str
    problems: tuple[Problem, ...]
    notes: tuple[str, ...] = ()
    summary: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the cohort can be used."""
        return not self.problems

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return {
            "folder": self.folder,
            "ok": self.ok,
            "problems": [problem.as_dict() for problem in self.problems],
            "notes": list(self.notes),
            "summary": dict(self.summary),
        }

    def text(self) -> str:
        """Everything, for a terminal; of each kind of problem the first 20."""
        return render(self.folder, self.problems, self.notes, self.summary)


def check_cohort(
    folder: Path | str, *, tasks: Mapping[str, Task] | None = None, checksum: bool = True
) -> CohortReport:
    """Check everything in a cohort folder: tables, files, every value of every spectrum.

    Bad input never raises: it is in the report.

    Parameters
    ----------
    folder : Path
        The cohort folder; see ``docs/cohort-format.md``.
    tasks : mapping of str to Task, optional
        Tasks of ``params.yaml``, whose labels are then checked and counted as well.
    checksum : bool, default True
        Compare the checksum of every ``.ibd``; may be skipped for files checked before.
    """
    root = Path(folder)
    try:
        tables = read_cohort_tables(root)
    except CohortError as error:
        return CohortReport(str(folder), error.problems)
    problems = list(tables.problems)
    coordinates = {}
    facts: dict[str, FileFacts] = {}
    # Without a readable list of files, all are checked: one run should name everything.
    for file in track(tables.files or tables.unnamed, label="check", unit="files"):
        found = check_imzml(root / file, checksum=checksum)
        try:
            # Faulty values need not keep the coordinates from being looked at.
            with open_imzml(root / file) as measurement:
                coordinates[file] = measurement.coordinates
                if not problems and not found:
                    facts[file] = describe_file(measurement)
        except CohortError as error:
            found = found or list(error.problems)
        problems += found
    cohort, found = assemble(tables, coordinates)
    problems += found
    if cohort is not None and tasks:
        core_columns = list(cohort.cores.columns)
        problems += task_problems(cohort.spots, core_columns, tasks)
    if cohort is None or problems:
        return CohortReport(str(folder), tuple(problems), tuple(_folder_notes(tables)))
    summary = summarise(cohort, facts, tasks)
    notes = _folder_notes(tables) + _notes(cohort, facts, tasks) + _nested_notes(summary)
    return CohortReport(str(folder), (), tuple(notes), summary)


def _folder_notes(tables: FolderTables) -> list[str]:
    if not tables.unnamed or not tables.files:
        return []
    return [
        f"{_listed(tables.unnamed)}: in the folder, but no row of spots.csv names "
        f"{'it' if len(tables.unnamed) == 1 else 'them'}; neither checked nor used"
    ]


def _notes(
    cohort: Cohort, facts: Mapping[str, FileFacts], tasks: Mapping[str, Task] | None
) -> list[str]:
    """What is allowed, but seldom meant or good to know."""
    spots, cores = cohort.spots, cohort.cores
    notes = []
    unused = [core for core in cores["core"] if core not in set(spots["core"])]
    if unused:
        notes.append(f"cores without spots: {_listed(unused)}")
    for column, unit, several in (
        ("core", "cores", "file"),
        ("patient", "patients", "tma"),
        ("file", "files", "tma"),
    ):
        spread = [str(name) for name in _with_several(spots, column, several)]
        if spread:
            plural = {"file": "files", "tma": "TMAs"}[several]
            notes.append(f"{unit} on several {plural} (allowed): {_listed(spread)}")
    notes += lookalikes(spots, ["tma", *label_columns(spots)])
    if not tasks:
        notes += _patient_notes(spots, cores)
        if not label_columns(spots):
            notes.append("no column holds two or more classes: there is nothing to classify yet")
    if len({fact.mode for fact in facts.values()}) > 1:
        notes.append("some files are continuous, others processed: preprocessing resamples them")
    axes = [fact.mz for fact in facts.values()]
    if axes[0] is not None and len({None if a is None else a.tobytes() for a in axes}) > 1:
        notes.append("the files have different m/z axes: preprocessing resamples them to one")
    return notes


def _patient_notes(spots: pd.DataFrame, cores: pd.DataFrame) -> list[str]:
    """Columns of cores.csv that differ inside a patient; a problem once a task uses them."""
    notes = []
    for column in label_columns(spots):
        if column not in cores:
            continue
        patients = _with_several(spots[spots[column] != ""], "patient", column)
        if patients:
            notes.append(
                f"column {column!r} of cores.csv differs between cores of one patient "
                f"({_listed(patients)}): refused as soon as a task uses it as its label"
            )
    return notes


def _nested_notes(summary: Mapping[str, Any]) -> list[str]:
    """Tasks (or label columns) of which no TMA holds two classes."""
    named = [(f"task {name}", counts) for name, counts in summary["tasks"].items()]
    named += [(f"column {name!r}", counts) for name, counts in summary["labels"].items()]
    return [
        f"{name}: no TMA holds two classes, so that a difference between TMAs cannot be told "
        "from a difference between classes"
        for name, counts in named
        if all(sum(n > 0 for n in row.values()) < 2 for row in counts["spots_per_tma"].values())
    ]


def _with_several(spots: pd.DataFrame, column: str, other: str) -> list[str]:
    """Values of `column` that occur with more than one value of `other`."""
    counts = spots.groupby(column, sort=True)[other].nunique()
    return [str(value) for value in counts.index[counts > 1]]


def _listed(names: tuple[str, ...] | list[str], most: int = 6) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
