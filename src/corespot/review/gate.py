"""The gate: checks that a run must pass, some to be approved, all to be champion."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from corespot.review.checks import (
    Check,
    check_approval,
    check_audit,
    check_data,
    check_files,
    check_folds,
    check_model,
    check_reason,
    check_run,
    check_verdict,
)
from corespot.review.evidence import Evidence


@dataclass(frozen=True)
class Gate:
    """All checks together.

    Parameters
    ----------
    checks : tuple of Check
        In the order in which they are told.
    """

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether every one passed."""
        return bool(self.checks) and not self.refused

    @property
    def refused(self) -> tuple[Check, ...]:
        """Those that did not."""
        return tuple(check for check in self.checks if not check.passed)

    def as_dict(self) -> dict[str, Any]:
        """Plain mapping for JSON."""
        return {"passed": self.passed, "checks": [check.as_dict() for check in self.checks]}


def champion_gate(evidence: Evidence) -> Gate:
    """Every check that a run must pass to be champion.

    Parameters
    ----------
    evidence : Evidence
        Read right before.
    """
    return Gate(
        (
            check_run(evidence),
            check_audit(evidence),
            check_verdict(evidence),
            check_approval(evidence),
            check_data(evidence),
            check_folds(evidence),
            check_model(evidence),
        )
    )


def candidate_gate(evidence: Evidence) -> Gate:
    """What must still hold of a candidate: all but that the project holds the same data and folds.

    Parameters
    ----------
    evidence : Evidence
        Read right before.
    """
    return Gate(
        (
            check_run(evidence),
            check_audit(evidence),
            check_verdict(evidence),
            check_approval(evidence),
            check_model(evidence),
        )
    )


def approval_objections(evidence: Evidence, comment: str | None = None) -> tuple[Check, ...]:
    """Why a run cannot be approved; nothing where it can.

    Parameters
    ----------
    evidence : Evidence
        Read right before.
    comment : str, optional
        The comment; without one it is not asked for a reason.
    """
    checks: list[Check] = [check_run(evidence), check_audit(evidence), check_verdict(evidence)]
    if comment is not None and checks[-1].passed:
        checks.append(check_reason(evidence, comment))
    checks.append(check_files(evidence))
    return tuple(check for check in checks if not check.passed)


def told(checks: Iterable[Check]) -> str:
    """Checks in one line of text."""
    return "; ".join(
        f"{check.found}: {check.remedy}" if check.remedy else check.found for check in checks
    )
