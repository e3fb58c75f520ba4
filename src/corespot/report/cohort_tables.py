"""The summary of a cohort as tables and lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from corespot.report.tables import natural


def tma_table(summary: Mapping[str, Any]) -> pd.DataFrame:
    """One row a TMA: patients, cores, spots, empty spectra, spectra without a row, files.

    Parameters
    ----------
    summary : mapping
        Content of ``summary.json`` of the ingest stage.
    """
    files = summary.get("files") or {}
    rows = []
    for tma in sorted(summary["tmas"], key=natural):
        counts = summary["tmas"][tma]
        rows.append(
            {
                "TMA": tma,
                "patients": counts["n_patients"],
                "cores": counts["n_cores"],
                "spots": counts["n_spots"],
                "background": sum(
                    int((files.get(name) or {}).get("n_background") or 0)
                    for name in counts["files"]
                ),
                "empty": counts["n_empty"],
                "files": ", ".join(str(name) for name in counts["files"]),
            }
        )
    return pd.DataFrame(rows)


def skipped_lines(summary: Mapping[str, Any], store: Mapping[str, Any]) -> Iterator[str]:
    """What of the measurement is not used, and why, a sentence each.

    Parameters
    ----------
    summary : mapping
        Content of ``summary.json`` of the ingest stage.
    store : mapping
        Content of ``store.json``.
    """
    background = int(summary.get("n_background") or 0)
    if background:
        yield (
            f"{background:,} measured spectra have no row in the spot table: background between "
            "cores, not read further."
        )
    empty = int(summary.get("n_empty") or 0)
    yield (
        f"{empty:,} spots have a spectrum without any intensity; they are kept, as zeros."
        if empty
        else "No spot has a spectrum without any intensity."
    )
    for task, counts in (summary.get("tasks") or {}).items():
        used = sum(counts["in_all"]["spots"].values())
        left = int(summary["n_spots"]) - used
        if left:
            yield (
                f"Task {task} leaves out {left:,} of {int(summary['n_spots']):,} spots: their "
                f"{counts['label']} is none of its classes, or they are not where the task looks."
            )
    for one in store.get("skipped") or []:
        yield f"Preprocessing left out the step {one['step']}: {one['reason']}."
    for text in store.get("warnings") or []:
        yield f"Preprocessing warns: {text}."


def class_counts(task: Mapping[str, Any]) -> pd.DataFrame:
    """Patients, cores and spots of each class of a task.

    Parameters
    ----------
    task : mapping
        One of ``tasks`` of ``summary.json``.
    """
    units = task["in_all"]
    return pd.DataFrame(
        [
            {"class": name, **{unit: units[unit][name] for unit in reversed(list(units))}}
            for name in units["spots"]
        ]
    )
