"""What an audit leaves in MLflow: tags to filter by, metrics to sort by, files to look at."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from corespot.io.artifacts import sha256_of
from corespot.tracking.runs import reopen_run

#: Readings that are logged as metrics, ``audit.<name>``.
METRICS = (
    "artifact_share",
    "non_peptide",
    "off_peak",
    "gain",
    "calibration",
    "resolution",
    "control_share",
    "leakage",
    "leakage_p",
    "negative_control",
    "masking_drop",
    "grouping_gap",
    "counterfactual_drop",
    "V",
)


def record_audit(
    run_id: str, audit: Mapping[str, Any], folder: Path, uri: str | None = None
) -> bool:
    """Tag a run with its verdict and add the audit's files; ``False`` if the store lacks the run.

    Parameters
    ----------
    run_id : str
        Run of the task and model.
    audit : mapping
        As `AuditResult.as_dict`.
    folder : Path
        Output of the audit stage.
    uri : str, optional
        Tracking URI.
    """
    run = reopen_run(run_id, uri)
    if run is None:
        print(f"run {run_id} is not in this MLflow store; {folder} is kept, but not logged")
        return False
    readings = audit["readings"]
    tags = {"audit.verdict": audit["verdict"], "audit.sentence": audit["sentence"]}
    for name in ("artifact_share", "V", "leakage", "counterfactual_drop"):
        value = readings.get(name)
        # Tags are sorted as text: a fixed number of digits sorts as numbers from zero on do.
        # Below zero there is nothing to be told apart: that is what chance leaves.
        tags[f"audit.{name}"] = "not applicable" if value is None else f"{max(value, 0.0):.3f}"
    tags["audit.sha256"] = sha256_of(folder / "audit.json")
    run.tags(tags)
    run.metrics({f"audit.{name}": readings.get(name) for name in METRICS})
    run.metrics({"audit.score": audit["score"]})
    run.artifacts(folder, "audit")
    return True
