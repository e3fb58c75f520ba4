"""How a model stands, read off its audit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from corespot.mitigate.before_after import Counterfactual, Standing

#: Readings that are compared, in this order.
COMPARED = (
    "artifact_share",
    "off_peak",
    "gain",
    "calibration",
    "resolution",
    "non_peptide",
    "control_share",
    "leakage",
)


def standing_of(audit: Mapping[str, Any], cross_validated: float) -> Standing:
    """Accuracy and readings of an audited model.

    Parameters
    ----------
    audit : mapping
        As `corespot.audit.model.result.AuditResult.as_dict`, fresh or stored.
    cross_validated : float
        Its balanced accuracy on held-out spots.
    """
    there = audit["counterfactual"]
    second = None
    if "not_applicable" not in there:
        second = Counterfactual(
            float(there["counterfactual_balanced_accuracy"]),
            _pair(there.get("counterfactual_interval")),
            _pair(there["interval"]),
        )
    readings = {name: audit["readings"].get(name) for name in COMPARED}
    return Standing(cross_validated, second, readings, audit["verdict"], audit["sentence"])


def _pair(ends: Any) -> tuple[float, float] | None:
    return None if ends is None else (float(ends[0]), float(ends[1]))
