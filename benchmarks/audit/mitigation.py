"""Measure what each way out of confounding brings, and costs, on synthetic cohorts.

    python benchmarks/audit/mitigation.py --cohorts 8 --first-seed 910001 --out mitigation.jsonl
    python benchmarks/audit/mitigation.py --out mitigation.jsonl --summary

One line of JSON for every cohort, model and set of ways; what is there already is not done again.
Seeds from 900001 are for choosing strengths, seeds from 910001 for the figures that are published.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.axis import MzAxis
from corespot.cohort.splits import FoldSettings, make_folds
from corespot.cohort.tasks import Task, TaskSpots, select_spots
from corespot.mitigate.before_after import counterfactual_accuracy, cross_validated_accuracy
from corespot.mitigate.crossvalidate import cross_validate_mitigated
from corespot.mitigate.requested import make_ways
from corespot.mitigate.way import why_not_for
from corespot.models.spectra_rows import SpectraRows
from corespot.preprocess.recipe import Recipe
from corespot.seeding import generator
from corespot.synth import make_cohort
from corespot.synth.cohort import SynthSettings
from corespot.synth.confounds import DEFAULT_WEIGHTS

#: Sets of ways that are compared.
WAYS: dict[str, tuple[str, ...]] = {
    "plain": (),
    "mask_off_peak": ("mask_off_peak",),
    "peak_list": ("peak_list",),
    "artifact_projection": ("artifact_projection",),
    "augmentation": ("augmentation",),
    "batch_correction": ("batch_correction",),
    "artifact_penalty": ("artifact_penalty",),
    "projection+augmentation": ("artifact_projection", "augmentation"),
    "peak_list+augmentation": ("peak_list", "augmentation"),
    "projection+peak_list": ("artifact_projection", "peak_list"),
}
MODELS: dict[str, dict[str, Any]] = {"conv1d": {"epochs": 8, "batch_size": 16}, "logistic": {}}
#: Amplitude of the artifacts and families that do not occur.
KINDS: dict[str, tuple[float, tuple[str, ...]]] = {
    "nested": (0.3, ("digestion",)),
    "nested_all": (0.3, ()),
    "clean": (0.0, ()),
}


@dataclass(frozen=True, eq=False)
class Cohort:
    """Spectra in memory, as a store gives them."""

    spectra: npt.NDArray[np.float32]
    axis: MzAxis
    spots: pd.DataFrame

    def take(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Spectra of `rows`."""
        return self.spectra[rows]

    def rows(self, rows: npt.NDArray[np.int64]) -> SpectraRows:
        """The same, read when they are asked for."""
        return SpectraRows(self.spectra, rows)


def cohort_settings(kind: str) -> SynthSettings:
    """Four TMAs of each organ, eleven patients on each, one small core a patient."""
    amplitude, without = KINDS[kind]
    organ = {"n_tmas": 4, "patients_per_tma": 11, "cores_per_patient": [1.0]}
    return SynthSettings.model_validate(
        {
            "design": {"name": "nested", "lung": organ, "pancreas": organ},
            "biology": {"n_organ": 8, "organ_log_fold": [0.6, 1.2]},
            "tissue": {"core_radius": [1.0, 1.5], "background_per_tma": 0},
            "artifacts": {
                "amplitude": amplitude,
                "weights": {k: 0.0 if k in without else v for k, v in DEFAULT_WEIGHTS.items()},
            },
        }
    )


def measured(settings: SynthSettings, seed: int) -> tuple[Cohort, TaskSpots]:
    """Make and preprocess a cohort; the task is lung against pancreas."""
    made = make_cohort(settings, seed)
    spots = made.spots.merge(made.cores, on="core", how="left", suffixes=("", "_core"))
    recipe = Recipe.parse(
        [
            {"step": "baseline", "method": "convolution", "width": 20},
            {"step": "normalize", "method": "tic"},
        ]
    )
    row_of = {key: i for i, key in enumerate(zip(spots.file, spots.x, spots.y, strict=True))}
    spectra = np.zeros((len(spots), made.axis.n_bins), dtype=np.float32)
    for measurement in made.measurements():
        at = 0
        for block in measurement.blocks:
            done = recipe.apply(block, made.axis, made.axis)
            for row in done:
                key = (measurement.file, *measurement.coordinates[at, :2])
                if key in row_of:
                    spectra[row_of[key]] = row
                at += 1
    cohort = Cohort(spectra, made.axis, spots)
    return cohort, select_spots(spots, "LP", Task(label="organ", classes=("lung", "pancreas")))


def measure(
    kind: str, seed: int, wanted: list[tuple[str, str]], overrides: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """One record for each model and set of ways on one cohort."""
    settings = cohort_settings(kind)
    (store, task), (second, second_task) = (
        measured(one, seed) for one in (settings, settings.as_counterfactual())
    )
    folds = make_folds(task, FoldSettings(group="tma", k=4, repeats=1, seed=seed))
    for model, name in wanted:
        chosen = {way: overrides[way] for way in WAYS[name] if way in overrides}
        started = time.perf_counter()
        results = list(
            cross_validate_mitigated(
                store,
                task,
                folds,
                model=model,
                settings=MODELS[model],
                ways=make_ways(WAYS[name], chosen, model=model),
                seed=seed,
                device="cpu",
            )
        )
        accuracy = cross_validated_accuracy(results, task)
        other = counterfactual_accuracy(
            results, second, second_task, rng=generator(seed, "bootstrap")
        )
        yield {
            "kind": kind,
            "seed": seed,
            "model": model,
            "ways": name,
            "settings": chosen,
            "cross_validated": accuracy,
            "counterfactual": other.balanced_accuracy,
            "interval": other.interval,
            "drop": accuracy - other.balanced_accuracy,
            "seconds": time.perf_counter() - started,
        }


def summary(lines: list[dict[str, Any]]) -> str:
    """Means over cohorts, each set of ways beside no way on the same cohorts, in Markdown."""
    table = pd.DataFrame(lines)
    keys = ["kind", "seed", "model"]
    plain = table[table["ways"] == "plain"][[*keys, "cross_validated", "drop"]]
    both = table.merge(plain, on=keys, suffixes=("", "_plain"))
    both["cost"] = both["cross_validated_plain"] - both["cross_validated"]
    numbers = ["cross_validated", "cost", "counterfactual", "drop", "drop_plain"]
    order = {name: place for place, name in enumerate(WAYS)}
    groups = sorted(
        both.groupby(["kind", "model", "ways"], sort=False),
        key=lambda group: (list(KINDS).index(group[0][0]), group[0][1], order[group[0][2]]),
    )
    rows = [
        "| kind | model | ways | cohorts | accuracy | cost | second cohort | lost there "
        "| lost without | worst |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for key, group in groups:
        means = [f"{group[name].mean():.3f}" for name in numbers]
        cells = [*map(str, key), str(len(group)), *means, f"{group['drop'].max():.3f}"]
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)


def main() -> None:
    """Measure what is missing, cohort by cohort, then print the summary."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("mitigation.jsonl"))
    parser.add_argument("--cohorts", type=int, default=8, help="cohorts of each kind")
    parser.add_argument("--first-seed", type=int, default=900001)
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--settings", type=json.loads, default={}, help="JSON: way -> settings")
    parser.add_argument("--summary", action="store_true", help="only print the summary")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    lines = (
        [json.loads(line) for line in given.out.read_text().splitlines()]
        if given.out.exists()
        else []
    )
    done = {(one["kind"], one["seed"], one["model"], one["ways"]) for one in lines}
    seeds = range(given.first_seed, given.first_seed + given.cohorts)
    for seed in [] if given.summary else seeds:
        for kind in given.kinds:
            wanted = [
                (model, name)
                for model in given.models
                for name in given.ways
                if (kind, seed, model, name) not in done
                and not any(why_not_for(way, model) for way in WAYS[name])
            ]
            if not wanted:
                continue
            for record in measure(kind, seed, wanted, given.settings):
                lines.append(record)
                with given.out.open("a") as stream:
                    stream.write(json.dumps(record) + "\n")
                shown = {k: record[k] for k in ("cross_validated", "counterfactual", "drop")}
                print(kind, seed, record["model"], record["ways"], shown, flush=True)
    print(summary(lines))


if __name__ == "__main__":
    main()
