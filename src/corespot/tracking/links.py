"""Links from a run to the review app."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

#: Where `corespot app` serves the review app unless told otherwise.
APP_URL = "http://127.0.0.1:8501"


def app_link(runs: str | Sequence[str], view: str, base: str = APP_URL) -> str:
    """Address of a view of the review app with runs chosen.

    Parameters
    ----------
    runs : str or sequence of str
        Identifiers of runs.
    view : str
        Name of the view, ``confounding`` for example.
    base : str
        Where the app is served.
    """
    chosen = runs if isinstance(runs, str) else ",".join(runs)
    return f"{base.rstrip('/')}/?{urlencode({'run': chosen, 'view': view})}"


def link_tags(run_id: str, base: str = APP_URL) -> dict[str, str]:
    """Tags that lead from a run in the MLflow UI to the review app; the note can be clicked."""
    evidence, decision = (app_link(run_id, view, base) for view in ("confounding", "decision"))
    return {
        "review.link": evidence,
        "mlflow.note.content": f"Review app: [the evidence]({evidence}), [decide]({decision})",
    }
