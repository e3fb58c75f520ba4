"""The model that a run logged to be served, and whether it is still the one it was."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

import yaml

from corespot.errors import StoreError
from corespot.tracking.reading import LoggedRun, mlflow_told, read_run
from corespot.tracking.runs import Run

#: Tag of a run: digest of its model's files as training logged them.
LOGGED_SHA256 = "model.sha256"
_SCHEME = "models:/"
_LOADER = "corespot.tracking.pyfunc"


@dataclass(frozen=True)
class ServedModel:
    """A logged model.

    Parameters
    ----------
    uri : str
        ``models:/<identifier>``, as the run's tag names it.
    model_id : str
        Its identifier.
    sha256 : str
        Digest of all its files.
    """

    uri: str
    model_id: str
    sha256: str


def served_model(client: Any, run: LoggedRun) -> ServedModel:
    """The model that a run logged to be served, its files read and digested.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    run : LoggedRun
        The run.

    Raises
    ------
    TrackingError
        If the store does not know it.
    StoreError
        If the run logged none, or one of another run, or its files are gone or are not ours.
    """
    uri = run.tags.get("model_uri", "")
    if not uri:
        what = "a model that is applied to corrected TMAs" if _is_corrected(run) else "the run"
        raise StoreError(f"there is no model to serve: {what} logs none")
    model_id = uri.removeprefix(_SCHEME)
    if not uri.startswith(_SCHEME) or not model_id.replace("-", "").isalnum():
        raise StoreError(f"the tag model_uri, {uri!r}, names no logged model")
    with mlflow_told(f"the model {uri!r} is not in this MLflow store"):
        logged = client.get_logged_model(model_id)
    if logged.source_run_id != run.run_id:
        raise StoreError(f"the model {uri} is of run {logged.source_run_id}, not of this one")
    with _files(str(logged.artifact_location), client) as folder:
        _check_ours(folder, uri)
        return ServedModel(uri, model_id, _digest(folder))


def served_tags(run: Run, uri: str) -> dict[str, str]:
    """Tags of a run that has just logged its model: where it is, and the digest of its files.

    Parameters
    ----------
    run : Run
        The run.
    uri : str
        What `log_ensemble` gave.
    """
    logged = read_run(run.client, run.run_id)
    model = served_model(run.client, replace(logged, tags={**logged.tags, "model_uri": uri}))
    return {"model_uri": uri, LOGGED_SHA256: model.sha256}


def _is_corrected(run: LoggedRun) -> bool:
    return "batch_correction" in run.tags.get("mitigation", "")


@contextmanager
def _files(location: str, client: Any) -> Iterator[Path]:
    """The model's folder: in place where it is on this disk, fetched for the time where not."""
    parts = urlsplit(location)
    if parts.scheme in ("", "file"):
        yield Path(url2pathname(unquote(parts.path)) if parts.scheme else location)
        return
    from mlflow.artifacts import download_artifacts

    with tempfile.TemporaryDirectory(prefix="corespot-model-") as folder:
        with mlflow_told(f"the model's files at {location} cannot be fetched"):
            found = download_artifacts(
                artifact_uri=location, dst_path=folder, tracking_uri=client.tracking_uri
            )
        yield Path(found)


def _check_ours(folder: Path, uri: str) -> None:
    """Refuse a model that would be loaded by other code than this package's."""
    try:
        about = yaml.safe_load((folder / "MLmodel").read_text(encoding="utf-8"))
        flavor = about["flavors"]["python_function"]
        loader, code, data = flavor["loader_module"], flavor.get("code"), flavor["data"]
        inside = (folder / data).resolve().is_relative_to(folder.resolve())
    except FileNotFoundError:
        raise StoreError(
            f"the files of the model {uri} are gone ({folder} has no MLmodel)"
        ) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, AttributeError):
        raise StoreError(f"the model {uri} cannot be read ({folder / 'MLmodel'})") from None
    if loader != _LOADER or code is not None or not inside:
        raise StoreError(f"the model {uri} is loaded by {loader!r}, expected {_LOADER} alone")
    if not any((folder / data).rglob("*.safetensors")):
        raise StoreError(f"the model {uri} holds no weights")


def _digest(folder: Path) -> str:
    total = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        # MLflow writes this one when it fetches a registered model.
        if file.name == "registered_model_meta":
            continue
        with file.open("rb") as stream:
            own = hashlib.file_digest(stream, "sha256").hexdigest()
        total.update(f"{file.relative_to(folder).as_posix()}\n{own}\n".encode())
    return total.hexdigest()
