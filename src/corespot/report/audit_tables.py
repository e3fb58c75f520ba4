"""What was measured of a model, as tables with words: readings, lines, control cores."""

from __future__ import annotations

import pandas as pd

from corespot.audit.applicable import NotApplicable
from corespot.audit.calibration.thresholds import LINES
from corespot.audit.shares.gap_parts import ARTIFACT_PARTS
from corespot.audit.verdict.readings import MEANINGS
from corespot.report.audit_records import ControlCores, Leakage, SecondCohort
from corespot.report.audit_shown import AuditView

#: Readings that are shares of something.
_SHARES = frozenset(
    (*ARTIFACT_PARTS, "artifact_share", "non_peptide", "control_share", "leakage", "energy_spread")
)


def readings_table(view: AuditView) -> pd.DataFrame:
    """Every reading with its meaning, value and line; or why it does not apply."""
    lines = view.lines
    against = {one.indicator for one in view.findings}
    rows = []
    for name, meaning in MEANINGS.items():
        value = view.readings[name]
        rows.append(
            {
                "indicator": name.replace("_", " "),
                "what it says": meaning,
                "value": f"not applicable: {value.reason}"
                if isinstance(value, NotApplicable)
                else written(name, value),
                "line": written(name, lines[name]) if name in lines else "",
                "against the model": "▲ the verdict rests on it"
                if name in against
                else ("above its line" if _is_above(view, name) else ""),
            }
        )
    return pd.DataFrame(rows)


def written(name: str, value: float) -> str:
    """A reading as text: shares in per cent, p with two digits that count."""
    if name in _SHARES:
        # Adding zero takes the sign off a negative one.
        return f"{round(100 * value, 1) + 0.0:.1f} %"
    return f"{value:.2g}" if name.endswith("_p") else f"{round(value, 3) + 0.0:.3f}"


def lines_table(view: AuditView) -> pd.DataFrame:
    """The calibrated lines of the model and where they come from."""
    lines = view.thresholds
    rows = [(name.replace("_", " "), written(name, lines.lines[name])) for name in LINES]
    rows += [
        ("from clean fits of", f"{lines.calibrated_on} ({lines.n_clean})"),
        ("this model's own", "yes" if lines.is_own else "no"),
        ("source", lines.source),
    ]
    return pd.DataFrame(rows, columns=["", "line"])


def leakage_table(view: AuditView) -> pd.DataFrame:
    """Leakage of every metadata column that was looked at."""
    rows = []
    for column, found in view.leakage.items():
        if isinstance(found, Leakage):
            of = f"{found.n_units} units, {found.n_levels} values"
            cells = (f"{found.leakage:.3f}", f"{found.p:.2g}", of)
        else:
            cells = (f"not applicable: {found.reason}", "", "")
        rows.append(
            dict(zip(("column", "L", "permutation p", "of"), (column, *cells), strict=True))
        )
    return pd.DataFrame(rows)


def control_core_table(view: AuditView) -> pd.DataFrame | None:
    """Share of the class gap that control cores show, ``None`` where there are none."""
    found = view.control_cores
    if not isinstance(found, ControlCores):
        return None
    interval = found.interval
    return pd.DataFrame(
        [
            {
                "share of the class gap": f"{found.share:.1%}".replace("%", " %"),
                "95 % over TMAs": "—"
                if interval is None
                else f"{100 * interval[0]:.0f} to {100 * interval[1]:.0f} %",
                "permutation p": f"{found.p:.2g}",
                "line": f"{100 * view.thresholds.lines['control_share']:.0f} %",
                "control cores": str(found.n_cores),
                "TMAs": str(found.n_tmas),
                "by class": ", ".join(
                    f"{name} {100 * share:.0f} %" for name, share in found.by_class.items()
                ),
            }
        ]
    )


def second_cohort_table(view: AuditView) -> pd.DataFrame | None:
    """Balanced accuracy here and on the second cohort, ``None`` where there is none."""
    found = view.second_cohort
    if not isinstance(found, SecondCohort):
        return None
    interval = found.interval
    return pd.DataFrame(
        [
            {
                "balanced accuracy here": f"{found.here:.3f}",
                "on the second cohort": f"{found.there:.3f}",
                "lost": f"{found.lost:+.3f}",
                "95 % over patients": "—"
                if interval is None
                else f"{interval[0]:+.3f} to {interval[1]:+.3f}",
                "line": written("counterfactual_drop", view.lines["counterfactual_drop"]),
                "V there": f"{found.v:.2f}",
                "patients there": str(found.n_patients),
                "in both cohorts": str(found.n_shared_patients),
            }
        ]
    )


def _is_above(view: AuditView, name: str) -> bool:
    value, line = view.readings.number(name), view.lines.get(name)
    if value is None or line is None or name.endswith("_p"):
        return False
    return value > line
