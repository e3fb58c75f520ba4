"""Blow a finished project up to the size of a large study: many runs, one of them at paper scale.

    python -m benchmarks.app.large_project PROJECT OUT --runs 500 --spots 27475 --bins 27286

PROJECT is a project after `make run`. OUT gets an MLflow store of its own with `--runs` runs made
from PROJECT's (metrics jittered), and files for the newest of them: spectra, predictions,
sensitivity and audit on `--bins` bins and `--spots` spots, by repeating those of PROJECT. The
numbers mean nothing; their sizes do. Raw spectra are written for one TMA. `measure.py` then times
the app on OUT.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import yaml
from benchmarks.app.large_data import make_data, make_studies
from mlflow.entities import Metric, Param, RunTag

from corespot.axis import MzAxis
from corespot.io.artifacts import read_arrays, write_arrays, write_json, write_table
from corespot.tracking.reading import LoggedRun, find_runs, reading_client
from corespot.tracking.run_files import RunFiles
from corespot.tracking.store import experiment_id, prepare_store

_HASH = "0" * 32 + ".dir"


def main() -> None:
    """Make the project."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("project", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--spots", type=int, default=27475)
    parser.add_argument("--bins", type=int, default=27286)
    given = parser.parse_args()
    source = given.project.resolve()
    client = reading_client(f"sqlite:///{source}/mlruns/mlflow.db")
    runs = [run for run in find_runs(client) if run.tags.get("level") == "model"]
    out = given.out.resolve()
    out.mkdir(parents=True)
    shutil.copy(source / "params.yaml", out / "params.yaml")
    rows = make_store(source, out, given.spots, given.bins)
    make_data(source, out)
    make_studies(source, out)
    started = time.perf_counter()
    newest, next_to_it = make_runs(out, runs, given.runs)
    print(f"{given.runs} runs written in {time.perf_counter() - started:.0f} s")
    make_files(client, runs[0], out, newest, rows)
    shutil.copytree(files_of(out, newest), files_of(out, next_to_it), dirs_exist_ok=True)
    print(f"large runs: {newest},{next_to_it}")


def make_store(source: Path, out: Path, n_spots: int, n_bins: int) -> pd.DataFrame:
    """Write a spectra store of this size; returns its spots with ``source``, the row repeated."""
    spots = pd.read_parquet(source / "data/store/spots.parquet")
    old = np.load(source / "data/store/spectra.npy", mmap_mode="r")
    axis = MzAxis.tof(500.0, 4500.0, n_bins)
    old_mz = np.load(source / "data/store/axis.npy")
    copies = -(-n_spots // len(spots))
    parts = []
    for copy in range(copies):
        part = spots.assign(source=np.arange(len(spots)))
        # As many TMAs, but larger ones: copies lie beside each other on the same slide.
        part["x"] += copy % 4 * (int(spots["x"].max()) + 3)
        part["y"] += copy // 4 * (int(spots["y"].max()) + 3)
        for name in ("core", "patient"):
            part[name] = [f"{copy}-{value}" for value in part[name]]
        parts.append(part)
    rows = pd.concat(parts, ignore_index=True).head(n_spots)
    rows["spectrum"] = rows.groupby("file").cumcount()
    folder = out / "data/store"
    folder.mkdir(parents=True)
    spectra = np.lib.format.open_memmap(
        folder / "spectra.npy", mode="w+", dtype=np.float32, shape=(n_spots, n_bins)
    )
    place = np.searchsorted(old_mz, axis.mz).clip(0, len(old_mz) - 1)
    for start in range(0, n_spots, 512):
        block = rows["source"].to_numpy()[start : start + 512]
        spectra[start : start + len(block)] = np.asarray(old[block])[:, place]
    spectra.flush()
    np.save(folder / "axis.npy", axis.mz)
    meta = json.loads((source / "data/store/store.json").read_text())
    meta |= {"axis_kind": axis.kind, "axis_fingerprint": axis.fingerprint}
    write_json(folder / "store.json", meta)
    write_table(folder / "spots.parquet", rows.drop(columns="source"))
    lock = {"schema": "2.0", "stages": {"preprocess": {"outs": [{"path": "data/store"}]}}}
    lock["stages"]["preprocess"]["outs"][0]["md5"] = _HASH
    (out / "dvc.lock").write_text(yaml.safe_dump(lock))
    return rows


def make_runs(out: Path, runs: list[LoggedRun], n_runs: int) -> tuple[str, str]:
    """Write runs like those of the project; returns the identifiers of the two newest."""
    uri = prepare_store(root=out)
    experiment = experiment_id("large", uri)
    client = mlflow.MlflowClient(uri)
    rng = np.random.default_rng(0)
    axis = MzAxis(np.load(out / "data/store/axis.npy"), "tof")
    made_ids = []
    for number in reversed(range(n_runs)):
        like = runs[number % len(runs)]
        made = client.create_run(experiment, run_name=f"{like.name} {number}")
        run_id = made.info.run_id
        made_ids.append(run_id)
        now = int(time.time() * 1000)
        tags = {key: value for key, value in like.tags.items() if not key.startswith("mlflow.")}
        tags |= {"dvc.store": _HASH, "axis.fingerprint": axis.fingerprint}
        client.log_batch(
            run_id,
            [Metric(k, v - rng.uniform(0, 0.1), now, 0) for k, v in like.metrics.items()],
            [Param(key, value) for key, value in like.params.items()],
            [RunTag(key, value) for key, value in tags.items()],
        )
        client.set_terminated(run_id)
    return made_ids[-1], made_ids[-2]


def files_of(out: Path, run_id: str) -> Path:
    """Folder of a run's files."""
    client = mlflow.MlflowClient(f"sqlite:///{out}/mlruns/mlflow.db")
    return Path(client.get_run(run_id).info.artifact_uri.removeprefix("file://"))


def make_files(client: object, like: LoggedRun, out: Path, run_id: str, rows: pd.DataFrame) -> None:
    """Write the files of one run, grown from those of another."""
    source = RunFiles(client, like)
    target = files_of(out, run_id)
    shutil.copytree(source.folder("audit"), target / "audit")
    shutil.copytree(source.folder("sensitivity"), target / "sensitivity")
    shutil.copytree(source.folder("tables"), target / "tables")
    shutil.copy(source.file("metrics.json"), target / "metrics.json")
    mz = np.load(out / "data/store/axis.npy")
    arrays = read_arrays(target / "sensitivity/sensitivity.npz")
    place = np.searchsorted(arrays["mz"], mz).clip(0, len(arrays["mz"]) - 1)
    n_old = len(arrays["mz"])
    grown = {k: v[..., place] if v.shape[-1:] == (n_old,) else v for k, v in arrays.items()}
    write_arrays(target / "sensitivity/sensitivity.npz", grown | {"mz": mz, "axis_kind": "tof"})
    folds = read_arrays(target / "sensitivity/folds.npz")
    write_arrays(
        target / "sensitivity/folds.npz",
        {k: v[..., place] if v.shape[-1:] == (n_old,) else v for k, v in folds.items()},
    )
    spectrum = pd.read_parquet(target / "audit/spectrum.parquet")
    nearest = np.searchsorted(spectrum["mz"], mz).clip(0, len(spectrum) - 1)
    write_table(target / "audit/spectrum.parquet", spectrum.iloc[nearest].assign(mz=mz))
    spots = pd.read_parquet(target / "tables/spots.parquet").set_index("row")
    predictions = pd.read_parquet(target / "tables/predictions.parquet")
    kept = rows[rows["source"].isin(spots.index)]
    new = spots.loc[kept["source"]].reset_index(drop=True).assign(row=kept.index)
    for name in ("file", "x", "y", "core", "tma", "patient"):
        new[name] = kept[name].to_numpy()
    write_table(target / "tables/spots.parquet", new)
    by_row = pd.DataFrame({"source": kept["source"], "new": kept.index})
    merged = predictions.merge(by_row, left_on="row", right_on="source").drop(columns="source")
    write_table(
        target / "tables/predictions.parquet",
        merged.assign(row=merged["new"]).drop(columns="new").sort_values("row"),
    )


if __name__ == "__main__":
    main()
