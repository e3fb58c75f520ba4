"""The report of a whole run: every task and model on one page, and the way to all others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from corespot.report.ablation_figures import ablation, ablation_table
from corespot.report.audit_overview import (
    AUDIT_EXPLAINED,
    audit_link,
    audit_markdown,
    audit_table,
)
from corespot.report.design_parts import design_parts
from corespot.report.fold_figures import fold_boxes
from corespot.report.html import Link, Preformatted, Section, write_page
from corespot.report.leakage_figures import leakage_gap
from corespot.report.overview_tables import (
    bins_kept_table,
    patch_table,
    reliability_table,
    segmentation_table,
)
from corespot.report.prediction_figures import reliability
from corespot.report.quality_figures import label_heatmap
from corespot.report.result_marks import NESTED_NOTE, table_notes
from corespot.report.result_rows import LEVELS
from corespot.report.run_tables import RunTables
from corespot.report.tables import (
    as_markdown,
    as_text,
    is_nested,
    label_by_tma,
    readable,
    result_table,
)
from corespot.report.tuning_summary import tuning_table


def write_overview(folder: Path, run: RunTables, *, data_href: str = "../../data") -> None:
    """Write ``index.html`` into `folder`: results of all tasks and models.

    Parameters
    ----------
    folder : Path
        Receives the page; pages of single runs lie in ``<task>/<model>`` beneath it.
    run : RunTables
        What is shown.
    data_href : str
        The way from the page to the folder of the stage outputs, for links.
    """
    write_page(
        folder / "index.html",
        f"Results: {Path(run.cohort).name}",
        list(_result_sections(run, data_href)),
        subtitle="research use only; not for diagnosis",
    )


def results_markdown(run: RunTables) -> str:
    """The result table and what stands beside it, as Markdown."""
    results = result_table(run.metrics)
    parts = [f"# Results: {Path(run.cohort).name}", as_markdown(readable(results))]
    parts += table_notes(results.to_dict("records"))
    if any(run.audits.values()):
        parts += ["## Audit for confounding", AUDIT_EXPLAINED, audit_markdown(run.audits)]
    if len(run.leakage):
        shown = run.leakage[["task", "model", "grouping", "balanced_accuracy", "gap", "reason"]]
        cells = shown.copy()
        for column in ("balanced_accuracy", "gap"):
            cells[column] = ["–" if pd.isna(value) else f"{value:.3f}" for value in shown[column]]
        cells["grouping"] = [
            f"{name} (optimistic)" if name == "spot" else name for name in cells["grouping"]
        ]
        parts += ["## Leakage gap", as_markdown(cells.fillna("").astype(str))]
    if run.tuning:
        parts += ["## Tuning", _TUNING, as_markdown(tuning_table(run.tuning).astype(str))]
    for heading, table in _further_tables(run.metrics):
        parts += [f"## {heading}", as_markdown(table.astype(str))]
    return "\n\n".join(parts) + "\n"


def page_links(run: RunTables, data_href: str) -> pd.DataFrame:
    """One row a task and model with links to its pages; dashes where there is no page.

    Parameters
    ----------
    run : RunTables
        Tasks, models, and where their outputs lie.
    data_href : str
        The way from the page to the folder of the stage outputs.
    """
    rows = []
    for task, models in run.metrics.items():
        for model in models:
            place = f"{task}/{model}"
            rows.append(
                {
                    "task": task,
                    "model": model,
                    "performance": Link("performance", f"{place}/performance.html"),
                    "sensitivity": _link(
                        run, data_href, "sensitivity", f"sensitivity/{place}/sensitivity.html"
                    ),
                    "audit": audit_link(run, task, model, data_href) or "—",
                }
            )
    return pd.DataFrame(rows)


def _link(run: RunTables, data_href: str, text: str, path: str) -> Link | str:
    return Link(text, f"{data_href}/{path}") if (run.data / path).is_file() else "—"


def _further_tables(metrics: Mapping[str, Any]) -> Iterator[tuple[str, pd.DataFrame]]:
    for heading, table in (
        ("Segmentation", segmentation_table(metrics)),
        ("Patches and slides", patch_table(metrics)),
        ("Bins kept by ROC/LDA", bins_kept_table(metrics)),
    ):
        if len(table):
            yield heading, table


_TUNING = (
    "Values on the inner folds of each training part: the published setting's, and the best. What "
    "tuning is worth on spots it never saw is for the result table to show."
)
_EXPLAINED = {
    "Segmentation": "The share of a core's spots that are taken for the positive class, against "
    "the class of the core; and the spots against their own truth where that is known.",
    "Patches and slides": "Median balanced accuracy of patches, and of the majority of the "
    "patches of a core and of a slide.",
    "Bins kept by ROC/LDA": "Worst and best K are chosen on the test folds, as the paper reports "
    "them; the result table uses the K that inner folds chose, which never saw the test part.",
}


def _result_sections(run: RunTables, data_href: str) -> Iterator[Section]:
    n_classes = {task: len(run.classes(task)) for task in run.metrics}
    results = result_table(run.metrics)
    boxes = run.balanced_accuracy()
    yield Section(
        "Balanced accuracy",
        [
            "Median with quartiles, over repeats if there are several, else over folds.",
            Preformatted(as_text(readable(results))),
            *table_notes(results.to_dict("records")),
            *(fold_boxes(boxes, level=level, n_classes=n_classes) for level in LEVELS),
        ],
    )
    if any(run.audits.values()):
        yield Section("Audit for confounding", [AUDIT_EXPLAINED, audit_table(run, data_href)])
    quality = _link(run, data_href, "quality of the spectra", "quality/quality.html")
    yield Section(
        "All pages",
        [
            page_links(run, data_href),
            *([pd.DataFrame({"data": [quality]})] if isinstance(quality, Link) else []),
        ],
    )
    if len(run.leakage):
        measured = run.leakage.dropna(subset=["balanced_accuracy"])
        refused = run.leakage[run.leakage["balanced_accuracy"].isna()]
        reasons = [f"{row.task}, {row.grouping}: {row.reason}" for row in refused.itertuples()]
        yield Section("Leakage gap", [leakage_gap(measured, n_classes=n_classes), *reasons])
    if run.tuning:
        yield Section("Tuning", [_TUNING, tuning_table(run.tuning, data_href)])
    drops = ablation_table(run.metrics)
    if len(drops):
        yield Section("Ablation", [ablation(drops)])
    for heading, table in _further_tables(run.metrics):
        yield Section(heading, [_EXPLAINED[heading], table])
    for task, models in run.metrics.items():
        counts = label_by_tma(run.labels[task], "class")
        warning = [NESTED_NOTE.removeprefix("† ")] if is_nested(counts) else []
        calibration = reliability(reliability_table(models))
        design = design_parts(run.design[task]) if task in run.design else []
        yield Section(f"Task {task}", [*warning, label_heatmap(counts), *design, calibration])
