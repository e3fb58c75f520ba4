"""What compared runs are called, and what stands in the way of comparing them."""

from __future__ import annotations

from collections.abc import Sequence

from corespot.report.verdict_badge import FLAGGED, VERDICT_STYLES
from corespot.tracking.reading import LoggedRun

#: Letters by which compared runs are called.
LETTERS = "ABCDEF"
_LONGEST = 48
_UNKNOWN = ("", "unknown")


def labels_of(runs: Sequence[LoggedRun]) -> list[str]:
    """A name for each of up to six runs that no other has, flags marked: ``A  LP conv1d ▲``."""
    return [
        f"{letter}  {shortened(run.name)}{_flag(run)}"
        for letter, run in zip(LETTERS, runs, strict=False)
    ]


def shortened(name: str) -> str:
    """A name that leaves room beside it, in figures and over columns."""
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"


def cautions(runs: Sequence[LoggedRun]) -> list[str]:
    """What stands in the way of a plain comparison, a sentence each, the gravest first."""
    found = []
    if len({run.task for run in runs}) > 1:
        found.append("The runs are of different tasks: their figures answer different questions.")
    for tag, sentence in (
        ("dvc.store", "The runs read different versions of the spectra."),
        ("folds.fingerprint", "The runs were tested in different folds."),
        ("axis.fingerprint", "The runs use different m/z axes."),
        ("grouping", "The folds are made of different groups."),
    ):
        values = {run.tags.get(tag, "") for run in runs}
        # Folds belong to a task: other tasks have others, and that was said already.
        if len(values) > 1 and not (
            tag == "folds.fingerprint" and found[:1] and "tasks" in found[0]
        ):
            found.append(sentence)
    if any(run.tags.get("optimistic") == "true" for run in runs):
        found.append("At least one run has optimistic folds: its accuracy promises too much.")
    if any(run.tags.get("dvc.store", "") in _UNKNOWN for run in runs):
        found.append("Of at least one run it is not known which spectra it read.")
    if len({run.tags.get("git_commit", "") for run in runs}) > 1:
        found.append("The runs were made by different git commits.")
    if any(run.tags.get("git_dirty") == "true" for run in runs):
        found.append("At least one run was made from a working tree with uncommitted changes.")
    return found


def _flag(run: LoggedRun) -> str:
    word = run.tags.get("audit.verdict", "")
    marks = {str(one): VERDICT_STYLES[one].mark for one in FLAGGED}
    return f" {marks[word]}" if word in marks else ""
