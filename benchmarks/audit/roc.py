"""ROC of the audit's score."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from sklearn.metrics import roc_auc_score, roc_curve

from corespot.audit.calibration.record import Record
from corespot.audit.calibration.thresholds import Thresholds
from corespot.audit.verdict.verdict import score
from corespot.seeding import generator


def _scored(
    records: Sequence[Record], lines: Thresholds
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    y = np.array([one.truth == "reliant" for one in records])
    return (
        y,
        np.array([score(one.readings, lines) for one in records]),
        np.array([one.seed for one in records]),
    )


def auc(
    records: Sequence[Record], lines: Thresholds, n_draws: int = 300
) -> tuple[float, float, float]:
    """Area under the curve with a 95 % interval, cohorts drawn anew."""
    y, value, _ = _scored(records, lines)
    rng = generator(0, "roc")
    areas = []
    for _ in range(n_draws):
        drawn = rng.integers(0, len(y), len(y))
        if 0 < y[drawn].sum() < len(y):
            areas.append(roc_auc_score(y[drawn], value[drawn]))
    low, high = np.percentile(areas, [2.5, 97.5])
    return float(roc_auc_score(y, value)), float(low), float(high)


def rate_at(records: Sequence[Record], lines: Thresholds, false_positives: float = 0.05) -> float:
    """Largest share of true positives at no more than so many false ones."""
    y, value, _ = _scored(records, lines)
    false, true, _ = roc_curve(y, value)
    return float(true[false <= false_positives].max())


def roc_figure(
    records: Sequence[Record],
    lines: Mapping[str, Thresholds],
    without_controls: Callable[[Sequence[Record]], list[Record]],
) -> go.Figure:
    """Curves of all models on nested cohorts, with control cores and without."""
    figure = go.Figure()
    colours = dict(zip(lines, ["#0072B2", "#D55E00", "#009E73", "#CC79A7"], strict=False))
    for model, thresholds in lines.items():
        own = [
            one
            for one in records
            if one.model == model and one.truth != "between" and one.cohort["design"] == "nested"
        ]
        for title, chosen, dash in (
            ("with control cores", own, "solid"),
            ("without", without_controls(own), "dot"),
        ):
            y, value, _ = _scored(chosen, thresholds)
            false, true, _ = roc_curve(y, value)
            area = roc_auc_score(y, value)
            figure.add_scatter(
                x=false,
                y=true,
                mode="lines",
                line={"color": colours[model], "dash": dash, "width": 2},
                name=f"{model}, {title}: {area:.3f}",
            )
    figure.add_vline(x=0.05, line={"color": "#999999", "width": 1})
    figure.update_layout(
        template="plotly_white",
        title="Reliant or clean: the audit's score on nested testing cohorts",
        xaxis={"title": "clean models over the line", "range": [-0.01, 1]},
        yaxis={"title": "reliant models over the line", "range": [0, 1.01]},
        legend={"x": 0.45, "y": 0.1, "title": "area under the curve"},
        width=820,
        height=620,
    )
    return figure
