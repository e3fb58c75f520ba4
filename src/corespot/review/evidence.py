"""What decisions and the gate rest on: read from the store and the files as they are now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from corespot.audit.verdict.verdict import Word
from corespot.errors import CorespotError
from corespot.report.audit_shown import AuditView
from corespot.review.decision import History, history_of
from corespot.review.project import Project
from corespot.review.run_record import RunRecord
from corespot.tracking.reading import LoggedRun, read_run
from corespot.tracking.registry import ModelVersion, aliases_of, registered, versions_of
from corespot.tracking.run_files import RunFiles
from corespot.tracking.served import ServedModel, served_model

Found = TypeVar("Found")


@dataclass(frozen=True)
class Unknown:
    """What could not be read.

    Parameters
    ----------
    why : str
        Why not.
    """

    why: str


@dataclass(frozen=True)
class AuditFound:
    """What the audit's file says.

    Parameters
    ----------
    run_id : str
        Run that was audited.
    verdict : str
        The verdict.
    sentence, limitation : str
        It in words, and what it cannot say.
    sha256 : str
        Digest of the file.
    view : AuditView, optional
        All of it, to be shown.
    """

    run_id: str
    verdict: Word
    sentence: str
    limitation: str
    sha256: str
    view: AuditView | None = None


@dataclass(frozen=True)
class Evidence:
    """All that a decision on a run rests on.

    Parameters
    ----------
    run : LoggedRun
        The run, as the store knows it now.
    audit : AuditFound or Unknown
        Its audit.
    history : History
        Decisions so far.
    data_hash, folds : str or Unknown
        Hash of the project's spectra store, and fingerprint of its folds of the run's task.
    model : ServedModel or Unknown
        The model it logged to be served.
    version : ModelVersion, Unknown or None
        The version that approval registered, if one did.
    aliases : tuple of str
        What any version of the run bears, also one that was registered by hand.
    """

    run: LoggedRun
    audit: AuditFound | Unknown
    history: History
    data_hash: str | Unknown
    folds: str | Unknown
    model: ServedModel | Unknown
    version: ModelVersion | Unknown | None = None
    aliases: tuple[str, ...] = field(default=())

    @property
    def audit_sha256(self) -> str:
        """Digest of the audit's file, empty where there is none that can be read."""
        return "" if isinstance(self.audit, Unknown) else self.audit.sha256


def read_evidence(client: Any, project: Project, run_id: str) -> Evidence:
    """Read all that a decision on a run rests on, nothing from a cache.

    Parameters
    ----------
    client : MlflowClient
        Client of the project's store.
    project : Project
        The project.
    run_id : str
        The run.

    Raises
    ------
    TrackingError
        If the store does not know the run.
    """
    run = read_run(client, run_id)
    version = _or_unknown(lambda: registered(client, run))
    aliases = _or_unknown(lambda: _aliases(client, run_id))
    return Evidence(
        run=run,
        audit=_or_unknown(lambda: _audit(RunRecord(run, RunFiles(client, run)))),
        history=history_of(run.tags),
        data_hash=_or_unknown(project.data_hash),
        folds=_or_unknown(lambda: project.fold_fingerprint(run.task)),
        model=_or_unknown(lambda: served_model(client, run)),
        version=version,
        aliases=() if isinstance(aliases, Unknown) else aliases,
    )


def _aliases(client: Any, run_id: str) -> tuple[str, ...]:
    borne = {alias for one in versions_of(client, run_id) for alias in aliases_of(client, one)}
    return tuple(sorted(borne))


def _audit(record: RunRecord) -> AuditFound | Unknown:
    digest = record.audit_digest()
    view = record.audit()
    if record.audit_digest() != digest:
        return Unknown("the audit is being written; look again in a minute")
    return AuditFound(view.run_id, view.verdict, view.sentence, view.limitation, digest, view)


def _or_unknown(read: Callable[[], Found]) -> Found | Unknown:
    """What is read, or why it cannot be."""
    try:
        return read()
    except (CorespotError, OSError) as error:
        return Unknown(str(error))
