"""What the audit of a model comes to as numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from corespot.audit.applicable import NotApplicable
from corespot.audit.design.association import Association
from corespot.audit.indicators.control_cores import ControlCoreDependence
from corespot.audit.indicators.masking import balanced_accuracy
from corespot.audit.indicators.profile_indicators import INDICATORS
from corespot.audit.indicators.within_class import WithinClassLeakage
from corespot.audit.model.fold_audit import FoldAudit
from corespot.audit.model.regrouped import RegroupedScores
from corespot.audit.shares.class_shares import ARTIFACT, NON_PEPTIDE, ArtifactShare
from corespot.audit.shares.gap_parts import ARTIFACT_PARTS
from corespot.audit.verdict.readings import Reading, Readings, median_reading
from corespot.cohort.tasks import TaskSpots


def readings_of(
    task: TaskSpots,
    audited: Sequence[FoldAudit],
    tie: Association | NotApplicable,
    share: ArtifactShare,
    regrouped: RegroupedScores | NotApplicable,
    leakage: WithinClassLeakage | NotApplicable,
    seen: ControlCoreDependence | NotApplicable,
) -> Readings:
    """All indicators of a model as numbers, medians over its folds where they are of folds.

    Parameters
    ----------
    task : TaskSpots
        The task.
    audited : sequence of FoldAudit
        Every fold.
    tie, share, regrouped, leakage, seen
        What was measured over all folds: label and TMA, shares of the class gap, scores with
        patients held out, leakage of the TMA, control cores.
    """
    accuracy = float(np.mean([one.balanced_accuracy for one in audited]))
    found: dict[str, Reading] = {
        "V": tie if isinstance(tie, NotApplicable) else tie.value,
        "balanced_accuracy": accuracy,
        "artifact_share": _largest(share, ARTIFACT),
    }
    found |= {part: _largest(share, part) for part in ARTIFACT_PARTS}
    found["non_peptide"] = _largest(share, NON_PEPTIDE)
    by_class = seen if isinstance(seen, NotApplicable) else seen.by_class
    found["control_share"] = by_class if isinstance(by_class, NotApplicable) else by_class.share
    found["control_p"] = by_class if isinstance(by_class, NotApplicable) else by_class.p
    found["leakage"] = leakage if isinstance(leakage, NotApplicable) else leakage.leakage
    found["leakage_p"] = leakage if isinstance(leakage, NotApplicable) else leakage.p
    found["negative_control"] = median_reading([one.controls.largest for one in audited])
    found["masking_drop"] = median_reading(
        [
            one.masking if isinstance(one.masking, NotApplicable) else one.masking.drop
            for one in audited
        ]
    )
    found["grouping_gap"] = (
        regrouped
        if isinstance(regrouped, NotApplicable)
        else _accuracy_there(task, audited, regrouped) - accuracy
    )
    for name in INDICATORS:
        found[name] = median_reading([one.indicators.largest(name) for one in audited])
    return Readings(found)


def _accuracy_there(
    task: TaskSpots, audited: Sequence[FoldAudit], regrouped: RegroupedScores
) -> float:
    """Balanced accuracy with patients held out, of the very spots that the folds were put to."""
    found = []
    for one in audited:
        at = np.searchsorted(task.rows, one.rows)
        found.append(balanced_accuracy(task.y[at], regrouped.scores[at].argmax(axis=1)))
    return float(np.mean(found))


def _largest(share: ArtifactShare, part: str) -> Reading:
    found = share.largest(part)
    return found if isinstance(found, NotApplicable) else found[1]
