"""What the view of the data and of the studies reads, at the size of a large study."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from corespot.cohort.splits import FoldSettings, make_folds
from corespot.cohort.tasks import select_spots
from corespot.io.artifacts import write_json, write_table
from corespot.io.folds import write_folds
from corespot.io.imzml_write import write_imzml
from corespot.io.store import SpectraStore
from corespot.params import load_params

_N_TRIALS = 100
_BLOCK = 256


def make_data(source: Path, out: Path) -> None:
    """Write summary, quality, design and folds for OUT's store, and one raw file of it.

    Parameters
    ----------
    source : Path
        A finished project.
    out : Path
        The large one, its store and ``params.yaml`` written already.
    """
    store, params = SpectraStore.open(out / "data/store"), load_params(out / "params.yaml")
    spots = store.spots
    shutil.copytree(source / "data/design", out / "data/design")
    summary = json.loads((source / "data/ingest/summary.json").read_text(encoding="utf-8"))
    counts = {f"n_{name}s": int(spots[name].nunique()) for name in ("core", "patient", "tma")}
    write_json(out / "data/ingest/summary.json", summary | counts | {"n_spots": len(spots)})
    for name in ("cores.parquet", "markers.csv"):
        shutil.copy(source / "data/ingest" / name, out / "data/ingest" / name)
    write_table(out / "data/ingest/spots.parquet", spots)
    _quality(source, out, store)
    settings = FoldSettings.parse({"group": "tma", "k": 4, "repeats": 4, "seed": 1}, "folds")
    for name, task in params.tasks.items():
        table = make_folds(select_spots(spots, name, task), settings)
        write_folds(out / "data/folds" / name, table)
    _raw_file(out, store)


def make_studies(source: Path, out: Path) -> None:
    """Copy SOURCE's studies, if it has any, and give each a hundred trials like its own."""
    if not (source / "data/studies/optuna.journal").is_file():
        return
    locks = shutil.ignore_patterns("*.lock")
    shutil.copytree(source / "data/studies", out / "data/studies", ignore=locks)
    shutil.copytree(source / "data/tune", out / "data/tune")
    storage = JournalStorage(JournalFileBackend(str(out / "data/studies/optuna.journal")))
    rng = np.random.default_rng(0)
    for name in optuna.get_all_study_names(storage):
        study = optuna.load_study(study_name=name, storage=storage)
        done = [one for one in study.trials if one.value is not None]
        for number in range(len(done), _N_TRIALS):
            like = done[number % len(done)]
            study.add_trial(
                optuna.trial.create_trial(
                    params=like.params,
                    distributions=like.distributions,
                    value=float(like.value or 0) - rng.uniform(0, 0.1),
                    user_attrs=like.user_attrs,
                    system_attrs=like.system_attrs,
                    intermediate_values=like.intermediate_values,
                )
            )


def _quality(source: Path, out: Path, store: SpectraStore) -> None:
    """Tables of quality: those of the source repeated, mean spectra on the large axis."""
    folder, target = source / "data/quality", out / "data/quality"
    small = pd.read_parquet(folder / "spots.parquet")
    grown = small.iloc[np.arange(len(store.spots)) % len(small)].reset_index(drop=True)
    write_table(
        target / "spots.parquet",
        grown.assign(row=np.arange(len(grown)), tma=store.spots["tma"].to_numpy()),
    )
    shutil.copy(folder / "tmas.parquet", target / "tmas.parquet")
    means, mz = pd.read_parquet(folder / "mean_spectra.parquet"), store.axis.mz
    parts = []
    for _, one in means.groupby("tma", sort=False):
        place = np.searchsorted(one["mz"], mz).clip(0, len(one) - 1)
        parts.append(one.iloc[place].assign(mz=mz))
    write_table(target / "mean_spectra.parquet", pd.concat(parts, ignore_index=True))


def _raw_file(out: Path, store: SpectraStore) -> None:
    """The spectra of the first file as they might have been measured."""
    params = load_params(out / "params.yaml")
    name = store.spots["file"].iloc[0]
    rows = np.flatnonzero(store.spots["file"] == name)
    path = out / str(params.cohort) / str(name)
    path.parent.mkdir(parents=True)
    write_imzml(
        path,
        coordinates=store.spots.loc[rows, ["x", "y"]].to_numpy(np.int64),
        blocks=(store.take(rows[at : at + _BLOCK]) for at in range(0, len(rows), _BLOCK)),
        mz=store.axis.mz,
    )
