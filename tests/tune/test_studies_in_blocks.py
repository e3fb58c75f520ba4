"""A study reads the store in blocks, and finds what it finds in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from study_problem import N_BINS, make_request

from corespot.errors import TuneError
from corespot.io.store import SpectraStore
from corespot.models.spectra_rows import SpectraRows
from corespot.tune.journal import open_storage
from corespot.tune.request import TuningRequest
from corespot.tune.work import open_studies, work

SETTINGS: dict[str, dict[str, Any]] = {
    "logistic": {},
    "roc_lda": {"k_grid": [2, 5, 10]},
    "conv1d": {"epochs": 2, "n_kept": 20},
}


def worked_on(request: TuningRequest) -> list[Any]:
    """Names of the studies, settings and values of their trials."""
    work(request)
    opened = open_studies(request, open_storage(None, request.folder))
    return [(o.study.study_name, [(t.params, t.values) for t in o.trials()]) for o in opened]


@pytest.mark.parametrize("model", SETTINGS)
def test_studies_are_those_of_spectra_in_memory(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {"model": model, "settings": SETTINGS[model], "trials": 3}
    unread = worked_on(make_request(tmp_path / "unread", **asked))
    monkeypatch.setattr(SpectraStore, "rows", SpectraStore.take)
    assert worked_on(make_request(tmp_path / "held", **asked)) == unread
    assert any(values for _, trials in unread for _, values in trials)


@pytest.mark.parametrize("model", ["roc_lda", "conv1d"])
def test_no_part_of_a_fold_is_copied(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    get = SpectraRows.__getitem__

    def noted(self: SpectraRows, which: Any) -> Any:
        block = get(self, which)
        read.append(len(block))
        return block

    def refused(*_: object) -> None:
        raise TuneError("the spectra of a whole part were copied into memory")

    monkeypatch.setattr(SpectraStore, "take", refused)
    monkeypatch.setattr(SpectraRows, "__array__", refused)
    monkeypatch.setattr(SpectraRows, "__getitem__", noted)
    for room in ("models.spectra_input", "models.log_bins", "train.data"):
        monkeypatch.setattr(f"corespot.{room}._BLOCK_VALUES", 16 * N_BINS)
    monkeypatch.setattr("corespot.tune.training_part._BLOCK", 16)
    assert worked_on(make_request(tmp_path, model=model, settings=SETTINGS[model], trials=1))
    assert read and max(read) <= 16
