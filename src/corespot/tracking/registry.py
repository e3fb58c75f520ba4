"""MLflow's registry: versions of approved models, and the two aliases they may bear."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from corespot.errors import TrackingError
from corespot.tracking.decisions import tag_name
from corespot.tracking.reading import LoggedRun, mlflow_told
from corespot.tracking.served import ServedModel

#: Alias of the latest approved version, and of the one in use.
CANDIDATE, CHAMPION = "candidate", "champion"
#: Tag of a version that the gate let through, there as long as it is champion.
PROMOTED = "review.promoted"
#: What the tags begin with that keep every promotion of a version.
PROMOTIONS = "review.promotion."
#: Tag of a version with the digest of its files when it was registered.
MODEL_SHA256 = "model.sha256"
_PAGE = 100


@dataclass(frozen=True)
class ModelVersion:
    """A version of a registered model.

    Parameters
    ----------
    name : str
        Name of the registered model.
    version : str
        Its number.
    run_id : str
        Run it was made from; empty if it names none.
    source : str
        Where its model is, ``models:/<identifier>`` for a logged one.
    tags : mapping of str to str
        Its tags.
    """

    name: str
    version: str
    run_id: str
    source: str
    tags: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name} version {self.version}"

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from others."""
        return self.name, self.version


def registered_name(run: LoggedRun) -> str:
    """Name of the registered model of a cohort and task, in signs that MLflow takes.

    Parameters
    ----------
    run : LoggedRun
        The run.
    """
    plain = f"{run.experiment}-{run.task}"
    safe = re.sub(r"[^\w.-]+", "_", plain, flags=re.ASCII).strip("._") or "model"
    if safe == plain:
        return safe
    # Two names that differ in other signs alone must not become one.
    return f"{safe}-{hashlib.sha256(plain.encode()).hexdigest()[:8]}"


def versions_of(client: Any, run_id: str) -> list[ModelVersion]:
    """Versions that were made from a run, the first one first.

    Raises
    ------
    TrackingError
        If the registry cannot be read.
    """
    if not run_id.isalnum():
        raise TrackingError(f"{run_id!r} is no identifier of a run")
    with mlflow_told("the model registry cannot be read"):
        found = client.search_model_versions(f"run_id = '{run_id}'", max_results=1000)
    return sorted((_version(one) for one in found), key=lambda one: (one.name, int(one.version)))


def registered(client: Any, run: LoggedRun) -> ModelVersion | None:
    """The version that approval registered from a run's own model, ``None`` before that.

    One that somebody registered by hand bears no digest of its files, and is none.
    """
    source = run.tags.get("model_uri", "")
    name = registered_name(run)
    for version in versions_of(client, run.run_id):
        if (version.name, version.source) == (name, source) and version.tags.get(MODEL_SHA256):
            return version
    return None


def register(
    client: Any, run: LoggedRun, model: ServedModel, tags: Mapping[str, str]
) -> tuple[ModelVersion, bool]:
    """Register a run's model, once: a run that has a version keeps it, with the new tags.

    The digest of its files is that of the first time, so that files changed since are noticed.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    run : LoggedRun
        The run.
    model : ServedModel
        Its model.
    tags : mapping of str to str
        Tags of the version.

    Returns
    -------
    ModelVersion, bool
        The version, and whether it is new.

    Raises
    ------
    TrackingError
        If the registry does not take it.
    """
    with mlflow_told("the model was not registered"):
        known = registered(client, run)
        if known is not None:
            for name, value in tags.items():
                client.set_model_version_tag(known.name, known.version, name, value)
            return known, False
        import mlflow

        # MLflow looks for the logged model where this points, whatever the client's store is.
        mlflow.set_tracking_uri(client.tracking_uri)
        name = registered_name(run)
        _make_sure_of(client, name, run)
        client.create_model_version(
            name,
            source=model.uri,
            run_id=run.run_id,
            tags={**tags, MODEL_SHA256: model.sha256},
            model_id=model.model_id,
        )
        # Of two that were made at once, on two machines, the first is the run's.
        made = registered(client, run)
    if made is None:
        raise TrackingError(f"{name} has no version of run {run.run_id}; decide again")
    return made, True


def set_candidate(client: Any, version: ModelVersion) -> ModelVersion | None:
    """Give a version the alias ``candidate``; returns the one that had it."""
    with mlflow_told(f"{version} did not become candidate"):
        before = _bearer(client, version.name, CANDIDATE)
        client.set_registered_model_alias(version.name, CANDIDATE, version.version)
    return before


def set_champion(client: Any, version: ModelVersion, promotion: str) -> ModelVersion | None:
    """Give a version the alias ``champion``: for `corespot.review.promote.promote` alone.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    version : ModelVersion
        What the gate let through.
    promotion : str
        When, who, and what the gate found; kept as the version's tag.

    Returns
    -------
    ModelVersion or None
        The one that was champion.
    """
    with mlflow_told(f"{version} did not become champion"):
        before = _bearer(client, version.name, CHAMPION)
        kept = tag_name(datetime.now(UTC), PROMOTIONS)
        for tag in (kept, PROMOTED):
            client.set_model_version_tag(version.name, version.version, tag, promotion)
        client.set_registered_model_alias(version.name, CHAMPION, version.version)
        if before is not None and before.key != version.key:
            _forget_promotion(client, before)
    return before


def withdraw(client: Any, run_id: str) -> list[str]:
    """Take both aliases from all versions of a run; says which were taken from which."""
    told = []
    with mlflow_told(f"the aliases of run {run_id} were not withdrawn"):
        for version in versions_of(client, run_id):
            for alias in (CHAMPION, CANDIDATE):
                bearer = _bearer(client, version.name, alias)
                if bearer is not None and bearer.key == version.key:
                    client.delete_registered_model_alias(version.name, alias)
                    told.append(f"{version} is no longer {alias}")
            _forget_promotion(client, version)
    return told


def aliases_of(client: Any, version: ModelVersion) -> tuple[str, ...]:
    """The aliases that a version bears now."""
    with mlflow_told("the model registry cannot be read"):
        aliases = client.get_registered_model(version.name).aliases
    return tuple(sorted(name for name, of in aliases.items() if str(of) == version.version))


def bearers(client: Any, alias: str) -> list[ModelVersion]:
    """Every version in the registry that bears an alias, however it came by it."""
    found, token = [], None
    with mlflow_told("the model registry cannot be read"):
        while True:
            page = client.search_registered_models(max_results=_PAGE, page_token=token)
            each = (_bearer(client, model.name, alias) for model in page)
            found += [bearer for bearer in each if bearer is not None]
            token = page.token
            if not token:
                return found


def standings(client: Any) -> dict[str, tuple[str, ...]]:
    """Aliases that the models of runs bear now, ``{run_id: ("candidate", "champion")}``.

    Raises
    ------
    TrackingError
        If the registry cannot be read.
    """
    found: dict[str, set[str]] = {}
    token: str | None = None
    with mlflow_told("the model registry cannot be read"):
        while True:
            page = client.search_registered_models(max_results=_PAGE, page_token=token)
            for model in page:
                for alias, number in model.aliases.items():
                    version = _version(client.get_model_version(model.name, str(number)))
                    found.setdefault(version.run_id, set()).add(str(alias))
            token = page.token
            if not token:
                return {run_id: tuple(sorted(aliases)) for run_id, aliases in found.items()}


def _make_sure_of(client: Any, name: str, run: LoggedRun) -> None:
    """Make a registered model if there is none of this name."""
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(
            name,
            tags={"cohort": run.experiment, "task": run.task},
            description="Versions that a reviewer approved; see the tag review.decision of runs.",
        )
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _bearer(client: Any, name: str, alias: str) -> ModelVersion | None:
    number = client.get_registered_model(name).aliases.get(alias)
    return None if number is None else _version(client.get_model_version(name, str(number)))


def _forget_promotion(client: Any, version: ModelVersion) -> None:
    if PROMOTED in version.tags:
        client.delete_model_version_tag(version.name, version.version, PROMOTED)


def _version(found: Any) -> ModelVersion:
    return ModelVersion(
        name=str(found.name),
        version=str(found.version),
        run_id=str(found.run_id or ""),
        source=str(found.source or ""),
        tags=dict(found.tags),
    )
