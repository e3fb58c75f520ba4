"""The run that somebody means: by its identifier, the beginning of it, or task and model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches

from corespot.errors import TrackingError
from corespot.review.project import Project
from corespot.tracking.reading import (
    MODEL_LEVELS,
    LoggedRun,
    find_runs,
    read_run,
    reading_client,
)

#: Fewest characters of an identifier that are taken for its beginning.
LEAST = 6
_WHOLE = re.compile(r"[0-9a-f]{32}")
#: Runs named in an error.
_SUGGESTED = 6


def find_run(project: Project, text: str) -> LoggedRun:
    """The run of a whole model that `text` names.

    Parameters
    ----------
    project : Project
        Whose runs, and whose trained models, are looked at.
    text : str
        An identifier (of a deleted run, too), at least six first characters of one that is not
        deleted, or ``TASK/MODEL``: the run that trained what the project holds now.

    Raises
    ------
    TrackingError
        If none or several are meant; says which there are.
    """
    wanted = text.strip()
    client = reading_client(project.tracking_uri)
    runs = find_runs(client)
    if "/" in wanted:
        wanted = _trained(project, wanted, runs)
    lower = wanted.lower()
    exact = [run for run in runs if run.run_id == lower]
    if exact:
        return exact[0]
    if _WHOLE.fullmatch(lower):
        found = read_run(client, lower)
        level = found.tags.get("level", "")
        if level in MODEL_LEVELS:
            return found
        raise TrackingError(
            f"run {lower} ({found.name}) is {f'a {level}' if level else 'no run of ours'}, "
            f"expected the run of a whole model; {_suggested(runs)}"
        )
    begun = [run for run in runs if run.run_id.startswith(lower)] if lower else []
    if len(lower) < LEAST:
        raise TrackingError(
            f"{text!r} is too short for the beginning of a run's identifier: expected {LEAST} "
            f"characters or more, or TASK/MODEL; {_suggested(begun or runs)}"
        )
    if len(begun) > 1:
        raise TrackingError(
            f"{len(begun)} runs begin with {text!r}, give more of it; {_suggested(begun)}"
        )
    if not begun:
        raise TrackingError(f"there is no run {text!r}; {_suggested(runs, wanted)}")
    return begun[0]


def _trained(project: Project, wanted: str, runs: Sequence[LoggedRun]) -> str:
    """The run that training named in the folder of a task's model."""
    task, _, model = wanted.partition("/")
    for part in (task, model):
        if not part.replace("_", "").replace("-", "").isalnum():
            raise TrackingError(
                f"{wanted!r} is no TASK/MODEL: {part!r} is no name; {_suggested(runs, wanted)}"
            )
    path = project.root / "data" / "train" / task / model / "run_id.txt"
    try:
        found = path.read_text(encoding="ascii").strip().lower()
    except FileNotFoundError:
        raise TrackingError(
            f"{model} was not trained on {task} in this project ({path} is missing); run `dvc "
            f"repro`, or name a run; {_suggested(runs, wanted)}"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise TrackingError(f"{path} cannot be read ({error}); run `dvc repro`") from None
    if not _WHOLE.fullmatch(found):
        raise TrackingError(f"{path} holds no identifier of a run; run `dvc repro`")
    return found


def _suggested(runs: Sequence[LoggedRun], wanted: str = "") -> str:
    """Some runs that may be meant, those most like `wanted` first."""
    if not runs:
        return "there is no run of a model yet: `make run`"
    names = {f"{run.task}/{run.model}" for run in runs}
    near = get_close_matches(wanted, names, n=2, cutoff=0.4)
    ordered = sorted(runs, key=lambda run: f"{run.task}/{run.model}" not in near)
    listed = [f"{run.run_id[:8]} {run.task}/{run.model}" for run in ordered[:_SUGGESTED]]
    more = f" and {len(runs) - _SUGGESTED} more" if len(runs) > _SUGGESTED else ""
    return f"runs: {', '.join(listed)}{more}"
