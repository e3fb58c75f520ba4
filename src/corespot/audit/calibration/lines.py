"""Lines and error rates from models of which the truth is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest

from corespot.audit.calibration.record import Record
from corespot.audit.calibration.thresholds import FORMAT_VERSION, LINES, Thresholds
from corespot.audit.verdict.verdict import CLEAN, TIED, VERDICTS, judge, score
from corespot.errors import AuditError
from corespot.io.artifacts import write_json

#: Clean models that may be called confounded.
FALSE_POSITIVES = 0.05
#: Fewer clean fits than this say nothing about a 95th percentile.
FEWEST_CLEAN = 20
#: Lines are never drawn below these: less is within what a gap estimated from few patients gives.
LOWEST = {"artifact_share": 0.05, "non_peptide": 0.05, "control_share": 0.10}


def lines_from(records: Sequence[Record]) -> dict[str, float]:
    """Lines such that at most one clean model in twenty lies above any of them.

    Parameters
    ----------
    records : sequence of Record
        Of one model; the clean ones on cohorts whose label and TMA are tied count.

    Raises
    ------
    AuditError
        If there are too few of those.

    Notes
    -----
    A model that loses .05 or more when TMAs are held out instead of patients reads the TMA, though
    it may have nothing left to lose on the counterfactual cohort: it is not counted as clean here.
    Each line starts at the 95th percentile of the clean fits' indicator; all are then raised by
    one common factor until the three together are exceeded by at most 5 % of them.
    """
    clean = [one.readings for one in records if one.truth == "clean"]
    clean = [one for one in clean if one.above("V", TIED) and not one.above("grouping_gap", CLEAN)]
    if len(clean) < FEWEST_CLEAN:
        raise AuditError(
            f"{len(clean)} clean fits on cohorts whose label and TMA are tied; at least "
            f"{FEWEST_CLEAN} are needed: simulate more cohorts"
        )
    lines = {}
    for name in LINES:
        values = [value for one in clean if (value := one.number(name)) is not None]
        found = float(np.quantile(values, 1 - FALSE_POSITIVES)) if values else 0.0
        lines[name] = max(found, LOWEST[name])
    over = [score(one, thresholds_of(lines)) for one in clean]
    factor = max(float(np.quantile(over, 1 - FALSE_POSITIVES, method="higher")), 1.0)
    # Rounded up: the fit that sets the factor must not lie above its own line.
    return {name: ceil(1e4 * line * factor) / 1e4 for name, line in lines.items()}


def thresholds_of(lines: Mapping[str, float], model: str = "") -> Thresholds:
    """Lines alone, to be tried."""
    return Thresholds(lines, model, True, 0, "")


def error_rates(records: Sequence[Record], thresholds: Thresholds) -> dict[str, Any]:
    """Share of truly reliant models by verdict, with Wilson intervals; none in between counts."""
    counts = {word: [0, 0] for word in VERDICTS}
    for record in records:
        if record.truth != "between":
            word = judge(record.readings, thresholds).word
            counts[word][0] += record.truth == "reliant"
            counts[word][1] += 1
    return {
        word: {"n": n, "reliant": k / n, "interval": list(share_interval(k, n))}
        for word, (k, n) in counts.items()
        if n
    }


def share_interval(k: int, n: int) -> tuple[float, float]:
    """95 % Wilson interval of a share."""
    found = binomtest(k, n).proportion_ci(0.95, method="wilson")
    return float(found.low), float(found.high)


def calibration(
    records: Sequence[Record],
    *,
    command: str,
    date: str,
    tested: Sequence[Record] = (),
) -> dict[str, Any]:
    """The content of a calibration file.

    Parameters
    ----------
    records : sequence of Record
        From which lines are drawn, of any models.
    command : str
        What made it.
    date : str
        When.
    tested : sequence of Record
        Models on other cohorts, from which error rates are taken; those of `records`, which then
        flatter, if there are none.
    """
    models: dict[str, Any] = {}
    for name in sorted({record.model for record in records}):
        own = [record for record in records if record.model == name]
        try:
            lines = lines_from(own)
        except AuditError as error:
            raise AuditError(f"{name}: {error}") from None
        other = [record for record in tested if record.model == name]
        models[name] = {
            "lines": lines,
            "n_clean": sum(one.truth == "clean" and one.readings.above("V", TIED) for one in own),
            "n_reliant": sum(one.truth == "reliant" for one in own),
            "error_rates": error_rates(other or own, thresholds_of(lines, name)),
            "error_rates_from": "other cohorts" if other else "the same cohorts",
        }
    return {
        "format_version": FORMAT_VERSION,
        "made": {
            "command": command,
            "date": date,
            "seeds": _range(records),
            "tested_on_seeds": _range(tested),
        },
        "models": models,
        "stands_for": _stands_for(list(models)),
    }


def write_calibration(path: Path, content: Mapping[str, Any]) -> None:
    """Write a calibration, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, dict(content))


def _range(records: Sequence[Record]) -> list[int]:
    seeds = [record.seed for record in records]
    return [min(seeds), max(seeds)] if seeds else []


def _stands_for(names: Sequence[str]) -> dict[str, str]:
    """The model whose lines others of its kind are given."""
    from corespot.models.registry import entry

    kinds = {"network": [n for n in names if entry(n).is_network]}
    kinds["linear"] = [n for n in names if not entry(n).is_network]
    preferred = {"network": "conv1d", "linear": "roc_lda"}
    return {
        kind: preferred[kind] if preferred[kind] in found else found[0]
        for kind, found in kinds.items()
        if found
    }
