"""Where a run came from: git commit, uncommitted changes, DVC hashes of its inputs."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

# Safe as the other, and ten times as fast: a lock of many stages takes half a second otherwise.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def git_state(root: Path) -> dict[str, str]:
    """Commit and dirty flag of the working tree; ``none`` outside git.

    Parameters
    ----------
    root : Path
        Folder of the project.

    Returns
    -------
    dict
        ``git_commit`` and ``git_dirty`` (``true`` or ``false``).
    """
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        return {"git_commit": "none", "git_dirty": "unknown"}
    # DVC rewrites dvc.lock and reports while stages run; that alone is not a change of the code.
    changed = _git(
        root, "status", "--porcelain", "--", ".", ":(exclude)dvc.lock", ":(exclude)reports"
    )
    return {"git_commit": commit, "git_dirty": "true" if changed else "false"}


def dvc_hashes(root: Path, paths: Mapping[str, str]) -> dict[str, str]:
    """Content hashes that DVC has recorded for stage outputs or added data.

    Parameters
    ----------
    root : Path
        Folder with ``dvc.lock``.
    paths : mapping of str to str
        Tag name to path relative to `root`.

    Returns
    -------
    dict
        Tag name to hash, ``unknown`` where DVC has none.
    """
    known = _locked_hashes(root)
    found = {}
    for name, path in paths.items():
        found[name] = known.get(path) or _added_hash(root, path) or "unknown"
    return found


def _locked_hashes(root: Path) -> dict[str, str]:
    lock = root / "dvc.lock"
    if not lock.is_file():
        return {}
    content: Any = yaml.load(lock.read_text(encoding="utf-8"), Loader=_LOADER) or {}
    hashes: dict[str, str] = {}
    # Outputs last: what a stage wrote is newer than what a later stage once read.
    for kind in ("deps", "outs"):
        for stage in (content.get("stages") or {}).values():
            for entry in stage.get(kind) or []:
                if entry.get("md5"):
                    hashes[str(entry["path"])] = str(entry["md5"])
    return hashes


def _added_hash(root: Path, path: str) -> str | None:
    pointer = root / (path.rstrip("/") + ".dvc")
    if not pointer.is_file():
        return None
    content: Any = yaml.safe_load(pointer.read_text(encoding="utf-8")) or {}
    outs = content.get("outs") or []
    return str(outs[0]["md5"]) if outs and outs[0].get("md5") else None


def _git(root: Path, *arguments: str) -> str | None:
    try:
        result = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return result.stdout.strip()
