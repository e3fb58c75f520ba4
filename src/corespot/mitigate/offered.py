"""What the audit recommends for a model, and every way there is."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from corespot.mitigate.way import way_names, way_type, why_not_for


def offered(audit: Mapping[str, Any]) -> dict[str, Any]:
    """Recommended ways and changes of the design, and all ways, as plain values.

    Parameters
    ----------
    audit : mapping
        Content of the model's ``audit.json``.
    """
    ways = []
    for name in way_names():
        reason = why_not_for(name, audit["model"])
        ways.append(
            {
                "way": name,
                "sentence": way_type(name).sentence,
                "not_applicable": None if reason is None else reason.reason,
            }
        )
    return {
        "task": audit["task"],
        "model": audit["model"],
        "verdict": audit["verdict"],
        "recommended": audit["recommended"],
        "ways": ways,
    }


def offered_text(found: Mapping[str, Any]) -> str:
    """The same for a terminal."""
    advised = found["recommended"]
    parts = [f"{found['task']}, {found['model']}: {found['verdict'].replace('_', ' ')}"]
    if advised["ways"]:
        parts.append("The audit recommends:")
        parts += [_item(one["way"], one["why"]) for one in advised["ways"]]
    else:
        parts.append("The audit recommends no way of training.")
    if advised["design"]:
        parts.append("To the design:")
        parts += [_item("", text) for text in advised["design"]]
    parts.append("All ways:")
    parts += [_item(one["way"], one["sentence"]) for one in found["ways"]]
    # What refuses every way is said once.
    reasons = {one["not_applicable"]: one["way"] for one in found["ways"] if one["not_applicable"]}
    parts += [_item("not for this model", reason) for reason in reasons]
    usable = [one["way"] for one in found["ways"] if one["not_applicable"] is None]
    if usable:
        advised_first = [one["way"] for one in advised["ways"] if one["way"] in usable]
        chosen = advised_first[:2] or usable[:1]
        options = " ".join(f"--with {way}" for way in chosen)
        parts.append(f"To train so: corespot mitigate {found['task']} {found['model']} {options}")
    return "\n".join(parts)


def _item(name: str, text: str) -> str:
    said = f"{name}: {text}" if name else text
    return textwrap.fill(said, 96, initial_indent="  ", subsequent_indent="    ")
