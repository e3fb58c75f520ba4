"""A training stage in MLflow: complete, also when it goes on from what a killed one left."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from corespot.axis import MzAxis
from corespot.cohort.splits import FoldSettings, make_folds
from corespot.cohort.tasks import Task, select_spots
from corespot.io.artifacts import read_table
from corespot.io.store import SpectraStore, create_store
from corespot.tracking.fold_records import TrainingRequest
from corespot.tracking.runs import start_run
from corespot.tracking.training import train_and_record
from corespot.train.crossvalidate import cross_validate

EPOCHS = 3


@pytest.fixture
def request_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainingRequest:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    unit = np.repeat(np.arange(8), 5)
    spots = pd.DataFrame(
        {
            "file": "a.imzML",
            "spectrum": np.arange(40),
            "core": [f"C{i}" for i in unit],
            "tma": [f"T{i // 2}" for i in unit],
            "patient": [f"P{i}" for i in unit],
            "label": np.where(unit % 2 == 0, "a", "b"),
        }
    )
    spectra = np.random.default_rng(0).random((40, 150), dtype=np.float32)
    axis, meta = MzAxis.tof(500, 4500, 150), {"recipe": []}
    with create_store(tmp_path / "store", spots=spots, axis=axis, meta=meta) as writer:
        writer.write(slice(0, 40), spectra)
    store = SpectraStore.open(tmp_path / "store")
    task = select_spots(store.spots, "T", Task(label="label", classes=("a", "b")))
    return TrainingRequest(
        store=store,
        task=task,
        folds=make_folds(task, FoldSettings(group="tma", k=2)),
        model="isotopenet",
        settings={"epochs": EPOCHS, "batch_size": 16},
        seed=1,
        device="cpu",
        n_bootstrap=100,
    )


def test_a_resumed_run_holds_every_epoch(request_: TrainingRequest, tmp_path: Path) -> None:
    checkpoints = tmp_path / "checkpoints"
    killed = cross_validate(
        request_.store,
        request_.task,
        request_.folds,
        model=request_.model,
        settings=request_.settings,
        seed=request_.seed,
        device=request_.device,
        checkpoints=checkpoints,
    )
    expected = next(killed).probabilities
    killed.close()
    with start_run("T isotopenet", experiment="x", tags={}) as run:
        train_and_record(request_, run, out=tmp_path / "out", checkpoints=checkpoints)
    children = run.client.search_runs(
        [run.experiment], f"tags.`mlflow.parentRunId` = '{run.run_id}'"
    )
    assert len(children) == 2
    for child in children:
        history = run.client.get_metric_history(child.info.run_id, "train_loss")
        assert sorted(entry.step for entry in history) == list(range(1, EPOCHS + 1))
    table = read_table(tmp_path / "out" / "predictions.parquet")
    first = table[table["fold"] == 0].sort_values("row")
    np.testing.assert_array_equal(first[["prob_a", "prob_b"]].to_numpy(), expected)
    assert not checkpoints.exists()
