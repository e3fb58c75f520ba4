"""Lines from the tuning cohorts, error rates on the testing cohorts: what ``docs/audit.md`` quotes.

    python benchmarks/audit/rates.py --records data/audit-benchmark --write

Without ``--write`` the tables are printed alone; with it the calibration that is shipped
(``src/corespot/audit/calibration/calibration.json``) and ``docs/audit-rates.md`` are written, too.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from roc import auc, rate_at, roc_figure
from tables import family_table, markdown, verdict_table

from corespot.audit.applicable import NotApplicable
from corespot.audit.calibration.lines import (
    calibration,
    lines_from,
    share_interval,
    thresholds_of,
    write_calibration,
)
from corespot.audit.calibration.record import Record, read_records
from corespot.audit.verdict.readings import Readings
from corespot.audit.verdict.verdict import judge
from corespot.errors import AuditError

SHIPPED = Path("src/corespot/audit/calibration/calibration.json")
DOCS = Path("docs/audit-rates.md")
COMMAND = "python benchmarks/audit/rates.py --write"
_NO_CONTROLS = NotApplicable("no control cores")


def without_controls(records: Sequence[Record]) -> list[Record]:
    """The same models, had the TMAs held no control cores."""
    return [
        replace(
            one,
            readings=Readings(
                {
                    **one.readings.values,
                    "control_share": _NO_CONTROLS,
                    "control_p": _NO_CONTROLS,
                }
            ),
        )
        for one in records
    ]


def has_digestion(record: Record) -> bool:
    """Whether the class is followed peptide by peptide, which only control cores can see."""
    return "digestion" in record.cohort["families"]


def report(
    tuning: Sequence[Record], testing: Sequence[Record], families: Sequence[Record]
) -> Iterator[str]:
    """The tables, as markdown."""
    yield f"Made by `{COMMAND}`; do not edit."
    seeds = sorted({one.seed for one in testing})
    yield (
        f"Lines from {len({one.seed for one in tuning})} tuning cohorts, rates from "
        f"{len(seeds)} testing cohorts (seeds {seeds[0]} to {seeds[-1]}), drawn alike "
        "(`benchmarks/audit/cohorts.py`). Reliant: .10 or more lost on the counterfactual cohort; "
        "clean: less than .05; those in between are left out. Intervals: 95 %, Wilson for "
        "shares, cohorts drawn anew for areas."
    )
    for model in sorted({one.model for one in testing}):
        own = [one for one in testing if one.model == model and one.truth != "between"]
        try:
            lines = thresholds_of(lines_from([one for one in tuning if one.model == model]), model)
        except AuditError as error:
            yield f"## {model}\n\nno lines: {error}"
            continue
        told = ", ".join(f"{name} {value:.2f}" for name, value in lines.lines.items())
        yield f"## {model}\n\nLines: {told}."
        rows = []
        nested = [one for one in own if one.cohort["design"] == "nested"]
        for title, chosen in (
            ("nested", nested),
            ("nested, no digestion", [one for one in nested if not has_digestion(one)]),
            ("all designs", own),
        ):
            for kind, records in (
                ("with control cores", chosen),
                ("without", without_controls(chosen)),
            ):
                y = np.array([one.truth == "reliant" for one in records])
                if len(set(y.tolist())) < 2:
                    continue
                called = np.array(
                    [judge(one.readings, lines).word == "confounded" for one in records]
                )
                area, low, high = auc(records, lines)
                rows.append(
                    {
                        "cohorts": f"{title}, {kind}",
                        "reliant": int(y.sum()),
                        "clean": int((~y).sum()),
                        "AUC": f"{area:.3f} ({low:.3f}–{high:.3f})",
                        "true positives at 5 % false": f"{rate_at(records, lines):.2f}",
                        "called confounded, reliant": _share(called[y]),
                        "called confounded, clean": _share(called[~y]),
                    }
                )
        yield markdown(rows)
        yield "Verdicts:\n\n" + verdict_table(own, lines)
        own += [one for one in families if one.model == model and one.truth != "between"]
        yield (
            "By artifact family, the cohorts of one family alone among them (reliant models called "
            "confounded):"
        )
        yield family_table(own, without_controls(own), lines)


def _share(called: np.ndarray) -> str:
    k, n = int(called.sum()), len(called)
    low, high = share_interval(k, n)
    return f"{k}/{n} ({low:.2f}–{high:.2f})"


def main() -> None:
    """Print the tables; write calibration and page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=Path, default=Path("data/audit-benchmark"))
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--roc", type=Path, help="write the ROC figure to this HTML file")
    wanted = parser.parse_args()
    tuning = read_records(wanted.records / "tuning.jsonl")
    testing = read_records(wanted.records / "testing.jsonl")
    families = read_records(wanted.records / "families.jsonl")
    text = "\n\n".join(["# Error rates of the audit", *report(tuning, testing, families)]) + "\n"
    print(text)
    if wanted.roc:
        lines = {
            model: thresholds_of(lines_from([one for one in tuning if one.model == model]), model)
            for model in sorted({one.model for one in testing})
        }
        figure = roc_figure(testing, lines, without_controls)
        figure.write_html(wanted.roc, config={"displayModeBar": False})
    if wanted.write:
        DOCS.write_text(text, encoding="utf-8")
        date = datetime.now(UTC).date().isoformat()
        content = calibration(tuning, command=COMMAND, date=date, tested=testing)
        write_calibration(SHIPPED, content)


if __name__ == "__main__":
    main()
