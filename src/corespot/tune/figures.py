"""Figures of a study, drawn by Optuna: history, importances, coordinates, slices, timeline."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

import optuna
import plotly.graph_objects as go
from optuna.importance import FanovaImportanceEvaluator
from optuna.trial import TrialState

from corespot.report.theme import MUTED, PALETTE, apply_theme

if TYPE_CHECKING:
    # Whoever only looks at studies need not wait for the libraries that fit networks.
    from corespot.tune.study import OpenStudy

#: Fewer complete trials say nothing of importances.
_FEWEST = 4


def study_figures(opened: OpenStudy) -> dict[str, go.Figure]:
    """Optuna's figures of a study by name; those that its trials do not suffice for are left out.

    Parameters
    ----------
    opened : OpenStudy
        A study with trials.
    """
    return figures_of(opened.study)


def figures_of(study: optuna.Study) -> dict[str, go.Figure]:
    """The same of a study of which no more than its trials is known."""
    figures = {}
    for name, draw in _DRAWN.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            figure = draw(study)
        if figure is not None and len(figure.data):
            figures[name] = _in_house_style(figure, name)
    return figures


def importances(study: optuna.Study) -> dict[str, float]:
    """Share of the values' variance that each setting explains; empty where it cannot be told.

    References
    ----------
    Hutter, Hoos, Leyton-Brown, "An efficient approach for assessing hyperparameter importance",
    ICML 2014 (fANOVA), as Optuna has it.
    """
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    values = {trial.values[0] for trial in complete}
    if len(complete) < _FEWEST or len(values) < 2:
        return {}
    evaluator = FanovaImportanceEvaluator(seed=0)
    return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))


def _importance_figure(study: optuna.Study) -> go.Figure | None:
    found = importances(study)
    if not found:
        return None
    names = sorted(found, key=lambda name: found[name])
    bars = go.Bar(
        x=[found[name] for name in names],
        y=names,
        orientation="h",
        text=[f"{found[name]:.2f}" for name in names],
    )
    return go.Figure(bars, {"xaxis": {"title": "share of the variance explained"}})


#: Title of each figure, how to read it, and its height.
_TOLD = {
    "history": ("History", "value of every trial that came through, and the best so far", 380),
    "importances": ("Importances", "share of the variance that each setting explains", 340),
    "parallel_coordinates": ("Parallel coordinates", "each line is a trial", 440),
    "slice": ("Slices", "value over one setting at a time; darker is later", 400),
    "timeline": ("Timeline", "when each trial ran, and how it ended", 420),
}
_STATES = {"COMPLETE": PALETTE[0], "PRUNED": PALETTE[4], "FAIL": PALETTE[1], "RUNNING": MUTED}


def _in_house_style(figure: go.Figure, name: str) -> go.Figure:
    title, subtitle, height = _TOLD[name]
    figure.update_layout(width=None)
    if name == "parallel_coordinates":
        # The lines bear their limits above themselves.
        figure.update_layout(yaxis={"domain": [0.0, 0.9]})
    for number, trace in enumerate(figure.data):
        if trace.name in _STATES:
            trace.marker.color = _STATES[trace.name]
        elif name in ("history", "importances"):
            trace.marker.color = PALETTE[0]
            if trace.type == "scatter" and trace.mode == "lines":
                trace.line.color = PALETTE[number % len(PALETTE)]
    if name == "history":
        figure.update_yaxes(title="balanced accuracy, mean over inner folds")
        figure.update_xaxes(title="trial")
    return apply_theme(figure, title=title, subtitle=subtitle, height=height)


_DRAWN: dict[str, Callable[[optuna.Study], go.Figure | None]] = {
    "history": optuna.visualization.plot_optimization_history,
    "importances": _importance_figure,
    "parallel_coordinates": optuna.visualization.plot_parallel_coordinate,
    "slice": optuna.visualization.plot_slice,
    "timeline": optuna.visualization.plot_timeline,
}
