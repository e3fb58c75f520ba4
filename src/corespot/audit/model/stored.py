"""Audits that are there: what ``data/audit/<task>/<model>/audit.json`` says."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from corespot.audit.verdict.readings import MEANINGS
from corespot.audit.verdict.verdict import VERDICTS
from corespot.errors import AuditError, suggestion
from corespot.io.artifacts import read_json

#: Version of ``audit.json``.
FORMAT_VERSION = 2
#: Folder of audits in a project.
FOLDER = Path("data/audit")
#: What every reader of an audit looks at.
_NEEDED = (
    *("task", "model", "verdict", "sentence", "limitation", "findings", "thresholds"),
    *("error_rates", "readings", "not_applicable", "recommended", "counterfactual", "run_id"),
)


def stored_audits(
    folder: Path = FOLDER, task: str | None = None, model: str | None = None
) -> list[dict[str, Any]]:
    """Audits of a project, of one task, or of one model on it, by name.

    Raises
    ------
    AuditError
        If there are none of these.
    """
    found = {(f.parts[-3], f.parts[-2]): f for f in sorted(folder.glob("*/*/audit.json"))}
    if not found:
        raise AuditError(f"{folder} holds no audit; run `dvc repro audit` to audit what is trained")
    for name, given, known in (
        ("task", task, {one for one, _ in found}),
        ("model", model, {one for at, one in found if task in (None, at)}),
    ):
        if given is not None and given not in known:
            raise AuditError(
                f"{folder} holds no audit of {name} {given!r}; "
                f"{suggestion(given, sorted(known))}; run `dvc repro audit` to make it"
            )
    return [
        _read(file)
        for (at, name), file in found.items()
        if task in (None, at) and model in (None, name)
    ]


def _read(file: Path) -> dict[str, Any]:
    """One audit, refused where it is not what the stage wrote."""
    content = read_json(file)
    known = isinstance(content, Mapping) and content.get("format_version") == FORMAT_VERSION
    missing = [key for key in _NEEDED if key not in content] if known else []
    if not known or missing or content["verdict"] not in VERDICTS:
        fault = f"it has no {missing[0]}" if missing else f"not of format {FORMAT_VERSION}"
        if known and not missing:
            fault = f"verdict {content['verdict']!r} is unknown"
        raise AuditError(f"{file} is no audit of this version ({fault}); run `dvc repro audit`")
    return dict(content)


def as_bad(audits: list[dict[str, Any]], verdict: str) -> list[dict[str, Any]]:
    """Those with this verdict or a worse one.

    Raises
    ------
    AuditError
        If there is no such verdict.
    """
    words = [str(word) for word in VERDICTS]
    if verdict not in words:
        raise AuditError(f"there is no verdict {verdict!r}; {suggestion(verdict, words)}")
    return [one for one in audits if words.index(one["verdict"]) <= words.index(verdict)]


def as_text(audit: Mapping[str, Any]) -> str:
    """Verdict, sentence, limitation and every reading, for a terminal; ``>`` is above its line."""
    reasons, findings = audit["not_applicable"], audit["findings"]
    lines = {one["indicator"]: one["threshold"] for one in findings}
    table, none = [], []
    for name in [*MEANINGS, *(set(audit["readings"]) - set(MEANINGS))]:
        if name not in audit["readings"]:
            continue
        value, line = audit["readings"][name], lines.get(name)
        if value is None:
            none.append(textwrap.fill(f"{name}: {reasons.get(name, '')}", 96, **_INDENT))
            continue
        above = "" if line is None else f"> {line:.3f}"
        table.append(f"  {name:<24} {value:7.3f} {above:<7}  {MEANINGS.get(name, '')}")
    title = f"{audit['task']}, {audit['model']}: {audit['verdict'].replace('_', ' ')}"
    parts = [
        title,
        *(textwrap.fill(audit[part], 96) for part in ("sentence", "limitation")),
        _rates(audit),
        "\n".join(table),
        "\n".join(["not measured:", *none]) if none else "",
    ]
    return "\n\n".join(part for part in parts if part)


_INDENT: dict[str, Any] = {"initial_indent": "  ", "subsequent_indent": "    "}


def _rates(audit: Mapping[str, Any]) -> str:
    rates, lines = audit["error_rates"], audit["thresholds"]
    if not rates:
        return ""
    low, high = rates["interval"]
    return textwrap.fill(
        f"Of {rates['n']} synthetic fits of {lines['calibrated_on']} with this verdict, "
        f"{100 * rates['reliant']:.0f} % truly depended on the measurement "
        f"({100 * low:.0f} to {100 * high:.0f} %; {lines['source']}).",
        96,
    )
