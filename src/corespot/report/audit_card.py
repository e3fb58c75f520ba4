"""The verdict at the head of a page: the word, the sentence, how often it errs, its limits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from corespot.report.audit_shown import AuditView
from corespot.report.drawn import Drawn
from corespot.report.verdict_badge import VERDICT_STYLES, VerdictBadge


@dataclass(frozen=True, eq=False)
class VerdictCard(Drawn):
    """The verdict on a model as the head of its page.

    Parameters
    ----------
    view : AuditView
        The audit.
    brief : bool
        Only the word and the sentence, as wide as the page; `VerdictLimits` says the rest.
    """

    view: AuditView
    brief: bool = False

    @property
    def html(self) -> str:
        """The card, all text escaped."""
        view = self.view
        edge = VERDICT_STYLES[view.verdict].paper
        rows = "" if self.brief else "".join(self._rows())
        # All but the brief card have the width of a column of text.
        room = "12px 20px 10px;margin:0" if self.brief else "18px 22px 16px;margin:4px 0 24px"
        width = "none" if self.brief else "900px"
        badge = VerdictBadge(view.verdict, large=True).html
        return (
            f'<div class=card style="border:1px solid #d5dae0;border-left:8px solid {edge};'
            f'border-radius:8px;padding:{room};max-width:{width}"><p style="margin:0 0 10px">'
            f'{badge}</p><p style="font-size:18px;line-height:1.45;max-width:none;margin:0 0 12px">'
            f"{_with_commands(view.sentence)}</p>{rows}</div>"
        )

    def _rows(self) -> Iterator[str]:
        for head, text, margin in (
            ("Error rates.", error_rates_text(self.view), "0 0 14px"),
            ("What it cannot say.", self.view.limitation, "0"),
        ):
            said = f"<strong>{head}</strong> {_with_commands(text)}"
            yield f'<p style="max-width:none;margin:{margin}">{said}</p>'


@dataclass(frozen=True, eq=False)
class VerdictLimits(Drawn):
    """How often a verdict errs, and what it cannot say: what a brief card leaves out.

    Parameters
    ----------
    view : AuditView
        The audit.
    """

    view: AuditView

    @property
    def html(self) -> str:
        """Two paragraphs, all text escaped."""
        return f"<div>{''.join(VerdictCard(self.view)._rows())}</div>"


def _with_commands(text: str) -> str:
    """Escaped text, what stands between backticks set as a command."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


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
