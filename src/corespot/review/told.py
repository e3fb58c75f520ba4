"""How a run stands in review, in words and as a record."""

from __future__ import annotations

import json
from typing import Any

from corespot.review.decision import Decision
from corespot.review.evidence import Evidence, Unknown
from corespot.review.gate import champion_gate


def standing_text(evidence: Evidence) -> str:
    """Verdict, decisions and gate of a run, for the command line."""
    run, audit = evidence.run, evidence.audit
    lines = [f"{run.name} ({run.run_id})", ""]
    if isinstance(audit, Unknown):
        lines.append(f"verdict: none; {audit.why}")
    else:
        lines.append(f"verdict: {audit.verdict.replace('_', ' ')}")
        lines += [audit.sentence, audit.limitation]
    lines += ["", "decisions, the newest first:"]
    for entry in evidence.history.entries:
        if isinstance(entry, Decision):
            word = entry.word.replace("_", " ")
            lines.append(f"  {entry.at:%Y-%m-%d %H:%M} UTC  {word}, {entry.reviewer}")
            lines += [f"    {line}" for line in entry.comment.splitlines()]
        else:
            lines.append(f"  cannot be read ({entry.why}): {entry.tag}")
    if not evidence.history.entries:
        lines.append("  none")
    gate = champion_gate(evidence)
    lines += ["", f"gate for champion: {'passed' if gate.passed else 'refused'}"]
    lines += [f"  {check}" for check in gate.checks]
    if evidence.aliases:
        lines += ["", f"{evidence.version} is {' and '.join(evidence.aliases)}"]
    return "\n".join(lines)


def standing_record(evidence: Evidence) -> dict[str, Any]:
    """The same as a plain mapping, for JSON."""
    audit = evidence.audit
    return {
        "run_id": evidence.run.run_id,
        "name": evidence.run.name,
        "verdict": None if isinstance(audit, Unknown) else audit.verdict,
        "sentence": None if isinstance(audit, Unknown) else audit.sentence,
        "limitation": None if isinstance(audit, Unknown) else audit.limitation,
        "decisions": [
            json.loads(entry.as_text())
            if isinstance(entry, Decision)
            else {"unreadable": entry.tag, "why": entry.why}
            for entry in evidence.history.entries
        ],
        "aliases": list(evidence.aliases),
        "gate": champion_gate(evidence).as_dict(),
    }
