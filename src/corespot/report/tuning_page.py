"""The page of a tuned model: what its studies tried, what mattered, what it gained."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from corespot.report.html import Part, Section, write_page

_OPTIMISM = (
    "The best of many trials is best by chance, too: gains on inner folds are larger than those "
    "on the outer folds, which only the trained model shows."
)


def write_tuning_page(
    path: Path,
    outcome: Mapping[str, Any],
    trials: pd.DataFrame,
    figures: Sequence[Mapping[str, go.Figure]],
) -> None:
    """Write the page of a model on a task.

    Parameters
    ----------
    path : Path
        The file.
    outcome : mapping
        Content of ``tuned.json``.
    trials : DataFrame
        All trials of all studies.
    figures : sequence of mapping
        Figures of each study by name, in the order of the outcome's folds.
    """
    write_page(
        path,
        f"Tuning: {outcome['task']}, {outcome['model']}",
        list(_sections(outcome, trials, figures)),
        subtitle=f"{outcome['note']}; research use only",
    )


def gains_table(outcome: Mapping[str, Any]) -> pd.DataFrame:
    """One row an outer fold: trials, best value, the published setting's, the gain."""
    return pd.DataFrame(
        [
            {
                "outer fold": where(fold, nested=bool(outcome["nested"])),
                "inner folds": f"{fold['inner_folds']} by {fold['inner_grouping']}",
                "trials": fold["trials"],
                "pruned": fold["pruned"] + fold["pruned_early"],
                "published": published_value(fold),
                "params.yaml": three_decimals(fold["configured_value"]),
                "best": three_decimals(fold["best_value"]),
                "gain": with_sign(fold["gain"]),
                "setting": ", ".join(f"{k} {_short(v)}" for k, v in fold["settings"].items()),
            }
            for fold in outcome["folds"]
        ]
    )


def published_value(fold: Mapping[str, Any]) -> str:
    """Value of the published setting, starred where not all of it is as published."""
    star = " *" if fold["published_adapted"] else ""
    return three_decimals(fold["published_value"]) + star


def adapted_note(folds: Sequence[Mapping[str, Any]]) -> str:
    """What differs from the published setting in the trial that stands for it; empty if nothing."""
    changed = {k: v for fold in folds for k, v in fold["published_adapted"].items()}
    if not changed:
        return ""
    listed = ", ".join(f"{name} {_short(value)}" for name, value in changed.items())
    return f"* With other values for what was published as: {listed}."


def where(fold: Mapping[str, Any], *, nested: bool) -> str:
    """Name of a study's outer fold."""
    if not nested:
        return "all (hold-in)"
    return f"repeat {fold['repeat']}, fold {fold['fold']}"


def _sections(
    outcome: Mapping[str, Any],
    trials: pd.DataFrame,
    figures: Sequence[Mapping[str, go.Figure]],
) -> Iterator[Section]:
    about = (
        f"Each trial is judged by {outcome['metric']} on inner folds of the training part; "
        f"sampler {outcome['sampler']}, pruner {outcome['pruner']}."
    )
    warning = [] if outcome["nested"] else [f"Optimistic: {outcome['note']}."]
    note = adapted_note(outcome["folds"])
    starred = [note] if note else []
    yield Section("What was gained", [*warning, about, gains_table(outcome), *starred, _OPTIMISM])
    for fold, drawn in zip(outcome["folds"], figures, strict=True):
        heading = where(fold, nested=bool(outcome["nested"])).capitalize()
        parts: list[Part] = [*drawn.values()]
        of_study = trials[trials["study"] == fold["study"]]
        yield Section(heading, [*parts, _ended_early(of_study)])


def _ended_early(trials: pd.DataFrame) -> pd.DataFrame:
    """Trials that did not see every inner fold, with the reason."""
    early = trials[trials["reason"] != ""]
    return pd.DataFrame(
        {
            "trial": early["number"],
            "ended": early["state"],
            "value so far": [three_decimals(value) for value in early["value"]],
            "inner folds": [len(json.loads(folds)) for folds in early["inner_folds"]],
            "reason": early["reason"],
        }
    )


def three_decimals(value: object) -> str:
    """A share as ``.845``, a dash where there is none."""
    known = isinstance(value, int | float) and value == value
    return f"{value:.3f}".removeprefix("0") if known else "—"


def with_sign(value: object) -> str:
    """A difference as ``+0.012``, a dash where there is none."""
    return f"{value:+.3f}".replace("-", "−") if isinstance(value, int | float) else "—"


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
