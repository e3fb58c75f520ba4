"""The model card of a run: what was trained on what, what it is for, and what it is not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from corespot.errors import CorespotError
from corespot.models.registry import describe, entry
from corespot.tracking.reading import LoggedRun

INTENDED_USE = (
    "Research use only; not a medical device. Its calls are not for the diagnosis or treatment "
    "of a patient."
)
LIMITS = (
    "It was trained on the classes named here and calls everything one of them, also tissue of "
    "another kind, background and empty spots. Its figures hold for spots measured and "
    "preprocessed as those of this cohort. Cross-validation says nothing of another instrument, "
    "laboratory or way of preparing the tissue."
)
_INPUTS = {
    "spectrum": "one spectrum; its neighbours are not looked at",
    "patch": "the spectra of a patch of neighbouring spots",
    "core": "all spectra of a core, in their places",
}


def model_card(
    run: LoggedRun, metrics: Mapping[str, Any], classes: tuple[str, ...]
) -> list[tuple[str, str]]:
    """What somebody who was handed the model must know, as names and texts.

    Parameters
    ----------
    run : LoggedRun
        The run.
    metrics : mapping
        Content of its ``metrics.json``; empty where it has none.
    classes : tuple of str
        Class names, empty where they are not known.

    Returns
    -------
    list of (str, str)
        What is not known is left out.
    """
    return [(name, text) for name, text in _rows(run, metrics, classes) if text]


def training_settings(run: LoggedRun) -> dict[str, str]:
    """Settings that the model was trained with, as they were logged."""
    return {
        name.removeprefix("train."): value
        for name, value in sorted(run.params.items())
        if name.startswith("train.")
    }


def recipe_text(run: LoggedRun) -> str:
    """Preprocessing in one line, step by step."""
    logged = run.params.get("recipe", "")
    try:
        steps = json.loads(logged)
        return " → ".join(_step(step) for step in steps)
    except (ValueError, TypeError, AttributeError):
        return logged


def _rows(
    run: LoggedRun, metrics: Mapping[str, Any], classes: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    spot = metrics.get("spot")
    spot = spot if isinstance(spot, Mapping) else {}
    n_spots = metrics.get("n_spots") or run.params.get("n_spots")
    tuning = metrics.get("tuning")
    yield "task", run.task
    yield "classes", ", ".join(classes)
    yield "model", run.model
    yield from _of_the_registry(run, len(classes))
    yield "trainable parameters", _count(metrics.get("n_parameters"))
    if "mitigation" in run.tags:
        yield "trained with", f"{run.tags['mitigation']}, a way out of confounding"
    yield (
        "trained and tested on",
        ", ".join(
            part
            for part in (
                f"{_count(n_spots)} spots" if n_spots else "",
                f"{_count(spot.get('n_patients'))} patients" if spot.get("n_patients") else "",
                f"cohort {run.tags['cohort']}" if run.tags.get("cohort") else "",
            )
            if part
        ),
    )
    yield "version of the spectra", run.tags.get("dvc.store", "")
    yield "m/z axis", f"{_count(run.params['n_bins'])} bins" if run.params.get("n_bins") else ""
    yield "preprocessing", recipe_text(run)
    yield "cross-validation", _folds(run, spot)
    settings = ", ".join(f"{name} {value}" for name, value in training_settings(run).items())
    yield "settings", settings
    note = tuning.get("note") if isinstance(tuning, Mapping) else None
    yield "tuning", str(note or run.tags.get("tuning", ""))
    yield "seed", run.params.get("seed", "")
    yield "intended use", INTENDED_USE
    yield "limits", LIMITS


def _of_the_registry(run: LoggedRun, n_classes: int) -> Iterator[tuple[str, str]]:
    try:
        found = entry(run.model)
    except CorespotError:
        yield "source", "this version of corespot knows no model of this name"
        return
    yield "source", found.source
    yield "looks at", _INPUTS.get(found.input, found.input)
    yield "kind", "neural network" if found.is_network else "closed-form classifier"
    try:
        field = describe(run.model, int(run.params["n_bins"]), max(n_classes, 2))["receptive_field"]
    except (CorespotError, KeyError, ValueError):
        return
    yield "receptive field", f"{field:,} bins" if field else "the whole spectrum"


def _folds(run: LoggedRun, spot: Mapping[str, Any]) -> str:
    grouping = run.tags.get("grouping") or run.params.get("folds.group", "")
    if not grouping:
        return ""
    kept = {
        "tma": "no TMA is both trained on and tested on",
        "patient": "no patient is both trained on and tested on",
        "core": "no core is both trained on and tested on, but patients may be",
        "spot": "random spots: neighbours of a test spot were trained on, so that figures flatter",
    }.get(grouping, "")
    n_folds, n_repeats = spot.get("n_folds"), spot.get("n_repeats")
    times = f"{n_folds} folds" if n_folds else ""
    if n_folds and n_repeats and n_repeats > 1:
        times = f"{times}, {n_repeats} repeats"
    word = {"tma": "TMA"}.get(grouping, grouping)
    return "; ".join(part for part in (times, f"grouped by {word}", kept) if part)


def _step(step: Mapping[str, Any]) -> str:
    rest = [f"{k} {v}" for k, v in step.items() if k not in ("step", "method")]
    method = [str(step["method"])] if "method" in step else []
    inside = ", ".join([*method, *rest])
    return f"{step['step']} ({inside})" if inside else str(step["step"])


def _count(value: object) -> str:
    try:
        return f"{float(str(value)):,.0f}"
    except ValueError:
        return ""
