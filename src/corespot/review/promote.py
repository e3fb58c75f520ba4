"""Make a run's model champion: the one place in which that is done."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from corespot.review.decide import taking_turns
from corespot.review.decision import checked_name
from corespot.review.evidence import read_evidence
from corespot.review.gate import Gate, champion_gate
from corespot.review.project import Project
from corespot.tracking.reading import LoggedRun, reading_client
from corespot.tracking.registry import ModelVersion, set_champion

FORMAT = 1


@dataclass(frozen=True)
class Promotion:
    """What came of it.

    Parameters
    ----------
    run : LoggedRun
        The run.
    gate : Gate
        What was checked; where it was not passed, nothing was changed.
    version : ModelVersion or None
        The version that is champion now, ``None`` if it was refused.
    before : ModelVersion or None
        The version that was champion.
    """

    run: LoggedRun
    gate: Gate
    version: ModelVersion | None = None
    before: ModelVersion | None = None


def promote(project: Project, run_id: str, *, by: str) -> Promotion:
    """Check everything, and make the run's registered model champion if all is as it must be.

    Parameters
    ----------
    project : Project
        The project.
    run_id : str
        The run.
    by : str
        Who promotes it.

    Raises
    ------
    ReviewError
        If nobody is named.
    TrackingError
        If the store does not know the run, or the registry does not take it.
    """
    who = checked_name(by)
    client = reading_client(project.tracking_uri)
    with taking_turns(project):
        evidence = read_evidence(client, project, run_id)
        gate = champion_gate(evidence)
        version = evidence.version
        if not gate.passed or not isinstance(version, ModelVersion):
            return Promotion(evidence.run, gate)
        before = set_champion(client, version, _record(evidence.run, who, gate))
    return Promotion(evidence.run, gate, version, before)


def promoted_run(text: str) -> str | None:
    """Identifier of the run that a version's promotion tag names; ``None`` if it is none."""
    try:
        plain = json.loads(text)
        return str(plain["run_id"]) if plain["format"] == FORMAT else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _record(run: LoggedRun, who: str, gate: Gate) -> str:
    content = {
        "run_id": run.run_id,
        "by": who,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "gate": {check.name: check.found for check in gate.checks},
        "format": FORMAT,
    }
    return json.dumps(content, ensure_ascii=False)
