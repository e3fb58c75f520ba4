"""Fixtures shared by all tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from reviewed_project import Reviewed

ROOT = Path(__file__).resolve().parents[1]

# The first example of a test may import scipy or compile a kernel, and machines are shared.
settings.register_profile("corespot", deadline=None)
settings.load_profile("corespot")


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Path of a real data set in ``../shared/data``; skips where it is absent."""

    def find(name: str) -> Path:
        folder = ROOT.parent / "shared" / "data" / name
        if not folder.is_dir():
            pytest.skip(f"real data set {name!r} is not in ../shared/data")
        return folder

    return find


@pytest.fixture(scope="session")
def reviewed_once(tmp_path_factory: pytest.TempPathFactory) -> Reviewed:
    """A tiny project with three audited runs; not to be written to."""
    from reviewed_project import make_reviewed  # MLflow takes its time

    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        return make_reviewed(tmp_path_factory.mktemp("reviewed") / "project")


@pytest.fixture
def reviewed(tmp_path: Path, reviewed_once: Reviewed, monkeypatch: pytest.MonkeyPatch) -> Reviewed:
    """A copy of it, to decide and promote in."""
    from reviewed_project import copied

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return copied(reviewed_once, tmp_path / "reviewed")
