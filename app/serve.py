"""Start the review app with its libraries imported, so that the first visitor need not wait."""

from __future__ import annotations

import argparse
import gc
import importlib
import logging
import os
import threading
import tomllib
from pathlib import Path

from streamlit.web import cli

ROUTER = Path(__file__).with_name("router.py")
CONFIG = Path(__file__).parents[1] / ".streamlit" / "config.toml"
#: New objects after which Python looks for cycles among them; a page makes some ten thousand.
_BETWEEN_SEARCHES = 50_000
#: Imported before the first visitor, and what only some views need, beside him.
_FIRST = ("mlflow", "plotly.graph_objects", "pyarrow.parquet", "app.views.overview")
_LATER = (
    "app.views.sensitivity",
    "app.views.confounding",
    "app.views.tissue",
    "app.views.compare",
    "app.views.decision",
    "app.views.cohort",
    "app.views.studies",
    "corespot.mitigate.way",
    "corespot.models.registry",
    "corespot.tune.figures",
)


def main() -> None:
    """Serve the app of the project in the working directory until interrupted."""
    parser = argparse.ArgumentParser(prog="app.serve", description=main.__doc__)
    parser.add_argument("--port", type=int, default=8501)
    parser.add_argument("--address", default="127.0.0.1")
    given = parser.parse_args()
    # A server that does not answer is told within seconds, not after MLflow's minutes of trying.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    for name in _FIRST:
        importlib.import_module(name)
    _open_the_store()
    threading.Thread(target=_import_later, daemon=True).start()
    options = {**_configured(), "server.port": given.port, "server.address": given.address}
    cli.main(["run", str(ROUTER), *(f"--{name}={value}" for name, value in options.items())])


def _open_the_store() -> None:
    """Read the runs once: the first reading of an MLflow store takes as long as all the rest."""
    from app.data.runs import runs
    from corespot.errors import CorespotError

    logging.getLogger("streamlit").setLevel(logging.ERROR)  # it warns of readers without a page
    try:
        runs()
    except CorespotError:
        pass  # the page says what is the matter, and looks again
    finally:
        logging.getLogger("streamlit").setLevel(logging.INFO)


def _configured() -> dict[str, str]:
    """Settings of the app's own ``.streamlit/config.toml``, whatever folder it is started in."""
    sections = tomllib.loads(CONFIG.read_text(encoding="utf-8"))
    return {
        f"{section}.{name}": str(value).lower() if isinstance(value, bool) else str(value)
        for section, settings in sections.items()
        for name, value in settings.items()
    }


def _import_later() -> None:
    for name in _LATER:
        importlib.import_module(name)
    _spare_the_collector()


def _spare_the_collector() -> None:
    """Leave what was imported out of Python's search for cycles, and search less often.

    A million objects of libraries, which stay for good, would be looked through while somebody
    waits for a page.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_BETWEEN_SEARCHES, 20, 50)


if __name__ == "__main__":
    main()
