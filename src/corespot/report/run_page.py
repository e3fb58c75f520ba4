"""Figures of one trained model, to be kept with its run: a page and plotly JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go

from corespot.report.audit_card import VerdictCard
from corespot.report.audit_overview import audit_link
from corespot.report.html import Part, Section, save_figure_json, write_page
from corespot.report.overview_tables import segmentation_table
from corespot.report.result_marks import NESTED_NOTE
from corespot.report.run_sections import (
    ModelRun,
    ablated,
    embedding,
    galleries,
    maps,
    performance,
    segmented,
)
from corespot.report.run_tables import RunTables

#: Sections of a page: heading, how its figures are named, and what to say before them.
_SECTIONS = (
    ("Balanced accuracy over folds", ("folds",), ""),
    ("Confusion matrices", ("confusion",), ""),
    ("Calibration", ("calibration",), ""),
    (
        "Learning curves",
        ("learning_curves",),
        "Balanced accuracy while training is that of the training passes, with dropout on.",
    ),
    ("Leakage gap", ("leakage_gap",), ""),
    (
        "Maps of the tissue",
        ("class_maps", "spot_sensitivity"),
        "Every spot was predicted by models that were trained on other folds.",
    ),
    (
        "Single spots",
        ("gallery",),
        "Look here for what the numbers hide: folded tissue, empty spots, a core of another class.",
    ),
    (
        "What the network sees as alike",
        ("embedding",),
        "The model of one fold. If spots gather by TMA or patient rather than by class, the model "
        "tells apart measurements or people. Distances between far groups mean nothing in a t-SNE.",
    ),
    ("Segmentation", ("segmentation",), ""),
    ("Ablation", ("ablation",), ""),
)


def write_run_page(
    folder: Path, run: RunTables, task: str, model: str, *, data_href: str = "../../../../data"
) -> None:
    """Write ``performance.html`` and one JSON a figure for a model on a task.

    Parameters
    ----------
    folder : Path
        Receives the files.
    run : RunTables
        Tables of the whole run.
    task, model : str
        Which of it.
    data_href : str
        The way from the page to the folder of the stage outputs, for links.
    """
    figures = run_figures(run, task, model)
    for name, figure in figures.items():
        save_figure_json(figure, folder / f"{name}.json")
    write_page(
        folder / "performance.html",
        f"Performance: {task}, {model}",
        list(_sections(ModelRun(run, task, model), figures, data_href)),
        subtitle="out-of-fold predictions; research use only",
    )


def run_figures(run: RunTables, task: str, model: str) -> dict[str, go.Figure]:
    """All figures of a model on a task, by the name under which they are kept with its run."""
    one = ModelRun(run, task, model)
    parts = (performance, maps, galleries, embedding, segmented, ablated)
    return {name: figure for part in parts for name, figure in part(one).items()}


def about(one: ModelRun) -> pd.DataFrame:
    """What was trained, as two columns of text."""
    scores = one.scores
    rows: dict[str, object] = {
        "classes": ", ".join(one.classes),
        "spots": f"{scores['n_spots']:,}" if scores.get("n_spots") else None,
        "folds by": scores.get("grouping"),
        "settings": (scores.get("tuning") or {}).get("note") or "as in params.yaml",
        "trainable parameters": _number(scores.get("n_parameters"), ",.0f"),
        "balanced accuracy on training spots": _number(
            scores.get("train_spot_balanced_accuracy"), ".3f"
        ),
        "seconds an epoch": _number(scores.get("seconds_per_epoch"), ".2f"),
    }
    facts = scores.get("facts") or []
    for name in dict.fromkeys(name for fold in facts for name in fold):
        # Long lists, such as all scores of an inner search, are for the run's own files.
        values = list(dict.fromkeys(_short(fold[name]) for fold in facts if name in fold))
        rows[str(name).replace("_", " ")] = ", ".join(values)
    known = {name: str(value) for name, value in rows.items() if value not in (None, "")}
    return pd.DataFrame({"": list(known), "value": list(known.values())})


def _sections(one: ModelRun, figures: Mapping[str, go.Figure], data_href: str) -> Iterator[Section]:
    nested = [NESTED_NOTE.removeprefix("† ")] if one.scores.get("nested_design") else []
    yield Section("About", [*nested, about(one)])
    if one.audit is not None:
        link = audit_link(one.run, one.task, one.model, data_href, "all that was measured")
        parts: list[Part] = [VerdictCard(one.audit), *([link] if link else [])]
        yield Section("Audit for confounding", parts)
    for heading, names, text in _SECTIONS:
        shown = [figure for name, figure in figures.items() if name.startswith(names)]
        if not shown:
            continue
        content: list[Part] = [text, *shown] if text else [*shown]
        if heading == "Segmentation":
            content.append(segmentation_table({one.task: {one.model: one.scores}}))
        yield Section(heading, content)


def _number(value: object, form: str) -> str | None:
    return None if not isinstance(value, int | float) else format(value, form)


def _short(value: object) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 120 else f"{text[:117]}…"
