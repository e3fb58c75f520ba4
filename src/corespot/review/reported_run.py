"""A run that is reported: what it logged, its verdict, and words for what is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Any

from corespot.errors import CorespotError
from corespot.report.audit_card import VerdictCard
from corespot.report.drawn import Drawn
from corespot.report.html import Part
from corespot.review.metric_tables import logged_metrics
from corespot.review.project import Project
from corespot.review.run_record import RunRecord


@dataclass(frozen=True)
class NoVerdict(Drawn):
    """Stands where the verdict would, and says why there is none.

    Parameters
    ----------
    reason : str
        Why; shown literally.
    """

    reason: str

    @property
    def html(self) -> str:
        """The card, escaped."""
        return (
            '<div class=card style="border:1px solid #d5dae0;border-left:8px solid #9aa5b1;'
            'border-radius:8px;padding:18px 22px 16px;margin:4px 0 24px;max-width:900px">'
            '<p style="font-size:18px"><strong>Not audited for confounding</strong></p>'
            f'<p style="max-width:none;margin:0">{escape(self.reason)}</p></div>'
        )


@dataclass(frozen=True)
class ReportedRun:
    """A run to be reported, and the project it is looked at from.

    Parameters
    ----------
    record : RunRecord
        Reads what it logged.
    project : Project
        The project, for its markers and tuning.
    """

    record: RunRecord
    project: Project

    @cached_property
    def metrics(self) -> Mapping[str, Any]:
        """Its ``metrics.json``, else what MLflow lists of it."""
        try:
            return self.record.metrics()
        except CorespotError:
            return logged_metrics(self.record.run)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Class names, empty where they are not known."""
        try:
            return self.record.classes
        except CorespotError:
            return ()

    def verdict_card(self) -> Drawn:
        """The verdict, or why there is none."""
        try:
            return VerdictCard(self.record.audit())
        except CorespotError as error:
            return NoVerdict(str(error))


def told(make: Callable[[], Iterator[Part]]) -> list[Part]:
    """The parts that `make` yields; where one cannot be made, the reason in its place."""
    parts: list[Part] = []
    try:
        parts.extend(make())
    except CorespotError as error:
        parts.append(f"Missing: {error}.")
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        # Files of a run may hold anything; one that is damaged must not take the report with it.
        parts.append(f"Missing: what was logged is damaged ({type(error).__name__}: {error}).")
    return parts
