"""The audit of a task's design, as a reader meets it on a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from corespot.report.html import Part

#: An association from which a column is shown, and the p below which it is.
_SHOWN, _LEVEL = 0.3, 0.05


def design_parts(design: Mapping[str, Any]) -> list[Part]:
    """What cannot be told apart, what would repair it, and which metadata go with the label.

    Parameters
    ----------
    design : mapping
        The audit of one task, as ``data/design/design.json`` holds it.
    """
    v = design["V"]
    unit = design["unit"]
    parts: list[Part] = [
        f"Association of label and TMA over {design['n_units']} {unit}s (bias-corrected Cramér's "
        f"V): {'not applicable' if v is None else f'{v:.2f}'}.",
        *design["unidentified"],
    ]
    if design["repairs"]:
        parts.append("What would repair it: " + " ".join(design["repairs"]))
    table = associations(design)
    return [*parts, table] if len(table) else parts


def associations(design: Mapping[str, Any]) -> pd.DataFrame:
    """Metadata columns that go with the label, the strongest first."""
    rows = [
        {
            "goes with the label": row["column"]
            + (" (within units)" if row["scope"] == "within" else ""),
            "association": f"{row['association']:.2f}",
            "p (permuting, Holm)": "–" if row["p_holm"] is None else f"{row['p_holm']:.2g}",
            "of": f"{row['n_units']} {design['unit']}s",
        }
        for row in design["columns"]
        if isinstance(row["association"], int | float)
        and (row["association"] > _SHOWN or (row["p_holm"] or 1.0) <= _LEVEL)
    ]
    return pd.DataFrame(rows)
