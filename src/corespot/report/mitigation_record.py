"""What a way out of confounding changed, read from its record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import pandas as pd

from corespot.audit.verdict.readings import MEANINGS
from corespot.errors import StoreError
from corespot.report.audit_records import Interval, interval_of
from corespot.report.audit_tables import written
from corespot.report.verdict_badge import verdict_text


@dataclass(frozen=True)
class Side:
    """How a model does, without or with the ways.

    Parameters
    ----------
    verdict, sentence : str
        Its audit; empty where it was not judged.
    cross_validated : float
        Balanced accuracy of held-out spots.
    second : float or None
        Balanced accuracy on the second cohort.
    interval : (float, float) or None
        95 % interval of it over patients.
    readings : mapping of str to float or None
        Indicators of the audit.
    """

    verdict: str
    sentence: str
    cross_validated: float
    second: float | None
    interval: Interval | None
    readings: Mapping[str, float | None]

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Self:
        """From what `corespot.mitigate.before_after.BeforeAfter.as_dict` gave."""
        there = plain.get("counterfactual")
        return cls(
            str(plain.get("verdict") or ""),
            str(plain.get("sentence") or ""),
            float(plain["cross_validated"]),
            None if there is None else float(there["balanced_accuracy"]),
            None if there is None else interval_of(there.get("interval")),
            {
                str(name): None if value is None else float(value)
                for name, value in dict(plain["readings"]).items()
            },
        )

    @property
    def lost(self) -> float | None:
        """Accuracy lost on the second cohort."""
        return None if self.second is None else self.cross_validated - self.second

    @property
    def artifact_share(self) -> float | None:
        """Share of the class gap that a measurement can cause by itself."""
        return self.readings.get("artifact_share")


@dataclass(frozen=True)
class MitigationRecord:
    """A model before and after.

    Parameters
    ----------
    ways : tuple of str
        Names of the ways, in order.
    before, after : Side
        Without them, and with them.
    """

    ways: tuple[str, ...]
    before: Side
    after: Side

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Self:
        """From the content of ``before_after.json``.

        Raises
        ------
        StoreError
            If it is no such record.
        """
        try:
            return cls(
                tuple(str(way) for way in plain["ways"]),
                Side.of(plain["before"]),
                Side.of(plain["after"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StoreError(
                f"before_after.json is damaged ({type(error).__name__}: {error}); run "
                "`corespot mitigate` again"
            ) from None

    @property
    def name(self) -> str:
        """The ways, as they are told."""
        return " + ".join(self.ways) or "no way out"

    def table(self) -> pd.DataFrame:
        """What is compared, before and after, in words."""
        pairs = (self.before, self.after)
        rows = [
            ("verdict", *(verdict_text(one.verdict, None) for one in pairs), ""),
            _accuracy(
                "balanced accuracy, cross-validated", *(one.cross_validated for one in pairs)
            ),
        ]
        if any(one.second is not None for one in pairs):
            second = [one.second for one in pairs]
            rows.append(_accuracy("balanced accuracy, second cohort", *second))
            lost = [
                None if one.second is None else one.cross_validated - one.second for one in pairs
            ]
            rows.append(_accuracy("accuracy lost there", *lost))
        for name in dict.fromkeys([*self.before.readings, *self.after.readings]):
            values = [one.readings.get(name) for one in pairs]
            if any(value is not None for value in values):
                cells = ["not applicable" if v is None else written(name, v) for v in values]
                rows.append((name.replace("_", " "), *cells, MEANINGS.get(name, "")))
        return pd.DataFrame(rows, columns=["", "before", "after", "what it says"])


def _accuracy(what: str, before: float | None, after: float | None) -> tuple[str, str, str, str]:
    cells = ["not measured" if value is None else f"{value:.3f}" for value in (before, after)]
    change = "" if before is None or after is None else f"{after - before:+.3f}"
    return what, cells[0], cells[1], f"change {change}" if change else ""
