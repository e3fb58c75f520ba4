"""Projects with runs, and views of the app launched on them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from app_projects import ROUTER, Launch, own_project_in, small_project_in
from streamlit.testing.v1 import AppTest


@pytest.fixture(scope="session")
def small_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with runs of ADSQ and LP, audited; not to be written to.

    It takes minutes to make. While working on the app, keep one: ``CORESPOT_SMALL_PROJECT`` names
    a folder in which it is made once and then found again.
    """
    kept = os.environ.get("CORESPOT_SMALL_PROJECT")
    if kept:
        return small_project_in(Path(kept))
    base = tmp_path_factory.getbasetemp()
    # Workers of one test run share the folder above their own.
    return small_project_in(base.parent if "PYTEST_XDIST_WORKER" in os.environ else base)


@pytest.fixture
def own_project(tmp_path: Path, small_project: Path) -> Path:
    """A project with the same runs, whose MLflow store may be written to."""
    folder = tmp_path / "project"
    folder.mkdir()
    return own_project_in(folder, small_project)


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> Launch:
    """``launched(project, view, runs)``: the app after its first run, as a deep link opens it."""

    def launch(
        project: Path, view: str = "overview", runs: Sequence[str] = (), **query: str
    ) -> AppTest:
        import streamlit as st

        monkeypatch.chdir(project)
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
        st.cache_data.clear()
        st.cache_resource.clear()
        test = AppTest.from_file(str(ROUTER), default_timeout=60)
        test.query_params["view"] = view
        if runs:
            test.query_params["run"] = ",".join(runs)
        for name, value in query.items():
            test.query_params[name] = value
        return test.run()

    return launch
