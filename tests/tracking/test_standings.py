"""The list of runs is read without the collector, and says what the registry makes of them."""

from __future__ import annotations

import gc
from types import SimpleNamespace

import pytest

from corespot.errors import TrackingError
from corespot.tracking.reading import find_runs
from corespot.tracking.registry import standings


class Page(list):
    token = None


class Registry:
    """What of an MLflow client the list of standings asks for."""

    def __init__(self, aliases: dict[str, dict[str, str]]) -> None:
        self.aliases = aliases

    def search_registered_models(self, **_):
        return Page(SimpleNamespace(name=n, aliases=a) for n, a in self.aliases.items())

    def get_model_version(self, name, version):
        return SimpleNamespace(
            name=name, version=version, run_id=f"{name}-run-{version}", source="", tags={}
        )


def test_standings_are_by_run_and_without_those_that_bear_nothing() -> None:
    client = Registry({"LP": {"champion": "2", "candidate": "2"}, "Q": {"candidate": 1}, "R": {}})
    assert standings(client) == {"LP-run-2": ("candidate", "champion"), "Q-run-1": ("candidate",)}


@pytest.mark.parametrize("was_on", [True, False])
def test_the_collector_is_left_as_it_was_even_after_an_error(was_on: bool) -> None:
    seen = []

    class Broken:
        def search_experiments(self, **_):
            seen.append(gc.isenabled())
            raise OSError("gone")

    try:
        (gc.enable if was_on else gc.disable)()
        with pytest.raises(TrackingError, match="gone"):
            find_runs(Broken())
        assert gc.isenabled() is was_on
    finally:
        gc.enable()
    assert seen == [False]
