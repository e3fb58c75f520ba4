"""A synthetic study for the tuning benchmarks: eight TMAs, weak markers, a store on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from corespot.axis import MzAxis
from corespot.cohort.splits import FoldSettings, make_folds
from corespot.cohort.tasks import Task, select_spots
from corespot.io.store import SpectraStore, create_store
from corespot.tune.request import TuningRequest
from corespot.tune.settings import TuneSettings
from corespot.tune.space import space_of


def make_request(
    folder: Path,
    *,
    model: str,
    trials: int,
    settings: dict[str, Any] | None = None,
    n_bins: int = 800,
    spots_a_core: int = 8,
    **tune: Any,
) -> TuningRequest:
    """Write a cohort of 8 TMAs with 6 patients each into `folder`, and ask for its studies."""
    rows = [
        {"tma": f"T{tma}", "patient": f"P{tma}-{patient}", "core": f"C{tma}-{patient}"}
        for tma in range(8)
        for patient in range(6)
        for _ in range(spots_a_core)
    ]
    spots = pd.DataFrame(rows)
    patient = spots["patient"].str.partition("-")[2].astype(int)
    spots["kind"] = np.where(patient % 2 == 0, "a", "b")
    spots = spots.assign(file="x.imzML", spectrum=range(len(spots)), x=range(len(spots)), y=1)
    rng = np.random.default_rng(0)
    spectra = rng.gamma(2, 1, (len(spots), n_bins)).astype(np.float32)
    marked = (spots["kind"] == "a").to_numpy()
    for marker in range(12):
        spectra[:, marker * (n_bins // 12)] += 0.7 * marked
    if not (folder / "store").exists():
        axis = MzAxis.tof(800, 2000, n_bins)
        with create_store(folder / "store", spots=spots, axis=axis, meta={"recipe": []}) as writer:
            writer.write(slice(0, len(spots)), spectra)
    store = SpectraStore.open(folder / "store")
    task = select_spots(store.spots, "T", Task(label="kind", classes=("a", "b")))
    return TuningRequest(
        store=folder / "store",
        task=task,
        folds=make_folds(task, FoldSettings(group="tma", k=2)),
        model=model,
        settings=settings or {},
        space=space_of(model, {}, "space"),
        tune=TuneSettings.parse({"trials": trials, **tune}, "benchmark"),
        trials=trials,
        timeout=None,
        folder=folder / "studies",
        device="cpu",
    )
