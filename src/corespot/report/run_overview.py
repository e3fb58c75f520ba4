"""The runs of a project at a glance: how many are flagged, and what each reached."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from corespot.report.drawn import Drawn
from corespot.report.theme import INK, apply_theme, empty_figure, plain
from corespot.report.verdict_badge import FLAGGED, VERDICT_STYLES, VerdictStyle

_ROW_PX, _MOST_NAMED = 26, 4
#: What each verdict is drawn with; flags are full triangles, the others open.
_SYMBOLS = {
    "confounded": ("triangle-up", "#A83A00"),
    "suspect": ("triangle-up", "#E0A11B"),
    "not_excluded": ("circle-open", "#66717D"),
    "no_evidence": ("circle", "#0072B2"),
}
_NO_AUDIT = ("x-thin-open", "#9AA5B1")
_STYLES: dict[str, VerdictStyle] = {str(word): style for word, style in VERDICT_STYLES.items()}
_STATUS = {"RUNNING": "still running", "KILLED": "was stopped", "SCHEDULED": "waits to run"}
#: Paper of a row whose model is flagged.
_FLAGGED_PAPER = "#FBF1EA"


@dataclass(frozen=True)
class FlagLine(Drawn):
    """How many models the audit flags, and which: the first line of an overview.

    Parameters
    ----------
    n_models, n_audited : int
        Models, and those with an audit.
    flagged : sequence of (str, str)
        Name and verdict of each flagged one.
    """

    n_models: int
    n_audited: int
    flagged: Sequence[tuple[str, str]]

    @property
    def html(self) -> str:
        """The line, names escaped."""
        style = _STYLES[self._gravest]
        edge = style.paper if self.flagged else "#9AA5B1"
        paper = _FLAGGED_PAPER if self.flagged else "#F5F7F9"
        return (
            f'<div role="status" style="border-left:5px solid {edge};background:{paper};'
            "padding:10px 16px;border-radius:4px;font-size:16px;line-height:1.5;"
            f'color:{INK};overflow-wrap:anywhere">{self._text()}</div>'
        )

    @property
    def _gravest(self) -> str:
        return self.flagged[0][1] if self.flagged else "not_excluded"

    def _text(self) -> str:
        models = f"{self.n_models} model{'s' if self.n_models != 1 else ''}"
        missing = self.n_models - self.n_audited
        unaudited = f" {missing} not audited." if missing else ""
        if not self.n_audited:
            return f"<b>None of {models} was audited.</b> Nothing is known of confounding."
        if not self.flagged:
            return f"<b>None of {models} is flagged.</b>{unaudited} No verdict certifies a model."
        verb = "is" if len(self.flagged) == 1 else "are"
        named = [
            f"{_STYLES[word].mark} {escape(name)} ({_STYLES[word].text})"
            for name, word in self.flagged[:_MOST_NAMED]
        ]
        more = len(self.flagged) - len(named)
        rest = f" and {more} more" if more else ""
        head = f"<b>{len(self.flagged)} of {models} {verb} flagged:</b>"
        return f"{head} {', '.join(named)}{rest}.{unaudited}"


def accuracy_by_task(table: pd.DataFrame, *, most: int = 40) -> go.Figure:
    """Balanced accuracy of spots with its interval, a row a run, a panel a task.

    Parameters
    ----------
    table : DataFrame
        ``task``, ``label`` (of the row), ``verdict``, ``spot``, ``spot_low``, ``spot_high``.
        Rows without an accuracy are left out.
    most : int
        Most rows drawn; the first ones are.
    """
    title = "Balanced accuracy of spots"
    shown = table.dropna(subset=["spot"]).head(most)
    if shown.empty:
        return empty_figure(title, "no run has an accuracy yet")
    tasks = list(dict.fromkeys(shown["task"].astype(str)))
    sizes = [int((shown["task"].astype(str) == task).sum()) for task in tasks]
    height = sum(sizes) * _ROW_PX + 34 * len(tasks)
    figure = make_subplots(
        rows=len(tasks),
        cols=1,
        shared_xaxes=True,
        row_heights=[size + 0.6 for size in sizes],
        vertical_spacing=min(30 / height, 0.9 / len(tasks)) if len(tasks) > 1 else 0,
        subplot_titles=[plain(task) or "no task" for task in tasks],
    )
    for number, (task, size) in enumerate(zip(tasks, sizes, strict=True), start=1):
        part = shown[shown["task"].astype(str) == task].reset_index(drop=True)
        for word in [*_STYLES, ""]:
            here = part["verdict"] == word if word else ~part["verdict"].isin(list(_STYLES))
            if here.any():
                figure.add_trace(_dots(part[here], word), row=number, col=1)
        figure.update_yaxes(
            tickvals=list(range(size)),
            ticktext=[plain(label) for label in part["label"]],
            range=[size - 0.3, -0.7],
            showgrid=False,
            ticks="",
            row=number,
            col=1,
        )
    _name_once(figure)
    low = float(np.nanmin(shown[["spot", "spot_low"]].to_numpy(dtype=float)))
    figure.update_xaxes(range=[max(min(low - 0.03, 0.48), 0), 1.02], dtick=0.1, tickformat=".1f")
    figure.update_annotations(x=0, xanchor="left", xref="paper", font={"size": 13})
    subtitle = "line: 95 % interval over patients; mark and colour: the verdict of the audit"
    if len(shown) < len(table.dropna(subset=["spot"])):
        subtitle += f"; the first {len(shown)} runs"
    figure.update_layout(
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": -44 / height, "yanchor": "top"}
    )
    drawn = apply_theme(figure, title=title, subtitle=subtitle, height=height + 190, top=104)
    return drawn.update_layout(margin={"b": 84})


def _dots(part: pd.DataFrame, word: str) -> go.Scatter:
    symbol, shade = _SYMBOLS.get(word, _NO_AUDIT)
    value = part["spot"].to_numpy(dtype=float)
    sides = part["spot_high"].to_numpy(dtype=float), part["spot_low"].to_numpy(dtype=float)
    name = _STYLES[word].text if word else "not audited"
    return go.Scatter(
        x=value,
        y=part.index.to_numpy(),
        mode="markers",
        name=name,
        legendgroup=name,
        marker={"symbol": symbol, "size": 11, "color": shade, "line": {"width": 2, "color": shade}},
        error_x={
            # The interval is that of the pooled figure and need not hold the median over folds.
            "array": np.nan_to_num(np.maximum(sides[0] - value, 0)),
            "arrayminus": np.nan_to_num(np.maximum(value - sides[1], 0)),
            "color": shade,
            "thickness": 2 if word in FLAGGED else 1.4,
            "width": 0,
        },
        customdata=np.stack([sides[1], sides[0]], axis=1),
        text=[plain(label) for label in part["label"]],
        hovertemplate="%{text}: %{x:.3f} (%{customdata[0]:.3f} to %{customdata[1]:.3f})",
    )


def _name_once(figure: go.Figure) -> None:
    seen: set[str] = set()
    for trace in figure.data:
        trace.showlegend = trace.name not in seen
        seen.add(trace.name)


def overview_table(table: pd.DataFrame) -> pd.DataFrame:
    """The columns of the overview as they are read, in order of importance.

    Parameters
    ----------
    table : DataFrame
        Result of `corespot.review.run_table.run_table`.
    """
    words = table["verdict"].map(lambda word: _verdict(str(word)))
    remarks = [remarks_of(*row) for row in _marks(table)]
    rows = pd.DataFrame(
        {
            "task": table["task"],
            "model": table["model"],
            "verdict": words,
            "spots": table["spot"],
            "95 % interval": _ranges(table, "spot_low", "spot_high"),
            "cores": table["core"],
            "patients": table["patient"],
            "artifact share": 100 * table["artifact_share"],
            "leakage gap": table["leakage_gap"],
            "train–test gap": table["train_test_gap"],
            "started (UTC)": table["started"].dt.tz_localize(None),
            "data": table["data"],
            "decision": _decisions(table),
            "registry": table["registry"],
            "quartiles": _ranges(table, "spot_q1", "spot_q3"),
            "name": table["name"],
            "cohort": table["cohort"],
            "run": table["run_id"],
        }
    )
    # What changes how the figures are read stands before them; an empty column does not.
    rows.insert(3 if any(remarks) else len(rows.columns), "remarks", remarks)
    return rows


def overview_styles(rows: pd.DataFrame) -> pd.DataFrame:
    """CSS of every cell of an `overview_table`: the verdict in its colours, flagged rows toned."""
    styles = pd.DataFrame("", index=rows.index, columns=rows.columns)
    for word, style in _STYLES.items():
        here = rows["verdict"] == _verdict(word)
        if word in FLAGGED:
            styles.loc[here] = f"background-color: {_FLAGGED_PAPER}"
        styles.loc[here, "verdict"] = (
            f"background-color: {style.paper}; color: {style.ink}; font-weight: 600"
        )
    return styles


def _verdict(word: str) -> str:
    style = _STYLES.get(word)
    return f"{style.mark} {style.text}" if style else word


def _ranges(table: pd.DataFrame, low: str, high: str) -> list[str]:
    return [
        f"{one:.3f}–{other:.3f}" if np.isfinite(one) and np.isfinite(other) else ""
        for one, other in zip(table[low], table[high], strict=True)
    ]


def _decisions(table: pd.DataFrame) -> list[str]:
    return [
        f"{decision} by {reviewer}" if decision else ""
        for decision, reviewer in zip(table["decision"], table["reviewer"], strict=True)
    ]


def _marks(table: pd.DataFrame) -> Iterator[tuple[str, str, bool, bool]]:
    return zip(
        table["status"], table["mitigation"], table["optimistic"], table["tuned"], strict=True
    )


def remarks_of(status: str, mitigation: str, optimistic: bool, tuned: bool) -> str:
    """What is unusual about a run, the gravest first."""
    remarks = [] if status == "FINISHED" else [_STATUS.get(status, status.lower())]
    remarks += ["optimistic folds"] if optimistic else []
    remarks += [f"mitigated: {mitigation}"] if mitigation else []
    remarks += ["tuned"] if tuned else []
    return "; ".join(remarks)
