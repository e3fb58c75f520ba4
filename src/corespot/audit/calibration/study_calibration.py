"""Lines and error rates for a study's own layout, by task and model."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from corespot.audit.calibration.lines import FEWEST_CLEAN, calibration, thresholds_of
from corespot.audit.calibration.record import Record
from corespot.audit.calibration.study_fits import StudyFit, records_of
from corespot.audit.verdict.verdict import TIED, judge
from corespot.errors import AuditError


def study_calibration(
    records: Sequence[Record], fits: Sequence[StudyFit], *, command: str, date: str
) -> dict[str, Any]:
    """Content of a calibration file: lines by task and, for other tasks, over all of them.

    Parameters
    ----------
    records : sequence of Record
        Of `fits`.
    fits : sequence of StudyFit
        What was calibrated.
    command : str
        What made it.
    date : str
        When.

    Raises
    ------
    AuditError
        If a model has too few clean fits: it says how many more cohorts are needed.
    """
    short = [text for fit in fits if (text := too_few(fit, records_of(fit, records)))]
    if short:
        raise AuditError("\n".join(short))
    tasks = {}
    for layout in dict.fromkeys(fit.layout for fit in fits):
        own = [one for fit in fits if fit.layout == layout for one in records_of(fit, records)]
        made = calibration(own, command=command, date=date)
        tasks[layout.task] = {
            "models": made["models"],
            "stands_for": made["stands_for"],
            "layout": {**layout.as_dict(), "V": layout.tie},
        }
    return {**calibration(records, command=command, date=date), "tasks": tasks}


def is_clean(record: Record) -> bool:
    """Whether a fit counts for the lines."""
    return record.truth == "clean" and record.readings.above("V", TIED)


def too_few(fit: StudyFit, records: Sequence[Record]) -> str:
    """What to do where clean fits are too few for lines; empty where they are enough."""
    n_clean = sum(map(is_clean, records))
    if n_clean >= FEWEST_CLEAN:
        return ""
    n = len({one.seed for one in records})
    found = f"{fit.task} {fit.model}: {n_clean} clean fits of {n} cohorts"
    if not n_clean:
        return (
            f"{found}, and {FEWEST_CLEAN} are needed: with this layout hardly any fit is free of "
            "the measurement, so that no lines can be drawn; simulate more cohorts (--cohorts), "
            "or leave the model out (--model) and the lines of its kind are used"
        )
    more = max(math.ceil(FEWEST_CLEAN * n / n_clean) - n, 1)
    return (
        f"{found}, and {FEWEST_CLEAN} are needed: about {more} more cohorts, "
        f"corespot audit calibrate --cohorts {n + more} (those there are kept)"
    )


def summary_rows(
    content: Mapping[str, Any], fits: Sequence[StudyFit], records: Sequence[Record]
) -> Iterator[dict[str, object]]:
    """A row a task and model: lines, fits behind them, and how often they err."""
    for fit in fits:
        made = content["tasks"][fit.task]["models"][fit.model]
        own = records_of(fit, records)
        lines = thresholds_of(made["lines"], fit.model)
        called: dict[str, list[bool]] = {"reliant": [], "clean": []}
        for one in own:
            if one.truth != "between" and one.readings.above("V", TIED):
                called[one.truth].append(judge(one.readings, lines).word == "confounded")
        yield {
            "task": fit.task,
            "model": fit.model,
            **{name.replace("_", " "): f"{line:.3f}" for name, line in made["lines"].items()},
            "clean": len(called["clean"]),
            "reliant": len(called["reliant"]),
            "found": _share(called["reliant"]),
            "false alarms": _share(called["clean"]),
        }


def verdict_rows(
    content: Mapping[str, Any], fits: Sequence[StudyFit]
) -> Iterator[dict[str, object]]:
    """A row a task, model and verdict: how many of such fits were truly reliant."""
    for fit in fits:
        rates = content["tasks"][fit.task]["models"][fit.model]["error_rates"]
        for word, rate in rates.items():
            low, high = rate["interval"]
            yield {
                "task": fit.task,
                "model": fit.model,
                "verdict": word,
                "fits": rate["n"],
                "truly reliant": f"{rate['reliant']:.2f} ({low:.2f} to {high:.2f})",
            }


def _share(values: Sequence[bool]) -> str:
    return f"{sum(values) / len(values):.2f}" if values else "–"
