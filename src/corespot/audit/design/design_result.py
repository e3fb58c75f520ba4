"""What the audit of a design found, as plain values and as text for a terminal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from corespot.audit.applicable import NotApplicable
from corespot.audit.design.class_layout import ClassLayout
from corespot.audit.design.design_rows import DesignRow
from corespot.audit.design.metadata_column import Kind


@dataclass(frozen=True)
class DesignAudit:
    """What the design of a task allows to be said.

    Parameters
    ----------
    task : str
        Name of the task.
    layout : ClassLayout
        Patients (or cores) of each class on each TMA.
    n_units : int
        Patients (or cores).
    v : float or NotApplicable
        Bias-corrected Cramér's V of label and TMA.
    rows : tuple of DesignRow
        One for each column, the strongest association first.
    unidentified : tuple of str
        What cannot be told apart.
    repairs : tuple of str
        What would change that.
    """

    task: str
    layout: ClassLayout
    n_units: int
    v: float | NotApplicable
    rows: tuple[DesignRow, ...]
    unidentified: tuple[str, ...]
    repairs: tuple[str, ...]

    @property
    def nested(self) -> bool:
        """Whether no TMA holds two classes."""
        return self.layout.nested

    def row(self, column: str, kind: Kind | None = None) -> DesignRow:
        """The first row of a column."""
        for row in self.rows:
            if row.column == column and kind in (None, row.kind):
                return row
        raise KeyError(f"no row of column {column!r}")

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        layout = self.layout
        return {
            "task": self.task,
            "classes": list(layout.classes),
            "unit": layout.unit,
            "n_units": self.n_units,
            "tmas": {
                tma: dict(zip(layout.classes, row, strict=True))
                for tma, row in zip(layout.tmas, layout.counts.tolist(), strict=True)
            },
            "nested": self.nested,
            "V": None if isinstance(self.v, NotApplicable) else self.v,
            "columns": [row.as_dict() for row in self.rows],
            "unidentified": list(self.unidentified),
            "repairs": list(self.repairs),
        }

    def text(self) -> str:
        """The audit for a terminal."""
        layout = self.layout
        v = "not applicable" if isinstance(self.v, NotApplicable) else f"{self.v:.2f}"
        table = pd.DataFrame(layout.counts, index=[*layout.tmas], columns=[*layout.classes])
        lines = [
            f"{self.task}: {self.n_units} {layout.unit}s, {', '.join(layout.classes)}",
            f"V of label and TMA: {v}",
            f"\n{layout.unit}s of each class on each TMA",
            table.to_string(),
            "\nassociation of the label with metadata",
            pd.DataFrame([_shown(row) for row in self.rows]).to_string(index=False),
        ]
        for title, sentences in (
            ("what cannot be identified", self.unidentified or ("Nothing was found.",)),
            ("what would repair it", self.repairs or ("Nothing is called for.",)),
        ):
            lines += [f"\n{title}", *(f"- {sentence}" for sentence in sentences)]
        return "\n".join(lines)


def _shown(row: DesignRow) -> dict[str, str]:
    """A row of the table for a terminal."""
    stated = None if isinstance(row.association, NotApplicable) else row.association
    return {
        "column": row.column + (" (within units)" if row.scope == "within" else ""),
        "kind": row.kind,
        "values": str(row.n_levels),
        "units": str(row.n_units),
        "missing": str(row.n_missing),
        "association": "–" if stated is None else f"{stated:.2f}",
        "p": _p(row.p),
        "p (Holm)": _p(row.p_holm),
        "": row.association.reason
        if isinstance(row.association, NotApplicable)
        else ("exact" if row.exact else ""),
    }


def _p(value: float | None) -> str:
    return "–" if value is None else f"{value:.1g}" if value < 0.001 else f"{value:.3f}"
