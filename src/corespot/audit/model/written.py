"""An audit in files: what the report, the app and MLflow read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from corespot.audit.indicators.shared_windows import SharedWindows
from corespot.audit.model.result import AuditResult
from corespot.io.artifacts import write_json, write_table


def write_audit(folder: Path, result: AuditResult, *, run_id: str) -> dict[str, Any]:
    """Write ``audit.json`` and its tables into an open folder; returns the JSON's content.

    Parameters
    ----------
    folder : Path
        Where to.
    result : AuditResult
        The audit.
    run_id : str
        MLflow run of the model.
    """
    content = {**result.as_dict(), "run_id": run_id}
    write_json(folder / "audit.json", content)
    write_table(folder / "patients.parquet", result.patients())
    write_table(folder / "spectrum.parquet", result.spectrum())
    if isinstance(result.shared_windows, SharedWindows):
        write_table(folder / "windows.csv", result.shared_windows.table)
    layout = result.layout
    table = pd.DataFrame(layout.counts, columns=list(layout.classes))
    table.insert(0, "tma", list(layout.tmas))
    write_table(folder / "label_by_tma.csv", table)
    return content
