"""A small cohort on which studies take seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.axis import MzAxis
from corespot.cohort.splits import FoldSettings, make_folds
from corespot.cohort.tasks import Task, select_spots
from corespot.io.store import SpectraStore, create_store
from corespot.tune.request import TuningRequest
from corespot.tune.settings import TuneSettings
from corespot.tune.space import space_of

N_BINS = 64
TASK = Task(label="kind", classes=("a", "b"))
#: A bin that carries nothing, unless a test plants something there.
FREE_BIN = 50


def spot_table(n_tmas: int = 8) -> pd.DataFrame:
    rows = [
        {"tma": f"T{tma}", "patient": f"P{tma}{patient}", "core": f"C{tma}{patient}"}
        for tma in range(n_tmas)
        for patient in range(4)
        for _ in range(4)
    ]
    table = pd.DataFrame(rows)
    table["kind"] = np.where(table["patient"].str[-1].astype(int) % 2 == 0, "a", "b")
    return table.assign(file="x.imzML", spectrum=range(len(table)), x=range(len(table)), y=1)


def spectra_of(spots: pd.DataFrame, seed: int = 0) -> npt.NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    spectra = rng.gamma(2, 1, (len(spots), N_BINS)).astype(np.float32)
    # Weak markers, so that settings differ in what they make of them.
    for at in range(8):
        spectra[:, 3 * at] += 0.8 * (spots["kind"] == "a").to_numpy()
    return spectra


def make_request(
    folder: Path,
    spectra: npt.NDArray[np.float32] | None = None,
    *,
    spots: pd.DataFrame | None = None,
    model: str = "logistic",
    settings: dict[str, Any] | None = None,
    space: dict[str, Any] | None = None,
    trials: int = 4,
    timeout: float | None = None,
    folds: FoldSettings | None = None,
    **tune: Any,
) -> TuningRequest:
    table = spot_table() if spots is None else spots
    values = spectra_of(table) if spectra is None else spectra
    axis = MzAxis.tof(800, 900, N_BINS)
    store = folder / "store"
    if not store.exists():
        with create_store(store, spots=table, axis=axis, meta={"recipe": []}) as writer:
            writer.write(slice(0, len(table)), values)
    task = select_spots(SpectraStore.open(store).spots, "T", TASK)
    return TuningRequest(
        store=store,
        task=task,
        folds=make_folds(task, folds or FoldSettings(group="tma", k=2)),
        model=model,
        settings=settings or {},
        space=space_of(model, space or {}, "space"),
        tune=TuneSettings.parse({"trials": trials, "inner": {"k": 2, "repeats": 1}, **tune}, "t"),
        trials=trials,
        timeout=timeout,
        folder=folder / "studies",
        device="cpu",
    )
