"""The verdicts of compared runs, one below the other, in the colours of the figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from corespot.report.drawn import Drawn
from corespot.report.theme import INK, MUTED
from corespot.report.verdict_badge import VerdictBadge, is_verdict


@dataclass(frozen=True)
class ComparedVerdict:
    """A run as the list of verdicts shows it.

    Parameters
    ----------
    label, colour : str
        How the run is called and drawn on this page.
    verdict : str
        A word of `VERDICT_STYLES`; anything else counts as not audited.
    artifact_share : float
        Share of the class gap; NaN if unknown.
    sentence : str
        What the verdict rests on.
    remarks : str
        What is unusual about the run.
    """

    label: str
    colour: str
    verdict: str
    artifact_share: float
    sentence: str
    remarks: str = ""


@dataclass(frozen=True)
class VerdictList(Drawn):
    """The verdicts of compared runs, one below the other."""

    runs: Sequence[ComparedVerdict]

    @property
    def html(self) -> str:
        """The list; text from outside is escaped."""
        return f'<div role="list">{"".join(self._row(run) for run in self.runs)}</div>'

    @staticmethod
    def _row(run: ComparedVerdict) -> str:
        badge = (
            VerdictBadge(run.verdict).html
            if is_verdict(run.verdict)
            else f'<span style="color:{MUTED}">not audited</span>'
        )
        share = (
            f"artifact share {100 * run.artifact_share:.0f} %"
            if np.isfinite(run.artifact_share)
            else ""
        )
        remarks = (
            f' <span style="color:{MUTED}">({escape(run.remarks)})</span>' if run.remarks else ""
        )
        return (
            f'<div role="listitem" style="border-left:5px solid {run.colour};'
            'padding:4px 0 4px 14px;margin:0 0 12px;overflow-wrap:anywhere">'
            '<div style="display:flex;flex-wrap:wrap;gap:4px 14px;align-items:baseline">'
            f"<b>{escape(run.label)}</b>{remarks}{badge}"
            f'<span style="color:{MUTED}">{share}</span></div>'
            f'<div style="color:{INK};max-width:100ch;font-size:15px;margin-top:2px">'
            f"{escape(run.sentence)}</div></div>"
        )
