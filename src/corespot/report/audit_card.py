"""The verdict at the head of a page: the word, the sentence, how often it errs, its limits."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from corespot.report.audit_shown import AuditView
from corespot.report.html import Drawn
from corespot.report.verdict_badge import VERDICT_STYLES, VerdictBadge


@dataclass(frozen=True, eq=False)
class VerdictCard(Drawn):
    """The verdict on a model as the head of its page.

    Parameters
    ----------
    view : AuditView
        The audit.
    """

    view: AuditView

    @property
    def html(self) -> str:
        """The card, all text escaped."""
        view = self.view
        edge = VERDICT_STYLES[view.verdict].paper
        rows = "".join(
            f'<p style="max-width:none;margin:{margin}"><strong>{head}</strong> {escape(text)}</p>'
            for head, text, margin in (
                ("Error rates.", error_rates_text(view), "0 0 14px"),
                ("What it cannot say.", view.limitation, "0"),
            )
        )
        return (
            f'<div class=card style="border:1px solid #d5dae0;border-left:8px solid {edge};'
            'border-radius:8px;padding:18px 22px 16px;margin:4px 0 24px;max-width:900px">'
            f"<p>{VerdictBadge(view.verdict, large=True).html}</p>"
            f'<p style="font-size:18px;max-width:none">{escape(view.sentence)}</p>{rows}</div>'
        )


def error_rates_text(view: AuditView) -> str:
    """How often models with this verdict truly fell, in one sentence."""
    if view.by_counterfactual:
        return "The second cohort decided; no rate of the benchmark applies."
    rates = view.error_rates
    if rates is None or rates.n == 0:
        return "The calibration has no error rates for this verdict."
    word = VERDICT_STYLES[view.verdict].long_text
    low, high = rates.interval
    return (
        f"Of {rates.n} simulated models with the verdict “{word}”, {100 * rates.reliant:.0f} % "
        f"(95 % interval {100 * low:.0f} to {100 * high:.0f} %) lost .10 or more of balanced "
        "accuracy once class and measurement were no longer tied; those that lost .05 to .10 are "
        "left out."
    )
