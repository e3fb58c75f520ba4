"""One-time preparation of a project folder: DVC, with or without git, and the MLflow store."""

from __future__ import annotations

import configparser
import shutil
from pathlib import Path

from corespot.errors import TrackingError
from corespot.io.artifacts import whole_file
from corespot.tracking.store import prepare_store


def initialise(root: Path) -> list[str]:
    """Make `root` ready for ``dvc repro``; doing it again changes nothing.

    Parameters
    ----------
    root : Path
        Folder with ``params.yaml`` and ``dvc.yaml``.

    Returns
    -------
    list of str
        What was done, a line each; empty if nothing had to be.

    Raises
    ------
    TrackingError
        If `root` is not a project.
    """
    if not (root / "dvc.yaml").is_file() or not (root / "params.yaml").is_file():
        raise TrackingError(f"{root}: there is no dvc.yaml and params.yaml; run this in a project")
    lines = []
    (root / ".dvc").mkdir(exist_ok=True)
    if _follow_git(root):
        lines.append("DVC follows git" if _in_git(root) else "no git here: DVC works without it")
    if not (root / "mlruns" / "mlflow.db").is_file():
        prepare_store(root=root)
        lines.append("MLflow store prepared in mlruns/")
    return lines


def _in_git(root: Path) -> bool:
    return shutil.which("git") is not None and any(
        (folder / ".git").exists() for folder in [root, *root.parents]
    )


def _follow_git(root: Path) -> bool:
    """Set DVC's `core.no_scm` to what is the case here; True if that changed anything."""
    file = root / ".dvc" / "config.local"
    config = configparser.ConfigParser()
    config.read(file)
    wanted = not _in_git(root)
    if config.getboolean("core", "no_scm", fallback=False) == wanted:
        return False
    if not config.has_section("core"):
        config.add_section("core")
    config.set("core", "no_scm", str(wanted).lower())
    with whole_file(file) as part, part.open("w", encoding="utf-8") as stream:
        config.write(stream)
    return True
