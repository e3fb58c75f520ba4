"""How a verdict is written and coloured: always a word and a mark, never a colour alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import TypeGuard

from corespot.audit.verdict.verdict import Word
from corespot.report.drawn import Drawn


@dataclass(frozen=True)
class VerdictStyle:
    """How a verdict looks.

    Parameters
    ----------
    mark : str
        A sign before the word; full ones are flags.
    text, long_text : str
        For tables, and for the head of a page.
    ink, paper : str
        Colours of the badge.
    """

    mark: str
    text: str
    long_text: str
    ink: str
    paper: str


#: No verdict is green: none of them certifies a model.
VERDICT_STYLES: Mapping[Word, VerdictStyle] = {
    "confounded": VerdictStyle("▲", "confounded", "confounded", "#FFFFFF", "#A83A00"),
    "suspect": VerdictStyle("▲", "suspect", "suspect", "#1F2933", "#F5B93A"),
    "not_excluded": VerdictStyle(
        "○", "not excluded", "confounding not excluded", "#1F2933", "#DDE2E8"
    ),
    "no_evidence": VerdictStyle(
        "–", "no evidence", "no evidence of confounding", "#00395A", "#D6E8F4"
    ),
}
#: Verdicts that stand out in tables.
FLAGGED: tuple[Word, ...] = ("confounded", "suspect")


@dataclass(frozen=True)
class VerdictBadge(Drawn):
    """A verdict as a small coloured label.

    Parameters
    ----------
    word : {"confounded", "suspect", "not_excluded", "no_evidence"}
        The verdict.
    large : bool
        Whether it heads a page.
    """

    word: Word
    large: bool = False

    @property
    def html(self) -> str:
        """The label; its text is our own."""
        style = VERDICT_STYLES[self.word]
        size = "18px;padding:5px 14px" if self.large else "13px;padding:2px 8px"
        text = style.long_text if self.large else style.text
        return (
            f'<span class="verdict {self.word}" style="display:inline-block;white-space:nowrap;'
            f"font-weight:600;border-radius:5px;font-size:{size};"
            f'color:{style.ink};background:{style.paper}">{style.mark} {escape(text)}</span>'
        )


def is_verdict(word: str) -> TypeGuard[Word]:
    """Whether a word from outside, a tag for example, is one of the verdicts."""
    return word in VERDICT_STYLES


def verdict_text(word: str, artifact_share: float | None) -> str:
    """A verdict for tables of text: ``▲ confounded, 68 %``; a dash where there was no audit."""
    if not is_verdict(word):
        return "—"
    style = VERDICT_STYLES[word]
    share = "" if artifact_share is None else f", {artifact_share:.0%}".replace("%", " %")
    return f"{style.mark} {style.text}{share}"
