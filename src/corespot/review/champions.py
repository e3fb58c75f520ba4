"""Champions and candidates that are in the registry now, each through its checks once more."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from corespot.errors import TrackingError
from corespot.review.checks import Check
from corespot.review.evidence import read_evidence
from corespot.review.gate import Gate, candidate_gate, champion_gate
from corespot.review.project import Project
from corespot.review.promote import promoted_run
from corespot.tracking.reading import LoggedRun, reading_client
from corespot.tracking.registry import CANDIDATE, CHAMPION, PROMOTED, ModelVersion, bearers


@dataclass(frozen=True)
class Checked:
    """A run or a champion, and what the gate says of it now.

    Parameters
    ----------
    what : str
        It in words.
    run_id : str
        Its run; empty if it names none.
    gate : Gate
        What was checked.
    """

    what: str
    run_id: str
    gate: Gate

    def as_dict(self) -> dict[str, Any]:
        """Plain mapping for JSON."""
        return {"what": self.what, "run_id": self.run_id, **self.gate.as_dict()}


def check_runs(project: Project, runs: list[LoggedRun]) -> list[Checked]:
    """Check given runs.

    Parameters
    ----------
    project : Project
        The project.
    runs : list of LoggedRun
        The runs; read anew.
    """
    client = reading_client(project.tracking_uri)
    found = []
    for run in runs:
        evidence = read_evidence(client, project, run.run_id)
        what = f"{evidence.run.name} ({run.run_id[:8]})"
        found.append(Checked(what, run.run_id, champion_gate(evidence)))
    return found


def check_champions(project: Project) -> list[Checked]:
    """Check every version that bears the alias ``champion``, also one that was set by hand.

    Parameters
    ----------
    project : Project
        The project.

    Raises
    ------
    TrackingError
        If the registry cannot be read.
    """
    client = reading_client(project.tracking_uri)
    return [_checked(client, project, version) for version in bearers(client, CHAMPION)]


def check_candidates(project: Project) -> list[Checked]:
    """Check every ``candidate``: an audit made again may have voided what it was approved on.

    Parameters
    ----------
    project : Project
        The project.

    Raises
    ------
    TrackingError
        If the registry cannot be read.
    """
    client = reading_client(project.tracking_uri)
    found = []
    for version in bearers(client, CANDIDATE):
        what = f"candidate of {version.name}, version {version.version}"
        try:
            gate = candidate_gate(read_evidence(client, project, version.run_id))
        except TrackingError as error:
            gate = Gate((Check("run", False, str(error), "take the alias away"),))
        found.append(Checked(what, version.run_id, gate))
    return found


def _checked(client: Any, project: Project, version: ModelVersion) -> Checked:
    what = f"champion of {version.name}, version {version.version}"
    promotion = _check_promotion(version)
    if not version.run_id:
        none = Check("run", False, "the version names no run", "promote a reviewed run instead")
        return Checked(what, "", Gate((none, promotion)))
    try:
        evidence = read_evidence(client, project, version.run_id)
    except TrackingError as error:
        gone = Check("run", False, str(error), "promote a reviewed run instead")
        return Checked(what, version.run_id, Gate((gone, promotion)))
    gate = champion_gate(evidence)
    own = evidence.version
    if not isinstance(own, ModelVersion) or own.key != version.key:
        promotion = Check(
            "promotion",
            False,
            f"{version} is not the version that approval registered for its run",
            "take the alias away, and use `corespot promote`",
        )
    return Checked(what, version.run_id, replace(gate, checks=(*gate.checks, promotion)))


def _check_promotion(version: ModelVersion) -> Check:
    text = version.tags.get(PROMOTED)
    if text is not None and promoted_run(text) == version.run_id != "":
        return Check("promotion", True, "the alias was set by `corespot promote`")
    found = "the alias was set past the gate" if text is None else "its promotion cannot be read"
    return Check("promotion", False, found, "take the alias away, and use `corespot promote`")
