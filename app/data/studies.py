"""Studies of the project, and what training took from them; nothing is made, locked or written."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app.data.runs import project
from corespot.errors import StoreError
from corespot.io.artifacts import read_json

if TYPE_CHECKING:
    from corespot.tune.read_studies import SeenStudy

#: Seconds after which a database of studies is looked at again; a journal, when it has grown.
FRESH = 10
# Optuna's figures keep what they draw in module state; two people may ask at once.
_drawing = threading.Lock()


def preload() -> None:
    """Import Optuna and its figures in the background, so that the first look need not wait."""
    threading.Thread(target=_import, daemon=True).start()


def studies() -> tuple[list[SeenStudy], list[SeenStudy]]:
    """The study of each task, model and outer fold worked on last; and those of former settings.

    Raises
    ------
    TuneError
        If there is none yet, or they cannot be read.
    """
    url, folder = _storage()
    return _studies(url, str(folder), _changed(url, folder))


def progress(study: SeenStudy) -> Mapping[str, Any]:
    """How far a study is, now; see `SeenStudy.progress`."""
    return study.progress(time.time())


def figures(study: SeenStudy) -> dict[str, go.Figure]:
    """Optuna's figures of a study by name; not to be changed in place."""
    return _figures(study.stamp, study)


def trials(study: SeenStudy) -> pd.DataFrame:
    """Trials of a study, a column each setting; not to be changed in place."""
    return _trials(study.stamp, study)


def outcome(task: str, model: str) -> dict[str, Any] | None:
    """What the tuning stage left for training; ``None`` where it was not run or tuned nothing.

    Raises
    ------
    StoreError
        If it is damaged.
    """
    for part in (task, model):
        if not part.replace("_", "").replace("-", "").isalnum():
            return None
    path = project().root / "data" / "tune" / task / model / "tuned.json"
    if not path.is_file():
        return None
    found = read_json(path)
    if not isinstance(found, dict) or not isinstance(found.get("folds"), list):
        raise StoreError(f"{path} is damaged; run `dvc repro tune` again")
    return found if found["folds"] else None


def asked_trials(task: str, model: str) -> int | None:
    """Trials a study that ``params.yaml`` asks for, ``None`` where it cannot be read."""
    params = project().params
    return None if params is None else params.tune.trials_of(task, model)


def _storage() -> tuple[str | None, Path]:
    found, root = project(), Path(project().root)
    url = None if found.params is None else found.params.tune.storage
    scheme = "sqlite:///"
    if url is not None and url.startswith(scheme):
        # A relative file lies in the project.
        url = scheme + str(root / url.removeprefix(scheme))
    return url, root / "data" / "studies"


def _changed(url: str | None, folder: Path) -> tuple[int, int]:
    """Tells whether there is anything new to be read."""
    if url is not None:
        return int(time.time() // FRESH), 0
    try:
        found = (folder / "optuna.journal").stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


def _import() -> None:
    for name in ("corespot.tune.figures", "corespot.tune.read_studies"):
        import_module(name)


@st.cache_resource(max_entries=2, show_spinner="Reading the studies …")
def _studies(
    url: str | None, folder: str, changed: tuple[int, int]
) -> tuple[list[SeenStudy], list[SeenStudy]]:
    from corespot.tune.read_studies import current_and_former, see_studies

    return current_and_former(see_studies(url, Path(folder)))


@st.cache_resource(max_entries=32, show_spinner="Drawing the study …")
def _figures(stamp: str, _study: SeenStudy) -> dict[str, go.Figure]:
    from corespot.tune.figures import figures_of

    with _drawing:
        return figures_of(_study.study)


@st.cache_resource(max_entries=32, show_spinner=False)
def _trials(stamp: str, _study: SeenStudy) -> pd.DataFrame:
    return _study.table_by_setting()
