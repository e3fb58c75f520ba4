"""The files that a run logged, wherever the tracking server keeps them."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from corespot.errors import StoreError
from corespot.tracking.reading import LoggedRun


class RunFiles:
    """Files of a run: read in place where they are on this disk, fetched once where not.

    Parameters
    ----------
    client : MlflowClient
        Client of the store that knows the run.
    run : LoggedRun
        The run.
    """

    def __init__(self, client: Any, run: LoggedRun) -> None:
        self.client = client
        self.run = run

    def file(self, path: str) -> Path:
        """A file on this disk.

        Parameters
        ----------
        path : str
            Path within the run's artifacts, with forward slashes.

        Raises
        ------
        StoreError
            If the run has no such file, or it cannot be fetched.
        """
        found = self._found(path)
        if not found.is_file():
            raise StoreError(f"{self._who()} has no {path}{self._why()}")
        return found

    def folder(self, path: str) -> Path:
        """A folder of files on this disk.

        Raises
        ------
        StoreError
            If the run has no such folder, or it cannot be fetched.
        """
        found = self._found(path)
        if not found.is_dir():
            raise StoreError(f"{self._who()} has no {path}/{self._why()}")
        return found

    def has(self, path: str) -> bool:
        """Whether the run has this file or folder."""
        if self._is_elsewhere:
            try:
                return self._fetched(path).exists()
            except StoreError:
                return False
        return self._local(path).exists()

    @property
    def _is_elsewhere(self) -> bool:
        return urlsplit(self.run.artifact_uri).scheme not in ("", "file")

    def _found(self, path: str) -> Path:
        return self._fetched(path) if self._is_elsewhere else self._local(path)

    def _local(self, path: str) -> Path:
        parts = urlsplit(self.run.artifact_uri)
        base = Path(url2pathname(unquote(parts.path)) if parts.scheme else self.run.artifact_uri)
        found = (base / path).resolve()
        if not found.is_relative_to(base.resolve()):
            raise StoreError(f"{path!r} is not a path within a run")
        return found

    def _fetched(self, path: str) -> Path:
        from mlflow.exceptions import MlflowException

        target = _cache_folder() / self.run.run_id
        target.mkdir(parents=True, exist_ok=True)
        try:
            return Path(self.client.download_artifacts(self.run.run_id, path, str(target)))
        except (MlflowException, OSError) as error:
            first = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise StoreError(
                f"{path} of {self._who()} cannot be fetched ({first}){self._why()}"
            ) from None

    def _who(self) -> str:
        return f"run {self.run.run_id} ({self.run.name})"

    def _why(self) -> str:
        if self.run.deleted:
            return "; the run was deleted"
        if self.run.status == "RUNNING":
            return "; it is still running: look again when it has finished"
        if self.run.status != "FINISHED":
            return f"; it ended as {self.run.status}: run `dvc repro` again"
        return "; it was not logged, or its files were deleted: `dvc repro` logs it again"


@cache
def _cache_folder() -> Path:
    """A folder that goes when the program ends; what was logged since is fetched by the next."""
    _kept.append(tempfile.TemporaryDirectory(prefix="corespot-artifacts-"))
    return Path(_kept[0].name)


_kept: list[tempfile.TemporaryDirectory[str]] = []
