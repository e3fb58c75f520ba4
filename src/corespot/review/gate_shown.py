"""Checks of the gate and decisions of reviewers as HTML of our own: a mark and a word each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape

from corespot.report.drawn import Drawn
from corespot.review.decision import Decision, DecisionWord, History, Unreadable
from corespot.review.evidence import AuditFound, Evidence
from corespot.review.gate import Gate

#: Ink and paper: of what is as it must be, of what is not, and of what is neither.
_FINE, _NOT, _NEITHER = ("#00395A", "#D6E8F4"), ("#FFFFFF", "#A83A00"), ("#1F2933", "#DDE2E8")
#: How a decision is written: its sign, its words, its colours.
DECISION_STYLES: dict[DecisionWord, tuple[str, str, tuple[str, str]]] = {
    "approve": ("✓", "approved", _FINE),
    "reject": ("✕", "rejected", _NOT),
    "needs_work": ("○", "needs work", _NEITHER),
}


@dataclass(frozen=True)
class GateList(Drawn):
    """Checks of a gate, one a row.

    Parameters
    ----------
    gate : Gate
        The gate.
    """

    gate: Gate

    @property
    def html(self) -> str:
        """The list, all text escaped."""
        rows = []
        for check in self.gate.checks:
            badge = _badge("✓ passed", _FINE) if check.passed else _badge("✕ refused", _NOT)
            remedy = (
                f'<div style="color:#52606d">What to do: {_with_code(check.remedy)}.</div>'
                if check.remedy
                else ""
            )
            rows.append(
                '<li style="display:flex;flex-wrap:wrap;gap:4px 14px;padding:9px 0;'
                'border-bottom:1px solid #e7eaee">'
                f'<span style="flex:0 0 92px">{badge}</span>'
                f'<strong style="flex:0 0 82px">{escape(check.name)}</strong>'
                '<span style="flex:1 1 320px;min-width:0;overflow-wrap:anywhere">'
                f"{_with_code(_sentence(check.found))}{remedy}</span></li>"
            )
        return f'<ul style="list-style:none;margin:0;padding:0">{"".join(rows)}</ul>'


@dataclass(frozen=True)
class HistoryList(Drawn):
    """Decisions on a run, the newest first.

    Parameters
    ----------
    evidence : Evidence
        What is known of the run.
    """

    evidence: Evidence

    @property
    def html(self) -> str:
        """The list, all text escaped."""
        history: History = self.evidence.history
        rows = [
            self._decision(entry) if isinstance(entry, Decision) else _unreadable(entry)
            for entry in history.entries
        ]
        return f'<ol style="list-style:none;margin:0;padding:0">{"".join(rows)}</ol>'

    def _decision(self, one: Decision) -> str:
        sign, words, colours = DECISION_STYLES[one.word]
        comment = (
            f'<div style="white-space:pre-wrap;overflow-wrap:anywhere;margin-top:4px">'
            f"{escape(one.comment)}</div>"
            if one.comment
            else ""
        )
        return _entry(
            f"{_badge(f'{sign} {words}', colours)} "
            f'<strong style="overflow-wrap:anywhere">{escape(one.reviewer)}</strong>'
            f'<div style="color:#52606d;font-size:14px">{one.at:%d %b %Y, %H:%M} UTC · '
            f"{escape(self._seen(one))}</div>{comment}"
        )

    def _seen(self, one: Decision) -> str:
        """Which audit lay before the reviewer."""
        if one.audit_sha256 is None:
            return "there was no audit"
        verdict = str(one.verdict).replace("_", " ")
        audit = self.evidence.audit
        same = isinstance(audit, AuditFound) and audit.sha256 == one.audit_sha256
        return f"on this audit ({verdict})" if same else f"on another audit than now ({verdict})"


def _unreadable(one: Unreadable) -> str:
    return _entry(
        f"{_badge('? cannot be read', _NOT)} "
        f'<span style="overflow-wrap:anywhere">{escape(one.tag)}</span>'
        f'<div style="color:#52606d;font-size:14px">{escape(_sentence(one.why))}</div>'
        f'<code style="overflow-wrap:anywhere">{escape(one.text)}</code>'
    )


def _entry(inner: str) -> str:
    return f'<li style="padding:10px 0;border-bottom:1px solid #e7eaee">{inner}</li>'


def _badge(text: str, colours: tuple[str, str]) -> str:
    ink, paper = colours
    return (
        '<span style="display:inline-block;white-space:nowrap;font-weight:600;border-radius:5px;'
        f'font-size:13px;padding:2px 8px;color:{ink};background:{paper}">{escape(text)}</span>'
    )


def _with_code(text: str) -> str:
    """Text, escaped, in which what stands between backticks looks like something to type."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
