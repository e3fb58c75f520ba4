"""Tables of verdicts and of artifact families."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from corespot.audit.calibration.lines import share_interval
from corespot.audit.calibration.record import Record
from corespot.audit.calibration.thresholds import Thresholds
from corespot.audit.verdict.verdict import VERDICTS, judge
from corespot.synth.confounds import FAMILIES


def markdown(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows as a markdown table."""
    if not rows:
        return "none"
    names = list(rows[0])
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(str(row[name]) for name in names) + " |" for row in rows]
    return "\n".join(lines)


def counted(k: int, n: int) -> str:
    """A share with its interval."""
    if n == 0:
        return "–"
    low, high = share_interval(k, n)
    return f"{k}/{n} ({low:.2f}–{high:.2f})"


def verdict_table(records: Sequence[Record], lines: Thresholds) -> str:
    """How many models of each verdict are truly reliant, by design."""
    rows = []
    for word in VERDICTS:
        mine = [one for one in records if judge(one.readings, lines).word == word]
        row: dict[str, object] = {"verdict": word}
        for design in ("nested", "nested_mixed", "partial", "balanced"):
            here = [one for one in mine if one.cohort["design"] == design]
            row[f"{design}: reliant"] = counted(
                sum(one.truth == "reliant" for one in here), len(here)
            )
        row["all: reliant"] = counted(sum(one.truth == "reliant" for one in mine), len(mine))
        rows.append(row)
    return markdown(rows)


def family_table(
    records: Sequence[Record], without_controls: Sequence[Record], lines: Thresholds
) -> str:
    """Reliant models called confounded, by the artifact family that was there."""
    rows = []
    for family in (*FAMILIES, "mixture", "none"):
        row: dict[str, object] = {"family": family}
        for title, chosen in (("with control cores", records), ("without", without_controls)):
            mine = [
                one for one in chosen if one.cohort["family"] == family and one.truth == "reliant"
            ]
            called = sum(judge(one.readings, lines).word == "confounded" for one in mine)
            row[title] = counted(called, len(mine))
        clean = [one for one in records if one.cohort["family"] == family and one.truth == "clean"]
        called = sum(judge(one.readings, lines).word == "confounded" for one in clean)
        row["clean ones called confounded"] = counted(called, len(clean))
        rows.append(row)
    return markdown(rows)
